/* SPDX-License-Identifier: Apache-2.0 */
#include "common/imap/parser.h"

#include "common/base/ensure.h"
#include "common/base/utf8.h"
#include "common/imap/chars.h"
#include "common/imap/tree.h"

enum state {
	S_TAG, /* zero: an idle parser */
	S_NAME,
	S_ARG,	 /* an argument, ')' or the end may come */
	S_AFTER, /* an argument has just ended */
	S_ATOM,
	S_QUOTED,
	S_ESCAPE,   /* behind a backslash in a quoted string */
	S_ANNOUNCE, /* "{n+}" */
	S_WAIT,	    /* the caller decides about p->literal */
	S_LITERAL,
	S_SKIP,	     /* the rest of a bad or refused command */
	S_SKIP_BODY, /* and a literal in it */
	S_SKIPPED,   /* a refused command is over */
	S_REPORT,    /* BAD is due at the next step */
	S_BAD,	     /* BAD was reported */
	S_DONE,
	S_BYE
};

enum { TOK_KEEP = 256 };

void imap_parser_init(struct imap_parser *p, const struct imap_limits *limits)
{
	*p = (struct imap_parser){.limits = *limits};
}

static void drop_memory(struct imap_parser *p)
{
	p->args = p->tail = p->before = NULL;
	p->open = NULL;
	p->count = 0;
	p->depth = p->nodes = 0;
	p->tag = p->name = STR_NONE;
	arena_deinit(&p->arena);
	buf_wipe(&p->tok);
}

/* What is not answered in order may be half of a LOGIN. */
static void forget(struct imap_parser *p)
{
	imap_tree_wipe(p->args);
	drop_memory(p);
}

void imap_parser_deinit(struct imap_parser *p)
{
	forget(p);
}

bool imap_parser_idle(const struct imap_parser *p)
{
	return p->state == S_TAG && p->used == 0;
}

static void restart(struct imap_parser *p)
{
	struct imap_limits limits = p->limits;

	drop_memory(p);
	imap_parser_init(p, &limits);
}

void imap_parser_done(struct imap_parser *p)
{
	if (p->state == S_DONE || p->state == S_BAD)
		restart(p);
}

void imap_parser_wipe(struct imap_parser *p)
{
	imap_tree_wipe(p->args);
	imap_parser_done(p);
}

void imap_parser_put_bad(const struct imap_parser *p, struct buf *out)
{
	if (p->tag.n)
		buf_str_put(out, p->tag);
	else
		buf_putc(out, '*');
	buf_puts(out, " BAD ");
	buf_puts(out, p->text);
	buf_puts(out, "\r\n");
}

/* ---- faults -------------------------------------------------------------------------- */
/* Only the tag is kept while the rest of the line is dropped. */
static void keep_tag_only(struct imap_parser *p)
{
	char tag[IMAP_TAG_MAX];
	size_t n = p->tag.n;

	ASSERT(n <= sizeof tag);
	if (n)
		memcpy(tag, p->tag.p, n);
	forget(p);
	if (n)
		p->tag = arena_str(&p->arena, str_mem(tag, n));
}

/* The byte at hand stays unconsumed, for S_SKIP to look at. */
static bool fail(struct imap_parser *p, const char *text)
{
	if (p->state != S_ANNOUNCE)
		p->lit = (struct imap_announce){0};
	if (p->state == S_QUOTED || p->state == S_ESCAPE) {
		/* a quote that wasn't closed hides no announcement */
		struct str s = buf_str(&p->tok);
		for (size_t i = 0; i < s.n; i++)
			imap_announce_feed(&p->lit, s.p[i]);
	}
	keep_tag_only(p);
	p->text = text;
	p->cr = false;
	p->state = S_SKIP;
	return false;
}

static bool bye(struct imap_parser *p, const char *text)
{
	forget(p);
	p->text = text;
	p->state = S_BYE;
	return false;
}

/* ---- the tree ------------------------------------------------------------------------ */
static bool end_token(struct imap_parser *p, enum imap_arg_type type)
{
	struct imap_arg *a = imap_tree_add(p, type, buf_str(&p->tok));

	if (a == NULL)
		return fail(p, "Too many arguments");
	a->glued = p->glue;
	p->glue = false;
	if (p->tok.cap > TOK_KEEP)
		buf_wipe(&p->tok);
	else
		buf_reset(&p->tok);
	p->state = S_AFTER;
	return true;
}

/* A parenthesis was read; error: or couldn't be. */
static bool level(struct imap_parser *p, const char *error, enum state next)
{
	if (error)
		return fail(p, error);
	p->state = (uint8_t)next;
	return true;
}

/* ---- one function per state; false: the byte was not consumed, look again ------------- */
static bool in_tag(struct imap_parser *p, char c)
{
	if (c == ' ' || c == '\n') {
		if (p->tok.n == 0)
			return fail(p, c == ' ' ? "Tag expected" : "Empty line");
		p->tag = arena_str(&p->arena, buf_str(&p->tok));
		buf_reset(&p->tok);
		p->state = S_NAME;
		return c == ' ' ? true : fail(p, "Command expected");
	}
	if (!imap_is_tag_char(c))
		return fail(p, "Invalid character in the tag");
	if (p->tok.n == IMAP_TAG_MAX)
		return fail(p, "Tag too long");
	buf_putc(&p->tok, c);
	return true;
}

static bool in_name(struct imap_parser *p, char c)
{
	if (c == ' ' || c == '\n') {
		if (p->tok.n == 0)
			return fail(p, "Command expected");
		p->name = arena_str(&p->arena, buf_str(&p->tok));
		p->parens = p->limits.login_parens && str_ieq(p->name, STR("LOGIN"));
		buf_reset(&p->tok);
		p->state = S_ARG;
		return c == ' ';
	}
	if (!imap_is_atom_char(c))
		return fail(p, "Invalid character in the command");
	if (p->tok.n == IMAP_NAME_MAX)
		return fail(p, "Unknown command");
	buf_putc(&p->tok, c);
	return true;
}

static bool at_end(struct imap_parser *p)
{
	if (p->open)
		return fail(p, "Missing )");
	buf_wipe(&p->tok);
	p->state = S_DONE;
	return true;
}

static bool atom_char(const struct imap_parser *p, char c)
{
	return imap_is_arg_char(c) || (p->parens && (c == '(' || c == ')'));
}

static bool in_arg(struct imap_parser *p, char c)
{
	if (atom_char(p, c)) {
		p->state = S_ATOM;
		return false;
	}
	switch (c) {
	case ' ':
		return true;
	case '\n':
		return at_end(p);
	case '(':
		return level(p, imap_tree_open(p), S_ARG);
	case ')':
		return level(p, imap_tree_close(p), S_AFTER);
	case '"':
		p->state = S_QUOTED;
		return true;
	case '{':
		p->lit = (struct imap_announce){.open = true};
		p->literal.literal8 = false;
		p->state = S_ANNOUNCE;
		return true;
	default:
		return fail(p, "Invalid character");
	}
}

static bool after_arg(struct imap_parser *p, char c)
{
	switch (c) {
	case ' ':
		p->state = S_ARG;
		return true;
	case '\n':
		return at_end(p);
	case ')':
		return level(p, imap_tree_close(p), S_AFTER);
	case ']':
		if (!imap_tree_awaits_bracket(p))
			break;
		p->glue = true;
		p->state = S_ATOM;
		return false;
	}
	return fail(p, "Space expected between arguments");
}

static size_t in_atom(struct imap_parser *p, struct str in)
{
	size_t n = 0;

	while (n < in.n && atom_char(p, in.p[n]))
		n++;
	buf_put(&p->tok, in.p, n);
	if (n == in.n)
		return n;
	if (in.p[n] == '{' && str_eq(buf_str(&p->tok), STR("~"))) {
		buf_reset(&p->tok);
		p->lit = (struct imap_announce){.open = true};
		p->literal.literal8 = true;
		p->state = S_ANNOUNCE;
		return n + 1;
	}
	if (in.p[n] == ' ' || in.p[n] == ')' || in.p[n] == '\n' || in.p[n] == '\r')
		end_token(p, IMAP_ARG_ATOM);
	else
		fail(p, "Invalid character");
	return n;
}

static size_t in_quoted(struct imap_parser *p, struct str in)
{
	size_t n = 0;

	while (n < in.n && !imap_is_quoted_special(in.p[n]))
		n++;
	buf_put(&p->tok, in.p, n);
	if (n == in.n)
		return n;
	if (in.p[n] == '\r') /* feed_line_end looks at it */
		return n;
	if (in.p[n] == '\\') {
		p->state = S_ESCAPE;
	} else if (in.p[n] != '"') {
		fail(p, in.p[n] ? "Missing \"" : "NUL in a string");
		return n;
	} else if (!utf8_valid(buf_str(&p->tok))) {
		fail(p, "Invalid UTF-8 in a quoted string");
		return n;
	} else if (!end_token(p, IMAP_ARG_QUOTED)) {
		return n;
	}
	return n + 1;
}

static bool in_escape(struct imap_parser *p, char c)
{
	if (c != '"' && c != '\\')
		return fail(p, "Invalid escape in a quoted string");
	buf_putc(&p->tok, c);
	p->state = S_QUOTED;
	return true;
}

static bool in_announce(struct imap_parser *p, char c)
{
	const struct imap_announce *a = &p->lit;

	if (c != '\n') {
		if (a->closed)
			return fail(p, "Line end expected behind a literal's size");
		imap_announce_feed(&p->lit, c);
		return true;
	}
	if (!imap_announce_usable(a) || (a->zero && a->digits > 1))
		return fail(p, "Invalid literal size");
	if (p->nodes >= p->limits.args)
		return fail(p, "Too many arguments");
	p->literal.size = a->n;
	p->literal.sync = !a->plus;
	p->state = S_WAIT;
	return true;
}

static size_t in_literal(struct imap_parser *p, struct str in)
{
	size_t n = p->left < in.n ? (size_t)p->left : in.n;

	if (!p->literal.literal8 && n && memchr(in.p, 0, n)) {
		fail(p, "NUL in a literal");
		p->state = S_SKIP_BODY;
		return 0;
	}
	buf_put(&p->tok, in.p, n);
	p->left -= n;
	if (p->left == 0)
		end_token(p, p->literal.literal8 ? IMAP_ARG_LITERAL8 : IMAP_ARG_LITERAL);
	return n;
}

/* The end of a line of a bad or refused command: a literal in its midst, or the end of it all. */
static bool end_skipped_line(struct imap_parser *p)
{
	const struct imap_announce *a = &p->lit;

	if (a->open && a->closed && a->plus) {
		if (!imap_announce_usable(a) || (!p->silent && a->n >= p->limits.line - p->used))
			return bye(p, "[TOOBIG] Literal too big");
		if (!p->silent)
			p->used += (size_t)a->n;
		p->left = a->n;
		p->lit = (struct imap_announce){0};
		p->state = S_SKIP_BODY;
		return true;
	}
	p->state = p->silent ? S_SKIPPED : S_BAD;
	return true;
}

static bool in_skip(struct imap_parser *p, char c)
{
	if (c == '\n')
		return end_skipped_line(p);
	if (c != '\r')
		imap_announce_feed(&p->lit, c);
	return true;
}

/* ---- the caller's word about a literal ----------------------------------------------- */
bool imap_parser_take(struct imap_parser *p)
{
	const struct imap_literal *l = &p->literal;
	bool fits = l->size <= p->limits.line - p->used;

	ASSERT(p->state == S_WAIT);
	if (fits && l->size <= p->limits.literal &&
	    (l->sync || !p->limits.literal_minus || l->size <= IMAP_LITERAL_MINUS_MAX)) {
		p->used += (size_t)l->size;
		p->left = l->size;
		p->state = S_LITERAL;
		return true;
	}
	if (l->sync) {
		fail(p, "[TOOBIG] Literal too big");
		p->state = S_REPORT;
	} else if (fits) {
		fail(p, "[TOOBIG] Literal too big");
		p->used += (size_t)l->size;
		p->left = l->size;
		p->state = S_SKIP_BODY;
	} else {
		bye(p, "[TOOBIG] Literal too big");
	}
	return false;
}

void imap_parser_stream(struct imap_parser *p)
{
	struct imap_arg *a;

	ASSERT(p->state == S_WAIT);
	a = imap_tree_add(p, IMAP_ARG_STREAM, STR_NONE);
	ASSERT(a != NULL); /* in_announce has seen that there is room */
	a->size = p->literal.size;
	a->literal8 = p->literal.literal8;
	p->state = S_AFTER;
}

void imap_parser_next(struct imap_parser *p)
{
	char name[IMAP_NAME_MAX];
	size_t n = p->name.n;

	ASSERT(p->state == S_AFTER && !p->open && n <= sizeof name);
	memcpy(name, p->name.p, n);
	keep_tag_only(p);
	p->name = arena_str(&p->arena, str_mem(name, n));
	p->used = p->tag.n + p->name.n;
}

void imap_parser_refuse(struct imap_parser *p)
{
	ASSERT(p->state == S_WAIT);
	if (p->literal.sync) {
		restart(p);
		return;
	}
	forget(p);
	p->lit = (struct imap_announce){0};
	p->silent = true;
	p->left = p->literal.size;
	p->state = S_SKIP_BODY;
}

/* ---- the machine ----------------------------------------------------------------------- */
/* Feeds the state with in (not empty); returns how many bytes it took. */
static size_t feed(struct imap_parser *p, struct str in)
{
	char c = in.p[0];

	switch ((enum state)p->state) {
	case S_TAG:
		return in_tag(p, c);
	case S_NAME:
		return in_name(p, c);
	case S_ARG:
		return in_arg(p, c);
	case S_AFTER:
		return after_arg(p, c);
	case S_ATOM:
		return in_atom(p, in);
	case S_QUOTED:
		return in_quoted(p, in);
	case S_ESCAPE:
		return in_escape(p, c);
	case S_ANNOUNCE:
		return in_announce(p, c);
	case S_SKIP:
		return in_skip(p, c);
	case S_WAIT:
	case S_LITERAL:
	case S_SKIP_BODY:
	case S_SKIPPED:
	case S_REPORT:
	case S_BAD:
	case S_DONE:
	case S_BYE:
		break;
	}
	UNREACHED();
}

/* CR belongs to the LF behind it and is never seen by the states of a good command. */
static size_t feed_line_end(struct imap_parser *p, struct str in)
{
	if (p->cr) {
		if (in.p[0] != '\n') {
			fail(p, "CR without LF");
			return 0;
		}
		p->cr = false;
		return feed(p, in);
	}
	if (in.p[0] == '\r' && p->state != S_ATOM) {
		p->cr = true;
		return 1;
	}
	return feed(p, in);
}

static size_t skip_body(struct imap_parser *p, size_t n)
{
	size_t skip = p->left < n ? (size_t)p->left : n;

	p->left -= skip;
	if (p->left == 0)
		p->state = S_SKIP;
	return skip;
}

/* Steps on through in as long as the line's limit allows. */
static size_t feed_line(struct imap_parser *p, struct str in)
{
	size_t room = p->limits.line - p->used, n;

	if (room == 0)
		return bye(p, "[TOOBIG] Command too long");
	in = str_sub(in, 0, room);
	n = p->state == S_SKIP ? feed(p, in) : feed_line_end(p, in);
	p->used += n;
	return n;
}

/* Where the caller has to act before more input is looked at. */
static enum imap_parse outcome(const struct imap_parser *p)
{
	switch ((enum state)p->state) {
	case S_WAIT:
		return IMAP_PARSE_LITERAL;
	case S_DONE:
		return IMAP_PARSE_COMMAND;
	case S_BAD:
		return IMAP_PARSE_BAD;
	case S_BYE:
		return IMAP_PARSE_BYE;
	default:
		return IMAP_PARSE_MORE;
	}
}

enum imap_parse imap_parse_step(struct imap_parser *p, struct str input, size_t *used)
{
	size_t i = 0;

	ASSERT(p->state != S_WAIT && p->state != S_DONE && p->state != S_BAD);
	if (p->state == S_REPORT)
		p->state = S_BAD;
	while (i < input.n && outcome(p) == IMAP_PARSE_MORE) {
		struct str in = str_from(input, i);
		if (p->state == S_SKIP_BODY)
			i += skip_body(p, in.n);
		else if (p->state == S_LITERAL) /* its size is in p->used already */
			i += in_literal(p, in);
		else
			i += feed_line(p, in);
		if (p->state == S_SKIPPED)
			restart(p);
	}
	*used = p->state == S_BYE ? input.n : i;
	return outcome(p);
}

int imap_take_line(struct str input, size_t max, struct str *line, size_t *used)
{
	size_t n = str_find(input, '\n');

	if (n == input.n)
		return n > max ? -1 : 0;
	*used = n + 1;
	if (n && input.p[n - 1] == '\r')
		n--;
	if (n > max)
		return -1;
	*line = str_sub(input, 0, n);
	return 1;
}
