/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "common/config/options.h"
#include "ctl/check.h"

#define BAD_LINES_SHOWN 5
#define FUSE_MAGIC 0x65735546
#define CIFS_MAGIC 0xff534d42UL

static bool is_remote(const char *path)
{
	struct statfs fs;

	if (statfs(path, &fs) < 0)
		return false;
	return fs.f_type == NFS_SUPER_MAGIC || fs.f_type == FUSE_MAGIC ||
	       (unsigned long)fs.f_type == CIFS_MAGIC;
}

void check_directories(struct check *k)
{
	const char *dir = k->ctl->set->rundir;
	struct stat st;

	if (stat(dir, &st) < 0 && errno == ENOENT) {
		check_say(k, CHECK_NOTE, "RUNDIR",
			  "%s isn't there; the backend makes it when it starts", dir);
		return;
	}
	if (stat(dir, &st) < 0 || !S_ISDIR(st.st_mode))
		check_say(k, CHECK_FAULT, "RUNDIR", "%s is no directory that can be looked at: %s",
			  dir, strerror(errno));
	else if (st.st_mode & 022)
		check_say(k, CHECK_FAULT, "RUNDIR", "%s is writable by others: chmod go-w %s", dir,
			  dir);
	else if (st.st_uid != 0 && st.st_uid != geteuid())
		check_say(k, CHECK_FAULT, "RUNDIR",
			  "%s belongs to uid %u: it must be root's or the daemons'", dir,
			  st.st_uid);
	else if (is_remote(dir))
		check_say(k, CHECK_FAULT, "RUNDIR",
			  "%s lies on a network file system: name a local one", dir);
	else
		check_say(k, CHECK_OK, "RUNDIR", "%s", dir);
}

/* ---- the passwd-file --------------------------------------------------------------------------- */

struct counts {
	unsigned accounts, apps, bad, plain;
};

/* What is wrong with a line, or NULL. */
static const char *line_fault(const struct settings *set, struct str line, struct counts *n)
{
	struct str f[8] = {{NULL, 0}};
	uint32_t v;

	for (int i = 0; i < 8; i++)
		f[i] = str_split(&line, ':');
	if (f[0].n == 0)
		return "no user name";
	if (f[1].n == 0)
		return "no password hash: posthousectl passwd sets one";
	if (str_istarts(f[1], STR("{PLAIN}")))
		n->plain++;
	if (options_get(f[7], "app").p) {
		n->apps++;
		return NULL; /* the account's own line has the rest */
	}
	if (f[2].n ? !str_u32(f[2], &v) || v == 0 : set->mail_uid[0] == '\0')
		return "no uid (or 0), and MAIL_UID is not set";
	if (f[3].n && (!str_u32(f[3], &v) || v == 0))
		return "the gid is no number, or 0";
	if (f[5].n ? f[5].p[0] != '/' : set->mail_home[0] == '\0')
		return "no absolute home, and MAIL_HOME is not set";
	return NULL;
}

static void check_lines(struct check *k, struct str text, struct counts *n)
{
	for (unsigned number = 1; text.n > 0; number++) {
		struct str line = str_trim(str_split(&text, '\n'));
		const char *fault;

		if (line.n == 0 || line.p[0] == '#')
			continue;
		n->accounts++;
		fault = line_fault(k->ctl->set, line, n);
		if (fault && n->bad++ < BAD_LINES_SHOWN)
			check_say(k, CHECK_FAULT, "PASSWD_FILE", "%s line %u: %s",
				  k->ctl->set->passwd_file, number, fault);
	}
	if (n->bad > BAD_LINES_SHOWN)
		check_say(k, CHECK_FAULT, "PASSWD_FILE", "and %u more lines",
			  n->bad - BAD_LINES_SHOWN);
}

void check_accounts(struct check *k)
{
	const char *path = k->ctl->set->passwd_file;
	struct counts n = {0};
	struct buf text = BUF_INIT;
	struct stat st;
	ssize_t got;
	int fd;

	if (!settings_list_has(k->ctl->set->authmodules, STR("passwd-file")))
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		check_say(k, CHECK_FAULT, "PASSWD_FILE",
			  "can't read %s: %s; posthousectl passwd USER makes it", path,
			  fd < 0 ? strerror(errno) : "not a regular file");
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((got = read(fd, buf_reserve(&text, 65536), 65536)) > 0)
		buf_added(&text, (size_t)got);
	close(fd);
	check_lines(k, buf_str(&text), &n);
	buf_wipe(&text);
	if (st.st_mode & 07)
		check_say(k, CHECK_FAULT, "PASSWD_FILE", "%s can be read by everybody: chmod o= %s",
			  path, path);
	if (n.plain)
		check_say(k, CHECK_NOTE, "PASSWD_FILE",
			  "%u passwords are kept as {PLAIN}: for tests only", n.plain);
	if (n.bad == 0)
		check_say(k, n.accounts ? CHECK_OK : CHECK_NOTE, "PASSWD_FILE",
			  "%s: %u accounts, %u app passwords", path, n.accounts - n.apps, n.apps);
}
