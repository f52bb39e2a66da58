/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/redis_template.h"
#include "common/base/ensure.h"

/* Those that a replica answers as well as the master; the form of an answer goes by the name, too. */
static const struct {
	const char *name;
	enum redis_answer_form form;
} reading[] = {
	{"GET", REDIS_ANSWER_VALUE},	    {"HGET", REDIS_ANSWER_VALUE},
	{"HMGET", REDIS_ANSWER_FIELDS},	    {"HGETALL", REDIS_ANSWER_PAIRS},
	{"JSON.GET", REDIS_ANSWER_VALUE},   {"EVAL_RO", REDIS_ANSWER_PAIRS},
	{"EVALSHA_RO", REDIS_ANSWER_PAIRS}, {"FCALL_RO", REDIS_ANSWER_PAIRS},
};

void redis_template_escape(struct buf *out, struct str name)
{
	for (size_t i = 0; i < name.n; i++) {
		if (memchr("%{}:", name.p[i], 4))
			buf_printf(out, "%%%02X", (unsigned)(unsigned char)name.p[i]);
		else
			buf_putc(out, name.p[i]);
	}
}

/* One word with its placeholders; user.p == NULL: only looks at them. */
static int expand_word(struct buf *out, struct str word, struct str user, bool *personal,
		       struct err *e)
{
	size_t at = str_find(user, '@');

	for (size_t i = 0; i < word.n; i++) {
		char c = word.p[i];

		if (c != '%') {
			buf_putc(out, c);
			continue;
		}
		c = ++i < word.n ? word.p[i] : '\0';
		if (c == '%')
			buf_putc(out, c);
		else if (c == 'u')
			redis_template_escape(out, user);
		else if (c == 'n')
			redis_template_escape(out, str_sub(user, 0, at));
		else if (c == 'd')
			redis_template_escape(out, str_from(user, at + 1));
		else
			return err_set(
				e, 0,
				"REDIS_COMMAND: after %% there may be u, n, d, p or another %%");
		*personal = *personal || c == 'u' || c == 'n';
	}
	return 0;
}

/* The prefix is put in at once, its own per cent signs kept as they are. */
static struct str with_prefix(struct arena *a, struct str word, struct str prefix)
{
	struct buf b = BUF_INIT;
	struct str out;

	for (size_t i = 0; i < word.n; i++) {
		if (word.p[i] == '%' && i + 1 < word.n) {
			if (word.p[++i] != 'p') {
				buf_put(&b, word.p + i - 1, 2);
				continue;
			}
			for (size_t j = 0; j < prefix.n; j++)
				buf_puts(&b,
					 prefix.p[j] == '%' ? "%%" : (char[]){prefix.p[j], '\0'});
		} else {
			buf_putc(&b, word.p[i]);
		}
	}
	out = arena_str(a, buf_str(&b));
	buf_deinit(&b);
	return out;
}

static void classify(struct redis_template *t)
{
	t->form = REDIS_ANSWER_VALUE;
	t->read = false;
	for (size_t i = 0; i < ARRAY_LEN(reading); i++) {
		if (str_ieq(t->words[0], str_c(reading[i].name))) {
			t->form = reading[i].form;
			t->read = true;
		}
	}
}

int redis_template_parse(struct arena *a, struct str text, struct str prefix,
			 struct redis_template *t, struct err *e)
{
	struct str rest = text;
	struct buf scratch = BUF_INIT;
	bool personal = false, in_command = false;
	int rc = 0;

	t->n = 0;
	while (rest.n && rc == 0) {
		struct str word = str_split(&rest, ' ');

		if (!word.n)
			continue;
		if (t->n == REDIS_TEMPLATE_WORDS) {
			rc = err_set(e, 0, "REDIS_COMMAND: more than %d words",
				     REDIS_TEMPLATE_WORDS);
			break;
		}
		word = with_prefix(a, word, prefix);
		rc = expand_word(&scratch, word, STR("u"), &personal, e);
		if (t->n == 0)
			in_command = personal;
		t->words[t->n++] = word;
	}
	buf_deinit(&scratch);
	if (rc)
		return -1;
	if (t->n < 2 || in_command)
		return err_set(e, 0, "REDIS_COMMAND: a command and a key are needed");
	if (!personal)
		return err_set(e, 0, "REDIS_COMMAND: without %%u or %%n all users have one key");
	classify(t);
	if (t->form == REDIS_ANSWER_FIELDS && t->n < 3)
		return err_set(e, 0, "REDIS_COMMAND: HMGET without fields");
	return 0;
}

void redis_template_expand(const struct redis_template *t, struct arena *a, struct str user,
			   struct str *argv)
{
	bool personal = false;

	for (size_t i = 0; i < t->n; i++) {
		struct buf b = BUF_INIT;

		expand_word(&b, t->words[i], user, &personal, NULL);
		argv[i] = arena_str(a, buf_str(&b));
		buf_deinit(&b);
	}
}
