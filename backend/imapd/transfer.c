/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/imapd/transfer.h"
#include "backend/store/store.h"
#include "common/ipc/record.h"

struct transfer {
	struct loop *loop;
	struct store *store;
	const struct transfer_what *what;
	enum store_server to;
	VEC(char *) names;
	size_t at;
	struct folder_listener listener;
	struct folder *folder;
	int status;
};

static void fault(struct transfer *t, const char *where, const struct store_result *r)
{
	fprintf(stderr, "imapd: %s: %s\n", where, r->err.text);
	t->status = 1;
}

static void on_closed(void *ctx, const struct store_result *r)
{
	struct transfer *t = ctx;

	if (r->code != STORE_OK)
		fault(t, "closing", r);
	loop_stop(t->loop);
}

static void on_subscriptions(void *ctx, const struct store_result *r)
{
	struct transfer *t = ctx;

	if (r->code != STORE_OK)
		fault(t, "subscriptions", r);
	store_close(t->store, on_closed, t);
}

/* ---- one folder after the other ------------------------------------------------------------------- */

static void next(struct transfer *t);

static void on_change(void *ctx, const struct folder_change *ch)
{
}

static void folder_over(struct transfer *t)
{
	folder_close(t->folder, &t->listener);
	t->at++;
	next(t);
}

static void on_exported(void *ctx, const struct store_result *r)
{
	struct transfer *t = ctx;

	if (r->code != STORE_OK)
		fault(t, t->names.a[t->at], r);
	else
		printf("%s: %s\n", t->names.a[t->at], folder_said(t->folder));
	folder_over(t);
}

static void on_folder(void *ctx, const struct store_result *r, struct folder *f)
{
	struct transfer *t = ctx;

	if (r->code != STORE_OK) {
		fault(t, t->names.a[t->at], r);
		t->at++;
		next(t);
		return;
	}
	t->folder = f;
	if (t->what->import) {
		printf("%s: %s\n", t->names.a[t->at], folder_said(f));
		folder_over(t);
	} else {
		folder_export(f, t->to, on_exported, t);
	}
}

static void next(struct transfer *t)
{
	if (t->at < t->names.n) {
		t->listener = (struct folder_listener){.on_change = on_change, .ctx = t};
		list_init(&t->listener.link);
		folder_open(t->store, str_c(t->names.a[t->at]), &t->listener, on_folder, t);
	} else if (t->what->import) {
		store_close(t->store, on_closed, t);
	} else {
		store_export_subscriptions(t->store, t->to, on_subscriptions, t);
	}
}

/* ---- the beginning ---------------------------------------------------------------------------------- */

static void on_list(void *ctx, const struct store_result *r, const struct folder_list *l)
{
	struct transfer *t = ctx;

	if (r->code != STORE_OK) {
		fault(t, "the list of folders", r);
		store_close(t->store, on_closed, t);
		return;
	}
	for (size_t i = 0; i < l->n; i++)
		if (!(l->a[i].bits & (FOLDER_NOSELECT | FOLDER_NONEXISTENT)))
			*vec_push(&t->names) = str_dup(l->a[i].name);
	next(t);
}

static void on_open(void *ctx, const struct store_result *r)
{
	struct transfer *t = ctx;

	if (r->code == STORE_OK) {
		store_list(t->store, on_list, t);
		return;
	}
	fault(t, "the Maildir", r);
	loop_stop(t->loop);
}

int transfer_run(const struct process_opts *o, const struct transfer_what *what)
{
	struct transfer t = {.what = what};
	char *user = str_dup(o->record->user);

	if (!o->set->imap_uselocks) {
		fprintf(stderr,
			"imapd: IMAP_USELOCKS is 0: stop the server, then use --set IMAP_USELOCKS=1\n");
		free(user);
		return 1;
	}
	t.to = what->server && strcmp(what->server, "dovecot") == 0 ? SERVER_DOVECOT
								    : SERVER_COURIER;
	t.loop = loop_new();
	struct store_opts so = {.loop = t.loop,
				.jobs = jobs_new(t.loop, 1),
				.set = o->set,
				.maildir_fd = o->maildir_fd,
				.user = user};
	if (what->import)
		so.import = !what->server	     ? IMPORT_AGAIN
			    : t.to == SERVER_DOVECOT ? IMPORT_DOVECOT
						     : IMPORT_COURIER;
	t.store = store_new(&so);
	store_open(t.store, on_open, &t);
	loop_run(t.loop);
	vec_foreach(name, &t.names)
		free(*name);
	vec_free(&t.names);
	free(user);
	return fflush(stdout) == 0 ? t.status : 1;
}
