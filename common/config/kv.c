/* SPDX-License-Identifier: Apache-2.0 */
#include "common/config/kv.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "common/base/ensure.h"
#include "common/base/hmap.h"

int kv_load(const char *path, size_t max, struct buf *out, struct err *e)
{
	/* O_NONBLOCK: a FIFO without a writer would keep us here. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	ssize_t n;
	int rc = -1;

	if (fd < 0)
		return err_sys(e, "%s", path);
	if (fstat(fd, &st) != 0)
		err_sys(e, "%s", path);
	else if (!S_ISREG(st.st_mode) && !(S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3) /* null */))
		err_set(e, EINVAL, "%s: not a regular file", path);
	else if ((uint64_t)st.st_size > max)
		err_set(e, EFBIG, "%s: larger than %zu bytes", path, max);
	else
		rc = 0;
	while (rc == 0 && (n = read(fd, buf_reserve(out, 4096), 4096)) != 0) {
		if (n > 0)
			buf_added(out, (size_t)n);
		else if (errno != EINTR)
			rc = err_sys(e, "%s", path);
		if (rc == 0 && out->n > max)
			rc = err_set(e, EFBIG, "%s: larger than %zu bytes", path, max);
	}
	close(fd);
	return rc;
}

struct parser {
	const char *file;
	unsigned line;
	struct hmap *seen; /* name -> struct value */
	struct buf value;
	struct err *e;
};

struct kv_vars {
	struct hmap *names; /* -> struct value */
};

struct value {
	bool used;
	size_t n;
	char bytes[];
};

static bool name_start(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

static size_t name_length(struct str s)
{
	size_t n = 0;

	if (s.n == 0 || !name_start(s.p[0]))
		return 0;
	while (n < s.n && (name_start(s.p[n]) || (s.p[n] >= '0' && s.p[n] <= '9')))
		n++;
	return n;
}

static int fault(struct parser *p, const char *what)
{
	return err_set(p->e, EINVAL, "%s:%u: %s", p->file, p->line, what);
}

/* *s stands at a '$'. Values are kept expanded, so nothing here recurses. */
static int expand(struct parser *p, struct str *s)
{
	bool braces = s->n > 1 && s->p[1] == '{';
	struct str from = str_from(*s, braces ? 2 : 1);
	size_t n = name_length(from);
	struct value *v;

	if (n == 0)
		return fault(p, "'$' without a name (write '$' within single quotes, or \\$)");
	if (braces && (n == from.n || from.p[n] != '}'))
		return fault(p, "only ${NAME} is understood after '$'");
	v = hmap_get(p->seen, str_sub(from, 0, n));
	if (v) {
		v->used = true;
		buf_put(&p->value, v->bytes, v->n);
	}
	*s = str_from(from, n + braces);
	return p->value.n > KV_VALUE_MAX ? fault(p, "the value is too long") : 0;
}

static int double_quoted(struct parser *p, struct str *s)
{
	*s = str_from(*s, 1);
	while (s->n && s->p[0] != '"') {
		if (s->p[0] == '$') {
			if (expand(p, s) != 0)
				return -1;
			continue;
		}
		if (s->p[0] == '`')
			return fault(p, "commands in ` ` are not run here");
		if (s->p[0] == '\\' && s->n > 1 && strchr("\"\\$`", s->p[1]))
			*s = str_from(*s, 1);
		buf_putc(&p->value, s->p[0]);
		*s = str_from(*s, 1);
	}
	if (s->n == 0)
		return fault(p, "a double quote is not closed on its line");
	*s = str_from(*s, 1);
	return 0;
}

static int single_quoted(struct parser *p, struct str *s)
{
	size_t end;

	*s = str_from(*s, 1);
	end = str_find(*s, '\'');
	if (end == s->n)
		return fault(p, "a single quote is not closed on its line");
	buf_str_put(&p->value, str_sub(*s, 0, end));
	*s = str_from(*s, end + 1);
	return 0;
}

static int plain(struct parser *p, struct str *s)
{
	char c = s->p[0];

	if (strchr("`;|&<>()", c))
		return fault(p, "this character needs quotes: commands are not run here");
	if (c == '\\') {
		*s = str_from(*s, 1);
		if (s->n == 0)
			return fault(p, "a value can't go on in the next line");
	}
	buf_putc(&p->value, s->p[0]);
	*s = str_from(*s, 1);
	return 0;
}

static int parse_value(struct parser *p, struct str s)
{
	buf_reset(&p->value);
	while (s.n && s.p[0] != ' ' && s.p[0] != '\t') {
		int rc = s.p[0] == '$'    ? expand(p, &s)
			 : s.p[0] == '"'  ? double_quoted(p, &s)
			 : s.p[0] == '\'' ? single_quoted(p, &s)
					  : plain(p, &s);
		if (rc != 0)
			return -1;
	}
	if (p->value.n > KV_VALUE_MAX)
		return fault(p, "the value is too long");
	s = str_trim(s);
	if (s.n && s.p[0] != '#')
		return fault(p, "text after the value (a value with blanks needs quotes)");
	return 0;
}

static void remember(struct parser *p, struct str name)
{
	struct value *v = xmalloc(sizeof *v + p->value.n), *before = hmap_get(p->seen, name);

	v->used = before && before->used;
	v->n = p->value.n;
	if (v->n)
		memcpy(v->bytes, buf_str(&p->value).p, v->n);
	free(hmap_put(p->seen, name, v));
}

static int parse_line(struct parser *p, struct str line, kv_fn *fn, void *ctx)
{
	struct str name;

	for (size_t i = 0; i < line.n; i++)
		if (((unsigned char)line.p[i] < ' ' && line.p[i] != '\t' && line.p[i] != '\r') || line.p[i] == 127)
			return fault(p, "a control character; is this a text file?");
	line = str_trim(line);
	if (line.n == 0 || line.p[0] == '#')
		return 0;
	name = str_sub(line, 0, name_length(line));
	if (name.n == 0 || name.n == line.n || line.p[name.n] != '=')
		return fault(p, "not of the form NAME=value (no blanks around '=')");
	if (parse_value(p, str_from(line, name.n + 1)) != 0)
		return -1;
	remember(p, name);
	return fn(ctx, name, buf_str(&p->value), p->line, p->e);
}

struct kv_vars *kv_vars_new(void)
{
	struct kv_vars *v = xmalloc(sizeof *v);

	v->names = hmap_new();
	return v;
}

void kv_vars_free(struct kv_vars **v)
{
	size_t it = 0;
	void *value;

	if (*v == NULL)
		return;
	while (hmap_next((*v)->names, &it, NULL, &value))
		free(value);
	hmap_free(&(*v)->names);
	free(*v);
	*v = NULL;
}

bool kv_vars_used(const struct kv_vars *v, struct str name)
{
	const struct value *value = hmap_get(v->names, name);

	return value && value->used;
}

int kv_parse_with(struct kv_vars *v, struct str text, const char *file, kv_fn *fn, void *ctx, struct err *e)
{
	struct parser p = {.file = file, .seen = v->names, .value = BUF_INIT, .e = e};
	int rc = 0;

	if (str_starts(text, STR("\xef\xbb\xbf")))
		text = str_from(text, 3);
	while (text.p && rc == 0) {
		struct str line = str_split(&text, '\n');

		p.line++;
		rc = parse_line(&p, line, fn, ctx);
	}
	buf_wipe(&p.value);
	return rc;
}

int kv_parse(struct str text, const char *file, kv_fn *fn, void *ctx, struct err *e)
{
	struct kv_vars *v = kv_vars_new();
	int rc = kv_parse_with(v, text, file, fn, ctx, e);

	kv_vars_free(&v);
	return rc;
}
