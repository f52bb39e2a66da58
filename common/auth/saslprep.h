/* SPDX-License-Identifier: Apache-2.0 */
/*
 * saslprep: passwords in the form that SCRAM hashes (RFC 4013): spaces and invisible characters
 * mapped, NFKC, prohibited characters and mixed directions refused. Tables of character properties
 * are utf8proc's, thus of today's Unicode and not 3.2's, and unassigned code points are let through
 * (RFC 3454 7 calls that a query); neither matters to a password that both ends prepare alike.
 */
#pragma once
#include "common/base/buf.h"

/* Appends the prepared text. False, with out unchanged, where in can't be prepared. */
bool saslprep(struct buf *out, struct str in);
