/* SPDX-License-Identifier: Apache-2.0 */
#include "common/imap/listmatch.h"

#include "common/imap/limits.h"

/*
 * The pattern is a small automaton whose states are the positions in it: all that may be reached
 * are followed at once, so a name costs its length times the pattern's at most, whatever the
 * wildcards.
 */
struct states {
	uint16_t at[IMAP_MAILBOX_MAX + 1]; /* ascending */
	unsigned n;
};

static bool is_wild(char c)
{
	return c == '*' || c == '%';
}

/* "%%" is "%"; a run with a '*' in it is "*". */
static void put_char(struct buf *out, char c)
{
	struct str s = buf_str(out);
	char last = s.n ? s.p[s.n - 1] : 0;

	if (is_wild(c) && is_wild(last)) {
		buf_cut(out, s.n - 1);
		c = c == '*' ? c : last;
	}
	buf_putc(out, c);
}

bool imap_pattern_init(struct imap_pattern *p, struct str reference, struct str pattern, char sep)
{
	*p = (struct imap_pattern){BUF_INIT, sep};
	if (reference.n > IMAP_MAILBOX_MAX || pattern.n > IMAP_MAILBOX_MAX - reference.n)
		return false;
	for (size_t i = 0; i < reference.n; i++)
		put_char(&p->text, reference.p[i]);
	for (size_t i = 0; i < pattern.n; i++)
		put_char(&p->text, pattern.p[i]);
	return true;
}

void imap_pattern_deinit(struct imap_pattern *p)
{
	buf_deinit(&p->text);
}

/* Adds position k, and the one behind a wildcard there, which may match nothing. */
static void add_state(struct states *s, struct str pattern, size_t k)
{
	for (;; k++) {
		if (s->n == 0 || s->at[s->n - 1] < k)
			s->at[s->n++] = (uint16_t)k;
		if (k == pattern.n || !is_wild(pattern.p[k]))
			return;
	}
}

static char upper(char c)
{
	return (char)(c >= 'a' && c <= 'z' ? c - 32 : c);
}

/* Reads c; fold: in the letters of INBOX, whose case doesn't count. */
static void advance(struct states *s, struct str pattern, char c, char sep, bool fold)
{
	struct states next = {.n = 0};

	for (unsigned i = 0; i < s->n; i++) {
		size_t k = s->at[i];
		if (k == pattern.n)
			continue;
		if (is_wild(pattern.p[k])) {
			if (pattern.p[k] == '*' || c != sep)
				add_state(&next, pattern, k);
		} else if (pattern.p[k] == c || (fold && upper(pattern.p[k]) == c)) {
			add_state(&next, pattern, k + 1);
		}
	}
	s->n = next.n;
	memcpy(s->at, next.at, next.n * sizeof next.at[0]);
}

static bool accepts(const struct states *s, struct str pattern)
{
	return s->n && s->at[s->n - 1] == pattern.n;
}

static bool is_inbox(struct str name, char sep)
{
	return str_starts(name, STR("INBOX")) && (name.n == 5 || name.p[5] == sep);
}

/* Reads the whole name; *parent becomes the length of its longest proper parent that matches. */
static void run(const struct imap_pattern *p, struct str name, struct states *s, size_t *parent)
{
	struct str pattern = buf_str(&p->text);
	bool inbox = is_inbox(name, p->sep);

	s->n = 0;
	*parent = 0;
	add_state(s, pattern, 0);
	for (size_t i = 0; i < name.n && s->n; i++) {
		if (name.p[i] == p->sep && accepts(s, pattern))
			*parent = i;
		advance(s, pattern, name.p[i], p->sep, inbox && i < 5);
	}
}

enum imap_listmatch imap_pattern_match(const struct imap_pattern *p, struct str name)
{
	struct str pattern = buf_str(&p->text);
	struct states s;
	size_t parent;

	if (name.n > IMAP_MAILBOX_MAX)
		return IMAP_LISTMATCH_NO;
	run(p, name, &s, &parent);
	if (accepts(&s, pattern))
		return IMAP_LISTMATCH_YES;
	if (parent)
		return IMAP_LISTMATCH_PARENT;
	advance(&s, pattern, p->sep, p->sep, false);
	return s.n && s.at[0] < pattern.n ? IMAP_LISTMATCH_CHILDREN : IMAP_LISTMATCH_NO;
}

struct str imap_pattern_parent(const struct imap_pattern *p, struct str name)
{
	struct states s;
	size_t parent = 0;

	if (name.n <= IMAP_MAILBOX_MAX)
		run(p, name, &s, &parent);
	return str_sub(name, 0, parent);
}
