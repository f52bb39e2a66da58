/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/crc32c.h"
#include "common/base/ensure.h"
#include "common/base/rand.h"
#include "common/io/proxyproto.h"

#define SIG "\r\n\r\n\0\r\nQUIT\n"
#define V4 "\xc0\x00\x02\x01\x7f\x00\x00\x01\x10\x00\x00\x8f" /* 192.0.2.1:4096 to 127.0.0.1:143 */
#define V6                                                                                         \
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"                                                 \
	"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"                                                         \
	"\x10\x00\x00\x8f"
#define B(lit) STR(lit)

struct vector {
	struct str in;
	const char *src, *dst; /* NULL: the connection's own */
	uint16_t sport, dport;
};

static const struct vector good[] = {
	{B("PROXY TCP4 192.0.2.1 127.0.0.1 4096 143\r\n"), "192.0.2.1", "127.0.0.1", 4096, 143},
	{B("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"), "255.255.255.255",
	 "255.255.255.255", 65535, 65535},
	{B("PROXY TCP6 2001:db8::1 ::1 4096 143\r\n"), "2001:db8::1", "::1", 4096, 143},
	{B("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	   "65535 65535\r\n"),
	 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	 65535, 65535},
	{B("PROXY TCP6 ::ffff:192.0.2.1 ::1 0 0\r\n"), "192.0.2.1", "::1", 0, 0},
	{B("PROXY UNKNOWN\r\n"), NULL, NULL, 0, 0},
	{B("PROXY UNKNOWN ffff:f...f:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
	 NULL, NULL, 0, 0},
	{B(SIG "\x21\x11\0\x0c" V4), "192.0.2.1", "127.0.0.1", 4096, 143},
	{B(SIG "\x21\x21\0\x24" V6), "2001:db8::1", "::1", 4096, 143},
	{B(SIG "\x20\0\0\0"), NULL, NULL, 0, 0},
	{B(SIG "\x20\x11\0\x0c" V4), NULL, NULL, 0, 0},
	{B(SIG "\x20\xff\0\3\xff\xff\xff"), NULL, NULL, 0, 0},
	{B(SIG "\x21\0\0\0"), NULL, NULL, 0, 0},
	{B(SIG "\x21\x11\0\x12" V4 "\4\0\3abc"), "192.0.2.1", "127.0.0.1", 4096, 143},
	{B(SIG "\x21\x11\0\x12" V4 "\xe0\0\0\xea\0\0"), "192.0.2.1", "127.0.0.1", 4096, 143},
};

static const struct str refused[] = {
	B("\x16\x03\x01"),
	B("a NOOP\r\n"),
	B("PROXY\r\n"),
	B("PROXY \r\n"),
	B("PROXY TCP4\r\n"),
	B("proxy TCP4 192.0.2.1 127.0.0.1 4096 143\r\n"),
	B("PROXY  TCP4 192.0.2.1 127.0.0.1 4096 143\r\n"),
	B("PROXY UDP4 192.0.2.1 127.0.0.1 4096 143\r\n"),
	B("PROXY TCP4 192.0.2.1 127.0.0.1 4096 143\n"),
	B("PROXY TCP4 192.0.2.1 127.0.0.1 4096 143 \r\n"),
	B("PROXY TCP4 192.0.2.1 127.0.0.1 4096 65536\r\n"),
	B("PROXY TCP4 192.0.2.1 127.0.0.1 04096 143\r\n"),
	B("PROXY TCP4 192.0.2.1 127.0.0.1 -1 143\r\n"),
	B("PROXY TCP4 192.0.2.1 127.0.0.1 4096\r\n"),
	B("PROXY TCP4 192.0.2.1  4096 143\r\n"),
	B("PROXY TCP4 192.0.2.256 127.0.0.1 4096 143\r\n"),
	B("PROXY TCP4 2001:db8::1 ::1 4096 143\r\n"),
	B("PROXY TCP6 192.0.2.1 127.0.0.1 4096 143\r\n"),
	B("PROXY TCP6 fe80::1%eth0 ::1 4096 143\r\n"),
	B("PROXY TCP4 192.0.2.1\0 127.0.0.1 4096 143\r\n"),
	/* 108 bytes */
	B("PROXY UNKNOWN xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxx\r\n"),
	B(SIG "\x11\x11\0\x0c" V4),
	B(SIG "\x22\x11\0\x0c" V4),
	B(SIG "\x2f\x11\0\x0c" V4),
	B(SIG "\x21\x12\0\x0c" V4), /* UDP */
	B(SIG "\x21\x41\0\x0c" V4),
	B(SIG "\x21\x11\0\x0b" V4), /* too short for its addresses */
	B(SIG "\x21\x21\0\x0c" V4),
	B(SIG "\x21\x11\0\x0d" V4 "\4"),
	B(SIG "\x21\x11\0\x0e" V4 "\4\0"),
	B(SIG "\x21\x11\0\x10" V4 "\4\0\2x"), /* a TLV that is longer than the rest */
	B(SIG "\x21\x11\0\x12" V4 "\x20\0\3\1\0\0"),
	B(SIG "\x21\x11\0\x15" V4 "\x20\0\6\1\0\0\0\0\x21"),
	B(SIG "\x21\x11\0\x18" V4 "\x20\0\x09\1\0\0\0\0\x21\0\2T"),
	B(SIG "\x21\x11\0\x19" V4 "\x20\0\x0a\1\0\0\0\0\x21\0\2T "),
	B(SIG "\x21\x11\0\x14" V4 "\2\0\1a\2\0\1b"),
	B(SIG "\x21\x11\0\x12" V4 "\3\0\3\0\0\0"),
	B(SIG "\x21\x11\0\x13" V4 "\3\0\4\0\0\0\0"),
	B(SIG "\x21\x11\x10\0" V4), /* over PROXYPROTO_MAX */
	B(SIG "\x21\x11\xff\xff" V4),
};

static enum proxyproto_result feed_in_pieces(struct proxyproto *p, struct str in, size_t most,
					     size_t *used)
{
	enum proxyproto_result r = PROXYPROTO_MORE;

	proxyproto_init(p);
	*used = 0;
	while (*used < in.n && r == PROXYPROTO_MORE) {
		size_t n = most == SIZE_MAX ? in.n : most == 1 ? 1 : 1 + rand_u64() % most, got;

		/* A copy of its own, so that a read behind it is seen. */
		struct str piece = str_sub(in, *used, n);
		char *copy = xmalloc(piece.n);

		memcpy(copy, piece.p, piece.n);
		r = proxyproto_feed(p, str_mem(copy, piece.n), &got);
		free(copy);
		assert_true(got <= piece.n && (got == piece.n || r != PROXYPROTO_MORE));
		*used += got;
	}
	return r;
}

static void accepts(void **state)
{
	static const size_t pieces[] = {SIZE_MAX, 1, 2, 7, 20, 20, 50};
	struct proxyproto p;
	char ip[64], with_more[512];
	size_t used;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		const struct vector *v = &good[i];

		for (size_t k = 0; k < ARRAY_LEN(pieces); k++) {
			/* What follows is the client's. */
			memcpy(with_more, v->in.p, v->in.n);
			memcpy(with_more + v->in.n, "a NOOP\r\n", 8);
			if (feed_in_pieces(&p, str_mem(with_more, v->in.n + 8), pieces[k], &used) !=
			    PROXYPROTO_DONE)
				fail_msg("vector %zu: %s", i, p.error ? p.error : "wants more");
			assert_int_equal(used, v->in.n);
			assert_int_equal(p.own, v->src == NULL);
			if (p.own)
				continue;
			sock_ip(&p.src, ip);
			assert_string_equal(ip, v->src);
			sock_ip(&p.dst, ip);
			assert_string_equal(ip, v->dst);
			assert_int_equal(sock_port(&p.src), v->sport);
			assert_int_equal(sock_port(&p.dst), v->dport);
		}
		for (size_t n = 0; n < v->in.n; n++) {
			assert_int_equal(feed_in_pieces(&p, str_sub(v->in, 0, n), SIZE_MAX, &used),
					 PROXYPROTO_MORE);
		}
	}
}

static void refuses(void **state)
{
	static const size_t pieces[] = {SIZE_MAX, 1, 9};
	struct proxyproto p;
	size_t used;

	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		for (size_t k = 0; k < ARRAY_LEN(pieces); k++) {
			if (feed_in_pieces(&p, refused[i], pieces[k], &used) != PROXYPROTO_BAD)
				fail_msg("vector %zu is not refused", i);
			assert_non_null(p.error);
		}
}

static void put_tlv(struct buf *b, uint8_t type, struct str value)
{
	buf_putc(b, (char)type);
	buf_putc(b, (char)(value.n >> 8));
	buf_putc(b, (char)value.n);
	buf_str_put(b, value);
}

static void finish(struct buf *header, struct str tlvs, bool sum)
{
	size_t n = 12 + tlvs.n + (sum ? 7 : 0);
	uint32_t crc;

	buf_str_put(header, B(SIG "\x21\x11"));
	buf_putc(header, (char)(n >> 8));
	buf_putc(header, (char)n);
	buf_str_put(header, B(V4));
	buf_str_put(header, tlvs);
	if (!sum)
		return;
	put_tlv(header, 3, B("\0\0\0\0"));
	crc = crc32c(0, buf_str(header).p, header->n);
	for (unsigned i = 0; i < 4; i++)
		header->p[header->off + header->n - 1 - i] = (char)(crc >> i * 8);
}

static void tlvs(void **state)
{
	struct buf tls = BUF_INIT, all = BUF_INIT, header = BUF_INIT;
	struct proxyproto p;
	size_t used;

	buf_str_put(&tls, B("\7\0\0\0\0"));
	put_tlv(&tls, 0x21, B("TLSv1.3"));
	put_tlv(&tls, 0x23, B("TLS_AES_128_GCM_SHA256"));
	put_tlv(&tls, 0x22, B("some one"));
	put_tlv(&tls, 0x24, B("SHA256"));
	put_tlv(&all, 1, B("imap"));
	put_tlv(&all, 2, B("mail.example.com"));
	put_tlv(&all, 4, B("padding"));
	put_tlv(&all, 5, B("id-1"));
	put_tlv(&all, 0x20, buf_str(&tls));
	put_tlv(&all, 0x30, B("netns"));
	finish(&header, buf_str(&all), true);
	for (size_t k = 1; k < 40; k++) {
		assert_int_equal(feed_in_pieces(&p, buf_str(&header), k, &used), PROXYPROTO_DONE);
		assert_true(str_eq(p.alpn, B("imap")) &&
			    str_eq(p.authority, B("mail.example.com")));
		assert_true(str_eq(p.unique_id, B("id-1")) && p.tls && p.tls_cert &&
			    p.tls_verify == 0);
		assert_true(str_eq(p.tls_version, B("TLSv1.3")) && str_eq(p.tls_cn, B("some one")));
		assert_true(str_eq(p.tls_cipher, B("TLS_AES_128_GCM_SHA256")));
	}
	/* each bit that is not the length's is under the sum */
	for (size_t i = 16; i < header.n; i++) {
		header.p[header.off + i] ^= 1;
		assert_int_equal(feed_in_pieces(&p, buf_str(&header), SIZE_MAX, &used),
				 PROXYPROTO_BAD);
		header.p[header.off + i] ^= 1;
	}
	buf_reset(&header);
	buf_reset(&all);
	put_tlv(&all, 0x20, B("\0\0\0\0\1"));
	finish(&header, buf_str(&all), false);
	assert_int_equal(feed_in_pieces(&p, buf_str(&header), SIZE_MAX, &used), PROXYPROTO_DONE);
	assert_true(!p.tls && !p.tls_cert && p.tls_verify == 1);
	buf_deinit(&tls);
	buf_deinit(&all);
	buf_deinit(&header);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts),
		cmocka_unit_test(refuses),
		cmocka_unit_test(tlvs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
