/* SPDX-License-Identifier: Apache-2.0 */
/* smtp: submits one message to an SMTP server (libcurl); blocks. One of the two places that know libcurl. */
#pragma once
#include "common/base/err.h"
#include "common/base/str.h"

enum smtp_tls { SMTP_TLS_ON, SMTP_TLS_TRY, SMTP_TLS_OFF };
enum smtp_result {
	SMTP_SENT,    /* the server has taken it */
	SMTP_FAILED,  /* it certainly hasn't */
	SMTP_UNKNOWN, /* all of it was on its way when the connection ended without an answer */
};
struct smtp_mail {
	const char *url;    /* smtp://user:password@host:port, smtps:// */
	const char *cafile; /* "" : the system's */
	enum smtp_tls tls;
	unsigned seconds; /* for everything */
	const char *from;
	char *const *to;
	size_t nto;
	struct str header, body; /* lines ending in LF; sent with CRLF, each lone CR or LF too */
};
enum smtp_result smtp_send(const struct smtp_mail *m, struct err *e);
