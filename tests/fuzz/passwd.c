/* SPDX-License-Identifier: Apache-2.0 */
/* The passwd-file: what is served lies in its lines, and each account is found by its name. */
#include "common/base/ensure.h"
#include "common/config/options.h"
#include "frontend/authd/passwd_file.h"
#include "frontend/authd/username.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fault(void *ctx, unsigned line, const char *why)
{
	ASSERT(why && line > 0);
}

static void look_at_options(struct str options)
{
	struct str rest = options, name, value;
	struct buf without = BUF_INIT;

	while (options_next(&rest, &name, &value))
		ASSERT(name.n && str_find(name, ',') == name.n && str_find(value, ',') == value.n);
	options_set(&without, options, "app", STR_NONE);
	ASSERT(!options_get(buf_str(&without), "app").p);
	options_set(&without, STR(""), "app", STR("x"));
	buf_deinit(&without);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct passwd_file *f = passwd_file_parse(str_mem(data, size), fault, NULL);
	struct str key;
	void *value;

	for (size_t it = 0; hmap_next(f->users, &it, &key, &value);) {
		const struct passwd_entry *e = value;
		unsigned n = 0;

		ASSERT(str_eq(key, e->user) && username_valid(e->user) &&
		       passwd_file_find(f, key) == e);
		ASSERT(str_find(e->hash, ':') == e->hash.n && !str_has_nul(e->options));
		ASSERT(!options_get(e->options, "app").p);
		look_at_options(e->options);
		for (const struct passwd_app *a = e->apps; a; a = a->next, n++) {
			ASSERT(a->name.n && str_eq(options_get(a->options, "app"), a->name));
			look_at_options(a->options);
		}
		ASSERT(n <= PASSWD_APPS_MAX);
	}
	passwd_file_free(&f);
	return 0;
}
