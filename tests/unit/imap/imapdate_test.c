/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "common/base/ensure.h"
#include "common/imap/imapdate.h"

static void datetimes(void **state)
{
	static const struct {
		const char *in;
		int64_t utc;
		int zone;
		const char *out;
	} v[] = {
		{"01-Jan-1970 00:00:00 +0000", 0, 0, "\"01-Jan-1970 00:00:00 +0000\""},
		{" 1-jan-2026 10:00:00 +0100", 1767258000, 60, "\"01-Jan-2026 10:00:00 +0100\""},
		{"17-Jul-1996 02:44:25 -0700", 837596665, -420, "\"17-Jul-1996 02:44:25 -0700\""},
		{"29-Feb-2024 23:59:59 +0530", 1709231399, 330, "\"29-Feb-2024 23:59:59 +0530\""},
		{"29-Feb-2000 00:00:00 +0000", 951782400, 0, "\"29-Feb-2000 00:00:00 +0000\""},
		{"31-Dec-1969 23:59:59 +0000", -1, 0, "\"31-Dec-1969 23:59:59 +0000\""},
		{"31-Dec-9999 23:59:59 +0000", 253402300799, 0, "\"31-Dec-9999 23:59:59 +0000\""},
		{"01-Jan-1900 00:00:00 +0000", -2208988800, 0, "\"01-Jan-1900 00:00:00 +0000\""},
		{"31-Dec-2016 23:59:60 +0000", 1483228800, 0, "\"01-Jan-2017 00:00:00 +0000\""},
	};
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		int64_t utc;
		int zone;
		buf_reset(&out);
		assert_true(imap_datetime_parse(str_c(v[i].in), &utc, &zone));
		assert_int_equal(utc, v[i].utc);
		assert_int_equal(zone, v[i].zone);
		imap_datetime_put(&out, utc, zone);
		assert_string_equal(buf_cstr(&out), v[i].out);
	}
	buf_deinit(&out);
}

static void refuses(void **state)
{
	static const char *const bad[] = {
		"",
		"01-Jan-2026",
		"1-Jan-2026 10:00:00 +0000",
		"00-Jan-2026 10:00:00 +0000",
		"32-Jan-2026 10:00:00 +0000",
		"29-Feb-2023 10:00:00 +0000",
		"29-Feb-1900 10:00:00 +0000",
		"31-Apr-2026 10:00:00 +0000",
		"01-Jan-0000 10:00:00 +0000",
		"01-Jan--001 10:00:00 +0000",
		"01-Jan-1899 10:00:00 +0000",
		"01-Jan-10000 10:00:00 +0000",
		"01-Jan-99 10:00:00 +0000",
		"01-Foo-2026 10:00:00 +0000",
		"01-Jan-2026 24:00:00 +0000",
		"01-Jan-2026 10:60:00 +0000",
		"01-Jan-2026 10:00:61 +0000",
		"01-Jan-2026 10:00 +0000",
		"01-Jan-2026 10:00:00",
		"01-Jan-2026 10:00:00 0000",
		"01-Jan-2026 10:00:00 +2400",
		"01-Jan-2026 10:00:00 +0060",
		"01-Jan-2026 10:00:00 +000",
		"01-Jan-2026 10:00:00 GMT",
		"01-Jan-2026 10:00:00 +0000 ",
		"01-Jan-2026  10:00:00 +0000",
	};
	int64_t utc = 42;
	int zone;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (imap_datetime_parse(str_c(bad[i]), &utc, &zone))
			fail_msg("accepted: %s", bad[i]);
	assert_int_equal(utc, 42);
}

static void dates(void **state)
{
	static const char *const bad[] = {
		"",	      "1-Feb",	     "1-Feb-94",    "001-Feb-1994",
		"1 Feb 1994", "30-Feb-1994", "-1-Feb-1994", "1-Feb-1994x",
		" 1-Feb-1994"};
	int64_t day;

	assert_true(imap_date_parse(STR("1-Feb-1994"), &day));
	assert_int_equal(day, 8797);
	assert_true(imap_date_parse(STR("01-FEB-1994"), &day));
	assert_int_equal(day, 8797);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (imap_date_parse(str_c(bad[i]), &day))
			fail_msg("accepted: %s", bad[i]);
}

/* What a file's time may be: the answer is a date-time all the same. */
static void any_time_is_printed(void **state)
{
	static const int64_t times[] = {INT64_MIN, INT64_MAX, -62135596800, 253402300800, -1, 0};
	struct buf out = BUF_INIT;
	int64_t utc;
	int zone;

	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		for (int z = -1439; z <= 1439; z += 1439) {
			buf_reset(&out);
			imap_datetime_put(&out, times[i], z);
			assert_int_equal(out.n, 28);
			assert_true(
				imap_datetime_parse(str_sub(buf_str(&out), 1, 26), &utc, &zone));
			assert_int_equal(zone, z);
		}
	}
	buf_deinit(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(datetimes), cmocka_unit_test(refuses),
		cmocka_unit_test(dates),     cmocka_unit_test(any_time_is_printed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
