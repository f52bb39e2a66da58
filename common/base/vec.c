/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/vec.h"

#include <stdlib.h>

void vec_grow(void **a, size_t *cap, size_t want, size_t size)
{
	size_t bytes, n = *cap;

	if (want <= n)
		return;
	n = n < 4 ? 4 : n + n / 2;
	if (n < want)
		n = want;
	ASSERT(!__builtin_mul_overflow(n, size, &bytes));
	*a = xrealloc(*a, bytes);
	*cap = n;
}
