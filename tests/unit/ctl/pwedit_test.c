/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/pwedit.c"

static void expect(const struct pwedit *e, const char *old, const char *new,
		   enum pwedit_result result)
{
	struct buf out = BUF_INIT;

	assert_int_equal(pwedit(str_c(old), e, &out), result);
	if (result != PWEDIT_ABSENT)
		assert_string_equal(buf_cstr(&out), new);
	buf_deinit(&out);
}

static void sets_an_account(void **state)
{
	static const struct {
		const char *old, *new;
		enum pwedit_result result;
	} cases[] = {
		{"", "u:H::::::\n", PWEDIT_ADDED},
		{"u:old:1:2:g:/h:s:o\n", "u:H:1:2:g:/h:s:o\n", PWEDIT_CHANGED},
		{"u:old\n", "u:H::::::\n", PWEDIT_CHANGED},
		{"u\n", "u\nu:H::::::\n", PWEDIT_ADDED}, /* no account, left alone */
		{"# u:old\nuu:x:1:2:::s:o\nu:old:1::::s:", "# u:old\nuu:x:1:2:::s:o\nu:H:1::::s:\n",
		 PWEDIT_CHANGED},
		{"u:a:1::::::\nu:b:2\n", "u:H:1::::::\nu:b:2\n",
		 PWEDIT_CHANGED}, /* the first one counts */
		{"v:x\n\n", "v:x\n\nu:H::::::\n", PWEDIT_ADDED},
		{"u:a::::::app=x\n", "u:a::::::app=x\nu:H::::::\n", PWEDIT_ADDED},
		{"u:a::::::q=1:2,x\n", "u:H::::::q=1:2,x\n", PWEDIT_CHANGED},
	};
	const struct pwedit e = {.act = PWEDIT_SET, .user = STR("u"), .hash = STR("H")};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		expect(&e, cases[i].old, cases[i].new, cases[i].result);
}

static void sets_an_app_password(void **state)
{
	struct pwedit e = {.act = PWEDIT_SET, .user = STR("u"), .hash = STR("H"), .app = STR("x")};

	expect(&e, "v:1\n", "", PWEDIT_ABSENT);
	expect(&e, "u:1\nv:2", "u:1\nu:H::::::app=x\nv:2\n", PWEDIT_ADDED);
	expect(&e, "u:1\nu:2::::::app=y\nv:2\n", "u:1\nu:2::::::app=y\nu:H::::::app=x\nv:2\n",
	       PWEDIT_ADDED);
	expect(&e, "u:1\nu:2::::::services=a,app=x\n", "u:1\nu:H::::::services=a,app=x\n",
	       PWEDIT_CHANGED);
	e.services = STR("b c");
	expect(&e, "u:1\n", "u:1\nu:H::::::app=x,services=b c\n", PWEDIT_ADDED);
	expect(&e, "u:1\nu:2::::::services=a,app=x\n", "u:1\nu:H::::::app=x,services=b c\n",
	       PWEDIT_CHANGED);
	e.services = STR("");
	expect(&e, "u:1\nu:2::::::services=a,app=x\n", "u:1\nu:H::::::app=x\n", PWEDIT_CHANGED);
}

static void deletes(void **state)
{
	struct pwedit e = {.act = PWEDIT_DELETE, .user = STR("u")};
	const char *old = "#c\nu:1\nv:1\nu:2::::::app=x\nu:3::::::app=y\n";

	expect(&e, old, "#c\nv:1\n", PWEDIT_CHANGED);
	e.app = STR("x");
	expect(&e, old, "#c\nu:1\nv:1\nu:3::::::app=y\n", PWEDIT_CHANGED);
	e.app = STR("z");
	expect(&e, old, "", PWEDIT_ABSENT);
}

static void changes_an_option(void **state)
{
	struct pwedit e = {
		.act = PWEDIT_OPTION, .user = STR("u"), .option = "disabled", .value = STR("1")};

	expect(&e, "u:1:2\nu:2::::::app=x\n", "u:1:2:::::disabled=1\nu:2::::::app=x\n",
	       PWEDIT_CHANGED);
	expect(&e, "u:1::::::quota=1S\n", "u:1::::::quota=1S,disabled=1\n", PWEDIT_CHANGED);
	expect(&e, "v:1\n", "", PWEDIT_ABSENT);
	e.value = STR_NONE;
	expect(&e, "u:1::::::Disabled=1,quota=1S\n", "u:1::::::quota=1S\n", PWEDIT_CHANGED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_an_account),
		cmocka_unit_test(sets_an_app_password),
		cmocka_unit_test(deletes),
		cmocka_unit_test(changes_an_option),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
