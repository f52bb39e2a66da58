/* SPDX-License-Identifier: Apache-2.0 */
/* foreign: lists of UIDs. */
#include <stdlib.h>

#include "backend/store/foreign.h"
#include "backend/store/maildir.h"
#include "common/base/hmap.h"

/* So many must be left of UIDs and UIDVALIDITYs: a list that ends the numbers is of no use. */
#define ROOM (1u << 20)

static struct str take_line(struct str *rest, bool *whole)
{
	*whole = str_find(*rest, '\n') < rest->n;
	struct str line = str_split(rest, '\n');
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	return line;
}

/* ---- the first line -------------------------------------------------------------------------------- */

static bool is_guid(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!strchr("0123456789abcdef", s.p[i]) || !s.p[i])
			return false;
	return s.n == 32;
}

/* One or more of version 3's words, "V123 N45 G...". */
static bool parse_head3(struct str rest, struct uidlist *out)
{
	bool v = false, n = false, bad = false;

	while (rest.p) {
		struct str word = str_split(&rest, ' ');
		struct str value = str_from(word, 1);
		if (!word.n)
			continue;
		if (word.p[0] == 'V')
			bad |= v || !(v = str_u32(value, &out->uidvalidity));
		else if (word.p[0] == 'N')
			bad |= n || !(n = str_u32(value, &out->uidnext));
		else if (word.p[0] == 'G' && is_guid(value))
			out->guid = value;
	}
	return v && n && !bad;
}

/* The version; 0: not a list's first line. */
static int parse_head(struct str line, struct uidlist *out)
{
	struct str rest = line, version = str_split(&rest, ' ');

	if (str_eq(version, STR("1"))) {
		bool v = str_u32(str_split(&rest, ' '), &out->uidvalidity);
		bool n = str_u32(str_trim(rest), &out->uidnext);
		return v && n ? 1 : 0;
	}
	return str_eq(version, STR("3")) && parse_head3(rest, out) ? 3 : 0;
}

/* ---- the others -------------------------------------------------------------------------------------- */

static bool parse_entry(struct str line, int version, struct uidlist_entry *out)
{
	struct md_name n;
	struct str rest = line;

	if (!str_u32(str_split(&rest, ' '), &out->uid) || !out->uid || !rest.p)
		return false;
	out->keys = STR_NONE;
	if (version == 3) {
		size_t at = 0; /* " :" ends the keys: their values have no blanks */
		while (at < rest.n && !(rest.p[at] == ':' && (!at || rest.p[at - 1] == ' ')))
			at++;
		if (at == rest.n)
			return false;
		out->keys = str_trim(str_sub(rest, 0, at));
		rest = str_from(rest, at + 1);
	}
	if (!md_name_parse(rest, &n))
		return false;
	out->base = n.base;
	return true;
}

static int by_uid(const void *a, const void *b)
{
	const struct uidlist_entry *x = a, *y = b;

	return x->uid != y->uid ? (x->uid < y->uid ? -1 : 1) : str_cmp(x->base, y->base);
}

/* A UID of two files, and a file with two UIDs: neither is sure. */
static void drop_doubles(struct uidlist *l)
{
	struct hmap *count = hmap_new();
	size_t out = 0;

	if (l->a.n)
		qsort(l->a.a, l->a.n, sizeof *l->a.a, by_uid);
	vec_foreach(e, &l->a) {
		uintptr_t n = (uintptr_t)hmap_get(count, e->base);
		hmap_put(count, e->base, (void *)(n + 1));
	}
	for (size_t i = 0; i < l->a.n;) {
		size_t end = i + 1;
		while (end < l->a.n && l->a.a[end].uid == l->a.a[i].uid)
			end++;
		if (end == i + 1 && (uintptr_t)hmap_get(count, l->a.a[i].base) == 1)
			l->a.a[out++] = l->a.a[i];
		i = end;
	}
	l->dropped += l->a.n - out;
	l->a.n = out;
	hmap_free(&count);
}

static void judge(struct uidlist *l, int version, uint32_t last, bool tail_lost)
{
	if (!version)
		l->unsure = "its first line is damaged";
	else if (!l->uidvalidity || !l->uidnext)
		l->unsure = "its first line has a zero";
	else if (version == 1 && last >= l->uidnext)
		l->unsure = "it has UIDs that it says were not given yet";
	else if (version == 3 && tail_lost)
		l->unsure = "its end is damaged";
	else if (l->uidvalidity > UINT32_MAX - ROOM || l->uidnext > UINT32_MAX - ROOM ||
		 last > UINT32_MAX - ROOM)
		l->unsure = "its numbers are at their end";
	if (last && last >= l->uidnext)
		l->uidnext = last + (last < UINT32_MAX);
}

void uidlist_parse(struct str text, struct uidlist *out)
{
	struct str rest = text;
	uint32_t last = 0;
	bool whole, tail_lost = false;

	*out = (struct uidlist){0};
	int version = parse_head(take_line(&rest, &whole), out);
	if (!whole)
		version = 0; /* cut off: so may its last number be */
	while (rest.p && rest.n) {
		struct uidlist_entry e;
		struct str line = take_line(&rest, &whole);
		if (!line.n && whole)
			continue;
		tail_lost = !whole || !parse_entry(line, version == 3 ? 3 : 1, &e);
		if (tail_lost) {
			out->dropped++;
			continue;
		}
		*vec_push(&out->a) = e;
		if (e.uid > last)
			last = e.uid;
	}
	judge(out, version, last, tail_lost);
	drop_doubles(out);
}

void uidlist_free(struct uidlist *l)
{
	vec_free(&l->a);
}
