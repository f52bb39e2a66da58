// SPDX-License-Identifier: Apache-2.0
#include "common/mail/date.h"
#include "common/base/calendar.h"
#include "common/mail/rfc822.h"

#define MINUTES_A_DAY 1440
#define SECONDS_A_DAY 86400

/* At most max digits; false without any. */
static bool number(struct rfc822 *x, int max, int *value, int *digits)
{
	*value = 0;
	for (*digits = 0; *digits < max && x->p < x->end && *x->p >= '0' && *x->p <= '9'; x->p++) {
		*value = *value * 10 + (*x->p - '0');
		++*digits;
	}
	return *digits > 0;
}

static struct str letters(struct rfc822 *x)
{
	const char *start = x->p;

	while (x->p < x->end && ((*x->p >= 'A' && *x->p <= 'Z') || (*x->p >= 'a' && *x->p <= 'z')))
		x->p++;
	return str_mem(start, (size_t)(x->p - start));
}

/* Index of the three-letter name that s begins with, or -1. */
static int name_index(struct str s, const char *names, int n)
{
	for (int i = 0; i < n && s.n >= 3; i++)
		if (str_ieq(str_sub(s, 0, 3), str_mem(names + 3 * i, 3)))
			return i;
	return -1;
}

static void skip(struct rfc822 *x, const char *also)
{
	for (;;) {
		rfc822_cfws(x, NULL);
		if (x->p == x->end || *x->p == 0 || !strchr(also, *x->p))
			return;
		x->p++;
	}
}

static bool day_and_month(struct rfc822 *x, int *day, int *month)
{
	struct str word;
	int digits;

	skip(x, "");
	word = letters(x); /* day of the week, or of "Sat Nov 21 ..." the same */
	skip(x, ",.");
	if (word.n == 0 || name_index(word, "SunMonTueWedThuFriSat", 7) >= 0)
		word = letters(x);
	*month = name_index(word, "JanFebMarAprMayJunJulAugSepOctNovDec", 12);
	skip(x, "-");
	if (!number(x, 2, day, &digits))
		return false;
	skip(x, "-,.");
	if (*month < 0)
		*month = name_index(letters(x), "JanFebMarAprMayJunJulAugSepOctNovDec", 12);
	skip(x, "-,.");
	++*month;
	return *month > 0 && *day >= 1 && *day <= 31;
}

/* RFC 5322 4.3: two digits mean 1950 to 2049, three are years since 1900. */
static bool year_of(struct rfc822 *x, int *year)
{
	int digits;

	if (!number(x, 5, year, &digits) || *year > 9999)
		return false;
	if (digits <= 2)
		*year += *year < 50 ? 2000 : 1900;
	else if (digits == 3)
		*year += 1900;
	return true;
}

/* "12:34", "12:34:56", also with dots; missing is midnight. Seconds of the day, -1 where bad. */
static int32_t time_of(struct rfc822 *x)
{
	int part[3] = {0, 0, 0}, digits;

	skip(x, ",");
	for (int i = 0; i < 3; i++) {
		if (!number(x, 2, &part[i], &digits))
			break;
		skip(x, "");
		if (!rfc822_at(x, ':') && !(i < 2 && rfc822_at(x, '.')))
			break;
		x->p++;
		skip(x, "");
	}
	if (part[0] > 23 || part[1] > 59 || part[2] > 60)
		return -1;
	return part[0] * 3600 + part[1] * 60 + part[2];
}

/* RFC 5322 4.3; military letters but Z are unreliable and mean +0000, as unknown names do. */
static int named_zone(struct str name)
{
	static const struct {
		char name[5];
		int minutes;
	} zones[] = {
		{"EDT", -240}, {"EST", -300}, {"CDT", -300}, {"CST", -360}, {"MDT", -360},
		{"MST", -420}, {"PDT", -420}, {"PST", -480}, {"BST", 60},   {"CET", 60},
		{"CEST", 120}, {"MET", 60},   {"MEST", 120}, {"EET", 120},  {"EEST", 180},
		{"JST", 540},  {"MSK", 180},
	};

	for (size_t i = 0; i < sizeof zones / sizeof *zones; i++)
		if (str_ieq(name, str_c(zones[i].name)))
			return zones[i].minutes;
	return 0;
}

static int zone_of(struct rfc822 *x)
{
	int sign, value, digits;

	skip(x, "");
	if (!rfc822_at(x, '+') && !rfc822_at(x, '-'))
		return named_zone(letters(x));
	sign = *x->p++ == '-' ? -1 : 1;
	if (!number(x, 2, &value, &digits))
		return 0;
	value *= 60;
	if (rfc822_at(x, ':'))
		x->p++;
	if (number(x, 2, &digits, &(int){0}))
		value += digits;
	return value < MINUTES_A_DAY ? sign * value : 0;
}

/* ctime()'s form: "Sat Nov 21 06:30:00 2026": the year follows the time. */
static bool clock_comes_first(const struct rfc822 *x)
{
	const char *p = x->p;

	while (p < x->end && *p >= '0' && *p <= '9')
		p++;
	return p - x->p <= 2 && p < x->end && *p == ':';
}

bool date_parse(struct str value, struct maildate *out)
{
	struct rfc822 x = rfc822_of(value);
	int day, month, year = 0, zone;
	int32_t seconds = -1;

	if (!day_and_month(&x, &day, &month))
		return false;
	if (clock_comes_first(&x)) {
		seconds = time_of(&x);
		skip(&x, "");
		letters(&x); /* date(1) puts the zone's name here */
		skip(&x, "");
		if (!year_of(&x, &year))
			return false;
	} else if (year_of(&x, &year)) {
		seconds = time_of(&x);
	}
	if (seconds < 0)
		return false;
	zone = zone_of(&x);
	out->day = (int32_t)calendar_days(year, month, day);
	out->zone = (int16_t)zone;
	out->utc = (int64_t)out->day * SECONDS_A_DAY + seconds - zone * 60;
	return true;
}
