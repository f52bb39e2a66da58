/* SPDX-License-Identifier: Apache-2.0 */
#include "common/imap/announce.h"

#include "common/imap/limits.h"

void imap_announce_feed(struct imap_announce *a, char c)
{
	if (c == '{') {
		*a = (struct imap_announce){.open = true};
	} else if (!a->open || a->closed) {
		a->open = false;
	} else if (c == '}') {
		a->closed = true;
	} else if (c == '+') {
		a->bad |= a->plus;
		a->plus = true;
	} else if (c >= '0' && c <= '9') {
		a->bad |= a->plus || __builtin_mul_overflow(a->n, 10, &a->n) ||
			  __builtin_add_overflow(a->n, (uint64_t)(c - '0'), &a->n);
		a->zero |= a->digits++ == 0 && c == '0';
	} else {
		a->bad = true;
	}
}

bool imap_announce_usable(const struct imap_announce *a)
{
	return a->open && a->closed && !a->bad && a->digits && a->n <= IMAP_LITERAL_HARD_MAX;
}
