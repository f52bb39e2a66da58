/* SPDX-License-Identifier: Apache-2.0 */
#include "common/sys/cyrusmsg.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/base/buf.h"

/* The first line, printable. */
static void tidy(char *line)
{
	size_t skip = strspn(line, "[ \t"), n;

	memmove(line, line + skip, strlen(line + skip) + 1);
	line[strcspn(line, "\r\n")] = '\0';
	for (n = 0; line[n]; n++)
		if (line[n] < ' ' || line[n] > '~')
			line[n] = '?';
	while (n && line[n - 1] == ' ')
		line[--n] = '\0';
}

static int read_file(int fd, char line[CYRUSMSG_MAX])
{
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return -1;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		return -1;
	}
	n = pread(fd, line, CYRUSMSG_MAX - 1, 0);
	if (n < 0)
		return -1;
	line[n] = '\0';
	tidy(line);
	return 0;
}

/* 1: it is there and read; 0: it isn't there; -1: e. */
static int look(const char *dir, const char *name, char line[CYRUSMSG_MAX], struct err *e)
{
	struct buf path = BUF_INIT;
	int fd, rc = 1;

	line[0] = '\0';
	buf_printf(&path, "%s/msg/%s", dir, name);
	fd = open(buf_cstr(&path), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		rc = 0;
	else if (fd < 0 || read_file(fd, line) < 0)
		rc = err_sys(e, "%s is not read", buf_cstr(&path));
	if (fd >= 0)
		close(fd);
	buf_deinit(&path);
	return rc;
}

static void look_at_shutdown(const char *dir, char line[CYRUSMSG_MAX], struct err *e)
{
	int there = look(dir, "shutdown.imap", line, e);

	if (there <= 0)
		there = look(dir, "shutdown", line, e);
	if (there > 0 && !line[0])
		snprintf(line, CYRUSMSG_MAX, "The server is shutting down.");
}

bool cyrusmsg_look(const char *dir, struct cyrusmsg *m)
{
	char shutdown[CYRUSMSG_MAX] = "", motd[CYRUSMSG_MAX] = "";
	struct err e = {.text = ""};
	bool changed;

	if (*dir) {
		look_at_shutdown(dir, shutdown, &e);
		look(dir, "motd", motd, &e);
		if (access(dir, F_OK) < 0)
			err_sys(&e, "CYRUS_DIR %s", dir);
	}
	changed = strcmp(shutdown, m->shutdown) != 0 || strcmp(motd, m->motd) != 0;
	memcpy(m->shutdown, shutdown, sizeof(shutdown));
	memcpy(m->motd, motd, sizeof(motd));
	m->fault_is_new = e.text[0] && strcmp(e.text, m->fault.text) != 0;
	m->fault = e;
	return changed;
}
