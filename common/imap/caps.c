/* SPDX-License-Identifier: Apache-2.0 */
#include "common/imap/caps.h"

#include "common/base/ensure.h"
#include "common/imap/saslname.h"

enum {
	PLAIN = 1 << IMAP_CAPS_PLAIN,
	BEFORE = PLAIN | 1 << IMAP_CAPS_TLS,
	AFTER = 1 << IMAP_CAPS_SESSION,
	EVERY = BEFORE | AFTER
};

enum condition { ALWAYS, PLUS, MINUS, STARTTLS, LOGIN_ON, LOGIN_OFF, IDLE, APPENDLIMIT, MAGICTRASH };

static const struct cap {
	const char *name;
	unsigned states;
	enum condition when;
	bool unfiltered;
} caps[] = {
	{"IMAP4rev1", EVERY, ALWAYS, true},
	{"LITERAL+", EVERY, PLUS, false},
	{"LITERAL-", EVERY, MINUS, false},
	{"SASL-IR", BEFORE, LOGIN_ON, false},
	{"ID", EVERY, ALWAYS, false},
	{"STARTTLS", PLAIN, STARTTLS, true},
	{"LOGINDISABLED", PLAIN, LOGIN_OFF, true},
	{"ENABLE", AFTER, ALWAYS, false},
	{"IDLE", AFTER, IDLE, false},
	{"NAMESPACE", AFTER, ALWAYS, false},
	{"UIDPLUS", AFTER, ALWAYS, false},
	{"MOVE", AFTER, ALWAYS, false},
	{"MULTIAPPEND", AFTER, ALWAYS, false},
	{"CHILDREN", AFTER, ALWAYS, false},
	{"UNSELECT", AFTER, ALWAYS, false},
	{"CONDSTORE", AFTER, ALWAYS, false},
	{"QRESYNC", AFTER, ALWAYS, false},
	{"QUOTA", AFTER, ALWAYS, false},
	{"QUOTA=RES-STORAGE", AFTER, ALWAYS, false},
	{"QUOTA=RES-MESSAGE", AFTER, ALWAYS, false},
	{"APPENDLIMIT", AFTER, APPENDLIMIT, false},
	{"XMAGICTRASH", AFTER, MAGICTRASH, true},
	{"SPECIAL-USE", AFTER, ALWAYS, false},
	{"CREATE-SPECIAL-USE", AFTER, ALWAYS, false},
};

static bool holds(enum condition when, const struct imap_caps *c)
{
	bool off = c->state == IMAP_CAPS_PLAIN && c->login_disabled;

	switch (when) {
	case ALWAYS:
		return true;
	case PLUS:
		return !c->literal_minus;
	case MINUS:
		return c->literal_minus;
	case STARTTLS:
		return c->starttls;
	case LOGIN_ON:
		return !off;
	case LOGIN_OFF:
		return off;
	case IDLE:
		return c->idle;
	case APPENDLIMIT:
		return c->append_max != 0;
	case MAGICTRASH:
		return c->magic_trash;
	}
	return false;
}

static bool next_word(struct str text, size_t *it, struct str *word)
{
	size_t start;

	while (*it < text.n && (text.p[*it] == ' ' || text.p[*it] == '\t'))
		++*it;
	start = *it;
	while (*it < text.n && text.p[*it] != ' ' && text.p[*it] != '\t')
		++*it;
	*word = str_sub(text, start, *it - start);
	return word->n > 0;
}

/* A list made for one of LITERAL+ and LITERAL- goes for the other: IMAP_LITERAL decides which. */
static bool same_cap(struct str word, const struct cap *cap)
{
	struct str name = str_c(cap->name);

	if (cap->when == PLUS || cap->when == MINUS)
		return str_ieq(word, STR("LITERAL+")) || str_ieq(word, STR("LITERAL-"));
	if (cap->when == APPENDLIMIT)
		word = str_sub(word, 0, str_find(word, '='));
	return str_ieq(word, name);
}

static bool named(struct str filter, const struct cap *cap)
{
	struct str word;

	for (size_t it = 0; next_word(filter, &it, &word);)
		if (same_cap(word, cap))
			return true;
	return false;
}

static struct cap auth_cap(enum sasl_id id, char name[48])
{
	snprintf(name, 48, "AUTH=%s", sasl_name(id));
	return (struct cap){name, BEFORE, LOGIN_ON, false};
}

static void put_mechanisms(struct buf *out, const struct imap_caps *c)
{
	for (enum sasl_id id = 0; id < SASL_ID_N; id++) {
		char name[48];
		struct cap cap = auth_cap(id, name);

		if (!(c->mechanisms & SASL_BIT(id)) || !(cap.states & 1U << c->state) ||
		    !holds(cap.when, c) || (c->filter.n && !named(c->filter, &cap)))
			continue;
		buf_putc(out, ' ');
		buf_puts(out, name);
	}
}

void imap_caps_put(struct buf *out, const struct imap_caps *c)
{
	bool first = true;

	for (size_t i = 0; i < ARRAY_LEN(caps); i++) {
		const struct cap *cap = &caps[i];
		if (!(cap->states & 1U << c->state) || !holds(cap->when, c))
			continue;
		if (c->filter.n && !cap->unfiltered && !named(c->filter, cap))
			continue;
		if (!first)
			buf_putc(out, ' ');
		buf_puts(out, cap->name);
		if (cap->when == APPENDLIMIT) /* RFC 7889 */
			buf_printf(out, "=%llu", (unsigned long long)c->append_max);
		first = false;
	}
	put_mechanisms(out, c);
	if (c->outbox.n && c->state == IMAP_CAPS_SESSION)
		buf_printf(out, " XCOURIEROUTBOX=INBOX%.*s", STR_ARG(c->outbox));
}

bool imap_caps_unknown(struct str filter, size_t *it, struct str *word)
{
	while (next_word(filter, it, word)) {
		bool known = false;
		for (size_t i = 0; i < ARRAY_LEN(caps); i++)
			known |= same_cap(*word, &caps[i]);
		known |= str_istarts(*word, STR("XCOURIEROUTBOX="));
		if (str_istarts(*word, STR("AUTH=")))
			known |= sasl_find(str_from(*word, sizeof("AUTH=") - 1)) < SASL_ID_N;
		if (!known)
			return true;
	}
	return false;
}
