/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attempt: one message, once. The verdict is written down before it is told, and where nobody can know
 * whether the message was sent, it says just that.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <syslog.h>
#include "backend/mailer/mailer.h"
#include "common/base/clock.h"
#include "common/base/ensure.h"
#include "common/base/fdwrite.h"
#include "common/base/log.h"
#include "common/io/link.h"
#include "common/mail/lfcrlf.h"
#include "common/sys/proc.h"

enum { STDERR_KEPT = 512, CHUNK = 65536 };

struct run { /* of the agent */
	pid_t pid;
	int report, err;
	uint64_t until; /* clock_ms */
	struct buf reported, said;
	int status;
	bool late;
};

/* ---- the verdict -------------------------------------------------------------------------------- */

static char why_text[MAILER_TEXT_MAX];

static int verdict(struct mailer_verdict *v, enum mailer_result r, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int verdict(struct mailer_verdict *v, enum mailer_result r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why_text, sizeof why_text, fmt, ap);
	va_end(ap);
	*v = (struct mailer_verdict){.result = (uint8_t)r, .text = str_c(why_text)};
	return -1;
}

/* ---- what came ---------------------------------------------------------------------------------- */

bool attempt_sender_ok(struct str s)
{
	if (s.n == 0 || s.n > 320 || s.p[0] == '-')
		return false;
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f ||
		    strchr("<>()[],;:\\\"|", s.p[i]))
			return false;
	return true;
}

static bool header_name_ok(const char *name)
{
	for (; *name; name++)
		if (*name <= ' ' || *name >= 0x7f || *name == ':')
			return false;
	return true;
}

/* The descriptors are files of the account's own. */
static int check_files(const struct attempt *a, struct mailer_area *area, struct mailer_verdict *v)
{
	struct stat msg, att;

	if (fstat(a->message, &msg) < 0 || fstat(a->area, &att) < 0 || !S_ISREG(msg.st_mode) ||
	    !S_ISREG(att.st_mode) || att.st_uid != a->who.uid ||
	    (fcntl(a->area, F_GETFL) & O_ACCMODE) != O_RDWR)
		return verdict(v, MAILER_FAILED, "these are no files of the account's");
	if ((uint64_t)msg.st_size > a->set->outbox_size_max) {
		verdict(v, MAILER_FAILED, "the message is larger than %llu bytes",
			(unsigned long long)a->set->outbox_size_max);
		v->code = STR("TOOBIG");
		return -1;
	}
	if (mailer_area_read(a->area, area) < 0)
		return verdict(v, MAILER_FAILED, "attempt file: %s", strerror(errno));
	if (area->started || area->verdict.result != MAILER_NONE)
		return verdict(v, MAILER_UNKNOWN, "this attempt was begun before");
	if (clock_wall_s() >= (int64_t)area->deadline)
		return verdict(v, MAILER_FAILED, "the mailer came to it too late");
	return 0;
}

static int copy_bytes(int from, int to, uint64_t max)
{
	static char chunk[CHUNK];
	struct crlflf lf = {0};
	struct buf b = BUF_INIT;
	uint64_t total = 0;
	ssize_t n;

	while ((n = pread(from, chunk, sizeof chunk, (off_t)total)) > 0 && total <= max) {
		total += (uint64_t)n;
		buf_reset(&b);
		crlflf_put(&lf, &b, str_mem(chunk, (size_t)n));
		if (fdwrite_all(to, buf_str(&b)) < 0)
			break;
	}
	buf_reset(&b);
	crlflf_end(&lf, &b);
	if (n != 0 || total > max || fdwrite_all(to, buf_str(&b)) < 0) {
		buf_deinit(&b);
		return -1;
	}
	buf_deinit(&b);
	return 0;
}

/* What is sent is a copy in memory: whole, and nobody changes it any more. (A pipe would end in the
 * middle if this process was killed, and SENDMAIL would take that for the end of the message.) */
static int make_copy(const struct attempt *a, struct mailer_verdict *v)
{
	int fd = memfd_create("message", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct buf head = BUF_INIT;
	int rc;

	if (fd < 0) {
		verdict(v, MAILER_FAILED, "no memory for the message: %s", strerror(errno));
		return -1;
	}
	if (*a->set->headerfrom && header_name_ok(a->set->headerfrom))
		buf_printf(&head, "%s: %.*s\n", a->set->headerfrom, STR_ARG(a->who.user));
	rc = fdwrite_all(fd, buf_str(&head));
	buf_deinit(&head);
	if (rc < 0 || copy_bytes(a->message, fd, a->set->outbox_size_max) < 0) {
		verdict(v, MAILER_FAILED, "the message can't be read: %s", strerror(errno));
		close(fd);
		return -1;
	}
	fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

/* ---- the agent ---------------------------------------------------------------------------------- */

static int agent_start(const struct attempt *a, int message, uint64_t deadline, struct run *r,
		       struct mailer_verdict *v)
{
	int report[2], err[2];
	int64_t left = a->wall - clock_wall_s();

	if (pipe2(report, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
		return verdict(v, MAILER_FAILED, "pipe: %s", strerror(errno));
	/* From here on it may have been sent. */
	if (mailer_area_started(a->area) < 0)
		return verdict(v, MAILER_FAILED, "attempt file: %s", strerror(errno));
	if (clock_wall_s() >= (int64_t)deadline)
		return verdict(v, MAILER_FAILED, "the mailer came to it too late");
	r->pid = fork();
	if (r->pid == 0) {
		struct agent g = {a->set, &a->who,   message,
				  err[1], report[1], left > 0 ? (unsigned)left : 1};

		agent_run(&g);
	}
	if (r->pid < 0)
		return verdict(v, MAILER_FAILED, "fork: %s", strerror(errno));
	close(report[1]);
	close(err[1]);
	r->report = report[0];
	r->err = err[0];
	fcntl(r->report, F_SETFL, O_NONBLOCK);
	fcntl(r->err, F_SETFL, O_NONBLOCK);
	return 0;
}

/* Reads what there is; the first of it is kept. False at the end. */
static bool take(int fd, struct buf *to, size_t keep)
{
	char b[4096];
	ssize_t n;

	for (int i = 0; i < 64;
	     i++) { /* who writes megabytes is looked at for its exit in between */
		n = read(fd, b, sizeof b);
		if (n <= 0)
			return n < 0 && (errno == EAGAIN || errno == EINTR);
		if (to->n < keep)
			buf_put(to, b, (size_t)n < keep - to->n ? (size_t)n : keep - to->n);
	}
	return true;
}

/* Until the agent has ended or its time is over. What it left behind may keep stderr open. */
static void agent_wait(struct run *r)
{
	int pidfd = (int)syscall(SYS_pidfd_open, r->pid, 0);
	struct pollfd p[3] = {{pidfd, POLLIN, 0}, {r->report, POLLIN, 0}, {r->err, POLLIN, 0}};

	for (;;) {
		uint64_t now = clock_ms();

		if (waitpid(r->pid, &r->status, WNOHANG) == r->pid)
			break;
		if (now >= r->until) {
			r->late = true;
			kill(-r->pid, SIGKILL);
			kill(r->pid, SIGKILL); /* it may not have its own group yet */
			while (waitpid(r->pid, &r->status, 0) < 0 && errno == EINTR)
				continue;
			break;
		}
		poll(p, 3, (int)(r->until - now > 1000 ? 1000 : r->until - now));
		if (p[1].revents && !take(r->report, &r->reported, LINK_MSG_MAX))
			p[1].fd = -1;
		if (p[2].revents && !take(r->err, &r->said, STDERR_KEPT))
			p[2].fd = -1;
	}
	(void)take(r->report, &r->reported, LINK_MSG_MAX);
	(void)take(r->err, &r->said, STDERR_KEPT);
}

static int judge(const struct run *r, struct mailer_verdict *v)
{
	static struct buf kept;
	bool begun = str_starts(buf_str(&r->reported), str_mem((char[]){AGENT_BEGINS}, 1));

	buf_str_put(&kept, str_from(buf_str(&r->reported), begun));
	if (kept.n && mailer_verdict_get(buf_str(&kept), v))
		return v->result == MAILER_SENT ? 0 : -1;
	if (!begun)
		return verdict(v, MAILER_FAILED, "the process that would have sent it died");
	if (r->late)
		return verdict(v, MAILER_UNKNOWN, "it did not end in time (OUTBOX_WAIT)");
	if (WIFSIGNALED(r->status))
		return verdict(v, MAILER_UNKNOWN, "it was ended by signal %d", WTERMSIG(r->status));
	if (WEXITSTATUS(r->status) != 0)
		return verdict(v, MAILER_FAILED, "exit status %d", WEXITSTATUS(r->status));
	verdict(v, MAILER_SENT, "sent");
	return 0;
}

static void send_message(const struct attempt *a, struct mailer_verdict *v, struct run *r)
{
	struct mailer_area area;
	int64_t left;
	int message;

	if (!attempt_sender_ok(a->who.user)) {
		verdict(v, MAILER_FAILED, "the account's name can't be a sender");
		return;
	}
	if (check_files(a, &area, v) < 0)
		return;
	message = make_copy(a, v);
	if (message < 0)
		return;
	left = a->wall - clock_wall_s();
	r->until = clock_ms() + (left > 0 ? (uint64_t)left * 1000 : 0);
	if (agent_start(a, message, area.deadline, r, v) < 0)
		return;
	agent_wait(r);
	judge(r, v);
}

/* ---- the process -------------------------------------------------------------------------------- */

/* Nothing of the mailer's stays but the three descriptors and stderr, for the log. */
static void own_process(struct attempt *a)
{
	int *fds[] = {&a->link, &a->message, &a->area};
	int high[ARRAY_LEN(fds)];

	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		high[i] = fcntl(*fds[i], F_DUPFD_CLOEXEC, 64);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		if (high[i] < 0 || dup3(high[i], 3 + (int)i, O_CLOEXEC) < 0)
			_exit(1);
		*fds[i] = 3 + (int)i;
	}
	closelog(); /* it opens its socket again by itself */
	syscall(SYS_close_range, 6U, ~0U, 0U);
	setsid();
	signal(SIGTERM, SIG_IGN); /* the mailer may go, this stays to the end */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	proc_title("%.*s", STR_ARG(a->who.user));
}

void attempt_run(struct attempt *a)
{
	static struct run r = {.report = -1, .err = -1};
	struct mailer_verdict v = {.result = MAILER_UNKNOWN};
	struct buf b = BUF_INIT;
	uint64_t began = clock_ms();

	own_process(a);
	send_message(a, &v, &r);
	if (mailer_area_verdict(a->area, &v) < 0)
		LOG(L_ERROR, "outbox-verdict", L_S("user", a->who.user),
		    L_C("error", strerror(errno)));
	mailer_verdict_put(&b, &v);
	(void)link_send_blocking(a->link, MAILER_VERDICT, buf_str(&b), NULL, 0);
	if (v.result == MAILER_SENT)
		LOG(L_INFO, "outbox-sent", L_S("user", a->who.user), L_U("ms", clock_ms() - began));
	else
		LOG(L_ERROR, "error sending a message", L_S("user", a->who.user),
		    L_C("sent", v.result == MAILER_FAILED ? "no" : "unknown"),
		    L_S("reason", v.text), L_S("stderr", str_trim(buf_str(&r.said))));
	_exit(0);
}
