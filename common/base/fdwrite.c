/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/fdwrite.h"
#include <errno.h>
#include <unistd.h>

int fdwrite_all(int fd, struct str s)
{
	while (s.n) {
		ssize_t n = write(fd, s.p, s.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		s = str_from(s, (size_t)n);
	}
	return 0;
}

int fdwrite_sync(int fd, struct str s)
{
	return fdwrite_all(fd, s) < 0 ? -1 : fsync(fd);
}
