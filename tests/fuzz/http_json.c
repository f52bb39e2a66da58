/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the body of a JSON endpoint's answer: a fault, or an answer of clean text. */
#include <stddef.h>
#include <stdint.h>

#include "common/base/ensure.h"
#include "frontend/authd/http_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_clean(struct str s, size_t max)
{
	ASSERT(s.n <= max);
	for (size_t i = 0; i < s.n; i++)
		ASSERT((unsigned char)s.p[i] >= 0x20 && s.p[i] != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct settings set = {.mail_uid = "1000",
					    .mail_gid = "",
					    .mail_home = "/srv/%u",
					    .maildirpath = "Maildir",
					    .defaultoptions = ""};
	struct check c = {.kind = CHECK_PASSWORD, .user = STR("bob")};
	struct http_answer h = {
		.whole = true, .status = n % 3 ? 200 : 401, .body = str_mem(data, n)};
	struct http_reply r = {.wait_s = 0};
	struct err e = {.text = ""};

	http_json_answer(&c.arena, &h, &r, &e);
	ASSERT((r.says == HTTP_SAYS_FAULT) == (e.text[0] != '\0'));
	if (r.says == HTTP_SAYS_YES || r.says == HTTP_SAYS_NO) {
		enum auth_result result = http_reply_apply(&r, &set, &c, &e);

		ASSERT(r.says == HTTP_SAYS_YES || result != AUTH_OK);
		check_clean(c.text, 255);
		check_clean(c.code, 64);
		if (result == AUTH_OK)
			ASSERT((c.verified != (c.credentials.n > 0)) && c.record.uid != 0 &&
			       c.record.home.p[0] == '/' && c.record.home.n > 1);
	}
	vec_free(&c.credentials);
	arena_deinit(&c.arena);
	return 0;
}
