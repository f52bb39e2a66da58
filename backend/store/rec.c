/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/store/disk.h"
#include "common/base/crc32c.h"
#include "common/base/ensure.h"
#include "common/ipc/wire.h"

/*
 * On disk: u32 size of the whole record, u8 type, u8 version, u16 zero, payload, u32 CRC-32C of all
 * before. A newer version of a type may be longer: fields are read in order, what follows is skipped.
 */
enum { REC_HEAD = 8, REC_TAIL = 4, REC_MAX = 4096 };

static uint8_t version_of(const struct rec *r)
{
	return r->type == REC_STATE && r->keeps_expunges ? 2 : 1;
}

static void put_kw(struct buf *b, const uint16_t *kw, uint16_t n)
{
	ASSERT(n <= REC_KW_MAX);
	wire_u8(b, (uint8_t)n);
	for (uint16_t i = 0; i < n; i++)
		wire_u16(b, kw[i]);
}

static void put_add(struct buf *b, const struct rec *r)
{
	wire_str(b, r->base);
	wire_str(b, r->extra);
	wire_u8(b, r->flags);
	wire_u8(b, r->in_new);
	wire_i64(b, r->internaldate);
	wire_i64(b, r->savedate);
	wire_u64(b, r->size);
	wire_u64(b, r->wire);
	wire_str(b, r->emailid);
	put_kw(b, r->kw_add, r->nadd);
}

static void put_payload(struct buf *b, const struct rec *r)
{
	wire_u32(b, r->uid);
	wire_u64(b, r->modseq);
	switch (r->type) {
	case REC_ADD:
		put_add(b, r);
		break;
	case REC_FLAGS:
		wire_u8(b, r->flags);
		wire_u8(b, r->add);
		wire_u8(b, r->del);
		wire_u8(b, r->in_new);
		wire_str(b, r->extra);
		break;
	case REC_KEYWORDS:
		put_kw(b, r->kw_add, r->nadd);
		put_kw(b, r->kw_del, r->ndel);
		break;
	case REC_KEYWORD:
		wire_u16(b, r->kw);
		wire_str(b, r->keyword);
		break;
	case REC_SIZE:
		wire_u64(b, r->wire);
		break;
	case REC_RESERVE:
		wire_u32(b, r->uidnext);
		break;
	case REC_STATE:
		wire_u32(b, r->uidnext);
		if (r->keeps_expunges)
			wire_u64(b, r->floor);
		break;
	case REC_VANISHED:
		wire_u32(b, r->last);
		break;
	case REC_EXPUNGE:
		break;
	}
}

void rec_put(struct buf *b, const struct rec *r)
{
	size_t at = b->n;

	wire_u32(b, 0);
	wire_u8(b, (uint8_t)r->type);
	wire_u8(b, version_of(r));
	wire_u16(b, 0);
	put_payload(b, r);

	uint32_t size = (uint32_t)(b->n - at + REC_TAIL);
	ASSERT(size <= REC_MAX);
	uint8_t *p = (uint8_t *)b->p + b->off + at;
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(size >> (8 * i));
	wire_u32(b, crc32c(0, b->p + b->off + at, b->n - at));
}

static void get_kw(struct wire *w, uint16_t *kw, uint16_t *n)
{
	*n = wire_get_u8(w);
	if (*n > REC_KW_MAX) {
		w->bad = true;
		*n = 0;
	}
	for (uint16_t i = 0; i < *n; i++)
		kw[i] = wire_get_u16(w);
}

static void get_add(struct wire *w, struct rec *r)
{
	r->base = wire_get_str(w, 255);
	r->extra = wire_get_str(w, 255);
	r->flags = wire_get_u8(w);
	r->in_new = wire_get_u8(w) & 1;
	r->internaldate = wire_get_i64(w);
	r->savedate = wire_get_i64(w);
	r->size = wire_get_u64(w);
	r->wire = wire_get_u64(w);
	r->emailid = wire_get_str(w, 255);
	get_kw(w, r->kw_add, &r->nadd);
	if (!r->base.n || !r->uid || str_has_nul(r->base) || str_has_nul(r->extra) ||
	    str_find(r->base, '/') != r->base.n || str_find(r->extra, '/') != r->extra.n)
		w->bad = true;
}

/* False: the type is unknown. */
static bool get_payload(struct wire *w, struct rec *r, uint8_t version)
{
	r->uid = wire_get_u32(w);
	r->modseq = wire_get_u64(w);
	switch (r->type) {
	case REC_ADD:
		get_add(w, r);
		return true;
	case REC_FLAGS:
		r->flags = wire_get_u8(w);
		r->add = wire_get_u8(w);
		r->del = wire_get_u8(w);
		r->in_new = wire_get_u8(w) & 1;
		r->extra = wire_get_str(w, 255);
		if (str_has_nul(r->extra) || str_find(r->extra, '/') != r->extra.n)
			w->bad = true;
		return true;
	case REC_KEYWORDS:
		get_kw(w, r->kw_add, &r->nadd);
		get_kw(w, r->kw_del, &r->ndel);
		return true;
	case REC_KEYWORD:
		r->kw = wire_get_u16(w);
		r->keyword = wire_get_str(w, 1024);
		if (str_has_nul(r->keyword) || !r->keyword.n)
			w->bad = true;
		return true;
	case REC_SIZE:
		r->wire = wire_get_u64(w);
		return true;
	case REC_RESERVE:
		r->uidnext = wire_get_u32(w);
		return true;
	case REC_STATE:
		r->uidnext = wire_get_u32(w);
		r->keeps_expunges = version > 1;
		r->floor = r->keeps_expunges ? wire_get_u64(w) : r->modseq;
		if (r->floor > r->modseq)
			w->bad = true;
		return true;
	case REC_VANISHED:
		r->last = wire_get_u32(w);
		if (!r->uid || r->last < r->uid || r->modseq + (r->last - r->uid) > INT64_MAX)
			w->bad = true;
		return true;
	case REC_EXPUNGE:
		return true;
	}
	return false;
}

static uint32_t le32(const char *p)
{
	const uint8_t *u = (const uint8_t *)p;
	return (uint32_t)u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 24;
}

int rec_get(struct str *s, struct rec *r)
{
	while (s->n) {
		if (s->n < REC_HEAD + REC_TAIL)
			return -1;
		uint32_t size = le32(s->p);
		if (size < REC_HEAD + REC_TAIL || size > REC_MAX || size > s->n ||
		    le32(s->p + size - REC_TAIL) != crc32c(0, s->p, size - REC_TAIL))
			return -1;
		struct wire w = wire_reader(str_mem(s->p + REC_HEAD, size - REC_HEAD - REC_TAIL));
		*r = (struct rec){.type = (enum rec_type)(uint8_t)s->p[4]};
		bool known = get_payload(&w, r, (uint8_t)s->p[5]);
		if (known && (w.bad || r->modseq > INT64_MAX))
			return -1;
		*s = str_from(*s, size);
		if (known)
			return 1;
	}
	return 0;
}
