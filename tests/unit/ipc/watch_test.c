/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>
#include "common/base/ensure.h"
#include "common/ipc/watch.h"

static void events_come_back(void **state)
{
	const struct watch_event in[] = {
		{1, WATCH_NEW, WATCH_ARRIVED, STR("1.M2P3.host")},
		{0xfffffffe, WATCH_CUR, WATCH_LEFT, STR("1.M2P3.host:2,FS")},
		{7, WATCH_CUR, WATCH_GONE, STR("")},
	};
	struct buf b = BUF_INIT;
	struct watch_event e;

	for (size_t i = 0; i < ARRAY_LEN(in); i++)
		watch_event_put(&b, &in[i]);
	struct wire w = wire_reader(buf_str(&b));
	for (size_t i = 0; i < ARRAY_LEN(in); i++) {
		assert_true(watch_event_get(&w, &e));
		assert_int_equal(e.folder, in[i].folder);
		assert_int_equal(e.dir, in[i].dir);
		assert_int_equal(e.kind, in[i].kind);
		assert_true(str_eq(e.name, in[i].name));
	}
	assert_true(wire_end(&w));
	buf_deinit(&b);
}

static bool parses(const void *p, size_t n)
{
	struct wire w = wire_reader(str_mem(p, n));
	struct watch_event e;

	return watch_event_get(&w, &e);
}

static void bad_events_are_refused(void **state)
{
	unsigned char ok[10 + 256] = {1, 0, 0, 0, WATCH_CUR, WATCH_LEFT, 255, 0, 0, 0};

	assert_true(parses(ok, 10 + 255));
	for (size_t n = 0; n < 10 + 255; n++)
		assert_false(parses(ok, n));
	ok[6] = 0, ok[7] = 1; /* a name of 256 bytes */
	assert_false(parses(ok, 10 + 256));
	ok[6] = ok[7] = 0;
	assert_true(parses(ok, 10));
	ok[4] = 2;
	assert_false(parses(ok, 10));
	ok[4] = WATCH_CUR;
	ok[5] = WATCH_KIND_N;
	assert_false(parses(ok, 10));
}

static void journal_comes_back(void **state)
{
	const struct watch_journal in = {9, 1ULL << 40, UINT64_MAX};
	struct watch_journal out;
	struct buf b = BUF_INIT;

	watch_journal_put(&b, &in);
	assert_true(watch_journal_get(buf_str(&b), &out));
	assert_int_equal(out.folder, in.folder);
	assert_int_equal(out.generation, in.generation);
	assert_int_equal(out.offset, in.offset);
	for (size_t n = 0; n < b.n; n++)
		assert_false(watch_journal_get(str_sub(buf_str(&b), 0, n), &out));
	buf_putc(&b, 0);
	assert_false(watch_journal_get(buf_str(&b), &out)); /* a byte left over */
	buf_deinit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_come_back),
		cmocka_unit_test(bad_events_are_refused),
		cmocka_unit_test(journal_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
