/* SPDX-License-Identifier: Apache-2.0 */
#include "common/sys/cyrusopts.h"
#include "common/base/buf.h"
#include "common/base/ensure.h"
#include "common/base/vec.h"

struct args {
	char **a;
	size_t n, cap;
};

static const struct cyrusopt *find(const char *arg, const struct cyrusopt *o, size_t n)
{
	if (arg[0] != '-')
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (arg[1] == o[i].letter)
			return &o[i];
	return NULL;
}

static void add(struct args *to, const struct cyrusopt *o, const char *value)
{
	struct buf b = BUF_INIT;

	if (value && o->zero && strcmp(value, "0") == 0)
		value = o->zero;
	buf_puts(&b, o->setting);
	if (value)
		buf_printf(&b, "=%s", value);
	*vec_push(to) = xstrdup("--set");
	*vec_push(to) = buf_cstr(&b);
}

char **cyrusopts(int *argc, char **argv, const struct cyrusopt *o, size_t n, const char *program)
{
	struct args to = {0};

	for (int i = 0; i < *argc; i++) {
		const struct cyrusopt *opt = i ? find(argv[i], o, n) : NULL;
		const char *value = opt && argv[i][2] ? &argv[i][2] : NULL;
		bool wants = opt && !strchr(opt->setting, '=');

		if (opt && wants && !value && i + 1 < *argc)
			value = argv[++i];
		if (opt && wants == (value != NULL)) {
			add(&to, opt, value);
			continue;
		}
		if (opt) {
			fprintf(stderr,
				wants ? "%s: -%c needs a value\n" : "%s: -%c takes no value\n",
				program, opt->letter);
			exit(1);
		}
		*vec_push(&to) = argv[i];
		if ((strcmp(argv[i], "-C") == 0 || strcmp(argv[i], "--set") == 0) && i + 1 < *argc)
			*vec_push(&to) = argv[++i];
	}
	*argc = (int)to.n;
	*vec_push(&to) = NULL;
	return to.a;
}
