/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/account.h"
#include "frontend/authd/username.h"

static struct str option_name(struct str option)
{
	return str_trim(str_sub(option, 0, str_find(option, '=')));
}

struct str account_option(struct str options, const char *name)
{
	struct str rest = options;

	while (rest.p && options.n) {
		struct str option = str_split(&rest, ',');

		if (str_ieq(option_name(option), str_c(name))) {
			struct str value = str_from(option, str_find(option, '=') + 1);

			return value.n ? str_trim(value) : STR("");
		}
	}
	return STR_NONE;
}

struct str account_options(struct arena *a, struct str own, struct str defaults)
{
	struct buf b = BUF_INIT;
	struct str rest = defaults, all;

	buf_str_put(&b, own);
	while (rest.p && defaults.n) {
		struct str option = str_trim(str_split(&rest, ','));
		char *name = arena_cstr(a, option_name(option));

		if (!option.n || account_option(own, name).p)
			continue;
		if (b.n)
			buf_putc(&b, ',');
		buf_str_put(&b, option);
	}
	all = arena_str(a, buf_str(&b));
	buf_deinit(&b);
	return all;
}

static int record_ids(const struct settings *set, const struct account_fields *f,
		      struct user_record *r, struct err *e)
{
	struct str uid = f->uid.n ? f->uid : str_c(set->mail_uid);
	struct str gid = f->gid.n ? f->gid : str_c(set->mail_gid);

	if (!uid.n)
		return err_set(e, 0, "account has no uid, and MAIL_UID is not set");
	if (!str_u32(uid, &r->uid) || r->uid == UINT32_MAX)
		return err_set(e, 0, "uid is not a number");
	if (r->uid == 0)
		return err_set(e, 0, "uid 0 can't have mail here");
	if (!gid.n)
		r->gid = r->uid;
	else if (!str_u32(gid, &r->gid) || r->gid == UINT32_MAX)
		return err_set(e, 0, "gid is not a number");
	return 0;
}

static int record_home(struct arena *a, const struct settings *set, const struct account_fields *f,
		       struct user_record *r, struct err *e)
{
	struct buf b = BUF_INIT;

	r->home = arena_str(a, f->home);
	if (!f->home.n) {
		if (!set->mail_home[0])
			return err_set(e, 0, "account has no home, and MAIL_HOME is not set");
		if (!username_expand(&b, set->mail_home, f->user)) {
			buf_deinit(&b);
			return err_set(e, 0, "MAIL_HOME makes no clean path from this user name");
		}
		r->home = arena_str(a, buf_str(&b));
		buf_deinit(&b);
	}
	while (r->home.n > 1 && r->home.p[r->home.n - 1] == '/')
		r->home.n--;
	if (!r->home.n || r->home.p[0] != '/' || r->home.n == 1)
		return err_set(e, 0, "home is / or not absolute");
	if (r->home.n > IPC_NAME_MAX)
		return err_set(e, 0, "home is too long");
	return 0;
}

int account_record(struct arena *a, const struct settings *set, const struct account_fields *f,
		   struct user_record *r, struct err *e)
{
	struct str maildir;

	if (record_ids(set, f, r, e) || record_home(a, set, f, r, e))
		return -1;
	r->user = arena_str(a, f->user);
	r->options = account_options(a, f->options, str_c(set->defaultoptions));
	maildir = account_option(r->options, "maildir");
	r->maildir = arena_str(a, maildir.n ? maildir : str_c(set->maildirpath));
	r->quota = account_option(r->options, "quota");
	r->mailhost = account_option(r->options, "mailhost");
	if (r->maildir.n > IPC_NAME_MAX || r->quota.n > IPC_NAME_MAX ||
	    r->mailhost.n > IPC_NAME_MAX || r->options.n > IPC_TEXT_MAX)
		return err_set(e, 0, "an option is too long");
	return 0;
}

static bool option_on(struct str options, const char *name)
{
	struct str v = account_option(options, name);

	return v.n && !str_eq(v, STR("0"));
}

enum auth_result account_allows(const struct user_record *r, const struct session_facts *f,
				const char **text)
{
	*text = "";
	if (option_on(r->options, "disableimap")) {
		*text = "IMAP access disabled for this account.";
		return AUTH_DISABLED;
	}
	if (!f->tls && option_on(r->options, "disableinsecureimap")) {
		*text = "IMAP access disabled via insecure connection.";
		return AUTH_DISABLED;
	}
	return AUTH_OK;
}
