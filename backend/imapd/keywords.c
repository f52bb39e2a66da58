/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/imapd/keywords.h"
#include "backend/store/maildir.h"
#include "backend/store/store.h"
#include "common/imap/chars.h"
#include "common/ipc/record.h"

struct kwjob {
	struct loop *loop;
	struct store *store;
	const struct settings *set;
	const struct keywords_what *what;
	VEC(struct str) names; /* the keywords that were given */
	struct folder_listener listener;
	struct folder *folder;
	uint32_t uid;
	int status;
};

bool keywords_mode(const char *mode)
{
	return strcmp(mode, "list") == 0 || strcmp(mode, "set") == 0 || strcmp(mode, "add") == 0 ||
	       strcmp(mode, "remove") == 0;
}

static void fault(struct kwjob *j, const char *where, const char *why)
{
	fprintf(stderr, "imapd: %s: %s\n", where, why);
	j->status = 1;
}

static void on_closed(void *ctx, const struct store_result *r)
{
	struct kwjob *j = ctx;

	if (r->code != STORE_OK)
		fault(j, "closing", r->err.text);
	loop_stop(j->loop);
}

static void finish(struct kwjob *j)
{
	folder_close(j->folder, &j->listener);
	store_close(j->store, on_closed, j);
}

static void on_change(void *ctx, const struct folder_change *ch)
{
}

/* ---- showing ------------------------------------------------------------------------------------- */

static void list_all(const struct folder *f)
{
	for (size_t i = 0; i < f->msgs.n; i++) {
		const struct msg *m = &f->msgs.a[i];

		if ((m->state & MSG_EXPUNGED) || !m->kw || !m->kw->n)
			continue;
		printf("%s", m->base);
		for (size_t k = 0; k < m->kw->n; k++)
			printf(" %s", f->keywords.a[m->kw->kw[k]]);
		putchar('\n');
	}
}

/* ---- changing ------------------------------------------------------------------------------------ */

/* By its file, wherever that is named to be and whatever its flags. NULL: there is none. */
static const struct msg *find_message(const struct folder *f, struct str file)
{
	size_t slash = str_rfind(file, '/');
	struct md_name n;

	if (slash != file.n)
		file = str_from(file, slash + 1);
	if (!md_name_parse(file, &n))
		return NULL;
	for (size_t i = 0; i < f->msgs.n; i++)
		if (!(f->msgs.a[i].state & MSG_EXPUNGED) &&
		    str_eq(str_c(f->msgs.a[i].base), n.base))
			return &f->msgs.a[i];
	return NULL;
}

static bool keyword_ok(const struct settings *set, struct str kw)
{
	for (size_t i = 0; i < kw.n; i++)
		if (!imap_is_atom_char(kw.p[i]))
			return false;
	return kw.n > 0 && kw.n <= set->imap_keyword_len;
}

static int take_keywords(struct kwjob *j)
{
	for (size_t i = 2; i < j->what->words.n; i++) {
		struct str kw = str_c(j->what->words.a[i]);

		if (!keyword_ok(j->set, kw)) {
			fault(j, j->what->words.a[i],
			      "no keyword: it has a character that none may have (blanks, ( ) { % * \" \\ ] and "
			      "what isn't ASCII), or is longer than IMAP_KEYWORD_LEN");
			return -1;
		}
		*vec_push(&j->names) = kw;
	}
	return 0;
}

static void on_flags(void *ctx, const struct store_result *r)
{
	struct kwjob *j = ctx;

	if (r->code != STORE_OK)
		fault(j, j->what->words.a[1],
		      r->err.text[0] ? r->err.text : "it has gone meanwhile");
	finish(j);
}

static void change(struct kwjob *j, const struct msg *m)
{
	const char *mode = j->what->mode;

	j->uid = m->uid;
	struct flags_request q = {.uids = &j->uid,
				  .n = 1,
				  .mode = strcmp(mode, "add") == 0	? FLAGS_ADD
					  : strcmp(mode, "remove") == 0 ? FLAGS_REMOVE
									: FLAGS_SET,
				  .keywords = j->names.a,
				  .nkeywords = j->names.n};
	if (q.mode == FLAGS_SET)
		q.flags = m->flags; /* the flags stay */
	folder_flags(j->folder, &q, on_flags, j);
}

static void on_folder(void *ctx, const struct store_result *r, struct folder *f)
{
	struct kwjob *j = ctx;
	const struct msg *m = NULL;

	if (r->code != STORE_OK) {
		fault(j, j->what->words.a[0],
		      r->code == STORE_NONEXISTENT ? "there is no such folder" : r->err.text);
		store_close(j->store, on_closed, j);
		return;
	}
	j->folder = f;
	if (strcmp(j->what->mode, "list") == 0)
		list_all(f);
	else if (!(m = find_message(f, str_c(j->what->words.a[1]))))
		fault(j, j->what->words.a[1], "the folder has no message with this file name");
	if (m)
		change(j, m);
	else
		finish(j);
}

static void on_open(void *ctx, const struct store_result *r)
{
	struct kwjob *j = ctx;

	if (r->code == STORE_OK) {
		j->listener = (struct folder_listener){.on_change = on_change, .ctx = j};
		list_init(&j->listener.link);
		folder_open(j->store, str_c(j->what->words.a[0]), &j->listener, on_folder, j);
		return;
	}
	fault(j, "the Maildir", r->err.text);
	loop_stop(j->loop);
}

int keywords_run(const struct process_opts *o, const struct keywords_what *what)
{
	struct kwjob j = {.what = what, .set = o->set};
	char *user = str_dup(o->record->user);

	if (!o->set->imap_uselocks)
		fault(&j, "IMAP_USELOCKS is 0", "stop the server, then use --set IMAP_USELOCKS=1");
	if (j.status == 0 && take_keywords(&j) == 0) {
		j.loop = loop_new();
		struct store_opts so = {.loop = j.loop,
					.jobs = jobs_new(j.loop, 1),
					.set = o->set,
					.maildir_fd = o->maildir_fd,
					.user = user};
		j.store = store_new(&so);
		store_open(j.store, on_open, &j);
		loop_run(j.loop);
	}
	vec_free(&j.names);
	free(user);
	return fflush(stdout) == 0 ? j.status : 1;
}
