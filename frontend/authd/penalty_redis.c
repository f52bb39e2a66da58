/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/penalty_redis.h"
#include "common/io/redis.h"
#include "frontend/authd/authd.h"
#include "frontend/authd/penalty.h"
#include "frontend/authd/redis_template.h"
#include "frontend/authd/username.h"

enum { COUNT_MAX = 1000000 };

struct penalty_redis {
	struct authd *authd;
	char *channel;
};

struct report { /* an INCR under way */
	struct penalty_redis *shared;
	bool is_user;
	size_t n;
	char name[]; /* user, or network */
};

/* What another host has said, or Redis: "user COUNT NAME" or "ip COUNT NETWORK". */
static void on_message(void *ctx, struct str message)
{
	struct penalty_redis *p = ctx;
	struct str rest = message, kind, digits;
	uint64_t count;

	if (!message.p)
		return; /* counts that were missed come with the next refusal */
	kind = str_split(&rest, ' ');
	digits = str_split(&rest, ' ');
	if (!str_u64(digits, &count) || count > COUNT_MAX || !username_valid(rest))
		return;
	if (str_eq(kind, STR("user")))
		penalty_merge(p->authd->penalty, true, rest, count);
	else if (str_eq(kind, STR("ip")) && rest.n < 64)
		penalty_merge(p->authd->penalty, false, rest, count);
}

static void command(struct penalty_redis *p, const struct str *argv, size_t argc,
		    redis_done_fn *done, void *ctx)
{
	struct err e;

	if (!redis_start(p->authd->redis, argv, argc, false, done, ctx, &e) && done)
		done(ctx, NULL, e.text);
}

static void counted(void *ctx, const struct redis_value *v, const char *why)
{
	struct report *rep = ctx;
	struct penalty_redis *p = rep->shared;
	struct str name = str_mem(rep->name, rep->n);
	struct buf b = BUF_INIT;

	if (v && v->kind == REDIS_NUMBER && v->number > 0 && v->number <= COUNT_MAX) {
		penalty_merge(p->authd->penalty, rep->is_user, name, (uint64_t)v->number);
		buf_printf(&b, "%s %llu ", rep->is_user ? "user" : "ip",
			   (unsigned long long)v->number);
		buf_str_put(&b, name);
		command(p, (struct str[]){STR("PUBLISH"), str_c(p->channel), buf_str(&b)}, 3, NULL,
			NULL);
		buf_deinit(&b);
	}
	free(rep);
}

static void put_key(const struct penalty_redis *p, struct buf *b, bool is_user, struct str name)
{
	buf_printf(b, "%sfail:%s:", p->authd->set->redis_prefix, is_user ? "user" : "ip");
	if (!is_user) {
		buf_str_put(b, name);
		return;
	}
	buf_putc(b, '{');
	redis_template_escape(b, name);
	buf_putc(b, '}');
}

static void count(struct penalty_redis *p, bool is_user, struct str name)
{
	struct report *rep = xcalloc(1, sizeof(*rep) + name.n);
	struct buf key = BUF_INIT;
	char window[24];

	rep->shared = p;
	rep->is_user = is_user;
	rep->n = name.n;
	memcpy(rep->name, name.p, name.n);
	put_key(p, &key, is_user, name);
	snprintf(window, sizeof(window), "%llu",
		 (unsigned long long)p->authd->set->login_penalty_window);
	command(p, (struct str[]){STR("INCR"), buf_str(&key)}, 2, counted, rep);
	command(p, (struct str[]){STR("EXPIRE"), buf_str(&key), str_c(window)}, 3, NULL, NULL);
	buf_deinit(&key);
}

void penalty_redis_report(struct penalty_redis *p, struct str user, struct str rip)
{
	char net[64];

	if (!p)
		return;
	penalty_network(p->authd->set, rip, net);
	count(p, false, str_c(net));
	if (username_valid(user))
		count(p, true, user);
}

void penalty_redis_forgive(struct penalty_redis *p, struct str user)
{
	struct buf key = BUF_INIT;

	if (!p || !username_valid(user))
		return;
	put_key(p, &key, true, user);
	command(p, (struct str[]){STR("DEL"), buf_str(&key)}, 2, NULL, NULL);
	buf_deinit(&key);
}

struct penalty_redis *penalty_redis_new(struct authd *ad)
{
	struct penalty_redis *p = xcalloc(1, sizeof(*p));
	struct buf b = BUF_INIT;

	p->authd = ad;
	buf_printf(&b, "%sfail", ad->set->redis_prefix);
	p->channel = xstrdup(buf_cstr(&b));
	buf_deinit(&b);
	redis_subscribe(ad->redis, str_c(p->channel), on_message, p);
	return p;
}
