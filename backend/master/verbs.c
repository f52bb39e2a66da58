/* SPDX-License-Identifier: Apache-2.0 */
/* verbs: what posthousectl asks the backend (common/ipc/control.h). */
#include "backend/master/master.h"
#include "common/base/arena.h"
#include "common/base/clock.h"

static void field(struct control_row *r, const char *name, struct str value)
{
	r->name[r->n] = str_c(name);
	r->value[r->n++] = value;
}

static void number(struct control_row *r, struct arena *a, const char *name, uint64_t v)
{
	field(r, name, str_c(arena_printf(a, "%llu", (unsigned long long)v)));
}

static void who_session(struct control_client *who, const struct child *p, const struct session *s)
{
	struct arena a = ARENA_INIT;
	struct control_row r = {.n = 0};

	field(&r, "user", s->user->name);
	field(&r, "protocol", str_c(s->protocol));
	field(&r, "rip", str_c(s->rip));
	number(&r, &a, "rport", s->rport);
	field(&r, "tls", s->tls ? STR("yes") : STR("no"));
	number(&r, &a, "pid", (uint64_t)p->pid);
	field(&r, "session", str_c(s->id));
	field(&r, "idle", s->idle ? STR("yes") : STR("no"));
	field(&r, "folder", str_c(s->folder ? s->folder : ""));
	number(&r, &a, "since", (uint64_t)s->since);
	control_answer_row(who, &r);
	arena_deinit(&a);
}

static void verb_who(struct master *m, struct control_client *who, const struct control_request *q)
{
	list_foreach(e, &m->procs) {
		const struct child *p = list_entry(e, struct child, link);

		list_foreach(f, &p->sessions) {
			const struct session *s = list_entry(f, struct session, link);

			if (q->nargs == 0 || str_eq(q->arg[0], s->user->name))
				who_session(who, p, s);
		}
	}
	control_answer_end(who, true, "");
}

static uint64_t count_sessions(const struct master *m)
{
	uint64_t n = 0;

	list_foreach(e, &m->procs)
		n += list_entry(e, struct child, link)->nsessions;
	return n;
}

static void verb_stats(struct master *m, struct control_client *who,
		       const struct control_request *q)
{
	const struct {
		const char *name;
		uint64_t value;
	} stats[] = {
		{"sessions", count_sessions(m)},   {"users", hmap_count(m->users)},
		{"stores", hmap_count(m->stores)}, {"imapds", m->nprocs},
		{"pool", pool_ready(m->pool)},	   {"logins", m->count.logins},
		{"refused", m->count.refused},	   {"forged_tickets", m->count.forged},
		{"forks", m->count.spawned},	   {"crashes", m->count.crashed},
		{"retries", m->count.retried},	   {"jobs", jobs_pending(m->jobs)},
	};

	for (size_t i = 0; i < ARRAY_LEN(stats); i++) {
		struct arena a = ARENA_INIT;
		struct control_row r = {.n = 0};

		field(&r, "name", str_c(stats[i].name));
		number(&r, &a, "value", stats[i].value);
		control_answer_row(who, &r);
		arena_deinit(&a);
	}
	control_answer_end(who, true, "");
}

static const struct {
	const char *name;
	void (*fn)(struct master *m, struct control_client *who, const struct control_request *q);
} verbs[] = {
	{"who", verb_who},
	{"stats", verb_stats},
	{"kick", kick_request},
};

void verbs_request(void *ctx, struct control_client *who, const struct control_request *q)
{
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (str_eq(q->verb, str_c(verbs[i].name))) {
			verbs[i].fn(ctx, who, q);
			return;
		}
	}
	control_answer_end(who, false,
			   "the backend doesn't know this verb: is it older than posthousectl?");
}
