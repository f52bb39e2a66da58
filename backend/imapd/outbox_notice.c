/* SPDX-License-Identifier: Apache-2.0 */
/* outbox_notice: tells the user in INBOX what no command can tell any more. */
#include "backend/imapd/outbox.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/rand.h"
#include "common/mail/header.h"

#define FIELD_MAX 300

struct notice {
	struct imapd *im;
	struct append *append;
	struct buf text;
	void (*done)(void *ctx);
	void *ctx;
};

static void put_field(struct buf *b, struct str header, const char *name)
{
	struct buf text = BUF_INIT;
	struct str value;

	if (!header_find(header, str_c(name), &value))
		return;
	header_decode_words(&text, value);
	buf_printf(b, "    %s: ", name);
	for (size_t i = 0; i < text.n && i < FIELD_MAX; i++) {
		unsigned char c = (unsigned char)buf_str(&text).p[i];

		buf_putc(b, c < ' ' || c == 0x7f ? ' ' : (char)c);
	}
	buf_puts(b, "\r\n");
	buf_deinit(&text);
}

static void put_date(struct buf *b)
{
	char text[64];
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S +0000", &tm);
	buf_printf(b, "Date: %s\r\n", text);
}

static void put_notice(struct buf *b, const struct outbox_item *it, bool failed, struct str why)
{
	static const char *const fields[] = {"From", "To", "Cc", "Subject", "Date", "Message-ID"};
	char host[128] = "localhost";

	if (gethostname(host, sizeof host - 1) < 0 || strpbrk(host, " <>@\r\n"))
		snprintf(host, sizeof host, "localhost");
	buf_printf(b, "From: Outbox <postmaster@%s>\r\n", host);
	put_date(b);
	buf_printf(b, "Message-ID: <%016llx.outbox@%s>\r\n", (unsigned long long)rand_u64(), host);
	buf_printf(b, "Subject: %s\r\n",
		   failed ? "Your message was not sent" : "Your message may not have been sent");
	buf_puts(
		b,
		"Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
		"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n");
	buf_puts(
		b,
		failed ? "This message was put into the Outbox, but could not be sent:\r\n\r\n"
		       : "This message was put into the Outbox. The server can't tell whether it was sent, and\r\n"
			 "doesn't send it again by itself:\r\n\r\n");
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		put_field(b, buf_str(&it->head), fields[i]);
	buf_printf(
		b,
		"\r\nReason: %.*s\r\n\r\nIt is kept in the Outbox with the keyword %s. To send it %s,\r\n"
		"copy it into the Outbox.\r\n",
		STR_ARG(why), failed ? OUTBOX_FAILED : OUTBOX_UNKNOWN,
		failed ? "once more" : "again");
}

static void over(struct notice *n)
{
	n->done(n->ctx);
	buf_deinit(&n->text);
	free(n);
}

static void complain(const struct notice *n, const struct store_result *r)
{
	LOG(L_ERROR, "outbox-notice", L_S("user", n->im->record->user), L_C("error", r->err.text));
}

static void on_committed(void *ctx, const struct store_result *r, uint32_t uidvalidity,
			 const uint32_t *uids, size_t n)
{
	if (r->code != STORE_OK)
		complain(ctx, r);
	over(ctx);
}

static void on_begun(void *ctx, const struct store_result *r)
{
	struct notice *n = ctx;

	if (r->code != STORE_OK) {
		complain(n, r);
		append_abort(&n->append);
		over(n);
		return;
	}
	(void)append_write(n->append, buf_str(&n->text), NULL, NULL);
	append_commit(n->append, on_committed, n);
}

void outbox_notice(struct imapd *im, const struct outbox_item *it, enum mailer_result result,
		   struct str why, void (*done)(void *ctx), void *ctx)
{
	struct notice *n = xcalloc(1, sizeof *n);
	struct append_opts o = {.folder = STR("INBOX"), .internaldate = -1};

	n->im = im;
	n->done = done;
	n->ctx = ctx;
	put_notice(&n->text, it, result == MAILER_FAILED, why);
	o.size = n->text.n;
	n->append = append_begin(im->store, &o, on_begun, n);
}
