/* SPDX-License-Identifier: Apache-2.0 */
#include "common/io/smtp.h"

#include <curl/curl.h>

#include "common/base/buf.h"

enum { CHUNK = 16384 };

struct upload {
	struct str left[2]; /* header, body */
	struct buf out;	    /* with CRLF */
	bool begun, over;   /* libcurl has begun to fetch; it was given the end */
	char last;
};

/* A server that takes a lone CR for a line end must not see an end of the message in the middle. */
static void put_lines(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\n' || s.p[i] == '\r')
			buf_put(out, "\r\n", 2);
		else
			buf_putc(out, s.p[i]);
	}
}

static void fill(struct upload *u)
{
	for (int i = 0; i < 2 && u->out.n < CHUNK; i++) {
		struct str s = str_sub(u->left[i], 0, CHUNK);

		if (s.n == 0)
			continue;
		u->last = s.p[s.n - 1];
		put_lines(&u->out, s);
		u->left[i] = str_from(u->left[i], s.n);
	}
	if (u->left[0].n == 0 && u->left[1].n == 0 && u->last != '\n') {
		u->last = '\n';
		buf_put(&u->out, "\r\n", 2);
	}
}

static size_t on_read(char *to, size_t size, size_t n, void *ctx)
{
	struct upload *u = ctx;
	size_t room = size * n;

	u->begun = true;
	if (u->out.n == 0)
		fill(u);
	if (u->out.n < room)
		room = u->out.n;
	memcpy(to, buf_str(&u->out).p, room);
	buf_consume(&u->out, room);
	u->over |= room == 0;
	return room;
}

static void set_tls(CURL *c, const struct smtp_mail *m)
{
	curl_easy_setopt(c, CURLOPT_USE_SSL,
			 (long)(m->tls == SMTP_TLS_ON	 ? CURLUSESSL_ALL
				: m->tls == SMTP_TLS_TRY ? CURLUSESSL_TRY
							 : CURLUSESSL_NONE));
	if (*m->cafile) {
		curl_easy_setopt(c, CURLOPT_CAINFO, m->cafile);
		curl_easy_setopt(c, CURLOPT_CAPATH, NULL);
	}
}

static enum smtp_result result(CURL *c, CURLcode rc, const struct upload *u, const char *text,
			       struct err *e)
{
	long code = 0;

	if (rc == CURLE_OK)
		return SMTP_SENT;
	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &code);
	err_set(e, 0, "SMTP: %s (%ld)", *text ? text : curl_easy_strerror(rc), code);
	for (char *p = e->text; *p; p++)
		if ((unsigned char)*p < ' ')
			*p = ' ';
	/* The last bytes have left, and no refusal came back. */
	return u->over && code < 400 ? SMTP_UNKNOWN : SMTP_FAILED;
}

enum smtp_result smtp_send(const struct smtp_mail *m, struct err *e)
{
	struct upload u = {.left = {m->header, m->body}};
	struct curl_slist *to = NULL;
	char text[CURL_ERROR_SIZE] = "";
	enum smtp_result r;
	CURL *c;

	curl_global_init(CURL_GLOBAL_DEFAULT);
	c = curl_easy_init();
	if (!c) {
		err_set(e, 0, "SMTP: out of memory");
		return SMTP_FAILED;
	}
	for (size_t i = 0; i < m->nto; i++)
		to = curl_slist_append(to, m->to[i]);
	curl_easy_setopt(c, CURLOPT_URL, m->url);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	curl_easy_setopt(c, CURLOPT_PROXY, "");
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, text);
	curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)m->seconds);
	curl_easy_setopt(c, CURLOPT_SASL_IR, 1L);
	curl_easy_setopt(c, CURLOPT_MAIL_FROM, m->from);
	curl_easy_setopt(c, CURLOPT_MAIL_RCPT, to);
	curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(c, CURLOPT_READFUNCTION, on_read);
	curl_easy_setopt(c, CURLOPT_READDATA, &u);
	set_tls(c, m);
	r = result(c, curl_easy_perform(c), &u, text, e);
	curl_easy_cleanup(c);
	curl_slist_free_all(to);
	buf_deinit(&u.out);
	return r;
}
