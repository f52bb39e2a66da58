/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of the watch protocol: what parses is written back byte for byte. */
#include "common/base/ensure.h"
#include "common/ipc/watch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_mem(data, size);
	struct wire w = wire_reader(in);
	struct watch_event e;
	struct watch_journal j;
	struct buf out = BUF_INIT;
	size_t used = 0;

	while (watch_event_get(&w, &e)) {
		ASSERT(e.name.n <= WATCH_NAME_MAX && e.dir <= WATCH_CUR && e.kind < WATCH_KIND_N);
		watch_event_put(&out, &e);
		used = size - w.n;
		ASSERT(str_eq(buf_str(&out), str_sub(in, 0, used)));
	}
	buf_reset(&out);
	if (watch_journal_get(in, &j)) {
		watch_journal_put(&out, &j);
		ASSERT(str_eq(buf_str(&out), in));
	}
	buf_deinit(&out);
	return 0;
}
