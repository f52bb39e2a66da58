/* SPDX-License-Identifier: Apache-2.0 */
/* imapdate: date-time of INTERNALDATE and APPEND, date of SEARCH (RFC 3501 section 9). Strict
 * (B45). */
#pragma once
#include "common/base/buf.h"

enum { IMAP_DATE_YEAR_MIN = 1900, IMAP_DATE_YEAR_MAX = 9999 };

/* "01-Jan-2026 10:00:00 +0100" (the day may have a blank for its first digit): seconds since 1970
 * and the zone in minutes. False: not a date that exists. */
bool imap_datetime_parse(struct str s, int64_t *utc, int *zone);
void imap_datetime_put(struct buf *out, int64_t utc, int zone); /* with its quotes */
/* "1-Feb-1994" or "01-Feb-1994": days since 1970-01-01. */
bool imap_date_parse(struct str s, int64_t *day);
