/* SPDX-License-Identifier: Apache-2.0 */
/* certs: the certificates in a memfd of SUP_CERT, one record behind the other. */
#pragma once
#include "common/ipc/wire.h"

#define CERTS_BATCH 128		/* records in one memfd: the worker takes them in one turn */
#define CERTS_BATCH_MAX 4194304 /* bytes: no further record is added behind that */
#define CERTS_FILE_MAX (8 << 20)
#define CERTS_NAME_MAX 253 /* RFC 1035 2.3.4, as text */

struct certs_record {
	bool there; /* false: this name has none any more */
	struct str
		name; /* host name in lower case, "*.example.com", or printable address; empty: the default */
	struct str file;      /* for the log */
	struct str cert, key; /* PEM; an empty key is in cert */
};
void certs_record_put(struct buf *b, const struct certs_record *r);
/* False at the end, or at a fault: w->bad tells which. Slices point into what is read. */
bool certs_record_get(struct wire *w, struct certs_record *r);
/* Appends what a descriptor of these messages holds. -1: more than CERTS_FILE_MAX, or it can't be read. */
int certs_read(int fd, struct buf *b);
