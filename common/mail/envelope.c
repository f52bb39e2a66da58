// SPDX-License-Identifier: Apache-2.0
#include "common/mail/envelope.h"
#include "common/mail/addr.h"
#include "common/mail/header.h"
#include "common/mail/wirestr.h"

enum field {
	F_DATE,
	F_SUBJECT,
	F_FROM,
	F_SENDER,
	F_REPLY_TO,
	F_TO,
	F_CC,
	F_BCC,
	F_IN_REPLY_TO,
	F_MESSAGE_ID,
	F_N
};
#define IS_ADDR(f) ((f) >= F_FROM && (f) <= F_BCC)

/* In the order of the ENVELOPE. */
static const struct str names[F_N] = {
	{"Date", 4}, {"Subject", 7}, {"From", 4}, {"Sender", 6},       {"Reply-To", 8},
	{"To", 2},   {"Cc", 2},	     {"Bcc", 3},  {"In-Reply-To", 11}, {"Message-ID", 10},
};

static int field_of(struct str name)
{
	for (int f = 0; f < F_N; f++)
		if (str_ieq(name, names[f]))
			return f;
	return -1;
}

/* A host of NIL would mean a group, so what is missing gets the names that clients know. */
static void put_addr(struct buf *out, const struct addr *a)
{
	buf_putc(out, '(');
	wirestr_nput(out, a->name);
	buf_putc(out, ' ');
	wirestr_nput(out, a->route);
	buf_putc(out, ' ');
	if (a->kind == ADDR_MAILBOX) {
		wirestr_put(out, a->mailbox.p ? a->mailbox : STR("MISSING_MAILBOX"));
		buf_putc(out, ' ');
		wirestr_put(out, a->host.p ? a->host : STR("MISSING_DOMAIN"));
	} else {
		wirestr_nput(out, a->mailbox);
		buf_puts(out, " NIL");
	}
	buf_putc(out, ')');
}

static void put_addrs(struct buf *out, const struct addr *a)
{
	if (a == NULL) {
		buf_puts(out, "NIL");
		return;
	}
	buf_putc(out, '(');
	for (; a; a = a->next)
		put_addr(out, a);
	buf_putc(out, ')');
}

/* Several fields of one kind are read as one list in their order (B55: each only once). */
static void read_addrs(struct arena *a, struct addr_list *list, uint32_t *left, struct str value)
{
	uint32_t before = list->n, used;

	list->max = before + *left;
	addr_parse(a, list, value);
	used = list->n - before;
	*left -= used < *left ? used : *left;
}

void mime_put_envelope(struct buf *out, struct str header, const struct mime_limits *limits)
{
	struct arena a = ARENA_INIT;
	struct addr_list addrs[F_N];
	struct str texts[F_N] = {{NULL, 0}};
	uint32_t left = limits->addresses;
	struct header_field h;

	for (int f = 0; f < F_N; f++)
		ADDR_LIST_INIT(&addrs[f], 0);
	while (header_next(&header, &h)) {
		int f = field_of(h.name);

		if (f < 0)
			continue;
		if (IS_ADDR(f))
			read_addrs(&a, &addrs[f], &left, h.value);
		else if (texts[f].p == NULL)
			texts[f] = header_unfold(&a, h.value);
	}
	if (!addrs[F_SENDER].first)
		addrs[F_SENDER].first = addrs[F_FROM].first;
	if (!addrs[F_REPLY_TO].first)
		addrs[F_REPLY_TO].first = addrs[F_FROM].first;
	for (int f = 0; f < F_N; f++) {
		buf_putc(out, f ? ' ' : '(');
		if (IS_ADDR(f))
			put_addrs(out, addrs[f].first);
		else
			wirestr_nput(out, texts[f]);
	}
	buf_putc(out, ')');
	arena_deinit(&a);
}
