/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/accounts.h"
#include <fcntl.h>
#include "common/base/log.h"
#include "frontend/frontend.h"

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool same_content(const struct stat *a, const struct stat *b)
{
	return same_file(a, b) && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int open_now(struct accounts *a, const char *path, struct err *e)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return err_sys(e, "%s", path);
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return err_set(e, 0, "%s is not a file", path);
	}
	if (a->fd >= 0)
		close(a->fd);
	a->fd = fd;
	a->given = a->seen = st;
	return 0;
}

int accounts_open(struct frontend *f, struct err *e)
{
	f->accounts.fd = -1;
	if (!settings_list_has(f->set->authmodules, STR("passwd-file")))
		return 0;
	if (open_now(&f->accounts, f->set->passwd_file, e) == 0)
		return 0;
	if (e && e->code == ENOENT)
		return err_in(e, "PASSWD_FILE (posthousectl passwd USER makes it)");
	return err_in(e, "PASSWD_FILE");
}

static void complain(struct accounts *a, const struct err *e)
{
	if (strcmp(a->fault, e->text) == 0)
		return;
	memcpy(a->fault, e->text, sizeof(a->fault));
	LOG(L_ERROR, "accounts not read again", L_C("error", e->text));
}

/* Whether what st describes is to be read now; remembers it for the next look. */
static bool is_due(struct accounts *a, const struct stat *st, bool force)
{
	bool renamed_over = !a->missing && !same_file(&a->seen, st);
	bool still = !a->missing && same_content(&a->seen, st);

	a->seen = *st;
	a->missing = false;
	return force || (!same_content(&a->given, st) && (renamed_over || still));
}

void accounts_look(struct frontend *f, bool force)
{
	struct accounts *a = &f->accounts;
	struct stat st;
	struct err e;

	if (a->fd < 0)
		return;
	if (stat(f->set->passwd_file, &st)) {
		a->missing = true;
		err_sys(&e, "%s", f->set->passwd_file);
		complain(a, &e);
		return;
	}
	if (!is_due(a, &st, force))
		return;
	if (open_now(a, f->set->passwd_file, &e)) {
		complain(a, &e);
		return;
	}
	a->fault[0] = '\0';
	child_send_passwd(f);
}
