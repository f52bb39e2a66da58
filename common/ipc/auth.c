/* SPDX-License-Identifier: Apache-2.0 */
#include "common/ipc/auth.h"

enum { MECHANISM_MAX = 32, PASSWORD_MAX = 32768, TICKET_MAX = 32768 };

void auth_request_put(struct buf *b, const struct auth_request *r)
{
	wire_u32(b, r->id);
	wire_str(b, r->mechanism);
	wire_str(b, r->authzid);
	wire_str(b, r->user);
	wire_str(b, r->password);
	wire_u32(b, r->attempt);
	buf_put(b, r->nonce, sizeof(r->nonce));
	session_facts_put(b, &r->facts);
}

bool auth_request_get(struct str body, struct auth_request *r)
{
	struct wire w = wire_reader(body);

	r->id = wire_get_u32(&w);
	r->mechanism = wire_get_str(&w, MECHANISM_MAX);
	r->authzid = wire_get_str(&w, IPC_NAME_MAX);
	r->user = wire_get_str(&w, IPC_NAME_MAX);
	r->password = wire_get_str(&w, PASSWORD_MAX);
	r->attempt = wire_get_u32(&w);
	for (size_t i = 0; i < sizeof(r->nonce); i++)
		r->nonce[i] = wire_get_u8(&w);
	session_facts_get(&w, &r->facts);
	return wire_end(&w);
}

void auth_answer_put(struct buf *b, const struct auth_answer *a)
{
	wire_u32(b, a->id);
	wire_u8(b, a->result);
	wire_str(b, a->text);
	wire_str(b, a->user);
	wire_str(b, a->mailhost);
	wire_str(b, a->ticket);
}

bool auth_answer_get(struct str body, struct auth_answer *a)
{
	struct wire w = wire_reader(body);

	a->id = wire_get_u32(&w);
	a->result = wire_get_u8(&w);
	a->text = wire_get_str(&w, IPC_TEXT_MAX);
	a->user = wire_get_str(&w, IPC_NAME_MAX);
	a->mailhost = wire_get_str(&w, IPC_NAME_MAX);
	a->ticket = wire_get_str(&w, TICKET_MAX);
	return wire_end(&w) && a->result < AUTH_RESULT_N;
}
