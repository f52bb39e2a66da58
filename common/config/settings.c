/* SPDX-License-Identifier: Apache-2.0 */
#include "common/config/settings.h"

#include <sys/stat.h>

#include "common/base/ensure.h"
#include "common/base/secret.h"
#include "common/config/courier.h"
#include "common/config/kv.h"
#include "common/config/names.h"
#include "common/config/table.h"
#include "common/config/url.h"

enum { SECRET_MAX = 16384 };

struct loading {
	struct settings *s;
	struct buf *warnings;
	char *courier;    /* directory of Courier's files, or NULL */
	const char *file; /* NULL: not from a file, where says it all */
	bool public;      /* everybody may read that file */
	char *seen;       /* per row: was it set by the source that is being read? */
	char modules[160]; /* where AUTHMODULES stands */
};

/* Where a value stands, for error texts. */
struct where {
	const char *source; /* file name, "environment", "--set" */
	unsigned line;      /* 0: none */
};

static const char *where_text(struct where w, char out[160])
{
	if (w.line)
		snprintf(out, 160, "%.140s:%u", w.source, w.line);
	else
		snprintf(out, 160, "%.140s", w.source);
	return out;
}

static void set_string(struct settings *s, const struct table_row *r, struct str value)
{
	const char **p = table_string(s, r);
	char *old = (char *)*p;

	*p = str_dup(value); /* first: value may lie in the old one */
	if (old && r->kind == TABLE_SECRET)
		secret_zero(old, strlen(old));
	free(old);
}

static int parse_bool(struct str v, bool *out)
{
	bool yes = str_eq(v, STR("1")) || str_ieq(v, STR("yes"));

	if (!yes && !str_eq(v, STR("0")) && !str_ieq(v, STR("no")))
		return -1;
	*out = yes;
	return 0;
}

static bool is_choice(const char *choices, struct str v)
{
	struct str rest = str_c(choices);

	while (rest.p)
		if (str_eq(str_split(&rest, '|'), v))
			return true;
	return false;
}

static bool lists_word(struct str list, struct str word)
{
	while (list.p)
		if (str_eq(str_trim(str_split(&list, ' ')), word))
			return true;
	return false;
}

/* AUTHMODULES names what this version can ask; Courier's own files say "authdaemon". */
static int check_authmodules(struct str v, const char *where, struct err *e)
{
	static const struct str modules = STR("passwd-file http redis authlib");

	while (v.p) {
		struct str word = str_trim(str_split(&v, ' '));

		if (word.n && lists_word(v, word))
			return err_set(e, EINVAL, "%s: AUTHMODULES: %.*s is named twice", where, STR_ARG(str_sub(word, 0, 40)));
		/* authdaemon: authlib in Courier's own files. */
		if (word.n == 0 || str_eq(word, STR("authdaemon")) || lists_word(modules, word))
			continue;
		return err_set(e, EINVAL, "%s: AUTHMODULES: \"%.*s\" is not known, there are: %s", where,
			       STR_ARG(str_sub(word, 0, 40)), modules.p);
	}
	return 0;
}

/* One character that no name has for itself. */
static int check_separator(struct str v, const char *where, struct err *e)
{
	if (v.n == 0 || (v.n == 1 && strchr("!#%&*+/:;=?^|~", v.p[0])))
		return 0;
	return err_set(e, EINVAL, "%s: MASTER_SEPARATOR: one of !#%%&*+/:;=?^|~ is wanted, or nothing", where);
}

/* Courier's AUTHSERVICE143=NAME is the word 143=NAME in AUTHSERVICE. */
#define AUTHSERVICE STR("AUTHSERVICE")

static bool is_authservice(struct str name)
{
	uint32_t port;

	return str_starts(name, AUTHSERVICE) && str_u32(str_from(name, AUTHSERVICE.n), &port);
}

static int take_authservice(struct settings *s, struct str name, struct str value)
{
	struct buf b = BUF_INIT;

	buf_printf(&b, "%s%s%.*s=%.*s", s->authservice, s->authservice[0] ? " " : "",
		   STR_ARG(str_from(name, AUTHSERVICE.n)), STR_ARG(str_sub(value, 0, str_find(value, ' '))));
	set_string(s, table_find(AUTHSERVICE), buf_str(&b));
	buf_deinit(&b);
	return 0;
}

static int check_number_or_nothing(const char *name, struct str v, const char *where, struct err *e)
{
	uint32_t n;

	if (v.n == 0 || (str_u32(v, &n) && n <= 1000000))
		return 0;
	return err_set(e, EINVAL, "%s: %s=%.*s: a number up to 1000000 is wanted, or nothing", where, name,
		       STR_ARG(str_sub(v, 0, 40)));
}

static int check_urls(const char *name, struct str v, const char *where, struct err *e)
{
	struct url u;

	while (v.p) {
		struct str word = str_trim(str_split(&v, ' '));

		if (word.n && !url_parse(word, &u))
			return err_set(e, EINVAL, "%s: %s: http://host[:port]/path or https://... is wanted, not %.*s", where,
				       name, STR_ARG(str_sub(word, 0, 60)));
	}
	return 0;
}

/* What a string must look like beyond being one. */
static int check_string(const struct table_row *r, struct str v, const char *where, struct err *e)
{
	struct str name = str_c(r->name);

	if (str_eq(name, STR("AUTHMODULES")))
		return check_authmodules(v, where, e);
	if (str_eq(name, STR("HTTP_AUTH_URL")))
		return check_urls(r->name, v, where, e);
	if (str_eq(name, STR("MASTER_SEPARATOR")))
		return check_separator(v, where, e);
	if (str_eq(name, STR("SSLMAXPERIP")))
		return check_number_or_nothing(r->name, v, where, e);
	return 0;
}

static int assign(struct settings *s, const struct table_row *r, struct str v, const char *where, struct err *e)
{
	uint64_t n;

	switch (r->kind) {
	case TABLE_NUM:
		if (!str_u64(v, &n))
			return err_set(e, EINVAL, "%s: %s=%.*s is not a number (%llu to %llu %s)", where, r->name,
				       STR_ARG(str_sub(v, 0, 40)), (unsigned long long)r->min,
				       (unsigned long long)r->max, r->unit);
		if (n < r->min || n > r->max)
			return err_set(e, ERANGE, "%s: %s=%.*s is out of range (%llu to %llu %s)", where, r->name,
				       STR_ARG(str_sub(v, 0, 40)), (unsigned long long)r->min,
				       (unsigned long long)r->max, r->unit);
		*table_number(s, r) = n;
		return 0;
	case TABLE_BOOL:
		if (parse_bool(v, table_bool(s, r)) != 0)
			return err_set(e, EINVAL, "%s: %s=%.*s: 1 or 0 is wanted", where, r->name,
				       STR_ARG(str_sub(v, 0, 40)));
		return 0;
	case TABLE_ENUM:
		if (!is_choice(r->choices, v))
			return err_set(e, EINVAL, "%s: %s=%.*s: one of %s is wanted", where, r->name,
				       STR_ARG(str_sub(v, 0, 40)), r->choices);
		break;
	default:
		if (check_string(r, v, where, e) != 0)
			return -1;
	}
	set_string(s, r, v);
	return 0;
}

static int unknown_name(struct str name, const char *where, struct err *e)
{
	const char *nearest = table_nearest(name);

	name = str_sub(name, 0, 64);
	if (nearest)
		return err_set(e, EINVAL, "%s: unknown setting %.*s; is %s meant?", where, STR_ARG(name), nearest);
	return err_set(e, EINVAL, "%s: unknown setting %.*s", where, STR_ARG(name));
}

static int without_effect(struct loading *l, struct str name, struct str value, const char *where, struct err *e)
{
	const struct names_row *r = names_find(name);

	if (r == NULL)
		return unknown_name(name, where, e);
	if (r->kind == NAMES_SLIP)
		return err_set(e, EINVAL, "%s: unknown setting %s; %s", where, r->name, r->text);
	if (names_fine(r, value))
		return 0;
	if (r->kind == NAMES_REFUSED)
		return err_set(e, EINVAL, "%s: %s=%.*s: %s", where, r->name, STR_ARG(str_sub(value, 0, 40)), r->text);
	if (l->warnings)
		buf_printf(l->warnings, "%s: %.*s is ignored: %s\n", where, STR_ARG(name), r->text);
	return 0;
}

/* NAME_FILE=path for a secret NAME. */
static int assign_from_file(struct settings *s, const struct table_row *r, struct str path, const char *where,
			    struct err *e)
{
	char *name = str_dup(path);
	struct buf b = BUF_INIT;
	struct err inner;
	struct stat st;
	int rc;

	rc = kv_load(name, SECRET_MAX, &b, &inner);
	if (rc != 0)
		err_set(e, inner.code, "%s: %s_FILE: %s", where, r->name, inner.text);
	else if (stat(name, &st) == 0 && st.st_mode & S_IROTH)
		rc = err_set(e, EPERM, "%s: %s_FILE: everybody may read %s (chmod o-r)", where, r->name, name);
	else if (str_has_nul(buf_str(&b)))
		rc = err_set(e, EINVAL, "%s: %s_FILE: %s is not a text file", where, r->name, name);
	else
		rc = assign(s, r, str_trim(buf_str(&b)), where, e);
	buf_wipe(&b);
	free(name);
	return rc;
}

static bool same_value(struct settings *s, const struct table_row *r, struct str v)
{
	uint64_t n;
	bool yes;

	switch (r->kind) {
	case TABLE_NUM:
		return str_u64(v, &n) && n == *table_number(s, r);
	case TABLE_BOOL:
		return parse_bool(v, &yes) == 0 && yes == *table_bool(s, r);
	default:
		return str_eq(v, str_c(*table_string(s, r)));
	}
}

static void remember_where(struct settings *s, const struct table_row *r, const char *where)
{
	char **origin = &s->origins[r - table_rows];

	free(*origin);
	*origin = xstrdup(where);
}

static int take(struct loading *l, struct str name, struct str value, struct where w, struct err *e)
{
	const struct table_row *r = table_find(name);
	bool from_file = false;
	char where[160];

	where_text(w, where);
	if (r == NULL && str_ends(name, STR("_FILE"))) {
		r = table_find(str_sub(name, 0, name.n - 5));
		from_file = r && r->kind == TABLE_SECRET;
		if (!from_file)
			r = NULL;
	}
	if (r == NULL && !is_authservice(name))
		return without_effect(l, name, value, where, e);
	for (size_t i = 0; i < value.n; i++)
		if ((unsigned char)value.p[i] < ' ' || value.p[i] == 127)
			return err_set(e, EINVAL, "%s: %.*s: a control character in the value", where, STR_ARG(name));
	if (r == NULL)
		return take_authservice(l->s, name, value);
	if (l->seen[r - table_rows] && (from_file || !same_value(l->s, r, value)))
		return err_set(e, EINVAL, "%s: %s is set twice, with different values", where, r->name);
	l->seen[r - table_rows] = 1;
	if (r->kind == TABLE_SECRET && l->public && value.n && !from_file && l->warnings)
		buf_printf(l->warnings, "%s: everybody may read the file, and %s is a secret (chmod o-r)\n", where, r->name);
	remember_where(l->s, r, where);
	if (str_eq(name, STR("AUTHMODULES")))
		memcpy(l->modules, where, sizeof l->modules);
	if (from_file)
		return assign_from_file(l->s, r, value, where, e);
	return assign(l->s, r, value, where, e);
}

static int take_line(void *ctx, struct str name, struct str value, unsigned line, struct err *e)
{
	struct loading *l = ctx;

	return take(l, name, value, (struct where){l->file, line}, e);
}

static int take_courier(void *ctx, struct str name, struct str value, const char *where, struct err *e)
{
	return take(ctx, name, value, (struct where){where, 0}, e);
}

static bool is_public(const char *file)
{
	struct stat st;

	return stat(file, &st) == 0 && st.st_mode & S_IROTH;
}

static int load_file(struct loading *l, const char *file, struct err *e)
{
	struct buf text = BUF_INIT;
	struct err inner;
	int rc;

	l->file = file ? file : POSTHOUSE_SYSCONFDIR "/posthouse/posthouse.conf";
	l->public = is_public(l->file);
	rc = kv_load(l->file, KV_FILE_MAX, &text, &inner);
	if (rc == 0)
		rc = kv_parse(buf_str(&text), l->file, take_line, l, e);
	else if (file == NULL && (inner.code == ENOENT || inner.code == ENOTDIR))
		rc = 0;
	else
		err_set(e, inner.code, "can't read the settings: %s", inner.text);
	buf_wipe(&text);
	l->public = false;
	return rc;
}

static int load_env(struct loading *l, struct err *e)
{
	for (char **v = environ; v && *v; v++) {
		struct str value = str_c(*v), name = str_split(&value, '=');

		if (str_starts(name, STR("PH_")) &&
		    take(l, str_from(name, 3), value, (struct where){"environment (PH_...)", 0}, e) != 0)
			return -1;
	}
	return 0;
}

static int load_set(struct loading *l, const char *const *set, struct err *e)
{
	for (; set && *set; set++) {
		struct str value = str_c(*set), name = str_split(&value, '=');

		if (value.p == NULL)
			return err_set(e, EINVAL, "--set %s: NAME=value is wanted", *set);
		if (take(l, name, value, (struct where){"--set", 0}, e) != 0)
			return -1;
	}
	return 0;
}

/* Settings that want each other. */
static int check_together(const struct loading *l, struct err *e)
{
	if (lists_word(str_c(l->s->authmodules), STR("http")) && !*l->s->http_auth_url)
		return err_set(e, EINVAL, "%s: AUTHMODULES names http, but HTTP_AUTH_URL is not set", l->modules);
	return 0;
}

static void set_defaults(struct settings *s)
{
	memset(s, 0, sizeof *s);
	s->origins = xcalloc(table_n, sizeof *s->origins);
	for (size_t i = 0; i < table_n; i++)
		if (table_rows[i].name)
			ASSERT(assign(s, &table_rows[i], str_c(table_rows[i].text), "default", NULL) == 0);
}

/* All sources in turn. Each may set a setting once. */
static int load_all(struct loading *l, const struct settings_opts *o, bool file, struct err *e)
{
	int rc = 0;

	set_defaults(l->s);
	memset(l->seen, 0, table_n);
	if (l->courier)
		rc = courier_read(l->courier, take_courier, l, l->warnings, e);
	if (rc == 0 && l->courier)
		rc = take(l, STR("COURIER_CONFIG"), str_c(l->courier), (struct where){"-C", 0}, e);
	memset(l->seen, 0, table_n);
	if (rc == 0 && file)
		rc = load_file(l, o->file, e);
	memset(l->seen, 0, table_n);
	if (rc == 0 && !o->no_env)
		rc = load_env(l, e);
	memset(l->seen, 0, table_n);
	return rc == 0 ? load_set(l, o->set, e) : rc;
}

/* Where COURIER_CONFIG is set is known only when all was read; what it names stands below all that. */
static int load_with_courier(struct loading *l, const struct settings_opts *o, struct err *e)
{
	size_t said = l->warnings ? l->warnings->n : 0;
	int rc;

	if (o->file)
		l->courier = courier_dir(o->file);
	if (l->courier)
		return load_all(l, o, false, e);
	rc = load_all(l, o, true, e);
	if (rc != 0 || !*l->s->courier_config)
		return rc;
	l->courier = xstrdup(l->s->courier_config);
	if (l->warnings)
		buf_cut(l->warnings, said);
	settings_free(l->s);
	return load_all(l, o, true, e);
}

int settings_load(struct settings *s, const struct settings_opts *o, struct buf *warnings, struct err *e)
{
	struct loading l = {.s = s, .warnings = warnings, .seen = xcalloc(table_n, 1)};
	int rc = load_with_courier(&l, o, e);

	if (rc == 0)
		rc = check_together(&l, e);
	free(l.seen);
	free(l.courier);
	if (rc != 0)
		settings_free(s);
	return rc;
}

const char *settings_origin(const struct settings *s, const char *name)
{
	const struct table_row *r = table_find(str_c(name));

	return r && s->origins ? s->origins[r - table_rows] : NULL;
}

void settings_free(struct settings *s)
{
	for (size_t i = 0; i < table_n; i++) {
		const struct table_row *r = &table_rows[i];

		if (r->name == NULL || r->kind == TABLE_NUM || r->kind == TABLE_BOOL)
			continue;
		set_string(s, r, STR_NONE);
		free((char *)*table_string(s, r));
		*table_string(s, r) = NULL;
	}
	for (size_t i = 0; s->origins && i < table_n; i++)
		free(s->origins[i]);
	free(s->origins);
	s->origins = NULL;
}

bool settings_list_has(const char *list, struct str word)
{
	return word.n && lists_word(str_c(list), word);
}
