/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/confine.h"
#include <fcntl.h>
#include "common/base/ensure.h"
#include "common/sys/sandbox.h"
#include "frontend/authd/redis_service.h"

/* Each adds what it needs, as the settings say. Unix sockets need nothing: Landlock lets them pass. */
static void (*const needs[])(const struct settings *set, struct confine_needs *n) = {
	redis_service_needs,
};

/* Whole directories, since these files are replaced by renaming (and resolv.conf is often a link). The
 * libraries are libc's modules for names, loaded when they are first used. */
static const char *const name_files[] = {
	"/etc", "/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager", "/usr/lib",
	"/lib"};

int confine(const struct settings *set, int rundir, struct err *e)
{
	struct sandbox_rule rules[1 + ARRAY_LEN(name_files)] = {{rundir, SANDBOX_READ}};
	struct confine_needs n = {false, false};
	size_t nrules = 1;
	int rc;

	for (size_t i = 0; i < ARRAY_LEN(needs); i++)
		needs[i](set, &n);
	for (size_t i = 0; n.names && i < ARRAY_LEN(name_files); i++) {
		int fd = open(name_files[i], O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (fd >= 0)
			rules[nrules++] = (struct sandbox_rule){fd, SANDBOX_READ};
	}
	rc = sandbox_fs(rules, nrules, !n.tcp, e);
	for (size_t i = 1; i < nrules; i++)
		close(rules[i].fd);
	return rc;
}
