// SPDX-License-Identifier: Apache-2.0
#include "common/mail/addr.h"
#include "common/mail/rfc822.h"

/*
 * One address at a time: words are collected until a special character tells what they were: the
 * display name before '<', the local part before '@', a group's name before ':'.
 */
struct parser {
	struct arena *arena;
	struct addr_list *list;
	struct rfc822 x;
	struct buf phrase;  /* words with one blank between them where blanks were */
	struct buf local;   /* the same without blanks around dots: a local part */
	struct buf comment; /* the last one */
	struct buf domain;
	bool words;    /* the phrase has at least one, perhaps an empty quoted string */
	bool complete; /* an address stands since the last comma: bare words behind it are noise */
	bool in_group;
};

static struct addr *append(struct parser *p, int kind)
{
	struct addr *a = arena_new(p->arena, struct addr);

	a->kind = kind;
	*p->list->tail = a;
	p->list->tail = &a->next;
	p->list->n++;
	return a;
}

static struct str kept(struct parser *p, const struct buf *b)
{
	return b->n ? arena_str(p->arena, buf_str(b)) : STR_NONE;
}

static void forget(struct parser *p)
{
	buf_reset(&p->phrase);
	buf_reset(&p->local);
	buf_reset(&p->comment);
	buf_reset(&p->domain);
	p->words = false;
}

/* Appends one word (atom with dots, or quoted string) to b; false where none stands here. */
static bool word(struct parser *p, struct buf *b)
{
	if (rfc822_at(&p->x, '"')) {
		rfc822_quoted(&p->x, b);
		return true;
	}
	return rfc822_dot_atom(&p->x, b) > 0;
}

static bool ends_in_dot(const struct buf *b)
{
	struct str s = buf_str(b);

	return s.n && s.p[s.n - 1] == '.';
}

/* All words up to a special character. */
static void phrase(struct parser *p)
{
	for (;;) {
		const char *before = p->x.p;
		size_t at = p->phrase.n, from;
		struct str last;
		bool gap;

		rfc822_cfws(&p->x, &p->comment);
		gap = p->words && p->x.p > before;
		if (gap)
			buf_putc(&p->phrase, ' ');
		from = p->phrase.n;
		if (!word(p, &p->phrase)) {
			buf_cut(&p->phrase, at);
			return;
		}
		last = str_from(buf_str(&p->phrase), from);
		if (gap && !ends_in_dot(&p->local) && !str_starts(last, STR(".")))
			buf_putc(&p->local, ' ');
		buf_str_put(&p->local, last);
		p->words = true;
	}
}

/* Behind '@': atoms and dots, blanks and comments between them, or a literal. */
static void domain(struct parser *p, struct buf *out)
{
	for (;;) {
		rfc822_cfws(&p->x, &p->comment);
		if (rfc822_at(&p->x, '['))
			rfc822_domain_literal(&p->x, out);
		else if (!rfc822_dot_atom(&p->x, out))
			return;
		rfc822_cfws(&p->x, &p->comment);
		if (!ends_in_dot(out) && !rfc822_at(&p->x, '.'))
			return;
	}
}

/* RFC 5322 4.4: "@a,@b:" before the local part. */
static struct str route(struct parser *p)
{
	struct str s;

	buf_reset(&p->domain);
	while (rfc822_at(&p->x, '@') || rfc822_at(&p->x, ',')) {
		if (*p->x.p++ == '@') {
			if (p->domain.n)
				buf_putc(&p->domain, ',');
			buf_putc(&p->domain, '@');
			domain(p, &p->domain);
		}
		rfc822_cfws(&p->x, NULL);
	}
	if (rfc822_at(&p->x, ':'))
		p->x.p++;
	s = kept(p, &p->domain);
	buf_reset(&p->domain);
	return s;
}

static void to_closing_angle(struct parser *p)
{
	while (p->x.p < p->x.end && *p->x.p != '>') {
		if (*p->x.p == ',' || *p->x.p == ';') /* never closed: the next address begins */
			return;
		p->x.p++;
	}
	if (p->x.p < p->x.end)
		p->x.p++;
}

/* At '<', with the display name in phrase. */
static void angle_addr(struct parser *p)
{
	struct addr *a = append(p, ADDR_MAILBOX);

	a->name = kept(p, &p->phrase);
	forget(p);
	p->complete = true;
	p->x.p++;
	rfc822_cfws(&p->x, &p->comment);
	a->route = route(p);
	phrase(p);
	a->mailbox = kept(p, &p->local);
	if (rfc822_at(&p->x, '@')) {
		p->x.p++;
		domain(p, &p->domain);
		a->host = kept(p, &p->domain);
	}
	to_closing_angle(p);
	rfc822_cfws(&p->x, &p->comment);
	if (!a->name.p)
		a->name = kept(p, &p->comment);
	forget(p);
}

/* The words so far (and the domain behind '@') were an address without angle brackets. */
static void plain_addr(struct parser *p)
{
	struct addr *a;

	if ((!p->words || p->complete) && !p->domain.n) {
		forget(p);
		return;
	}
	p->complete = p->domain.n > 0;
	a = append(p, ADDR_MAILBOX);
	a->mailbox = p->words && p->local.n == 0 ? STR("") : kept(p, &p->local);
	a->host = kept(p, &p->domain);
	a->name = kept(p, &p->comment);
	forget(p);
}

/* At '@'. "a@b <a@b>" is a display name that nobody quoted. */
static void addr_spec(struct parser *p)
{
	p->x.p++;
	domain(p, &p->domain);
	rfc822_cfws(&p->x, &p->comment);
	if (!rfc822_at(&p->x, '<')) {
		plain_addr(p);
		return;
	}
	buf_putc(&p->phrase, '@');
	buf_str_put(&p->phrase, buf_str(&p->domain));
	angle_addr(p);
}

static void end_group(struct parser *p)
{
	if (p->in_group)
		append(p, ADDR_GROUP_END);
	p->in_group = false;
}

static void begin_group(struct parser *p)
{
	p->x.p++;
	end_group(p); /* groups don't nest */
	append(p, ADDR_GROUP_START)->mailbox = p->phrase.n ? kept(p, &p->phrase) : STR("");
	p->in_group = true;
	p->complete = false;
	forget(p);
}

static void step(struct parser *p)
{
	phrase(p);
	if (p->x.p == p->x.end) {
		plain_addr(p);
		return;
	}
	switch (*p->x.p) {
	case '<':
		angle_addr(p);
		break;
	case '@':
		addr_spec(p);
		break;
	case ':':
		begin_group(p);
		break;
	case ';':
		plain_addr(p);
		end_group(p);
		p->complete = false;
		p->x.p++;
		break;
	case ',':
		plain_addr(p);
		p->complete = false;
		p->x.p++;
		break;
	default: /* one that has no place here */
		p->x.p++;
	}
}

void addr_parse(struct arena *arena, struct addr_list *list, struct str value)
{
	struct parser p = {.arena = arena, .list = list, .x = rfc822_of(value)};

	while (p.x.p < p.x.end && list->n < list->max)
		step(&p);
	if (list->n < list->max)
		plain_addr(&p);
	end_group(&p);
	buf_deinit(&p.phrase);
	buf_deinit(&p.local);
	buf_deinit(&p.comment);
	buf_deinit(&p.domain);
}
