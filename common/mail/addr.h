/* SPDX-License-Identifier: Apache-2.0 */
/*
 * addr: address lists of RFC 5322 3.4 with its obsolete forms, and whatever else people send.
 * Linear time and no failure: broken input gives addresses with parts missing.
 */
#pragma once
#include "common/base/arena.h"

struct addr {
	struct addr *next;
	enum { ADDR_MAILBOX, ADDR_GROUP_START, ADDR_GROUP_END } kind;
	struct str name; /* display name or comment, unquoted, encoded words as they are; or none */
	struct str route;   /* "@a,@b" or none */
	struct str mailbox; /* local part, unquoted; the group's name in ADDR_GROUP_START */
	struct str host;    /* none where there is no domain, or in groups */
};
struct addr_list {
	struct addr *first, **tail;
	uint32_t n, max; /* no more than max are parsed; group ends are added beyond it */
};
#define ADDR_LIST_INIT(list, limit) (*(list) = (struct addr_list){NULL, &(list)->first, 0, (limit)})

/* Appends the addresses of one field's value (folded or not). */
void addr_parse(struct arena *a, struct addr_list *list, struct str value);
