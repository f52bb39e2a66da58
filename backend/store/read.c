/* SPDX-License-Identifier: Apache-2.0 */
/* read: opens messages on I/O threads; the crash page. */
#include <fcntl.h>
#include <sys/stat.h>

#include "backend/store/store_int.h"
#include "common/ipc/session.h"

void msg_ref_fill(const struct folder *pub, const struct msg *m, struct folder_files *ff, struct msg_ref *r)
{
	*r = (struct msg_ref){.uid = m->uid, .state = m->state, .files = ff};
	fold_name(fold_of_const(pub), m, r->name);
}

static int open_name(const struct folder_files *ff, bool in_new, const char *name, uint64_t *size, int64_t *mtime)
{
	struct stat sb;
	const char *why;
	int fd = openat(files_fd(ff, in_new), name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (fstat(fd, &sb) < 0 || !md_file_ok(&sb, &why)) {
		close(fd);
		errno = EACCES;
		return -1;
	}
	*size = (uint64_t)sb.st_size;
	*mtime = sb.st_mtime;
	return fd;
}

/* Another program may rename as fast as it can: a scan finds a name that was right a moment ago. */
int msg_open(const struct msg_ref *r, uint64_t *size, int64_t *mtime)
{
	char name[256];
	bool in_new = r->state & MSG_IN_NEW;
	struct md_name n;
	struct err e;
	int fd, found = 0;

	fd = open_name(r->files, in_new, r->name, size, mtime);
	if (fd >= 0 || errno != ENOENT || !md_name_parse(str_c(r->name), &n))
		return fd;
	for (int i = 0; i < 20; i++) {
		found = md_find(r->files->cur, r->files->new, n.base, name, &in_new, &e);
		if (found < 0) {
			errno = e.code ? e.code : EIO;
			return -1;
		}
		if (found) {
			fd = open_name(r->files, in_new, name, size, mtime);
			if (fd >= 0 || errno != ENOENT)
				return fd;
		} else if (i > 2) {
			break;
		}
	}
	errno = found ? EAGAIN : ENOENT;
	return -1;
}

/* ---- what is being parsed --------------------------------------------------------------------------- */

static int crash_slot(void)
{
	static int slots; /* given to threads in turn; a thread that ended gives its slot back by reuse */
	static __thread int mine = -1;

	if (mine < 0)
		mine = __atomic_fetch_add(&slots, 1, __ATOMIC_RELAXED) % CRASH_SLOTS;
	return mine;
}

void store_parse_begin(struct store *st, const char *name)
{
	struct crash_page *page = st->o.crash_page;
	struct md_name n;

	if (!page || !md_name_parse(str_c(name), &n))
		return;
	char *slot = page->slot[crash_slot()].name;
	memcpy(slot, n.base.p, n.base.n);
	slot[n.base.n] = 0;
}

void store_parse_end(struct store *st)
{
	struct crash_page *page = st->o.crash_page;

	if (page)
		page->slot[crash_slot()].name[0] = 0;
}
