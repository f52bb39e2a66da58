/* SPDX-License-Identifier: Apache-2.0 */
#include "common/config/courier.h"

#include <dirent.h>
#include <sys/stat.h>

#include "common/base/ensure.h"
#include "common/config/names.h"

struct reader {
	const char *dir;
	struct courier_scope plain, ssl, pop; /* for 143, for 993, POP3's */
	courier_fn *fn;
	void *ctx;
	struct buf *warnings;
	struct err *e;
};

/* Which of two values counts, where Courier's port 143 and 993 had different ones. */
enum whose { PLAIN, SSL };
static const struct {
	const char *name;
	enum whose whose;
} owners[] = {
	{"ADDRESS", PLAIN},
	{"IMAPDSTARTTLS", PLAIN},
	{"IMAP_TLS_REQUIRED", PLAIN},
	{"IMAP_CAPABILITY", PLAIN},
	{"LOGGEROPTS", PLAIN},
	{"PIDFILE", PLAIN},
	{"PORT", PLAIN},
	{"SSLADDRESS", SSL},
	{"SSLLOGGEROPTS", SSL},
	{"SSLPIDFILE", SSL},
	{"SSLPORT", SSL},
	{"TCPDOPTS", PLAIN},
	{"TLS_PROTOCOL", SSL},
	{"TLS_STARTTLS_PROTOCOL", PLAIN},
};

/* Both count: ours for 143 has Courier's name, that for 993 has another. */
static const struct {
	const char *name, *ssl;
} pairs[] = {
	{"IMAP_CAPABILITY_TLS", "IMAP_CAPABILITY_SSL"},
	{"MAXPERIP", "SSLMAXPERIP"},
};

bool courier_here(const char *dir)
{
	static const char *const names[] = {"imapd", "imapd-ssl"};
	bool found = false;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct buf path = BUF_INIT;
		struct stat st;

		buf_printf(&path, "%s/%s", dir, names[i]);
		found |= stat(buf_cstr(&path), &st) == 0 && S_ISREG(st.st_mode);
		buf_deinit(&path);
	}
	return found;
}

char *courier_dir(const char *path)
{
	static const char *const names[] = {"imapd", "imapd-ssl", "pop3d", "pop3d-ssl"};
	struct str all = str_c(path);
	size_t slash = str_rfind(all, '/');
	struct str base = slash < all.n ? str_from(all, slash + 1) : all;
	char *dir = NULL;
	struct stat st;

	if (stat(path, &st) != 0)
		return NULL;
	if (S_ISDIR(st.st_mode))
		return courier_here(path) ? xstrdup(path) : NULL;
	for (size_t i = 0; S_ISREG(st.st_mode) && i < ARRAY_LEN(names); i++)
		if (!dir && str_eq(base, str_c(names[i])))
			dir = slash == all.n ? xstrdup(".")
					     : str_dup(str_sub(all, 0, slash ? slash : 1));
	return dir;
}

/* ---- one setting ---------------------------------------------------------------------------- */

/* Courier's on and off are [yY]* and numbers; an empty number is none. */
static struct str as_ours(const struct table_row *row, struct str value)
{
	if (row->kind != TABLE_BOOL || value.n == 0)
		return value;
	if (strchr("yY", value.p[0]))
		return STR("1");
	if (strchr("nN", value.p[0]))
		return STR("0");
	return value;
}

static int give(const struct reader *r, const char *name, struct str value, const char *where)
{
	const struct table_row *row = table_find(str_c(name));

	if (row && value.n == 0 &&
	    (row->kind == TABLE_NUM || row->kind == TABLE_BOOL || row->kind == TABLE_ENUM))
		return 0;
	return r->fn(r->ctx, str_c(name), row ? as_ours(row, value) : value, where, r->e);
}

static void warn_of_both(const struct reader *r, const struct courier_entry *a,
			 const struct courier_entry *b)
{
	buf_printf(
		r->warnings,
		"%s: %s=%.60s is for port 143 and %s=%.60s of %s for 993; here the first is for both (set %s in "
		"posthouse.conf to say which)\n",
		a->where, a->name, a->value, b->name, b->value, b->where, a->name);
}

static const char *ssl_name(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		if (str_eq(str_c(pairs[i].name), name))
			return pairs[i].ssl;
	return NULL;
}

/* AUTHSERVICE993 is the one that port 993 had. */
static bool is_service_of(const struct reader *r, struct str name)
{
	const struct courier_entry *port = courier_find(&r->ssl, STR("SSLPORT"));
	struct str rest = port ? str_c(port->value) : STR("993");

	if (!str_starts(name, STR("AUTHSERVICE")))
		return false;
	while (rest.p) {
		struct str item = str_trim(str_split(&rest, ','));
		size_t dot = str_rfind(item, '.');

		if (str_eq(dot < item.n ? str_from(item, dot + 1) : item,
			   str_from(name, sizeof("AUTHSERVICE") - 1)))
			return true;
	}
	return false;
}

static bool owner(const struct reader *r, struct str name, enum whose *whose)
{
	for (size_t i = 0; i < ARRAY_LEN(owners); i++)
		if (str_eq(str_c(owners[i].name), name)) {
			*whose = owners[i].whose;
			return true;
		}
	*whose = SSL;
	return is_service_of(r, name);
}

/* A name that we have too. */
static int pass_on(const struct reader *r, const struct courier_entry *a,
		   const struct courier_entry *b)
{
	struct str name = str_c(a->name);
	bool differ = strcmp(a->value, b->value) != 0;
	const char *other = ssl_name(name);
	enum whose whose;

	if (owner(r, name, &whose))
		a = whose == SSL ? b : a;
	else if (other && differ && give(r, other, str_c(b->value), b->where) != 0)
		return -1;
	else if (!other && differ)
		warn_of_both(r, a, b);
	return give(r, a->name, str_c(a->value), a->where);
}

static void unknown(const struct reader *r, const struct courier_scope *s,
		    const struct courier_entry *a)
{
	const char *nearest;

	if (kv_vars_used(s->vars, str_c(a->name)))
		return; /* a variable of the file's own */
	nearest = table_nearest(str_c(a->name));
	buf_printf(r->warnings, "%s: %.64s is not known and not used%s%s%s\n", a->where, a->name,
		   nearest ? "; is " : "", nearest ? nearest : "", nearest ? " meant?" : "");
}

/* A name that only Courier has. */
static int explain(const struct reader *r, const struct courier_scope *s,
		   const struct courier_entry *a)
{
	const struct names_row *row = names_find(str_c(a->name));

	if (!row || row->kind == NAMES_SLIP)
		unknown(r, s, a);
	else if (names_fine(row, str_c(a->value)))
		return 0;
	else if (row->kind == NAMES_REFUSED)
		return err_set(r->e, EINVAL, "%s: %.40s=%.40s: %s", a->where, a->name, a->value,
			       row->text);
	else
		buf_printf(r->warnings, "%s: %.64s is ignored: %s\n", a->where, a->name, row->text);
	return 0;
}

/* ---- what is more than a value --------------------------------------------------------------- */

static bool says_no(const struct courier_entry *a)
{
	return a && *a->value && !strchr("yY", a->value[0]);
}

/*
 * Courier's init script asks these. One of them off: that port was not open, and is not opened here
 * either. Both off, as upstream ships the files: whoever starts us wants to be served.
 */
static int start_flags(const struct reader *r)
{
	const struct courier_entry *plain = courier_find(&r->plain, STR("IMAPDSTART"));
	const struct courier_entry *ssl = courier_find(&r->ssl, STR("IMAPDSSLSTART"));
	const struct courier_entry *off = says_no(plain) ? plain : ssl;
	struct str port = off == plain ? STR("PORT") : STR("SSLPORT");

	if (!says_no(plain) && !says_no(ssl))
		return 0;
	if (says_no(plain) && says_no(ssl)) {
		buf_printf(
			r->warnings,
			"%s: IMAPDSTART and IMAPDSSLSTART are for Courier's init script: PORT and SSLPORT are served\n",
			plain->where);
		return 0;
	}
	buf_printf(r->warnings, "%s: %s=%.8s: nothing is served on %.*s\n", off->where, off->name,
		   off->value, STR_ARG(port));
	return r->fn(r->ctx, port, STR(""), off->where, r->e);
}

static bool is_start_flag(const struct reader *r, struct str name)
{
	const struct courier_entry *plain = courier_find(&r->plain, STR("IMAPDSTART"));
	const struct courier_entry *ssl = courier_find(&r->ssl, STR("IMAPDSSLSTART"));

	if (str_eq(name, STR("IMAPDSTART")) || str_eq(name, STR("IMAPDSSLSTART")))
		return true;
	return (str_eq(name, STR("PORT")) && says_no(plain) && !says_no(ssl)) ||
	       (str_eq(name, STR("SSLPORT")) && says_no(ssl) && !says_no(plain));
}

/* Debian makes the .dat of all files in a directory. None: no rules. More than one: we don't guess. */
static int access_directory(const struct reader *r, const struct courier_entry *a)
{
	struct buf path = BUF_INIT;
	DIR *d = opendir(a->value);
	struct dirent *entry;
	unsigned n = 0;
	int rc = 0;

	while (d && (entry = readdir(d)))
		if (entry->d_name[0] != '.' && n++ == 0)
			buf_printf(&path, "%s/%s", a->value, entry->d_name);
	if (!d)
		rc = err_sys(r->e, "%s: IMAPACCESSFILE=%s", a->where, a->value);
	else if (n > 1)
		rc = err_set(r->e, EISDIR,
			     "%s: IMAPACCESSFILE=%s has %u files: put them into one, and name that",
			     a->where, a->value, n);
	else if (n == 1)
		rc = give(r, a->name, buf_str(&path), a->where);
	if (d)
		closedir(d);
	buf_deinit(&path);
	return rc;
}

/* couriertcpd reads the file's .dat, where there is one. */
static int access_file(const struct reader *r, const struct courier_entry *a)
{
	struct stat st;
	int rc = *a->value ? stat(a->value, &st) : -1;

	if (rc == 0 && S_ISDIR(st.st_mode))
		return access_directory(r, a);
	if (rc == 0 || (*a->value && errno != ENOENT && errno != ENOTDIR))
		return give(r, a->name, str_c(a->value), a->where);
	if (*a->value)
		buf_printf(r->warnings,
			   "%s: IMAPACCESSFILE=%s is not there: everybody may connect\n", a->where,
			   a->value);
	return 0;
}

/* What is in the list was all that Courier could do. */
static void warn_of_list(const struct reader *r, const struct courier_entry *a)
{
	if (*a->value)
		buf_printf(
			r->warnings,
			"%s: IMAP_CAPABILITY limits what clients are offered to Courier's list (no CONDSTORE, QRESYNC, MOVE "
			"...); IMAP_CAPABILITY= and IMAP_CAPABILITY_TLS= in posthouse.conf offer all\n",
			a->where);
}

static void warn_of_protocol(const struct reader *r, const struct courier_entry *a)
{
	struct str v = str_c(a->value);

	if (v.n && !str_starts(v, STR("TLSv1.2")) && !str_starts(v, STR("TLSv1.3")))
		buf_printf(r->warnings, "%s: %s=%.20s: versions below TLS 1.2 are not spoken\n",
			   a->where, a->name, a->value);
}

static int one(const struct reader *r, const struct courier_entry *a, const struct courier_entry *b)
{
	struct str name = str_c(a->name);

	if (is_start_flag(r, name))
		return 0;
	if (str_eq(name, STR("IMAPACCESSFILE")))
		return access_file(r, a);
	if (str_eq(name, STR("IMAP_CAPABILITY")))
		warn_of_list(r, a);
	if (str_eq(name, STR("TLS_PROTOCOL")) || str_eq(name, STR("TLS_STARTTLS_PROTOCOL")))
		warn_of_protocol(r, a);
	if (table_find(name) ||
	    (table_find(STR("AUTHSERVICE")) && str_starts(name, STR("AUTHSERVICE"))))
		return pass_on(r, a, b);
	return explain(r, &r->plain, a);
}

/* Both scopes have read the same files: each name is in both. */
static int all_names(const struct reader *r)
{
	for (size_t i = 0; i < r->plain.entries.n; i++) {
		const struct courier_entry *a = &r->plain.entries.a[i];

		if (one(r, a, courier_find(&r->ssl, str_c(a->name))) != 0)
			return -1;
	}
	return start_flags(r);
}

/* POP3's files say nothing about IMAP; that POP3 is wanted is worth a word, and so are slips. */
static int pop_names(const struct reader *r)
{
	static const char *const flags[] = {"POP3DSTART", "POP3DSSLSTART"};
	bool said = false;

	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		const struct courier_entry *a = courier_find(&r->pop, str_c(flags[i]));

		if (!said && a && *a->value && !says_no(a)) {
			said = true;
			buf_printf(
				r->warnings,
				"%s: %s=%.8s: POP3 is not served yet; pop3d and pop3d-ssl were read and have no effect\n",
				a->where, a->name, a->value);
		}
	}
	for (size_t i = 0; i < r->pop.entries.n; i++) {
		const struct courier_entry *a = &r->pop.entries.a[i];

		if (!table_find(str_c(a->name)) && !names_find(str_c(a->name)))
			unknown(r, &r->pop, a);
	}
	return 0;
}

/* ---- courier-authlib --------------------------------------------------------------------------- */

static int take_authlib(const struct reader *r, const struct courier_scope *s)
{
	const struct courier_entry *dir = courier_find(s, STR("authdaemonvar"));
	const struct courier_entry *options = courier_find(s, STR("DEFAULTOPTIONS"));
	struct buf path = BUF_INIT;
	int rc = 0;

	if (dir && *dir->value) {
		buf_printf(&path, "%s/socket", dir->value);
		rc = r->fn(r->ctx, STR("AUTHLIB_SOCKET"), buf_str(&path), dir->where, r->e);
	}
	if (rc == 0 && options && *options->value &&
	    !courier_find(&r->plain, STR("DEFAULTOPTIONS")))
		rc = give(r, "DEFAULTOPTIONS", str_c(options->value), options->where);
	buf_deinit(&path);
	return rc;
}

/* It is courier-authlib's own file: what else is in it is not for us, and where it can't be read what
 * we would take from it may be set in ours. */
static int authlib(const struct reader *r)
{
	static const char *const places[] = {"authdaemonrc", "../authlib/authdaemonrc"};
	struct courier_scope s = {.files = 0};
	struct buf quiet = BUF_INIT, path = BUF_INIT;
	struct err why;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(places) && s.files == 0; i++) {
		buf_reset(&path);
		buf_printf(&path, "%s/%s", r->dir, places[i]);
		rc = courier_scope_add(&s, buf_cstr(&path), &quiet, &why);
	}
	if (rc != 0)
		buf_printf(r->warnings,
			   "%s; AUTHLIB_SOCKET and DEFAULTOPTIONS are not taken from it\n",
			   why.text);
	rc = rc == 0 ? take_authlib(r, &s) : 0;
	if (rc == 0 && !courier_find(&r->plain, STR("AUTHMODULES")))
		rc = r->fn(r->ctx, STR("AUTHMODULES"), STR("authlib"), "COURIER_CONFIG", r->e);
	courier_scope_free(&s);
	buf_deinit(&quiet);
	buf_deinit(&path);
	return rc;
}

int courier_read(const char *dir, courier_fn *fn, void *ctx, struct buf *warnings, struct err *e)
{
	struct buf ignored = BUF_INIT;
	struct reader r = {.dir = dir,
			   .fn = fn,
			   .ctx = ctx,
			   .warnings = warnings ? warnings : &ignored,
			   .e = e};
	int rc = -1;

	if (!courier_here(dir))
		return err_set(e, ENOENT,
			       "COURIER_CONFIG=%s: neither imapd nor imapd-ssl of Courier is there",
			       dir);
	/* What is said twice within one file is said once. */
	if (courier_scope_read(&r.plain, dir, "imapd-ssl", "imapd", r.warnings, e) == 0 &&
	    courier_scope_read(&r.ssl, dir, "imapd", "imapd-ssl", &ignored, e) == 0 &&
	    courier_scope_read(&r.pop, dir, "pop3d-ssl", "pop3d", &ignored, e) == 0 &&
	    all_names(&r) == 0 && pop_names(&r) == 0)
		rc = authlib(&r);
	courier_scope_free(&r.plain);
	courier_scope_free(&r.ssl);
	courier_scope_free(&r.pop);
	buf_deinit(&ignored);
	return rc;
}
