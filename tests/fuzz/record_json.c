/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an account in JSON: an error that quotes nothing of them, or fields within their limits. */
#include <stddef.h>
#include <stdint.h>

#include "common/base/ensure.h"
#include "common/ipc/record.h"
#include "frontend/authd/record_json.h"

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
					    .defaultoptions = "a=1"};
	struct check c = {.kind = CHECK_PASSWORD, .user = STR("bob")};
	struct record_fields f = {.enabled = RECORD_UNSET};
	struct err e = {.text = ""};

	if (record_json(&c.arena, str_mem(data, n), &f, &e) != 0) {
		ASSERT(e.text[0]);
	} else {
		check_clean(f.user, 255);
		check_clean(f.home, IPC_NAME_MAX);
		check_clean(f.quota, IPC_NAME_MAX);
		check_clean(f.password, 4096);
		ASSERT(f.npasswords <= RECORD_PASSWORDS_MAX);
		if (record_apply(&c, &set, &f, &e) != AUTH_TEMPFAIL)
			ASSERT(c.record.home.p[0] == '/' && c.record.home.n > 1 &&
			       c.record.uid != 0);
	}
	vec_free(&c.credentials);
	arena_deinit(&c.arena);
	return 0;
}
