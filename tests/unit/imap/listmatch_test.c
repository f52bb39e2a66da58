/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "common/base/clock.h"
#include "common/base/ensure.h"
#include "common/imap/limits.h"
#include "common/imap/listmatch.h"

#define NO	 IMAP_LISTMATCH_NO
#define YES	 IMAP_LISTMATCH_YES
#define CHILDREN IMAP_LISTMATCH_CHILDREN
#define PARENT	 IMAP_LISTMATCH_PARENT

static const struct vector {
	const char *ref, *pattern, *name;
	enum imap_listmatch want;
	const char *parent;
} vectors[] = {
	{"", "*", "a.b.c", YES, "a.b"},
	{"", "%", "a", YES, ""},
	{"", "%", "a.b", PARENT, "a"},
	{"", "%", "a.b.c", PARENT, "a"},
	{"", "%.%", "a", CHILDREN, ""},
	{"", "%.%", "a.b", YES, ""},
	{"", "%.%", "a.b.c", PARENT, "a.b"},
	{"", "*%", "a.b.c", YES, "a.b"},
	{"", "*.c", "a.b.c", YES, ""},
	{"", "*.c", "a.c.d", PARENT, "a.c"},
	{"", "*.c", "a.d", CHILDREN, ""},
	{"", "a", "a", YES, ""},
	{"", "a", "ab", NO, ""},
	{"", "a", "b", NO, ""},
	{"", "a", "a.b", PARENT, "a"},
	{"", "a.", "a", NO, ""},
	{"", "a.", "a.b", NO, ""},
	{"", "a.b", "a", CHILDREN, ""},
	{"", "a.b", "c", NO, ""},
	{"", "a.b.c", "a", CHILDREN, ""},
	{"", "a%", "abc", YES, ""},
	{"", "a%c", "abbc", YES, ""},
	{"", "a%c", "ab.c", NO, ""},
	{"", "a*c", "ab.c", YES, ""},
	{"", "a*", "a", YES, ""},
	{"", "%%%", "abc", YES, ""},
	{"", "%*%", "a.b", YES, "a"},
	{"INBOX.", "sent-mail", "INBOX.sent-mail", YES, ""},
	{"INBOX.", "%", "INBOX.a.b", PARENT, "INBOX.a"},
	{"", "inbox", "INBOX", YES, ""},
	{"", "InBoX", "INBOX", YES, ""},
	{"", "in%", "INBOX", YES, ""},
	{"", "inbox.a", "INBOX.a", YES, ""},
	{"", "inbox.A", "INBOX.a", NO, ""},
	{"", "inbox.*", "INBOX", CHILDREN, ""},
	{"", "%ox.%", "INBOX.a", YES, ""},
	{"", "inboxer", "INBOXER", NO, ""},
	{"", "A", "a", NO, ""},
	{"", "", "a", NO, ""},
	{"", "", "", YES, ""},
	{"", "a[b]+(c|d)^$", "a[b]+(c|d)^$", YES, ""},
};

static void matches(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		const struct vector *v = &vectors[i];
		struct imap_pattern p;
		struct str parent;
		assert_true(imap_pattern_init(&p, str_c(v->ref), str_c(v->pattern), '.'));
		if (imap_pattern_match(&p, str_c(v->name)) != v->want)
			fail_msg("%s%s against %s", v->ref, v->pattern, v->name);
		parent = imap_pattern_parent(&p, str_c(v->name));
		if (!str_eq(parent, str_c(v->parent)))
			fail_msg("parent of %s for %s: %.*s", v->name, v->pattern, STR_ARG(parent));
		imap_pattern_deinit(&p);
	}
}

/* B39: patterns that make a backtracking matcher run for years. */
static void blow_up(void **state)
{
	static const char *const parts[] = {"%*", "*a", "%a", "*a%", "*.%"};
	char name[1001] = {0};

	memset(name, 'a', 1000);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		struct buf text = BUF_INIT;
		struct imap_pattern p;
		uint64_t start;
		for (unsigned k = 0; k < 200; k++)
			buf_puts(&text, parts[i]);
		buf_puts(&text, "b");
		assert_true(imap_pattern_init(&p, STR_NONE, buf_str(&text), '.'));
		start = clock_us();
		assert_int_not_equal(imap_pattern_match(&p, str_c(name)), YES);
		assert_true(clock_us() - start <
			    100000); /* under 10 ms but for sanitizers and busy machines */
		imap_pattern_deinit(&p);
		buf_deinit(&text);
	}
}

static void limits(void **state)
{
	struct imap_pattern p;
	char text[IMAP_MAILBOX_MAX + 2] = {0};

	memset(text, '*', IMAP_MAILBOX_MAX);
	assert_true(imap_pattern_init(&p, STR_NONE, str_c(text), '.'));
	assert_int_equal(p.text.n, 1);
	imap_pattern_deinit(&p);
	assert_false(imap_pattern_init(&p, STR("x"), str_c(text), '.'));
	imap_pattern_deinit(&p);
	assert_true(imap_pattern_init(&p, STR_NONE, STR("*"), '.'));
	memset(text, 'a', IMAP_MAILBOX_MAX + 1);
	assert_int_equal(imap_pattern_match(&p, str_c(text)), NO);
	assert_int_equal(imap_pattern_match(&p, str_sub(str_c(text), 0, IMAP_MAILBOX_MAX)), YES);
	imap_pattern_deinit(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches),
		cmocka_unit_test(blow_up),
		cmocka_unit_test(limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
