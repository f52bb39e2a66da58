/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/store/harness.h"

#include "common/ipc/session.h"

static void append_and_reopen(void **state)
{
	uint32_t a = put_msg("INBOX", "Subject: one\r\n\r\nbody\r\n", 0);
	uint32_t b = put_msg("INBOX", "Subject: two\r\n\r\nbody\r\n", MSG_SEEN);
	assert_int_equal(a, 1);
	assert_int_equal(b, 2);
	struct box *x = box_open("INBOX", true);
	uint32_t validity = x->f->uidvalidity;
	assert_int_equal(x->f->msgs.n, 2);
	assert_int_equal(x->f->msgs.a[0].size, strlen("Subject: one\n\nbody\n"));
	assert_int_equal(x->f->msgs.a[0].wire, strlen("Subject: one\r\n\r\nbody\r\n"));
	assert_true(folder_claim_recent(x->f, 0));
	assert_false(folder_claim_recent(x->f, 0));
	box_close(&x);
	store_restart();
	x = box_open("INBOX", true);
	assert_int_equal(x->f->uidvalidity, validity);
	assert_int_equal(x->f->msgs.n, 2);
	assert_int_equal(x->f->msgs.a[1].uid, 2);
	assert_int_equal(x->f->msgs.a[1].flags, MSG_SEEN);
	assert_int_equal(x->f->uidnext, 3);
	box_close(&x);
}

static void deliveries_are_noticed(void **state)
{
	struct box *x = box_open("INBOX", true);
	deliver("new/1000.a.host", "one\n");
	deliver("new/999.b.host", "two\n");
	box_sync(x);
	assert_int_equal(x->f->msgs.n, 2);
	assert_string_equal(x->f->msgs.a[0].base, "999.b.host");
	assert_int_equal(x->added, 2);
	assert_true(x->f->msgs.a[0].state & MSG_RECENT);
	assert_true(there("cur/999.b.host:2,"));
	box_close(&x);
}

static void examine_leaves_new_alone(void **state)
{
	struct box *x = box_open("INBOX", false), *y;
	deliver("new/1000.a.host", "one\n");
	box_sync(x);
	assert_int_equal(x->f->msgs.n, 1);
	assert_true(x->f->msgs.a[0].state & MSG_IN_NEW);
	assert_true(there("new/1000.a.host"));
	y = box_open("INBOX", true);
	assert_ptr_equal(x->f, y->f);
	assert_true(there("cur/1000.a.host:2,"));
	assert_int_equal(x->f->msgs.a[0].state, MSG_RECENT);
	assert_int_equal(x->f->msgs.a[0].uid, 1);
	box_close(&x);
	box_close(&y);
}

static void flags_and_names(void **state)
{
	struct str kws[] = {STR("$Forwarded"), STR("Work")};
	uint32_t uid = put_msg("INBOX", "x\r\n", MSG_SEEN);
	struct box *x = box_open("INBOX", true);
	box_flags(x, &uid, 1, FLAGS_ADD, MSG_FLAGGED, kws, 2);
	assert_int_equal(x->last.code, STORE_OK);
	assert_int_equal(x->f->msgs.a[0].flags, MSG_SEEN | MSG_FLAGGED);
	assert_int_equal(x->f->msgs.a[0].kw->n, 2);
	assert_int_equal(x->flags_told, 1); /* one change, told once */
	assert_int_equal(x->f->keywords.n, 2);
	/* another program takes S away and adds a letter of its own and R */
	char from[300], to[300];
	snprintf(from, sizeof from, "cur/%s:2,FS", x->f->msgs.a[0].base);
	snprintf(to, sizeof to, "cur/%s:2,FRa", x->f->msgs.a[0].base);
	assert_int_equal(renameat(dir_fd, from, dir_fd, to), 0);
	/* and we, not knowing, set \Deleted: theirs stays */
	box_flags(x, &uid, 1, FLAGS_ADD, MSG_DELETED, NULL, 0);
	assert_int_equal(x->f->msgs.a[0].flags, MSG_FLAGGED | MSG_ANSWERED | MSG_DELETED);
	snprintf(to, sizeof to, "cur/%s:2,FRTa", x->f->msgs.a[0].base);
	assert_true(there(to));
	box_flags(x, &uid, 1, FLAGS_REMOVE, 0, kws, 1);
	assert_int_equal(x->f->msgs.a[0].kw->n, 1);
	box_flags(x, &uid, 1, FLAGS_SET, 0, NULL, 0);
	assert_null(x->f->msgs.a[0].kw);
	assert_int_equal(x->f->msgs.a[0].flags, 0);
	box_flags(x, &uid, 1, FLAGS_SET, MSG_DRAFT, kws + 1, 1);
	box_close(&x);
	store_restart();
	x = box_open("INBOX", true);
	assert_int_equal(x->f->msgs.n, 1);
	assert_int_equal(x->f->msgs.a[0].flags, MSG_DRAFT);
	assert_int_equal(x->f->msgs.a[0].kw->n, 1);
	assert_string_equal(x->f->keywords.a[x->f->msgs.a[0].kw->kw[0]], "Work");
	box_close(&x);
}

static void foreign_renames(void **state)
{
	struct box *x = box_open("INBOX", true);
	deliver("cur/1.a.h:2,", "one\n");
	deliver("cur/2.b.h:2,S", "two\n");
	box_sync(x);
	assert_int_equal(x->f->msgs.n, 2);
	move("cur/1.a.h:2,", "cur/1.a.h:2,SR"); /* letters not in order */
	box_sync(x);
	assert_int_equal(x->f->msgs.a[0].flags, MSG_SEEN | MSG_ANSWERED);
	assert_int_equal(x->flags_told, 1);
	struct folder_files *ff = folder_files_get(x->f);
	struct msg_ref r;
	uint64_t size;
	int64_t mtime;
	msg_ref_fill(x->f, &x->f->msgs.a[0], ff, &r);
	assert_string_equal(r.name, "1.a.h:2,SR");
	int fd = msg_open(&r, &size, &mtime);
	assert_true(fd >= 0);
	close(fd);
	move("cur/1.a.h:2,SR", "cur/1.a.h:2,F");
	fd = msg_open(&r, &size, &mtime);
	assert_true(fd >= 0);
	close(fd);
	folder_files_put(&ff);
	gone("cur/2.b.h:2,S");
	box_sync(x);
	assert_int_equal(x->expunged, 1);
	assert_int_equal(x->f->msgs.a[0].flags, MSG_FLAGGED);
	assert_true(x->f->msgs.a[1].state & MSG_EXPUNGED);
	assert_int_equal(x->f->tombs.n, 1);
	folder_passed(x->f, &x->l, x->f->expunges);
	box_sync(x);
	assert_int_equal(x->f->msgs.n, 1);
	assert_int_equal(x->f->tombs.n, 0);
	box_close(&x);
}

static void expunge(void **state)
{
	for (int i = 0; i < 5; i++)
		put_msg("INBOX", "x\r\n", i % 2 ? MSG_DELETED : 0);
	struct box *x = box_open("INBOX", true), *y = box_open("INBOX", true);
	uint32_t uids[] = {1, 2, 3};
	box_expunge(x, uids, 3);
	assert_int_equal(x->expunged, 1);
	assert_int_equal(y->expunged, 1);
	box_expunge(x, NULL, 0);
	assert_int_equal(x->expunged, 2);
	folder_passed(x->f, &x->l, 2);
	box_sync(x);
	assert_int_equal(x->f->msgs.n, 5); /* y hasn't passed them */
	box_close(&y);
	box_sync(x);
	assert_int_equal(x->f->msgs.n, 3);
	box_close(&x);
	store_restart();
	x = box_open("INBOX", true);
	assert_int_equal(x->f->msgs.n, 3);
	assert_int_equal(x->f->uidnext, 6);
	box_close(&x);
}

static void copy_and_move(void **state)
{
	struct str kw = STR("Important");
	uint32_t all[] = {1, 2, 3};
	for (int i = 0; i < 3; i++)
		put_msg("INBOX", "hello\r\n", MSG_SEEN);
	assert_int_equal(make("INBOX.Sent"), STORE_OK);
	assert_int_equal(make("INBOX.Sent"), STORE_EXISTS);
	struct box *x = box_open("INBOX", true);
	box_flags(x, all, 3, FLAGS_ADD, 0, &kw, 1);
	box_copy(x, all, 2, "INBOX.Sent", false);
	assert_int_equal(x->last.code, STORE_OK);
	assert_int_equal(x->nmap, 2);
	assert_int_equal(x->map_to[1], 2);
	box_copy(x, all + 1, 2, "INBOX.Sent", true);
	assert_int_equal(x->nmap, 2);
	assert_int_equal(x->map_from[1], 3);
	assert_int_equal(x->map_to[1], 4);
	assert_int_equal(x->expunged, 2);
	box_copy(x, all, 1, "INBOX.Nowhere", false);
	assert_int_equal(x->last.code, STORE_NONEXISTENT);
	box_copy(x, all, 3, "INBOX.Sent", false);
	assert_int_equal(x->last.code, STORE_EXPUNGED);
	box_copy(x, all, 1, "INBOX", true); /* into itself */
	assert_int_equal(x->last.code, STORE_OK);
	assert_int_equal(x->map_to[0], 4);
	box_close(&x);
	store_restart();
	x = box_open("INBOX.Sent", true);
	assert_int_equal(x->f->msgs.n, 4);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(x->f->msgs.a[i].flags, MSG_SEEN);
		assert_int_equal(x->f->msgs.a[i].kw->n, 1);
	}
	box_close(&x);
	x = box_open("INBOX", true);
	assert_int_equal(x->f->msgs.n, 1);
	assert_int_equal(x->f->msgs.a[0].uid, 4);
	assert_string_equal(x->f->keywords.a[x->f->msgs.a[0].kw->kw[0]], "Important");
	box_close(&x);
}

static void folders(void **state)
{
	assert_int_equal(make("INBOX.a.b"), STORE_OK);
	assert_int_equal(make("INBOX.Sent"), STORE_OK);
	assert_int_equal(make("INBOX.Entw\xc3\xbcrfe"), STORE_OK);
	assert_true(there(".Entw\xc3\xbcrfe/maildirfolder"));
	set_subscribed("INBOX.gone", true);
	set_subscribed("INBOX.a.b", true);
	list_all();
	assert_string_equal(listing, "INBOX(c) INBOX.Entw\xc3\xbcrfe() INBOX.Sent()\\Sent INBOX.a(nc) INBOX.a.b(s) "
				     "INBOX.gone(sx) ");
	assert_int_equal(rename_box("INBOX.a", "INBOX.c.d"), STORE_OK);
	assert_int_equal(rename_box("INBOX.c", "INBOX.c.x"), STORE_BADNAME);
	assert_int_equal(rename_box("INBOX.nix", "INBOX.nox"), STORE_NONEXISTENT);
	assert_int_equal(rename_box("INBOX.c", "INBOX.Sent"), STORE_EXISTS);
	list_all();
	assert_non_null(strstr(listing, "INBOX.c.d.b()"));
	put_msg("INBOX.Sent", "x\r\n", 0);
	struct box *x = box_open("INBOX.Sent", true);
	uint32_t validity = x->f->uidvalidity;
	assert_int_equal(delete_box("INBOX.Sent"), STORE_OK);
	assert_int_equal(x->gone, 1);
	box_close(&x);
	assert_false(there(".Sent"));
	assert_int_equal(delete_box("INBOX.Sent"), STORE_NONEXISTENT);
	assert_int_equal(delete_box("INBOX"), STORE_BADNAME);
	assert_int_equal(make("INBOX.Sent"), STORE_OK);
	x = box_open("INBOX.Sent", true);
	assert_int_equal(x->f->msgs.n, 0);
	assert_true(x->f->uidvalidity > validity);
	assert_int_equal(rename_box("INBOX.Sent", "INBOX.Gesendet"), STORE_OK);
	assert_string_equal(x->f->name, "INBOX.Gesendet");
	box_close(&x);
}

static void inbox_rename_moves(void **state)
{
	for (int i = 0; i < 3; i++)
		put_msg("INBOX", "x\r\n", 0);
	assert_int_equal(rename_box("INBOX", "INBOX.old"), STORE_OK);
	struct box *x = box_open("INBOX", true), *y = box_open("INBOX.old", true);
	assert_int_equal(x->f->msgs.n, 0);
	assert_int_equal(y->f->msgs.n, 3);
	box_close(&x);
	box_close(&y);
}

static void bad_names(void **state)
{
	static const char *const bad[] = {"", ".", "..", "INBOX.", "INBOX..a", "INBOX.a.", "../x", "/etc/passwd",
					  "INBOX/../x", "INBOX.a/b", "~user", "INBOX.\x01", "INBOX.\xff",
					  "INBOX.a\xc2\x85", "a..b", "INBOXX", "INBOX.\xed\xa0\x80"};
	struct err e;
	char longer[600];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(store_name_check(st, str_c(bad[i]), &e), STORE_BADNAME);
	memset(longer, 'x', sizeof longer);
	memcpy(longer, "INBOX.", 6);
	assert_int_equal(store_name_check(st, str_mem(longer, 300), &e), STORE_BADNAME);
	assert_int_equal(store_name_check(st, str_mem("INBOX.a\0b", 9), &e), STORE_BADNAME);
	assert_int_equal(store_name_check(st, STR("inbox.x"), &e), STORE_OK);
}

static void hostile_files(void **state)
{
	deliver("cur/1.ok:2,S", "x\n");
	assert_int_equal(symlinkat("/etc/passwd", dir_fd, "cur/2.link:2,S"), 0);
	mkdirat(dir_fd, "cur/3.dir:2,S", 0700);
	mkfifoat(dir_fd, "cur/4.fifo:2,S", 0600);
	deliver("new/1.ok", "the same base name\n");
	deliver("cur/5.two:2,:2,S", "x\n");
	struct box *x = box_open("INBOX", true);
	assert_int_equal(x->f->msgs.n, 2);
	assert_string_equal(x->f->msgs.a[0].base, "1.ok");
	box_sync(x);
	box_sync(x);
	assert_int_equal(x->f->msgs.n, 2);
	assert_int_equal(x->flags_told, 0);
	box_close(&x);
}

static void aborted_append_leaves_nothing(void **state)
{
	struct append_opts o = {.folder = STR("INBOX"), .internaldate = -1};
	struct append *a = append_begin(st, &o, on_done, NULL);
	wait_done();
	append_write(a, STR("half a mess"), on_done, NULL);
	append_abort(&a);
	settle();
	assert_int_equal(count_files("tmp"), 0);
	a = append_begin(st, &o, on_done, NULL);
	append_abort(&a); /* before it was open */
	settle();
	assert_int_equal(count_files("tmp"), 0);
	o.folder = STR("INBOX.nope");
	a = append_begin(st, &o, on_done, NULL);
	assert_int_equal(wait_done(), STORE_NONEXISTENT);
	append_abort(&a);
	o = (struct append_opts){.folder = STR("INBOX"), .size = UINT64_MAX};
	a = append_begin(st, &o, on_done, NULL);
	assert_int_equal(wait_done(), STORE_TOOBIG);
	append_abort(&a);
	settle();
	assert_int_equal(count_files("cur") + count_files("new") + count_files("tmp"), 0);
}

static void changed_since(void **state)
{
	uint32_t uid = 2;
	for (int i = 0; i < 3; i++)
		put_msg("INBOX", "x\r\n", 0);
	struct box *x = box_open("INBOX", true);
	uint64_t before = x->f->modseq;
	box_flags(x, &uid, 1, FLAGS_ADD, MSG_SEEN, NULL, 0);
	assert_int_equal(count_changed(x->f, before), 1);
	assert_int_equal(count_changed(x->f, x->f->modseq), 0);
	assert_int_equal(count_changed(x->f, 0), 3);
	box_close(&x);
	store_restart();
	x = box_open("INBOX", true);
	assert_int_equal(count_changed(x->f, before), 1);
	box_close(&x);
}

static void clean_folder_is_not_scanned(void **state)
{
	struct timespec old[2] = {{.tv_sec = time(NULL) - 100}, {.tv_sec = time(NULL) - 100}};
	put_msg("INBOX", "x\r\n", MSG_SEEN);
	utimensat(dir_fd, "cur", old, 0);
	utimensat(dir_fd, "new", old, 0);
	struct box *x = box_open("INBOX", true);
	box_sync(x);
	box_close(&x);
	store_restart();
	/* A file that is put there under the same mtime is not seen: no directory was read. */
	deliver("cur/9.x:2,", "x\n");
	utimensat(dir_fd, "cur", old, 0);
	x = box_open("INBOX", true);
	assert_int_equal(x->f->msgs.n, 1);
	deliver("cur/10.x:2,", "x\n");
	box_sync(x);
	assert_int_equal(x->f->msgs.n, 3);
	box_close(&x);
}

static void status(void **state)
{
	put_msg("INBOX", "x\r\n", MSG_SEEN);
	put_msg("INBOX", "x\r\n", 0);
	deliver("new/77.x", "x\n");
	struct folder_status s = status_of("INBOX");
	assert_int_equal(s.messages, 3);
	assert_int_equal(s.unseen, 2);
	assert_int_equal(s.recent, 3);
	assert_int_equal(s.uidnext, 4);
}

static void compaction(void **state)
{
	struct str kw = STR("Kw");
	uint32_t uid = 1;
	set.journal_compact = 4096;
	for (int i = 0; i < 5; i++)
		put_msg("INBOX", "x\r\n", 0);
	struct box *x = box_open("INBOX", true);
	for (int i = 0; i < 100; i++)
		box_flags(x, &uid, 1, i % 2 ? FLAGS_REMOVE : FLAGS_ADD, MSG_SEEN, &kw, 1);
	uint32_t two = 5;
	box_flags(x, &two, 1, FLAGS_ADD, MSG_DELETED, NULL, 0);
	box_expunge(x, NULL, 0);
	settle();
	pause_ms(700); /* with the flags that are to be synced within the second */
	uint64_t modseq = x->f->modseq;
	assert_true(there("posthouse/snapshot.2"));
	box_close(&x);
	store_restart();
	x = box_open("INBOX", true);
	assert_int_equal(x->f->msgs.n, 4);
	assert_int_equal(x->f->uidnext, 6);
	assert_true(x->f->modseq >= modseq);
	box_close(&x);
}

static void large_batches(void **state)
{
	enum { N = 2500 };
	uint32_t uids[N];
	char name[64];

	for (uint32_t i = 0; i < N; i++) {
		uids[i] = i + 1;
		snprintf(name, sizeof name, "new/%u.x.h", i + 1);
		deliver(name, "x\n");
	}
	struct box *x = box_open("INBOX", true);
	assert_int_equal(x->f->msgs.n, N);
	assert_true(x->f->msgs.a[N - 1].state & MSG_RECENT);
	assert_string_equal(x->f->msgs.a[99].base, "100.x.h");
	box_flags(x, uids, N, FLAGS_ADD, MSG_DELETED, NULL, 0);
	assert_int_equal(x->last.code, STORE_OK);
	assert_int_equal(x->flags_told, N);
	box_expunge(x, NULL, 0);
	assert_int_equal(x->expunged, N);
	assert_int_equal(count_files("cur"), 0);
	box_close(&x);
}

static void levels_only(void **state)
{
	make("INBOX.a.b");
	assert_int_equal(delete_box("INBOX.a"), STORE_HASCHILDREN);
	set.imap_folders_max = 2;
	assert_int_equal(make("INBOX.c"), STORE_OK);
	assert_int_equal(make("INBOX.d"), STORE_LIMIT);
}

/* What another process does to a folder that is open here. */
static void deleted_by_others(void **state)
{
	make("INBOX.a");
	make("INBOX.b");
	struct box *x = box_open("INBOX.a", true), *y = box_open("INBOX.b", true);
	move(".a", ".c");
	folder_sync(x->f, on_done, NULL);
	wait_done();
	assert_int_equal(x->gone, 1);
	box_close(&x);
	move(".b", ".a");
	folder_sync(y->f, on_done, NULL);
	wait_done();
	assert_int_equal(y->gone, 1);
	box_close(&y);
	x = box_open("INBOX.a", true);
	box_close(&x);
}

static void who_did_it(void **state)
{
	uint32_t uid = put_msg("INBOX", "x\r\n", MSG_SEEN);
	struct box *x = box_open("INBOX", true), *y = box_open("INBOX", true);
	box_flags(x, &uid, 1, FLAGS_ADD, MSG_FLAGGED, NULL, 0);
	assert_ptr_equal(x->origin, x);
	assert_ptr_equal(y->origin, x);
	assert_false(x->silent);
	struct flags_request q = {.uids = &uid, .n = 1, .flags = MSG_DRAFT, .origin = y, .silent = true};
	folder_flags(x->f, &q, on_done, NULL);
	wait_done();
	assert_ptr_equal(x->origin, y);
	assert_true(y->silent);
	char from[300], to[300];
	snprintf(from, sizeof from, "cur/%s:2,D", x->f->msgs.a[0].base);
	snprintf(to, sizeof to, "cur/%s:2,S", x->f->msgs.a[0].base);
	move(from, to);
	box_sync(x);
	assert_null(x->origin);
	box_close(&x);
	box_close(&y);
}

static void coded_names(void **state)
{
	mkdirat(dir_fd, ".R&AOk-sum&AOk-", 0700);
	store_restart();
	list_all();
	assert_non_null(strstr(listing, "INBOX.R\xc3\xa9sum\xc3\xa9()"));
	assert_int_equal(make("INBOX.\xc3\xa4"), STORE_OK);
	assert_true(there(".&AOQ-"));
	struct box *x = box_open("INBOX.R\xc3\xa9sum\xc3\xa9", true);
	assert_true(there(".R&AOk-sum&AOk-/cur"));
	box_close(&x);
	/* a folder in the other form is found too */
	mkdirat(dir_fd, ".\xc3\xb6", 0700);
	const char *form = set.maildir_names;
	set.maildir_names = "mutf7";
	store_restart();
	x = box_open("INBOX.\xc3\xb6", true);
	assert_true(there(".\xc3\xb6/cur"));
	assert_int_equal(make("INBOX.\xc3\xb6"), STORE_EXISTS);
	set.maildir_names = form;
	box_close(&x);
}

static void special_uses(void **state)
{
	store_create(st, STR("INBOX.Gesendet"), STR("\\Sent"), on_done, NULL);
	assert_int_equal(wait_done(), STORE_OK);
	make("INBOX.Sent");
	make("INBOX.Trash");
	list_all();
	assert_string_equal(listing, "INBOX(c) INBOX.Gesendet()\\Sent INBOX.Sent() INBOX.Trash()\\Trash ");
	rename_box("INBOX.Gesendet", "INBOX.Post.Gesendet");
	list_all();
	assert_non_null(strstr(listing, "INBOX.Post.Gesendet()\\Sent"));
	delete_box("INBOX.Post.Gesendet");
	list_all();
	assert_non_null(strstr(listing, "INBOX.Sent()\\Sent"));
}

static void crashed_messages_are_opaque(void **state)
{
	static struct crash_page page;

	deliver("cur/1.bad:2,S", "x\n");
	deliver("cur/2.good:2,S", "x\n");
	opaque = str_mem("9.other\0001.bad", 13);
	crash_page = &page;
	store_restart();
	opaque = STR_NONE;
	struct box *x = box_open("INBOX", true);
	assert_int_equal(x->f->msgs.a[0].state, MSG_OPAQUE);
	assert_int_equal(x->f->msgs.a[1].state, 0);
	store_parse_begin(st, "2.good:2,S");
	bool noted = false;
	for (int i = 0; i < CRASH_SLOTS; i++)
		noted |= !strcmp(page.slot[i].name, "2.good");
	assert_true(noted);
	store_parse_end(st);
	for (int i = 0; i < CRASH_SLOTS; i++)
		assert_string_equal(page.slot[i].name, "");
	box_close(&x);
	crash_page = NULL;
}

static void keyword_limits(void **state)
{
	uint32_t uid = put_msg("INBOX", "x\r\n", 0);
	char names[100][16];
	struct str kws[100];
	struct box *x = box_open("INBOX", true);

	for (int i = 0; i < 100; i++) {
		snprintf(names[i], sizeof names[i], "kw%d", i);
		kws[i] = str_c(names[i]);
	}
	box_flags(x, &uid, 1, FLAGS_ADD, 0, kws, 100); /* more than one record holds */
	assert_int_equal(x->last.code, STORE_OK);
	assert_int_equal(x->f->msgs.a[0].kw->n, 100);
	set.imap_keywords_max = 100;
	struct str more = STR("another"), known = STR("KW7");
	box_flags(x, &uid, 1, FLAGS_ADD, 0, &more, 1);
	assert_int_equal(x->last.code, STORE_LIMIT);
	box_flags(x, &uid, 1, FLAGS_SET, 0, &known, 1);
	assert_int_equal(x->last.code, STORE_OK);
	assert_int_equal(x->f->msgs.a[0].kw->n, 1);
	box_copy(x, &uid, 1, "INBOX", false);
	assert_int_equal(x->last.code, STORE_OK);
	box_close(&x);
}

/* The message is found whatever its name has become, and expunged when it has really gone. */
static void suspects(void **state)
{
	uint32_t uid = put_msg("INBOX", "x\r\n", MSG_SEEN);
	struct box *x = box_open("INBOX", true);
	char name[300];

	snprintf(name, sizeof name, "cur/%s:2,S", x->f->msgs.a[0].base);
	gone(name);
	folder_suspect(x->f, uid);
	settle();
	pause_ms(200);
	assert_int_equal(x->expunged, 1);
	box_close(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(append_and_reopen, setup, teardown),
		cmocka_unit_test_setup_teardown(deliveries_are_noticed, setup, teardown),
		cmocka_unit_test_setup_teardown(examine_leaves_new_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(flags_and_names, setup, teardown),
		cmocka_unit_test_setup_teardown(foreign_renames, setup, teardown),
		cmocka_unit_test_setup_teardown(expunge, setup, teardown),
		cmocka_unit_test_setup_teardown(copy_and_move, setup, teardown),
		cmocka_unit_test_setup_teardown(folders, setup, teardown),
		cmocka_unit_test_setup_teardown(inbox_rename_moves, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_names, setup, teardown),
		cmocka_unit_test_setup_teardown(hostile_files, setup, teardown),
		cmocka_unit_test_setup_teardown(aborted_append_leaves_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(changed_since, setup, teardown),
		cmocka_unit_test_setup_teardown(clean_folder_is_not_scanned, setup, teardown),
		cmocka_unit_test_setup_teardown(status, setup, teardown),
		cmocka_unit_test_setup_teardown(compaction, setup, teardown),
		cmocka_unit_test_setup_teardown(large_batches, setup, teardown),
		cmocka_unit_test_setup_teardown(who_did_it, setup, teardown),
		cmocka_unit_test_setup_teardown(coded_names, setup, teardown),
		cmocka_unit_test_setup_teardown(special_uses, setup, teardown),
		cmocka_unit_test_setup_teardown(crashed_messages_are_opaque, setup, teardown),
		cmocka_unit_test_setup_teardown(keyword_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(suspects, setup, teardown),
		cmocka_unit_test_setup_teardown(levels_only, setup, teardown),
		cmocka_unit_test_setup_teardown(deleted_by_others, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
