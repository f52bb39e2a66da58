/* SPDX-License-Identifier: Apache-2.0 */
/* date: the Date field (RFC 5322 3.3 with 4.3, read leniently). */
#pragma once
#include "common/base/str.h"

struct maildate {
	int64_t utc;  /* seconds since 1970 */
	int16_t zone; /* minutes east of UTC */
	int32_t day;  /* days since 1970-01-01 of the date as written: what SENTON & co. compare */
};
/* False (out untouched) where the value holds no date. Years 0 to 9999. */
bool date_parse(struct str value, struct maildate *out);
