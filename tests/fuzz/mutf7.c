/* SPDX-License-Identifier: Apache-2.0 */
/* Modified UTF-7: what decodes encodes to the very same bytes, and the other way round. */
#include "common/base/ensure.h"
#include "common/base/utf8.h"
#include "common/imap/mutf7.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf there = BUF_INIT, back = BUF_INIT;
	struct str in = str_mem(data, size);

	if (mutf7_decode(&there, in)) {
		ASSERT(utf8_valid(buf_str(&there)));
		ASSERT(mutf7_encode(&back, buf_str(&there)));
		ASSERT(str_eq(buf_str(&back), in));
	}
	buf_reset(&there);
	buf_reset(&back);
	if (mutf7_encode(&there, in)) {
		ASSERT(mutf7_decode(&back, buf_str(&there)));
		ASSERT(str_eq(buf_str(&back), in));
	}
	buf_deinit(&there);
	buf_deinit(&back);
	return 0;
}
