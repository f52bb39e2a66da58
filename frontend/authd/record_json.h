/* SPDX-License-Identifier: Apache-2.0 */
/* record_json: an account's fields (record_fields.h) from JSON. Pure. */
#pragma once
#include "frontend/authd/record_fields.h"

#define RECORD_JSON_MAX 262144

/*
 * json: one object. Its keys are the names of record_fields.h; values are strings, whole numbers, true
 * and false; null is as good as a missing key. `passwords` is a list of objects {"hash", "services"},
 * `services` a string or a list of strings. -1: not JSON, a key twice, a value of the wrong type; e says
 * which, and quotes nothing of the text.
 */
int record_json(struct arena *a, struct str json, struct record_fields *f, struct err *e);
/* The value of a field `passwords` that holds JSON text. */
int record_json_passwords(struct arena *a, struct str json, struct record_fields *f, struct err *e);
