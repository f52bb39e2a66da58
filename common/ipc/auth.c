/* SPDX-License-Identifier: Apache-2.0 */
#include "common/ipc/auth.h"

enum { MECHANISM_MAX = 32, TICKET_MAX = 32768, BINDING_MAX = 64, CODE_MAX = 64 };

static void peer_put(struct buf *b, const struct auth_peer *p)
{
	wire_u8(b, p->proxied);
	wire_str(b, p->proxy_addr);
	wire_str(b, p->proxy_server_addr);
	wire_u16(b, p->proxy_port);
	wire_u16(b, p->proxy_server_port);
	wire_str(b, p->sni);
	wire_str(b, p->cb_exporter);
	wire_str(b, p->cb_endpoint);
	wire_str(b, p->cert);
	wire_str(b, p->cert_fault);
	wire_str(b, p->cert_proof);
}

static void peer_get(struct wire *w, struct auth_peer *p)
{
	p->proxied = wire_get_bool(w);
	p->proxy_addr = wire_get_str(w, IPC_NAME_MAX);
	p->proxy_server_addr = wire_get_str(w, IPC_NAME_MAX);
	p->proxy_port = wire_get_u16(w);
	p->proxy_server_port = wire_get_u16(w);
	p->sni = wire_get_str(w, IPC_NAME_MAX);
	p->cb_exporter = wire_get_str(w, BINDING_MAX);
	p->cb_endpoint = wire_get_str(w, BINDING_MAX);
	p->cert = wire_get_str(w, AUTH_CERT_MAX);
	p->cert_fault = wire_get_str(w, IPC_NAME_MAX);
	p->cert_proof = wire_get_str(w, AUTH_PROOF_MAX);
}

void auth_request_put(struct buf *b, const struct auth_request *r)
{
	wire_u32(b, r->id);
	wire_str(b, r->mechanism);
	wire_u8(b, r->has_initial);
	wire_str(b, r->initial);
	wire_u32(b, r->attempt);
	buf_put(b, r->nonce, sizeof(r->nonce));
	session_facts_put(b, &r->facts);
	peer_put(b, &r->peer);
}

bool auth_request_get(struct str body, struct auth_request *r)
{
	struct wire w = wire_reader(body);

	r->id = wire_get_u32(&w);
	r->mechanism = wire_get_str(&w, MECHANISM_MAX);
	r->has_initial = wire_get_bool(&w);
	r->initial = wire_get_str(&w, AUTH_MESSAGE_MAX);
	r->attempt = wire_get_u32(&w);
	for (size_t i = 0; i < sizeof(r->nonce); i++)
		r->nonce[i] = wire_get_u8(&w);
	session_facts_get(&w, &r->facts);
	peer_get(&w, &r->peer);
	return wire_end(&w);
}

void auth_step_put(struct buf *b, const struct auth_step *s)
{
	wire_u32(b, s->id);
	wire_str(b, s->message);
}

bool auth_step_get(struct str body, struct auth_step *s)
{
	struct wire w = wire_reader(body);

	s->id = wire_get_u32(&w);
	s->message = wire_get_str(&w, AUTH_MESSAGE_MAX);
	return wire_end(&w);
}

void auth_answer_put(struct buf *b, const struct auth_answer *a)
{
	wire_u32(b, a->id);
	wire_u8(b, a->result);
	wire_str(b, a->code);
	wire_str(b, a->text);
	wire_str(b, a->user);
	wire_str(b, a->mailhost);
	wire_str(b, a->provider);
	wire_u32(b, a->delay_ms);
	wire_str(b, a->ticket);
}

bool auth_answer_get(struct str body, struct auth_answer *a)
{
	struct wire w = wire_reader(body);

	a->id = wire_get_u32(&w);
	a->result = wire_get_u8(&w);
	a->code = wire_get_str(&w, CODE_MAX);
	a->text = wire_get_str(&w, IPC_TEXT_MAX);
	a->user = wire_get_str(&w, IPC_NAME_MAX);
	a->mailhost = wire_get_str(&w, IPC_NAME_MAX);
	a->provider = wire_get_str(&w, MECHANISM_MAX);
	a->delay_ms = wire_get_u32(&w);
	a->ticket = wire_get_str(&w, TICKET_MAX);
	return wire_end(&w) && a->result < AUTH_RESULT_N;
}
