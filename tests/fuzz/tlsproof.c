/* SPDX-License-Identifier: Apache-2.0 */
/* The handshake that a login worker carries to authd: what is found lies within it. */
#include "common/base/ensure.h"
#include "common/sys/tlsproof.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void within(struct str part, const uint8_t *data, size_t size)
{
	const uint8_t *p = (const uint8_t *)part.p;

	ASSERT(part.n && p >= data && p + part.n <= data + size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tlsproof p;

	if (!tlsproof_parse(str_mem(data, size), &p))
		return 0;
	within(p.messages, data, size);
	within(p.server_cert, data, size);
	within(p.client_cert, data, size);
	within(p.signature, data, size);
	ASSERT(p.first_hello.n + p.messages.n < size);
	return 0;
}
