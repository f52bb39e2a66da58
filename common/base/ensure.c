/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/ensure.h"

#include <unistd.h>

#include "common/base/log.h"

/* Without log_event: it allocates, and there may be no memory left. */
static _Noreturn void no_memory(void)
{
	static const char text[] = "error out of memory\n";
	ssize_t n = write(STDERR_FILENO, text, sizeof text - 1);

	(void)n;
	abort();
}

void ensure_failed(const char *what, const char *file, int line)
{
	static int failing; /* a fault in the logger itself must not come back here */

	if (__atomic_exchange_n(&failing, 1, __ATOMIC_SEQ_CST) == 0)
		LOG(L_ERROR, "assertion-failed", L_C("what", what), L_C("file", file), L_I("line", line));
	abort();
}

void *xmalloc(size_t n)
{
	void *p = malloc(n ? n : 1);

	if (p == NULL)
		no_memory();
	return p;
}

void *xcalloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1);

	if (p == NULL)
		no_memory();
	return p;
}

void *xrealloc(void *p, size_t n)
{
	p = realloc(p, n ? n : 1);
	if (p == NULL)
		no_memory();
	return p;
}

char *xstrdup(const char *s)
{
	return str_dup(str_c(s));
}
