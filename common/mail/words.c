// SPDX-License-Identifier: Apache-2.0
/* RFC 2047 encoded words. Part of header.h. */
#include "common/mail/charset.h"
#include "common/mail/decode.h"
#include "common/mail/header.h"

/* Converters opened for one value (opening one costs microseconds); later words stay encoded. */
#define OPEN_MAX_PER_VALUE 64

struct word {
	struct str charset, text;
	bool base64;
	size_t len; /* of all of it */
};

struct decoding {
	struct buf *out;
	struct charset *charset; /* of the last word, while the next may go on with it */
	struct charset *plain;	 /* UTF-8, for the text between words */
	struct str name;
	struct buf bytes;
	unsigned opened;
};

static bool parse_word(struct str s, struct word *w)
{
	struct str rest = str_from(s, 2);
	size_t n = 0, star;

	while (n < rest.n && n <= CHARSET_NAME_MAX + 32 && rest.p[n] != '?')
		n++;
	if (n == 0 || n + 3 > rest.n || rest.p[n] != '?' || rest.p[n + 2] != '?')
		return false;
	w->charset = str_sub(rest, 0, n);
	star = str_find(w->charset, '*'); /* RFC 2231 5: a language follows */
	w->charset.n = star;
	w->base64 = (rest.p[n + 1] | 32) == 'b';
	if (!w->base64 && (rest.p[n + 1] | 32) != 'q')
		return false;
	rest = str_from(rest, n + 3);
	n = str_find(rest, '?');
	if (n + 1 >= rest.n || rest.p[n + 1] != '=')
		return false;
	w->text = str_sub(rest, 0, n);
	w->len = (size_t)(rest.p + n + 2 - s.p);
	return true;
}

static void end_charset(struct decoding *d)
{
	if (d->charset)
		charset_end(d->charset, d->out);
	charset_free(&d->charset);
}

static void put_plain(struct decoding *d, struct str s)
{
	while (s.n) {
		size_t n = 0;

		while (n < s.n && s.p[n] != '\r' && s.p[n] != '\n')
			n++;
		charset_push(d->plain, str_sub(s, 0, n), d->out);
		if (n + 1 == s.n && s.p[n] == '\r')
			break;
		if (n < s.n && s.p[n] == '\r' && s.p[n + 1] != '\n')
			charset_push(d->plain, STR("\r"), d->out);
		s = str_from(s, n + 1);
	}
}

/* A character that was cut between two words of one charset is put together again. */
static bool put_word(struct decoding *d, const struct word *w)
{
	struct decoder dec;

	if (!d->charset || !str_ieq(w->charset, d->name)) {
		end_charset(d);
		if (d->opened >= OPEN_MAX_PER_VALUE)
			return false;
		d->opened++;
		d->charset = charset_new(w->charset);
		d->name = w->charset;
		if (!d->charset)
			return false;
	}
	buf_reset(&d->bytes);
	if (w->base64) {
		decode_init(&dec, DECODE_BASE64);
		decode_push(&dec, w->text, &d->bytes);
		decode_end(&dec, &d->bytes);
	} else {
		decode_q_word(w->text, &d->bytes);
	}
	charset_push(d->charset, buf_str(&d->bytes), d->out);
	return true;
}

static bool all_blank(struct str s)
{
	return str_trim(s).n == 0;
}

/* Index of the next "=?", or s.n. */
static size_t next_mark(struct str s)
{
	const char *p = s.n ? memmem(s.p, s.n, "=?", 2) : NULL;

	return p ? (size_t)(p - s.p) : s.n;
}

static void decode(struct decoding *d, struct str value)
{
	struct str rest = value, gap = str_sub(value, 0, 0);
	bool after_word = false;
	struct word w;

	while (rest.n) {
		size_t n = next_mark(rest);

		gap.n += n;
		rest = str_from(rest, n);
		if (rest.n == 0)
			break;
		if (!parse_word(rest, &w)) {
			gap.n += 2;
			rest = str_from(rest, 2);
			continue;
		}
		if (!after_word || !all_blank(gap)) { /* blanks between words don't count */
			end_charset(d);
			put_plain(d, gap);
			charset_end(d->plain, d->out);
		}
		after_word = put_word(d, &w);
		if (!after_word)
			put_plain(d, str_sub(rest, 0, w.len));
		rest = str_from(rest, w.len);
		gap = str_sub(rest, 0, 0);
	}
	end_charset(d);
	put_plain(d, gap);
	charset_end(d->plain, d->out);
}

void header_decode_words(struct buf *out, struct str value)
{
	struct decoding d = {.out = out, .plain = charset_new(STR("utf-8"))};

	decode(&d, str_trim(value));
	charset_free(&d.charset);
	charset_free(&d.plain);
	buf_deinit(&d.bytes);
}
