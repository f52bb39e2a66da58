/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/redis_answer.h"
#include "frontend/authd/record_json.h"

/* A scalar as text; p == NULL: nil. False: it is a list. */
static bool scalar(struct arena *a, const struct redis_value *v, struct str *out)
{
	switch (v->kind) {
	case REDIS_TEXT:
		*out = v->text.n ? v->text : STR("");
		return true;
	case REDIS_NUMBER:
		*out = str_c(arena_printf(a, "%lld", (long long)v->number));
		return true;
	case REDIS_NIL:
		*out = STR_NONE;
		return true;
	default:
		return false;
	}
}

static enum auth_result wrong(struct err *e, const char *what)
{
	err_set(e, 0, "%s", what);
	return AUTH_TEMPFAIL;
}

/* Values of the fields that the command names. All of them nil: there is no such key. */
static enum auth_result fields(struct arena *a, const struct redis_template *t,
			       const struct redis_value *v, struct record_fields *f, struct err *e)
{
	bool any = false;

	if (v->kind != REDIS_LIST || v->n != t->n - 2)
		return wrong(e, "another number of values than of fields");
	for (size_t i = 0; i < v->n; i++) {
		struct str value;

		if (!scalar(a, v->list[i], &value))
			return wrong(e, "a field that is a list");
		any = any || value.p;
		if (record_field(a, f, t->words[i + 2], value, e))
			return AUTH_TEMPFAIL;
	}
	return any ? AUTH_OK : AUTH_UNKNOWN;
}

static enum auth_result pairs(struct arena *a, const struct redis_value *v, struct record_fields *f,
			      struct err *e)
{
	if (v->kind == REDIS_NIL || (v->kind == REDIS_LIST && v->n == 0))
		return AUTH_UNKNOWN;
	if (v->kind != REDIS_LIST || v->n % 2)
		return wrong(e, "no list of names and values");
	for (size_t i = 0; i < v->n; i += 2) {
		struct str name, value;

		if (!scalar(a, v->list[i], &name) || !scalar(a, v->list[i + 1], &value))
			return wrong(e, "a field that is a list");
		if (record_field(a, f, name, value, e))
			return AUTH_TEMPFAIL;
	}
	return AUTH_OK;
}

static enum auth_result json_text(struct arena *a, const struct redis_value *v,
				  struct record_fields *f, struct err *e)
{
	if (v->kind == REDIS_LIST && v->n == 1)
		v = v->list[0];
	if (v->kind == REDIS_NIL)
		return AUTH_UNKNOWN;
	if (v->kind != REDIS_TEXT)
		return wrong(e, "not one value, which would be JSON");
	return record_json(a, v->text, f, e) ? AUTH_TEMPFAIL : AUTH_OK;
}

enum auth_result redis_answer(struct arena *a, const struct redis_template *t, bool json,
			      const struct redis_value *v, struct record_fields *f, struct err *e)
{
	struct str value;

	if (v->kind == REDIS_FAULT) {
		err_set(e, 0, "%.*s", STR_ARG(str_sub(v->text, 0, 200)));
		return AUTH_TEMPFAIL;
	}
	if (json)
		return json_text(a, v, f, e);
	if (t->form == REDIS_ANSWER_FIELDS)
		return fields(a, t, v, f, e);
	if (t->form == REDIS_ANSWER_PAIRS || v->kind == REDIS_LIST)
		return pairs(a, v, f, e);
	scalar(a, v, &value);
	if (!value.p)
		return AUTH_UNKNOWN;
	return record_field(a, f, STR("password"), value, e) ? AUTH_TEMPFAIL : AUTH_OK;
}
