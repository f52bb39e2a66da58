/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena: bump allocator with one lifetime (a command, a connection, a call). Nothing is freed one
 * by one. Allocations are zeroed and aligned to 16 bytes.
 */
#pragma once
#include "common/base/str.h"

struct arena_block;
struct arena {
	struct arena_block *head;
	size_t used; /* bytes handed out since the last reset */
};
#define ARENA_INIT ((struct arena){NULL, 0})

void *arena_alloc(struct arena *a, size_t n);
#define arena_new(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define arena_array(a, type, n) ((type *)arena_calloc((a), (n), sizeof(type)))
void *arena_calloc(struct arena *a, size_t n, size_t size); /* overflow-checked */
struct str arena_str(struct arena *a, struct str s);        /* a copy, NUL-terminated behind its end */
char *arena_cstr(struct arena *a, struct str s);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void arena_reset(struct arena *a);  /* everything is gone; one block may be kept */
void arena_deinit(struct arena *a); /* memory back to the system */
