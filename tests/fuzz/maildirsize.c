/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as maildirsize: what is understood is written so that it reads the same. */
#include "common/mail/maildirsize.h"
#include "common/base/ensure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct maildirsize m, again;
	struct buf b = BUF_INIT;
	bool ok = maildirsize_parse(str_mem(data, n), &m);

	ASSERT(m.limit.bytes >= 0 && m.limit.count >= 0);
	quota_limit_put(&b, &m.limit);
	buf_putc(&b, '\n');
	if (ok) {
		ASSERT(m.bytes >= 0 && m.count >= 0);
		maildirsize_put_line(&b, m.bytes, m.count);
		ASSERT(maildirsize_parse(buf_str(&b), &again) && again.bytes == m.bytes &&
		       again.count == m.count);
	} else {
		ASSERT(maildirsize_parse(buf_str(&b), &again));
	}
	ASSERT(again.limit.bytes == m.limit.bytes && again.limit.count == m.limit.count);
	buf_deinit(&b);
	return 0;
}
