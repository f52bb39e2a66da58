/* SPDX-License-Identifier: Apache-2.0 */
/*
 * specialuse: attributes that CREATE (USE ...) gave, RFC 6154, in <Maildir>/posthouse/specialuse: lines
 * "\Attribute INBOX.name". Folders with the usual names have theirs where no other folder was given it.
 */
#include <sys/stat.h>

#include "backend/store/store_int.h"

enum { SPECIALUSE_MAX = 1024 * 1024 };

static const struct {
	const char *use, *name;
} usual[] = {
	{"\\Drafts", "INBOX.Drafts"},   {"\\Sent", "INBOX.Sent"},       {"\\Trash", "INBOX.Trash"},
	{"\\Junk", "INBOX.Junk"},       {"\\Archive", "INBOX.Archive"},
};

static int read_text(struct store *st, struct buf *text, struct err *e)
{
	int rc = files_read_whole(st->o.maildir_fd, "posthouse/specialuse", SPECIALUSE_MAX, text, e);

	return rc < 0 && e->code != ENOENT ? -1 : 0;
}

void specialuse_free(struct hmap **by_name)
{
	size_t it = 0;
	struct str key;
	void *v;

	while (*by_name && hmap_next(*by_name, &it, &key, &v))
		free(v);
	hmap_free(by_name);
}

int specialuse_read(struct store *st, struct hmap **by_name, struct err *e)
{
	struct buf text = BUF_INIT;
	bool given[ARRAY_LEN(usual)] = {false};

	*by_name = hmap_new();
	if (read_text(st, &text, e) < 0) {
		buf_deinit(&text);
		specialuse_free(by_name);
		return -1;
	}
	for (struct str rest = buf_str(&text); rest.p && rest.n;) {
		struct str line = str_split(&rest, '\n');
		struct str use = str_split(&line, ' ');
		if (!line.p || !use.n)
			continue;
		for (size_t i = 0; i < ARRAY_LEN(usual); i++)
			given[i] |= str_ieq(use, str_c(usual[i].use));
		free(hmap_put(*by_name, line, str_dup(use)));
	}
	for (size_t i = 0; i < ARRAY_LEN(usual); i++)
		if (!given[i] && !hmap_get(*by_name, str_c(usual[i].name)))
			hmap_put(*by_name, str_c(usual[i].name), xstrdup(usual[i].use));
	buf_deinit(&text);
	return 0;
}

/* Whether name is from or below it; then *tail is what follows from. */
static bool below(struct str name, struct str from, struct str *tail)
{
	*tail = str_from(name, from.n);
	return str_starts(name, from) && (!tail->n || tail->p[0] == '.');
}

/* Rewrites the file: what is from (or, on a rename, below it) becomes to; to empty: goes. */
static int rewrite(struct store *st, struct str from, struct str to, struct str use, struct err *e)
{
	struct buf text = BUF_INIT, out = BUF_INIT;
	bool changed = false;
	int rc = read_text(st, &text, e);

	for (struct str rest = buf_str(&text); rc == 0 && rest.p && rest.n;) {
		struct str line = str_split(&rest, '\n'), whole = line, tail;
		struct str attr = str_split(&line, ' ');
		if (!line.p)
			continue;
		if (!below(line, from, &tail) || (!to.n && tail.n)) {
			buf_str_put(&out, whole);
			buf_putc(&out, '\n');
			continue;
		}
		changed = true;
		if (to.n)
			buf_printf(&out, "%.*s %.*s%.*s\n", STR_ARG(attr), STR_ARG(to), STR_ARG(tail));
	}
	if (use.n) {
		buf_printf(&out, "%.*s %.*s\n", STR_ARG(use), STR_ARG(from));
		changed = true;
	}
	if (rc == 0 && changed) {
		if (mkdirat(st->o.maildir_fd, "posthouse", 0700) < 0 && errno != EEXIST)
			rc = err_sys(e, "posthouse");
		else
			rc = files_write_whole(st->o.maildir_fd, "posthouse/specialuse", buf_str(&out), e);
	}
	buf_deinit(&text);
	buf_deinit(&out);
	return rc;
}

int specialuse_set(struct store *st, struct str name, struct str use, struct err *e)
{
	return rewrite(st, name, STR_NONE, use, e);
}

int specialuse_rename(struct store *st, struct str from, struct str to, struct err *e)
{
	return rewrite(st, from, to, STR_NONE, e);
}
