/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 4, 0))) static void fill(struct err *e, int code, const char *suffix, const char *fmt, va_list ap)
{
	int n;

	e->code = code;
	n = vsnprintf(e->text, sizeof e->text, fmt, ap);
	if (n < 0)
		n = 0;
	if (suffix && (size_t)n < sizeof e->text)
		snprintf(e->text + n, sizeof e->text - (size_t)n, ": %s", suffix);
	for (char *c = e->text; *c; c++)
		if (*c == '\n' || *c == '\r')
			*c = ' ';
}

int err_set(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;

	if (e == NULL)
		return -1;
	va_start(ap, fmt);
	fill(e, code, NULL, fmt, ap);
	va_end(ap);
	return -1;
}

int err_sys(struct err *e, const char *fmt, ...)
{
	int code = errno;
	char text[96];
	va_list ap;

	if (e == NULL)
		return -1;
	va_start(ap, fmt);
	fill(e, code, strerror_r(code, text, sizeof text), fmt, ap);
	va_end(ap);
	return -1;
}

int err_in(struct err *e, const char *what)
{
	char text[sizeof(e->text)];

	if (e) {
		memcpy(text, e->text, sizeof(text));
		snprintf(e->text, sizeof(e->text), "%s: %s", what, text);
	}
	return -1;
}
