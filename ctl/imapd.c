/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/imapd.h"
#include <limits.h>
#include "common/base/vec.h"

/* Never another server's program of that name beside this one: ours has a backend beside it. */
static bool beside(const char *dir, const char *below, struct buf *out)
{
	bool ok;

	buf_reset(out);
	buf_printf(out, "%s%s/backend", dir, below);
	ok = access(buf_cstr(out), X_OK) == 0;
	buf_reset(out);
	buf_printf(out, "%s%s/imapd", dir, below);
	return ok && access(buf_cstr(out), X_OK) == 0;
}

bool ctl_find_imapd(struct buf *out)
{
	char dir[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", dir, sizeof dir - 1);

	if (n <= 0)
		return false;
	dir[str_rfind(str_mem(dir, (size_t)n), '/')] = '\0';
	return beside(dir, "/../libexec/posthouse", out) || beside(dir, "", out);
}

int imapd_exec(const struct ctl *c, const char *what, const char *const *args, const char *user)
{
	VEC(const char *) argv = {0};
	struct buf imapd = BUF_INIT;

	if (!ctl_find_imapd(&imapd))
		return ctl_fault("imapd isn't where it belongs, in ../libexec/posthouse from here");
	*vec_push(&argv) = buf_cstr(&imapd);
	if (c->file) {
		*vec_push(&argv) = "-C";
		*vec_push(&argv) = c->file;
	}
	for (const char *const *set = c->sets; set && *set; set++) {
		*vec_push(&argv) = "--set";
		*vec_push(&argv) = *set;
	}
	*vec_push(&argv) = what;
	for (; *args; args++)
		*vec_push(&argv) = *args;
	*vec_push(&argv) = NULL;
	if (user)
		setenv("AUTHENTICATED", user, 1);
	else
		unsetenv("AUTHENTICATED");
	unsetenv("IMAPLOGINTAG");
	execv(buf_cstr(&imapd), (char **)argv.a);
	return ctl_fault("can't run %s: %s", buf_cstr(&imapd), strerror(errno));
}
