/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolve: from a record's paths to the identity of its store, without ever waiting for a volume on
 * the loop. One look at a path at a time, some at a time on one volume, so that a stalled volume
 * can't use up the threads that other users' logins need.
 */
#include <fcntl.h>
#include "backend/master/maildir.h"
#include "backend/master/master.h"
#include "backend/master/volume.h"
#include "common/base/log.h"

#define VOLUME_JOBS_MAX 12 /* of RESOLVE_THREADS (main.c) */
/* So long a served store's path is taken on trust: only a Maildir that was put in another's place
 * in the last seconds, while its imapd still runs, would be seen late. */
#define PATH_TRUST_MS 10000

struct path {
	struct list of_store;
	struct buf key;
	uint64_t dev, ino;
	uint64_t seen;
};

struct volume {
	struct str name; /* owned */
	unsigned running;
	struct list queue;
};

struct resolve {
	struct job job;
	struct list of_volume; /* queued */
	struct resolver *r;
	struct volume *volume;
	struct buf key;
	struct list logins;
	char *home, *maildir;
	struct maildir_want want;
	struct maildir_found found;
	int rc;
	struct err err;
};

struct resolver {
	struct master *m;
	struct volumes *volumes;
	struct hmap *running; /* key -> struct resolve */
	struct hmap *byname;  /* mount point -> struct volume */
	struct hmap *paths;   /* key -> struct path */
};

struct resolver *resolver_new(struct master *m)
{
	struct resolver *r = xcalloc(1, sizeof *r);

	r->m = m;
	r->volumes = volumes_new();
	r->running = hmap_new();
	r->byname = hmap_new();
	r->paths = hmap_new();
	return r;
}

static void path_free(struct resolver *r, struct path *p)
{
	list_remove(&p->of_store);
	hmap_del(r->paths, buf_str(&p->key));
	buf_deinit(&p->key);
	free(p);
}

void resolver_forget(struct resolver *r, struct storent *s)
{
	list_foreach(e, &s->paths)
		path_free(r, list_entry(e, struct path, of_store));
}

static void path_learn(struct resolver *r, struct str key, const struct maildir_found *f)
{
	struct storent *s = store_find(r->m, f->dev, f->ino);
	struct path *p = hmap_get(r->paths, key);

	if (p && (!s || p->dev != f->dev || p->ino != f->ino)) {
		path_free(r, p);
		p = NULL;
	}
	if (!s)
		return;
	if (!p) {
		p = xcalloc(1, sizeof *p);
		buf_str_put(&p->key, key);
		p->dev = f->dev;
		p->ino = f->ino;
		list_init(&p->of_store);
		list_append(&s->paths, &p->of_store);
		hmap_put(r->paths, key, p);
	}
	p->seen = loop_now(r->m->loop);
}

/* ---- the jobs --------------------------------------------------------------------------------- */

static void run(struct job *j)
{
	struct resolve *q = container_of(j, struct resolve, job);

	q->rc = maildir_open_or_make(&q->want, &q->found, &q->err);
}

static void resolve_free(struct resolve *q)
{
	buf_deinit(&q->key);
	free(q->home);
	free(q->maildir);
	free(q);
}

static void volume_next(struct volume *v, struct master *m)
{
	while (v->running < VOLUME_JOBS_MAX && !list_empty(&v->queue)) {
		struct resolve *q = list_entry(v->queue.next, struct resolve, of_volume);

		list_remove(&q->of_volume);
		v->running++;
		jobs_submit(m->jobs, &q->job);
	}
}

static void answer(struct resolve *q)
{
	struct maildir_found *f = &q->found;
	int fd = f->fd;

	if (f->home_made)
		LOG(L_INFO, "home-made", L_C("home", q->want.home), L_C("skeleton", q->want.skel),
		    L_U("uid", q->want.uid));
	if (f->made && !list_empty(&q->logins))
		LOG(L_INFO, "maildir-made", L_C("home", q->want.home), L_C("maildir", q->want.maildir),
		    L_U("uid", q->want.uid));
	while (!list_empty(&q->logins)) {
		struct login *g = list_entry(q->logins.next, struct login, at);

		list_remove(&g->at);
		if (q->rc < 0) {
			login_refuse(g, f->code ? f->code : "UNAVAILABLE",
				     f->say ? f->say : "The mailbox can't be opened; the server's log says why.",
				     q->err.text);
		} else if (f->loginexec && !g->hooked) {
			loginexec_login(q->r->m->loginexec, g, f->dev, f->ino, fcntl(f->fd, F_DUPFD_CLOEXEC, 3));
		} else {
			store_admit(g, f->dev, f->ino, fd);
			fd = -1;
		}
	}
	if (q->rc == 0 && fd >= 0)
		close(fd);
}

static void done(struct job *j)
{
	struct resolve *q = container_of(j, struct resolve, job);
	struct resolver *r = q->r;
	struct volume *v = q->volume;

	hmap_del(r->running, buf_str(&q->key));
	v->running--;
	answer(q);
	if (q->rc == 0)
		path_learn(r, buf_str(&q->key), &q->found);
	resolve_free(q);
	volume_next(v, r->m);
}

/* ---- asking ----------------------------------------------------------------------------------- */

static struct volume *volume_get(struct resolver *r, struct str path)
{
	struct str name = volumes_of(r->volumes, path, loop_now(r->m->loop));
	struct volume *v = hmap_get(r->byname, name);

	if (!v) {
		v = xcalloc(1, sizeof *v);
		v->name = str_mem(str_dup(name), name.n);
		list_init(&v->queue);
		hmap_put(r->byname, name, v);
	}
	return v;
}

static void key_make(struct buf *key, const struct user_record *u, struct str maildir)
{
	wire_u32(key, u->uid);
	wire_u32(key, u->gid);
	wire_str(key, u->home);
	wire_str(key, maildir);
}

static struct resolve *resolve_new(struct resolver *r, struct str key, const struct user_record *u,
				   struct str maildir)
{
	struct resolve *q = xcalloc(1, sizeof *q);
	const struct settings *set = r->m->set;
	struct buf path = BUF_INIT;

	q->job.run = run;
	q->job.done = done;
	q->r = r;
	list_init(&q->logins);
	list_init(&q->of_volume);
	buf_str_put(&q->key, key);
	q->home = str_dup(u->home);
	q->maildir = str_dup(maildir);
	q->want = (struct maildir_want){.become = r->m->root, .uid = u->uid, .gid = u->gid,
					.home = q->home, .maildir = q->maildir,
					.loginexec = set->loginexec, .sanity = set->imap_mailbox_sanity_check, .skel = set->auth_mkhomedir_skel,
					.skel_files = set->auth_mkhomedir_files_max,
					.skel_bytes = set->auth_mkhomedir_size_max};
	q->found.fd = -1;
	if (maildir.p[0] != '/') {
		buf_str_put(&path, u->home);
		buf_putc(&path, '/');
	}
	buf_str_put(&path, maildir);
	q->volume = volume_get(r, buf_str(&path));
	buf_deinit(&path);
	return q;
}

/* The path of a store that is served and was looked at lately. */
static const struct path *path_trusted(struct resolver *r, struct str key)
{
	const struct path *p = hmap_get(r->paths, key);
	const struct storent *s = p ? store_find(r->m, p->dev, p->ino) : NULL;

	if (r->m->set->loginexec) /* it is looked for at each login */
		return NULL;
	if (!s || !s->proc || (s->proc->state != CHILD_SERVING && s->proc->state != CHILD_OPENING))
		return NULL;
	return loop_now(r->m->loop) - p->seen < PATH_TRUST_MS ? p : NULL;
}

void resolve_login(struct resolver *r, struct login *g)
{
	struct str maildir = g->record.maildir.n ? g->record.maildir : str_c(r->m->set->maildirpath);
	struct buf key = BUF_INIT;
	const struct path *p;
	struct resolve *q;

	key_make(&key, &g->record, maildir);
	p = path_trusted(r, buf_str(&key));
	if (p) {
		buf_deinit(&key);
		store_admit(g, p->dev, p->ino, -1);
		return;
	}
	q = hmap_get(r->running, buf_str(&key));
	if (!q) {
		q = resolve_new(r, buf_str(&key), &g->record, maildir);
		hmap_put(r->running, buf_str(&key), q);
		list_append(&q->volume->queue, &q->of_volume);
		list_append(&q->logins, &g->at);
		volume_next(q->volume, r->m);
	} else {
		list_append(&q->logins, &g->at);
	}
	buf_deinit(&key);
}
