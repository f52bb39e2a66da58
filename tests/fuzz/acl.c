/* SPDX-License-Identifier: Apache-2.0 */
/* courierimapacl: a damaged file is a fault; another one is the same after it was written and read again. */
#include "common/base/ensure.h"
#include "common/imap/acl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str owner = STR("owner"), half = str_mem(data, size / 2);
	struct buf once = BUF_INIT, twice = BUF_INIT;
	struct acl a, b;
	struct err e;

	if (acl_parse(str_mem(data, size), &a, &e) == 0) {
		acl_put(&a, &once);
		ASSERT(acl_parse(buf_str(&once), &b, &e) == 0);
		acl_put(&b, &twice);
		ASSERT(str_eq(buf_str(&once), buf_str(&twice)));
		ASSERT(acl_compute(&a, &owner, 1) == acl_compute(&b, &owner, 1));
		acl_free(&a);
		acl_free(&b);
	} else {
		ASSERT(a.entries.n == 0);
	}
	acl_default(&a);
	if (acl_set(&a, half, str_mem(data + half.n, size - half.n), &e) == 0)
		ASSERT(acl_identifier_ok(half) && a.entries.n <= 3);
	acl_free(&a);
	buf_deinit(&once);
	buf_deinit(&twice);
	return 0;
}
