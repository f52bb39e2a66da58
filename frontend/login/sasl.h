/* SPDX-License-Identifier: Apache-2.0 */
/* sasl: the messages of the mechanisms PLAIN (RFC 4616) and LOGIN. Pure. */
#pragma once
#include "common/base/buf.h"

enum sasl_mechanism { SASL_NONE, SASL_PLAIN, SASL_LOGIN };
enum sasl_step {
	SASL_MORE, /* send challenge, wait for the next answer */
	SASL_DONE, /* user and password are there */
	SASL_BAD,  /* the message is malformed */
};

struct sasl {
	enum sasl_mechanism mechanism;
	unsigned answers; /* seen so far */
	struct buf data;  /* decoded: PLAIN's message, LOGIN's user and then password */
	struct str authzid, user, password; /* into data, when done */
	size_t user_n;
};

enum sasl_mechanism sasl_find(struct str name); /* SASL_NONE: not offered */
const char *sasl_name(enum sasl_mechanism m);
void sasl_init(struct sasl *s, enum sasl_mechanism m);
const char *sasl_challenge(const struct sasl *s); /* in base64 */
/* line: the client's base64. "=" is the empty message where initial (RFC 4959). */
enum sasl_step sasl_answer(struct sasl *s, struct str line, bool initial);
void sasl_deinit(struct sasl *s); /* wipes */
