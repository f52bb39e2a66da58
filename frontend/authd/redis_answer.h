/* SPDX-License-Identifier: Apache-2.0 */
/* redis_answer: what Redis answered to REDIS_COMMAND, as an account's fields. Pure. */
#pragma once
#include "common/io/redis_wire.h"
#include "frontend/authd/record_fields.h"
#include "frontend/authd/redis_template.h"

/* AUTH_OK: f is filled; AUTH_UNKNOWN: there is no such key; AUTH_TEMPFAIL: e says what is wrong. */
enum auth_result redis_answer(struct arena *a, const struct redis_template *t, bool json,
			      const struct redis_value *v, struct record_fields *f, struct err *e);
