/* SPDX-License-Identifier: Apache-2.0 */
/* stats: answers posthousectl with a row per child, once all of them have said their counts. */
#include "common/base/arena.h"
#include "common/base/vec.h"
#include "frontend/frontend.h"

enum { COUNTS_WAIT_MS = 1000 };

struct stats {
	struct frontend *frontend;
	VEC(struct control_client *) asking;
	unsigned missing; /* children that have not answered */
	struct loop_timer *timeout;
};

static void field(struct control_row *r, struct arena *a, const char *name, uint64_t v)
{
	r->name[r->n] = str_c(name);
	r->value[r->n++] = str_c(arena_printf(a, "%llu", (unsigned long long)v));
}

static void put_counts(struct control_row *r, struct arena *a, struct str body)
{
	struct wire w = wire_reader(body);

	while (w.n && r->n < CONTROL_FIELDS_MAX) {
		struct str name = wire_get_str(&w, IPC_NAME_MAX);
		uint64_t v = wire_get_u64(&w);

		field(r, a, arena_cstr(a, name), v);
	}
}

static void put_child(struct control_client *who, const struct child *c)
{
	struct arena a = ARENA_INIT;
	struct control_row r = {.n = 0};

	r.name[r.n] = STR("program");
	r.value[r.n++] = str_c(c->program);
	field(&r, &a, "number", c->number);
	field(&r, &a, "pid", (uint64_t)c->pid);
	field(&r, &a, "ready", c->ready);
	if (c != &c->frontend->authd)
		field(&r, &a, "backend", c->linked);
	put_counts(&r, &a, buf_str(&c->counts));
	control_answer_row(who, &r);
	arena_deinit(&a);
}

static void answer(void *ctx)
{
	struct stats *st = ctx;
	struct frontend *f = st->frontend;

	loop_timer_stop(st->timeout);
	st->missing = 0;
	vec_foreach(who, &st->asking) {
		for (unsigned i = 0; i < f->nworkers; i++)
			put_child(*who, &f->workers[i]);
		put_child(*who, &f->authd);
		control_answer_end(*who, true, "");
	}
	vec_free(&st->asking);
}

static struct stats *stats_of(struct frontend *f)
{
	if (!f->stats) {
		f->stats = xcalloc(1, sizeof(*f->stats));
		f->stats->frontend = f;
		f->stats->timeout = loop_timer_new(f->loop, answer, f->stats);
	}
	return f->stats;
}

static void want(struct stats *st, struct child *c)
{
	if (c->link && link_send(c->link, SUP_COUNTS_WANTED, STR(""), NULL, 0) == 0)
		st->missing++;
}

void stats_request(struct frontend *f, struct control_client *who)
{
	struct stats *st = stats_of(f);

	*vec_push(&st->asking) = who;
	if (st->missing)
		return;
	for (unsigned i = 0; i < f->nworkers; i++)
		want(st, &f->workers[i]);
	want(st, &f->authd);
	if (st->missing)
		loop_timer_set(st->timeout, COUNTS_WAIT_MS);
	else
		answer(st);
}

int stats_counts(struct child *c, struct str body)
{
	struct stats *st = stats_of(c->frontend);
	struct wire w = wire_reader(body);

	while (w.n && !w.bad) {
		wire_get_str(&w, IPC_NAME_MAX);
		wire_get_u64(&w);
	}
	if (!wire_end(&w))
		return -1;
	buf_reset(&c->counts);
	buf_str_put(&c->counts, body);
	if (st->missing && --st->missing == 0)
		answer(st);
	return 0;
}
