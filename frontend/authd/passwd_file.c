/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/passwd_file.h"
#include "common/auth/scram_keys.h"
#include "common/base/ensure.h"
#include "common/base/secret.h"
#include "common/imap/saslname.h"
#include "frontend/authd/account.h"
#include "frontend/authd/pwhash.h"
#include "frontend/authd/username.h"
#include "frontend/authd/verify.h"

/* A number that fits a uid or gid (all ones is "no id" to the kernel), or nothing. */
static bool id_ok(struct str s)
{
	uint32_t v;

	return s.n == 0 || (str_u32(s, &v) && v != UINT32_MAX);
}

static const char *check(const struct passwd_entry *e, struct str line)
{
	uint32_t uid;

	if (str_has_nul(line))
		return "NUL byte";
	if (!username_valid(e->user))
		return "user name is empty, too long, or has control characters or broken UTF-8";
	if (!id_ok(e->uid) || !id_ok(e->gid))
		return "uid or gid is not a number";
	if (str_u32(e->uid, &uid) && uid == 0)
		return "uid 0 can't have mail here";
	if (e->home.n && e->home.p[0] != '/')
		return "home is not absolute";
	if (str_eq(e->home, STR("/")))
		return "home is /";
	return NULL;
}

/* A client that takes SCRAM is told one salt, that of the account's own record: an app password that has
 * another can't be proven. */
static unsigned app_unsuited(struct str account, struct str app)
{
	struct scram_keys a, b;
	unsigned bits = pwhash_unsuited(app);

	if (scram_keys_parse(&b, app) &&
	    !(scram_keys_parse(&a, account) && scram_keys_same_offer(&a, &b)))
		bits |= SASL_BITS_SCRAM;
	secret_zero(&a, sizeof a);
	secret_zero(&b, sizeof b);
	return bits;
}

/* Does it open the mailbox? */
static bool is_for_imap(struct str options)
{
	struct credential cr = {.services = account_option(options, "services")};

	return verify_for_service(&cr, STR("imap"));
}

/* e: the app password's own line. */
static const char *add_app(struct passwd_file *f, const struct passwd_entry *e, struct str name)
{
	struct passwd_entry *account = hmap_get(f->users, e->user);
	struct passwd_app **at, *app;
	unsigned n = 0;

	if (!account)
		return "app password of an account that no line before it describes";
	for (at = &account->apps; *at; at = &(*at)->next, n++)
		if (str_eq((*at)->name, name))
			return "this account has an app password of this name already";
	if (!name.n || n == PASSWD_APPS_MAX)
		return name.n ? "too many app passwords" : "app password without a name";
	app = arena_new(&f->arena, struct passwd_app);
	*app = (struct passwd_app){name, e->hash, e->options, NULL};
	if (is_for_imap(e->options))
		f->unsuited |= app_unsuited(account->hash, e->hash);
	*at = app;
	return NULL;
}

static const char *add_line(struct passwd_file *f, struct str line)
{
	struct str rest = line, app;
	struct passwd_entry *e;
	const char *why;

	if (line.n > PASSWD_LINE_MAX)
		return "line is too long";
	if (str_find(line, ':') == line.n)
		return "no colon";
	e = arena_new(&f->arena, struct passwd_entry);
	e->user = str_split(&rest, ':');
	e->hash = str_split(&rest, ':');
	e->uid = str_split(&rest, ':');
	e->gid = str_split(&rest, ':');
	str_split(&rest, ':'); /* gecos */
	e->home = str_split(&rest, ':');
	str_split(&rest, ':'); /* shell */
	e->options = rest;
	why = check(e, line);
	if (why)
		return why;
	app = account_option(e->options, "app");
	if (app.p)
		return add_app(f, e, app);
	if (hmap_get(f->users, e->user))
		return "user is there already";
	hmap_put(f->users, e->user, e);
	if (is_for_imap(e->options))
		f->unsuited |= pwhash_unsuited(e->hash);
	if (!f->common_hash.n && e->hash.n > 2 && !str_starts(e->hash, STR("{PLAIN}")) &&
	    e->hash.p[0] != '!' && e->hash.p[0] != '*')
		f->common_hash = e->hash;
	return NULL;
}

struct passwd_file *passwd_file_parse(struct str text, passwd_fault_fn *fault, void *ctx)
{
	struct passwd_file *f = xcalloc(1, sizeof(*f));
	struct str rest = arena_str(&f->arena, text);
	unsigned number = 0;

	f->size = text.n;
	f->users = hmap_new();
	while (rest.p) {
		struct str line = str_split(&rest, '\n');
		const char *why;

		number++;
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		if (!line.n || line.p[0] == '#')
			continue;
		why = add_line(f, line);
		if (why)
			fault(ctx, number, why);
	}
	return f;
}

const struct passwd_entry *passwd_file_find(const struct passwd_file *f, struct str user)
{
	return f ? hmap_get(f->users, user) : NULL;
}

void passwd_file_free(struct passwd_file **fp)
{
	struct passwd_file *f = *fp;

	if (!f)
		return;
	hmap_free(&f->users);
	arena_deinit(&f->arena);
	free(f);
	*fp = NULL;
}
