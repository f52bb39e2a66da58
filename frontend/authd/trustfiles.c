/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/trustfiles.h"
#include "common/base/log.h"
#include "common/ipc/certs.h"

int trustfiles_take(struct clientcert *c, const int fds[2])
{
	struct buf ca = BUF_INIT, crl = BUF_INIT;
	int rc = certs_read(fds[0], &ca) || certs_read(fds[1], &crl) ? -1 : 0;
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
	int rc = certs_read(fd, &b);

	if (rc == 0)
		clientcert_servers(c, buf_str(&b));
	buf_deinit(&b);
	return rc;
}
