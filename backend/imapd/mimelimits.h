/* SPDX-License-Identifier: Apache-2.0 */
/* mimelimits: the settings that bound the parsing of a message, for FETCH and SEARCH. */
#pragma once
#include "common/config/settings.h"
#include "common/mail/mime.h"

struct mime_limits mime_limits_of(const struct settings *s);
