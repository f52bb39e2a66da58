/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/imap/saslname.h"

static void test_names(void **state)
{
	for (enum sasl_id id = 0; id < SASL_ID_N; id++)
		assert_int_equal(sasl_find(str_c(sasl_name(id))), id);
	assert_int_equal(sasl_find(STR("plain")), SASL_PLAIN);
	assert_int_equal(sasl_find(STR("")), SASL_ID_N);
	assert_int_equal(sasl_find(STR("PLAINX")), SASL_ID_N);
	assert_int_equal(sasl_find(STR("SCRAM-SHA-256-")), SASL_ID_N);
}

static void test_lists(void **state)
{
	struct str unknown;

	assert_int_equal(sasl_list(STR(""), &unknown), 0);
	assert_null(unknown.p);
	assert_int_equal(sasl_list(STR(" plain  AUTH=CRAM-MD5"), &unknown),
			 SASL_BIT(SASL_PLAIN) | SASL_BIT(SASL_CRAM_MD5));
	assert_null(unknown.p);
	assert_int_equal(sasl_list(STR("NTLM EXTERNAL GSSAPI"), &unknown), SASL_BIT(SASL_EXTERNAL));
	assert_true(str_eq(unknown, STR("NTLM")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_names),
					   cmocka_unit_test(test_lists)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
