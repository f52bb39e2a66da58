/* SPDX-License-Identifier: Apache-2.0 */
#include "common/ipc/watch.h"

void watch_event_put(struct buf *b, const struct watch_event *e)
{
	wire_u32(b, e->folder);
	wire_u8(b, e->dir);
	wire_u8(b, e->kind);
	wire_str(b, e->name);
}

bool watch_event_get(struct wire *w, struct watch_event *e)
{
	struct watch_event r;

	r.folder = wire_get_u32(w);
	r.dir = wire_get_u8(w);
	r.kind = wire_get_u8(w);
	r.name = wire_get_str(w, WATCH_NAME_MAX);
	if (w->bad || r.dir > WATCH_CUR || r.kind >= WATCH_KIND_N)
		return false;
	*e = r;
	return true;
}

void watch_journal_put(struct buf *b, const struct watch_journal *j)
{
	wire_u32(b, j->folder);
	wire_u64(b, j->generation);
	wire_u64(b, j->offset);
}

bool watch_journal_get(struct str body, struct watch_journal *j)
{
	struct wire w = wire_reader(body);
	struct watch_journal r;

	r.folder = wire_get_u32(&w);
	r.generation = wire_get_u64(&w);
	r.offset = wire_get_u64(&w);
	if (!wire_end(&w))
		return false;
	*j = r;
	return true;
}
