/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/imapd/telemetry.h"
#include <errno.h>
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/ensure.h"
#include "common/base/log.h"

enum { PENDING_MAX = 1 << 20 };

struct telemetry {
	struct jobs *jobs;
	struct job job;
	int fd;
	bool busy, gone, lost;
	bool muted;    /* the client gave a login command, perhaps with a password */
	uint64_t left; /* bytes that the file may still get */
	struct buf pending;
	struct buf writing; /* the job's while busy */
	int error;	    /* errno, of the job */
};

static unsigned writing;

static void write_all(struct job *j)
{
	struct telemetry *t = container_of(j, struct telemetry, job);

	while (t->writing.n) {
		ssize_t n = write(t->fd, buf_str(&t->writing).p, t->writing.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			t->error = n < 0 ? errno : EIO;
			return;
		}
		buf_consume(&t->writing, (size_t)n);
	}
}

static void destroy(struct telemetry *t)
{
	close(t->fd);
	buf_deinit(&t->pending);
	buf_deinit(&t->writing);
	free(t);
}

static void submit(struct telemetry *t);

static void written(struct job *j)
{
	struct telemetry *t = container_of(j, struct telemetry, job);

	t->busy = false;
	writing--;
	buf_deinit(&t->writing);
	if (t->error) {
		LOG(L_WARN, "telemetry-stopped", L_C("error", strerror(t->error)));
		t->error = 0;
		t->left = 0;
		buf_deinit(&t->pending);
	}
	if (t->pending.n)
		submit(t);
	else if (t->gone)
		destroy(t);
}

static void submit(struct telemetry *t)
{
	buf_move(&t->writing, &t->pending);
	t->busy = true;
	writing++;
	jobs_submit(t->jobs, &t->job);
}

static void put(struct telemetry *t, struct str bytes)
{
	if (bytes.n > t->left)
		bytes.n = t->left;
	t->left -= bytes.n;
	buf_str_put(&t->pending, bytes);
}

struct telemetry *telemetry_new(struct jobs *js, int fd, const char *user, uint64_t max)
{
	struct telemetry *t = xcalloc(1, sizeof(*t));
	struct buf head = BUF_INIT;
	time_t now = (time_t)clock_wall_s();
	char date[64] = "";
	struct tm tm;

	t->jobs = js;
	t->job = (struct job){.run = write_all, .done = written};
	t->fd = fd;
	t->left = max;
	if (localtime_r(&now, &tm))
		strftime(date, sizeof(date), "%a %b %e %H:%M:%S %Y", &tm);
	buf_printf(&head, "---------- %s %s\n\n", user, date);
	put(t, buf_str(&head));
	buf_deinit(&head);
	submit(t);
	return t;
}

/* Where a line begins "tag LOGIN" or "tag AUTHENTICATE"; at the end if none does. */
static size_t find_login(struct str s)
{
	struct str rest = s;

	while (rest.p) {
		struct str line = str_split(&rest, '\n'), words = line;

		str_split(&words, ' ');
		if (words.p &&
		    (str_istarts(words, STR("LOGIN ")) || str_istarts(words, STR("AUTHENTICATE "))))
			return (size_t)(line.p - s.p);
	}
	return s.n;
}

/* Nobody logs in twice; but who tries must not find the password here. What the client sends is left
 * out from there on, until the command has its answer. True: nothing is to be written. */
static bool mute(struct telemetry *t, bool out, struct str *bytes)
{
	size_t keep;

	if (out) {
		t->muted = t->muted && (bytes->p[0] == '+' || bytes->p[0] == '*');
		return false;
	}
	if (t->muted)
		return true;
	keep = find_login(*bytes);
	t->muted = keep < bytes->n;
	bytes->n = keep;
	return keep == 0;
}

void telemetry_put(struct telemetry *t, bool out, struct str bytes)
{
	struct buf mark = BUF_INIT;
	char sign = out ? '>' : '<';

	if (!bytes.n || !t->left || mute(t, out, &bytes))
		return;
	if (t->pending.n + bytes.n > PENDING_MAX) {
		t->lost = true;
		return;
	}
	buf_printf(&mark, "%s%c%lld%c", t->lost ? "\n[not written: the disk is slow]\n" : "", sign,
		   (long long)clock_wall_s(), sign);
	t->lost = false;
	put(t, buf_str(&mark));
	put(t, bytes);
	buf_deinit(&mark);
	if (!t->busy)
		submit(t);
}

unsigned telemetry_writing(void)
{
	return writing;
}

void telemetry_free(struct telemetry **tp)
{
	struct telemetry *t = *tp;

	*tp = NULL;
	if (t && t->busy)
		t->gone = true;
	else if (t)
		destroy(t);
}
