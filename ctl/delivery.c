/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/delivery.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

void delivery_host(char out[65])
{
	out[64] = 0;
	if (gethostname(out, 64) < 0 || !out[0])
		snprintf(out, 65, "localhost");
	for (char *p = out; *p; p++)
		if (*p == '/' || *p == ':' || *p == ',' || *p <= ' ' || *p == 0x7f)
			*p = '_';
}

static int open_dir(int at, const char *name, struct err *e)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? err_sys(e, "%s/ of the Maildir", name) : fd;
}

int delivery_begin(struct delivery *d, int dir, struct err *e)
{
	static unsigned number;
	struct timeval tv;
	char host[65];

	*d = (struct delivery){.dir = dir, .tmp = -1, .fresh = -1, .fd = -1};
	d->tmp = open_dir(dir, "tmp", e);
	d->fresh = d->tmp < 0 ? -1 : open_dir(dir, "new", e);
	delivery_host(host);
	gettimeofday(&tv, NULL);
	snprintf(d->name, sizeof d->name, "%lld.M%06ldP%dQ%u.%s", (long long)tv.tv_sec,
		 (long)tv.tv_usec, (int)getpid(), number++, host);
	if (d->fresh >= 0) {
		d->fd = openat(d->tmp, d->name,
			       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (d->fd < 0)
			err_sys(e, "can't write into the Maildir's tmp/");
	}
	if (d->fd >= 0)
		return 0;
	delivery_end(d);
	return -1;
}

int delivery_put(struct delivery *d, struct str text, struct err *e)
{
	while (text.n) {
		ssize_t n = write(d->fd, text.p, text.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_sys(e, "can't write the message");
		text = str_from(text, (size_t)n);
		d->size += n;
	}
	return 0;
}

int delivery_commit(struct delivery *d, struct err *e)
{
	struct stat st;
	char name[256];
	const char *p = strchr(d->name, 'Q'), *host = strchr(p, '.');

	if (fsync(d->fd) < 0 || fstat(d->fd, &st) < 0)
		return err_sys(e, "can't write the message");
	snprintf(name, sizeof name, "%.*sV%016llXI%016llX%s,S=%lld", (int)(p - d->name), d->name,
		 (unsigned long long)st.st_dev, (unsigned long long)st.st_ino, host,
		 (long long)d->size);
	if (renameat(d->tmp, d->name, d->fresh, name) < 0)
		return err_sys(e, "can't move the message into new/");
	d->name[0] = 0;
	/* It is there, and may have been seen: delivering it again would be wrong. */
	if (fsync(d->fresh) < 0)
		fprintf(stderr, "posthousectl: fsync of new/: %s\n", strerror(errno));
	return 0;
}

void delivery_end(struct delivery *d)
{
	if (d->fd >= 0) {
		if (d->name[0])
			unlinkat(d->tmp, d->name, 0);
		close(d->fd);
	}
	if (d->tmp >= 0)
		close(d->tmp);
	if (d->fresh >= 0)
		close(d->fresh);
	d->fd = d->tmp = d->fresh = -1;
}
