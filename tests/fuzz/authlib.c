/* SPDX-License-Identifier: Apache-2.0 */
/* Replies of courier-authlib's daemon: an account's fields lie in the reply, on lines of their own. */
#include "common/base/ensure.h"
#include "frontend/authd/authlib_proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inside(struct str in, struct str field)
{
	if (!field.p)
		return;
	ASSERT(field.p > in.p && field.p + field.n < in.p + in.n);
	ASSERT(str_find(field, '\n') == field.n && !str_has_nul(field) && field.p[field.n] == '\n');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_mem(data, size);
	struct authlib_reply r;

	if (authlib_parse(in, &r) != AUTHLIB_ACCOUNT)
		return 0;
	ASSERT(str_ends(in, STR("\n.\n")));
	inside(in, r.username);
	inside(in, r.uid);
	inside(in, r.gid);
	inside(in, r.home);
	inside(in, r.address);
	inside(in, r.maildir);
	inside(in, r.quota);
	inside(in, r.options);
	inside(in, r.clear);
	/* What was whole stays so when its beginning came first. */
	ASSERT(authlib_parse(str_sub(in, 0, in.n - 1), &r) == AUTHLIB_MORE);
	return 0;
}
