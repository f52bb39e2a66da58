/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "common/base/ensure.h"
#include "common/config/courier.h"

struct reading {
	struct courier_scope *scope;
	const char *path;
	struct buf *warnings;
};

static struct courier_entry *find(const struct courier_scope *s, struct str name)
{
	for (size_t i = 0; i < s->entries.n; i++)
		if (str_eq(str_c(s->entries.a[i].name), name))
			return &s->entries.a[i];
	return NULL;
}

const struct courier_entry *courier_find(const struct courier_scope *s, struct str name)
{
	return find(s, name);
}

static char *file_line(const char *path, unsigned line)
{
	struct buf b = BUF_INIT;
	char *text;

	buf_printf(&b, "%s:%u", path, line);
	text = str_dup(buf_str(&b));
	buf_deinit(&b);
	return text;
}

/* Within one file a shell takes the last; whoever wrote two values may not know that. */
static void warn_of_second(const struct reading *r, const struct courier_entry *old,
			   const char *where, struct str value)
{
	size_t n = strlen(r->path);

	if (strncmp(old->where, r->path, n) == 0 && old->where[n] == ':' &&
	    !str_eq(str_c(old->value), value))
		buf_printf(r->warnings,
			   "%s: %s is set again, this value counts and not that of %s\n", where,
			   old->name, old->where);
}

static int take(void *ctx, struct str name, struct str value, unsigned line, struct err *e)
{
	const struct reading *r = ctx;
	struct courier_entry *old = find(r->scope, name);
	char *where = file_line(r->path, line);

	if (old) {
		warn_of_second(r, old, where, value);
		free(old->value);
		free(old->where);
	} else {
		old = vec_push(&r->scope->entries);
		old->name = str_dup(name);
	}
	old->value = str_dup(value);
	old->where = where;
	return 0;
}

int courier_scope_add(struct courier_scope *s, const char *path, struct buf *warnings,
		      struct err *e)
{
	struct reading r = {.scope = s, .path = path, .warnings = warnings};
	struct buf text = BUF_INIT;
	struct err inner;
	int rc = kv_load(path, KV_FILE_MAX, &text, &inner);

	if (!s->vars)
		s->vars = kv_vars_new();
	if (rc == 0) {
		s->files++;
		rc = kv_parse_with(s->vars, buf_str(&text), path, take, &r, e);
	} else if (inner.code == ENOENT) {
		rc = 0;
	} else {
		err_set(e, inner.code, "can't read Courier's settings: %s", inner.text);
	}
	buf_wipe(&text);
	return rc;
}

int courier_scope_read(struct courier_scope *s, const char *dir, const char *first,
		       const char *second, struct buf *warnings, struct err *e)
{
	const char *const names[] = {first, second};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct buf path = BUF_INIT;
		int rc;

		buf_printf(&path, "%s/%s", dir, names[i]);
		rc = courier_scope_add(s, buf_cstr(&path), warnings, e);
		buf_deinit(&path);
		if (rc != 0)
			return -1;
	}
	return 0;
}

void courier_scope_free(struct courier_scope *s)
{
	vec_foreach(entry, &s->entries) {
		free(entry->name);
		free(entry->value);
		free(entry->where);
	}
	vec_free(&s->entries);
	kv_vars_free(&s->vars);
}
