/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vec: a typed growing array.  VEC(struct msg) v = {0};  *vec_push(&v) = m;  v.a[i], v.n.
 */
#pragma once
#include "common/base/ensure.h"

#define VEC(type) struct { type *a; size_t n, cap; }
/* Pointer to a new last element (its bytes are not set). */
#define vec_push(v) (vec_grow((void **)&(v)->a, &(v)->cap, (v)->n + 1, sizeof *(v)->a), &(v)->a[(v)->n++])
#define vec_reserve(v, want) vec_grow((void **)&(v)->a, &(v)->cap, (want), sizeof *(v)->a)
#define vec_free(v) (free((v)->a), (v)->a = NULL, (v)->n = (v)->cap = 0)
#define vec_foreach(it, v)                                                                         \
	for (__typeof__((v)->a) it = (v)->a; (v)->n && it < (v)->a + (v)->n; it++)
#define vec_remove(v, i) \
	(memmove(&(v)->a[(i)], &(v)->a[(i) + 1], ((v)->n - (i) - 1) * sizeof *(v)->a), (v)->n--)
void vec_grow(void **a, size_t *cap, size_t want, size_t size);
