/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/login/tlspeer.h"
#include "common/base/buf.h"
#include "common/base/ensure.h"

enum { HEADER = 4, EMPTY_12 = 3, EMPTY_13 = 4 };

struct tlspeer {
	struct buf messages;
	bool over;     /* nothing more is collected */
	bool has_cert; /* the client showed one */
};

struct tlspeer *tlspeer_new(void)
{
	return xcalloc(1, sizeof(struct tlspeer));
}

void tlspeer_free(struct tlspeer **p)
{
	if (!*p)
		return;
	buf_deinit(&(*p)->messages);
	free(*p);
	*p = NULL;
}

static void give_up(struct tlspeer *p)
{
	p->over = true;
	buf_deinit(&p->messages);
}

/* RFC 5246 7.4.6, RFC 8446 4.4.2: an empty list of certificates. */
static bool is_empty(struct str message, int version)
{
	return message.n <= HEADER + (version == TLS1_3_VERSION ? EMPTY_13 : EMPTY_12);
}

void tlspeer_message(struct tlspeer *p, SSL *ssl, bool write, struct str m)
{
	uint8_t type = m.n ? (uint8_t)m.p[0] : 0;

	if (p->over)
		return;
	/* Resumed, or no certificate was asked for. */
	if (!write && type == SSL3_MT_FINISHED) {
		give_up(p);
		return;
	}
	if (!write && type == SSL3_MT_CERTIFICATE) {
		p->has_cert = !is_empty(m, SSL_version(ssl));
		/* See tickets.c: this session can't be resumed. */
		if (p->has_cert)
			SSL_set_num_tickets(ssl, 0);
		else
			give_up(p);
	}
	if (p->over)
		return;
	if (p->messages.n + m.n > TLSPEER_PROOF_MAX) {
		give_up(p);
		return;
	}
	buf_str_put(&p->messages, m);
	p->over = !write && type == SSL3_MT_CERTIFICATE_VERIFY;
}
