// SPDX-License-Identifier: Apache-2.0
#include "common/mail/mime.h"

struct str mime_param(const struct mime_params *p, struct str name)
{
	for (size_t i = 0; i < p->n; i++)
		if (str_ieq(p->a[i].name, name))
			return p->a[i].value;
	return STR_NONE;
}

static const struct mime_part *child(const struct mime_part *part, uint32_t number)
{
	const struct mime_part *c = part->children;

	while (c && c->number != number)
		c = c->next;
	return c;
}

const struct mime_part *mime_find(const struct mime_part *root, const uint32_t *path, size_t n)
{
	const struct mime_part *base = root, *part = root;

	for (size_t i = 0; i < n; i++) {
		if (base == NULL)
			return NULL;
		if (base->kind == MIME_MULTIPART)
			part = child(base, path[i]);
		else
			part = path[i] == 1 ? base : NULL;
		if (part == NULL)
			return NULL;
		if (part->kind == MIME_MESSAGE)
			base = part->children;
		else
			base = part->kind == MIME_MULTIPART && part != base ? part : NULL;
	}
	return part;
}

const struct mime_part *mime_next(const struct mime_part *part)
{
	if (part->children)
		return part->children;
	while (part && !part->next)
		part = part->parent;
	return part ? part->next : NULL;
}

struct str mime_charset(const struct mime_part *part)
{
	struct str charset = mime_param(&part->params, STR("charset"));

	return charset.n ? charset : STR("us-ascii");
}
