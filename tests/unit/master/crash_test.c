/* SPDX-License-Identifier: Apache-2.0 */
/* Which messages an imapd's crash page makes opaque. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/mman.h>

#include "backend/master/crash.c"

static void note(struct master *m, const struct storent *s, const char *name, int signo)
{
	struct crash_page page = {0};
	int fd = memfd_create("page", 0);

	memset(page.slot[3].name, 'x', sizeof page.slot[3].name); /* no NUL: cut, not overrun */
	if (strlen(name) < sizeof page.slot[0].name)
		memcpy(page.slot[7].name, name, strlen(name) + 1);
	assert_int_equal(pwrite(fd, &page, sizeof page, 0), sizeof page);
	crash_note(m, s, fd, signo);
	close(fd);
}

static bool is_opaque(struct master *m, const struct storent *s, const char *name)
{
	struct buf out = BUF_INIT;
	struct str rest;
	bool found = false;

	crash_names(m, s, &out);
	assert_true(out.n <= SESSION_OPAQUE_MAX);
	rest = buf_str(&out);
	while (rest.n > 0)
		found |= str_eq(str_split(&rest, '\0'), str_c(name));
	buf_deinit(&out);
	return found;
}

static void names_are_remembered(void **state)
{
	static struct master m; /* like the master's own: it lives as long as the process */
	struct storent a = {.dev = 1, .ino = 2}, b = {.dev = 1, .ino = 3};
	char name[32];

	m.crashes = hmap_new();
	list_init(&m.crash_order);
	note(&m, &a, "100.bad", SIGSEGV);
	assert_true(is_opaque(&m, &a, "100.bad"));
	assert_false(is_opaque(&m, &b, "100.bad"));
	note(&m, &a, "200.killed", SIGKILL); /* once may be anybody's kill -9 */
	assert_false(is_opaque(&m, &a, "200.killed"));
	note(&m, &a, "200.killed", SIGKILL);
	assert_true(is_opaque(&m, &a, "200.killed"));
	note(&m, &a, "../300", SIGABRT); /* no file name of a Maildir */
	assert_false(is_opaque(&m, &a, "../300"));
	for (int i = 0; i < 3 * NAMES_MAX; i++) { /* bounded: the oldest go */
		snprintf(name, sizeof name, "%d.many", i);
		note(&m, &a, name, SIGBUS);
	}
	assert_true(is_opaque(&m, &a, name));
	assert_false(is_opaque(&m, &a, "100.bad"));
	for (unsigned i = 0; i < STORES_MAX + 10; i++) {
		struct storent s = {.dev = 9, .ino = i};

		note(&m, &s, "x.y", SIGSEGV);
	}
	assert_true(hmap_count(m.crashes) <= STORES_MAX);
	assert_false(is_opaque(&m, &a, name));
	crash_note(&m, &a, -1, SIGSEGV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(names_are_remembered)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
