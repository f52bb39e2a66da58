/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the header lines of an auth_http endpoint: a fault, or an answer of clean text. */
#include <stddef.h>
#include <stdint.h>

#include "common/base/ensure.h"
#include "frontend/authd/http_nginx.h"

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
		.whole = true, .status = n ? data[0] * 3U : 200, .headers = str_mem(data, n)};
	struct http_reply r = {.wait_s = 0};
	struct err e = {.text = ""};

	http_nginx_answer(&c.arena, &h, n & 1, &r, &e);
	ASSERT((r.says == HTTP_SAYS_FAULT) == (e.text[0] != '\0'));
	if (r.says == HTTP_SAYS_YES || r.says == HTTP_SAYS_NO) {
		enum auth_result result = http_reply_apply(&r, &set, &c, &e);

		ASSERT(r.says == HTTP_SAYS_YES || result != AUTH_OK);
		check_clean(c.text, 255);
		check_clean(c.code, 64);
		if (result == AUTH_OK)
			ASSERT(c.verified && c.record.uid != 0 && c.record.home.p[0] == '/' &&
			       c.record.home.n > 1);
	}
	vec_free(&c.credentials);
	arena_deinit(&c.arena);
	return 0;
}
