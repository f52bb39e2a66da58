/* SPDX-License-Identifier: Apache-2.0 */
#include "common/ipc/wire.h"

#include "common/base/ensure.h"

static void put_le(struct buf *b, uint64_t v, size_t n)
{
	char *p = buf_reserve(b, n);

	for (size_t i = 0; i < n; i++, v >>= 8)
		p[i] = (char)(v & 255);
	buf_added(b, n);
}

void wire_u8(struct buf *b, uint8_t v)
{
	put_le(b, v, 1);
}

void wire_u16(struct buf *b, uint16_t v)
{
	put_le(b, v, 2);
}

void wire_u32(struct buf *b, uint32_t v)
{
	put_le(b, v, 4);
}

void wire_u64(struct buf *b, uint64_t v)
{
	put_le(b, v, 8);
}

void wire_i64(struct buf *b, int64_t v)
{
	put_le(b, (uint64_t)v, 8);
}

void wire_str(struct buf *b, struct str s)
{
	ASSERT(s.n <= UINT32_MAX);
	wire_u32(b, (uint32_t)s.n);
	buf_str_put(b, s);
}

void wire_count(struct buf *b, const char *name, uint64_t v)
{
	wire_str(b, str_c(name));
	wire_u64(b, v);
}

static uint64_t get_le(struct wire *w, size_t n)
{
	uint64_t v = 0;

	if (w->bad || w->n < n) {
		w->bad = true;
		return 0;
	}
	for (size_t i = n; i-- > 0;)
		v = v << 8 | w->p[i];
	w->p += n;
	w->n -= n;
	return v;
}

uint8_t wire_get_u8(struct wire *w)
{
	return (uint8_t)get_le(w, 1);
}

uint16_t wire_get_u16(struct wire *w)
{
	return (uint16_t)get_le(w, 2);
}

uint32_t wire_get_u32(struct wire *w)
{
	return (uint32_t)get_le(w, 4);
}

uint64_t wire_get_u64(struct wire *w)
{
	return get_le(w, 8);
}

int64_t wire_get_i64(struct wire *w)
{
	return (int64_t)get_le(w, 8);
}

struct str wire_get_str(struct wire *w, size_t max)
{
	size_t n = wire_get_u32(w);
	struct str s;

	if (w->bad || n > max || n > w->n) {
		w->bad = true;
		return STR_NONE;
	}
	s = str_mem(w->p, n);
	w->p += n;
	w->n -= n;
	return s;
}

bool wire_get_bool(struct wire *w)
{
	uint8_t v = wire_get_u8(w);

	if (v > 1)
		w->bad = true;
	return v == 1;
}

bool wire_end(const struct wire *w)
{
	return !w->bad && w->n == 0;
}
