/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "common/base/ensure.h"
#include "tests/unit/imap/transcript.h"

static const struct imap_limits limits = {.line = 200, .literal = 64, .depth = 3, .args = 20};

static void check_with(const struct imap_limits *l, struct str in, const char *want)
{
	struct buf out = BUF_INIT;

	transcript(&out, l, in, transcript_cut_all, NULL);
	assert_string_equal(buf_cstr(&out), want);
	buf_reset(&out);
	transcript(&out, l, in, transcript_cut_byte, NULL);
	assert_string_equal(buf_cstr(&out), want);
	for (uint32_t seed = 1; seed < 20; seed++) {
		uint32_t s = seed;
		buf_reset(&out);
		transcript(&out, l, in, transcript_cut_random, &s);
		assert_string_equal(buf_cstr(&out), want);
	}
	buf_deinit(&out);
}

struct vector {
	struct str in;
	const char *want;
};
#define V(in, want)                                                                                \
	{                                                                                          \
		{in, sizeof(in) - 1}, want                                                         \
	}

static void check_all(const struct vector *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		check_with(&limits, v[i].in, v[i].want);
}

static void good_commands(void **state)
{
	static const struct vector v[] = {
		V("a NOOP\r\n", "a|NOOP.\nidle"),
		V("a NOOP\n", "a|NOOP.\nidle"),
		V("a NOOP", "busy"),
		V("", "idle"),
		V("a1.]-x LOGIN bob \"se\\\"c\\\\ret\"\r\n",
		  "a1.]-x|LOGIN A<bob> Q<se\"c\\ret>.\nidle"),
		V("a X \"\" NIL  b \r\n", "a|X Q<> A<NIL> A<b>.\nidle"),
		V("a X ( a (b c) () )\r\n", "a|X (3: A<a> (2: A<b> A<c> ) (0: ) ).\nidle"),
		V("a X \"gr\xc3\xbc\xc3\x9f\"\r\n", "a|X Q<gr\xc3\xbc\xc3\x9f>.\nidle"),
		V("a LIST \"\" %*\r\nb STORE 1:*,3 +FLAGS (\\Seen $x)\r\n",
		  "a|LIST Q<> A<%*>.\nb|STORE A<1:*,3> A<+FLAGS> (2: A<\\Seen> A<$x> ).\nidle"),
		V("a FETCH 1 BODY.PEEK[HEADER.FIELDS (A \"B c\")]<0.10>\r\n",
		  "a|FETCH A<1> A<BODY.PEEK[HEADER.FIELDS> (2: A<A> Q<B c> )~A<]<0.10>>.\nidle"),
		V("a FETCH 1 (BODY[HEADER.FIELDS (A)] FLAGS)\r\n",
		  "a|FETCH A<1> (4: A<BODY[HEADER.FIELDS> (1: A<A> )~A<]> A<FLAGS> ).\nidle"),
		V("a X ~bob ~{2}\r\n\n\xff ~\r\n", "{2 8}a|X A<~bob> B<\n\xff> A<~>.\nidle"),
	};

	check_all(v, ARRAY_LEN(v));
}

static void literals(void **state)
{
	static const struct vector v[] = {
		V("a LOGIN {3}\r\nbob {4}\r\na\r\nb\r\nb NOOP\r\n",
		  "{3}{4}a|LOGIN L<bob> L<a\r\nb>.\nb|NOOP.\nidle"),
		V("a X {0}\r\n {0+}\r\n\r\n", "{0}{0+}a|X L<> L<>.\nidle"),
		V("a X ({1+}\n( b)\r\n", "{1+}a|X (2: L<(> A<b> ).\nidle"),
		V("a X {3}\r\nbobx\r\n", "{3}a BAD Space expected between arguments\r\nidle"),
		V("a X {3}x\r\n", "a BAD Line end expected behind a literal's size\r\nidle"),
		V("a X {3}\r\nb\0b\r\nb NOOP\r\n", "{3}a BAD NUL in a literal\r\nb|NOOP.\nidle"),
		V("a X ab{3}\r\nb NOOP\r\n", "a BAD Invalid character\r\nb|NOOP.\nidle"),
		/* streamed: any size, any bytes, several in one command */
		V("a APPEND x (\\Seen) {5+}\r\n\0\r\n(\"\r\nb NOOP\r\n",
		  "{5+}a|APPEND A<x> (1: A<\\Seen> ) S<5>.\nb|NOOP.\nidle"),
		V("a APPEND x {2}\r\n\r\n ~{1}\r\n\0\r\n",
		  "{2}{1 8}a|APPEND A<x> S<2> S8<1>.\nidle"),
		V("a APPEND x {999999999999}\r\nfoo", "{999999999999}busy"),
		/* the same, forgetting what came before each: RFC 3502 */
		V("a MULTI x {2+}\r\n\r\n (k) \"d\" {1}\r\n(\r\nb NOOP\r\n",
		  "{2+}{1}a|MULTI.\nb|NOOP.\nidle"),
		V("a MULTI x {2+}\r\nab (y)\r\n", "{2+}a|MULTI (1: A<y> ).\nidle"),
		V("a MULTI x {2+}\r\nab]x\r\nb NOOP\r\n",
		  "{2+}a BAD Space expected between arguments\r\nb|NOOP.\nidle"),
		V("a MULTI x {2+}\r\nab)\r\n", "{2+}a BAD Unexpected )\r\nidle"),
		V("a MULTI x {2+}\r\nab (y\r\n", "{2+}a BAD Missing )\r\nidle"),
	};

	check_all(v, ARRAY_LEN(v));
}

/* B5, B6, B7: sizes that can't be meant, and what was announced with them never runs. */
static void hostile_literals(void **state)
{
	static const struct vector v[] = {
		V("a X {-1}\r\nb NOOP\r\n", "a BAD Invalid literal size\r\nb|NOOP.\nidle"),
		V("a X {0x10}\r\nb NOOP\r\n", "a BAD Invalid literal size\r\nb|NOOP.\nidle"),
		V("a X {}\r\n", "a BAD Invalid literal size\r\nidle"),
		V("a X {+}\r\n", "BYE [TOOBIG] Literal too bigbusy"),
		V("a X {0x10+}\r\nb NOOP\r\n", "BYE [TOOBIG] Literal too bigbusy"),
		V("a X {5\r\n", "a BAD Invalid literal size\r\nidle"),
		V("a X {00000000000001}\r\n", "a BAD Invalid literal size\r\nidle"),
		V("a X {00000000000001+}\r\nb\r\nc NOOP\r\n",
		  "a BAD Invalid literal size\r\nc|NOOP.\nidle"),
		V("a X {65}\r\nb NOOP\r\n",
		  "{65}over a BAD [TOOBIG] Literal too big\r\nb|NOOP.\nidle"),
		V("a X {4294967296}\r\n",
		  "{4294967296}over a BAD [TOOBIG] Literal too big\r\nidle"),
		V("a X {18446744073709551616}\r\n", "a BAD Invalid literal size\r\nidle"),
		V("a X {18446744073709551617}\r\n", "a BAD Invalid literal size\r\nidle"),
		V("a X {18446744073709551617+}\r\n", "BYE [TOOBIG] Literal too bigbusy"),
		V("a X {9223372036854775808}\r\n", "a BAD Invalid literal size\r\nidle"),
		V("a X {1000000000+}\r\nb NOOP\r\n",
		  "{1000000000+}over BYE [TOOBIG] Literal too bigbusy"),
		V("a X {70+}\r\nb NOOP\r\nb NOOP\r\nb NOOP\r\nb NOOP\r\nb NOOP\r\nb NOOP\r\nb "
		  "NOOP\r\nb NOOP"
		  "\r\nZZZZZZ y\r\nc NOOP\r\n",
		  "{70+}over a BAD [TOOBIG] Literal too big\r\nc|NOOP.\nidle"),
		/* in a line that is bad already */
		V("a X )( {8+}\r\nb NOOP\r\n {8+}\r\nc NOOP\r\n\r\nd NOOP\r\n",
		  "a BAD Unexpected )\r\nd|NOOP.\nidle"),
		V("a X ) {8}\r\nd NOOP\r\n", "a BAD Unexpected )\r\nd|NOOP.\nidle"),
		V("a X ) {999+}\r\nd NOOP\r\n", "BYE [TOOBIG] Literal too bigbusy"),
		V("a X \"\\q {8+}\r\nb NOOP\r\n\r\nd NOOP\r\n",
		  "a BAD Invalid escape in a quoted string\r\nd|NOOP.\nidle"),
		V("a X \"open {8+}\r\nb NOOP\r\n\r\nd NOOP\r\n",
		  "a BAD Missing \"\r\nd|NOOP.\nidle"),
		/* refused by the caller */
		V("a REFUSE {8}\r\nb NOOP\r\n", "{8}refused b|NOOP.\nidle"),
		V("a REFUSE {8+}\r\nb NOOP\r\n (x\r\nc NOOP\r\n", "{8+}refused c|NOOP.\nidle"),
		V("a REFUSE {8+}\r\nb NOOP\r\n {8+}\r\nb NOOP\r\n\r\nc NOOP\r\n",
		  "{8+}refused c|NOOP.\nidle"),
		V("a REFUSE {99999999+}\r\nb NOOP\r\n", "{99999999+}refused busy"),
	};

	check_all(v, ARRAY_LEN(v));
}

static void bad_lines(void **state)
{
	static const struct vector v[] = {
		V("\r\na NOOP\r\n", "* BAD Empty line\r\na|NOOP.\nidle"),
		V("\n", "* BAD Empty line\r\nidle"),
		V(" a NOOP\r\n", "* BAD Tag expected\r\nidle"),
		V("+ NOOP\r\n", "* BAD Invalid character in the tag\r\nidle"),
		V("{5+}\r\nabcde\r\na NOOP\r\n",
		  "* BAD Invalid character in the tag\r\na|NOOP.\nidle"),
		V("a\rb NOOP\r\n", "* BAD CR without LF\r\nidle"),
		V("a*b NOOP\r\n", "* BAD Invalid character in the tag\r\nidle"),
		V("\0 NOOP\r\n", "* BAD Invalid character in the tag\r\nidle"),
		V("a\r\n", "a BAD Command expected\r\nidle"),
		V("a \r\n", "a BAD Command expected\r\nidle"),
		V("a  NOOP\r\n", "a BAD Command expected\r\nidle"),
		V("a NO\"OP\r\n", "a BAD Invalid character in the command\r\nidle"),
		V("a ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJ\r\n", "a BAD Unknown command\r\nidle"),
		V("a X \"a\0b\"\r\nb NOOP\r\n", "a BAD NUL in a string\r\nb|NOOP.\nidle"),
		V("a X a\0b\r\n", "a BAD Invalid character\r\nidle"),
		V("a X a\tb\r\n", "a BAD Invalid character\r\nidle"),
		V("a X a\xc3\xbc\r\n", "a BAD Invalid character\r\nidle"),
		V("a X \"\xc3\"\r\n", "a BAD Invalid UTF-8 in a quoted string\r\nidle"),
		V("a X \"\xed\xa0\x80\"\r\n", "a BAD Invalid UTF-8 in a quoted string\r\nidle"),
		V("a X \"abc\r\nb NOOP\r\n", "a BAD Missing \"\r\nb|NOOP.\nidle"),
		V("a X \"a\rb\"\r\n", "a BAD CR without LF\r\nidle"),
		V("a X \"a\"b\r\n", "a BAD Space expected between arguments\r\nidle"),
		V("a X \"a\"\"b\"\r\n", "a BAD Space expected between arguments\r\nidle"),
		V("a X a\"b\"\r\n", "a BAD Invalid character\r\nidle"),
		V("a X (a)(b)\r\n", "a BAD Space expected between arguments\r\nidle"),
		V("a X (a)]\r\n", "a BAD Space expected between arguments\r\nidle"),
		V("a X b[c] (a)]\r\n", "a BAD Space expected between arguments\r\nidle"),
		V("a X b[ (a)x\r\n", "a BAD Space expected between arguments\r\nidle"),
		V("a X (a\r\nb NOOP\r\n", "a BAD Missing )\r\nb|NOOP.\nidle"),
		V("a X a)\r\n", "a BAD Unexpected )\r\nidle"),
		V("a X ((((a))))\r\n", "a BAD Parentheses too deep\r\nidle"),
		V("a X 1 2 3 4 5 6 7 8 9 1 2 3 4 5 6 7 8 9 1 2 3\r\n",
		  "a BAD Too many arguments\r\nidle"),
		V("a X 1 2 3 4 5 6 7 8 9 1 2 3 4 5 6 7 8 9 1 2 {8+}\r\nb NOOP\r\n\r\n",
		  "a BAD Too many arguments\r\nidle"),
	};

	check_all(v, ARRAY_LEN(v));
}

static void literal8_keeps_nul(void **state)
{
	struct imap_parser p;
	size_t used;
	struct str in = STR("a X ~{3}\r\n");

	imap_parser_init(&p, &limits);
	assert_int_equal(imap_parse_step(&p, in, &used), IMAP_PARSE_LITERAL);
	assert_true(p.literal.literal8 && p.literal.sync);
	assert_true(imap_parser_take(&p));
	assert_int_equal(imap_parse_step(&p, str_mem("\0\n\xff\r\n", 5), &used),
			 IMAP_PARSE_COMMAND);
	assert_int_equal(p.args->type, IMAP_ARG_LITERAL8);
	assert_true(str_eq(p.args->s, str_mem("\0\n\xff", 3)));
	imap_parser_done(&p);
	assert_true(imap_parser_idle(&p));
	imap_parser_deinit(&p);
}

/* The tree so far can be read when a literal is announced: APPEND's mailbox is known then. */
static void tree_so_far(void **state)
{
	struct imap_parser p;
	size_t used;

	imap_parser_init(&p, &limits);
	assert_int_equal(imap_parse_step(&p, STR("a APPEND box (\\Seen) {3}\r\n"), &used),
			 IMAP_PARSE_LITERAL);
	assert_int_equal(p.count, 2);
	assert_true(str_eq(p.args->s, STR("box")));
	assert_true(str_eq(p.args->next->list->s, STR("\\Seen")));
	assert_null(p.args->next->next);
	imap_parser_refuse(&p);
	assert_true(imap_parser_idle(&p));
	imap_parser_deinit(&p);
}

static void literal_minus(void **state)
{
	struct imap_limits l = {
		.line = 8000, .literal = 8000, .depth = 1, .args = 5, .literal_minus = true};
	struct buf in = BUF_INIT;

	for (unsigned size = 4096; size <= 4097; size++) {
		buf_reset(&in);
		buf_printf(&in, "a X {%u+}\r\n", size);
		memset(buf_reserve(&in, size), 'x', size);
		buf_added(&in, size);
		buf_puts(&in, "\r\nb NOOP\r\n");
		struct buf out = BUF_INIT;
		transcript(&out, &l, buf_str(&in), transcript_cut_all, NULL);
		if (size == 4096)
			assert_non_null(strstr(buf_cstr(&out), "a|X L<xxx"));
		else
			assert_string_equal(buf_cstr(&out),
					    "{4097+}over a BAD [TOOBIG] Literal too big\r\n"
					    "b|NOOP.\nidle");
		buf_deinit(&out);
	}
	buf_deinit(&in);
}

/* Only in LOGIN, and however the input is cut; quotes and braces end an atom there, too. */
static void login_parens(void **state)
{
	static const char in[] =
		"a LOGIN (x) y)[(\r\nb login ) \"()\"\r\nc LOGIN (a\"b\r\nd LOGIN x (a{1\r\n"
		"e ID (a)\r\nf LOGIN (\r\n";
	static const char *const texts[] = {"a BAD Unexpected )\r\n"
					    "b BAD Unexpected )\r\n"
					    "c BAD Invalid character\r\n"
					    "d BAD Invalid character\r\n"
					    "e|ID (1: A<a> ).\n"
					    "f BAD Missing )\r\nidle",
					    "a|LOGIN A<(x)> A<y)[(>.\n"
					    "b|login A<)> Q<()>.\n"
					    "c BAD Invalid character\r\n"
					    "d BAD Invalid character\r\n"
					    "e|ID (1: A<a> ).\n"
					    "f|LOGIN A<(>.\nidle"};
	struct imap_limits l = IMAP_LIMITS_PRELOGIN(8000, false);

	for (int on = 0; on < 2; on++) {
		struct buf whole = BUF_INIT, bytes = BUF_INIT;

		l.login_parens = on;
		transcript(&whole, &l, STR(in), transcript_cut_all, NULL);
		transcript(&bytes, &l, STR(in), transcript_cut_byte, NULL);
		assert_string_equal(buf_cstr(&whole), buf_cstr(&bytes));
		assert_string_equal(buf_cstr(&whole), texts[on]);
		buf_deinit(&whole);
		buf_deinit(&bytes);
	}
}

/* B8, B9, B53: no line end in sight; memory stays what it is. */
static void floods(void **state)
{
	static const char *const starts[] = {"a NOOP ((((", "a NOOP ", "", "a X \"", "+"};
	static const char *const fills = "(a1\"{+ ";

	for (size_t s = 0; s < ARRAY_LEN(starts); s++) {
		for (const char *f = fills; *f; f++) {
			struct imap_parser p;
			struct imap_limits l = IMAP_LIMITS_PRELOGIN(16384, false);
			struct buf in = BUF_INIT;
			enum imap_parse r;
			size_t used;
			buf_puts(&in, starts[s]);
			memset(buf_reserve(&in, 1000000), *f, 1000000);
			buf_added(&in, 1000000);
			imap_parser_init(&p, &l);
			r = imap_parse_step(&p, buf_str(&in), &used);
			assert_int_equal(r, IMAP_PARSE_BYE);
			assert_int_equal(used, in.n);
			assert_null(p.arena.head);
			assert_int_equal(imap_parse_step(&p, STR("\r\nb NOOP\r\n"), &used),
					 IMAP_PARSE_BYE);
			imap_parser_deinit(&p);
			buf_deinit(&in);
		}
	}
}

static void depth_before_login(void **state)
{
	struct imap_limits l = IMAP_LIMITS_PRELOGIN(16384, false);
	struct imap_parser p;
	struct buf in = BUF_INIT;
	size_t used;

	buf_puts(&in, "a NOOP ");
	memset(buf_reserve(&in, 4000), '(', 4000);
	buf_added(&in, 4000);
	imap_parser_init(&p, &l);
	assert_int_equal(imap_parse_step(&p, buf_str(&in), &used), IMAP_PARSE_MORE);
	assert_true(p.arena.used < 4096 && p.tok.cap < 4096);
	assert_int_equal(imap_parse_step(&p, STR("\r\n"), &used), IMAP_PARSE_BAD);
	assert_true(str_eq(p.tag, STR("a")));
	imap_parser_deinit(&p);
	buf_deinit(&in);
}

static void long_tag(void **state)
{
	struct imap_limits l = IMAP_LIMITS_SESSION(200000, false);
	struct buf in = BUF_INIT, out = BUF_INIT;

	memset(buf_reserve(&in, 100000), 'a', 100000);
	buf_added(&in, 100000);
	buf_puts(&in, " NOOP\r\nb NOOP\r\n");
	transcript(&out, &l, buf_str(&in), transcript_cut_all, NULL);
	assert_string_equal(buf_cstr(&out), "* BAD Tag too long\r\nb|NOOP.\nidle");
	buf_deinit(&in);
	buf_deinit(&out);
}

/* The limit counts literals that are taken, and not those that are streamed. */
static void limit_counts(void **state)
{
	struct imap_limits l = {.line = 30, .literal = 30, .depth = 1, .args = 9};

	check_with(&l, STR("a X {9+}\r\n123456789 {9+}\r\n123456789\r\n"),
		   "{9+}{9+}over BYE [TOOBIG] Literal too bigbusy");
	check_with(&l, STR("a APPEND {25+}\r\n1234567890123456789012345 x\r\n"),
		   "{25+}a|APPEND S<25> A<x>.\nidle");
	check_with(&l, STR("a NOOP 3456789012345678901234\r\n"),
		   "BYE [TOOBIG] Command too longbusy");
	check_with(&l, STR("a NOOP 34567890123456789012\r\n"),
		   "a|NOOP A<34567890123456789012>.\nidle");
	check_with(
		&l,
		STR("a MULTI 90123456789 {2+}\r\nab 12345678901234 {2+}\r\nab 12345678901234 {2+}\r\nab\r\n"),
		"{2+}{2+}{2+}a|MULTI.\nidle");
	check_with(&l,
		   STR("a MULTI 90123456789 {2+}\r\nab 1234567890123456789012345 {2+}\r\nab\r\n"),
		   "{2+}BYE [TOOBIG] Command too longbusy");
	check_with(&l, STR("a )23456789012345678 {9+}\r\n123456789\r\n"),
		   "BYE [TOOBIG] Literal too bigbusy");
}

static void lines(void **state)
{
	struct str line;
	size_t used;

	assert_int_equal(imap_take_line(STR("DONE"), 10, &line, &used), 0);
	assert_int_equal(imap_take_line(STR("DONE\r\nx"), 10, &line, &used), 1);
	assert_true(str_eq(line, STR("DONE")) && used == 6);
	assert_int_equal(imap_take_line(STR("\n"), 10, &line, &used), 1);
	assert_true(line.n == 0 && used == 1);
	assert_int_equal(imap_take_line(STR("12345678901"), 10, &line, &used), -1);
	assert_int_equal(imap_take_line(STR("12345678901\r\n"), 10, &line, &used), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_commands),
		cmocka_unit_test(literals),
		cmocka_unit_test(hostile_literals),
		cmocka_unit_test(bad_lines),
		cmocka_unit_test(literal8_keeps_nul),
		cmocka_unit_test(tree_so_far),
		cmocka_unit_test(literal_minus),
		cmocka_unit_test(login_parens),
		cmocka_unit_test(floods),
		cmocka_unit_test(depth_before_login),
		cmocka_unit_test(long_tag),
		cmocka_unit_test(limit_counts),
		cmocka_unit_test(lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
