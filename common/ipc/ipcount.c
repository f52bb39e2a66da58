/* SPDX-License-Identifier: Apache-2.0 */
#include "common/ipc/ipcount.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "common/base/ensure.h"
#include "common/base/hmap.h"

enum { SLOTS = 8, COUNT_BITS = 24, V6_BITS = 64, ROOM = 4 };
#define COUNT_MASK ((1u << COUNT_BITS) - 1)

struct bucket {
	uint64_t slot[SLOTS]; /* tag of the address << COUNT_BITS | count; 0: free */
};

struct table {
	struct bucket *b;
	size_t n; /* a power of two */
};

struct ipcount {
	uint64_t key[2];
	struct table own;
	struct table *others;
	size_t nothers;
};

struct place {
	uint64_t tag, first, second;
};

int ipcount_make(uint64_t addresses, int *own, int *shared)
{
	size_t n = 16;
	char path[40];

	while (n * SLOTS < addresses * ROOM)
		n *= 2;
	*own = memfd_create("ipcount", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (*own < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", *own);
	/* Nobody can pull the ground from under the others' maps, nor open it anew to write. */
	if (fchmod(*own, 0600) == 0 && ftruncate(*own, (off_t)(n * sizeof(struct bucket))) == 0 &&
	    fcntl(*own, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0) {
		*shared = open(path, O_RDONLY | O_CLOEXEC);
		if (*shared >= 0)
			return 0;
	}
	close(*own);
	return -1;
}

void ipcount_clear(int own)
{
	struct stat st;

	if (fstat(own, &st) == 0)
		fallocate(own, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, st.st_size);
}

struct ipcount *ipcount_new(void)
{
	return xcalloc(1, sizeof(struct ipcount));
}

static int map(struct table *t, int fd, int protection)
{
	struct stat st;
	void *p;

	if (fstat(fd, &st))
		return -1;
	t->n = (size_t)st.st_size / sizeof(struct bucket);
	if (t->n == 0 || t->n & (t->n - 1)) {
		errno = EINVAL;
		return -1;
	}
	p = mmap(NULL, t->n * sizeof(struct bucket), protection, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return -1;
	t->b = p;
	return 0;
}

int ipcount_set_own(struct ipcount *c, const uint64_t key[2], int fd)
{
	memcpy(c->key, key, sizeof(c->key));
	return map(&c->own, fd, PROT_READ | PROT_WRITE);
}

int ipcount_add_other(struct ipcount *c, int fd)
{
	c->others = xrealloc(c->others, (c->nothers + 1) * sizeof(*c->others));
	if (map(&c->others[c->nothers], fd, PROT_READ))
		return -1;
	c->nothers++;
	return 0;
}

static struct place place_of(const struct ipcount *c, const struct net_addr *a)
{
	struct net_addr cut = *a;
	uint64_t h;

	if (!net_addr_is4(a))
		net_addr_cut(&cut, V6_BITS);
	h = hash_keyed(c->key, str_mem(cut.b, sizeof(cut.b)));
	return (struct place){h >> COUNT_BITS, h & COUNT_MASK,
			      (h ^ (h >> COUNT_BITS)) & COUNT_MASK};
}

/* The address's slot, or a free one where want_free, or NULL. */
static uint64_t *find(const struct table *t, const struct place *p, bool want_free)
{
	struct bucket *const two[] = {&t->b[p->first & (t->n - 1)], &t->b[p->second & (t->n - 1)]};
	uint64_t *free_one = NULL;

	for (size_t i = 0; i < ARRAY_LEN(two); i++)
		for (size_t k = 0; k < SLOTS; k++) {
			uint64_t *slot = &two[i]->slot[k];
			uint64_t v = __atomic_load_n(slot, __ATOMIC_SEQ_CST);

			if (v && v >> COUNT_BITS == p->tag)
				return slot;
			if (!v && !free_one)
				free_one = slot;
		}
	return want_free ? free_one : NULL;
}

static uint64_t count_in(const struct table *t, const struct place *p)
{
	const uint64_t *slot = t->b ? find(t, p, false) : NULL;

	return slot ? __atomic_load_n(slot, __ATOMIC_SEQ_CST) & COUNT_MASK : 0;
}

static uint64_t sum(const struct ipcount *c, const struct place *p)
{
	uint64_t n = count_in(&c->own, p);

	for (size_t i = 0; i < c->nothers; i++)
		n += count_in(&c->others[i], p);
	return n;
}

uint64_t ipcount_sum(const struct ipcount *c, const struct net_addr *a)
{
	struct place p = place_of(c, a);

	return sum(c, &p);
}

static void add(uint64_t *slot, const struct place *p, int by)
{
	uint64_t n = (__atomic_load_n(slot, __ATOMIC_SEQ_CST) & COUNT_MASK) + (uint64_t)by;

	__atomic_store_n(slot, n ? p->tag << COUNT_BITS | n : 0, __ATOMIC_SEQ_CST);
}

bool ipcount_enter(struct ipcount *c, const struct net_addr *a, uint64_t max)
{
	struct place p = place_of(c, a);
	uint64_t *slot = c->own.b ? find(&c->own, &p, true) : NULL;

	/* No slot: both buckets are full, which chance doesn't bring about. The client isn't counted. */
	if (!slot || count_in(&c->own, &p) == COUNT_MASK)
		return true;
	/* Counted first: of two workers that take the last place at once, none gets it; never both. */
	add(slot, &p, 1);
	if (max == 0 || sum(c, &p) <= max)
		return true;
	add(slot, &p, -1);
	return false;
}

void ipcount_leave(struct ipcount *c, const struct net_addr *a)
{
	struct place p = place_of(c, a);
	uint64_t *slot = c->own.b ? find(&c->own, &p, false) : NULL;

	if (slot)
		add(slot, &p, -1);
}

static void unmap(struct table *t)
{
	if (t->b)
		munmap(t->b, t->n * sizeof(struct bucket));
}

void ipcount_free(struct ipcount **cp)
{
	struct ipcount *c = *cp;

	if (!c)
		return;
	unmap(&c->own);
	for (size_t i = 0; i < c->nothers; i++)
		unmap(&c->others[i]);
	free(c->others);
	free(c);
	*cp = NULL;
}
