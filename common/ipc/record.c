/* SPDX-License-Identifier: Apache-2.0 */
#include "common/ipc/record.h"

/* Everything in a record becomes part of log lines or paths: no NUL and no control character may
 * come through, wherever the account came from (B13, B29). */
static struct str get_text(struct wire *w, size_t max)
{
	struct str s = wire_get_str(w, max);

	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			w->bad = true;
	return s;
}

static struct str get_session_id(struct wire *w)
{
	struct str s = wire_get_str(w, 32);

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')))
			w->bad = true;
	}
	if (s.n == 0)
		w->bad = true;
	return s;
}

void user_record_put(struct buf *b, const struct user_record *r)
{
	wire_str(b, r->user);
	wire_u32(b, r->uid);
	wire_u32(b, r->gid);
	wire_str(b, r->home);
	wire_str(b, r->maildir);
	wire_str(b, r->quota);
	wire_str(b, r->options);
	wire_str(b, r->mailhost);
}

void user_record_get(struct wire *w, struct user_record *r)
{
	r->user = get_text(w, IPC_NAME_MAX);
	r->uid = wire_get_u32(w);
	r->gid = wire_get_u32(w);
	r->home = get_text(w, IPC_NAME_MAX);
	r->maildir = get_text(w, IPC_NAME_MAX);
	r->quota = get_text(w, IPC_NAME_MAX);
	r->options = get_text(w, IPC_TEXT_MAX);
	r->mailhost = get_text(w, IPC_NAME_MAX);
	if (r->user.n == 0)
		w->bad = true;
}

void session_facts_put(struct buf *b, const struct session_facts *f)
{
	wire_str(b, f->protocol);
	wire_str(b, f->session);
	wire_str(b, f->rip);
	wire_str(b, f->lip);
	wire_u16(b, f->rport);
	wire_u16(b, f->lport);
	wire_u8(b, f->tls);
	wire_str(b, f->tls_info);
	wire_u64(b, f->begun_ms);
}

void session_facts_get(struct wire *w, struct session_facts *f)
{
	f->protocol = get_text(w, 16);
	f->session = get_session_id(w);
	f->rip = get_text(w, 64);
	f->lip = get_text(w, 64);
	f->rport = wire_get_u16(w);
	f->lport = wire_get_u16(w);
	f->tls = wire_get_bool(w);
	f->tls_info = get_text(w, 128);
	f->begun_ms = wire_get_u64(w);
}
