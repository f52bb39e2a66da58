/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/imapd/clockcheck.h"
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include "common/base/clock.h"
#include "common/base/rand.h"

int clockcheck(int maildir_fd, uint64_t max_s, struct err *e)
{
	int64_t before = clock_wall_s(), after, skew, max = (int64_t)max_s;
	char name[64];
	struct stat st;
	int fd, rc;

	snprintf(name, sizeof name, "tmp/posthouse.clock.%016" PRIx64, rand_u64());
	fd = openat(maildir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return 0;
	rc = fstat(fd, &st);
	after = clock_wall_s();
	close(fd); /* first: NFS would keep an open one under another name */
	(void)unlinkat(maildir_fd, name, 0);
	if (rc < 0)
		return 0;
	/* A slow volume isn't a wrong clock: any time from before to after is right. */
	skew = st.st_mtime < before  ? st.st_mtime - before
	       : st.st_mtime > after ? st.st_mtime - after
				     : 0;
	if (skew >= -max && skew <= max)
		return 0;
	return err_set(
		e, 0,
		"the mail volume's clock is %lld s from the local one (IMAP_CLOCK_SKEW_MAX=%lld)",
		(long long)skew, (long long)max);
}
