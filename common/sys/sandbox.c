/* SPDX-License-Identifier: Apache-2.0 */
#include "common/sys/sandbox.h"

#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Declared here: the headers of a distribution are often older than its kernels. */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif
enum { ABI_MIN = 2, ABI_TRUNCATE = 3, ABI_TCP = 4, ABI_IOCTL = 5, ABI_SCOPE = 6, RULE_PATH = 1 };

#define FS_EXECUTE (1ULL << 0)
#define FS_WRITE_FILE (1ULL << 1)
#define FS_READ_FILE (1ULL << 2)
#define FS_READ_DIR (1ULL << 3)
#define FS_REMOVE_DIR (1ULL << 4)
#define FS_REMOVE_FILE (1ULL << 5)
#define FS_MAKE_DIR (1ULL << 7)
#define FS_MAKE_REG (1ULL << 8)
#define FS_REFER (1ULL << 13)
#define FS_TRUNCATE (1ULL << 14)
#define FS_IOCTL_DEV (1ULL << 15)
#define FS_ABI2 ((1ULL << 14) - 1)
#define NET_TCP 3ULL    /* bind, connect */
#define SCOPE_ALL 3ULL  /* abstract Unix sockets, signals */

struct ruleset_attr {
	uint64_t fs, net, scope;
};
struct path_attr {
	uint64_t allowed;
	int32_t fd;
} __attribute__((packed));

int sandbox_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1U /* ask for the version */);

	return abi > 0 ? (int)abi : 0;
}

static int add_rule(int ruleset, const struct sandbox_rule *r, uint64_t handled, struct err *e)
{
	const uint64_t read = FS_READ_FILE | FS_READ_DIR;
	const uint64_t write = FS_WRITE_FILE | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REG |
			       FS_REFER | FS_TRUNCATE;
	struct path_attr p = {.allowed = read | (r->access == SANDBOX_READWRITE ? write : 0), .fd = r->fd};
	struct stat st;

	if (fstat(r->fd, &st) != 0)
		return err_sys(e, "sandbox: a rule's descriptor");
	if (!S_ISDIR(st.st_mode))
		p.allowed &= FS_READ_FILE | FS_WRITE_FILE | FS_TRUNCATE;
	p.allowed &= handled;
	if (syscall(SYS_landlock_add_rule, ruleset, RULE_PATH, &p, 0U) != 0)
		return err_sys(e, "sandbox: can't add a Landlock rule");
	return 0;
}

int sandbox_fs(const struct sandbox_rule *rules, size_t n, bool deny_tcp, struct err *e)
{
	int abi = sandbox_abi(), fd;
	struct ruleset_attr a = {
		.fs = FS_ABI2 | (abi >= ABI_TRUNCATE ? FS_TRUNCATE : 0) | (abi >= ABI_IOCTL ? FS_IOCTL_DEV : 0),
		.net = deny_tcp && abi >= ABI_TCP ? NET_TCP : 0,
		.scope = abi >= ABI_SCOPE ? SCOPE_ALL : 0,
	};
	size_t size = abi >= ABI_SCOPE ? sizeof a : abi >= ABI_TCP ? 16 : 8;
	int rc = 0;

	if (abi < ABI_MIN)
		return err_set(e, ENOSYS, "sandbox: this kernel has no Landlock %s (SANDBOX=off goes without)",
			       abi ? "of version 2 or later" : "or it is switched off");
	fd = (int)syscall(SYS_landlock_create_ruleset, &a, size, 0U);
	if (fd < 0)
		return err_sys(e, "sandbox: can't make a Landlock ruleset");
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = add_rule(fd, &rules[i], a.fs, e);
	if (rc == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		rc = err_sys(e, "sandbox: PR_SET_NO_NEW_PRIVS");
	if (rc == 0 && syscall(SYS_landlock_restrict_self, fd, 0U) != 0)
		rc = err_sys(e, "sandbox: Landlock");
	close(fd);
	return rc;
}
