/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cyrus: what Cyrus's administrators do by files. msg/shutdown ends the sessions that there are and
 * those that still come; a directory log/USER has the sessions of USER write their protocol into it.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include "backend/master/master.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/sys/cyrusmsg.h"

enum {
	TICK_MS = 1000,
	NAMES_MAX = 10000, /* of log/ */
	FILES_MAX = 1000,  /* of one session, if its directory comes and goes */
	SETTLED_S = 2, /* a directory changed so long ago has another time when it changes again */
};

struct cyrus {
	struct master *m;
	struct loop_timer *tick;
	struct cyrusmsg msg;
	struct hmap *logged; /* user names */
	int log_fd;	     /* log/, or -1 */
	uint64_t ino;
	struct timespec changed;
	char *fault;
};

static bool word_in(const char *list, struct str word)
{
	struct str rest = str_c(list);

	while (rest.p)
		if (str_eq(str_trim(str_split(&rest, ' ')), word))
			return true;
	return false;
}

/* ---- msg/shutdown ----------------------------------------------------------------------------- */

static void say_bye(const struct cyrus *y, struct child *p, const struct session *s)
{
	struct buf b = BUF_INIT, text = BUF_INIT;

	if (!y->msg.shutdown[0] || word_in(y->m->set->cyrus_admins, s->user->name))
		return;
	buf_printf(&text, "[ALERT] %s", y->msg.shutdown);
	wire_u32(&b, s->conn);
	wire_str(&b, buf_str(&text));
	if (p->chan)
		(void)link_send(p->chan, SESSION_BYE, buf_str(&b), NULL, 0);
	buf_deinit(&b);
	buf_deinit(&text);
}

static void look_at_messages(struct cyrus *y)
{
	bool changed = cyrusmsg_look(y->m->set->cyrus_dir, &y->msg);

	if (y->msg.fault_is_new)
		LOG(L_WARN, "cyrus-file", L_C("error", y->msg.fault.text));
	if (!changed || !y->msg.shutdown[0])
		return;
	LOG(L_WARN, "msg/shutdown", L_C("text", y->msg.shutdown));
	list_foreach(e, &y->m->procs) {
		struct child *p = list_entry(e, struct child, link);

		list_foreach(f, &p->sessions)
			say_bye(y, p, list_entry(f, struct session, link));
	}
}

/* ---- log/USER --------------------------------------------------------------------------------- */

static void complain(struct cyrus *y, const struct err *e)
{
	if (y->fault && strcmp(y->fault, e->text) == 0)
		return;
	free(y->fault);
	y->fault = str_dup(str_c(e->text));
	LOG(L_WARN, "telemetry", L_C("error", e->text));
}

/* The master may be root and the directory a user's: no link is followed, no file opened that is there
 * already, and the file belongs to who has the directory. */
static int open_file(int dir, const char *name, uint32_t uid, struct err *e)
{
	struct stat st;
	int fd;

	if (fstat(dir, &st) < 0)
		return err_sys(e, "can't look at log/");
	if (st.st_uid != 0 && st.st_uid != geteuid() && st.st_uid != uid)
		return err_set(
			e, 0, "its directory belongs to uid %u, neither to root nor to the account",
			st.st_uid);
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC,
		    0600);
	if (fd >= 0 && st.st_uid != geteuid() && fchown(fd, st.st_uid, st.st_gid) < 0) {
		err_sys(e, "%s", name);
		close(fd);
		return -1;
	}
	return fd < 0 ? err_sys(e, "%s", name) : fd;
}

static int open_log(struct cyrus *y, struct str user, const struct child *p, uint32_t conn)
{
	char *name = str_dup(user);
	int dir = openat(y->log_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), fd = -1;
	struct buf file = BUF_INIT;
	struct err e, text;

	if (dir < 0)
		err_sys(&e, "can't open the directory");
	for (unsigned i = 0; dir >= 0 && i < FILES_MAX; i++) {
		buf_reset(&file);
		buf_printf(&file, "imap-%d-%u", (int)p->pid, conn);
		if (i)
			buf_printf(&file, ".%u", i);
		fd = open_file(dir, buf_cstr(&file), p->uid, &e);
		if (fd >= 0 || e.code != EEXIST)
			break;
	}
	if (fd < 0) {
		err_set(&text, 0, "log/%s: %s", name, e.text);
		complain(y, &text);
	}
	if (dir >= 0)
		close(dir);
	buf_deinit(&file);
	free(name);
	return fd;
}

static bool is_logged(const struct cyrus *y, struct str user)
{
	return y->log_fd >= 0 && hmap_get(y->logged, user);
}

/* Names from the directory itself are compared with, so that none leads elsewhere. */
static void read_names(struct cyrus *y)
{
	int fd = openat(y->log_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *de;

	hmap_free(&y->logged);
	y->logged = hmap_new();
	if (!d) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((de = readdir(d)) && hmap_count(y->logged) < NAMES_MAX)
		if ((de->d_type == DT_DIR || de->d_type == DT_UNKNOWN) && de->d_name[0] != '.')
			hmap_put(y->logged, str_c(de->d_name), y);
	closedir(d);
}

/* True where names may have come or gone. */
static bool look_at_names(struct cyrus *y)
{
	struct buf path = BUF_INIT;
	struct stat st = {0};
	bool was = y->log_fd >= 0;
	int fd;

	buf_printf(&path, "%s/log", y->m->set->cyrus_dir);
	fd = open(buf_cstr(&path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	buf_deinit(&path);
	if (was)
		close(y->log_fd);
	y->log_fd = fd;
	if (fd < 0 || fstat(fd, &st) < 0)
		return was;
	if (was && st.st_ino == y->ino && st.st_mtim.tv_sec == y->changed.tv_sec &&
	    st.st_mtim.tv_nsec == y->changed.tv_nsec &&
	    st.st_mtim.tv_sec + SETTLED_S < clock_wall_s())
		return false;
	y->ino = st.st_ino;
	y->changed = st.st_mtim;
	read_names(y);
	return true;
}

static void adjust(struct cyrus *y, struct child *p, struct session *s)
{
	bool wanted = is_logged(y, s->user->name);
	struct buf b = BUF_INIT;
	int fd = -1;

	if (wanted == s->telemetry || !p->chan)
		return;
	s->telemetry = wanted; /* also where it fails: the next directory may be better */
	if (wanted)
		fd = open_log(y, s->user->name, p, s->conn);
	wire_u32(&b, s->conn);
	if (!wanted || fd >= 0) {
		(void)link_send(p->chan, SESSION_TELEMETRY, buf_str(&b), &fd, fd >= 0);
		LOG(L_INFO, wanted ? "telemetry-begins" : "telemetry-ends",
		    L_S("user", s->user->name), L_C("session", s->id), L_I("imapd", p->pid),
		    L_U("conn", s->conn));
	}
	buf_deinit(&b);
	if (fd >= 0)
		close(fd);
}

static void on_tick(void *ctx)
{
	struct cyrus *y = ctx;

	look_at_messages(y);
	if (look_at_names(y))
		list_foreach(e, &y->m->procs) {
			struct child *p = list_entry(e, struct child, link);

			list_foreach(f, &p->sessions)
				adjust(y, p, list_entry(f, struct session, link));
		}
	loop_timer_set(y->tick, TICK_MS);
}

/* ---- sessions --------------------------------------------------------------------------------- */

int cyrus_log_of(struct child *p, const struct login *g)
{
	struct cyrus *y = p->m->cyrus;

	int fd;

	if (!y || !is_logged(y, g->record.user))
		return -1;
	fd = open_log(y, g->record.user, p, g->conn);
	if (fd >= 0)
		LOG(L_INFO, "telemetry-begins", L_S("user", g->record.user),
		    L_S("session", g->facts.session), L_I("imapd", p->pid), L_U("conn", g->conn));
	return fd;
}

void cyrus_begun(struct child *p, struct session *s)
{
	struct cyrus *y = p->m->cyrus;

	if (!y)
		return;
	adjust(y, p, s);
	say_bye(y, p, s);
}

struct cyrus *cyrus_new(struct master *m)
{
	struct cyrus *y;

	if (!m->set->cyrus_dir[0])
		return NULL;
	y = xcalloc(1, sizeof(*y));
	y->m = m;
	y->log_fd = -1;
	y->logged = hmap_new();
	y->tick = loop_timer_new(m->loop, on_tick, y);
	on_tick(y);
	return y;
}
