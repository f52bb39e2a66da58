/* SPDX-License-Identifier: Apache-2.0 */
/* preauth: the commands before the login. */
#pragma once
#include "frontend/login/session.h"

void preauth_greet(struct session *s);
/* Works on the input until it is used up or the session waits for something. */
void preauth_input(struct session *s);
