/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/trustfiles.h"
#include <sys/stat.h>
#include <unistd.h>
#include "common/base/log.h"
#include "common/ipc/certs.h"

static int read_memfd(int fd, struct buf *b)
{
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) || st.st_size > CERTS_FILE_MAX)
		return -1;
	n = pread(fd, buf_reserve(b, (size_t)st.st_size + 1), (size_t)st.st_size, 0);
	if (n != st.st_size)
		return -1;
	buf_added(b, (size_t)n);
	return 0;
}

int trustfiles_take(struct clientcert *c, const int fds[2])
{
	struct buf ca = BUF_INIT, crl = BUF_INIT;
	int rc = read_memfd(fds[0], &ca) || read_memfd(fds[1], &crl) ? -1 : 0;
	struct err e;

	if (rc == 0 && clientcert_trust(c, buf_str(&ca), buf_str(&crl), &e))
		LOG(L_ERROR, "client authorities not used", L_C("error", e.text));
	buf_deinit(&ca);
	buf_deinit(&crl);
	return rc;
}

int trustfiles_take_servers(struct clientcert *c, int fd)
{
	struct buf b = BUF_INIT;
	int rc = read_memfd(fd, &b);

	if (rc == 0)
		clientcert_servers(c, buf_str(&b));
	buf_deinit(&b);
	return rc;
}
