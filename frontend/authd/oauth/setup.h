/* SPDX-License-Identifier: Apache-2.0 */
/* setup: what oauth.c makes of its settings at the start (oauth_settings_check, oauth_needs and
 * oauth_configured of oauth.h are here as well). */
#pragma once
#include "common/base/err.h"
#include "common/config/settings.h"

struct http_client;
struct loop;
struct http_client *oauth_setup_client(struct loop *l, const struct settings *set, struct err *e);
void oauth_setup_warn(const struct settings *set); /* of settings that let too many in */
