/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/account.h"
#include "common/base/calendar.h"
#include "common/base/clock.h"
#include "common/base/ensure.h"
#include "common/config/options.h"
#include "common/io/netlist.h"
#include "frontend/authd/username.h"

struct str account_option(struct str options, const char *name)
{
	return options_get(options, name);
}

struct str account_options(struct arena *a, struct str own, struct str defaults)
{
	struct buf b = BUF_INIT;
	struct str rest = defaults, all;

	buf_str_put(&b, own);
	while (rest.p) {
		struct str option = str_trim(str_split(&rest, ','));
		char *name = arena_cstr(a, str_trim(str_sub(option, 0, str_find(option, '='))));

		/* Nobody becomes a master by default. */
		if (!option.n || options_get(own, name).p || strcasecmp(name, "master") == 0)
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

/* One line of text, as the record's readers demand. */
static bool clean(struct str s, size_t max)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	return s.n <= max;
}

static int check_texts(const struct account_fields *f, struct err *e)
{
	const struct {
		const char *name;
		struct str value;
		size_t max;
	} texts[] = {
		{"home", f->home, IPC_NAME_MAX},	 {"options", f->options, IPC_TEXT_MAX},
		{"maildir", f->maildir, IPC_NAME_MAX},	 {"quota", f->quota, IPC_NAME_MAX},
		{"mailhost", f->mailhost, IPC_NAME_MAX},
	};

	if (!username_valid(f->user))
		return err_set(e, 0, "the account's own name is no user name");
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (!clean(texts[i].value, texts[i].max))
			return err_set(e, 0, "%s is too long, or has control characters",
				       texts[i].name);
	return 0;
}

/* YYYY-MM-DD as days since 1970-01-01. */
static bool date_days(struct str s, int64_t *days)
{
	uint32_t year, month, day;
	int y, m, d;

	if (s.n != 10 || s.p[4] != '-' || s.p[7] != '-' || !str_u32(str_sub(s, 0, 4), &year) ||
	    !str_u32(str_sub(s, 5, 2), &month) || !str_u32(str_sub(s, 8, 2), &day))
		return false;
	*days = calendar_days((int)year, (int)month, (int)day);
	calendar_date(*days, &y, &m, &d);
	return (uint32_t)y == year && (uint32_t)m == month && (uint32_t)d == day;
}

/* Networks of all allow_nets= options, with blanks between those of one. False: one of them is none. */
static bool for_each_net(struct str options, bool (*fn)(void *ctx, const struct net *n), void *ctx,
			 bool *any)
{
	struct str name, value;
	struct net net;

	*any = false;
	while (options_next(&options, &name, &value)) {
		if (!str_ieq(name, STR("allow_nets")))
			continue;
		*any = true;
		while (value.p) {
			struct str word = str_trim(str_split(&value, ' '));

			if (word.n && net_parse(word, &net, NULL))
				return false;
			if (word.n && fn && fn(ctx, &net))
				return true;
		}
	}
	return true;
}

struct place {
	struct net_addr addr;
	bool inside;
};

static bool look_for(void *ctx, const struct net *n)
{
	struct place *p = ctx;

	p->inside = net_has(n, &p->addr);
	return p->inside;
}

bool account_from_here(const struct user_record *r, struct str ip)
{
	struct place p = {.inside = false};
	bool known = net_addr_parse(ip, &p.addr), any;
	bool valid = for_each_net(r->options, known ? look_for : NULL, &p, &any);

	return valid && (!any || p.inside);
}

static int check_options(const struct user_record *r, struct err *e)
{
	struct str expires = account_option(r->options, "expires");
	int64_t days;
	bool any;

	if (r->maildir.n > IPC_NAME_MAX || r->quota.n > IPC_NAME_MAX ||
	    r->mailhost.n > IPC_NAME_MAX || r->options.n > IPC_TEXT_MAX)
		return err_set(e, 0, "an option is too long");
	if (expires.n && !date_days(expires, &days))
		return err_set(e, 0, "expires is no date like 2027-01-31");
	if (!for_each_net(r->options, NULL, NULL, &any))
		return err_set(e, 0,
			       "allow_nets has something that is no network like 192.0.2.0/24");
	return 0;
}

static struct str field_or_option(struct arena *a, struct str field, struct str options,
				  const char *name)
{
	return field.n ? arena_str(a, field) : account_option(options, name);
}

int account_record(struct arena *a, const struct settings *set, const struct account_fields *f,
		   struct user_record *r, struct err *e)
{
	if (check_texts(f, e) || record_ids(set, f, r, e) || record_home(a, set, f, r, e))
		return -1;
	r->user = arena_str(a, f->user);
	r->options = account_options(a, f->options, str_c(set->defaultoptions));
	r->maildir = field_or_option(a, f->maildir, r->options, "maildir");
	if (!r->maildir.n)
		r->maildir = arena_str(a, str_c(set->maildirpath));
	r->quota = field_or_option(a, f->quota, r->options, "quota");
	r->mailhost = field_or_option(a, f->mailhost, r->options, "mailhost");
	return check_options(r, e);
}

bool account_option_on(struct str options, const char *name)
{
	struct str v = account_option(options, name);

	return v.n && !strchr("0nNfF", v.p[0]) && !str_ieq(v, STR("off"));
}

bool account_expired(struct str options)
{
	struct str expires = account_option(options, "expires");
	int64_t days;

	return expires.n && (!date_days(expires, &days) || clock_wall_s() >= days * 86400);
}

enum auth_result account_valid(const struct user_record *r, const char **text)
{
	*text = "";
	if (account_expired(r->options)) {
		*text = "This account has expired.";
		return AUTH_EXPIRED;
	}
	if (account_option_on(r->options, "disabled")) {
		*text = "This account is disabled.";
		return AUTH_DISABLED;
	}
	return AUTH_OK;
}

enum auth_result account_allows(const struct user_record *r, const struct session_facts *f,
				const char **text)
{
	bool pop3 = str_ieq(f->protocol, STR("pop3"));
	enum auth_result valid = account_valid(r, text);

	if (valid != AUTH_OK)
		return valid;
	if (account_option_on(r->options, pop3 ? "disablepop3" : "disableimap")) {
		*text = pop3 ? "POP3 access disabled for this account."
			     : "IMAP access disabled for this account.";
		return AUTH_DISABLED;
	}
	if (!f->tls &&
	    account_option_on(r->options, pop3 ? "disableinsecurepop3" : "disableinsecureimap")) {
		*text = pop3 ? "POP3 access disabled via insecure connection."
			     : "IMAP access disabled via insecure connection.";
		return AUTH_DISABLED;
	}
	return AUTH_OK;
}
