/* SPDX-License-Identifier: Apache-2.0 */
/*
 * authtest: posthousectl authtest: what a login with this name, and perhaps this password, would find. The
 * providers are asked as for a login; nothing is counted as a guess, nobody waits for a penalty, no ticket
 * is made.
 */
#pragma once
#include "frontend/authd/authd.h"

int authtest_begin(struct authd *ad, struct str body); /* SUP_AUTHTEST came; -1: malformed */
