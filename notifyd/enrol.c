/* SPDX-License-Identifier: Apache-2.0 */
/*
 * enrol: inotify_add_watch for new subscriptions. The kernel asks the file system for permission,
 * and a stalled network volume answers when it likes: so it runs on a thread, one at a time per
 * device, and the subscriptions of other volumes go on.
 *
 * inotify_add_watch gives the same descriptor for a directory that is watched already. A watch whose
 * last holder goes while an enrolment of its device is under way is therefore kept until that ends:
 * else it would be removed under the newcomer.
 */
#include "notifyd/notifyd.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include "common/base/log.h"

struct device {
	uint64_t dev;
	struct list waiting; /* enrol.node */
	struct list idle;    /* watch.idle_node */
};

struct place { /* what a descriptor is */
	uint64_t dev, ino;
};

struct enrol {
	struct job job;
	struct list node;
	struct notifyd *nd;
	struct sub *sub; /* NULL: it went meanwhile */
	struct shard *shard;
	struct device *device;
	int fd[2];
	int wd[2]; /* or -errno */
	struct place place[2];
};

/* Without asking a network volume: what the kernel knows of an open descriptor suffices here. */
static int place_of(int fd, struct place *p)
{
	struct statx sx;
	int fl = fcntl(fd, F_GETFL);

	if (fl < 0)
		return -1;
	if (fl & O_PATH) { /* proves no right to read the directory */
		errno = EACCES;
		return -1;
	}
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_INO, &sx) < 0)
		return -1;
	if (!S_ISDIR(sx.stx_mode)) {
		errno = ENOTDIR;
		return -1;
	}
	p->dev = makedev(sx.stx_dev_major, sx.stx_dev_minor);
	p->ino = sx.stx_ino;
	return 0;
}

static bool one_directory(const struct enrol *e)
{
	return e->place[0].dev == e->place[1].dev && e->place[0].ino == e->place[1].ino;
}

static void close_fds(struct enrol *e)
{
	for (int i = 0; i < 2; i++) {
		if (e->fd[i] >= 0)
			close(e->fd[i]);
		e->fd[i] = -1;
	}
}

static void enrol_free(struct enrol *e)
{
	if (e->sub)
		e->sub->enrol = NULL;
	close_fds(e);
	free(e);
}

static void refuse(struct enrol *e, int error)
{
	struct notifyd *nd = e->nd;
	struct sub *s = e->sub;
	char why[160];

	nd->n.refused++;
	if (error == ENOSPC)
		snprintf(why, sizeof why, "no inotify watch left: raise fs.inotify.max_user_watches");
	else
		snprintf(why, sizeof why, "cannot watch the folder: %s", strerror(error));
	if (error == ENOSPC && notifyd_may_say(nd, SAY_WATCHES))
		LOG(L_WARN, "watch_limit", L_U("watches", nd->n.watches),
		    L_C("hint", "raise fs.inotify.max_user_watches; such folders are polled"));
	if (!s)
		return;
	subscriber_answer(s->owner, s->id, false, why);
	sub_free(s);
}

static void accept_sub(struct enrol *e, struct watch *const w[2])
{
	struct sub *s = e->sub;

	watch_hold(w[WATCH_NEW], s, WATCH_NEW);
	if (w[WATCH_CUR] != w[WATCH_NEW])
		watch_hold(w[WATCH_CUR], s, WATCH_CUR);
	s->folder = circle_join(e->nd->folders, e->place, sizeof e->place, &s->folder_node);
	list_append(&e->shard->subs, &s->shard_node);
	s->active = true;
	subscriber_answer(s->owner, s->id, true, "");
}

/* Watches that nobody came to hold. Nothing of this device is under way at this moment. */
static void device_sweep(struct device *d)
{
	list_foreach(e, &d->idle)
		watch_remove(list_entry(e, struct watch, idle_node));
}

static void device_next(struct notifyd *nd, struct device *d)
{
	if (list_empty(&d->waiting)) {
		hmap_del_u64(nd->devices, d->dev);
		free(d);
		return;
	}
	struct enrol *e = list_entry(d->waiting.next, struct enrol, node);

	list_remove(&e->node);
	jobs_submit(nd->jobs, &e->job);
}

static void enrol_run(struct job *j) /* on a thread */
{
	struct enrol *e = container_of(j, struct enrol, job);

	e->wd[WATCH_NEW] = shard_add(e->shard, e->fd[WATCH_NEW]);
	if (e->wd[WATCH_NEW] < 0)
		e->wd[WATCH_CUR] = e->wd[WATCH_NEW];
	else if (one_directory(e))
		e->wd[WATCH_CUR] = e->wd[WATCH_NEW];
	else
		e->wd[WATCH_CUR] = shard_add(e->shard, e->fd[WATCH_CUR]);
}

static void enrol_done(struct job *j)
{
	struct enrol *e = container_of(j, struct enrol, job);
	struct device *d = e->device;
	struct notifyd *nd = e->nd;
	struct watch *w[2];

	/* Even what nobody wants any more is taken in, and then swept: the kernel has it. */
	for (int i = 0; i < 2; i++) {
		w[i] = e->wd[i] < 0 ? NULL : watch_get(e->shard, e->wd[i], e->place[i].dev);
		if (w[i] && list_empty(&w[i]->holders[WATCH_NEW]) &&
		    list_empty(&w[i]->holders[WATCH_CUR]) && list_empty(&w[i]->idle_node))
			list_append(&d->idle, &w[i]->idle_node);
	}
	close_fds(e); /* not before: they kept the kernel from ending the watches unheard */
	if (!w[0] || !w[1])
		refuse(e, -(w[0] ? e->wd[1] : e->wd[0]));
	else if (e->sub)
		accept_sub(e, w);
	enrol_free(e);
	device_sweep(d);
	device_next(nd, d);
}

static void device_enrol(struct enrol *e, uint64_t dev)
{
	struct device *d = hmap_get_u64(e->nd->devices, dev);

	if (d) {
		e->device = d;
		list_append(&d->waiting, &e->node);
		return;
	}
	d = xcalloc(1, sizeof *d);
	d->dev = dev;
	list_init(&d->waiting);
	list_init(&d->idle);
	hmap_put_u64(e->nd->devices, dev, d);
	e->device = d;
	jobs_submit(e->nd->jobs, &e->job);
}

void enrol_start(struct sub *s, int new_fd, int cur_fd)
{
	struct enrol *e = xcalloc(1, sizeof *e);

	e->job.run = enrol_run;
	e->job.done = enrol_done;
	list_init(&e->node);
	e->nd = s->owner->nd;
	e->sub = s;
	s->enrol = e;
	e->shard = s->owner->shard;
	e->fd[WATCH_NEW] = new_fd;
	e->fd[WATCH_CUR] = cur_fd;
	if (place_of(new_fd, &e->place[0]) < 0 || place_of(cur_fd, &e->place[1]) < 0)
		refuse(e, errno);
	else if (e->place[0].dev != e->place[1].dev)
		refuse(e, EXDEV); /* no Maildir is made of two volumes */
	else {
		device_enrol(e, e->place[0].dev);
		return;
	}
	e->sub = NULL;
	enrol_free(e);
}

void enrol_forget(struct sub *s)
{
	if (s->enrol)
		s->enrol->sub = NULL;
}

bool enrol_keeps(struct watch *w)
{
	struct device *d = hmap_get_u64(w->shard->nd->devices, w->dev);

	if (!d)
		return false;
	list_append(&d->idle, &w->idle_node);
	return true;
}
