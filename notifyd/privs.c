/* SPDX-License-Identifier: Apache-2.0 */
/*
 * privs: notifyd watches directories that it is handed and needs nothing else (DESIGN.md P16). With
 * many uids the kernel wants CAP_DAC_READ_SEARCH for that, which reads any file: the Landlock
 * without rules takes away every open, and leaves inotify_add_watch("/proc/self/fd/N") alone.
 */
#include "notifyd/notifyd.h"

#include <linux/capability.h>
#include <sys/resource.h>
#include "common/base/log.h"
#include "common/sys/priv.h"
#include "common/sys/sandbox.h"

static void raise_descriptor_limit(const struct settings *set)
{
	rlim_t want = set->notify_subscribers + 256;
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur >= want)
		return;
	r.rlim_cur = want;
	if (r.rlim_max < want)
		r.rlim_max = want;
	if (setrlimit(RLIMIT_NOFILE, &r) == 0 || getrlimit(RLIMIT_NOFILE, &r) < 0)
		return;
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
	LOG(L_WARN, "descriptor_limit", L_U("limit", r.rlim_max), L_U("wanted", want),
	    L_C("hint", "raise LimitNOFILE, or lower NOTIFY_SUBSCRIBERS"));
}

/* With all mail under the one uid that is ours too, no capability is needed. */
static bool owns_all_mail(const struct settings *set)
{
	struct priv_user mail, own;

	return set->mail_uid[0] != '\0' && priv_lookup(set->mail_uid, &mail, NULL) == 0 &&
	       priv_lookup(set->notify_user, &own, NULL) == 0 && mail.uid == own.uid;
}

int privs_drop(const struct settings *set, struct err *e)
{
	int cap = owns_all_mail(set) ? -1 : CAP_DAC_READ_SEARCH;

	raise_descriptor_limit(set);
	if (priv_drop(set->notify_user, cap, e) < 0)
		return -1;
	if (strcmp(set->sandbox, "on") != 0)
		return 0;
	return sandbox_fs(NULL, 0, true, e);
}
