/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash: the names of messages that were being parsed when an imapd ended by a signal. The next
 * imapd of that store serves them as opaque bytes. Kept in memory, bounded: the oldest store goes.
 */
#include <signal.h>
#include "backend/master/master.h"
#include "common/base/log.h"

#define STORES_MAX 1024
#define NAMES_MAX 60 /* of 256 bytes: fits SESSION_OPAQUE_MAX */

struct crashed_name {
	char name[256];
	unsigned strikes;
};
struct crashes {
	struct list link;
	uint64_t id[2];
	unsigned n, next;
	struct crashed_name names[NAMES_MAX];
};

static struct str key_of(const uint64_t id[2])
{
	return str_mem(id, 2 * sizeof id[0]);
}

static void forget(struct master *m, struct crashes *c)
{
	hmap_del(m->crashes, key_of(c->id));
	list_remove(&c->link);
	free(c);
}

static struct crashes *crashes_get(struct master *m, const struct storent *s)
{
	uint64_t id[2] = {s->dev, s->ino};
	struct crashes *c = hmap_get(m->crashes, key_of(id));

	if (c)
		return c;
	if (hmap_count(m->crashes) >= STORES_MAX)
		forget(m, list_entry(m->crash_order.next, struct crashes, link));
	c = xcalloc(1, sizeof *c);
	c->id[0] = s->dev;
	c->id[1] = s->ino;
	list_append(&m->crash_order, &c->link);
	hmap_put(m->crashes, key_of(c->id), c);
	return c;
}

static struct crashed_name *name_get(struct crashes *c, const char *name)
{
	struct crashed_name *n;

	for (unsigned i = 0; i < c->n; i++)
		if (strcmp(c->names[i].name, name) == 0)
			return &c->names[i];
	n = &c->names[c->next++ % NAMES_MAX];
	if (c->n < NAMES_MAX)
		c->n++;
	memset(n, 0, sizeof *n);
	memcpy(n->name, name, strlen(name) + 1);
	return n;
}

/* kill -9 is mostly not the message's fault: it must have been seen twice. (The kernel's
 * out-of-memory killer does look like that.) */
static unsigned strikes_of(int signo)
{
	return signo == SIGKILL || signo == SIGTERM || signo == SIGINT ? 1 : 2;
}

void crash_note(struct master *m, const struct storent *s, int crash_fd, int signo)
{
	struct crash_page page;

	/* Read, not mapped: the page is written by a process that has just gone wrong. */
	if (crash_fd < 0 || pread(crash_fd, &page, sizeof page, 0) != (ssize_t)sizeof page)
		return;
	for (unsigned i = 0; i < CRASH_SLOTS; i++) {
		char *name = page.slot[i].name;
		struct crashed_name *n;

		name[sizeof page.slot[i].name - 1] = '\0';
		if (name[0] == '\0' || strchr(name, '/'))
			continue;
		n = name_get(crashes_get(m, s), name);
		n->strikes += strikes_of(signo);
		LOG(L_ERROR, "message-crashed-imapd", L_C("message", name), L_I("signal", signo),
		    L_C("next", n->strikes >= 2 ? "served as opaque bytes" : "tried once more"));
	}
}

void crash_names(struct master *m, const struct storent *s, struct buf *out)
{
	uint64_t id[2] = {s->dev, s->ino};
	const struct crashes *c = hmap_get(m->crashes, key_of(id));

	for (unsigned i = 0; c && i < c->n; i++)
		if (c->names[i].strikes >= 2)
			buf_put(out, c->names[i].name, strlen(c->names[i].name) + 1);
}
