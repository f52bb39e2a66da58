/* SPDX-License-Identifier: Apache-2.0 */
/* http_reply: what an HTTP endpoint said about a login, whichever of the two forms it speaks. Pure. */
#pragma once
#include "frontend/authd/record_fields.h"

enum http_says {
	HTTP_SAYS_FAULT, /* nothing that can be understood: the endpoint's fault */
	HTTP_SAYS_WAIT,	 /* ask again after wait_s */
	HTTP_SAYS_YES,	 /* the account is there, and so is the right password if one was sent */
	HTTP_SAYS_NO,	 /* result says how */
};

struct http_reply { /* zeroed by its owner; strings lie in the arena that was given */
	enum http_says says;
	uint32_t wait_s;
	enum auth_result result;
	struct record_fields fields; /* code and text also of a refusal */
};

/* A refusal with one of the IMAP response codes that mean something here decides by it: LIMIT and
 * UNAVAILABLE are no wrong passwords. False: none of these (SMTP's numbers, say). */
bool http_reply_code(struct http_reply *r, struct arena *a, struct str code);
/* text as it may stand in an IMAP response: one line of printable ASCII, no code in front, not long. */
struct str http_reply_text(struct arena *a, struct str text);

/* The answer to check c, which r is about: fills c and returns the result for check_done. e says what is
 * wrong with an account of which no record can be made. */
enum auth_result http_reply_apply(const struct http_reply *r, const struct settings *set,
				  struct check *c, struct err *e);
