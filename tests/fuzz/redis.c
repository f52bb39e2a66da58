/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The input's first line is a REDIS_COMMAND, the second a user name, the third a URL; the rest is what
 * the server answers, cut into pieces by the length of the name.
 */
#include <stddef.h>
#include <stdint.h>

#include "common/base/ensure.h"
#include "common/io/redis_url.h"
#include "frontend/authd/redis_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static size_t count_nodes(const struct redis_value *v)
{
	size_t n = 1;

	for (size_t i = 0; v->kind == REDIS_LIST && i < v->n; i++)
		n += count_nodes(v->list[i]);
	return n;
}

static void expand(const struct redis_template *t, struct arena *a, struct str user)
{
	struct str argv[REDIS_TEMPLATE_WORDS];
	struct buf b = BUF_INIT;

	redis_template_expand(t, a, user, argv);
	redis_format(&b, argv, t->n);
	ASSERT(b.n && buf_str(&b).p[0] == '*');
	buf_deinit(&b);
}

static void answers(struct arena *a, const struct redis_template *t, struct str bytes, size_t piece)
{
	struct redis_reader *r = redis_reader_new(16384);
	const struct redis_value *v;
	struct err e = {.text = ""};
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < bytes.n; i += piece) {
		rc = redis_reader_feed(r, str_sub(bytes, i, piece), &e);
		while (rc >= 0 && (rc = redis_reader_next(r, &v, &e)) == 1) {
			ASSERT(count_nodes(v) <= 16384);
			for (int json = 0; json < 2; json++) {
				struct record_fields f = {.enabled = RECORD_UNSET};
				enum auth_result result = redis_answer(a, t, json, v, &f, &e);

				ASSERT(result == AUTH_OK || result == AUTH_UNKNOWN ||
				       result == AUTH_TEMPFAIL);
			}
		}
	}
	ASSERT(rc >= 0 || e.text[0]);
	redis_reader_free(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str rest = str_mem(data, n), command = str_split(&rest, '\n'),
		   user = str_split(&rest, '\n'), url = str_split(&rest, '\n');
	struct arena a = ARENA_INIT;
	struct redis_template t;
	struct redis_url u;
	struct err e = {.text = ""};

	if (redis_url_parse(&a, url, &u, &e) == 0)
		ASSERT(u.kind == REDIS_UNIX ? u.path[0] == '/'
					    : u.nhosts > 0 && u.hosts[0].name[0]);
	if (redis_template_parse(&a, command, user, &t, &e) == 0) {
		expand(&t, &a, user);
		answers(&a, &t, rest, user.n ? user.n : 1);
	}
	arena_deinit(&a);
	return 0;
}
