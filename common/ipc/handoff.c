/* SPDX-License-Identifier: Apache-2.0 */
#include "common/ipc/handoff.h"
#include "common/ipc/text.h"

#define TICKET_MAX 8192 /* the longest record and facts, with room */

void handoff_give_put(struct buf *b, const struct handoff_give *g)
{
	wire_u32(b, g->id);
	wire_str(b, g->ticket);
	wire_str(b, g->tag);
	wire_str(b, g->verb);
	wire_str(b, g->unread);
}

bool handoff_give_get(struct str body, struct handoff_give *g)
{
	struct wire w = wire_reader(body);

	g->id = wire_get_u32(&w);
	g->ticket = wire_get_str(&w, TICKET_MAX);
	g->tag = ipc_get_word(&w, IPC_NAME_MAX);
	g->verb = ipc_get_word(&w, 32);
	g->unread = wire_get_str(&w, IPC_UNREAD_MAX);
	return g->tag.n > 0 && wire_end(&w);
}

void handoff_refused_put(struct buf *b, const struct handoff_refused *r)
{
	wire_u32(b, r->id);
	wire_str(b, r->code);
	wire_str(b, r->text);
}

bool handoff_refused_get(struct str body, struct handoff_refused *r)
{
	struct wire w = wire_reader(body);

	r->id = wire_get_u32(&w);
	r->code = ipc_get_word(&w, 32);
	r->text = ipc_get_line(&w, IPC_TEXT_MAX);
	return wire_end(&w);
}
