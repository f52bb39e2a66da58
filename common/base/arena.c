/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/arena.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/base/ensure.h"

enum { BLOCK_MIN = 1024, BLOCK_MAX = 65536, BLOCK_KEEP = 4096 };

struct arena_block {
	struct arena_block *next;
	size_t size, used; /* of data */
	_Alignas(16) char data[];
};

static struct arena_block *add_block(struct arena *a, size_t n)
{
	size_t size = a->head ? a->head->size * 2 : BLOCK_MIN - sizeof(struct arena_block), all;
	struct arena_block *b;

	if (size > BLOCK_MAX)
		size = BLOCK_MAX;
	if (size < n)
		size = n;
	ASSERT(!__builtin_add_overflow(size, sizeof *b, &all));
	b = xmalloc(all);
	*b = (struct arena_block){.next = a->head, .size = size};
	a->head = b;
	return b;
}

void *arena_alloc(struct arena *a, size_t n)
{
	struct arena_block *b = a->head;
	void *p;

	ASSERT(n <= SIZE_MAX / 2);
	n = (n + 15) & ~(size_t)15;
	if (n == 0)
		n = 16;
	if (b == NULL || b->size - b->used < n)
		b = add_block(a, n);
	p = b->data + b->used;
	b->used += n;
	a->used += n;
	return memset(p, 0, n);
}

void *arena_calloc(struct arena *a, size_t n, size_t size)
{
	size_t bytes;

	ASSERT(!__builtin_mul_overflow(n, size, &bytes));
	return arena_alloc(a, bytes);
}

char *arena_cstr(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, s.n + 1);

	if (s.n)
		memcpy(p, s.p, s.n);
	return p;
}

struct str arena_str(struct arena *a, struct str s)
{
	return (struct str){arena_cstr(a, s), s.n};
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap, again;
	int n;
	char *p;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	ASSERT(n >= 0);
	p = arena_alloc(a, (size_t)n + 1);
	vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	va_end(ap);
	return p;
}

void arena_reset(struct arena *a)
{
	struct arena_block *b, *keep = NULL;

	while ((b = a->head) != NULL) {
		a->head = b->next;
		if (keep == NULL && b->size <= BLOCK_KEEP)
			keep = b;
		else
			free(b);
	}
	if (keep) {
		keep->next = NULL;
		keep->used = 0;
	}
	a->head = keep;
	a->used = 0;
}

void arena_deinit(struct arena *a)
{
	arena_reset(a);
	free(a->head);
	a->head = NULL;
}
