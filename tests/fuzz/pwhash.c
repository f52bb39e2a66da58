/* SPDX-License-Identifier: Apache-2.0 */
/* A stored hash and a password, with a LF between: any answer but a crash, and nothing that takes long. */
#include "common/base/ensure.h"
#include "frontend/authd/pwhash.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pwhash_limits little = {.rounds = 20000, .memory_kib = 1024};
	struct str rest = str_mem(data, size), hash = str_split(&rest, '\n');
	struct buf plain = BUF_INIT;
	bool is_plain;

	pwhash_limit(&little);
	is_plain = pwhash_plain(hash, &plain);
	if (pwhash_check(hash, rest) == PWHASH_MATCH && is_plain)
		ASSERT(str_eq(buf_str(&plain), rest));
	(void)pwhash_check_cram(hash, rest, rest);
	buf_deinit(&plain);
	return 0;
}
