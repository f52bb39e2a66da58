/* SPDX-License-Identifier: Apache-2.0 */
/* Access files: whatever stands there gives a table or a fault with a line, and the table answers. */
#include "common/base/ensure.h"
#include "common/config/access.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const ips[] = {"10.0.0.1", "::1", "3ffe:1200::1", "255.255.255.255"};
	struct err e = {.text = ""};
	struct access *a = access_parse(str_mem(data, size), "f", &e);
	struct net_addr addr;

	ASSERT(a || str_starts(str_c(e.text), STR("f:")));
	for (size_t i = 0; a && i < ARRAY_LEN(ips); i++) {
		ASSERT(net_addr_parse(str_c(ips[i]), &addr));
		ASSERT(access_find(a, &addr).line || access_find(a, &addr).allow);
	}
	access_free(&a);
	return 0;
}
