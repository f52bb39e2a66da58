/* SPDX-License-Identifier: Apache-2.0 */
/* list: intrusive doubly linked list with a head node. */
#pragma once
#include <stdbool.h>
#include "common/base/ensure.h"

struct list {
	struct list *prev, *next;
};
static inline void list_init(struct list *l)
{
	l->prev = l->next = l;
}
static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}
static inline void list_append(struct list *head, struct list *e)
{
	e->prev = head->prev;
	e->next = head;
	head->prev->next = e;
	head->prev = e;
}
static inline void list_remove(struct list *e) /* e is then an empty list; removing twice is fine */
{
	e->prev->next = e->next;
	e->next->prev = e->prev;
	list_init(e);
}
#define list_entry(e, type, member) container_of((e), type, member)
/* Safe against removal of the current element. */
#define list_foreach(e, head)                                                                      \
	for (struct list *e = (head)->next, *e##_next = e->next; e != (head);                      \
	     e = e##_next, e##_next = e->next)
