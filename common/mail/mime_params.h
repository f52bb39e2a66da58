/* SPDX-License-Identifier: Apache-2.0 */
/* mime_params: the parameters of a MIME field, with RFC 2231 continuations put together. */
#pragma once
#include "common/mail/mime.h"
#include "common/mail/rfc822.h"

/*
 * Parses from the first ';' to the end. Strings are in the arena. Over max parameters the rest is
 * left out. Continuations (name*0, name*1*, in any order) become one parameter behind the others,
 * whose name ends in '*' if a piece was percent-encoded; the other pieces are then encoded too.
 * Pieces of an incomplete sequence stay parameters of their own.
 */
void mime_params_parse(struct arena *a, struct rfc822 *x, struct mime_params *out, uint32_t max);
