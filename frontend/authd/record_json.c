/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/record_json.h"
#include <jansson.h>
#include "common/base/buf.h"

static json_t *parse(struct str json, struct err *e)
{
	json_error_t fault;
	json_t *j;

	if (json.n > RECORD_JSON_MAX) {
		err_set(e, 0, "JSON of more than %d bytes", RECORD_JSON_MAX);
		return NULL;
	}
	j = json_loadb(json.p ? json.p : "", json.n, JSON_REJECT_DUPLICATES, &fault);
	/* jansson's own words quote the text, which may be a secret */
	if (!j)
		err_set(e, 0, "broken JSON at byte %d", fault.position);
	return j;
}

/* A scalar as text. False: it is none. */
static bool scalar(struct arena *a, json_t *v, struct str *out)
{
	if (json_is_string(v))
		*out = str_mem(json_string_value(v), json_string_length(v));
	else if (json_is_integer(v))
		*out = str_c(arena_printf(a, "%lld", (long long)json_integer_value(v)));
	else if (json_is_boolean(v))
		*out = json_is_true(v) ? STR("1") : STR("0");
	else if (!v || json_is_null(v))
		*out = STR("");
	else
		return false;
	return true;
}

/* A string, or a list of them, as words with blanks between. */
static bool words(struct arena *a, json_t *v, struct str *out)
{
	struct buf b = BUF_INIT;
	struct str word;
	size_t i;
	json_t *item;
	bool ok = true;

	if (!json_is_array(v))
		return scalar(a, v, out);
	json_array_foreach(v, i, item)
	{
		ok = ok && scalar(a, item, &word);
		if (!ok)
			break;
		if (b.n)
			buf_putc(&b, ' ');
		buf_str_put(&b, word);
	}
	*out = arena_str(a, buf_str(&b));
	buf_deinit(&b);
	return ok;
}

static int one_password(struct arena *a, json_t *item, struct record_fields *f, struct err *e)
{
	json_t *given = json_object_get(item, "services");
	struct str hash, services;

	if (!json_is_string(json_object_get(item, "hash")))
		return err_set(e, 0, "a password without a hash");
	if (!words(a, given, &services))
		return err_set(e, 0, "services of a password are not words");
	/* A list of nothing is good for nothing, and must not come to mean "all" (as a missing one does). */
	if (json_is_array(given) && !services.n)
		return 0;
	scalar(a, json_object_get(item, "hash"), &hash);
	return record_password_add(a, f, hash, services, e);
}

static int passwords(struct arena *a, json_t *list, struct record_fields *f, struct err *e)
{
	size_t i;
	json_t *item;

	if (json_is_null(list))
		return 0;
	if (!json_is_array(list))
		return err_set(e, 0, "passwords is not a list");
	json_array_foreach(list, i, item)
	{
		if (!json_is_object(item))
			return err_set(e, 0, "passwords is not a list of objects");
		if (one_password(a, item, f, e))
			return -1;
	}
	return 0;
}

static int member(struct arena *a, const char *key, json_t *v, struct record_fields *f,
		  struct err *e)
{
	struct str text, name = str_c(key);
	bool services = str_eq(name, STR("services"));

	if (str_eq(name, STR("passwords")) && !json_is_string(v))
		return passwords(a, v, f, e);
	if (!(services ? words(a, v, &text) : scalar(a, v, &text)))
		return record_known(name) ? err_set(e, 0, "%s has a value of the wrong type", key)
					  : 0;
	if (json_is_array(v) && !text.n)
		return err_set(e, 0, "services is an empty list");
	return record_field(a, f, name, text, e);
}

int record_json(struct arena *a, struct str json, struct record_fields *f, struct err *e)
{
	json_t *j = parse(json, e), *v;
	const char *key;
	int rc = 0;

	if (!j)
		return -1;
	if (!json_is_object(j))
		rc = err_set(e, 0, "JSON that is not an object");
	else
		json_object_foreach(j, key, v) if (rc == 0) rc = member(a, key, v, f, e);
	json_decref(j);
	return rc;
}

int record_json_passwords(struct arena *a, struct str json, struct record_fields *f, struct err *e)
{
	json_t *j = parse(json, e);
	int rc = j ? passwords(a, j, f, e) : -1;

	json_decref(j);
	return rc;
}
