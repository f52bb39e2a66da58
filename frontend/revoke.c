/* SPDX-License-Identifier: Apache-2.0 */
/*
 * revoke: an account's password was changed or the account locked. authd forgets what it knows first
 * (SUP_REVOKE, or it heard of it itself), and only then (SUP_REVOKED) the backend ends the sessions
 * that logged in before: nobody gets in between by what was true before.
 */
#include "common/base/log.h"
#include "common/ipc/control_client.h"
#include "frontend/frontend.h"

enum { WAIT_MS = 5000 };

struct asker { /* posthousectl, waiting */
	struct list link;
	struct control_client *who;
	char *user;
};
struct revocation {
	struct frontend *frontend;
	char *user;
};

/* user: NULL for all. */
static void answer(struct frontend *f, const char *user, bool ok, const char *text)
{
	list_foreach(e, &f->revoking) {
		struct asker *a = list_entry(e, struct asker, link);

		if (user && strcmp(a->user, user) != 0)
			continue;
		control_answer_end(a->who, ok, text);
		list_remove(&a->link);
		free(a->user);
		free(a);
	}
}

static void kicked(void *ctx, bool ok, struct str text)
{
	struct revocation *r = ctx;
	char said[256];

	snprintf(said, sizeof(said), "%s%.*s", ok ? "" : "backend: ", STR_ARG(text));
	if (ok)
		LOG(L_INFO, "sessions ended", L_C("user", r->user), L_S("sessions", text));
	else
		LOG(L_WARN, "sessions not ended", L_C("user", r->user), L_S("error", text));
	answer(r->frontend, r->user, ok, said);
	free(r->user);
	free(r);
}

int revoke_authd_said(struct frontend *f, struct str body)
{
	struct wire w = wire_reader(body);
	uint64_t before_ms = wire_get_u64(&w);
	struct str user = wire_get_str(&w, IPC_NAME_MAX);
	struct control_request q = {.verb = STR("kick"), .nargs = 3, .arg = {STR("user"), user}};
	struct revocation *r;
	char before[24];

	if (!wire_end(&w))
		return -1;
	snprintf(before, sizeof(before), "%llu", (unsigned long long)before_ms);
	q.arg[2] = str_c(before);
	r = xcalloc(1, sizeof(*r));
	r->frontend = f;
	r->user = str_dup(user);
	control_call(f->loop, f->set->rundir, "backend", &q, WAIT_MS, kicked, r);
	return 0;
}

void revoke_authd_gone(struct frontend *f)
{
	answer(f, NULL, false, "authd ended meanwhile; try again");
}

void revoke_request(struct frontend *f, struct control_client *who, const struct control_request *q)
{
	struct buf b = BUF_INIT;
	struct asker *a;

	if (q->nargs != 1 || !q->arg[0].n || q->arg[0].n > IPC_NAME_MAX) {
		control_answer_end(who, false, "revoke takes one user name");
		return;
	}
	wire_str(&b, q->arg[0]);
	if (!f->authd.link || link_send(f->authd.link, SUP_REVOKE, buf_str(&b), NULL, 0)) {
		control_answer_end(
			who, false,
			"authd isn't running just now; nothing is kept there then, try again");
	} else {
		a = xcalloc(1, sizeof(*a));
		a->who = who;
		a->user = str_dup(q->arg[0]);
		list_append(&f->revoking, &a->link);
	}
	buf_deinit(&b);
}
