/* SPDX-License-Identifier: Apache-2.0 */
/* notify: links to notifyd, made on behalf of imapds, which can't reach its socket. */
#include "backend/master/master.h"
#include "common/base/log.h"
#include "common/ipc/watch.h"

#define BACKOFF_FIRST_MS 250
#define BACKOFF_MAX_MS 8000
#define BATCH 64 /* links in one go, so that a notifyd that has just come isn't run over */
#define BATCH_MS 20

struct notifier {
	struct master *m;
	char *path;
	struct list wanting; /* proc.of_notifier */
	struct loop_timer *timer;
	uint64_t backoff;
	bool lost;           /* logged that it isn't there */
};

static int connect_for(struct notifier *n, uint32_t uid, uint64_t dev, uint64_t ino)
{
	struct buf b = BUF_INIT;
	int fd = link_connect(n->path), rc;

	if (fd < 0)
		return -1;
	wire_u32(&b, uid);
	wire_u64(&b, dev);
	wire_u64(&b, ino);
	rc = link_send_blocking(fd, WATCH_HELLO, buf_str(&b), NULL, 0);
	buf_deinit(&b);
	if (rc == 0)
		return fd;
	close(fd);
	return -1;
}

static void on_timer(void *ctx)
{
	struct notifier *n = ctx;

	for (int i = 0; i < BATCH && !list_empty(&n->wanting); i++) {
		struct child *p = list_entry(n->wanting.next, struct child, of_notifier);
		int fd = connect_for(n, p->uid, p->store->dev, p->store->ino);

		if (fd < 0) {
			if (!n->lost)
				LOG(L_WARN, "notifyd-unreachable", L_C("socket", n->path), L_C("error", strerror(errno)),
				    L_C("effect", "sessions poll until it is back"));
			n->lost = true;
			n->backoff = n->backoff == 0 ? BACKOFF_FIRST_MS : n->backoff * 2;
			if (n->backoff > BACKOFF_MAX_MS)
				n->backoff = BACKOFF_MAX_MS;
			loop_timer_set(n->timer, n->backoff);
			return;
		}
		if (n->lost)
			LOG(L_INFO, "notifyd-back", L_C("socket", n->path));
		n->lost = false;
		n->backoff = 0;
		notifier_forget(n, p);
		if (p->chan)
			(void)link_send(p->chan, SESSION_NOTIFYD, STR_NONE, &fd, 1);
		close(fd);
	}
	if (!list_empty(&n->wanting))
		loop_timer_set(n->timer, BATCH_MS);
}

int notifier_connect(struct notifier *n, uint32_t uid, uint64_t dev, uint64_t ino)
{
	return n->lost ? -1 : connect_for(n, uid, dev, ino);
}

void notifier_want(struct notifier *n, struct child *p)
{
	if (p->wants_notifyd)
		return;
	p->wants_notifyd = true;
	list_append(&n->wanting, &p->of_notifier);
	if (!loop_timer_active(n->timer))
		loop_timer_set(n->timer, n->backoff ? n->backoff : BATCH_MS);
}

void notifier_forget(struct notifier *n, struct child *p)
{
	p->wants_notifyd = false;
	list_remove(&p->of_notifier);
}

struct notifier *notifier_new(struct master *m)
{
	struct notifier *n = xcalloc(1, sizeof *n);
	struct buf path = BUF_INIT;

	n->m = m;
	buf_printf(&path, "%s/notifyd.sock", m->set->rundir);
	n->path = xstrdup(buf_cstr(&path));
	buf_deinit(&path);
	list_init(&n->wanting);
	n->timer = loop_timer_new(m->loop, on_timer, n);
	return n;
}
