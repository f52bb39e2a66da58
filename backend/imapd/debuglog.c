/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/imapd/debuglog.h"
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "common/base/clock.h"
#include "common/base/log.h"

enum { PENDING_MAX = 256 << 10, LINE_MAX_BYTES = 8192, STRING_SHOWN = 512 };

struct debuglog {
	struct job job;
	struct jobs *jobs;
	const struct settings *set;
	char *session;
	int maildir_fd, fd;
	bool busy, gone, off, lost;
	uint64_t left; /* bytes that the file may still get */
	struct buf pending;
	struct buf writing; /* the job's while busy */
	const char *fault;  /* the job's: why it is over */
};

/* ---- on an I/O thread ------------------------------------------------------------------------- */

static const char *open_file(struct debuglog *d)
{
	struct open_how how = {.flags = O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW,
			       .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
	struct stat st;

	d->fd = (int)syscall(SYS_openat2, d->maildir_fd, d->set->imapdebugfile, &how, sizeof how);
	if (d->fd < 0)
		return errno == ENOENT ? "" : strerror(errno);
	if (fstat(d->fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
	    st.st_nlink != 1)
		return "not a file of the account's own";
	d->left = (uint64_t)st.st_size < d->set->imapdebug_max
			  ? d->set->imapdebug_max - (uint64_t)st.st_size
			  : 0;
	return NULL;
}

static void run(struct job *j)
{
	struct debuglog *d = container_of(j, struct debuglog, job);

	if (d->fd < 0)
		d->fault = open_file(d);
	while (!d->fault && d->writing.n) {
		size_t want = d->writing.n < d->left ? d->writing.n : (size_t)d->left;
		ssize_t n = want ? write(d->fd, buf_str(&d->writing).p, want) : 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			d->fault = n < 0 ? strerror(errno) : "IMAPDEBUG_MAX is reached";
			break;
		}
		d->left -= (uint64_t)n;
		buf_consume(&d->writing, (size_t)n);
	}
}

/* ---- on the loop ------------------------------------------------------------------------------ */

static void destroy(struct debuglog *d)
{
	if (d->fd >= 0)
		close(d->fd);
	buf_deinit(&d->pending);
	buf_deinit(&d->writing);
	free(d->session);
	free(d);
}

static void submit(struct debuglog *d)
{
	buf_move(&d->writing, &d->pending);
	d->busy = true;
	jobs_submit(d->jobs, &d->job);
}

static void done(struct job *j)
{
	struct debuglog *d = container_of(j, struct debuglog, job);

	d->busy = false;
	buf_deinit(&d->writing);
	if (d->fault) {
		if (*d->fault)
			LOG(L_WARN, "debugfile-stopped", L_C("session", d->session),
			    L_C("file", d->set->imapdebugfile), L_C("cause", d->fault));
		d->off = true;
		buf_deinit(&d->pending);
	}
	if (d->pending.n)
		submit(d);
	else if (d->gone)
		destroy(d);
}

struct debuglog *debuglog_new(struct jobs *js, const struct settings *set, int maildir_fd,
			      const char *session)
{
	struct debuglog *d;

	if (!set->imapdebugfile[0])
		return NULL;
	d = xcalloc(1, sizeof *d);
	d->job = (struct job){.run = run, .done = done};
	d->jobs = js;
	d->set = set;
	d->session = xstrdup(session);
	d->maildir_fd = maildir_fd;
	d->fd = -1;
	submit(d);
	return d;
}

void debuglog_free(struct debuglog **dp)
{
	struct debuglog *d = *dp;

	*dp = NULL;
	if (d && d->busy)
		d->gone = true;
	else if (d)
		destroy(d);
}

/* ---- lines ------------------------------------------------------------------------------------ */

static void put_text(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n && i < STRING_SHOWN; i++) {
		if (s.p[i] < ' ' || s.p[i] > '~')
			buf_printf(b, "\\x%02x", (unsigned char)s.p[i]);
		else
			buf_putc(b, s.p[i]);
	}
	if (s.n > STRING_SHOWN)
		buf_puts(b, "...");
}

/* Depth is the parser's limit. */
static void put_args(struct buf *b, const struct imap_arg *a, bool first)
{
	for (; a && b->n < LINE_MAX_BYTES; a = a->next, first = false) {
		if (!first && !a->glued)
			buf_putc(b, ' ');
		switch (a->type) {
		case IMAP_ARG_LIST:
			buf_putc(b, '(');
			put_args(b, a->list, true);
			buf_putc(b, ')');
			break;
		case IMAP_ARG_STREAM:
			buf_printf(b, "{%llu}", (unsigned long long)a->size);
			break;
		case IMAP_ARG_ATOM:
			put_text(b, a->s);
			break;
		default:
			buf_putc(b, '"');
			put_text(b, a->s);
			buf_putc(b, '"');
		}
	}
	if (a)
		buf_puts(b, " ...");
}

static void put_line(struct debuglog *d, const struct buf *line)
{
	char stamp[32] = "";
	time_t now = (time_t)clock_wall_s();
	struct tm tm;

	if (d->pending.n + line->n > PENDING_MAX) {
		d->lost = true;
		return;
	}
	if (gmtime_r(&now, &tm))
		strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (d->lost)
		buf_puts(&d->pending, "(commands are missing here: the disk is slow)\n");
	d->lost = false;
	buf_printf(&d->pending, "%s %s ", stamp, d->session);
	buf_str_put(&d->pending, buf_str(line));
	buf_putc(&d->pending, '\n');
	if (!d->busy)
		submit(d);
}

void debuglog_command(struct debuglog *d, const struct imap_parser *p)
{
	struct buf line = BUF_INIT;

	if (!d || d->off)
		return;
	put_text(&line, p->tag);
	buf_putc(&line, ' ');
	put_text(&line, p->name);
	if (str_ieq(p->name, STR("LOGIN")) || str_ieq(p->name, STR("AUTHENTICATE")))
		buf_puts(&line, " (not shown)");
	else
		put_args(&line, p->args, false);
	put_line(d, &line);
	buf_deinit(&line);
}

void debuglog_bad(struct debuglog *d, const struct imap_parser *p)
{
	struct buf line = BUF_INIT;

	if (!d || d->off)
		return;
	put_text(&line, p->tag);
	buf_printf(&line, " (not a command: %s)", p->text);
	put_line(d, &line);
	buf_deinit(&line);
}
