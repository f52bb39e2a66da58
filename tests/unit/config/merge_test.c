/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/ensure.h"
#include "common/config/merge.h"
#include "common/config/settings.h"
#include "common/config/table.h"

static struct buf merged;

static const char *merge(const char *old, struct merge_counts *n)
{
	buf_reset(&merged);
	merge_settings(str_c(old), &merged, n);
	return buf_cstr(&merged);
}

/* The same again: nothing to do. */
static void again(void)
{
	struct merge_counts n;
	struct buf once = BUF_INIT;

	buf_str_put(&once, buf_str(&merged));
	merge(buf_cstr(&once), &n);
	assert_string_equal(buf_cstr(&merged), buf_cstr(&once));
	assert_int_equal(n.added, 0);
	assert_int_equal(n.gone, 0);
	buf_deinit(&once);
}

static void test_sample_stays(void **state)
{
	struct buf sample = BUF_INIT;
	struct merge_counts n;

	settings_sample(&sample);
	assert_string_equal(merge(buf_cstr(&sample), &n), buf_cstr(&sample));
	assert_int_equal(n.added, 0);
	buf_deinit(&sample);
}

static void test_all_are_there(void **state)
{
	static const char *const old[] = {"", "PORT=1143\n", "PORT=1143", "# mine\nMAXPERIP=4 # four\n\nREDIS_URL_FILE=/x\n"};

	for (size_t i = 0; i < ARRAY_LEN(old); i++) {
		struct merge_counts n;
		const char *text = merge(old[i], &n);

		for (size_t k = 0; k < table_n; k++) {
			struct buf b = BUF_INIT;
			const char *name = table_rows[k].name;

			if (!name)
				continue;
			buf_printf(&b, "%s", name);
			assert_non_null(strstr(text, buf_cstr(&b)));
			buf_deinit(&b);
		}
		again();
	}
}

/* Lines stay, in their order; what is new stands behind its neighbour. */
static void test_places(void **state)
{
	struct merge_counts n;
	const char *text = merge("# our host\nADDRESS=192.0.2.1\n#TLS_TICKETS=2\nOLD_ONE=\"x y\"\n# end\n", &n);

	assert_memory_equal(text, "# our host\nADDRESS=192.0.2.1\n\n#", 31);
	assert_non_null(strstr(text, "\n#TLS_TICKETS=2\n\n#"));
	assert_non_null(strstr(text, "\n# not a setting of this version: OLD_ONE=\"x y\"\n# end\n"));
	assert_true(strstr(text, "#PORT=143\n") < strstr(text, "#TLS_TICKETS=2"));
	assert_null(strstr(text, "#TLS_TICKETS=1\n"));
	assert_null(strstr(text, "#ADDRESS="));
	assert_int_equal(n.kept, 1);
	assert_int_equal(n.gone, 1);
	again();
}

/* What it makes is a settings file that means the same. */
static void test_is_valid(void **state)
{
	char path[] = "/tmp/merge-test-XXXXXX";
	int fd = mkstemp(path);
	struct merge_counts n;
	struct settings s;
	struct err e;

	merge("MAXPERIP=4\nGONE=1\nIMAPDSTART=YES\n", &n);
	assert_int_equal(write(fd, buf_str(&merged).p, merged.n), (ssize_t)merged.n);
	close(fd);
	assert_int_equal(settings_load(&s, &(struct settings_opts){.file = path, .no_env = true}, NULL, &e), 0);
	assert_int_equal(s.maxperip, 4);
	assert_string_equal(s.port, "143");
	settings_free(&s);
	(void)unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sample_stays), cmocka_unit_test(test_all_are_there), cmocka_unit_test(test_places),
		cmocka_unit_test(test_is_valid),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);

	buf_deinit(&merged);
	return rc;
}
