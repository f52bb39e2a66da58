/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kick: ends sessions at an administrator's or authd's word. A login whose ticket was made before a
 * user's revocation and which arrives behind it must not slip through: revocations are remembered for
 * as long as such a login can be under way.
 */
#include "backend/master/master.h"
#include "common/base/log.h"

enum { REMEMBERED_MAX = 10000 };

struct revoked {	    /* value of master.revoked, by user name */
	uint64_t before_ms; /* of session_facts.begun_ms */
	uint64_t until_ms;  /* remembered until then, by the loop's clock */
};

/* All of a login's waits together (see frontend/login/login.c): for the client, authd and us. */
static uint64_t keep_ms(const struct master *m)
{
	return (m->set->prelogin_timeout + 2 * m->set->auth_timeout) * 1000 +
	       m->set->login_penalty_max + 60000;
}

static void forget_old(struct master *m)
{
	struct hmap *kept = hmap_new();
	struct str user;
	size_t it = 0;
	void *v;

	while (hmap_next(m->revoked, &it, &user, &v)) {
		struct revoked *r = v;

		if (r->until_ms > loop_now(m->loop))
			hmap_put(kept, user, r);
		else
			free(r);
	}
	hmap_free(&m->revoked);
	m->revoked = kept;
}

static void remember(struct master *m, struct str user, uint64_t before_ms)
{
	struct revoked *r = hmap_get(m->revoked, user);

	if (!r) {
		if (hmap_count(m->revoked) >= REMEMBERED_MAX)
			forget_old(m);
		/* Too many at once to tell them apart: all who began before this one try again. */
		if (hmap_count(m->revoked) >= REMEMBERED_MAX) {
			m->revoked_all_ms = before_ms;
			return;
		}
		r = xcalloc(1, sizeof(*r));
		hmap_put(m->revoked, user, r);
	}
	if (r->before_ms < before_ms)
		r->before_ms = before_ms;
	r->until_ms = loop_now(m->loop) + keep_ms(m);
}

bool kick_too_late(const struct master *m, struct str user, uint64_t begun_ms)
{
	const struct revoked *r = hmap_get(m->revoked, user);

	return begun_ms && (begun_ms <= m->revoked_all_ms || (r && begun_ms <= r->before_ms));
}

void kick_session(struct child *p, const struct session *s, const char *text)
{
	struct buf b = BUF_INIT;

	wire_u32(&b, s->conn);
	wire_str(&b, str_c(text));
	if (p->chan && link_send(p->chan, SESSION_KICK, buf_str(&b), NULL, 0) < 0)
		LOG(L_WARN, "kick", L_S("user", s->user->name), L_C("session", s->id),
		    L_C("error", "its imapd takes no message"));
	buf_deinit(&b);
}

static bool meant(const struct session *s, struct str what, struct str value, uint64_t before_ms)
{
	if (str_eq(what, STR("user")))
		return str_eq(value, s->user->name) && (!before_ms || s->begun_ms <= before_ms);
	if (str_eq(what, STR("session")))
		return str_eq(value, str_c(s->id));
	return str_eq(value, str_c(s->rip));
}

/* kick user NAME [begun before ms] | session ID | address IP; answers how many. */
void kick_request(struct master *m, struct control_client *who, const struct control_request *q)
{
	struct str what = q->arg[0];
	uint64_t before_ms = 0, n = 0;
	char text[24];

	if (q->nargs < 2 || q->nargs > 3 || (q->nargs == 3 && !str_u64(q->arg[2], &before_ms)) ||
	    !(str_eq(what, STR("user")) || str_eq(what, STR("session")) ||
	      str_eq(what, STR("address")))) {
		control_answer_end(who, false, "kick takes: user NAME, session ID, or address IP");
		return;
	}
	if (before_ms)
		remember(m, q->arg[1], before_ms);
	list_foreach(e, &m->procs) {
		struct child *p = list_entry(e, struct child, link);

		list_foreach(f, &p->sessions) {
			const struct session *s = list_entry(f, struct session, link);

			if (!meant(s, what, q->arg[1], before_ms))
				continue;
			kick_session(p, s,
				     before_ms ? KICK_REVOKED
					       : "[UNAVAILABLE] Ended by the administrator.");
			n++;
		}
	}
	snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
	LOG(L_INFO, "kick", L_S("by", what), L_S("value", q->arg[1]), L_U("sessions", n));
	control_answer_end(who, true, text);
}
