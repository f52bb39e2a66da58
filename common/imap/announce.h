/* SPDX-License-Identifier: Apache-2.0 */
/* announce: the "{n+}" of a literal, byte by byte; used by the parser alone. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct imap_announce {
	uint64_t n;
	unsigned digits;
	bool open, plus, closed;
	bool zero; /* the first digit is 0 */
	bool bad;  /* anything but digits and one '+' behind them, or over 64 bits */
};

/* What else a line holds may be fed too: at its end, open and closed are both set only where it
 * ends in an announcement. */
void imap_announce_feed(struct imap_announce *a, char c);
bool imap_announce_usable(const struct imap_announce *a);
