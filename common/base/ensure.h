/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ensure: assertions that stay on in production, and allocation that can't fail. A broken
 * invariant is our own fault: the process ends with one log line, and only its sessions with it.
 */
#pragma once
#include <stddef.h>

#define ASSERT(cond) ((cond) ? (void)0 : ensure_failed(#cond, __FILE__, __LINE__))
#define UNREACHED() ensure_failed("unreached", __FILE__, __LINE__)
_Noreturn void ensure_failed(const char *what, const char *file, int line);

void *xmalloc(size_t n);
void *xcalloc(size_t n, size_t size); /* zeroed; n * size is overflow-checked */
void *xrealloc(void *p, size_t n);
char *xstrdup(const char *s);
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))
