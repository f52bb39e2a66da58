/* SPDX-License-Identifier: Apache-2.0 */
/* The store's end of the watch protocol, against the real notifyd. */
#include "tests/unit/notifyd/daemon.h"
#include "backend/store/watcher.h"

static struct daemon nd;
static struct loop *loop;
static struct loop_timer *limit;

struct imap { /* one process's watcher, and what it told */
	struct watcher *w;
	unsigned subscribed, refused, events, overflows, journals, folders, wanted, fences, lost;
	int live; /* -1: not told yet */
	char last[256];
	uint64_t offset;
	bool stop_on_live, stop_on_want, stop_on_subscribed;
};
struct place { /* of one folder */
	struct imap *im;
	struct maildir m;
	struct watcher_sub *sub;
};

static void stop_late(void *ctx)
{
	fail_msg("waited too long");
}

static void run(void)
{
	loop_timer_set(limit, ANSWER_MS);
	loop_run(loop);
	loop_timer_stop(limit);
}

static void on_subscribed(void *folder, bool ok, struct str why)
{
	struct place *p = folder;

	if (ok)
		p->im->subscribed++;
	else
		p->im->refused++;
	if (p->im->stop_on_subscribed)
		loop_stop(loop);
}

static void on_event(void *folder, enum watch_dir dir, enum watch_kind kind, struct str name)
{
	struct imap *im = ((struct place *)folder)->im;

	im->events++;
	snprintf(im->last, sizeof im->last, "%d%d%.*s", (int)dir, (int)kind, STR_ARG(name));
}

static void on_overflow(void *folder)
{
	((struct place *)folder)->im->overflows++;
}

static void on_journal(void *folder, uint64_t generation, uint64_t offset)
{
	struct imap *im = ((struct place *)folder)->im;

	im->journals++;
	im->offset = offset;
}

static void on_folders(void *ctx)
{
	((struct imap *)ctx)->folders++;
}

static void on_live(void *ctx, bool live)
{
	struct imap *im = ctx;

	assert_int_not_equal(im->live, live); /* only changes are told */
	im->live = live;
	if (im->stop_on_live && live)
		loop_stop(loop);
}

static void on_wanted(void *ctx)
{
	struct imap *im = ctx;

	im->wanted++;
	if (im->stop_on_want)
		loop_stop(loop);
}

static const struct watcher_ops ops = {on_subscribed, on_event, on_overflow, on_journal,
				       on_folders,    on_live,  on_wanted};

static void give_link(struct imap *im)
{
	watcher_set_link(im->w, joined(&nd, 42));
}

static void imap_start(struct imap *im)
{
	*im = (struct imap){.live = -1};
	im->w = watcher_new(loop, &ops, im);
}

static void run_until_live(struct imap *im)
{
	im->stop_on_live = true;
	if (!watcher_live(im->w))
		run();
	im->stop_on_live = false;
}

static void open_place(struct place *p, struct imap *im, const char *name)
{
	p->im = im;
	maildir_make(&p->m, &nd, name);
	p->sub = watcher_subscribe(im->w, p->m.new_fd, p->m.cur_fd, p);
}

static void close_place(struct place *p)
{
	watcher_unsubscribe(&p->sub);
	maildir_close(&p->m);
}

static void fenced(void *ctx, bool lost)
{
	struct imap *im = ctx;

	im->fences++;
	im->lost += lost;
	loop_stop(loop);
}

static void fence(struct imap *im)
{
	watcher_fence(im->w, fenced, im);
	run();
}

static int start_all(void **state)
{
	raise_limit();
	loop = loop_new();
	limit = loop_timer_new(loop, stop_late, NULL);
	daemon_start(&nd, (const char *const[]){"NOTIFY_PER_UID=100", NULL});
	return 0;
}

static int end_all(void **state)
{
	daemon_end(&nd, SIGTERM);
	remove_tree(nd.dir);
	loop_timer_free(&limit);
	loop_free(&loop);
	return 0;
}

static void many_folders_go_through_the_window(void **state)
{
	static struct place p[50];
	struct imap im;

	imap_start(&im);
	for (int i = 0; i < 50; i++) {
		char name[32];

		snprintf(name, sizeof name, "window-%d", i);
		open_place(&p[i], &im, name);
	}
	assert_false(watcher_live(im.w));
	give_link(&im);
	run_until_live(&im);
	assert_int_equal(im.subscribed, 50);
	for (int i = 0; i < 50; i++) {
		assert_true(watcher_watched(p[i].sub));
		touch(p[i].m.new_fd, "m");
	}
	fence(&im);
	assert_int_equal(im.events, 50);
	watcher_unsubscribe(&p[7].sub);
	touch(p[7].m.new_fd, "m2");
	touch(p[8].m.cur_fd, "m2:2,");
	fence(&im);
	assert_int_equal(im.events, 51);
	assert_string_equal(im.last, "10m2:2,");
	for (int i = 0; i < 50; i++)
		close_place(&p[i]);
	watcher_free(&im.w);
}

static void journals_are_merged_and_relayed(void **state)
{
	struct place p, q;
	struct imap a, b;

	imap_start(&a);
	imap_start(&b);
	give_link(&b);
	open_place(&q, &b, "journal");
	b.stop_on_subscribed = true;
	run();
	b.stop_on_subscribed = false;
	p = q;
	p.im = &a;
	p.sub = watcher_subscribe(a.w, p.m.new_fd, p.m.cur_fd, &p);
	watcher_journal(p.sub, 1, 10); /* before it is watched: said afterwards */
	give_link(&a);
	run_until_live(&a);
	fence(&a);
	fence(&b);
	assert_int_equal(b.journals, 1);
	assert_int_equal(b.offset, 10);
	for (uint64_t i = 11; i <= 500; i++)
		watcher_journal(p.sub, 1, i);
	watcher_folders(a.w, 1, 42);
	fence(&a);
	fence(&b);
	assert_int_equal(b.journals, 2);
	assert_int_equal(b.offset, 500);
	assert_int_equal(b.folders, 1);
	/* What may have been lost with a link is said again on the next. */
	give_link(&a);
	run_until_live(&a);
	fence(&a);
	fence(&b);
	assert_int_equal(b.journals, 3);
	assert_int_equal(b.offset, 500);
	assert_int_equal(a.journals, 0);
	assert_int_equal(a.folders, 0);
	watcher_unsubscribe(&q.sub);
	close_place(&p);
	watcher_free(&a.w);
	watcher_free(&b.w);
}

static void refusals_are_told_and_the_rest_lives(void **state)
{
	static struct place p[110];
	struct imap im;

	imap_start(&im);
	give_link(&im);
	for (int i = 0; i < 110; i++) {
		char name[32];

		snprintf(name, sizeof name, "refuse-%d", i);
		open_place(&p[i], &im, name);
	}
	im.stop_on_subscribed = true;
	while (im.subscribed + im.refused < 110)
		run();
	assert_int_equal(im.refused, 10);
	assert_false(watcher_watched(p[109].sub));
	for (int i = 0; i < 110; i++)
		close_place(&p[i]);
	watcher_free(&im.w);
}

/* kill -9 of notifyd: told at once, asked for a new link, everything watched again. */
static void restart_of_notifyd(void **state)
{
	struct place p;
	struct imap im;

	imap_start(&im);
	open_place(&p, &im, "restart");
	give_link(&im);
	run_until_live(&im);
	daemon_freeze(&nd);
	watcher_fence(im.w, fenced, &im);
	daemon_end(&nd, SIGKILL);
	run(); /* the fence */
	assert_int_equal(im.lost, 1);
	assert_int_equal(im.live, 0);
	assert_false(watcher_watched(p.sub));
	assert_int_equal(im.wanted, 1);
	fence(&im); /* without a link: lost, too */
	assert_int_equal(im.lost, 2);
	im.stop_on_want = true;
	run(); /* asks again */
	im.stop_on_want = false;
	assert_int_equal(im.wanted, 2);
	daemon_start(&nd, NULL);
	give_link(&im);
	run_until_live(&im);
	assert_int_equal(im.subscribed, 2);
	touch(p.m.new_fd, "m");
	fence(&im);
	assert_int_equal(im.events, 1);
	assert_int_equal(im.lost, 2);
	close_place(&p);
	watcher_free(&im.w);
}

static void new_link_replaces_the_old(void **state)
{
	struct place p;
	struct imap im;

	imap_start(&im);
	open_place(&p, &im, "replace");
	give_link(&im);
	run_until_live(&im);
	give_link(&im);
	assert_int_equal(im.live, 0);
	run_until_live(&im);
	assert_int_equal(im.subscribed, 2);
	touch(p.m.new_fd, "m");
	fence(&im);
	assert_int_equal(im.events, 1);
	assert_int_equal(im.wanted, 0);
	close_place(&p);
	watcher_free(&im.w);
}

/* What a broken or hostile notifyd may say costs the link and nothing else. */
static void nonsense_from_notifyd(void **state)
{
	static const struct {
		uint16_t type;
		const char *body;
		size_t n;
	} bad[] = {
		{WATCH_SUBSCRIBED, "\1\0\0\0\1\0\0\0\0", 9}, {WATCH_FENCED, "\1\0\0\0", 4},
		{WATCH_EVENTS, "\1\0", 2},                    {WATCH_JOURNAL, "", 0},
		{WATCH_OVERFLOW, "\1", 1},                    {WATCH_HELLO, "", 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		int pair[2];
		struct imap im;

		imap_start(&im);
		assert_int_equal(link_pair(pair), 0);
		watcher_set_link(im.w, pair[0]);
		run_until_live(&im); /* nothing is subscribed */
		assert_int_equal(link_send_blocking(pair[1], bad[i].type, str_mem(bad[i].body, bad[i].n),
						    NULL, 0), 0);
		im.stop_on_want = true;
		run();
		assert_int_equal(im.live, 0);
		close(pair[1]);
		watcher_free(&im.w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_folders_go_through_the_window),
		cmocka_unit_test(journals_are_merged_and_relayed),
		cmocka_unit_test(refusals_are_told_and_the_rest_lives),
		cmocka_unit_test(restart_of_notifyd),
		cmocka_unit_test(new_link_replaces_the_old),
		cmocka_unit_test(nonsense_from_notifyd),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, start_all, end_all);
}
