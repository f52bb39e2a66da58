/* SPDX-License-Identifier: Apache-2.0 */
#include "common/imap/imapdate.h"

#include "common/base/calendar.h"

static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
				   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

static int days_in(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return days[month - 1] + (month == 2 && leap);
}

/* Cuts n digits off *s. */
static bool digits(struct str *s, size_t n, int *out)
{
	int v = 0;

	if (s->n < n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (s->p[i] < '0' || s->p[i] > '9')
			return false;
		v = v * 10 + (s->p[i] - '0');
	}
	*out = v;
	*s = str_from(*s, n);
	return true;
}

static bool skip(struct str *s, char c)
{
	if (s->n == 0 || s->p[0] != c)
		return false;
	*s = str_from(*s, 1);
	return true;
}

static bool month_name(struct str *s, int *month)
{
	for (int m = 0; m < 12; m++) {
		if (!str_ieq(str_sub(*s, 0, 3), str_c(months[m])))
			continue;
		*s = str_from(*s, 3);
		*month = m + 1;
		return true;
	}
	return false;
}

/* What follows the day: "-Jan-2026". Checks the date as a whole. */
static bool rest_of_date(struct str *s, int day, int64_t *days)
{
	int year, month;

	if (!skip(s, '-') || !month_name(s, &month) || !skip(s, '-') || !digits(s, 4, &year))
		return false;
	if (year < IMAP_DATE_YEAR_MIN || day < 1 || day > days_in(year, month))
		return false;
	*days = calendar_days(year, month, day);
	return true;
}

bool imap_date_parse(struct str s, int64_t *day)
{
	int d;
	int64_t days;

	if (!digits(&s, s.n > 1 && s.p[1] == '-' ? 1 : 2, &d) || !rest_of_date(&s, d, &days) || s.n)
		return false;
	*day = days;
	return true;
}

static bool time_of_day(struct str *s, int *seconds)
{
	int h, m, sec;

	if (!digits(s, 2, &h) || !skip(s, ':') || !digits(s, 2, &m) || !skip(s, ':') ||
	    !digits(s, 2, &sec))
		return false;
	if (h > 23 || m > 59 || sec > 60) /* 60: a leap second counts as the next minute's first */
		return false;
	*seconds = h * 3600 + m * 60 + sec;
	return true;
}

static bool zone_offset(struct str *s, int *minutes)
{
	int h, m;
	bool west = s->n && s->p[0] == '-';

	if (!skip(s, west ? '-' : '+') || !digits(s, 2, &h) || !digits(s, 2, &m) || h > 23 ||
	    m > 59)
		return false;
	*minutes = (h * 60 + m) * (west ? -1 : 1);
	return true;
}

bool imap_datetime_parse(struct str s, int64_t *utc, int *zone)
{
	int day, seconds, minutes;
	int64_t days;

	/* date-day-fixed = (SP DIGIT) / 2DIGIT */
	if (!(skip(&s, ' ') ? digits(&s, 1, &day) : digits(&s, 2, &day)))
		return false;
	if (!rest_of_date(&s, day, &days) || !skip(&s, ' ') || !time_of_day(&s, &seconds) ||
	    !skip(&s, ' ') || !zone_offset(&s, &minutes) || s.n)
		return false;
	*utc = days * 86400 + seconds - minutes * 60;
	*zone = minutes;
	return true;
}

void imap_datetime_put(struct buf *out, int64_t utc, int zone)
{
	static const int64_t least = -2208988800, most = 253402300799; /* 1900 to 9999 */
	int64_t local, days, secs;
	int year, month, day;

	/* A file's time may be anything; the answer has four digits for the year. */
	utc = utc < least ? least : utc > most ? most : utc;
	local = utc + zone * 60;
	local = local < least ? least : local > most ? most : local;
	days = (local >= 0 ? local : local - 86399) / 86400;
	secs = local - days * 86400;
	calendar_date(days, &year, &month, &day);
	buf_printf(out, "\"%02d-%s-%04d %02d:%02d:%02d %c%02d%02d\"", day, months[month - 1], year,
		   (int)(secs / 3600), (int)(secs / 60 % 60), (int)(secs % 60),
		   zone < 0 ? '-' : '+', abs(zone) / 60, abs(zone) % 60);
}
