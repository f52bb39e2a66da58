/* SPDX-License-Identifier: Apache-2.0 */
/* Merging: any text; what was merged doesn't change again. */
#include <stddef.h>
#include <stdint.h>
#include "common/base/ensure.h"
#include "common/config/merge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf once = BUF_INIT, twice = BUF_INIT;
	struct merge_counts n;

	merge_settings(str_mem(data, size), &once, &n);
	merge_settings(buf_str(&once), &twice, &n);
	ASSERT(str_eq(buf_str(&once), buf_str(&twice)));
	buf_deinit(&once);
	buf_deinit(&twice);
	return 0;
}
