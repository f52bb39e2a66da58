/* SPDX-License-Identifier: Apache-2.0 */
#include "common/sys/priv.h"

#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "common/base/str.h"

int priv_lookup(const char *user, struct priv_user *out, struct err *e)
{
	uint32_t number;
	bool numeric = str_u32(str_c(user), &number);
	struct passwd *pw = numeric ? getpwuid(number) : getpwnam(user);

	if (pw)
		*out = (struct priv_user){pw->pw_uid, pw->pw_gid};
	else if (numeric && number != UINT32_MAX)
		*out = (struct priv_user){number, number};
	else
		return err_set(e, ENOENT, "there is no user \"%s\" on this system", user);
	return 0;
}

int priv_harden_exec(struct err *e)
{
	struct rlimit none = {0, 0};

	if (setrlimit(RLIMIT_CORE, &none) != 0)
		return err_sys(e, "can't forbid core dumps");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return err_sys(e, "can't harden the process");
	return 0;
}

int priv_harden(struct err *e)
{
	if (priv_harden_exec(e) != 0)
		return -1;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return err_sys(e, "can't harden the process");
	return 0;
}

/* All capability sets become empty but for keep, where the process has it. */
static int limit_caps(int keep, struct err *e)
{
	struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct have[2] = {{0}}, want[2] = {{0}};

	if (syscall(SYS_capget, &head, have) != 0)
		return err_sys(e, "can't read the process's capabilities");
	if (keep >= 0) {
		uint32_t bit = 1U << (keep % 32) & have[keep / 32].permitted;

		want[keep / 32].permitted = want[keep / 32].effective = bit;
	}
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &head, want) != 0)
		return err_sys(e, "can't give up capabilities");
	return 0;
}

static bool is_now(uid_t uid, gid_t gid)
{
	uid_t r, eff, s;
	gid_t gr, ge, gs;

	return getresuid(&r, &eff, &s) == 0 && getresgid(&gr, &ge, &gs) == 0 && r == uid && eff == uid &&
	       s == uid && gr == gid && ge == gid && gs == gid;
}

/* What root would be able to undo must fail now. */
static int verify(uid_t uid, gid_t gid, struct err *e)
{
	if (!is_now(uid, gid))
		return err_set(e, EPERM, "user and group were not changed to %u:%u", uid, gid);
	if (setuid(0) == 0 || seteuid(0) == 0 || setgid(0) == 0 || setegid(0) == 0)
		return err_set(e, EPERM, "root's rights could be had again");
	return 0;
}

enum { MORE_GROUPS = 32 };

static int become(uid_t uid, gid_t gid, const gid_t *groups, size_t ngroups, int keep_cap, struct err *e)
{
	if (uid == 0 || gid == 0 || uid == (uid_t)-1 || gid == (gid_t)-1)
		return err_set(e, EPERM, "won't run as user %u, group %u: neither may be 0", uid, gid);
	if (geteuid() == 0) {
		if (prctl(PR_SET_KEEPCAPS, keep_cap >= 0, 0, 0, 0) != 0)
			return err_sys(e, "can't set PR_SET_KEEPCAPS");
		if (setgroups(ngroups, groups) != 0)
			return err_sys(e, "can't give up groups");
		if (setresgid(gid, gid, gid) != 0)
			return err_sys(e, "can't become group %u", gid);
		if (setresuid(uid, uid, uid) != 0)
			return err_sys(e, "can't become user %u", uid);
	} else if (!is_now(uid, gid)) {
		return err_set(e, EPERM, "only root can become user %u, group %u (this is user %u)", uid, gid,
			       getuid());
	}
	return limit_caps(keep_cap, e) != 0 ? -1 : verify(uid, gid, e);
}

int priv_become(uid_t uid, gid_t gid, int keep_cap, struct err *e)
{
	return become(uid, gid, NULL, 0, keep_cap, e) != 0 ? -1 : priv_harden(e);
}

int priv_become_exec(uid_t uid, gid_t gid, struct err *e)
{
	return become(uid, gid, NULL, 0, -1, e);
}

/* The number of groups, or -1. */
static int read_groups(const char *list, gid_t out[MORE_GROUPS], struct err *e)
{
	struct str rest = str_c(list);
	int n = 0;

	while (rest.p) {
		struct str word = str_trim(str_split(&rest, ' '));
		char name[64];
		uint32_t number = 0;
		struct group *gr;

		if (!word.n)
			continue;
		snprintf(name, sizeof name, "%.*s", STR_ARG(word));
		if (!str_u32(word, &number)) {
			gr = getgrnam(name);
			if (gr == NULL)
				return err_set(e, ENOENT, "there is no group \"%s\" on this system", name);
			number = gr->gr_gid;
		}
		if (number == 0 || number == UINT32_MAX || n == MORE_GROUPS)
			return err_set(e, EPERM, "won't be in group \"%s\"", name);
		out[n++] = number;
	}
	return n;
}

int priv_drop_groups(const char *user, const char *groups, int keep_cap, struct err *e)
{
	struct priv_user u;
	gid_t gids[MORE_GROUPS];
	int n;

	if (geteuid() != 0)
		return limit_caps(keep_cap, e) != 0 ? -1 : priv_harden(e);
	n = read_groups(groups, gids, e);
	if (n < 0 || priv_lookup(user, &u, e) != 0)
		return -1;
	return become(u.uid, u.gid, gids, (size_t)n, keep_cap, e) != 0 ? -1 : priv_harden(e);
}

int priv_drop(const char *user, int keep_cap, struct err *e)
{
	return priv_drop_groups(user, "", keep_cap, e);
}
