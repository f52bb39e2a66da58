/* SPDX-License-Identifier: Apache-2.0 */
#include "common/io/proxyproto.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include "common/base/crc32c.h"

/* Of the PROXY protocol's specification, 2.2. */
static const char signature[12] = "\r\n\r\n\0\r\nQUIT\n";
enum {
	V2_FIXED = 16,
	CMD_LOCAL = 0,
	CMD_PROXY = 1,
	TLV_ALPN = 0x01,
	TLV_AUTHORITY = 0x02,
	TLV_CRC32C = 0x03,
	TLV_UNIQUE_ID = 0x05,
	TLV_SSL = 0x20,
	SSL_VERSION = 0x21,
	SSL_CN = 0x22,
	SSL_CIPHER = 0x23,
	CLIENT_SSL = 0x01,
	CLIENT_CERTS = 0x02 | 0x04,
	AUTHORITY_MAX = 255,
	UNIQUE_ID_MAX = 128,
	WORD_MAX = 64,
};

void proxyproto_init(struct proxyproto *p)
{
	*p = (struct proxyproto){.version = 0};
}

static enum proxyproto_result bad(struct proxyproto *p, const char *why)
{
	p->error = why;
	return PROXYPROTO_BAD;
}

static void set_addr(struct sock_addr *a, int family, const void *addr, uint16_t port)
{
	struct sockaddr_in *in4 = (struct sockaddr_in *)&a->ss;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&a->ss;

	*a = (struct sock_addr){.len = family == AF_INET ? sizeof(*in4) : sizeof(*in6)};
	if (family == AF_INET) {
		in4->sin_family = AF_INET;
		in4->sin_port = htons(port);
		memcpy(&in4->sin_addr, addr, 4);
	} else {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		memcpy(&in6->sin6_addr, addr, 16);
	}
}

/* ---- version 1 ------------------------------------------------------------------------------ */

static bool v1_addr(struct str text, int family, uint8_t out[16])
{
	char c[INET6_ADDRSTRLEN];

	if (text.n == 0 || text.n >= sizeof(c) || str_has_nul(text))
		return false;
	memcpy(c, text.p, text.n);
	c[text.n] = '\0';
	return inet_pton(family, c, out) == 1;
}

static bool v1_port(struct str text, uint16_t *port)
{
	uint32_t v;

	if (text.n > 5 || (text.n > 1 && text.p[0] == '0') || !str_u32(text, &v) || v > 65535)
		return false;
	*port = (uint16_t)v;
	return true;
}

static enum proxyproto_result v1_line(struct proxyproto *p)
{
	struct str line = str_mem(p->bytes, p->have - 2), rest = str_from(line, 6);
	struct str protocol = str_split(&rest, ' '), word[4];
	int family = str_eq(protocol, STR("TCP6")) ? AF_INET6 : AF_INET;
	uint8_t addr[2][16];
	uint16_t port[2];

	if (p->bytes[p->have - 2] != '\r')
		return bad(p, "version 1 line without CR");
	if (str_eq(protocol, STR("UNKNOWN"))) {
		p->own = true;
		return PROXYPROTO_DONE;
	}
	if (family == AF_INET && !str_eq(protocol, STR("TCP4")))
		return bad(p, "version 1 with an unknown protocol");
	for (size_t i = 0; i < 4; i++)
		word[i] = rest.p ? str_split(&rest, ' ') : STR_NONE;
	if (rest.p || !v1_addr(word[0], family, addr[0]) || !v1_addr(word[1], family, addr[1]) ||
	    !v1_port(word[2], &port[0]) || !v1_port(word[3], &port[1]))
		return bad(p, "version 1 with broken addresses");
	set_addr(&p->src, family, addr[0], port[0]);
	set_addr(&p->dst, family, addr[1], port[1]);
	return PROXYPROTO_DONE;
}

static enum proxyproto_result v1_byte(struct proxyproto *p)
{
	size_t n = p->have < 6 ? p->have : 6;

	if (memcmp(p->bytes, "PROXY ", n) != 0)
		return bad(p, "no PROXY header");
	if (p->bytes[p->have - 1] == '\n')
		return p->have > 8 ? v1_line(p) : bad(p, "version 1 line too short");
	if (p->have == PROXYPROTO_V1_MAX)
		return bad(p, "version 1 line over 107 bytes");
	return PROXYPROTO_MORE;
}

/* ---- version 2 ------------------------------------------------------------------------------ */

static uint16_t be16(const uint8_t *b)
{
	return (uint16_t)(b[0] << 8 | b[1]);
}

static uint32_t be32(const uint8_t *b)
{
	return (uint32_t)be16(b) << 16 | be16(b + 2);
}

/* Cuts the next TLV off; false where it is cut short. */
static bool next_tlv(struct str *rest, uint8_t *type, struct str *value)
{
	const uint8_t *b = (const uint8_t *)rest->p;

	if (rest->n < 3 || rest->n - 3 < be16(b + 1))
		return false;
	*type = b[0];
	*value = str_sub(*rest, 3, be16(b + 1));
	*rest = str_from(*rest, 3 + value->n);
	return true;
}

/* False where it came before, or is longer than allowed. */
static bool set_once(struct str *where, struct str value, size_t max)
{
	if (where->p || value.n > max)
		return false;
	*where = value;
	return true;
}

static bool is_word(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      memchr("_.:-", c, 4)))
			return false;
	}
	return s.n > 0;
}

static bool on_tls(struct proxyproto *p, struct str value)
{
	struct str rest = str_from(value, 5), v;
	uint8_t type;

	if (value.n < 5 || p->tls_version.p || p->tls)
		return false;
	p->tls = value.p[0] & CLIENT_SSL;
	p->tls_cert = value.p[0] & CLIENT_CERTS;
	p->tls_verify = be32((const uint8_t *)value.p + 1);
	while (rest.n) {
		if (!next_tlv(&rest, &type, &v))
			return false;
		if (type == SSL_VERSION && !(is_word(v) && set_once(&p->tls_version, v, WORD_MAX)))
			return false;
		if (type == SSL_CIPHER && !(is_word(v) && set_once(&p->tls_cipher, v, WORD_MAX)))
			return false;
		if (type == SSL_CN && !set_once(&p->tls_cn, v, AUTHORITY_MAX))
			return false;
	}
	return true;
}

/* The sum is over the whole header with four zeros in its own place. */
static bool sum_is_right(const struct proxyproto *p, struct str value)
{
	static const uint8_t zeros[4];
	size_t at = (size_t)((const uint8_t *)value.p - p->bytes);
	uint32_t crc;

	if (value.n != 4)
		return false;
	crc = crc32c(0, p->bytes, at);
	crc = crc32c(crc, zeros, 4);
	crc = crc32c(crc, p->bytes + at + 4, p->have - at - 4);
	return crc == be32((const uint8_t *)value.p);
}

static enum proxyproto_result v2_tlvs(struct proxyproto *p, struct str rest)
{
	struct str v;
	uint8_t type;

	while (rest.n) {
		if (!next_tlv(&rest, &type, &v))
			return bad(p, "version 2 with a TLV cut short");
		if (type == TLV_CRC32C && !sum_is_right(p, v))
			return bad(p, "version 2 with a wrong checksum");
		if ((type == TLV_ALPN && !set_once(&p->alpn, v, AUTHORITY_MAX)) ||
		    (type == TLV_AUTHORITY && !set_once(&p->authority, v, AUTHORITY_MAX)) ||
		    (type == TLV_UNIQUE_ID && !set_once(&p->unique_id, v, UNIQUE_ID_MAX)) ||
		    (type == TLV_SSL && !on_tls(p, v)))
			return bad(p, "version 2 with a broken TLV");
	}
	return PROXYPROTO_DONE;
}

static enum proxyproto_result v2_whole(struct proxyproto *p)
{
	const uint8_t *b = p->bytes + V2_FIXED;
	struct str rest = str_mem(b, p->have - V2_FIXED);
	unsigned family = p->bytes[13] >> 4, transport = p->bytes[13] & 15;
	static const size_t lengths[] = {0, 12, 36, 216};

	if ((p->bytes[12] & 15) == CMD_LOCAL) {
		p->own = true;
		return PROXYPROTO_DONE; /* what follows is not to be looked at */
	}
	if (family >= sizeof(lengths) / sizeof(*lengths) || transport > 1 ||
	    (family && transport != 1))
		return bad(p, "version 2 with an unknown kind of address");
	if (rest.n < lengths[family])
		return bad(p, "version 2 with a wrong length");
	if (family == 1) {
		set_addr(&p->src, AF_INET, b, be16(b + 8));
		set_addr(&p->dst, AF_INET, b + 4, be16(b + 10));
	} else if (family == 2) {
		set_addr(&p->src, AF_INET6, b, be16(b + 32));
		set_addr(&p->dst, AF_INET6, b + 16, be16(b + 34));
	} else {
		p->own = true;
	}
	return v2_tlvs(p, str_from(rest, lengths[family]));
}

static size_t v2_length(const struct proxyproto *p)
{
	return p->have < V2_FIXED ? V2_FIXED : (size_t)V2_FIXED + be16(p->bytes + 14);
}

static enum proxyproto_result v2_byte(struct proxyproto *p)
{
	size_t n = p->have < sizeof(signature) ? p->have : sizeof(signature);

	if (memcmp(p->bytes, signature, n) != 0)
		return bad(p, "no PROXY header");
	if (p->have == 13 && p->bytes[12] != (0x20 | CMD_LOCAL) &&
	    p->bytes[12] != (0x20 | CMD_PROXY))
		return bad(p, "version 2 with an unknown command");
	if (p->have == V2_FIXED && v2_length(p) > PROXYPROTO_MAX)
		return bad(p, "version 2 header too long");
	return p->have >= V2_FIXED && p->have == v2_length(p) ? v2_whole(p) : PROXYPROTO_MORE;
}

enum proxyproto_result proxyproto_feed(struct proxyproto *p, struct str in, size_t *used)
{
	enum proxyproto_result r = PROXYPROTO_MORE;

	for (*used = 0; *used < in.n && r == PROXYPROTO_MORE; (*used)++) {
		p->bytes[p->have++] = (uint8_t)in.p[*used];
		if (p->have == 1)
			p->version = p->bytes[0] == 'P' ? 1 : 2;
		r = p->version == 1 ? v1_byte(p) : v2_byte(p);
	}
	return r;
}
