/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rfc822: the lexical pieces that structured fields share (RFC 5322 3.2, RFC 2045 5.1). A cursor
 * only moves forward, whatever the input, so that every parser built on it is linear. Line ends of
 * folded fields count as blanks.
 */
#pragma once
#include "common/base/arena.h"
#include "common/base/buf.h"

struct rfc822 {
	const char *p, *end;
};
static inline struct rfc822 rfc822_of(struct str s)
{
	return s.p ? (struct rfc822){s.p, s.p + s.n} : (struct rfc822){"", ""};
}
static inline bool rfc822_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}
static inline bool rfc822_at(const struct rfc822 *x, char c)
{
	return x->p < x->end && *x->p == c;
}
/* Blanks and (nested) comments. The text of the last comment replaces *comment, unless NULL. */
void rfc822_cfws(struct rfc822 *x, struct buf *comment);
/* At '"': appends what is inside, unescaped, without line ends. An open end is fine. */
void rfc822_quoted(struct rfc822 *x, struct buf *out);
/* At '[': appends a domain literal with its brackets. */
void rfc822_domain_literal(struct rfc822 *x, struct buf *out);
/* Appends atom characters and dots, anything but blanks and ()<>[]:;@\," ; returns how many. */
size_t rfc822_dot_atom(struct rfc822 *x, struct buf *out);
/* A MIME token: no blanks, controls or tspecials. A slice of the input, perhaps empty. */
struct str rfc822_token(struct rfc822 *x);
