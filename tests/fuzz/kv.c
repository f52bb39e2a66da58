/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a settings file: an error or lines whose values stay within the bound. */
#include <stddef.h>
#include <stdint.h>

#include "common/base/ensure.h"
#include "common/config/kv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int take(void *ctx, struct str name, struct str value, unsigned line, struct err *e)
{
	ASSERT(name.n > 0 && !str_has_nul(value) && value.n <= KV_VALUE_MAX);
	ASSERT(line > *(unsigned *)ctx);
	*(unsigned *)ctx = line;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	unsigned line = 0;
	struct err e = {.text = ""};

	if (kv_parse(str_mem(data, n), "file", take, &line, &e) != 0)
		ASSERT(strncmp(e.text, "file:", 5) == 0);
	return 0;
}
