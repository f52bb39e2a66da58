/* SPDX-License-Identifier: Apache-2.0 */
/* secret: bytes that are wiped on free, never logged, compared in constant time. */
#pragma once
#include "common/base/str.h"

struct secret {
	char *p;
	size_t n;
};
void secret_set(struct secret *s, struct str bytes); /* copies; an older value is wiped */
void secret_wipe(struct secret *s);                  /* overwritten and freed */
static inline struct str secret_str(const struct secret *s)
{
	return (struct str){s->p, s->n};
}
bool secret_equal(struct str a, struct str b); /* time depends on the lengths only */
void secret_zero(void *p, size_t n);           /* memset that the compiler keeps */
