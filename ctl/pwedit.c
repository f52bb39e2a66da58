/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/pwedit.h"
#include "common/config/options.h"

/* False: a comment, or no account. */
static bool parse(struct str line, struct pwline *l)
{
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	if (!line.n || line.p[0] == '#' || str_find(line, ':') == line.n)
		return false;
	l->user = str_split(&line, ':');
	l->hash = str_split(&line, ':');
	l->uid = str_split(&line, ':');
	l->gid = str_split(&line, ':');
	l->gecos = str_split(&line, ':');
	l->home = str_split(&line, ':');
	l->shell = str_split(&line, ':');
	l->options = line.p ? line : STR("");
	l->app = options_get(l->options, "app");
	return true;
}

bool pwedit_next(struct str *rest, struct pwline *l)
{
	while (rest->n)
		if (parse(str_split(rest, '\n'), l))
			return true;
	return false;
}

static void put_line(struct buf *out, const struct pwline *l)
{
	const struct str fields[] = {l->user, l->hash, l->uid, l->gid, l->gecos, l->home, l->shell};

	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		buf_str_put(out, fields[i]);
		buf_putc(out, ':');
	}
	buf_str_put(out, l->options);
	buf_putc(out, '\n');
}

static bool concerns(const struct pwedit *e, const struct pwline *l)
{
	if (!str_eq(l->user, e->user))
		return false;
	if (!e->app.p)
		return !l->app.p || e->act == PWEDIT_DELETE;
	return l->app.p && str_eq(l->app, e->app);
}

static void change(struct buf *out, const struct pwedit *e, struct pwline *l)
{
	struct buf options = BUF_INIT;
	const char *name = e->act == PWEDIT_OPTION ? e->option : "services";
	struct str value = e->act == PWEDIT_OPTION ? e->value
			   : e->services.n	   ? e->services
						   : STR_NONE;

	if (e->act == PWEDIT_DELETE)
		return;
	if (e->act == PWEDIT_SET)
		l->hash = e->hash;
	if (e->act == PWEDIT_OPTION || (e->app.p && e->services.p)) {
		options_set(&options, l->options, name, value);
		l->options = buf_str(&options);
	}
	put_line(out, l);
	buf_deinit(&options);
}

static void add(struct buf *out, const struct pwedit *e)
{
	struct buf options = BUF_INIT;
	struct pwline l = {.user = e->user, .hash = e->hash};

	if (e->app.p) {
		options_set(&options, STR(""), "app", e->app);
		if (e->services.n) {
			buf_puts(&options, ",services=");
			buf_str_put(&options, e->services);
		}
	}
	l.options = buf_str(&options);
	put_line(out, &l);
	buf_deinit(&options);
}

/* Where a new app password goes: behind the last line of its account. */
static size_t end_of_account(struct str text, struct str user)
{
	struct str rest = text;
	size_t end = 0;

	while (rest.n) {
		struct pwline l;

		if (parse(str_split(&rest, '\n'), &l) && str_eq(l.user, user))
			end = text.n - rest.n;
	}
	return end;
}

static enum pwedit_result add_app(const struct pwedit *e, struct buf *out)
{
	size_t at = end_of_account(buf_str(out), e->user);
	struct buf line = BUF_INIT;

	if (at == 0)
		return PWEDIT_ABSENT;
	add(&line, e);
	buf_insert(out, at, buf_str(&line).p, line.n);
	buf_wipe(&line);
	return PWEDIT_ADDED;
}

enum pwedit_result pwedit(struct str old, const struct pwedit *e, struct buf *out)
{
	bool found = false;

	while (old.n) {
		struct str line = str_split(&old, '\n');
		struct pwline l;

		/* Of two accounts of one name the first one counts; deleted are both. */
		if ((!found || e->act == PWEDIT_DELETE) && parse(line, &l) && concerns(e, &l)) {
			found = true;
			change(out, e, &l);
		} else {
			buf_str_put(out, line);
			buf_putc(out, '\n');
		}
	}
	if (found)
		return PWEDIT_CHANGED;
	if (e->act != PWEDIT_SET)
		return PWEDIT_ABSENT;
	if (e->app.p)
		return add_app(e, out);
	add(out, e);
	return PWEDIT_ADDED;
}
