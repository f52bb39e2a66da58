/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/rand.h"

#include <errno.h>
#include <sys/random.h>

#include "common/base/ensure.h"

void rand_bytes(void *p, size_t n)
{
	unsigned char *at = p;

	while (n) {
		ssize_t got = getrandom(at, n, 0);

		if (got < 0) {
			ASSERT(errno == EINTR);
			continue;
		}
		at += got;
		n -= (size_t)got;
	}
}

uint64_t rand_u64(void)
{
	uint64_t v;

	rand_bytes(&v, sizeof v);
	return v;
}
