/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "backend/store/foreign.h"

#define LIST1 "1 795670445 50\n11 a\n12 b:2,FS\n44 c\n"
#define LIST3                                                                                      \
	"3 V795670445 N50 G3893fa39d8c1076b0053000083ecc375\n11 :a\n12 W7 P0.x:y :b:2,FS\n44 S1  W2 :c\n"

static void assert_str(struct str s, const char *want)
{
	assert_true(str_eq(s, str_c(want)));
}

static void both_versions_say_the_same(void **state)
{
	const struct str texts[] = {STR(LIST1), STR(LIST3),
				    STR("1 795670445 50\r\n11 a\r\n\r\n12 b\r\n44 c\r\n")};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct uidlist l;
		uidlist_parse(texts[i], &l);
		assert_null(l.unsure);
		assert_int_equal(l.uidvalidity, 795670445);
		assert_int_equal(l.uidnext, 50);
		assert_int_equal(l.a.n, 3);
		assert_int_equal(l.dropped, 0);
		assert_int_equal(l.a.a[1].uid, 12);
		assert_str(l.a.a[1].base, "b");
		assert_str(l.a.a[1].keys, i == 1 ? "W7 P0.x:y" : "");
		assert_str(l.guid, i == 1 ? "3893fa39d8c1076b0053000083ecc375" : "");
		uidlist_free(&l);
	}
}

static void what_is_sure(void **state)
{
	static const struct {
		const char *text;
		bool sure;
		uint32_t uidnext;
		size_t n, dropped;
	} t[] = {
		{"1 7 50\n3 c\n1 a\n2 b\n", true, 50, 3, 0},
		{"1 7 50\n1 a\n1 b\n2 c\n", true, 50, 1, 2}, /* a UID twice */
		{"1 7 50\n1 a\n2 a\n3 c\n", true, 50, 1, 2}, /* a file twice */
		{"1 7 50\n0 a\n-1 b\n4294967296 c\nx d\n5 e\n", true, 50, 1, 4},
		{"1 7 50\n1 a\n2 ../b\n3 .c\n4 \n5\n", true, 50, 1, 4},
		{"1 7 50\n1 a\n2 b", true, 50, 1, 1}, /* cut off */
		{"1 7 50", false, 50, 0, 0},	      /* so may the 50 be */
		{"1 7 2\n1 a\n2 b\n", false, 3, 2, 0},
		{"3 V7 N2\n1 :a\n5 :b\n", true, 6, 2, 0},      /* appended */
		{"3 V7 N2\n1 :a\n5 :b\n6 :c", false, 6, 2, 1}, /* who knows what came behind */
		{"3 V7 N2\n1 :a\n5 b\n6 :c\n", true, 7, 2, 1},
		{"3 V7 N2\n1 :a\n6 c\n", false, 2, 1, 1},
		{"3 N2\n1 :a\n", false, 2, 1, 0},
		{"3 V7 N2 N3\n1 :a\n", false, 2, 1, 0},
		{"1 0 5\n1 a\n", false, 5, 1, 0},
		{"1 7 0\n1 a\n", false, 2, 1, 0},
		{"1 7 4294967295\n1 a\n", false, 4294967295, 1, 0},
		{"1 4294967295 5\n1 a\n", false, 5, 1, 0},
		{"3 V7 N2\n4294967295 :a\n", false, 4294967295, 1, 0},
		{"2 7 5\n1 a\n", false, 2, 1, 0},
		{"", false, 0, 0, 0},
		{"\n\n\n", false, 0, 0, 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		struct uidlist l;
		uidlist_parse(str_c(t[i].text), &l);
		if ((l.unsure == NULL) != t[i].sure || l.uidnext != t[i].uidnext ||
		    l.a.n != t[i].n || l.dropped != t[i].dropped)
			fail_msg("%s: %s %u %zu %zu", t[i].text, l.unsure, l.uidnext, l.a.n,
				 l.dropped);
		uidlist_free(&l);
	}
}

/* Cut anywhere: what it is sure of is a part of the whole. */
static void cut_anywhere(void **state)
{
	const struct str texts[] = {STR(LIST1), STR(LIST3)};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		for (size_t n = 0; n < texts[i].n; n++) {
			struct uidlist whole, l;
			uidlist_parse(texts[i], &whole);
			char *text = str_dup(str_sub(texts[i], 0, n)); /* for ASan */
			uidlist_parse(str_mem(text, n), &l);
			for (size_t k = 0; k < l.a.n; k++) {
				assert_int_equal(l.a.a[k].uid, whole.a.a[k].uid);
				assert_true(str_eq(l.a.a[k].base, whole.a.a[k].base));
			}
			assert_true(l.unsure ||
				    (l.uidvalidity == whole.uidvalidity && l.uidnext == 50));
			uidlist_free(&whole);
			uidlist_free(&l);
			free(text);
		}
}

static void courier_keywords(void **state)
{
	struct kwlist l;
	size_t i;

	kwlist_parse(STR("$Label1\r\nfoo\n\n1.a:0 1\n2.b:1 7 x 0\nno colon\n:0\n.c:0\n3.d:\n4.e:0"),
		     &l);
	assert_int_equal(l.names.n, 2);
	assert_str(l.names.a[0], "$Label1");
	assert_int_equal(l.a.n, 3);
	assert_str(l.a.a[1].base, "2.b");
	assert_true(kwlist_number(&l.a.a[1].numbers, 2, &i) && i == 1);
	assert_true(kwlist_number(&l.a.a[1].numbers, 2, &i) && i == 0);
	assert_false(kwlist_number(&l.a.a[1].numbers, 2, &i));
	assert_false(kwlist_number(&l.a.a[2].numbers, 2, &i));
	kwlist_free(&l);
	kwlist_parse(STR("a\nb"), &l);
	assert_int_equal(l.a.n, 0);
	kwlist_free(&l);
}

static void update_files(void **state)
{
	struct str base;
	uint64_t age;

	assert_true(kwupdate_name(STR("1.a"), &base, &age) && age == UINT64_MAX);
	assert_true(kwupdate_name(STR(".5988901.1.a"), &base, &age) && age == 5988901);
	assert_str(base, "1.a");
	assert_false(kwupdate_name(STR(":list"), &base, &age));
	assert_false(kwupdate_name(STR(".tmp.1.a"), &base, &age));
	assert_false(kwupdate_name(STR(".12"), &base, &age));
	assert_false(kwupdate_name(STR(".12."), &base, &age));
	assert_false(kwupdate_name(STR(".12..x"), &base, &age));
	assert_false(kwupdate_name(STR("."), &base, &age));
	assert_false(kwupdate_name(STR(".."), &base, &age));
	assert_false(kwupdate_name(STR("1.a:2,S"), &base, &age));
	assert_false(kwupdate_name(STR(".18446744073709551615.a"), &base, &age));
	assert_false(kwupdate_name(STR(""), &base, &age));
}

static void dovecot_letters(void **state)
{
	struct str names[DOVECOT_LETTERS];

	letters_parse(STR("0 $Label1\r\n25 z\n26 no\nx no\n3\n4 \n-1 no\n1 cut"), names);
	assert_str(names[0], "$Label1");
	assert_str(names[25], "z");
	for (size_t i = 1; i < 25; i++)
		assert_int_equal(names[i].n, 0);
}

static void keywords_are_atoms(void **state)
{
	struct buf b = BUF_INIT;

	assert_true(keyword_clean(STR("$Forwarded"), 64, &b));
	assert_str(buf_str(&b), "$Forwarded");
	buf_reset(&b);
	assert_true(keyword_clean(STR("a (b){%*\"]\\\x80\x01"), 64, &b));
	assert_str(buf_str(&b), "a__b_________");
	assert_false(keyword_clean(STR("\\Seen"), 64, &b));
	assert_false(keyword_clean(STR(""), 64, &b));
	assert_false(keyword_clean(STR("long"), 3, &b));
	buf_deinit(&b);
}

static void subscriptions_are_read(void **state)
{
	static const struct {
		const char *text, *want;
	} t[] = {
		{"Sent\nA.b\nINBOX\n", "INBOX.Sent\nINBOX.A.b\nINBOX\n"},
		{"INBOX.Sent\r\ninbox.x\nInboxes\nA/b\n",
		 "INBOX.Sent\nINBOX.x\nINBOX.Inboxes\nINBOX.A.b\n"},
		{"V\t2\n\nSent\nA\tb.c\nINBOX\n", "INBOX.Sent\nINBOX.A\n"},
		{"V\t2\n\nR&AOk-sum&AOk-\tx\n", "INBOX.R\xc3\xa9sum\xc3\xa9.x\n"},
		{"R\xc3\xa9sum\xc3\xa9\nR&D\nA &- B\n",
		 "INBOX.R\xc3\xa9sum\xc3\xa9\nINBOX.R&D\nINBOX.A & B\n"},
		{"..\n.a\na.\n\xff\n\na\tb\n", ""},
		{"", ""},
		{"V\t2\n", ""},
	};
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		buf_reset(&b);
		subscriptions_parse(str_c(t[i].text), &b);
		if (i != 2)
			assert_str(buf_str(&b), t[i].want);
		for (struct str rest = buf_str(&b); rest.n;)
			assert_true(str_starts(str_split(&rest, '\n'), STR("INBOX")));
	}
	buf_deinit(&b);
}

static void subscriptions_come_back(void **state)
{
	const struct str ours =
		STR("INBOX\nINBOX.R\xc3\xa9sum\xc3\xa9.x\n#shared.y\nINBOX.A & B\n");
	struct buf b = BUF_INIT, back = BUF_INIT;

	subscriptions_make(ours, true, &b);
	assert_str(buf_str(&b), "V\t2\n\nINBOX\nR&AOk-sum&AOk-\tx\nA &- B\n");
	subscriptions_parse(buf_str(&b), &back);
	assert_str(buf_str(&back), "INBOX\nINBOX.R\xc3\xa9sum\xc3\xa9.x\nINBOX.A & B\n");
	buf_reset(&b);
	subscriptions_make(ours, false, &b);
	assert_str(buf_str(&b), "V\t2\n\nINBOX\nR\xc3\xa9sum\xc3\xa9\tx\nA & B\n");
	buf_deinit(&b);
	buf_deinit(&back);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_versions_say_the_same),
		cmocka_unit_test(what_is_sure),
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(courier_keywords),
		cmocka_unit_test(update_files),
		cmocka_unit_test(dovecot_letters),
		cmocka_unit_test(keywords_are_atoms),
		cmocka_unit_test(subscriptions_are_read),
		cmocka_unit_test(subscriptions_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
