/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/mail/mailtest.h"

static const struct mime_limits limits = MIME_LIMITS_DEFAULT;

/* Structures as Dovecot 2.3.19 shows them for the same bytes (BADINPUT.md B60), but where a comment
 * says otherwise. */
#define TEXT(octets, lines)                                                                        \
	"(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" " octets " " lines ")"
#define MIXED(boundary) "Content-Type: multipart/mixed; boundary=" boundary "\n\n"
#define X10		"xxxxxxxxxx"
#define X70		X10 X10 X10 X10 X10 X10 X10

static const struct {
	struct str message;
	const char *body;
} vectors[] = {
	{STR("A: b\n\nhi\n"), TEXT("4", "1")},
	{STR(""), TEXT("0", "0")},
	{STR("\n"), TEXT("0", "0")},
	{STR("\nfoo"), TEXT("3", "0")},
	{STR("no field\n\nx\n"), TEXT("3", "1")},
	{STR("A: b"), TEXT("0", "0")},
	{STR("A: b\r\n\r\nx\r\ny\nz\r"), TEXT("8", "2")},
	{STR("A: b\n\r\r\n\nx"), TEXT("1", "0")},
	{STR("Content-Type: text/html\n\n<b>"),
	 "(\"text\" \"html\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 3 0)"},
	/* Dovecot: "text" "", "foo" "", "" "" */
	{STR("Content-Type: text\n\nx\n"), TEXT("3", "1")},
	{STR("Content-Type: foo; a=b\n\nx\n"), TEXT("3", "1")},
	{STR("Content-Type:\n\nx\n"), TEXT("3", "1")},
	{STR("Content-Type: image/png; name=a.png\n\nx\ny"),
	 "(\"image\" \"png\" (\"name\" \"a.png\") NIL NIL \"7bit\" 4)"},
	{STR(MIXED("b") "pre\n--b\n\none\n--b\nContent-Type: text/html\n\ntwo\n--b--\nepi\n"),
	 "(" TEXT("3", "0") "(\"text\" \"html\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 3 0)"
			    " \"mixed\")"},
	{STR(MIXED("b") "--b\n\none"), "(" TEXT("3", "0") " \"mixed\")"},
	{STR(MIXED("b") "--b\nA: b\n--b\n\nx\n--b--"),
	 "(" TEXT("0", "0") TEXT("1", "0") " \"mixed\")"},
	/* no parts: an empty one */
	{STR(MIXED("b") "no parts\n"), "(" TEXT("0", "0") " \"mixed\")"},
	{STR(MIXED("b")), "(" TEXT("0", "0") " \"mixed\")"},
	{STR(MIXED("b") "--b"), "(" TEXT("0", "0") " \"mixed\")"},
	{STR(MIXED("b") "--b\n"), "(" TEXT("0", "0") " \"mixed\")"},
	{STR(MIXED("b") "--b--\n"), "(" TEXT("0", "0") " \"mixed\")"},
	/* no boundary: Dovecot shows a multipart with an empty part, hiding the text */
	{STR("Content-Type: multipart/mixed\n\n--b\n\nx\n"), TEXT("10", "3")},
	{STR(MIXED("\"\"") "--\n\nx\n--foo\n\ny\n----\nz"),
	 "(" TEXT("1", "0") TEXT("1", "0") " \"mixed\")"},
	/* prefixes: the longest boundary that fits, the innermost of equal ones */
	{STR(MIXED("o") "--o\n" MIXED("oo") "--oo\n\na\n--o\n\nb\n--oo\n\nc\n--oo--\n--o--\n"),
	 "((" TEXT("1", "0") " \"mixed\")" TEXT("1", "0") TEXT("1", "0")
		 TEXT("0", "0") " \"mixed\")"},
	{STR(MIXED("oo") "--oo\n" MIXED("o") "--o\n\na\n--oo\n\nb\n--o\n\nc\n--oo--\n--o--\n"),
	 "((" TEXT("1", "0") " \"mixed\")" TEXT("11", "3") " \"mixed\")"},
	{STR(MIXED("o") "--o\n" MIXED("\"o--\"") "--o--\n\na\n--o\n\nb\n--o----\n\nc\n--o--\n"),
	 "((" TEXT("1", "0") " \"mixed\")" TEXT("1", "0") " \"mixed\")"},
	{STR(MIXED("o") "--o\n" MIXED("o") "--o\n\na\n--o\n\nb\n--o--\n\nc\n--o--\n--o--\n"),
	 "((" TEXT("1", "0") TEXT("1", "0") " \"mixed\") \"mixed\")"},
	{STR(MIXED("o") "--o\n" MIXED("o") "--o x\n\na\n--o x\n\nb\n--o-- x\n"),
	 "((" TEXT("1", "0") TEXT("1", "0") " \"mixed\") \"mixed\")"},
	/* blanks and other text behind a boundary */
	{STR(MIXED("b") "--b  \n\none\n--b \t--\n\ntwo\n--b--x\n\nthree\n--b\n\n"),
	 "(" TEXT("3", "0") TEXT("3", "0") " \"mixed\")"},
	{STR(MIXED(X70 "12345") "--" X70 "12345\n\none\n--" X70 "12345--\n"),
	 "(" TEXT("3", "0") " \"mixed\")"},
	/* over 80: compared by the first 80, so that the closing one opens a part */
	{STR(MIXED(X70 X70) "--" X70 X70 "\n\none\n--" X70 X70 "--\n"),
	 "(" TEXT("3", "0") TEXT("0", "0") " \"mixed\")"},
	{STR("Content-Transfer-Encoding: base64\n" MIXED("b") "--b\n\none\n--b--\n"),
	 "(" TEXT("3", "0") " \"mixed\")"},
	/* boundaries in headers */
	{STR(MIXED("b") "--b\nContent-Type: multipart/mixed; boundary=c\n--c\n\nx\n--b--\n"),
	 "((" TEXT("0", "0") " \"mixed\") \"mixed\")"},
	{STR(MIXED("b") "--b\nContent-Type: message/rfc822\n--b--\n"),
	 "((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 0 (NIL NIL NIL NIL NIL NIL NIL NIL NIL "
	 "NIL) " TEXT("0", "0") " 0) \"mixed\")"},
	{STR("Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: in\n\nbody\n--b\n"
	     "Content-Type: text/plain\n\nx\n--b--\n"),
	 "((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 19 (NIL \"in\" NIL NIL NIL NIL NIL NIL NIL "
	 "NIL) " TEXT("4", "0") " 2)" TEXT("1", "0") " \"digest\")"},
	/* the line end behind the inner closing boundary is not the outer one's */
	{STR(MIXED("o") "--o\nContent-Type: message/rfc822\n\nSubject: in\n" MIXED(
		 "q") "--q\n\na\n--q--\n--o\n\nlast\n--o--\n"),
	 "((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 75 (NIL \"in\" NIL NIL NIL NIL NIL NIL NIL "
	 "NIL) (" TEXT("1", "0") " \"mixed\") 7)" TEXT("4", "0") " \"mixed\")"},
	/* a message that claims to be encoded can't be looked into */
	{STR("Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nQQ==\n"),
	 "(\"application\" \"octet-stream\" NIL NIL NIL \"base64\" 6)"},
	{STR("Content-Type: message/global\n\nSubject: x\n\ny\n"),
	 "(\"message\" \"global\" NIL NIL NIL \"7bit\" 17)"},
	{STR("Content-Type: text/plain; a*0=x; a*1=y; b*=utf-8''%41; c*1=\"z=\"; "
	     "c*0*=us-ascii'en't\n"
	     "\n"),
	 "(\"text\" \"plain\" (\"a\" \"xy\" \"b*\" \"utf-8''%41\" \"c*\" \"us-ascii'en'tz%3D\" "
	 "\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0)"},
	{STR("Content-Type: text/plain; a*1=x; b*0=c; b*2=d; q=\"a\\\"b\"; w=a b; z=(c) d (e); k = "
	     "v; "
	     "empty=; last\n\n"),
	 "(\"text\" \"plain\" (\"q\" \"a\\\"b\" \"w\" \"a\" \"z\" \"d\" \"k\" \"v\" \"empty\" \"\" "
	 "\"a*1\" \"x\" \"b*0\" \"c\" \"b*2\" \"d\" \"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 "
	 "0)"},
};

static void check_body(struct str m, bool extended, const char *expected)
{
	struct arena a = ARENA_INIT;
	struct buf out = BUF_INIT;
	const struct mime_part *root = parse(&a, m, WHOLE, &limits);

	check_tree(m, root);
	mime_put_bodystructure(&out, root, extended, &limits);
	assert_string_equal(buf_cstr(&out), expected);
	buf_deinit(&out);
	arena_deinit(&a);
}

static void test_structures(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++)
		check_body(vectors[i].message, false, vectors[i].body);
}

static void test_extended(void **state)
{
	check_body(STR("Content-Type: text/plain\nContent-ID: <x@y>\nContent-Description: a\n  b\n"
		       "Content-MD5: xyz\nContent-Language: en, de\nContent-Location: http://x/\n"
		       "Content-Disposition: attachment; filename=\"x y\"\n"
		       "Content-Transfer-Encoding: quoted-printable (c)\n\nx"),
		   true,
		   "(\"text\" \"plain\" (\"charset\" \"us-ascii\") \"<x@y>\" \"a  b\" "
		   "\"quoted-printable\" 1 0 \"xyz\" (\"attachment\" (\"filename\" \"x y\")) "
		   "(\"en\" \"de\") \"http://x/\")");
	check_body(
		STR(MIXED("b") "--b\nContent-Type: message/rfc822\n\nContent-Type: a/b\n\n--b--"),
		true,
		"((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 21 (NIL NIL NIL NIL NIL NIL NIL NIL "
		"NIL NIL) (\"a\" \"b\" NIL NIL NIL \"7bit\" 0 NIL NIL NIL NIL) 2 NIL NIL NIL NIL) "
		"\"mixed\" (\"boundary\" \"b\") NIL NIL NIL)");
	check_body(STR("Content-Type: text/plain; name=\"\xc3\xa9\x00\"\n\n"), true,
		   "(\"text\" \"plain\" (\"name\" {3}\r\n\xc3\xa9\x80 \"charset\" \"us-ascii\") "
		   "NIL NIL "
		   "\"7bit\" 0 0 NIL NIL NIL NIL)");
}

/* Every way of cutting gives the same tree. */
static void same_tree(struct str m, struct cuts cuts, const char *expected)
{
	struct arena a = ARENA_INIT;
	struct buf out = BUF_INIT;

	dump(&out, parse(&a, m, cuts, &limits));
	assert_string_equal(buf_cstr(&out), expected);
	buf_deinit(&out);
	arena_deinit(&a);
}

static void test_cuts(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct arena a = ARENA_INIT;
		struct buf whole = BUF_INIT;

		dump(&whole, parse(&a, vectors[i].message, WHOLE, &limits));
		for (size_t size = 1; size <= 20; size++)
			same_tree(vectors[i].message, (struct cuts){size, 0}, buf_cstr(&whole));
		for (unsigned seed = 1; seed <= 200; seed++)
			same_tree(vectors[i].message, (struct cuts){0, seed}, buf_cstr(&whole));
		buf_deinit(&whole);
		arena_deinit(&a);
	}
}

/* LF to CRLF: the wire sizes stay, and so does the structure. */
static void test_crlf_is_the_same(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct arena a = ARENA_INIT;
		struct buf crlf = BUF_INIT, one = BUF_INIT, two = BUF_INIT;
		struct lfcrlf s = {.keep_nul = true};

		lfcrlf_put(&s, &crlf, vectors[i].message);
		mime_put_bodystructure(&one, parse(&a, vectors[i].message, WHOLE, &limits), true,
				       &limits);
		mime_put_bodystructure(&two, parse(&a, buf_str(&crlf), WHOLE, &limits), true,
				       &limits);
		assert_string_equal(buf_cstr(&one), buf_cstr(&two));
		buf_deinit(&crlf);
		buf_deinit(&one);
		buf_deinit(&two);
		arena_deinit(&a);
	}
}

/* RFC 3501 6.4.5's own example. */
static const struct str sections = STR(MIXED(
	"a") "--a\n\none\n"
	     "--a\nContent-Type: application/octet-stream\n\ntwo\n"
	     "--a\nContent-Type: message/rfc822\n\nSubject: three\n" MIXED(
		     "b") "--b\n\n3.1\n--b\nContent-Type: "
			  "application/octet-stream\n\n3.2\n--b--\n\n"
			  "--a\n" MIXED(
				  "c") "--c\nContent-Type: image/gif\n\n4.1\n"
				       "--c\nContent-Type: message/rfc822\n\nSubject: 4.2\n" MIXED(
					       "d") "--d\n\n4.2.1\n--d\nContent-Type: "
						    "multipart/alternative; boundary=e\n\n"
						    "--e\n\n4.2.2.1\n--e\nContent-Type: "
						    "text/"
						    "richtext\n\n4.2.2.2\n--e--\n--d--\n--c--\n"
						    "--a\nContent-Type: message/rfc822\n\nSubject: "
						    "five\n\nfive.one\n--a--\n");

static const char *body_of(struct arena *a, const struct mime_part *p)
{
	return p ? arena_cstr(a, str_sub(sections, p->body_off, p->body_len)) : NULL;
}

#define FIND(...)                                                                                  \
	body_of(&a, mime_find(root, (const uint32_t[]){__VA_ARGS__},                               \
			      sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t)))

static void test_sections(void **state)
{
	struct arena a = ARENA_INIT;
	const struct mime_part *root = parse(&a, sections, WHOLE, &limits);

	assert_ptr_equal(mime_find(root, NULL, 0), root);
	assert_string_equal(FIND(1), "one");
	assert_string_equal(FIND(2), "two");
	assert_string_equal(FIND(3, 1), "3.1");
	assert_string_equal(FIND(3, 2), "3.2");
	assert_string_equal(FIND(4, 1), "4.1");
	assert_string_equal(FIND(4, 2, 1), "4.2.1");
	assert_string_equal(FIND(4, 2, 2, 1), "4.2.2.1");
	assert_string_equal(FIND(4, 2, 2, 2), "4.2.2.2");
	assert_string_equal(FIND(5), "Subject: five\n\nfive.one");
	assert_string_equal(FIND(5, 1), "five.one");
	assert_null(FIND(0));
	assert_null(FIND(6));
	assert_null(FIND(1, 1));
	assert_null(FIND(4294967295u));
	assert_null(FIND(5, 1, 1));
	assert_null(FIND(5, 2));
	assert_null(FIND(4, 2, 2, 3));
	arena_deinit(&a);

	root = parse(&a, STR("A: b\n\nx"), WHOLE, &limits);
	assert_ptr_equal(mime_find(root, (uint32_t[]){1}, 1), root);
	assert_null(mime_find(root, (uint32_t[]){1, 1}, 2));
	assert_null(mime_find(root, (uint32_t[]){2}, 1));
	arena_deinit(&a);
}

static void test_raw_headers(void **state)
{
	struct arena a = ARENA_INIT;
	const struct mime_part *root, *in;

	root = parse(&a, STR(MIXED("b") "--b\nContent-Type: message/rfc822\n\nSubject: x\r\n--b--"),
		     (struct cuts){1, 0}, &limits);
	assert_true(str_eq(root->header, STR(MIXED("b"))));
	in = root->children->children;
	assert_true(str_eq(in->header, STR("Subject: x")));
	assert_null(root->children->header.p);
	arena_deinit(&a);
}

/* ---- limits (B54 to B57) ------------------------------------------------------------------ */

static void repeat(struct buf *b, const char *text, size_t n)
{
	while (n--)
		buf_puts(b, text);
}

static void test_depth(void **state)
{
	struct arena a = ARENA_INIT;
	struct buf m = BUF_INIT, out = BUF_INIT;
	const struct mime_part *root, *p;
	uint32_t deepest = 0;

	for (int i = 0; i < 100000; i++)
		buf_printf(&m, "Content-Type: multipart/mixed; boundary=%d\n\n--%d\n", i, i);
	root = parse(&a, buf_str(&m), WHOLE, &limits);
	for (p = root; p; p = mime_next(p)) {
		deepest = p->level > deepest ? p->level : deepest;
		assert_true(p->kind == MIME_MULTIPART || p->limited);
	}
	assert_int_equal(deepest, 100);
	mime_put_bodystructure(&out, root, true, &limits);
	buf_deinit(&m);
	repeat(&m, "Content-Type: message/rfc822\n\n", 100000);
	root = parse(&a, buf_str(&m), WHOLE, &limits);
	assert_int_equal(root->nparts, 100);
	buf_deinit(&m);
	buf_deinit(&out);
	arena_deinit(&a);
}

static void test_parts(void **state)
{
	struct arena a = ARENA_INIT;
	struct buf m = BUF_INIT;
	const struct mime_part *root;

	buf_puts(&m, MIXED("b"));
	repeat(&m, "--b\n\nx\n", 1000000);
	root = parse(&a, buf_str(&m), (struct cuts){65536, 0}, &limits);
	assert_int_equal(root->nparts, limits.parts);
	assert_int_equal(root->last->number, limits.parts - 1);
	check_tree(buf_str(&m), root);
	buf_deinit(&m);
	arena_deinit(&a);
}

static void test_header_limits(void **state)
{
	struct arena a = ARENA_INIT;
	struct buf m = BUF_INIT, out = BUF_INIT;
	const struct mime_part *root;
	size_t n;

	buf_puts(&m, "Subject: ");
	repeat(&m, "0123456789", 5000000); /* a line of 50 MB */
	buf_puts(&m, "\n");
	repeat(&m, "To: a@b\n", 1000000);
	buf_puts(&m, "\nbody");
	root = parse(&a, buf_str(&m), (struct cuts){65536, 0}, &limits);
	assert_int_equal(root->body_len, 4);
	assert_int_equal(root->header.n, limits.header_max);
	assert_true(root->header_cut);
	mime_put_envelope(&out, root->header, &limits);
	buf_reset(&m);

	/* B57: the 129th parameter isn't there */
	buf_puts(&m, "Content-Type: text/plain");
	for (int i = 0; i < 200000; i++)
		buf_printf(&m, "; n*%d*=v", 199999 - i);
	buf_puts(&m, "\n\n");
	root = parse(&a, buf_str(&m), (struct cuts){65536, 0}, &limits);
	assert_int_equal(root->params.n, limits.params);
	buf_reset(&m);

	/* many headers: no more than five times the limit is kept in all */
	buf_puts(&m, MIXED("b"));
	for (int i = 0; i < 100; i++)
		buf_printf(&m, "--b\nContent-Type: message/rfc822\n\nSubject: %01000d\n\n", i);
	root = parse(&a, buf_str(&m), WHOLE, &(struct mime_limits){10, 1000, 2000, 10, 10, false});
	n = 0;
	for (const struct mime_part *p = root; p; p = mime_next(p))
		n += p->header.n;
	assert_true(n <= 10000);
	check_tree(buf_str(&m), root);
	buf_deinit(&m);
	buf_deinit(&out);
	arena_deinit(&a);
}

/* Lines that nearly are one of 99 long boundaries: each costs a bounded comparison. */
static void test_near_boundaries(void **state)
{
	struct arena a = ARENA_INIT;
	struct buf m = BUF_INIT;
	const struct mime_part *root;

	for (int i = 0; i < 99; i++)
		buf_printf(&m, "Content-Type: multipart/mixed; boundary=%s%02d\n\n--%s%02d\n", X70,
			   i, X70, i);
	buf_puts(&m, "\n");
	repeat(&m, "--" X70 "x\n", 100000);
	root = parse(&a, buf_str(&m), (struct cuts){4096, 0}, &limits);
	assert_int_equal(root->nparts, 100);
	check_tree(buf_str(&m), root);
	buf_deinit(&m);
	arena_deinit(&a);
}

static void test_nul(void **state)
{
	struct arena a = ARENA_INIT;

	assert_true(parse(&a, STR("A: b\n\n\0"), WHOLE, &limits)->has_nul);
	assert_false(parse(&a, STR("A: b\n\n"), WHOLE, &limits)->has_nul);
	check_body(STR("Content-Type: a\0b/c\n\nx"), false, TEXT("1", "0"));
	arena_deinit(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_structures),    cmocka_unit_test(test_extended),
		cmocka_unit_test(test_cuts),	      cmocka_unit_test(test_crlf_is_the_same),
		cmocka_unit_test(test_sections),      cmocka_unit_test(test_raw_headers),
		cmocka_unit_test(test_depth),	      cmocka_unit_test(test_parts),
		cmocka_unit_test(test_header_limits), cmocka_unit_test(test_near_boundaries),
		cmocka_unit_test(test_nul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
