/* SPDX-License-Identifier: Apache-2.0 */
/* envelope: the ENVELOPE of RFC 3501 7.4.2 from a raw header (LF or CRLF, with or without end). */
#pragma once
#include "common/base/buf.h"
#include "common/mail/mime.h"

/* Writes "(...)". Over limits->addresses addresses the rest is left out; groups stay closed. */
void mime_put_envelope(struct buf *out, struct str header, const struct mime_limits *limits);
