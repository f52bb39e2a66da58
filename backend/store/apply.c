/* SPDX-License-Identifier: Apache-2.0 */
/* apply: records become the table, and every listener hears of it in the same turn. */
#include "backend/store/store_int.h"

#define NOBODY SIZE_MAX

/* ---- the table -------------------------------------------------------------------------------- */

size_t folder_find(const struct folder *f, uint32_t uid)
{
	size_t lo = 0, hi = f->msgs.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (f->msgs.a[mid].uid < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct msg *msg_of(struct fold *f, uint32_t uid, size_t *index)
{
	*index = folder_find(&f->f, uid);
	if (*index == f->f.msgs.n || f->f.msgs.a[*index].uid != uid ||
	    f->f.msgs.a[*index].state & MSG_EXPUNGED)
		return NULL;
	return &f->f.msgs.a[*index];
}

const struct msg *fold_msg(const struct fold *f, uint32_t uid)
{
	size_t i = folder_find(&f->f, uid);

	if (i == f->f.msgs.n || f->f.msgs.a[i].uid != uid || f->f.msgs.a[i].state & MSG_EXPUNGED)
		return NULL;
	return &f->f.msgs.a[i];
}

bool fold_name(const struct fold *f, const struct msg *m, char name[256])
{
	bool in_new = m->state & MSG_IN_NEW;
	struct odd_name *odd = f->odd ? hmap_get_u64(f->odd, m->uid) : NULL;

	if (odd)
		memcpy(name, odd->name, sizeof odd->name);
	else if (!md_name_make(str_c(m->base), m->flags, str_c(m->extra), in_new, name))
		snprintf(name, 256, "%s", m->base); /* over-long: found by a scan */
	return in_new;
}

void fold_apply_odd(struct fold *f, const struct odd_name *o)
{
	struct odd_name *have = f->odd ? hmap_get_u64(f->odd, o->uid) : NULL;

	if (!o->name[0]) {
		if (have)
			free(hmap_del_u64(f->odd, o->uid));
		return;
	}
	if (!f->odd)
		f->odd = hmap_new();
	if (!have)
		hmap_put_u64(f->odd, o->uid, have = xmalloc(sizeof *have));
	*have = *o;
}

void fold_tell(struct fold *f, const struct folder_change *ch)
{
	list_foreach(e, &f->f.listeners) {
		struct folder_listener *l = list_entry(e, struct folder_listener, link);
		l->on_change(l->ctx, ch);
	}
}

static void tell(struct fold *f, enum folder_change_kind kind, size_t i, const struct apply_opts *o)
{
	struct folder_change ch = {.kind = kind, .index = i, .origin = o->origin, .silent = o->silent};

	if (list_empty(&f->f.listeners))
		return;
	ch.msg = i == NOBODY ? NULL : &f->f.msgs.a[i];
	fold_tell(f, &ch);
}

void fold_tell_flags(struct fold *f, uint32_t uid)
{
	struct apply_opts o = {0};
	size_t i;

	if (msg_of(f, uid, &i))
		tell(f, FOLDER_FLAGS, i, &o);
}

static void remember_change(struct fold *f, uint64_t modseq, uint32_t uid)
{
	if (f->changes.n >= (size_t)CHANGES_KEEP * 2) {
		f->changes_floor = f->changes.a[CHANGES_KEEP - 1].modseq;
		memmove(f->changes.a, f->changes.a + CHANGES_KEEP,
			(f->changes.n - CHANGES_KEEP) * sizeof *f->changes.a);
		f->changes.n -= CHANGES_KEEP;
	}
	if (modseq > f->changes_floor)
		*vec_push(&f->changes) = (struct change){modseq, uid};
}

/* A snapshot's records don't come in order of modseq; what follows them in the journal does. */
static void snapshot_over(struct fold *f, const struct rec *r)
{
	f->changes.n = 0;
	f->changes_floor = r->modseq;
	history_forget(&f->gone, r->floor);
}

/* A ring that is no shorter than a walk over the table is of no use. */
void fold_opened_ring(struct fold *f)
{
	if (f->changes.n <= f->f.msgs.n / 8)
		return;
	vec_free(&f->changes);
	f->changes_floor = f->f.modseq;
}

/* ---- keywords --------------------------------------------------------------------------------- */

bool kwset_has(const struct kwset *k, uint16_t kw)
{
	for (uint16_t i = 0; k && i < k->n; i++)
		if (k->kw[i] == kw)
			return true;
	return false;
}

static const struct kwset *kwset_intern(struct fold *f, const uint16_t *kw, uint16_t n)
{
	struct str key = str_mem(kw, n * sizeof *kw);
	struct kwset *k;

	if (!n)
		return NULL;
	if (!f->kwsets)
		f->kwsets = hmap_new();
	k = hmap_get(f->kwsets, key);
	if (!k) {
		k = xmalloc(sizeof *k + key.n);
		k->n = n;
		memcpy(k->kw, kw, key.n);
		hmap_put(f->kwsets, key, k);
	}
	return k;
}

static bool listed(const uint16_t *a, uint16_t n, uint16_t x)
{
	for (uint16_t i = 0; i < n; i++)
		if (a[i] == x)
			return true;
	return false;
}

/* (old - del) + add, sorted; numbers that nobody defined are dropped. */
static const struct kwset *kwset_change(struct fold *f, const struct kwset *old, const struct rec *r)
{
	uint16_t out[4096 + REC_KW_MAX], n = 0, add[REC_KW_MAX], nadd = 0, i = 0, j = 0;

	for (uint16_t k = 0; k < r->nadd; k++) { /* insertion sort: at most REC_KW_MAX */
		uint16_t x = r->kw_add[k], at = nadd;
		if (x >= f->f.keywords.n || listed(add, nadd, x))
			continue;
		for (; at && add[at - 1] > x; at--)
			add[at] = add[at - 1];
		add[at] = x;
		nadd++;
	}
	while (n < ARRAY_LEN(out) && ((old && i < old->n) || j < nadd)) {
		bool from_old = old && i < old->n && (j == nadd || old->kw[i] <= add[j]);
		uint16_t x = from_old ? old->kw[i++] : add[j++];
		if (from_old && j < nadd && add[j] == x)
			j++;
		else if (from_old && listed(r->kw_del, r->ndel, x))
			continue;
		out[n++] = x;
	}
	return kwset_intern(f, out, n);
}

/* ---- one function a record ---------------------------------------------------------------------- */

static int by_uid(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static bool is_recent(const struct apply_opts *o, uint32_t uid)
{
	return o->nrecent && bsearch(&uid, o->recent, o->nrecent, sizeof uid, by_uid);
}

static void apply_add(struct fold *f, const struct rec *r, const struct apply_opts *o)
{
	if (r->uid < f->f.uidnext || r->uid == UINT32_MAX)
		return; /* a UID is given once */
	if (f->index.slots && index_find(&f->index, &f->f, r->base) != SIZE_MAX) {
		f->f.uidnext = r->uid + 1;
		return; /* one file counts once */
	}
	struct msg m = {.uid = r->uid,
			.flags = r->flags & MSG_FLAGS_ALL,
			.modseq = r->modseq ? r->modseq : 1,
			.internaldate = r->internaldate,
			.size = r->size,
			.wire = r->wire,
			.base = str_dup(r->base),
			.extra = r->extra.n ? str_dup(r->extra) : ""};
	m.kw = kwset_change(f, NULL, r);
	if (r->in_new) {
		m.state |= MSG_IN_NEW;
		f->in_new++;
	}
	if (is_recent(o, r->uid))
		m.state |= MSG_RECENT;
	if (f->f.store->opaque && hmap_get(f->f.store->opaque, r->base))
		m.state |= MSG_OPAQUE;
	*vec_push(&f->f.msgs) = m;
	f->f.uidnext = r->uid + 1;
	index_add(&f->index, &f->f, str_c(m.base), m.uid);
	remember_change(f, r->modseq, r->uid);
	tell(f, FOLDER_ADDED, f->f.msgs.n - 1, o);
}

static void set_extra(struct msg *m, struct str extra)
{
	if (str_eq(str_c(m->extra), extra))
		return;
	if (*m->extra)
		free((char *)m->extra);
	m->extra = extra.n ? str_dup(extra) : "";
}

/* True when the client-visible flags are other ones now. */
static bool apply_flags(struct fold *f, struct msg *m, const struct rec *r, const struct apply_opts *o)
{
	uint8_t flags = ((m->flags & ~r->del) | r->add) & MSG_FLAGS_ALL;
	bool changed = flags != m->flags;

	m->flags = flags;
	set_extra(m, r->extra);
	if (!(m->state & MSG_IN_NEW) != !r->in_new) {
		m->state ^= MSG_IN_NEW;
		f->in_new += r->in_new ? 1 : (size_t)-1;
		if (is_recent(o, r->uid))
			m->state |= MSG_RECENT;
	}
	return changed;
}

static bool apply_keywords(struct fold *f, struct msg *m, const struct rec *r)
{
	const struct kwset *k = kwset_change(f, m->kw, r);
	bool changed = k != m->kw;

	m->kw = k;
	return changed;
}

static uint64_t history_max(const struct fold *f)
{
	return f->f.store->o.set->expunge_history;
}

static void apply_expunge(struct fold *f, struct msg *m, size_t i, const struct rec *r, const struct apply_opts *o)
{
	struct odd_name none = {.uid = m->uid};
	size_t at = f->f.tombs.n;

	index_remove(&f->index, &f->f, str_c(m->base));
	if (m->state & MSG_IN_NEW)
		f->in_new--;
	m->state = (m->state & ~(MSG_IN_NEW | MSG_RECENT)) | MSG_EXPUNGED;
	m->modseq = r->modseq;
	m->expunge_no = ++f->f.expunges;
	fold_apply_odd(f, &none);
	vec_push(&f->f.tombs);
	for (; at && f->f.tombs.a[at - 1] > m->uid; at--)
		f->f.tombs.a[at] = f->f.tombs.a[at - 1];
	f->f.tombs.a[at] = m->uid;
	f->reap_wanted = true;
	history_add(&f->gone, &(struct history_range){m->uid, m->uid, r->modseq}, history_max(f));
	tell(f, FOLDER_EXPUNGE, i, o);
}

static void apply_keyword(struct fold *f, const struct rec *r, const struct apply_opts *o)
{
	if (r->kw != f->f.keywords.n || r->kw >= 4096)
		return;
	*vec_push(&f->f.keywords) = str_dup(r->keyword);
	tell(f, FOLDER_KEYWORDS, NOBODY, o);
}

/* Index of the message whose flags changed, else NOBODY. */
static size_t apply_one(struct fold *f, const struct rec *r, const struct apply_opts *o)
{
	struct msg *m;
	size_t i;
	bool changed = false;

	if (r->modseq > f->f.modseq)
		f->f.modseq = r->modseq;
	switch (r->type) {
	case REC_ADD:
		apply_add(f, r, o);
		return NOBODY;
	case REC_KEYWORD:
		apply_keyword(f, r, o);
		return NOBODY;
	case REC_VANISHED:
		history_add(&f->gone, &(struct history_range){r->uid, r->last, r->modseq}, history_max(f));
		return NOBODY;
	case REC_RESERVE:
	case REC_STATE:
		if (r->type == REC_STATE)
			snapshot_over(f, r);
		if (r->uidnext > f->f.uidnext)
			f->f.uidnext = r->uidnext;
		return NOBODY;
	case REC_FLAGS:
	case REC_KEYWORDS:
	case REC_EXPUNGE:
	case REC_SIZE:
		break;
	}
	m = msg_of(f, r->uid, &i);
	if (!m)
		return NOBODY;
	if (r->type == REC_FLAGS)
		changed = apply_flags(f, m, r, o);
	else if (r->type == REC_KEYWORDS)
		changed = apply_keywords(f, m, r);
	else if (r->type == REC_SIZE)
		m->wire = r->wire;
	else
		apply_expunge(f, m, i, r, o);
	if (!changed)
		return NOBODY;
	m->modseq = r->modseq;
	remember_change(f, r->modseq, r->uid);
	return i;
}

/* A change of flags and keywords of one message is told once. */
void fold_apply(struct fold *f, struct str records, const struct apply_opts *o)
{
	size_t waiting = NOBODY;
	struct rec r;

	if (o->nrecent)
		qsort(o->recent, o->nrecent, sizeof *o->recent, by_uid);
	while (rec_get(&records, &r) == 1) {
		bool same = waiting != NOBODY && f->f.msgs.a[waiting].uid == r.uid &&
			    (r.type == REC_FLAGS || r.type == REC_KEYWORDS);
		if (waiting != NOBODY && !same) {
			tell(f, FOLDER_FLAGS, waiting, o);
			waiting = NOBODY;
		}
		size_t i = apply_one(f, &r, o);
		if (i != NOBODY)
			waiting = i;
	}
	if (waiting != NOBODY)
		tell(f, FOLDER_FLAGS, waiting, o);
}

/* ---- tombstones, changes ------------------------------------------------------------------------ */

static void msg_free(struct msg *m)
{
	free((char *)m->base);
	if (*m->extra)
		free((char *)m->extra);
}

void fold_reap(struct fold *f)
{
	uint64_t passed = UINT64_MAX;
	size_t out;

	f->reap_wanted = false;
	list_foreach(e, &f->f.listeners) {
		struct folder_listener *l = list_entry(e, struct folder_listener, link);
		if (l->expunge_passed < passed)
			passed = l->expunge_passed;
	}
	if (!f->f.tombs.n)
		return;
	out = folder_find(&f->f, f->f.tombs.a[0]);
	for (size_t i = out; i < f->f.msgs.n; i++) {
		struct msg *m = &f->f.msgs.a[i];
		if (m->state & MSG_EXPUNGED && m->expunge_no <= passed)
			msg_free(m);
		else
			f->f.msgs.a[out++] = *m;
	}
	f->f.msgs.n = out;
	f->f.tombs.n = 0;
	vec_foreach(m, &f->f.msgs)
		if (m->state & MSG_EXPUNGED)
			*vec_push(&f->f.tombs) = m->uid;
}

void folder_passed(struct folder *pub, struct folder_listener *l, uint64_t expunge_no)
{
	struct fold *f = fold_of(pub);

	if (expunge_no > l->expunge_passed)
		l->expunge_passed = expunge_no;
	f->reap_wanted = pub->tombs.n > 0;
	if (f->reap_wanted)
		store_later(pub->store);
}

static void changed_by_ring(struct fold *f, uint64_t since, void (*fn)(void *ctx, size_t index), void *ctx)
{
	VEC(uint32_t) uids = {0};
	size_t i = f->changes.n, index;

	while (i && f->changes.a[i - 1].modseq > since)
		i--;
	for (; i < f->changes.n; i++)
		*vec_push(&uids) = f->changes.a[i].uid;
	if (uids.n)
		qsort(uids.a, uids.n, sizeof *uids.a, by_uid);
	for (i = 0; i < uids.n; i++)
		if ((i == 0 || uids.a[i] != uids.a[i - 1]) && msg_of(f, uids.a[i], &index))
			fn(ctx, index);
	vec_free(&uids);
}

void folder_changed_since(struct folder *pub, uint64_t since, void (*fn)(void *ctx, size_t index), void *ctx)
{
	struct fold *f = fold_of(pub);

	if (since >= pub->modseq)
		return;
	if (since >= f->changes_floor) {
		changed_by_ring(f, since, fn, ctx);
		return;
	}
	for (size_t i = 0; i < pub->msgs.n; i++)
		if (pub->msgs.a[i].modseq > since && !(pub->msgs.a[i].state & MSG_EXPUNGED))
			fn(ctx, i);
}

struct holes {
	folder_vanished_fn *fn;
	void *ctx;
	uint32_t next;
};

static void hole(struct holes *h, uint32_t end)
{
	if (h->next < end)
		h->fn(h->ctx, h->next, end - 1);
}

void folder_vanished_since(const struct folder *pub, uint64_t since, folder_vanished_fn *fn, void *ctx)
{
	struct holes h = {fn, ctx, 1};

	if (since >= pub->modseq || history_since(&fold_of_const(pub)->gone, since, fn, ctx))
		return;
	for (size_t i = 0; i < pub->msgs.n; i++) {
		const struct msg *m = &pub->msgs.a[i];
		if (m->state & MSG_EXPUNGED)
			continue;
		hole(&h, m->uid);
		h.next = m->uid + 1;
	}
	hole(&h, pub->uidnext);
}

bool folder_claim_recent(struct folder *f, size_t index)
{
	uint8_t *state = &f->msgs.a[index].state;

	if (!(*state & MSG_RECENT))
		return false;
	__atomic_and_fetch(state, (uint8_t)~MSG_RECENT, __ATOMIC_RELAXED);
	return true;
}

/* ---- the end ------------------------------------------------------------------------------------- */

static void free_values(struct hmap **m)
{
	size_t it = 0;
	struct str key;
	void *v;

	while (*m && hmap_next(*m, &it, &key, &v))
		free(v);
	hmap_free(m);
}

void fold_clear(struct fold *f)
{
	vec_foreach(m, &f->f.msgs)
		msg_free(m);
	vec_foreach(k, &f->f.keywords)
		free(*k);
	vec_free(&f->f.msgs);
	vec_free(&f->f.tombs);
	vec_free(&f->f.keywords);
	vec_free(&f->changes);
	history_free(&f->gone);
	vec_free(&f->learnt);
	index_free(&f->index);
	free_values(&f->kwsets);
	free_values(&f->odd);
	hmap_free(&f->skipped);
}
