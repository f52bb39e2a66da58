/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "common/base/ensure.h"
#include "common/imap/seqset.h"

static void check(const char *text, uint32_t max, const char *want)
{
	struct imap_seqset s = IMAP_SEQSET_INIT;
	struct buf out = BUF_INIT;

	if (!imap_seqset_parse(&s, str_c(text), 100)) {
		assert_null(want);
		assert_int_equal(s.n, 0);
		return;
	}
	assert_non_null(want);
	imap_seqset_resolve(&s, max);
	imap_seqset_put(&out, &s);
	assert_string_equal(buf_cstr(&out), want);
	buf_deinit(&out);
	imap_seqset_deinit(&s);
}

static void parses_and_resolves(void **state)
{
	check("1", 9, "1");
	check("*", 9, "9");
	check("1:4,7,*:3", 9, "1:9");
	check("*:5", 3, "3:5");
	check("5:*", 3, "3:5");
	check("*:*", 3, "3");
	check("4:2,3:1", 9, "1:4");
	check("1,2,3,5,7:8,6", 9, "1:3,5:8");
	check("4294967295:1", 9, "1:4294967295");
	check("4294967295,4294967294,1", 9, "1,4294967294:4294967295");
	check("1:4294967295,7", 9, "1:4294967295");
	check("*,1:*,3", 0, "3");
	check("*", 0, "");
	check("007", 9, "7");
}

static void refuses(void **state)
{
	static const char *const bad[] = {
		"",
		"0",
		"0:1",
		"1:0",
		"4294967296",
		"99999999999999999999",
		"00000000001",
		",",
		"1,",
		",1",
		"1,,2",
		"1:",
		":1",
		"1:2:3",
		"-1",
		"+1",
		"1 ",
		"a",
		"**",
		"*1",
		"$",
		"1;2",
		"0x1",
		":",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		check(bad[i], 9, NULL);
}

static void bounds_ranges(void **state)
{
	struct imap_seqset s = IMAP_SEQSET_INIT;
	struct buf in = BUF_INIT;

	for (unsigned i = 1; i <= 5000; i++)
		buf_printf(&in, "%s%u:%u", i > 1 ? "," : "", 5001 - i, 6000 + i);
	assert_false(imap_seqset_parse(&s, buf_str(&in), 4999));
	assert_int_equal(s.n, 0);
	assert_true(imap_seqset_parse(&s, buf_str(&in), 5000));
	imap_seqset_resolve(&s, 10);
	assert_int_equal(s.n, 1);
	assert_true(s.a[0].lo == 1 && s.a[0].hi == 11000);
	imap_seqset_deinit(&s);
	buf_deinit(&in);
}

static void finds(void **state)
{
	struct imap_seqset s = IMAP_SEQSET_INIT;

	assert_true(imap_seqset_parse(&s, STR("9,2:4,4294967295"), 10));
	imap_seqset_resolve(&s, 100);
	assert_int_equal(imap_seqset_max(&s), 4294967295U);
	assert_false(imap_seqset_has(&s, 1));
	assert_true(imap_seqset_has(&s, 2));
	assert_true(imap_seqset_has(&s, 4));
	assert_false(imap_seqset_has(&s, 5));
	assert_false(imap_seqset_has(&s, 10));
	assert_true(imap_seqset_has(&s, 4294967295U));
	imap_seqset_deinit(&s);
	assert_false(imap_seqset_has(&s, 1));
	assert_int_equal(imap_seqset_max(&s), 0);
}

static void builds(void **state)
{
	struct imap_seqset s = IMAP_SEQSET_INIT;
	struct buf out = BUF_INIT;

	imap_seqset_add(&s, 3, 3);
	imap_seqset_add(&s, 4, 4);
	imap_seqset_add(&s, 6, 9);
	imap_seqset_add(&s, 1, 1);
	imap_seqset_put(&out, &s);
	assert_string_equal(buf_cstr(&out), "3:4,6:9,1");
	buf_deinit(&out);
	imap_seqset_deinit(&s);
}

static void parsed(struct imap_seqset *s, const char *text)
{
	*s = IMAP_SEQSET_INIT;
	if (*text)
		assert_true(imap_seqset_parse(s, str_c(text), 100));
}

static void looks_at_the_order(void **state)
{
	static const struct {
		const char *text;
		bool stars, ascends;
	} v[] = {
		{"1", false, true},	     {"1:4,5,9:9", false, true}, {"2,1", false, false},
		{"1,1", false, false},	     {"4:1", false, false},	 {"1:4,4:5", false, false},
		{"4294967295", false, true}, {"*", true, true},		 {"1:*", true, false},
		{"3,*:4", true, false},
	};
	struct imap_seqset s;

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		parsed(&s, v[i].text);
		assert_int_equal(imap_seqset_stars(&s), v[i].stars);
		if (!v[i].stars)
			assert_int_equal(imap_seqset_ascends(&s), v[i].ascends);
		imap_seqset_deinit(&s);
	}
	parsed(&s, "1:4294967295");
	assert_int_equal(imap_seqset_count(&s), 4294967295U);
	imap_seqset_deinit(&s);
	parsed(&s, "1,3:4,9");
	assert_int_equal(imap_seqset_count(&s), 4);
	imap_seqset_deinit(&s);
	assert_int_equal(imap_seqset_count(&s), 0);
}

static void compares(void **state)
{
	static const char *const v[][4] = {
		/* a, b, both, a without b */
		{"1:10", "3:4,8", "3:4,8", "1:2,5:7,9:10"},
		{"1,3,5", "2,4,6", "", "1,3,5"},
		{"1:3,7:9", "2:8", "2:3,7:8", "1,9"},
		{"1:4294967295", "4294967295", "4294967295", "1:4294967294"},
		{"1:4294967295", "1", "1", "2:4294967295"},
		{"4294967295", "1:4294967295", "4294967295", ""},
		{"5", "", "", "5"},
		{"", "5", "", ""},
		{"1:2,4:5,7:8", "2:4,8:20", "2,4,8", "1,5,7"},
		{"2:3", "1:2,3", "2:3", ""},
	};
	struct imap_seqset a, b, out;
	struct buf text = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		for (int way = 0; way < 2; way++) {
			parsed(&a, v[i][0]);
			parsed(&b, v[i][1]);
			parsed(&out, "");
			if (way)
				imap_seqset_without(&out, &a, &b);
			else
				imap_seqset_both(&out, &a, &b);
			buf_reset(&text);
			imap_seqset_put(&text, &out);
			assert_string_equal(buf_cstr(&text), v[i][2 + way]);
			imap_seqset_deinit(&a);
			imap_seqset_deinit(&b);
			imap_seqset_deinit(&out);
		}
	}
	buf_deinit(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_and_resolves),
		cmocka_unit_test(refuses),
		cmocka_unit_test(bounds_ranges),
		cmocka_unit_test(finds),
		cmocka_unit_test(builds),
		cmocka_unit_test(looks_at_the_order),
		cmocka_unit_test(compares),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
