/* SPDX-License-Identifier: Apache-2.0 */
#include "common/imap/acl.h"
#include "common/base/utf8.h"

static const char all_rights[] = "aceilrstwx";

static acl_rights bit(char c)
{
	if (c >= 'a' && c <= 'z')
		return (acl_rights)1 << (c - 'a');
	if (c >= 'A' && c <= 'Z')
		return (acl_rights)1 << (c - 'A' + 26);
	return 0;
}

static acl_rights bits(const char *letters)
{
	acl_rights r = 0;

	for (; *letters; letters++)
		r |= bit(*letters);
	return r;
}

void acl_rights_put(acl_rights r, struct buf *out)
{
	for (char c = 'A'; c <= 'Z'; c++)
		if (r & bit(c))
			buf_putc(out, c);
	for (char c = 'a'; c <= 'z'; c++)
		if (r & bit(c))
			buf_putc(out, c);
}

/* ---- identifiers ------------------------------------------------------------------------------- */

static struct str without_minus(struct str id)
{
	return str_starts(id, STR("-")) ? str_from(id, 1) : id;
}

static bool clean(struct str s)
{
	uint32_t cp;

	if (!s.n || s.n > ACL_IDENTIFIER_MAX)
		return false;
	for (size_t i = 0; i < s.n;)
		if (!utf8_next(s, &i, &cp) || cp <= ' ' || (cp >= 0x7f && cp <= 0xa0) ||
		    cp == 0x2028 || cp == 0x2029)
			return false;
	return true;
}

bool acl_identifier_ok(struct str id)
{
	struct str name = without_minus(id);

	if (!clean(id))
		return false;
	return str_eq(name, STR("owner")) || str_eq(name, STR("anyone")) ||
	       str_eq(name, STR("anonymous")) || str_eq(name, STR("administrators")) ||
	       (str_starts(name, STR("user=")) && name.n > 5) ||
	       (str_starts(name, STR("group=")) && name.n > 6);
}

static bool is_administrators(struct str name)
{
	return str_eq(name, STR("administrators")) || str_eq(name, STR("group=administrators"));
}

/* ---- entries ------------------------------------------------------------------------------------ */

static struct acl_entry *find(const struct acl *a, struct str id)
{
	for (size_t i = 0; i < a->entries.n; i++)
		if (str_eq(str_c(a->entries.a[i].identifier), id))
			return &a->entries.a[i];
	return NULL;
}

static void put(struct acl *a, struct str id, acl_rights r)
{
	struct acl_entry *en = find(a, id);

	if (!en) {
		en = vec_push(&a->entries);
		en->identifier = str_dup(id);
	}
	en->rights = r;
}

static void take_out(struct acl *a, struct str id)
{
	for (size_t i = 0; i < a->entries.n; i++) {
		if (!str_eq(str_c(a->entries.a[i].identifier), id))
			continue;
		free(a->entries.a[i].identifier);
		vec_remove(&a->entries, i);
		return;
	}
}

void acl_free(struct acl *a)
{
	vec_foreach(en, &a->entries)
		free(en->identifier);
	vec_free(&a->entries);
}

void acl_default(struct acl *a)
{
	*a = (struct acl){0};
	put(a, STR("owner"), bits(all_rights));
	put(a, STR("administrators"), bits(all_rights));
}

acl_rights acl_compute(const struct acl *a, const struct str *ids, size_t n)
{
	acl_rights granted = 0, denied = 0;

	for (size_t i = 0; i < n; i++)
		if (is_administrators(ids[i]))
			return bits(all_rights);
	for (size_t k = 0; k < a->entries.n; k++) {
		const struct acl_entry *en = &a->entries.a[k];
		struct str id = str_c(en->identifier), name = without_minus(id);
		bool is = str_eq(name, STR("anyone")) || str_eq(name, STR("anonymous"));

		for (size_t i = 0; i < n && !is; i++)
			is = str_eq(ids[i], name);
		if (is && name.n < id.n)
			denied |= en->rights;
		else if (is)
			granted |= en->rights;
	}
	return granted & ~denied;
}

/* ---- changes ------------------------------------------------------------------------------------ */

static int read_rights(struct str letters, acl_rights *r, struct err *e)
{
	*r = 0;
	for (size_t i = 0; i < letters.n; i++) {
		if (letters.p[i] == 'd')
			*r |= bits("etx");
		else if (letters.p[i] && strchr(all_rights, letters.p[i]))
			*r |= bit(letters.p[i]);
		else
			return err_set(e, 0, "\"%.*s\": rights are letters out of %s",
				       STR_ARG(letters), all_rights);
	}
	return 0;
}

static int owner_keeps(const struct acl *a, struct err *e)
{
	struct str owner = STR("owner");
	acl_rights keeps = bits("al");

	if ((acl_compute(a, &owner, 1) & keeps) == keeps)
		return 0;
	return err_set(e, 0, "the owner keeps the rights a and l");
}

static int check_identifier(struct str id, struct err *e)
{
	if (!acl_identifier_ok(id))
		return err_set(e, 0,
			       "\"%.*s\": an identifier is owner, anyone, anonymous, user=NAME or "
			       "group=NAME, or one of them with - in front",
			       STR_ARG(id));
	if (is_administrators(without_minus(id)))
		return err_set(e, 0, "the administrators keep all rights");
	return 0;
}

/* Puts the entry back as it was where the owner would lose too much. */
static int keep_or_undo(struct acl *a, struct str id, bool was, acl_rights before, struct err *e)
{
	if (owner_keeps(a, e) == 0)
		return 0;
	if (was)
		put(a, id, before);
	else
		take_out(a, id);
	return -1;
}

int acl_set(struct acl *a, struct str id, struct str change, struct err *e)
{
	char how = change.n && (change.p[0] == '+' || change.p[0] == '-') ? change.p[0] : '=';
	const struct acl_entry *en = find(a, id);
	acl_rights before = en ? en->rights : 0, r;
	bool was = en != NULL;

	if (check_identifier(id, e) < 0 ||
	    read_rights(str_from(change, how == '=' ? 0 : 1), &r, e) < 0)
		return -1;
	if (!was && a->entries.n >= ACL_ENTRIES_MAX)
		return err_set(e, 0, "there are %d entries already", ACL_ENTRIES_MAX);
	put(a, id, how == '+' ? before | r : how == '-' ? before & ~r : r);
	return keep_or_undo(a, id, was, before, e);
}

int acl_delete(struct acl *a, struct str id, struct err *e)
{
	const struct acl_entry *en = find(a, id);
	acl_rights before = en ? en->rights : 0;

	if (check_identifier(id, e) < 0)
		return -1;
	take_out(a, id);
	return keep_or_undo(a, id, en != NULL, before, e);
}

/* ---- the file ------------------------------------------------------------------------------------ */

static int parse_line(struct acl *a, struct str line)
{
	struct str rights = line, id = str_split(&rights, ' ');
	acl_rights r = 0;

	if (!clean(id) || !rights.p || a->entries.n >= ACL_ENTRIES_MAX)
		return -1;
	for (size_t i = 0; i < rights.n; i++) {
		if (!bit(rights.p[i]))
			return -1;
		r |= rights.p[i] == 'd' ? bits("etx") : bit(rights.p[i]);
	}
	put(a, id, r);
	return 0;
}

int acl_parse(struct str text, struct acl *a, struct err *e)
{
	unsigned number = 0;

	*a = (struct acl){0};
	while (text.p && text.n) {
		struct str line = str_split(&text, '\n');

		number++;
		if (str_trim(line).n == 0 || parse_line(a, line) == 0)
			continue;
		acl_free(a);
		return err_set(e, 0, "line %u is no \"identifier rights\"", number);
	}
	return 0;
}

void acl_put(const struct acl *a, struct buf *out)
{
	for (size_t i = 0; i < a->entries.n; i++) {
		buf_printf(out, "%s ", a->entries.a[i].identifier);
		acl_rights_put(a->entries.a[i].rights, out);
		buf_putc(out, '\n');
	}
}
