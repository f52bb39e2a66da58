/* SPDX-License-Identifier: Apache-2.0 */
/* check: the header of a message that is to be sent: who gets it, and whether that may be. */
#include "backend/mailer/mailer.h"
#include "common/base/arena.h"
#include "common/base/ensure.h"
#include "common/mail/addr.h"
#include "common/mail/header.h"

static int no(struct mailer_verdict *v, struct str code, struct str text)
{
	*v = (struct mailer_verdict){.result = MAILER_FAILED, .code = code, .text = text};
	return -1;
}

/* With the blank line; max + 1 bytes where there is none up to there. */
static struct str header_of(struct str message, uint64_t max)
{
	struct str s = str_sub(message, 0, (size_t)max + 1);

	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\n' && (i + 1 == s.n || s.p[i + 1] == '\n'))
			return str_sub(s, 0, i + 1 < s.n ? i + 2 : i + 1);
	return s;
}

/* ---- addresses ---------------------------------------------------------------------------------- */

static bool is_atom(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f ||
		    strchr("()<>[]:;@\\,\"", s.p[i]))
			return false;
	return s.n > 0 && s.p[0] != '.' && s.p[s.n - 1] != '.';
}

static void put_address(struct buf *b, const struct addr *a)
{
	if (is_atom(a->mailbox)) {
		buf_str_put(b, a->mailbox);
	} else {
		buf_putc(b, '"');
		for (size_t i = 0; i < a->mailbox.n; i++) {
			if (a->mailbox.p[i] == '"' || a->mailbox.p[i] == '\\')
				buf_putc(b, '\\');
			buf_putc(b, a->mailbox.p[i]);
		}
		buf_putc(b, '"');
	}
	if (a->host.n) {
		buf_putc(b, '@');
		buf_str_put(b, a->host);
	}
}

static bool plain(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return false;
	return true;
}

/* No control character, no blank or angle in the host: it stands alone in an SMTP command. */
static bool usable(const struct addr *a)
{
	if (a->mailbox.n == 0 || a->mailbox.p[0] == '-' || a->mailbox.n + a->host.n > 320 ||
	    !plain(a->mailbox) || !plain(a->host))
		return false;
	for (size_t i = 0; i < a->host.n; i++)
		if (strchr(" <>\"\\(),;@", a->host.p[i]))
			return false;
	return true;
}

static void addresses(struct arena *arena, struct str header, const char *name,
		      struct addr_list *list)
{
	struct header_field f;

	while (header_next(&header, &f))
		if (str_ieq(f.name, str_c(name)))
			addr_parse(arena, list, f.value);
}

/* As sendmail -t: a message that was resent goes to whom it was resent to. */
static bool take_recipients(struct arena *arena, struct str header, uint64_t max,
			    struct addr_list *list)
{
	static const char *const names[] = {"Resent-To", "Resent-Cc", "Resent-Bcc",
					    "To",	 "Cc",	      "Bcc"};
	uint64_t n = 0;

	ADDR_LIST_INIT(list, (uint32_t)max * 2 + 64); /* names of groups and their ends count too */
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		addresses(arena, header, names[i], list);
		if (i == 2 && list->n)
			break;
	}
	for (const struct addr *a = list->first; a; a = a->next)
		n += a->kind == ADDR_MAILBOX;
	return n <= max && list->n < list->max;
}

static bool owned(const struct addr *a, struct str sender)
{
	struct buf b = BUF_INIT;
	bool same;

	buf_str_put(&b, a->mailbox);
	if (str_find(sender, '@') < sender.n) {
		buf_putc(&b, '@');
		buf_str_put(&b, a->host);
	}
	same = str_ieq(buf_str(&b), sender);
	buf_deinit(&b);
	return same;
}

static bool all_owned(struct arena *arena, struct str header, struct str sender)
{
	static const char *const names[] = {"From", "Sender", "Resent-From", "Resent-Sender"};
	struct addr_list list;

	ADDR_LIST_INIT(&list, 1000);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		addresses(arena, header, names[i], &list);
	for (const struct addr *a = list.first; a; a = a->next)
		if (a->kind == ADDR_MAILBOX && !owned(a, sender))
			return false;
	return list.n > 0 && list.n < 1000;
}

/* ---- the message -------------------------------------------------------------------------------- */

static int take_envelope(const struct settings *set, struct str sender, struct envelope *env,
			 struct mailer_verdict *v, struct arena *arena)
{
	struct addr_list list;

	if (!take_recipients(arena, env->header, set->outbox_recipients_max, &list))
		return no(v, STR("LIMIT"), STR("The message has too many recipients."));
	for (const struct addr *a = list.first; a; a = a->next) {
		struct buf b = BUF_INIT;

		if (a->kind != ADDR_MAILBOX)
			continue;
		if (!usable(a))
			return no(v, STR_NONE, STR("A recipient's address can't be used."));
		put_address(&b, a);
		*vec_push(&env->to) = buf_cstr(&b);
	}
	if (env->to.n == 0)
		return no(v, STR_NONE, STR("The message has no recipients."));
	if (set->outbox_from_own && !all_owned(arena, env->header, sender))
		return no(v, STR("NOPERM"), STR("From must be the account's own address."));
	return 0;
}

int check_message(const struct settings *set, struct str sender, struct str message,
		  struct envelope *env, struct mailer_verdict *v)
{
	struct arena arena = {0};
	int rc;

	env->header = header_of(message, set->outbox_header_max);
	if (env->header.n > set->outbox_header_max)
		return no(v, STR("LIMIT"), STR("The message's header is too large."));
	for (size_t i = 0; i < env->header.n; i++)
		if (env->header.p[i] == '\0' || env->header.p[i] == '\r')
			return no(v, STR_NONE, STR("The message's header holds NUL or a lone CR."));
	if (memchr(message.p, 0, message.n))
		return no(v, STR_NONE, STR("The message holds NUL: mail can't carry it."));
	rc = take_envelope(set, sender, env, v, &arena);
	arena_deinit(&arena);
	return rc;
}

void envelope_deinit(struct envelope *env)
{
	vec_foreach(a, &env->to)
		free(*a);
	vec_free(&env->to);
}

void check_put_header(struct buf *out, struct str header)
{
	struct header_field f;
	struct str rest = header;

	while (header_next(&rest, &f))
		if (!str_ieq(f.name, STR("Bcc")) && !str_ieq(f.name, STR("Resent-Bcc")))
			buf_str_put(out, f.raw);
	buf_putc(out, '\n');
}
