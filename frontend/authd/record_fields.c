/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/record_fields.h"
#include "frontend/authd/account.h"
#include "frontend/authd/record_json.h"
#include "frontend/authd/username.h"

enum field_kind { FIELD_TEXT, FIELD_WORDS, FIELD_FLAG, FIELD_NOT, FIELD_PASSWORDS };

struct field {
	const char *name;
	enum field_kind kind;
	size_t member, max;
};
#define TEXT(field_name, max)                                                                      \
	{                                                                                          \
#field_name, FIELD_TEXT, offsetof(struct record_fields, field_name), max           \
	}
#define FLAG(field_name)                                                                           \
	{                                                                                          \
#field_name, FIELD_FLAG, offsetof(struct record_fields, field_name), 8             \
	}

static const struct field fields[] = {
	TEXT(user, USERNAME_MAX),
	TEXT(uid, 10),
	TEXT(gid, 10),
	TEXT(home, IPC_NAME_MAX),
	TEXT(maildir, IPC_NAME_MAX),
	TEXT(quota, IPC_NAME_MAX),
	TEXT(options, IPC_TEXT_MAX),
	TEXT(mailhost, IPC_NAME_MAX),
	TEXT(password, 4096),
	TEXT(services, 1024),
	TEXT(code, RECORD_CODE_MAX),
	TEXT(reason, RECORD_CODE_MAX),
	{"text", FIELD_WORDS, offsetof(struct record_fields, text), RECORD_JSON_MAX},
	FLAG(enabled),
	{"disabled", FIELD_NOT, offsetof(struct record_fields, enabled), 8},
	FLAG(expired),
	FLAG(success),
	{"passwords", FIELD_PASSWORDS, 0, RECORD_JSON_MAX},
};

static bool flag_parse(struct str value, enum record_flag *out)
{
	static const char *const no[] = {"0", "no", "false", "off"}, *const yes[] = {"1", "yes",
										     "true", "on"};

	for (size_t i = 0; i < ARRAY_LEN(no); i++) {
		if (str_ieq(value, str_c(no[i]))) {
			*out = RECORD_NO;
			return true;
		}
		if (str_ieq(value, str_c(yes[i]))) {
			*out = RECORD_YES;
			return true;
		}
	}
	return false;
}

/* No field may hold what would end a line, a message or a C string somewhere behind us. */
static bool text_clean(struct str value)
{
	for (size_t i = 0; i < value.n; i++) {
		unsigned char c = (unsigned char)value.p[i];

		if (c < 0x20 || c == 0x7f)
			return false;
	}
	return true;
}

/* What is meant for people's eyes is not worth refusing an answer. */
static struct str words(struct arena *a, struct str value)
{
	struct str copy = arena_str(a, str_sub(value, 0, RECORD_TEXT_MAX));
	char *p = (char *)copy.p;

	for (size_t i = 0; i < copy.n; i++)
		if ((unsigned char)p[i] < 0x20 || p[i] == 0x7f)
			p[i] = ' ';
	return copy;
}

static int set_field(struct arena *a, struct record_fields *f, const struct field *def,
		     struct str value, struct err *e)
{
	void *member = (char *)f + def->member;

	if (!value.n)
		return 0;
	if (value.n > def->max)
		return err_set(e, 0, "field %s is too long", def->name);
	if (def->kind == FIELD_PASSWORDS)
		return record_json_passwords(a, value, f, e);
	if (def->kind == FIELD_FLAG || def->kind == FIELD_NOT) {
		enum record_flag flag;

		if (!flag_parse(value, &flag))
			return err_set(e, 0, "field %s is neither 0 nor 1", def->name);
		if (def->kind == FIELD_FLAG)
			*(enum record_flag *)member = flag;
		else if (flag == RECORD_YES) /* "not disabled" doesn't undo "not enabled" */
			*(enum record_flag *)member = RECORD_NO;
		return 0;
	}
	if (def->kind == FIELD_WORDS) {
		*(struct str *)member = words(a, value);
		return 0;
	}
	if (!text_clean(value))
		return err_set(e, 0, "field %s has a control character", def->name);
	*(struct str *)member = arena_str(a, value);
	return 0;
}

int record_field(struct arena *a, struct record_fields *f, struct str name, struct str value,
		 struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (str_eq(name, str_c(fields[i].name)))
			return set_field(a, f, &fields[i], value, e);
	return 0;
}

bool record_known(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (str_eq(name, str_c(fields[i].name)))
			return true;
	return false;
}

int record_password_add(struct arena *a, struct record_fields *f, struct str hash,
			struct str services, struct err *e)
{
	if (f->npasswords == RECORD_PASSWORDS_MAX)
		return err_set(e, 0, "more than %d passwords", RECORD_PASSWORDS_MAX);
	if (!text_clean(hash) || !text_clean(services))
		return err_set(e, 0, "a password has a control character");
	f->passwords[f->npasswords++] =
		(struct record_password){arena_str(a, hash), arena_str(a, services)};
	return 0;
}

/* These three are fields of their own here, and may hold the comma that ends an option (R130). */
static void apply_own_fields(struct check *c, const struct record_fields *f)
{
	if (f->maildir.n)
		c->record.maildir = arena_str(&c->arena, f->maildir);
	if (f->quota.n)
		c->record.quota = arena_str(&c->arena, f->quota);
	if (f->mailhost.n)
		c->record.mailhost = arena_str(&c->arena, f->mailhost);
}

static void apply_passwords(struct check *c, const struct record_fields *f)
{
	if (f->password.n)
		check_credential(c, f->password, f->services);
	for (size_t i = 0; i < f->npasswords; i++)
		if (f->passwords[i].hash.n)
			check_credential(c, f->passwords[i].hash, f->passwords[i].services);
}

/* Whoever writes the fields may name any directory, but not by a way that only looks like one. */
static bool path_plain(struct str path)
{
	while (path.p) {
		struct str part = str_split(&path, '/');

		if (str_eq(part, STR(".")) || str_eq(part, STR("..")))
			return false;
	}
	return true;
}

enum auth_result record_apply(struct check *c, const struct settings *set,
			      const struct record_fields *f, struct err *e)
{
	struct account_fields account = {
		.user = f->user.n ? f->user : c->user,
		.uid = f->uid,
		.gid = f->gid,
		.home = f->home,
		.options = f->options,
	};

	c->code = arena_str(&c->arena, f->code);
	c->text = arena_str(&c->arena, f->text);
	if (!username_valid(account.user)) {
		err_set(e, 0, "field user is no user name");
		return AUTH_TEMPFAIL;
	}
	if (!path_plain(f->home) || !path_plain(f->maildir)) {
		err_set(e, 0, "home or maildir has . or .. in it");
		return AUTH_TEMPFAIL;
	}
	if (account_record(&c->arena, set, &account, &c->record, e))
		return AUTH_TEMPFAIL;
	apply_own_fields(c, f);
	apply_passwords(c, f);
	if (f->enabled == RECORD_NO)
		return AUTH_DISABLED;
	return f->expired == RECORD_YES ? AUTH_EXPIRED : AUTH_OK;
}
