/* SPDX-License-Identifier: Apache-2.0 */
/* parse: a command's arguments from text, for the tests of what reads them. */
#pragma once
#include "common/base/ensure.h"
#include "common/imap/parser.h"

/* Literals are written {n+}. The arguments live until imap_parser_deinit. */
static inline const struct imap_arg *parse_args(struct imap_parser *p, const char *args)
{
	struct imap_limits l = IMAP_LIMITS_SESSION(65536, false);
	struct buf in = BUF_INIT;
	size_t used, at = 0;
	enum imap_parse r;

	buf_printf(&in, "a X %s\r\n", args);
	imap_parser_init(p, &l);
	while ((r = imap_parse_step(p, str_from(buf_str(&in), at), &used)) == IMAP_PARSE_LITERAL) {
		at += used;
		ASSERT(imap_parser_take(p));
	}
	ASSERT(r == IMAP_PARSE_COMMAND);
	buf_deinit(&in);
	return p->args;
}
