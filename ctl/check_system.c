/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>
#include "common/sys/priv.h"
#include "common/sys/sandbox.h"
#include "ctl/check.h"

#define WATCHES_WANTED 65536
#define FILES_WANTED 4096

static void check_user(struct check *k, const char *setting, const char *name)
{
	struct priv_user u;
	struct err e;

	if (priv_lookup(name, &u, &e) < 0)
		check_say(k, CHECK_FAULT, setting, "%s: useradd --system --no-create-home %s",
			  e.text, name);
	else if (u.uid == 0)
		check_say(k, CHECK_NOTE, setting, "%s is root: fit for tests, not for a server",
			  name);
	else
		check_say(k, CHECK_OK, setting, "%s (uid %u)", name, u.uid);
}

void check_users(struct check *k)
{
	const struct settings *set = k->ctl->set;

	if (geteuid() != 0) {
		check_say(k, CHECK_NOTE, "users",
			  "not root: all processes run as uid %u and serve its mail only",
			  geteuid());
		return;
	}
	check_user(k, "LOGIN_USER", set->login_user);
	check_user(k, "AUTH_USER", set->auth_user);
	check_user(k, "NOTIFY_USER", set->notify_user);
}

static uint64_t read_number(const char *path)
{
	char text[32];
	uint64_t v = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);

	if (fd >= 0)
		close(fd);
	return n > 0 && str_u64(str_trim(str_mem(text, (size_t)n)), &v) ? v : 0;
}

static void check_inotify(struct check *k)
{
	uint64_t watches = read_number("/proc/sys/fs/inotify/max_user_watches");
	uint64_t instances = read_number("/proc/sys/fs/inotify/max_user_instances");
	uint64_t shards = k->ctl->set->notify_shards;

	if (watches < WATCHES_WANTED)
		check_say(
			k, CHECK_NOTE, "inotify",
			"%llu watches: two for each open folder; sysctl fs.inotify.max_user_watches=1048576",
			(unsigned long long)watches);
	else
		check_say(k, CHECK_OK, "inotify", "%llu watches, two for each open folder",
			  (unsigned long long)watches);
	if (instances < shards)
		check_say(
			k, CHECK_FAULT, "inotify",
			"%llu instances, NOTIFY_SHARDS=%llu: sysctl fs.inotify.max_user_instances=128",
			(unsigned long long)instances, (unsigned long long)shards);
}

void check_kernel(struct check *k)
{
	int abi = sandbox_abi();
	struct rlimit files;

	if (strcmp(k->ctl->set->sandbox, "off") == 0)
		check_say(k, CHECK_NOTE, "Landlock",
			  "SANDBOX=off: nothing but file permissions keeps users apart");
	else if (abi < 2)
		check_say(k, CHECK_FAULT, "Landlock",
			  "ABI %d: Linux 5.19 or later with lsm=landlock is needed, or SANDBOX=off",
			  abi);
	else
		check_say(k, CHECK_OK, "Landlock", "ABI %d", abi);
	check_inotify(k);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_max < FILES_WANTED)
		check_say(k, CHECK_FAULT, "files",
			  "%llu open files for a process: raise LimitNOFILE or ulimit -Hn",
			  (unsigned long long)files.rlim_max);
}

void check_daemons(struct check *k)
{
	static const char *const daemons[] = {"frontend", "backend", "notifyd"};

	for (size_t i = 0; i < ARRAY_LEN(daemons); i++) {
		if (ctl_alive(k->ctl, daemons[i]))
			check_say(k, CHECK_OK, daemons[i], "running");
		else
			check_say(k, CHECK_FAULT, daemons[i],
				  "not running, or its socket in %s can't be reached from here",
				  k->ctl->set->rundir);
	}
}
