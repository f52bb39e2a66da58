/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reply: what goes out. Strings from messages and peers are quoted or sent as literals so that none
 * can end a line or a string early (B53); human text is cut to printable ASCII.
 */
#pragma once
#include "common/base/buf.h"
#include "common/imap/limits.h"

/* Quoted where that is safe (ASCII without CR, LF, NUL, other control characters; at most
 * IMAP_QUOTED_MAX bytes), else a literal. */
void imap_put_string(struct buf *out, struct str s);
void imap_put_astring(struct buf *out, struct str s); /* an atom where it is one (and not NIL) */
/* A mailbox name, which is already modified UTF-7: always quoted, as Courier and Dovecot do for
 * names that need it and clients expect; a literal where a name holds what can't be quoted. */
void imap_put_mailbox(struct buf *out, struct str name);
void imap_put_literal(struct buf *out, struct str s);
/* "{n}\r\n": n bytes must follow. literal8: "~{n}\r\n". */
void imap_put_literal_head(struct buf *out, uint64_t n, bool literal8);
/* Human text: control characters and 8-bit bytes become '?', at most IMAP_CODE_TEXT_MAX bytes. */
void imap_put_text(struct buf *out, struct str text);
/* "tag text\r\n"; tag empty: "* text\r\n". The formatted text goes through imap_put_text. */
void imap_put_tagged(struct buf *out, struct str tag, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* "* text\r\n", not cut and not filtered: only for text of our own. */
void imap_put_untagged(struct buf *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void imap_put_continue(struct buf *out, const char *text); /* "+ text\r\n" */
