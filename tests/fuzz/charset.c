/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies: transfer decoding, charset and search, whole and in chunks alike; line ends there and
 * back. The first byte chooses encoding and charset, the second the chunks.
 */
#include "common/base/ensure.h"
#include "common/base/utf8.h"
#include "common/mail/charset.h"
#include "common/mail/decode.h"
#include "common/mail/lfcrlf.h"
#include "common/mail/needle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const charsets[] = {
	"utf-8",       "iso-8859-1", "windows-1252", "koi8-r",
	"iso-2022-jp", "gb18030",    "utf-16",	     "utf-7",
};

struct result {
	struct buf text, wire;
	bool found;
};

static void run(struct str in, uint8_t how, unsigned seed, struct str key, struct result *r)
{
	struct charset *c = charset_new(str_c(charsets[how % ARRAY_LEN(charsets)]));
	struct buf bytes = BUF_INIT;
	struct lfcrlf lf = {0};
	struct decoder d;
	struct needle k;
	size_t at = 0;

	ASSERT(c);
	decode_init(&d, (enum decode_kind)(how / 8 % 4));
	needle_init(&k, key);
	while (in.n) {
		size_t n = in.n;

		seed = seed * 1103515245u + 12345u;
		if (seed & 0x10000)
			n = (seed >> 17) % 19;
		if (n > in.n)
			n = in.n;
		lfcrlf_put(&lf, &r->wire, str_sub(in, 0, n));
		buf_reset(&bytes);
		decode_push(&d, str_sub(in, 0, n), &bytes);
		charset_push(c, buf_str(&bytes), &r->text);
		needle_push(&k, str_from(buf_str(&r->text), at));
		at = r->text.n;
		in = str_from(in, n);
	}
	buf_reset(&bytes);
	decode_end(&d, &bytes);
	charset_push(c, buf_str(&bytes), &r->text);
	charset_end(c, &r->text);
	needle_push(&k, str_from(buf_str(&r->text), at));
	r->found = needle_end(&k);
	ASSERT(utf8_valid(buf_str(&r->text)));
	needle_deinit(&k);
	charset_free(&c);
	buf_deinit(&bytes);
}

static void check_found(const struct result *r, struct str key)
{
	struct buf text = BUF_INIT, folded = BUF_INIT;

	charset_fold(&text, buf_str(&r->text));
	charset_fold(&folded, key);
	ASSERT(r->found == (folded.n == 0 || (text.n && memmem(buf_str(&text).p, text.n,
							       buf_str(&folded).p, folded.n))));
	buf_deinit(&text);
	buf_deinit(&folded);
}

static void check_window(struct str in, struct str wire, uint64_t skip, uint64_t take)
{
	struct lfcrlf_window w = {.skip = skip, .take = take};
	struct buf out = BUF_INIT;

	lfcrlf_window_put(&w, &out, str_sub(in, 0, in.n / 2));
	lfcrlf_window_put(&w, &out, str_from(in, in.n / 2));
	ASSERT(str_eq(buf_str(&out), str_sub(wire, skip, take)));
	buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct result whole = {BUF_INIT, BUF_INIT, false}, cut = {BUF_INIT, BUF_INIT, false};
	struct str in, key;

	if (size < 4)
		return 0;
	key = str_mem(data + 3, data[2] % 8 < size - 3 ? data[2] % 8 : size - 3);
	in = str_from(str_mem(data, size), 3 + key.n);
	run(in, data[0], 0, key, &whole);
	run(in, data[0], data[1] + 1u, key, &cut);
	ASSERT(str_eq(buf_str(&whole.text), buf_str(&cut.text)));
	ASSERT(str_eq(buf_str(&whole.wire), buf_str(&cut.wire)));
	ASSERT(whole.found == cut.found);
	check_found(&whole, key);
	check_window(in, buf_str(&whole.wire), data[1], data[2]);
	buf_deinit(&whole.text);
	buf_deinit(&whole.wire);
	buf_deinit(&cut.text);
	buf_deinit(&cut.wire);
	return 0;
}
