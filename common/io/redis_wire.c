/* SPDX-License-Identifier: Apache-2.0 */
#include "common/io/redis_wire.h"

#include <hiredis/hiredis.h>

#include "common/base/ensure.h"

enum { ARGS_MAX = 256 };

struct redis_reader {
	redisReader *hiredis;
	struct arena arena; /* the answer that is being read */
	size_t max, cost;   /* of that answer */
	bool fresh, too_big;
};

/* hiredis calls these for each part of an answer, depth first; NULL makes its reader fail. The task's
 * place in its parent is filled here, as hiredis's own functions do. */
static struct redis_value *make(const redisReadTask *t, enum redis_kind kind, size_t cost)
{
	struct redis_reader *r = t->privdata;
	struct redis_value *v;

	r->cost += cost + sizeof *v + sizeof v;
	if (r->cost < cost || r->cost > r->max) {
		r->too_big = true;
		return NULL;
	}
	v = arena_new(&r->arena, struct redis_value);
	v->kind = kind;
	if (t->parent)
		((struct redis_value *)t->parent->obj)->list[t->idx] = v;
	return v;
}

static void *make_string(const redisReadTask *t, char *p, size_t n)
{
	struct redis_reader *r = t->privdata;
	struct redis_value *v = make(t, t->type == REDIS_REPLY_ERROR ? REDIS_FAULT : REDIS_TEXT, n);

	if (v)
		v->text = arena_str(&r->arena, str_mem(p, n));
	return v;
}

#if HIREDIS_MAJOR >= 1
static void *make_list(const redisReadTask *t, size_t n)
#else
static void *make_list(const redisReadTask *t, int n)
#endif
{
	struct redis_reader *r = t->privdata;
	struct redis_value *v;

	/* The count is the peer's word; room is made only for what the limit would let through anyway. */
	if ((size_t)n > r->max / sizeof(struct redis_value)) {
		r->too_big = true;
		return NULL;
	}
	v = make(t, REDIS_LIST, (size_t)n * sizeof v);
	if (v) {
		v->n = (size_t)n;
		v->list = arena_array(&r->arena, struct redis_value *, v->n);
	}
	return v;
}

static void *make_integer(const redisReadTask *t, long long number)
{
	struct redis_value *v = make(t, REDIS_NUMBER, 0);

	if (v)
		v->number = number;
	return v;
}

static void *make_nil(const redisReadTask *t)
{
	return make(t, REDIS_NIL, 0);
}

static void free_value(void *v)
{
}

#if HIREDIS_MAJOR >=                                                                               \
	1 /* kinds of RESP3, which we never ask for: a peer that sends them is refused */
static void *no_double(const redisReadTask *t, double d, char *p, size_t n)
{
	return NULL;
}

static void *no_bool(const redisReadTask *t, int b)
{
	return NULL;
}
#endif

static redisReplyObjectFunctions functions = {
	.createString = make_string,
	.createArray = make_list,
	.createInteger = make_integer,
	.createNil = make_nil,
	.freeObject = free_value,
#if HIREDIS_MAJOR >= 1
	.createDouble = no_double,
	.createBool = no_bool,
#endif
};

struct redis_reader *redis_reader_new(size_t max)
{
	struct redis_reader *r = xcalloc(1, sizeof *r);

	r->max = max;
	r->hiredis = redisReaderCreateWithFunctions(&functions);
	ASSERT(r->hiredis != NULL);
	r->hiredis->privdata = r;
	return r;
}

void redis_reader_free(struct redis_reader **r)
{
	if (*r == NULL)
		return;
	redisReaderFree((*r)->hiredis);
	arena_deinit(&(*r)->arena);
	free(*r);
	*r = NULL;
}

static int fault(struct redis_reader *r, struct err *e)
{
	if (r->too_big)
		return err_set(e, 0, "an answer of more than %zu bytes", r->max);
	return err_set(e, 0, "not Redis's protocol: %s", r->hiredis->errstr);
}

int redis_reader_feed(struct redis_reader *r, struct str bytes, struct err *e)
{
	if (r->hiredis->len - r->hiredis->pos + bytes.n > r->max) {
		r->too_big = true;
		return fault(r, e);
	}
	return redisReaderFeed(r->hiredis, bytes.p, bytes.n) == REDIS_OK ? 0 : fault(r, e);
}

int redis_reader_next(struct redis_reader *r, const struct redis_value **v, struct err *e)
{
	void *reply = NULL;

	if (r->fresh) {
		arena_reset(&r->arena);
		r->cost = 0;
		r->fresh = false;
	}
	if (redisReaderGetReply(r->hiredis, &reply) != REDIS_OK)
		return fault(r, e);
	if (reply == NULL)
		return 0;
	r->fresh = true; /* the next answer begins with a clean sheet */
	*v = reply;
	return 1;
}

void redis_format(struct buf *out, const struct str *argv, size_t argc)
{
	const char *p[ARGS_MAX];
	size_t n[ARGS_MAX];
	char *bytes = NULL;
	int len;

	ASSERT(argc > 0 && argc <= ARGS_MAX);
	for (size_t i = 0; i < argc; i++) {
		p[i] = argv[i].p ? argv[i].p : "";
		n[i] = argv[i].n;
	}
	len = redisFormatCommandArgv(&bytes, (int)argc, p, n);
	ASSERT(len > 0);
	buf_put(out, bytes, (size_t)len);
	redisFreeCommand(bytes);
}
