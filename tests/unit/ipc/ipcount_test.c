/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include "common/base/ensure.h"
#include "common/ipc/ipcount.h"

enum { WORKERS = 3 };

struct host {
	int own[WORKERS], shared[WORKERS];
	struct ipcount *c[WORKERS];
};

static struct host *host_new(uint64_t addresses)
{
	static const uint64_t key[2] = {1, 2};
	struct host *h = xcalloc(1, sizeof(*h));

	for (size_t i = 0; i < WORKERS; i++)
		assert_int_equal(ipcount_make(addresses, &h->own[i], &h->shared[i]), 0);
	for (size_t i = 0; i < WORKERS; i++) {
		h->c[i] = ipcount_new();
		assert_int_equal(ipcount_set_own(h->c[i], key, h->own[i]), 0);
		for (size_t k = 0; k < WORKERS; k++)
			if (k != i)
				assert_int_equal(ipcount_add_other(h->c[i], h->shared[k]), 0);
	}
	return h;
}

static void host_free(struct host *h)
{
	for (size_t i = 0; i < WORKERS; i++) {
		ipcount_free(&h->c[i]);
		close(h->own[i]);
		close(h->shared[i]);
	}
	free(h);
}

static struct net_addr ip(const char *text)
{
	struct net_addr a;

	assert_true(net_addr_parse(str_c(text), &a));
	return a;
}

/* as an address that lives as long as the call */
#define IP(text) (&(struct net_addr[1]){ip(text)}[0])

static void over_workers(void **state)
{
	struct host *h = host_new(1000);
	struct net_addr a = ip("192.0.2.1"), b = ip("192.0.2.2");

	for (unsigned i = 0; i < 6; i++)
		assert_true(ipcount_enter(h->c[i % WORKERS], &a, 6));
	for (size_t i = 0; i < WORKERS; i++) {
		assert_false(ipcount_enter(h->c[i], &a, 6));
		assert_int_equal(ipcount_sum(h->c[i], &a), 6);
	}
	assert_true(ipcount_enter(h->c[0], &b, 1));
	assert_false(ipcount_enter(h->c[2], &b, 1));
	ipcount_leave(h->c[1], &a);
	assert_true(ipcount_enter(h->c[2], &a, 6));
	assert_true(ipcount_enter(h->c[2], &a, 0));
	ipcount_leave(h->c[1], IP("192.0.2.3")); /* never came */
	ipcount_clear(h->own[2]);		 /* it died with its three and one */
	assert_int_equal(ipcount_sum(h->c[0], &a), 3);
	host_free(h);
}

static void by_network(void **state)
{
	struct host *h = host_new(1000);

	assert_true(ipcount_enter(h->c[0], IP("2001:db8::1"), 1));
	assert_false(ipcount_enter(h->c[1], IP("2001:db8::ffff:0:0:2"), 1));
	assert_true(ipcount_enter(h->c[1], IP("2001:db8:0:1::1"), 1));
	assert_true(ipcount_enter(h->c[0], IP("192.0.2.1"), 1));
	assert_false(ipcount_enter(h->c[0], IP("::ffff:192.0.2.1"), 1));
	assert_true(ipcount_enter(h->c[0], IP("192.0.2.2"), 1));
	host_free(h);
}

/* As many addresses as it is made for are counted exactly, and nothing is left of them. */
static void many(void **state)
{
	enum { N = 20000 };
	struct host *h = host_new(N);
	struct net_addr a = ip("10.0.0.0");

	for (unsigned i = 0; i < N; i++) {
		memcpy(a.b + 12, &i, 4);
		assert_true(ipcount_enter(h->c[0], &a, 1));
		assert_false(ipcount_enter(h->c[1], &a, 1));
	}
	for (unsigned i = 0; i < N; i++) {
		memcpy(a.b + 12, &i, 4);
		ipcount_leave(h->c[0], &a);
		assert_int_equal(ipcount_sum(h->c[1], &a), 0);
	}
	host_free(h);
}

static void others_cant_write(void **state)
{
	struct host *h = host_new(10);

	assert_true(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, h->shared[0], 0) ==
		    MAP_FAILED);
	assert_int_equal(write(h->shared[0], "x", 1), -1);
	assert_int_equal(ftruncate(h->own[0], 0), -1);
	assert_int_equal(ftruncate(h->own[0], 1 << 20), -1);
	host_free(h);
}

struct racer {
	struct ipcount *c;
	const struct net_addr *a;
	unsigned most, got;
};

enum { MAX = 2, ROUNDS = 50000 };
static unsigned inside;

static void *race(void *arg)
{
	struct racer *r = arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned now;

		if (!ipcount_enter(r->c, r->a, MAX))
			continue;
		now = __atomic_add_fetch(&inside, 1, __ATOMIC_SEQ_CST);
		if (now > r->most)
			r->most = now;
		r->got++;
		__atomic_sub_fetch(&inside, 1, __ATOMIC_SEQ_CST);
		ipcount_leave(r->c, r->a);
	}
	return NULL;
}

static void never_too_many(void **state)
{
	struct host *h = host_new(10);
	struct net_addr a = ip("192.0.2.1");
	struct racer r[WORKERS];
	pthread_t t[WORKERS];
	unsigned got = 0;

	for (size_t i = 0; i < WORKERS; i++) {
		r[i] = (struct racer){h->c[i], &a, 0, 0};
		assert_int_equal(pthread_create(&t[i], NULL, race, &r[i]), 0);
	}
	for (size_t i = 0; i < WORKERS; i++) {
		pthread_join(t[i], NULL);
		assert_in_range(r[i].most, 0, MAX);
		got += r[i].got;
	}
	assert_int_not_equal(got, 0); /* all in all: who comes in is up to the scheduler */
	assert_int_equal(ipcount_sum(h->c[0], &a), 0);
	host_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(over_workers),	  cmocka_unit_test(by_network),
		cmocka_unit_test(many),		  cmocka_unit_test(others_cant_write),
		cmocka_unit_test(never_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
