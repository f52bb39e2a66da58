/* SPDX-License-Identifier: Apache-2.0 */
/* Messages between login workers and authd: what parses is written back byte for byte. */
#include "common/base/ensure.h"
#include "common/ipc/auth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_mem(data, size);
	struct auth_request r;
	struct auth_answer a;
	struct auth_step step;
	struct buf out = BUF_INIT;

	if (auth_request_get(in, &r)) {
		auth_request_put(&out, &r);
		ASSERT(str_eq(buf_str(&out), in));
	}
	buf_reset(&out);
	if (auth_answer_get(in, &a)) {
		ASSERT(a.result < AUTH_RESULT_N);
		auth_answer_put(&out, &a);
		ASSERT(str_eq(buf_str(&out), in));
	}
	buf_reset(&out);
	if (auth_step_get(in, &step)) {
		auth_step_put(&out, &step);
		ASSERT(str_eq(buf_str(&out), in));
	}
	buf_deinit(&out);
	return 0;
}
