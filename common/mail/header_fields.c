// SPDX-License-Identifier: Apache-2.0
#include "common/base/hmap.h"
#include "common/mail/header.h"
#include "common/mail/lfcrlf.h"

/* A field's name is compared up to this length; longer ones in a message match nothing. */
#define NAME_MAX_LEN 1000

static struct str lowered(struct str name, char *space)
{
	for (size_t i = 0; i < name.n; i++)
		space[i] =
			name.p[i] >= 'A' && name.p[i] <= 'Z' ? (char)(name.p[i] + 32) : name.p[i];
	return str_mem(space, name.n);
}

static struct hmap *name_set(const struct str *names, size_t n)
{
	struct hmap *set = hmap_new();
	char space[NAME_MAX_LEN];

	for (size_t i = 0; i < n; i++)
		if (names[i].n <= NAME_MAX_LEN)
			hmap_put(set, lowered(names[i], space), set);
	return set;
}

static bool in_set(const struct hmap *set, struct str name)
{
	char space[NAME_MAX_LEN];

	return name.n && name.n <= NAME_MAX_LEN && hmap_get(set, lowered(name, space));
}

void header_fields_put(struct buf *out, struct str header, const struct str *names, size_t n,
		       bool invert)
{
	struct hmap *set = name_set(names, n);
	struct lfcrlf s = {0};
	struct header_field f;

	while (header_next(&header, &f)) {
		if (in_set(set, f.name) == invert)
			continue;
		lfcrlf_put(&s, out, f.raw);
		if (f.raw.p[f.raw.n - 1] != '\n') /* the header was cut here */
			buf_puts(out, "\r\n");
		s.cr = false;
	}
	buf_puts(out, "\r\n");
	hmap_free(&set);
}
