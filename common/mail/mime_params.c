// SPDX-License-Identifier: Apache-2.0
#include "common/mail/mime_params.h"
#include "common/base/vec.h"

struct piece {
	struct str base; /* the name before its '*' */
	struct str name; /* whole */
	struct str value;
	uint32_t index, order;
	bool continued; /* has an index or the mark of encoding */
	bool encoded;
};
typedef VEC(struct piece) piece_vec;

/* "name", "name*", "name*3", "name*3*"; anything else is a plain name with stars in it. */
static void split_name(struct piece *p)
{
	size_t star = str_find(p->name, '*');
	struct str tail = str_from(p->name, star + 1);

	p->base = p->name;
	if (star == p->name.n || star == 0)
		return;
	if (tail.n && tail.p[tail.n - 1] == '*') {
		p->encoded = true;
		tail.n--;
	} else if (tail.n == 0) {
		p->encoded = true;
	}
	if (tail.n && !str_u32(tail, &p->index))
		return;
	p->continued = true;
	p->base = str_sub(p->name, 0, star);
}

/* A value that is neither quoted nor a token, e.g. a bare encoded word or 8-bit text. */
static void loose_value(struct rfc822 *x, struct buf *value)
{
	while (x->p < x->end && *x->p != ';' && !rfc822_blank(*x->p))
		buf_putc(value, *x->p++);
}

/* At ';'. False where no parameter stands there; the cursor has moved in any case. */
static bool param(struct arena *a, struct rfc822 *x, struct buf *value, struct piece *out)
{
	struct str name;

	x->p++;
	rfc822_cfws(x, NULL);
	name = rfc822_token(x);
	rfc822_cfws(x, NULL);
	if (name.n == 0 || !rfc822_at(x, '='))
		return false;
	x->p++;
	rfc822_cfws(x, NULL);
	buf_reset(value);
	if (rfc822_at(x, '"'))
		rfc822_quoted(x, value);
	else
		loose_value(x, value);
	*out = (struct piece){.name = arena_str(a, name), .value = arena_str(a, buf_str(value))};
	split_name(out);
	return true;
}

static int ilower(char c)
{
	return c >= 'A' && c <= 'Z' ? c + 32 : (unsigned char)c;
}

static int by_base_and_index(const void *va, const void *vb)
{
	const struct piece *a = va, *b = vb;
	size_t n = a->base.n < b->base.n ? a->base.n : b->base.n;

	for (size_t i = 0; i < n; i++)
		if (ilower(a->base.p[i]) != ilower(b->base.p[i]))
			return ilower(a->base.p[i]) - ilower(b->base.p[i]);
	if (a->base.n != b->base.n)
		return a->base.n < b->base.n ? -1 : 1;
	if (a->index != b->index)
		return a->index < b->index ? -1 : 1;
	return a->order < b->order ? -1 : 1;
}

static void percent_encode(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c <= ' ' || c >= 127 || memchr("*'%()<>@,;:\\\"/[]?=", c, 18))
			buf_printf(out, "%%%02X", c);
		else
			buf_putc(out, (char)c);
	}
}

/* The n pieces of one name, in order of their indexes 0..n-1. */
static struct mime_param joined(struct arena *a, const struct piece *p, size_t n, struct buf *value)
{
	bool encoded = false;

	buf_reset(value);
	for (size_t i = 0; i < n; i++)
		encoded |= p[i].encoded;
	if (encoded && !p[0].encoded)
		buf_puts(value, "''");
	for (size_t i = 0; i < n; i++) {
		if (encoded && !p[i].encoded)
			percent_encode(value, p[i].value);
		else
			buf_str_put(value, p[i].value);
	}
	return (struct mime_param){encoded ? str_c(arena_printf(a, "%.*s*", STR_ARG(p->base)))
					   : p->base,
				   arena_str(a, buf_str(value))};
}

static size_t run_length(const piece_vec *v, size_t i, bool *complete)
{
	size_t j = i;

	*complete = true;
	for (; j < v->n && str_ieq(v->a[j].base, v->a[i].base); j++)
		*complete &= v->a[j].index == j - i;
	return j - i;
}

static void join_all(struct arena *a, piece_vec *v, struct mime_params *out, struct buf *value)
{
	bool complete;
	size_t run;

	if (v->n)
		qsort(v->a, v->n, sizeof *v->a, by_base_and_index);
	for (size_t i = 0; i < v->n; i += run) {
		run = run_length(v, i, &complete);
		if (complete) {
			out->a[out->n++] = joined(a, v->a + i, run, value);
			continue;
		}
		for (size_t j = i; j < i + run; j++)
			out->a[out->n++] = (struct mime_param){v->a[j].name, v->a[j].value};
	}
}

void mime_params_parse(struct arena *a, struct rfc822 *x, struct mime_params *out, uint32_t max)
{
	piece_vec plain = {0}, continued = {0};
	struct buf value = BUF_INIT;
	struct piece p;

	while (plain.n + continued.n < max) {
		while (x->p < x->end && *x->p != ';')
			x->p++;
		if (x->p == x->end)
			break;
		if (!param(a, x, &value, &p))
			continue;
		p.order = (uint32_t)(plain.n + continued.n);
		if (p.continued)
			*vec_push(&continued) = p;
		else
			*vec_push(&plain) = p;
	}
	*out = (struct mime_params){NULL, 0};
	if (plain.n + continued.n) {
		out->a = arena_array(a, struct mime_param, plain.n + continued.n);
		vec_foreach (it, &plain)
			out->a[out->n++] = (struct mime_param){it->name, it->value};
		join_all(a, &continued, out, &value);
	}
	vec_free(&plain);
	vec_free(&continued);
	buf_deinit(&value);
}
