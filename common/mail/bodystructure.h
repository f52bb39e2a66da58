/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bodystructure: BODY and BODYSTRUCTURE as RFC 3501 7.4.2 writes them. The text is complete with
 * its outer parentheses and may hold literals ("{12}\r\n..."); bytes outside ASCII only stand in
 * literals. A message/global is written as a plain leaf: the rev1 grammar knows envelopes for
 * message/rfc822 alone.
 */
#pragma once
#include "common/base/buf.h"
#include "common/mail/mime.h"

/* extended: BODYSTRUCTURE, else BODY. */
void mime_put_bodystructure(struct buf *out, const struct mime_part *root, bool extended,
			    const struct mime_limits *limits);
