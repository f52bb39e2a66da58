/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Views over a folder made by hand: clients that keep their own list from the answers alone must
 * end with the folder's, whatever the order of changes, tellings and full buffers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "backend/imapd/box/view.c"

/* ---- a folder --------------------------------------------------------------------------------- */

static struct folder folder;
static folder_open_fn *open_done;
static void *open_ctx;

void folder_open(struct store *st, struct str name, struct folder_listener *l, folder_open_fn *done,
		 void *ctx)
{
	list_append(&folder.listeners, &l->link);
	open_done = done;
	open_ctx = ctx;
}

void folder_open_cancel(struct store *st, struct folder_listener *l)
{
	list_remove(&l->link);
}

void folder_close(struct folder *f, struct folder_listener *l)
{
	list_remove(&l->link);
}

/* Tombstones that all have passed leave the table at once. */
void folder_passed(struct folder *f, struct folder_listener *l, uint64_t no)
{
	uint64_t min = UINT64_MAX;
	size_t n = 0;

	l->expunge_passed = no;
	list_foreach(e, &f->listeners) {
		struct folder_listener *o = list_entry(e, struct folder_listener, link);

		if (o->expunge_passed < min)
			min = o->expunge_passed;
	}
	f->tombs.n = 0;
	for (size_t i = 0; i < f->msgs.n; i++) {
		struct msg *m = &f->msgs.a[i];

		if ((m->state & MSG_EXPUNGED) && m->expunge_no <= min)
			continue;
		if (m->state & MSG_EXPUNGED)
			*vec_push(&f->tombs) = m->uid;
		f->msgs.a[n++] = *m;
	}
	f->msgs.n = n;
}

bool folder_claim_recent(struct folder *f, size_t index)
{
	bool had = f->msgs.a[index].state & MSG_RECENT;

	f->msgs.a[index].state &= (uint8_t)~MSG_RECENT;
	return had;
}

size_t folder_find(const struct folder *f, uint32_t uid)
{
	size_t i = 0;

	while (i < f->msgs.n && f->msgs.a[i].uid < uid)
		i++;
	return i;
}

void folder_changed_since(struct folder *f, uint64_t since, void (*fn)(void *ctx, size_t index),
			  void *ctx)
{
	for (size_t i = 0; i < f->msgs.n; i++) {
		if (!(f->msgs.a[i].state & MSG_EXPUNGED) && f->msgs.a[i].modseq > since)
			fn(ctx, i);
	}
}

static void announce(enum folder_change_kind kind, size_t index, const void *origin)
{
	struct folder_change ch = {
		.kind = kind, .index = index, .msg = &folder.msgs.a[index], .origin = origin};

	list_foreach(e, &folder.listeners) {
		struct folder_listener *l = list_entry(e, struct folder_listener, link);

		l->on_change(l->ctx, &ch);
	}
}

static void deliver(void)
{
	*vec_push(&folder.msgs) = (struct msg){
		.uid = folder.uidnext++, .modseq = ++folder.modseq, .state = MSG_RECENT};
	announce(FOLDER_ADDED, folder.msgs.n - 1, NULL);
}

static void reflag(size_t index, uint8_t flags, const void *origin)
{
	folder.msgs.a[index].flags = flags;
	folder.msgs.a[index].modseq = ++folder.modseq;
	announce(FOLDER_FLAGS, index, origin);
}

static void expunge(size_t index)
{
	size_t at = 0;

	folder.msgs.a[index].state |= MSG_EXPUNGED;
	folder.msgs.a[index].expunge_no = ++folder.expunges;
	folder.msgs.a[index].modseq = ++folder.modseq;
	(void)vec_push(&folder.tombs);
	while (at < folder.tombs.n - 1 && folder.tombs.a[at] < folder.msgs.a[index].uid)
		at++;
	memmove(&folder.tombs.a[at + 1], &folder.tombs.a[at],
		(folder.tombs.n - 1 - at) * sizeof(uint32_t));
	folder.tombs.a[at] = folder.msgs.a[index].uid;
	announce(FOLDER_EXPUNGE, index, NULL);
}

static int folder_setup(void **state)
{
	memset(&folder, 0, sizeof folder);
	folder.uidnext = 1;
	list_init(&folder.listeners);
	return 0;
}

static int folder_teardown(void **state)
{
	vec_free(&folder.msgs);
	vec_free(&folder.tombs);
	vec_free(&folder.keywords);
	return 0;
}

/* ---- a client --------------------------------------------------------------------------------- */

struct peer {
	struct view *view;
	struct buf out;
	size_t room; /* full beyond */
	bool due;
	int gone;
	struct {
		uint8_t flags;
		bool known;
		uint32_t uid; /* 0: not told */
	} msg[4096];	      /* by number - 1 */
	size_t n;
	unsigned recent;
	bool qresync;
	uint64_t highest; /* HIGHESTMODSEQ, as the client goes by it */
};

static struct buf *peer_out(void *ctx)
{
	return &((struct peer *)ctx)->out;
}

static bool peer_full(void *ctx)
{
	struct peer *p = ctx;

	return p->out.n > p->room;
}

static void peer_pending(void *ctx)
{
	((struct peer *)ctx)->due = true;
}

static void peer_gone(void *ctx)
{
	((struct peer *)ctx)->gone++;
}

static const struct view_ops peer_ops = {peer_out, peer_full, peer_pending, peer_gone, NULL};

static void peer_opened(void *ctx, const struct store_result *r, struct view *v)
{
	((struct peer *)ctx)->view = v;
}

static void peer_open(struct peer *p, bool writable)
{
	struct view_opts o = {STR("INBOX"), writable, true};
	struct store_result r = {.code = STORE_OK};
	uint32_t seq = 0;
	size_t i = 0;

	*p = (struct peer){.room = SIZE_MAX};
	view_open(NULL, &o, peer_opened, p);
	open_done(open_ctx, &r, &folder);
	assert_non_null(p->view);
	view_set_ops(p->view, &peer_ops, p);
	while (view_next(p->view, &seq, &i)) {
		p->msg[p->n].flags = folder.msgs.a[i].flags;
		p->msg[p->n].uid = folder.msgs.a[i].uid;
		p->msg[p->n++].known = true;
	}
	assert_int_equal(p->n, view_exists(p->view));
}

static uint8_t flags_of(const char *line)
{
	return (uint8_t)((strstr(line, "\\Seen") ? MSG_SEEN : 0) |
			 (strstr(line, "\\Flagged") ? MSG_FLAGGED : 0) |
			 (strstr(line, "\\Deleted") ? MSG_DELETED : 0));
}

static void peer_enable(struct peer *p)
{
	p->qresync = true;
	view_enable(p->view, true, false);
	p->highest = folder.modseq;
	view_told_highest(p->view, p->highest);
}

static void peer_vanished(struct peer *p, const char *list)
{
	for (char *end; *list; list = *end ? end + 1 : end) {
		unsigned long lo = strtoul(list, &end, 10),
			      hi = *end == ':' ? strtoul(end + 1, &end, 10) : lo;

		for (; lo <= hi; lo++) {
			size_t at = 0;

			while (at < p->n && p->msg[at].uid != lo)
				at++;
			for (size_t i = 0; at == p->n && i < p->n; i++)
				if (!p->msg[i].uid) /* EXISTS told of it, FETCH not yet */
					at = i;
			assert_true(at < p->n); /* each was counted */
			memmove(&p->msg[at], &p->msg[at + 1], (p->n - at - 1) * sizeof p->msg[0]);
			p->n--;
		}
	}
}

/* Takes in what the server said; each line must make sense to one who believed all lines before. */
static void peer_read(struct peer *p)
{
	char *text = buf_cstr(&p->out), *next;

	for (char *line = text; *line; line = next) {
		unsigned n, cut;
		char word[16];

		next = strstr(line, "\r\n");
		assert_non_null(next);
		*next = 0;
		next += 2;
		if (!strncmp(line, "* VANISHED ", 11)) {
			assert_true(p->qresync);
			peer_vanished(p, line + 11);
		}
		if (!strncmp(line, "* OK [HIGHESTMODSEQ ", 20))
			p->highest = strtoull(line + 20, NULL, 10);
		if (sscanf(line, "* %u %15s%n", &n, word, &cut) != 2)
			continue;
		if (!strcmp(word, "EXPUNGE")) {
			assert_false(p->qresync);
			assert_in_range(n, 1, p->n);
			memmove(&p->msg[n - 1], &p->msg[n], (p->n - n) * sizeof p->msg[0]);
			p->n--;
		} else if (!strcmp(word, "EXISTS")) {
			assert_true(n >= p->n);
			for (; p->n < n; p->n++) {
				p->msg[p->n].known = false;
				p->msg[p->n].uid = 0;
			}
		} else if (!strcmp(word, "RECENT")) {
			p->recent = n;
		} else if (!strcmp(word, "FETCH")) {
			assert_in_range(n, 1, p->n);
			p->msg[n - 1].flags = flags_of(line);
			p->msg[n - 1].known = true;
			if (p->qresync) {
				const char *modseq = strstr(line, "MODSEQ (");

				assert_non_null(modseq);
				assert_int_equal(
					sscanf(line, "* %*u FETCH (UID %u", &p->msg[n - 1].uid), 1);
				if (strtoull(modseq + 8, NULL, 10) > p->highest)
					p->highest = strtoull(modseq + 8, NULL, 10);
			}
		}
	}
	buf_reset(&p->out);
}

/* The client knows exactly what the folder holds. */
static void peer_check(struct peer *p)
{
	size_t n = 0;

	peer_read(p);
	for (size_t i = 0; i < folder.msgs.n; i++) {
		const struct msg *m = &folder.msgs.a[i];

		if (m->state & MSG_EXPUNGED)
			continue;
		assert_true(n < p->n);
		assert_true(p->msg[n].known);
		assert_int_equal(p->msg[n].flags, m->flags);
		n++;
		assert_int_equal(view_seq(p->view, i), n);
		assert_int_equal(view_index(p->view, (uint32_t)n), i);
	}
	assert_int_equal(p->n, n);
	assert_true(!p->qresync || p->highest == folder.modseq);
	assert_int_equal(view_exists(p->view), n);
	assert_false(view_pending(p->view));
}

#define assert_said(p, text)                                                                       \
	do {                                                                                       \
		assert_string_equal(buf_cstr(&(p)->out), text);                                    \
		buf_reset(&(p)->out);                                                              \
	} while (0)

static void peer_close(struct peer *p)
{
	view_close(&p->view);
	buf_deinit(&p->out);
}

static struct peer a, b, c;

/* ---- tests ------------------------------------------------------------------------------------ */

/* The manual's dialogue: flags, expunge, delivery, as another window sees them (R33 to R36). */
static void test_words_and_order(void **state)
{
	for (int i = 0; i < 3; i++)
		deliver();
	peer_open(&a, true);
	peer_open(&b, true);
	assert_int_equal(view_recent(a.view), 3);
	assert_int_equal(view_recent(b.view), 0);
	view_push(b.view, true);
	reflag(0, MSG_DELETED, a.view);
	assert_said(&b, "* 1 FETCH (FLAGS (\\Deleted))\r\n");
	assert_false(view_pending(a.view)); /* who did it answers itself */
	expunge(0);
	assert_true(b.due);
	assert_true(view_tell(b.view, true));
	assert_said(&b, "* 1 EXPUNGE\r\n* 2 EXISTS\r\n* 0 RECENT\r\n");
	assert_true(view_tell(a.view, true));
	assert_said(&a, "* 1 EXPUNGE\r\n* 2 EXISTS\r\n* 2 RECENT\r\n");
	assert_int_equal(folder.msgs.n, 2);
	deliver();
	assert_true(view_tell(b.view, true));
	assert_said(&b, "* 3 EXISTS\r\n* 1 RECENT\r\n* 3 FETCH (FLAGS (\\Recent))\r\n");
	assert_true(view_tell(a.view, true));
	assert_said(&a, "* 3 EXISTS\r\n* 2 RECENT\r\n* 3 FETCH (FLAGS ())\r\n");
	peer_close(&a);
	peer_close(&b);
}

static void test_no_expunge_where_forbidden(void **state)
{
	for (int i = 0; i < 5; i++)
		deliver();
	peer_open(&a, true);
	expunge(1);
	reflag(4, MSG_SEEN, NULL);
	deliver();
	assert_true(view_tell(a.view, false));
	assert_said(&a, "* 6 EXISTS\r\n* 6 RECENT\r\n* 6 FETCH (FLAGS (\\Recent))\r\n"
			"* 5 FETCH (FLAGS (\\Seen \\Recent))\r\n");
	assert_int_equal(view_seq_of_uid(a.view, 2), 2);
	assert_true(folder.msgs.a[view_index(a.view, 2)].state & MSG_EXPUNGED);
	assert_true(view_tell(a.view, true));
	assert_said(&a, "* 2 EXPUNGE\r\n* 5 EXISTS\r\n* 5 RECENT\r\n");
	peer_close(&a);
}

static void test_new_and_gone_before_told(void **state)
{
	deliver();
	peer_open(&a, true);
	deliver();
	deliver();
	expunge(1);
	assert_true(view_tell(a.view, true));
	assert_said(&a, "* 2 EXISTS\r\n* 2 RECENT\r\n* 2 FETCH (FLAGS (\\Recent))\r\n");
	peer_close(&a);
}

static void test_examine_claims_nothing(void **state)
{
	deliver();
	peer_open(&a, false);
	assert_int_equal(view_recent(a.view), 1);
	peer_open(&b, true);
	assert_int_equal(view_recent(b.view), 1);
	peer_close(&a);
	peer_close(&b);
}

static void test_keywords_come_first(void **state)
{
	static const struct {
		uint16_t n, kw[1];
	} set = {1, {0}};

	deliver();
	peer_open(&a, true);
	*vec_push(&folder.keywords) = (char *)"$Label1";
	announce(FOLDER_KEYWORDS, 0, NULL);
	folder.msgs.a[0].kw = (const struct kwset *)&set;
	reflag(0, MSG_SEEN, NULL);
	assert_true(view_tell(a.view, true));
	assert_said(
		&a,
		"* FLAGS ($Label1 \\Draft \\Answered \\Flagged \\Deleted \\Seen \\Recent)\r\n"
		"* OK [PERMANENTFLAGS ($Label1 \\* \\Draft \\Answered \\Flagged \\Deleted \\Seen)] Limited\r\n"
		"* 1 FETCH (FLAGS (\\Seen \\Recent $Label1))\r\n");
	peer_close(&a);
}

static void slow_client(int rounds)
{
	while (folder.msgs.n < 2000)
		deliver();
	peer_open(&a, true);
	view_push(a.view, true);
	a.room = 0;
	buf_puts(&a.out, "* OK busy\r\n");
	for (int round = 0; round < rounds; round++) {
		for (size_t i = 0; i < 2000; i++)
			reflag(i, (uint8_t)(1 << ((i + (size_t)round) % 2 * 2)), NULL);
	}
	assert_false(view_tell(a.view, true));
	assert_string_equal(buf_cstr(&a.out), "* OK busy\r\n");
	for (int turns = 0; view_pending(a.view); turns++) {
		assert_true(turns < 4000);
		peer_read(&a);
		view_tell(a.view, true);
	}
	peer_check(&a);
	peer_close(&a);
}

static void test_slow_client_gets_merged_changes(void **state)
{
	slow_client(1);
	slow_client(3);
}

static void test_many_expunges_in_pieces(void **state)
{
	for (int i = 0; i < 3000; i++)
		deliver();
	peer_open(&a, true);
	peer_open(&b, true); /* holds the tombstones in the table */
	for (size_t i = 0; i < 3000; i += 2)
		expunge(i);
	assert_true(view_tell(a.view, true));
	peer_check(&a);
	assert_int_equal(folder.tombs.n, 1500);
	assert_int_equal(view_index(a.view, 1500), 2999);
	assert_true(view_tell(b.view, true));
	peer_check(&b);
	assert_int_equal(folder.tombs.n, 0);
	assert_int_equal(view_exists(a.view), 1500);
	assert_int_equal(view_index(a.view, 1500), 1499);
	peer_close(&a);
	peer_close(&b);
}

static void test_gone(void **state)
{
	deliver();
	peer_open(&a, true);
	announce(FOLDER_GONE, 0, NULL);
	assert_int_equal(a.gone, 1);
	reflag(0, MSG_SEEN, NULL);
	assert_true(view_tell(a.view, true));
	assert_said(&a, "");
	peer_close(&a);
}

static size_t random_live(unsigned *seed)
{
	for (int tries = 0; tries < 20 && folder.msgs.n; tries++) {
		size_t i = (size_t)rand_r(seed) % folder.msgs.n;

		if (!(folder.msgs.a[i].state & MSG_EXPUNGED))
			return i;
	}
	return SIZE_MAX;
}

static void random_step(unsigned *seed, struct peer **peers)
{
	struct peer *p = peers[rand_r(seed) % 3];
	size_t i;

	switch (rand_r(seed) % 8) {
	case 0:
	case 1:
		if (folder.msgs.n < 200)
			deliver();
		break;
	case 2:
	case 3:
		i = random_live(seed);
		if (i != SIZE_MAX)
			reflag(i,
			       (uint8_t)(rand_r(seed) % 16) &
				       (MSG_SEEN | MSG_FLAGGED | MSG_DELETED),
			       NULL);
		break;
	case 4:
		i = random_live(seed);
		if (i != SIZE_MAX)
			expunge(i);
		break;
	case 5:
		if (view_tell(p->view, rand_r(seed) % 2))
			view_tell_highest(p->view);
		break;
	case 6:
		peer_read(p);
		p->room = (size_t)(rand_r(seed) % 200);
		break;
	case 7:
		view_push(p->view, rand_r(seed) % 2);
		break;
	}
}

static void test_random(void **state)
{
	struct peer *peers[] = {&a, &b, &c};

	for (unsigned seed = 1; seed <= 60; seed++) {
		unsigned s = seed;

		folder_teardown(NULL);
		folder_setup(NULL);
		for (int i = 0; i < 3; i++) {
			peer_open(peers[i], i != 2);
			deliver();
		}
		for (int step = 0; step < 1500; step++) {
			random_step(&s, peers);
			if (step % 500 == 499) { /* one comes anew */
				peer_close(&c);
				peer_open(&c, true);
				if (seed % 2)
					peer_enable(&c);
			}
		}
		for (int i = 0; i < 3; i++) {
			peers[i]->room = SIZE_MAX;
			assert_true(view_tell(peers[i]->view, true));
			view_tell_highest(peers[i]->view);
			peer_check(peers[i]);
		}
		assert_int_equal(folder.tombs.n, 0);
		for (int i = 0; i < 3; i++)
			peer_close(peers[i]);
	}
}

static void test_vanished(void **state)
{
	for (int i = 0; i < 6; i++)
		deliver();
	peer_open(&a, true);
	peer_enable(&a);
	expunge(1);
	expunge(2);
	expunge(4);
	reflag(5, MSG_SEEN, NULL);
	assert_true(view_tell(a.view, true));
	view_tell_highest(a.view);
	assert_said(
		&a,
		"* VANISHED 2:3,5\r\n* 3 FETCH (UID 6 FLAGS (\\Seen \\Recent) MODSEQ (10))\r\n");
	expunge(0);
	deliver();
	assert_true(view_tell(a.view, true));
	view_tell_highest(a.view);
	assert_said(
		&a,
		"* VANISHED 1\r\n* 3 EXISTS\r\n* 3 RECENT\r\n* 3 FETCH (UID 7 FLAGS (\\Recent) MODSEQ (12))\r\n");
	expunge(0);
	assert_true(view_tell(a.view, true));
	view_tell_highest(a.view);
	assert_said(&a, "* VANISHED 4\r\n* OK [HIGHESTMODSEQ 13] Highest\r\n");
	view_tell_highest(a.view);
	assert_said(&a, "");
	peer_close(&a);
}

/* What waits holds HIGHESTMODSEQ back below it, whatever else is told. */
static void test_waiting_expunges_hold_modseq_back(void **state)
{
	for (int i = 0; i < 4; i++)
		deliver();
	peer_open(&a, true);
	peer_enable(&a);
	reflag(0, MSG_SEEN, NULL); /* 5 */
	expunge(1);		   /* 6 */
	reflag(3, MSG_SEEN, NULL); /* 7 */
	assert_true(view_tell(a.view, false));
	view_tell_highest(a.view);
	assert_said(
		&a,
		"* 1 FETCH (UID 1 FLAGS (\\Seen \\Recent) MODSEQ (5))\r\n"
		"* 4 FETCH (UID 4 FLAGS (\\Seen \\Recent) MODSEQ (7))\r\n* OK [HIGHESTMODSEQ 5] Highest\r\n");
	assert_int_equal(view_highest(a.view), 5);
	view_tell_highest(a.view);
	assert_said(&a, "");
	assert_true(view_tell(a.view, true));
	view_tell_highest(a.view);
	assert_said(&a, "* VANISHED 2\r\n* OK [HIGHESTMODSEQ 7] Highest\r\n");
	peer_close(&a);
}

static void test_first_hears_of_modseq(void **state)
{
	deliver();
	peer_open(&a, true);
	view_enable(a.view, false, true);
	reflag(0, MSG_SEEN, NULL);
	assert_true(view_tell(a.view, true));
	view_tell_highest(a.view);
	assert_said(
		&a,
		"* 1 FETCH (UID 1 FLAGS (\\Seen \\Recent) MODSEQ (2))\r\n* OK [HIGHESTMODSEQ 2] Highest\r\n");
	expunge(0);
	assert_true(view_tell(a.view, true));
	view_tell_highest(a.view);
	assert_said(&a, "* 1 EXPUNGE\r\n* 0 EXISTS\r\n* 0 RECENT\r\n");
	peer_close(&a);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, folder_setup, folder_teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_words_and_order),
		TEST(test_no_expunge_where_forbidden),
		TEST(test_new_and_gone_before_told),
		TEST(test_examine_claims_nothing),
		TEST(test_keywords_come_first),
		TEST(test_slow_client_gets_merged_changes),
		TEST(test_many_expunges_in_pieces),
		TEST(test_gone),
		TEST(test_vanished),
		TEST(test_waiting_expunges_hold_modseq_back),
		TEST(test_first_hears_of_modseq),
		TEST(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
