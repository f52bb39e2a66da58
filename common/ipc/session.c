/* SPDX-License-Identifier: Apache-2.0 */
#include "common/ipc/session.h"
#include "common/ipc/text.h"

void session_assign_put(struct buf *b, const struct session_assign *a)
{
	user_record_put(b, &a->record);
	wire_u64(b, a->dev);
	wire_u64(b, a->ino);
	wire_u8(b, a->shared_uid);
	wire_str(b, a->hostname);
	wire_str(b, a->opaque);
}

bool session_assign_get(struct str body, struct session_assign *a)
{
	struct wire w = wire_reader(body);

	user_record_get(&w, &a->record);
	a->dev = wire_get_u64(&w);
	a->ino = wire_get_u64(&w);
	a->shared_uid = wire_get_bool(&w);
	a->hostname = ipc_get_word(&w, 256);
	a->opaque = wire_get_str(&w, SESSION_OPAQUE_MAX);
	if (a->opaque.n > 0 && a->opaque.p[a->opaque.n - 1] != '\0')
		return false;
	return wire_end(&w);
}

void session_conn_put(struct buf *b, const struct session_conn *c)
{
	wire_u32(b, c->conn);
	wire_u64(b, c->dev);
	wire_u64(b, c->ino);
	session_facts_put(b, &c->facts);
	wire_str(b, c->user);
	wire_str(b, c->tag);
	wire_str(b, c->verb);
	wire_str(b, c->unread);
}

bool session_conn_get(struct str body, struct session_conn *c)
{
	struct wire w = wire_reader(body);

	c->conn = wire_get_u32(&w);
	c->dev = wire_get_u64(&w);
	c->ino = wire_get_u64(&w);
	session_facts_get(&w, &c->facts);
	c->user = ipc_get_line(&w, IPC_NAME_MAX);
	c->tag = ipc_get_word(&w, IPC_NAME_MAX);
	c->verb = ipc_get_word(&w, 32);
	c->unread = wire_get_str(&w, IPC_UNREAD_MAX);
	return wire_end(&w);
}

void session_failed_put(struct buf *b, const struct session_failed *f)
{
	wire_u32(b, f->conn);
	wire_str(b, f->code);
	wire_str(b, f->text);
	wire_u8(b, f->tell);
}

bool session_failed_get(struct str body, struct session_failed *f)
{
	struct wire w = wire_reader(body);

	f->conn = wire_get_u32(&w);
	f->code = ipc_get_word(&w, 32);
	f->text = ipc_get_line(&w, IPC_TEXT_MAX);
	f->tell = wire_get_bool(&w);
	return wire_end(&w);
}

void session_state_put(struct buf *b, const struct session_state *s)
{
	wire_u32(b, s->conn);
	wire_u8(b, s->idle);
	wire_str(b, s->folder);
}

bool session_state_get(struct str body, struct session_state *s)
{
	struct wire w = wire_reader(body);

	s->conn = wire_get_u32(&w);
	s->idle = wire_get_bool(&w);
	s->folder = wire_get_str(&w, IPC_TEXT_MAX);
	return wire_end(&w);
}
