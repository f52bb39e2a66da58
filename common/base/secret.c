/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/secret.h"

#include "common/base/ensure.h"

void secret_zero(void *p, size_t n)
{
	explicit_bzero(p, n);
}

void secret_wipe(struct secret *s)
{
	if (s->p)
		secret_zero(s->p, s->n);
	free(s->p);
	*s = (struct secret){NULL, 0};
}

void secret_set(struct secret *s, struct str bytes)
{
	char *p = str_dup(bytes); /* first: bytes may lie in the older value */

	secret_wipe(s);
	*s = (struct secret){p, bytes.n};
}

bool secret_equal(struct str a, struct str b)
{
	const volatile unsigned char *x = (const volatile unsigned char *)a.p;
	const volatile unsigned char *y = (const volatile unsigned char *)b.p;
	unsigned char diff = 0;

	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		diff = (unsigned char)(diff | (x[i] ^ y[i]));
	return diff == 0;
}
