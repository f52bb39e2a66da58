/* SPDX-License-Identifier: Apache-2.0 */
/* text: checks that several boundaries share. */
#pragma once
#include "common/ipc/wire.h"

/* A command's tag or verb: printable ASCII without blanks, so that it can't make a further field or
 * line wherever it is written (B29). A fault otherwise; empty is allowed. */
static inline struct str ipc_get_word(struct wire *w, size_t max)
{
	struct str s = wire_get_str(w, max);

	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= 0x20 || s.p[i] >= 0x7f)
			w->bad = true;
	return s;
}

/* Text for people: one line. */
static inline struct str ipc_get_line(struct wire *w, size_t max)
{
	struct str s = wire_get_str(w, max);

	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\r' || s.p[i] == '\n' || s.p[i] == '\0')
			w->bad = true;
	return s;
}
