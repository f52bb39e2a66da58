/* SPDX-License-Identifier: Apache-2.0 */
/* foreign_names: keywords and subscriptions, see foreign.h. */
#include "backend/store/foreign.h"
#include "backend/store/maildir.h"
#include "common/base/utf8.h"
#include "common/imap/chars.h"
#include "common/imap/mutf7.h"

static struct str chomp(struct str line)
{
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	return line;
}

/* ---- keywords -------------------------------------------------------------------------------------- */

void kwlist_parse(struct str text, struct kwlist *out)
{
	struct str rest = text;

	*out = (struct kwlist){0};
	while (rest.p && rest.n) {
		struct str name = chomp(str_split(&rest, '\n'));
		if (!name.n)
			break;
		*vec_push(&out->names) = name;
	}
	while (rest.p && rest.n) {
		if (str_find(rest, '\n') == rest.n)
			break; /* cut off: so may its last number be */
		struct str numbers = chomp(str_split(&rest, '\n'));
		struct str base = str_split(&numbers, ':');
		struct md_name n;
		if (numbers.p && md_name_parse(base, &n))
			*vec_push(&out->a) = (struct kwlist_entry){base, numbers};
	}
}

void kwlist_free(struct kwlist *l)
{
	vec_free(&l->names);
	vec_free(&l->a);
}

bool kwlist_number(struct str *numbers, size_t limit, size_t *out)
{
	uint32_t v;

	while (numbers->p && numbers->n)
		if (str_u32(str_split(numbers, ' '), &v) && v < limit) {
			*out = v;
			return true;
		}
	return false;
}

bool kwupdate_name(struct str name, struct str *base, uint64_t *age)
{
	struct md_name n;

	*base = name;
	*age = UINT64_MAX;
	if (!name.n || name.p[0] == ':')
		return false;
	if (name.p[0] == '.') {
		*base = str_from(name, 1);
		if (!str_u64(str_split(base, '.'), age) || !base->p || *age == UINT64_MAX)
			return false;
	}
	/* Courier's names there have no flags; what has some isn't Courier's. */
	return md_name_parse(*base, &n) && n.base.n == base->n;
}

void letters_parse(struct str text, struct str names[DOVECOT_LETTERS])
{
	uint32_t v;

	for (size_t i = 0; i < DOVECOT_LETTERS; i++)
		names[i] = STR_NONE;
	for (struct str rest = text; rest.p && rest.n;) {
		bool whole = str_find(rest, '\n') < rest.n;
		struct str name = chomp(str_split(&rest, '\n'));
		if (whole && str_u32(str_split(&name, ' '), &v) && v < DOVECOT_LETTERS && name.n)
			names[v] = name;
	}
}

bool keyword_clean(struct str in, size_t max, struct buf *out)
{
	if (!in.n || in.n > max || in.p[0] == '\\')
		return false;
	for (size_t i = 0; i < in.n; i++)
		buf_putc(out, imap_is_atom_char(in.p[i]) && in.p[i] != ']' ? in.p[i] : '_');
	return true;
}

/* ---- names of folders ------------------------------------------------------------------------------ */

static void put_part(struct str part, struct buf *out)
{
	size_t at = out->n;

	/* A name that is no good code is as it stands: "R&D" of a server that writes UTF-8. */
	if (str_find(part, '&') == part.n || !mutf7_decode(out, part)) {
		buf_cut(out, at);
		buf_str_put(out, part);
	}
}

void folder_name_decode(struct str name, struct buf *out)
{
	for (struct str rest = name; rest.p;) {
		put_part(str_split(&rest, '.'), out);
		if (rest.p)
			buf_putc(out, '.');
	}
}

static bool valid_utf8(struct str s)
{
	size_t i = 0;
	uint32_t cp;

	while (i < s.n)
		if (!utf8_next(s, &i, &cp) || cp < 0x20)
			return false;
	return true;
}

/* One line's folder, levels apart by any of seps. */
static void put_folder(struct str line, const char *seps, struct buf *out)
{
	size_t start = out->n, from = 0;

	if (!(str_istarts(line, STR("INBOX")) &&
	      (line.n == 5 || memchr(seps, line.p[5], strlen(seps)))))
		buf_puts(out, "INBOX.");
	for (size_t i = 0; i <= line.n; i++) {
		if (i < line.n && !memchr(seps, line.p[i], strlen(seps)))
			continue;
		if (i == from)
			goto bad; /* an empty level */
		put_part(str_sub(line, from, i - from), out);
		buf_putc(out, i < line.n ? '.' : '\n');
		from = i + 1;
	}
	if (!valid_utf8(str_sub(buf_str(out), start, out->n - start - 1)))
		goto bad;
	memcpy(out->p + out->off + start, "INBOX", 5);
	return;
bad:
	buf_cut(out, start);
}

void subscriptions_parse(struct str text, struct buf *out)
{
	struct str rest = text;
	bool v2 = str_starts(text, STR("V\t2\n")) || str_starts(text, STR("V\t2\r\n"));

	if (v2)
		str_split(&rest, '\n');
	while (rest.p && rest.n) {
		struct str line = chomp(str_split(&rest, '\n'));
		if (line.n)
			put_folder(line, v2 ? "\t" : "./", out);
	}
}

/* "a.b" as "a\tb\n". False: a part can't be written. */
static bool put_levels(struct str name, bool mutf7, struct buf *out)
{
	while (name.p) {
		struct str part = str_split(&name, '.');
		if (!mutf7)
			buf_str_put(out, part);
		else if (!mutf7_encode(out, part))
			return false;
		buf_putc(out, name.p ? '\t' : '\n');
	}
	return true;
}

void subscriptions_make(struct str ours, bool mutf7, struct buf *out)
{
	buf_puts(out, "V\t2\n\n");
	for (struct str rest = ours; rest.p && rest.n;) {
		struct str line = str_trim(str_split(&rest, '\n'));
		size_t start = out->n;
		if (!str_istarts(line, STR("INBOX")) || (line.n > 5 && line.p[5] != '.'))
			continue; /* a shared folder of Courier's */
		if (!put_levels(line.n > 6 ? str_from(line, 6) : line, mutf7, out))
			buf_cut(out, start);
	}
}
