/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/base/calendar.h"

/* Day by day through all years, against the calendar counted by hand. */
static void counts(void **state)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int64_t n = calendar_days(-1, 1, 1);

	assert_int_equal(calendar_days(1900, 1, 1), -25567);
	assert_int_equal(calendar_days(9999, 12, 31), 2932896);
	for (int y = -1; y <= 2500; y++)
		for (int m = 1; m <= 12; m++)
			for (int d = 1, leap = (y % 4 == 0 && y % 100) || y % 400 == 0;
			     d <= days[m - 1] + (m == 2 && leap); d++, n++) {
				int year, month, day;

				assert_int_equal(calendar_days(y, m, d), n);
				calendar_date(n, &year, &month, &day);
				assert_true(year == y && month == m && day == d);
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(counts)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
