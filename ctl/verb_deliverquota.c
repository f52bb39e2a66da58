/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deliverquota: a message into a Maildir, unless that is over its quota, as Courier's and maildrop's (R131). It is
 * called by MTAs: whatever is wrong but the quota is 75, so that the mail waits and doesn't bounce.
 */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include "common/base/clock.h"
#include "common/base/rand.h"
#include "ctl/boxquota.h"
#include "ctl/ctl.h"
#include "ctl/delivery.h"
#include "ctl/makemaildir.h"
#include "ctl/owner.h"

enum { WARN_EVERY_S = 86400, WARNING_MAX = 65536 };

struct request {
	bool create;
	int percent; /* -1: no warning */
	const char *warning, *maildir, *quota;
};

static int usage(const char *what)
{
	fprintf(stderr,
		"posthousectl deliverquota: %s\n"
		"Usage: posthousectl deliverquota [-c] [-w PERCENT] [-W FILE] MAILDIR [QUOTA] < message\n",
		what);
	return EX_TEMPFAIL;
}

/* "-w 90" or "-w90". */
static const char *value_of(const struct ctl *c, int *i)
{
	const char *a = c->argv[*i];

	return a[2] ? a + 2 : *i + 1 < c->argc ? c->argv[++*i] : NULL;
}

static int parse(const struct ctl *c, struct request *q)
{
	struct quota_limit limit;
	uint32_t percent;
	const char *value;
	int i = 0;

	for (; i < c->argc && c->argv[i][0] == '-'; i++) {
		const char *a = c->argv[i];

		if (strcmp(a, "-c") == 0) {
			q->create = true;
		} else if (a[1] == 'w' || a[1] == 'W') {
			value = value_of(c, &i);
			if (!value)
				return usage("a value is missing");
			if (a[1] == 'W')
				q->warning = value;
			else if (!str_u32(str_c(value), &percent) || percent > 100)
				return usage("-w takes a percentage, 0 to 100");
			else
				q->percent = (int)percent;
		} else {
			return usage("there are the options below");
		}
	}
	if (c->argc - i < 1 || c->argc - i > 2 || !*c->argv[i])
		return usage("name one Maildir, and a quota at most");
	q->maildir = c->argv[i];
	q->quota = c->argv[i + 1]; /* argv ends with NULL */
	if (q->quota && !quota_limit_parse(str_c(q->quota), &limit))
		return usage("a quota has the form 1000000S,1000C");
	return 0;
}

static int fault(const struct request *q, const struct err *e)
{
	ctl_fault("deliverquota: %s: %s", q->maildir, e->text);
	return EX_TEMPFAIL;
}

static int over_quota(void)
{
	fprintf(stderr, "Mail quota exceeded.\n");
	return EX_NOPERM;
}

/* What could never fit isn't written to its end. */
static bool hopeless(const struct boxquota *b, int64_t size)
{
	return b->known && b->counts && b->m.limit.bytes && size > b->m.limit.bytes;
}

static int copy_message(struct delivery *d, const struct boxquota *b, struct err *e)
{
	char text[65536];
	ssize_t n;

	while ((n = read(STDIN_FILENO, text, sizeof text)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "can't read the message from standard input");
		if (delivery_put(d, str_mem(text, (size_t)n), e) < 0)
			return -1;
		if (hopeless(b, d->size))
			return 0;
	}
	return d->size ? 0 : err_set(e, 0, "there is no message on standard input");
}

static int deliver(const struct request *q, int dir, struct boxquota *b)
{
	struct delivery d;
	struct err e;
	int rc = 0;

	if (delivery_begin(&d, dir, &e) < 0)
		return fault(q, &e);
	if (copy_message(&d, b, &e) < 0)
		rc = fault(q, &e);
	else if (boxquota_full(b, d.size))
		rc = over_quota();
	else if (delivery_commit(&d, &e) < 0)
		rc = fault(q, &e);
	else
		boxquota_add(b, d.size);
	delivery_end(&d);
	return rc;
}

/* ---- the warning ------------------------------------------------------------------------------------------- */

static int read_warning(const char *path, struct buf *out, struct err *e)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		err_sys(e, "%s", path);
	else if (!S_ISREG(st.st_mode) || st.st_size == 0 || st.st_size > WARNING_MAX)
		err_set(e, 0, "%s is not a file of 1 to %d bytes", path, WARNING_MAX);
	else if ((n = read(fd, buf_reserve(out, WARNING_MAX), WARNING_MAX)) <= 0)
		err_sys(e, "%s", path);
	else
		buf_added(out, (size_t)n);
	if (fd >= 0)
		close(fd);
	return out->n ? 0 : -1;
}

/* The file's time is that of the last warning. True: it is a day ago, and now set anew. */
static bool due(int root)
{
	int fd = openat(root, "quotawarn",
			O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
	bool yes = false;
	struct stat st;
	int64_t age;

	if (fd < 0)
		return false;
	/* Of two deliveries at a time one warns. */
	if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		age = clock_wall_s() - (int64_t)st.st_mtime;
		yes = (st.st_size == 0 || age >= WARN_EVERY_S || age < -WARN_EVERY_S) &&
		      pwrite(fd, "\n", 1, 0) == 1 && futimens(fd, NULL) == 0;
	}
	close(fd);
	return yes;
}

static void put_header(struct buf *out)
{
	time_t now = (time_t)clock_wall_s();
	char date[64], host[65];
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S +0000", &tm);
	delivery_host(host);
	buf_printf(out, "Date: %s\nMessage-Id: <%lld.%016llx.overquota@%s>\n", date, (long long)now,
		   (unsigned long long)rand_u64(), host);
}

/* The message is delivered: what goes wrong here is said, no more. */
static void warn(const struct request *q, struct boxquota *b)
{
	struct buf text = BUF_INIT, file = BUF_INIT;
	struct delivery d;
	struct err e;
	int rc = 0;

	if (q->percent < 0 || boxquota_percent(b) < q->percent)
		return;
	if (read_warning(q->warning, &file, &e) < 0) {
		rc = -1;
	} else if (due(b->root)) {
		put_header(&text);
		buf_str_put(&text, buf_str(&file));
		rc = delivery_begin(&d, b->root, &e);
		if (rc == 0) {
			if (delivery_put(&d, buf_str(&text), &e) < 0 || delivery_commit(&d, &e) < 0)
				rc = -1;
			else
				boxquota_add(b, d.size);
			delivery_end(&d);
		}
	}
	if (rc < 0)
		ctl_fault("deliverquota: no warning in %s: %s", q->maildir, e.text);
	buf_deinit(&text);
	buf_deinit(&file);
}

int ctl_deliverquota(const struct ctl *c)
{
	struct request q = {.percent = -1,
			    .warning = POSTHOUSE_SYSCONFDIR "/posthouse/quotawarnmsg"};
	struct boxquota b;
	struct err e;
	int dir, rc = parse(c, &q);

	if (rc != 0)
		return rc;
	if (q.create && makemaildir_deep(q.maildir, 0700, &e) < 0)
		return fault(&q, &e);
	dir = owner_open(q.maildir, &e);
	if (dir < 0)
		return fault(&q, &e);
	if (boxquota_open(&b, dir, q.quota, &e) < 0) {
		rc = fault(&q, &e);
	} else {
		rc = deliver(&q, dir, &b);
		if (rc == 0)
			warn(&q, &b);
	}
	boxquota_close(&b);
	close(dir);
	return rc;
}
