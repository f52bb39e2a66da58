/* SPDX-License-Identifier: Apache-2.0 */
#include "common/sys/tlsproof.h"

enum { /* RFC 8446 B.3, RFC 5246 A.4 */
       CLIENT_HELLO = 1,
       SERVER_HELLO = 2,
       ENCRYPTED_EXTENSIONS = 8,
       CERTIFICATE = 11,
       SERVER_KEY_EXCHANGE = 12,
       CERTIFICATE_REQUEST = 13,
       SERVER_HELLO_DONE = 14,
       CERTIFICATE_VERIFY = 15,
       CLIENT_KEY_EXCHANGE = 16,
       FINISHED = 20,
       CERTIFICATE_STATUS = 22,
       SUPPORTED_VERSIONS = 43,
};

/* Reads big-endian numbers and vectors; after a fault everything is empty. */
struct reader {
	const uint8_t *p;
	size_t n;
	bool bad;
};

static struct reader reader(struct str s)
{
	return (struct reader){(const uint8_t *)s.p, s.n, false};
}

static struct str bytes(struct reader *r, size_t n)
{
	struct str s = str_mem(r->p, n);

	if (r->bad || n > r->n) {
		r->bad = true;
		return STR("");
	}
	r->p += n;
	r->n -= n;
	return s;
}

static uint32_t number(struct reader *r, size_t width)
{
	struct str s = bytes(r, width);
	uint32_t v = 0;

	for (size_t i = 0; i < s.n; i++)
		v = v << 8 | (uint8_t)s.p[i];
	return v;
}

static struct str vector(struct reader *r, size_t width)
{
	return bytes(r, number(r, width));
}

/* The next message must be of this type; its body. */
static struct str message(struct reader *r, uint8_t type)
{
	if (number(r, 1) != type)
		r->bad = true;
	return vector(r, 3);
}

static bool next_is(const struct reader *r, uint8_t type)
{
	return r->n && r->p[0] == type;
}

/* ---- one production each -------------------------------------------------------------------- */

/* RFC 8446 4.1.3: a ServerHello with this random is a HelloRetryRequest. */
static bool is_retry(struct str server_hello)
{
	static const char random[] =
		"\xCF\x21\xAD\x74\xE5\x9A\x61\x11\xBE\x1D\x8C\x02\x1E\x65\xB8\x91"
		"\xC2\xA2\x11\x16\x7A\xBB\x8C\x5E\x07\x9E\x09\xE2\xC8\xA8\x33\x9C";

	return str_eq(str_sub(server_hello, 2, 32), STR(random));
}

static bool server_hello(struct str body, struct tlsproof *p)
{
	struct reader r = reader(body), ext;

	p->v13 = false;
	if (number(&r, 2) != 0x0303)
		return false;
	bytes(&r, 32);
	vector(&r, 1);
	p->cipher = (uint16_t)number(&r, 2);
	number(&r, 1);
	if (r.n == 0)
		return !r.bad;
	ext = reader(vector(&r, 2));
	while (ext.n && !ext.bad) {
		uint32_t type = number(&ext, 2);
		struct str value = vector(&ext, 2);

		if (type == SUPPORTED_VERSIONS)
			p->v13 = str_eq(value, str_mem("\x03\x04", 2));
	}
	return !r.bad && !ext.bad && r.n == 0;
}

/* The first certificate of the list; empty where there is none, or at a fault. */
static struct str leaf(struct str body, bool v13)
{
	struct reader r = reader(body), list;
	struct str first;

	if (v13 && vector(&r, 1).n)
		return STR("");
	list = reader(vector(&r, 3));
	first = vector(&list, 3);
	if (v13)
		vector(&list, 2);
	return r.bad || list.bad || r.n ? STR("") : first;
}

static bool certificate_verify(struct str body, struct tlsproof *p)
{
	struct reader r = reader(body);

	p->algorithm = (uint16_t)number(&r, 2);
	p->signature = vector(&r, 2);
	return !r.bad && r.n == 0 && p->signature.n;
}

/* RFC 8446 2, figure 1. */
static void flight_13(struct reader *r, struct tlsproof *p)
{
	message(r, ENCRYPTED_EXTENSIONS);
	message(r, CERTIFICATE_REQUEST);
	p->server_cert = leaf(message(r, CERTIFICATE), true);
	message(r, CERTIFICATE_VERIFY);
	message(r, FINISHED);
	p->client_cert = leaf(message(r, CERTIFICATE), true);
}

/* RFC 5246 7.3; all our ciphers have a ServerKeyExchange. */
static void flight_12(struct reader *r, struct tlsproof *p)
{
	p->server_cert = leaf(message(r, CERTIFICATE), false);
	if (next_is(r, CERTIFICATE_STATUS))
		message(r, CERTIFICATE_STATUS);
	message(r, SERVER_KEY_EXCHANGE);
	message(r, CERTIFICATE_REQUEST);
	message(r, SERVER_HELLO_DONE);
	p->client_cert = leaf(message(r, CERTIFICATE), false);
	message(r, CLIENT_KEY_EXCHANGE);
}

bool tlsproof_parse(struct str proof, struct tlsproof *p)
{
	struct reader r = reader(proof);
	const char *begin = proof.p;
	struct str hello;

	*p = (struct tlsproof){.first_hello = STR("")};
	message(&r, CLIENT_HELLO);
	p->first_hello = str_mem(begin, (size_t)((const char *)r.p - begin));
	hello = message(&r, SERVER_HELLO);
	if (!r.bad && is_retry(hello)) {
		begin += p->first_hello.n;
		message(&r, CLIENT_HELLO);
		hello = message(&r, SERVER_HELLO);
	} else {
		p->first_hello = STR("");
	}
	if (r.bad || is_retry(hello) || !server_hello(hello, p) || (p->first_hello.n && !p->v13))
		return false;
	if (p->v13)
		flight_13(&r, p);
	else
		flight_12(&r, p);
	p->messages = str_mem(begin, (size_t)((const char *)r.p - begin));
	return certificate_verify(message(&r, CERTIFICATE_VERIFY), p) && !r.bad && r.n == 0 &&
	       p->server_cert.n && p->client_cert.n;
}
