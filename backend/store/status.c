/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/store/store_int.h"

struct status {
	store_status_fn *done;
	void *ctx;
};

static void status_got(void *ctx, const struct store_result *r, struct fold *f)
{
	struct status *q = ctx;
	struct folder_status s = {0};

	if (f) {
		s.uidnext = f->f.uidnext;
		s.uidvalidity = f->f.uidvalidity;
		s.modseq = f->f.modseq;
		vec_foreach(m, &f->f.msgs) {
			if (m->state & MSG_EXPUNGED)
				continue;
			s.messages++;
			s.unseen += !(m->flags & MSG_SEEN);
			s.deleted += !!(m->flags & MSG_DELETED);
			s.deleted_bytes += m->flags & MSG_DELETED ? m->size : 0;
			s.recent += !!(m->state & (MSG_RECENT | MSG_IN_NEW));
		}
	}
	q->done(q->ctx, r, f ? &s : NULL);
	free(q);
	if (f)
		fold_put(f);
}

void store_status(struct store *st, struct str name, store_status_fn *done, void *ctx)
{
	struct status *q = xcalloc(1, sizeof *q);

	q->done = done;
	q->ctx = ctx;
	fold_get(st, name, true, status_got, q);
}
