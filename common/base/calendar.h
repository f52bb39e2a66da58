/* SPDX-License-Identifier: Apache-2.0 */
/* calendar: the Gregorian calendar, also before it began, without loops over years. */
#pragma once
#include <stdint.h>

/* Days since 1970-01-01; month 1..12, day as it comes (the 31st of a month of 30 is the next 1st). */
int64_t calendar_days(int year, int month, int day);
void calendar_date(int64_t days, int *year, int *month, int *day); /* and back */
