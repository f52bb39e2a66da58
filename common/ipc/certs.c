/* SPDX-License-Identifier: Apache-2.0 */
#include "common/ipc/certs.h"
#include <sys/stat.h>
#include <unistd.h>

enum { PEM_MAX = 1 << 20, PATH_MAX_BYTES = 8192 };

void certs_record_put(struct buf *b, const struct certs_record *r)
{
	wire_u8(b, r->there);
	wire_str(b, r->name);
	wire_str(b, r->file);
	wire_str(b, r->cert);
	wire_str(b, r->key);
}

bool certs_record_get(struct wire *w, struct certs_record *r)
{
	if (w->bad || w->n == 0)
		return false;
	r->there = wire_get_bool(w);
	r->name = wire_get_str(w, CERTS_NAME_MAX);
	r->file = wire_get_str(w, PATH_MAX_BYTES);
	r->cert = wire_get_str(w, PEM_MAX);
	r->key = wire_get_str(w, PEM_MAX);
	return !w->bad;
}

int certs_read(int fd, struct buf *b)
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
