/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/confine.h"
#include <fcntl.h>
#include "common/base/ensure.h"
#include "common/sys/sandbox.h"
#include "frontend/authd/authlib_provider.h"
#include "frontend/authd/http_provider.h"
#include "frontend/authd/oauth/oauth.h"
#include "frontend/authd/redis_service.h"

/* Each adds what it needs, as the settings say. Unix sockets need nothing: Landlock lets them pass. */
static void (*const needs[])(const struct settings *set, struct confine_needs *n) = {
	http_provider_needs,
	redis_service_needs,
	authlib_provider_needs,
	oauth_needs,
};

/* Whole directories, since these files are replaced by renaming (and resolv.conf is often a link). The
 * libraries are libc's modules for names, loaded when they are first used. */
static const char *const name_files[] = {
	"/etc", "/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager", "/usr/lib",
	"/lib"};

static const char *const trust_files[] = {"/etc/ssl", "/usr/lib/ssl", "/usr/share/ca-certificates",
					  "/usr/local/share/ca-certificates"};

/* Those that are there. */
static size_t add_rules(struct sandbox_rule *rules, size_t n, const char *const *files,
			size_t nfiles)
{
	for (size_t i = 0; i < nfiles; i++) {
		int fd = open(files[i], O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (fd >= 0)
			rules[n++] = (struct sandbox_rule){fd, SANDBOX_READ};
	}
	return n;
}

static size_t add_directory_of(struct sandbox_rule *rules, size_t n, const char *file)
{
	size_t slash = str_rfind(str_c(file), '/');
	char *dir = file[slash] ? str_dup(str_mem(file, slash ? slash : 1)) : xstrdup(".");
	const char *one = dir;

	n = add_rules(rules, n, &one, 1);
	free(dir);
	return n;
}

int confine(const struct settings *set, int rundir, struct err *e)
{
	struct sandbox_rule rules[2 + ARRAY_LEN(name_files) + ARRAY_LEN(trust_files)] = {
		{rundir, SANDBOX_READ}};
	struct confine_needs n = {false};
	size_t nrules = 1;
	int rc;

	for (size_t i = 0; i < ARRAY_LEN(needs); i++)
		needs[i](set, &n);
	if (n.names)
		nrules = add_rules(rules, nrules, name_files, ARRAY_LEN(name_files));
	if (n.trust)
		nrules = add_rules(rules, nrules, trust_files, ARRAY_LEN(trust_files));
	if (n.file)
		nrules = add_directory_of(rules, nrules, n.file);
	rc = sandbox_fs(rules, nrules, !n.tcp, e);
	for (size_t i = 1; i < nrules; i++)
		close(rules[i].fd);
	return rc;
}
