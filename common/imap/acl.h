/* SPDX-License-Identifier: Apache-2.0 */
/*
 * acl: who may do what with a folder, in the form of Courier's courierimapacl (FEATURES.md R133, R142): a line
 * "<identifier> <rights>" for each, in UTF-8. A right is a letter; RFC 4314's and Courier's are a c e i l r s t w x.
 * Letters that are no rights are kept where a file has them. Pure.
 */
#pragma once
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/vec.h"

#define ACL_ENTRIES_MAX 1000
#define ACL_IDENTIFIER_MAX 255
#define ACL_FILE_MAX ((size_t)512 << 10)

typedef uint64_t acl_rights; /* bits: a to z, A to Z */
struct acl_entry {
	char *identifier; /* "owner", "-user=bob" ... */
	acl_rights rights;
};
struct acl {
	VEC(struct acl_entry) entries;
};

void acl_default(struct acl *a); /* owner and administrators may do everything */
/* -1, with a empty: damaged, and where. An entry that comes twice counts as the last one says. */
int acl_parse(struct str text, struct acl *a, struct err *e);
void acl_put(const struct acl *a, struct buf *out);
void acl_free(struct acl *a);

/* owner, anyone, anonymous, administrators, user=NAME, group=NAME; each with - in front. */
bool acl_identifier_ok(struct str id);
void acl_rights_put(acl_rights r, struct buf *out); /* the letters, sorted */
/* change: "lrs", "+lrs" or "-lrs"; d is ACL1's, for e, t and x. -1: no such right, or it would take what
 * the owner (a, l) or the administrators (all) keep. */
int acl_set(struct acl *a, struct str id, struct str change, struct err *e);
int acl_delete(struct acl *a, struct str id, struct err *e); /* one that isn't there is fine */
/* What who is all of ids may do: all that it is granted by one of them, less what one of them is denied.
 * anyone and anonymous are everybody. */
acl_rights acl_compute(const struct acl *a, const struct str *ids, size_t n);
