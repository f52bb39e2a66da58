/* SPDX-License-Identifier: Apache-2.0 */
/* result: what the volume's errors mean to a client. */
#include "backend/store/store_int.h"

static enum store_code code_of(int error)
{
	switch (error) {
	case EACCES:
	case EPERM:
	case EROFS:
		return STORE_NOPERM;
	case ENOSPC:
	case EDQUOT:
		return STORE_OVERQUOTA;
	case EFBIG:
		return STORE_TOOBIG;
	case EAGAIN:
		return STORE_INUSE;
	case ENAMETOOLONG:
		return STORE_BADNAME;
	case EEXIST:
		return STORE_EXISTS;
	case ENOENT:
	case ENOTDIR:
	case ELOOP:
		return STORE_NONEXISTENT;
	default:
		return STORE_UNAVAILABLE;
	}
}

int result_fail(struct store_result *r, const struct err *e)
{
	r->code = code_of(e->code);
	r->err = *e;
	return -1;
}

int result_sys(struct store_result *r, const char *what)
{
	struct err e;

	err_sys(&e, "%s", what);
	return result_fail(r, &e);
}

int result_set(struct store_result *r, enum store_code code, const char *text)
{
	r->code = code;
	return err_set(&r->err, 0, "%s", text);
}
