/* SPDX-License-Identifier: Apache-2.0 */
/*
 * str: length-counted byte slices. Everything that comes from a peer is a struct str; a NUL
 * terminated string exists only at libc's door (str_dup). A slice never owns its bytes.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
	const char *p;
	size_t n;
};

#define STR(lit) ((struct str){(lit), sizeof(lit) - 1}) /* a string literal as a slice */
#define STR_NONE ((struct str){NULL, 0})
#define STR_ARG(s) (int)(s).n, (s).p /* for "%.*s" */

static inline struct str str_c(const char *c) /* c may be NULL: the empty slice */
{
	return (struct str){c, c ? strlen(c) : 0};
}
static inline struct str str_mem(const void *p, size_t n)
{
	return (struct str){p, n};
}

bool str_eq(struct str a, struct str b);
bool str_ieq(struct str a, struct str b); /* ASCII case ignored, never the locale's */
int str_cmp(struct str a, struct str b);  /* by bytes, like memcmp, shorter first */
bool str_starts(struct str s, struct str prefix);
bool str_istarts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
/* Index of the first byte c, or s.n where there is none. */
size_t str_find(struct str s, char c);
size_t str_rfind(struct str s, char c);
struct str str_from(struct str s, size_t i);             /* s[i..], empty past the end */
struct str str_sub(struct str s, size_t i, size_t n);    /* s[i..i+n), clamped */
struct str str_trim(struct str s);                       /* without blanks, tabs, CR, LF around it */
/* Cuts the text up to sep off *rest and returns it; *rest becomes what follows sep, or an empty
 * slice with p == NULL when there was no further sep. Loop while (rest.p != NULL). */
struct str str_split(struct str *rest, char sep);
/* Whole slice as a decimal number without sign; false on anything else or on overflow. */
bool str_u64(struct str s, uint64_t *out);
bool str_u32(struct str s, uint32_t *out);
/* A malloc'd NUL-terminated copy. The caller frees it. Bytes after an inner NUL are there, unseen. */
char *str_dup(struct str s);
bool str_has_nul(struct str s);
