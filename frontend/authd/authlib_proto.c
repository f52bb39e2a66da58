/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/authlib_proto.h"
#include "common/base/base64.h"

static struct str *attribute(struct authlib_reply *r, struct str name)
{
	const struct {
		const char *name;
		struct str *at;
	} known[] = {
		{"USERNAME", &r->username}, {"UID", &r->uid},	      {"GID", &r->gid},
		{"HOME", &r->home},	    {"ADDRESS", &r->address}, {"MAILDIR", &r->maildir},
		{"QUOTA", &r->quota},	    {"OPTIONS", &r->options}, {"PASSWD2", &r->clear},
	};

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (str_eq(name, str_c(known[i].name)))
			return known[i].at;
	return NULL; /* NAME, PASSWD, and what a later daemon may add */
}

static enum authlib_end account(struct str in, struct authlib_reply *r)
{
	*r = (struct authlib_reply){.uid = STR_NONE};
	for (;;) {
		struct str line = str_split(&in, '\n'), name, *at;

		if (str_eq(line, STR(".")))
			return AUTHLIB_ACCOUNT;
		name = str_sub(line, 0, str_find(line, '='));
		if (name.n == 0 || name.n == line.n)
			return AUTHLIB_BROKEN;
		at = attribute(r, name);
		if (at)
			*at = str_from(line, name.n + 1);
	}
}

enum authlib_end authlib_parse(struct str in, struct authlib_reply *r)
{
	if (in.n > AUTHLIB_REPLY_MAX || str_has_nul(in))
		return AUTHLIB_BROKEN;
	if (str_eq(in, STR("FAIL\n")))
		return AUTHLIB_FAIL;
	if (str_ends(in, STR("\n.\n")))
		return account(in, r);
	return AUTHLIB_MORE;
}

bool authlib_sendable(struct str s)
{
	return str_find(s, '\n') == s.n && !str_has_nul(s);
}

static void put_remote(struct buf *b, struct str rip)
{
	if (!rip.n)
		return;
	buf_puts(b, "TCPREMOTEIP=");
	buf_str_put(b, rip);
	buf_putc(b, '\n');
}

static void put_line(struct buf *b, struct str s)
{
	buf_str_put(b, s);
	buf_putc(b, '\n');
}

static void put_auth(struct buf *b, struct str rip, const struct buf *body)
{
	put_remote(b, rip);
	buf_printf(b, "AUTH %zu\n", body->n);
	buf_str_put(b, buf_str(body));
}

void authlib_put_pre(struct buf *b, struct str rip, struct str service, struct str user)
{
	put_remote(b, rip);
	buf_puts(b, "PRE . ");
	buf_str_put(b, service);
	buf_putc(b, ' ');
	put_line(b, user);
}

void authlib_put_login(struct buf *b, struct str rip, struct str service, struct str user,
		       struct str password)
{
	struct buf body = BUF_INIT;

	put_line(&body, service);
	put_line(&body, STR("login"));
	put_line(&body, user);
	put_line(&body, password);
	put_auth(b, rip, &body);
	buf_wipe(&body);
}

void authlib_put_cram(struct buf *b, struct str rip, struct str service, struct str user,
		      struct str challenge, struct str digest)
{
	struct buf body = BUF_INIT, response = BUF_INIT;

	put_line(&body, service);
	put_line(&body, STR("cram-md5"));
	base64_encode(&body, challenge);
	buf_putc(&body, '\n');
	buf_str_put(&response, user);
	buf_putc(&response, ' ');
	buf_str_put(&response, digest);
	base64_encode(&body, buf_str(&response));
	buf_putc(&body, '\n');
	put_auth(b, rip, &body);
	buf_deinit(&response);
	buf_deinit(&body);
}
