// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <iconv.h>
#include <utf8proc.h>
#include "common/base/ensure.h"
#include "common/base/utf8.h"
#include "common/mail/charset.h"
#include "common/mail/utf8run.h"

/* No charset has longer characters; a converter that holds back more is stuck. */
#define UNFINISHED_MAX 32

enum method { BY_UTF8, BY_LATIN1, BY_CP1252, BY_ICONV };

struct charset {
	enum method method;
	iconv_t cd;
	struct buf held; /* iconv: unfinished input */
	char part[4];	 /* UTF-8: the same */
	unsigned npart;
};

/* What mail calls them and what they are; the first group is converted here. GB2312 and EUC-KR are
 * read as the supersets that senders really use. */
static const struct {
	const char *name;
	enum method method;
	const char *iconv;
} aliases[] = {
	{"us-ascii", BY_UTF8, NULL},
	{"ascii", BY_UTF8, NULL},
	{"ansi_x3.4-1968", BY_UTF8, NULL},
	{"utf-8", BY_UTF8, NULL},
	{"utf8", BY_UTF8, NULL},
	{"unknown-8bit", BY_UTF8, NULL},
	{"x-unknown", BY_UTF8, NULL},
	{"iso-8859-1", BY_LATIN1, NULL},
	{"latin1", BY_LATIN1, NULL},
	{"iso8859-1", BY_LATIN1, NULL},
	{"windows-1252", BY_CP1252, NULL},
	{"cp1252", BY_CP1252, NULL},
	{"gb2312", BY_ICONV, "GB18030"},
	{"gbk", BY_ICONV, "GB18030"},
	{"x-gbk", BY_ICONV, "GB18030"},
	{"euc-kr", BY_ICONV, "UHC"},
	{"ks_c_5601-1987", BY_ICONV, "UHC"},
	{"x-sjis", BY_ICONV, "CP932"},
	{"shift_jis", BY_ICONV, "CP932"},
	{"iso-8859-8-i", BY_ICONV, "ISO-8859-8"},
	{"x-mac-roman", BY_ICONV, "MACINTOSH"},
	/* names that iconv takes for the machine's own representations */
	{"char", BY_ICONV, NULL},
	{"wchar_t", BY_ICONV, NULL},
	{"internal", BY_ICONV, NULL},
};

/* 0x80 to 0x9f of WINDOWS-1252; 0: not assigned. */
static const uint16_t cp1252[32] = {
	0x20ac, 0,	0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
	0x2039, 0x0152, 0,	0x017d, 0,	0,	0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
	0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0,	0x017e, 0x0178,
};

/* Letters, digits, . _ : + - and at most CHARSET_NAME_MAX: what may be given to iconv_open. */
static bool name_valid(struct str name)
{
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      c == '.' || c == '_' || c == ':' || c == '+' || c == '-'))
			return false;
	}
	return name.n > 0 && name.n <= CHARSET_NAME_MAX;
}

static iconv_t open_iconv(const char *name)
{
	return iconv_open("UTF-8", name);
}

struct charset *charset_new(struct str name)
{
	char text[CHARSET_NAME_MAX + 1];
	const char *from = text;
	struct charset c = {.method = BY_ICONV};
	struct charset *p;

	if (!name_valid(name))
		return NULL;
	memcpy(text, name.p, name.n);
	text[name.n] = 0;
	for (size_t i = 0; i < ARRAY_LEN(aliases); i++) {
		if (str_ieq(name, str_c(aliases[i].name))) {
			c.method = aliases[i].method;
			from = aliases[i].iconv;
		}
	}
	if (c.method == BY_ICONV) {
		c.cd = from ? open_iconv(from) : (iconv_t)-1;
		if (c.cd == (iconv_t)-1)
			return NULL;
	}
	p = xmalloc(sizeof *p);
	*p = c;
	return p;
}

void charset_free(struct charset **c)
{
	if (*c == NULL)
		return;
	if ((*c)->method == BY_ICONV)
		iconv_close((*c)->cd);
	buf_deinit(&(*c)->held);
	free(*c);
	*c = NULL;
}

bool charset_is_utf8(const struct charset *c)
{
	return c->method == BY_UTF8;
}

/* ---- the four ways ----------------------------------------------------------------------- */

static void put_clean(struct str s, struct buf *out)
{
	size_t i = 0, start = 0, before;
	uint32_t cp;

	while (i < s.n) {
		i += utf8run_ascii(str_from(s, i));
		before = i;
		if (i == s.n || utf8_next(s, &i, &cp))
			continue;
		buf_put(out, s.p + start, before - start);
		buf_puts(out, UTF8_BAD);
		start = i;
	}
	buf_put(out, s.p + start, s.n - start);
}

static void push_utf8(struct charset *c, struct str s, struct buf *out)
{
	if (c->npart) {
		if (!utf8run_complete(c->part, &c->npart, &s))
			return;
		put_clean(str_mem(c->part, c->npart), out);
		c->npart = 0;
	}
	c->npart = (unsigned)utf8run_unfinished(s);
	s.n -= c->npart;
	put_clean(s, out);
	memcpy(c->part, s.p + s.n, c->npart);
}

static void push_8bit(struct charset *c, struct str s, struct buf *out)
{
	while (s.n) {
		size_t n = utf8run_ascii(s);
		uint32_t cp;

		buf_put(out, s.p, n);
		if (n == s.n)
			return;
		cp = (unsigned char)s.p[n];
		if (c->method == BY_CP1252 && cp < 0xa0)
			cp = cp1252[cp - 0x80] ? cp1252[cp - 0x80] : 0xfffd;
		utf8_put(out, cp);
		s = str_from(s, n + 1);
	}
}

/* Converts what it can of s; returns how much. */
static size_t run_iconv(struct charset *c, struct str s, struct buf *out)
{
	char *in = (char *)(uintptr_t)s.p; /* iconv's prototype lacks the const */
	size_t left = s.n;

	while (left) {
		size_t room = left * 2 + 64, had = room, rc;
		char *o = buf_reserve(out, room);
		int why;

		rc = iconv(c->cd, &in, &left, &o, &room);
		why = rc == (size_t)-1 ? errno : 0;
		buf_added(out, had - room);
		if (why == EINVAL && left <= UNFINISHED_MAX)
			break;
		if (why && why != E2BIG) {
			buf_puts(out, UTF8_BAD);
			in++;
			left--;
		}
	}
	return s.n - left;
}

static void push_iconv(struct charset *c, struct str s, struct buf *out)
{
	size_t used;

	if (c->held.n) {
		buf_str_put(&c->held, s);
		used = run_iconv(c, buf_str(&c->held), out);
		buf_consume(&c->held, used);
		return;
	}
	used = run_iconv(c, s, out);
	buf_str_put(&c->held, str_from(s, used));
}

void charset_push(struct charset *c, struct str chunk, struct buf *out)
{
	if (chunk.n == 0)
		return;
	if (c->method == BY_UTF8)
		push_utf8(c, chunk, out);
	else if (c->method == BY_ICONV)
		push_iconv(c, chunk, out);
	else
		push_8bit(c, chunk, out);
}

void charset_end(struct charset *c, struct buf *out)
{
	for (size_t i = c->npart + c->held.n; i; i--)
		buf_puts(out, UTF8_BAD);
	if (c->method == BY_ICONV) { /* what a stateful charset still owes, and back to its start */
		size_t room = 64;
		char *o = buf_reserve(out, room);

		iconv(c->cd, NULL, NULL, &o, &room);
		buf_added(out, 64 - room);
	}
	c->npart = 0;
	buf_reset(&c->held);
}

/* ---- preloading and folding --------------------------------------------------------------- */

int charset_preload(void)
{
	static const char *const common[] = {
		"ISO-8859-2",  "ISO-8859-15", "WINDOWS-1250", "WINDOWS-1251", "KOI8-R", "UTF-16",
		"ISO-2022-JP", "CP932",	      "EUC-JP",	      "GB18030",      "BIG5",	"UHC",
	};
	static iconv_t kept[ARRAY_LEN(common)]; /* a converter that is open keeps its module */
	int opened = 0;

	for (size_t i = 0; i < ARRAY_LEN(common); i++) {
		if (kept[i] == NULL || kept[i] == (iconv_t)-1)
			kept[i] = open_iconv(common[i]);
		opened += kept[i] != (iconv_t)-1;
	}
	return opened;
}

static void fold_char(struct buf *out, uint32_t cp)
{
	utf8proc_int32_t parts[32];
	utf8proc_ssize_t n;

	n = utf8proc_decompose_char((utf8proc_int32_t)cp, parts, ARRAY_LEN(parts),
				    UTF8PROC_CASEFOLD | UTF8PROC_COMPAT | UTF8PROC_DECOMPOSE, NULL);
	if (n < 0 || n > (utf8proc_ssize_t)ARRAY_LEN(parts)) {
		utf8_put(out, cp);
		return;
	}
	for (utf8proc_ssize_t i = 0; i < n; i++)
		utf8_put(out, (uint32_t)parts[i]);
}

void charset_fold(struct buf *out, struct str s)
{
	size_t i = 0;
	uint32_t cp;

	while (i < s.n) {
		i += utf8run_ascii_lower(str_from(s, i), out);
		if (i == s.n)
			return;
		fold_char(out, utf8_next(s, &i, &cp) ? cp : 0xfffd);
	}
}
