/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "ctl/check.h"

static bool answers(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int rc = -1;

	if (fd < 0)
		return false;
	if (strlen(path) < sizeof sa.sun_path) {
		memcpy(sa.sun_path, path, strlen(path));
		rc = connect(fd, (struct sockaddr *)&sa, sizeof sa);
		if (rc < 0 && errno == EAGAIN)
			rc = 0; /* it is there, and busy */
	} else {
		errno = ENAMETOOLONG;
	}
	close(fd);
	return rc == 0;
}

void check_authlib(struct check *k)
{
	const struct settings *set = k->ctl->set;

	if (!settings_list_has(set->authmodules, STR("authlib")) &&
	    !settings_list_has(set->authmodules, STR("authdaemon")))
		return;
	if (answers(set->authlib_socket))
		check_say(k, CHECK_OK, "AUTHLIB_SOCKET", "%s", set->authlib_socket);
	else
		check_say(k, CHECK_FAULT, "AUTHLIB_SOCKET", "%s: %s; is courier-authdaemon running?",
			  set->authlib_socket, strerror(errno));
	if (geteuid() == 0 && !set->auth_groups[0])
		check_say(k, CHECK_NOTE, "AUTH_GROUPS",
			  "empty: authd is in no group that a socket's directory may be for (Debian: courier)");
}
