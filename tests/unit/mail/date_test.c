/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/mail/mailtest.h"
#include "common/mail/date.h"

#define DAY 86400

static void check(const char *text, int64_t utc, int zone, int32_t day)
{
	struct maildate d;

	if (!date_parse(str_c(text), &d))
		fail_msg("no date: %s", text);
	assert_int_equal(d.utc, utc);
	assert_int_equal(d.zone, zone);
	assert_int_equal(d.day, day);
}

static void test_dates(void **state)
{
	/* 2026-11-21 is day 20778, 06:30 UTC is 1795242600 */
	const int64_t t = 1795242600;

	check("Sat, 21 Nov 2026 06:30:00 +0000", t, 0, 20778);
	check(" Sat, 21 Nov 2026 06:30:00 +0000 (UTC)\r\n", t, 0, 20778);
	check("21 Nov 2026 06:30 +0000", t, 0, 20778);
	check("21 nov 26 06:30:00 GMT", t, 0, 20778);
	check("21 Nov 126 06:30:00 UT", t, 0, 20778);
	check("Sat, 21 Nov 2026 08:30:00 +0200", t, 120, 20778);
	check("Sat, 21 Nov 2026 01:30:00 EST", t, -300, 20778);
	check("Fri, 20 Nov 2026 22:30:00 PST", t, -480, 20777);
	check("Sun, 22 Nov 2026 01:30:00 +19:00", t, 1140, 20779);
	check("Sat, 21 Nov 2026 06:30:00 Z", t, 0, 20778);
	check("Sat, 21 Nov 2026 06:30:00 -0000", t, 0, 20778);
	check("Sat, 21 Nov 2026 06:30:00", t, 0, 20778);
	check("Sat, 21 Nov 2026 06:30:00 NOWHERE", t, 0, 20778);
	check("Saturday, 21-Nov-2026 06:30:00 GMT", t, 0, 20778);
	check("Sat,(a (comment))21(x)Nov(y)2026\n 06 : 30 : 00 (z) +0000", t, 0, 20778);
	check("Sat Nov 21 06:30:00 2026", t, 0, 20778);
	check("Sat Nov 21 06:30:00 UTC 2026", t, 0, 20778);
	check("November 21, 2026 06:30", t, 0, 20778);
	check("Sat, 21 Nov 2026 06.30.00 +0000", t, 0, 20778);
	check("21 Nov 2026", t - 6 * 3600 - 1800, 0, 20778);
	check("1 Jan 1970 00:00:00 +0000", 0, 0, 0);
	check("31 Dec 1969 23:59:60 +0000", 0, 0, -1);
	check("29 Feb 2000 00:00:00 +0000", 951782400, 0, 11016);
	check("1 Jan 49 00:00", 2493072000, 0, 28855);
	check("1 Jan 50 00:00", -631152000, 0, -7305);
}

/* B45: far years cost nothing and overflow nothing. */
static void test_hostile(void **state)
{
	static const char *const bad[] = {
		"",
		"x",
		"0 Jan 2026 00:00",
		"32 Jan 2026 00:00",
		"1 Foo 2026",
		"1 Jan",
		"1 Jan 99999 00:00",
		"1 Jan 10000 00:00",
		"1 Jan 2026 24:00",
		"1 Jan 2026 00:60",
		"1 Jan 2026 00:00:61",
		"(",
		"Sat,",
		"Sat, 21",
		"999999999999999999999 Jan 2026",
		"Nov",
		"21 Nov 99999999999999999999",
		"\"",
		"1 (Jan",
	};
	struct maildate d;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (date_parse(str_c(bad[i]), &d))
			fail_msg("a date: %s", bad[i]);
	check("1 Jan 9999 00:00 +9999", (int64_t)2932532 * DAY, 0, 2932532);
	check("1 Jan 0000 00:00 +0000", (int64_t)-719528 * DAY, 0, -719528);
	check("1 Jan -1 00:00:00", 978307200, 0, 11323); /* the dash of 1-Jan-2001 */
	assert_false(date_parse(STR("1 J\0n 2026"), &d));
}

/* Every prefix, at the end of an allocation. */
static void test_prefixes(void **state)
{
	static const char text[] = "Sat, 21 (x) Nov 2026 06:30:00 +02:00 (\\";
	struct maildate d;

	for (size_t n = 0; n < sizeof text; n++) {
		char *p = xmalloc(n);

		memcpy(p, text, n);
		date_parse(str_mem(p, n), &d);
		free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_prefixes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
