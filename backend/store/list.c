/* SPDX-License-Identifier: Apache-2.0 */
/* list: the folders of the store, as LIST and LSUB need them. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "backend/store/store_int.h"

struct list_op {
	struct store_op op;
	VEC(struct folder_info) infos;
	struct hmap *by_name; /* index in infos, plus 1 */
	struct hmap *uses;
	store_list_fn *done;
	void *ctx;
};

static struct folder_info *info_of(struct list_op *l, struct str name, unsigned bits)
{
	uintptr_t at = (uintptr_t)hmap_get(l->by_name, name);

	if (!at) {
		struct folder_info *i = vec_push(&l->infos);
		*i = (struct folder_info){.name = {str_dup(name), name.n}, .bits = bits};
		hmap_put(l->by_name, name, (void *)(uintptr_t)l->infos.n);
		return i;
	}
	return &l->infos.a[at - 1];
}

static bool is_dir(int at, const struct dirent *de)
{
	struct stat sb;

	if (de->d_type != DT_UNKNOWN)
		return de->d_type == DT_DIR;
	return fstatat(at, de->d_name, &sb, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(sb.st_mode);
}

/* IMAP_CHECK_ALL_FOLDERS: whether a delivery waits in new/. */
static unsigned mark_of(const struct list_op *l, int maildir, const char *folder)
{
	unsigned bits = FOLDER_UNMARKED;
	struct buf path = BUF_INIT;
	struct dirent *de;
	struct err e;
	DIR *dir;
	int fd;

	if (!l->op.st->o.set->imap_check_all_folders)
		return 0;
	buf_printf(&path, "%s/new", folder);
	fd = files_open_dir(maildir, buf_cstr(&path), &e);
	buf_deinit(&path);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	while (bits == FOLDER_UNMARKED && (de = readdir(dir)))
		bits = de->d_name[0] == '.' ? FOLDER_UNMARKED : FOLDER_MARKED;
	closedir(dir);
	return bits;
}

static int read_folders(struct list_op *l)
{
	struct store *st = l->op.st;
	struct err e;
	struct dirent *de;
	struct buf name = BUF_INIT;
	int fd = files_open_dir(st->o.maildir_fd, ".", &e);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return result_sys(&l->op.res, "the Maildir");
	}
	info_of(l, STR("INBOX"), mark_of(l, dirfd(dir), "."));
	while ((de = readdir(dir)) && l->infos.n <= st->o.set->imap_folders_max) {
		if (de->d_name[0] != '.' || !strcmp(de->d_name, ".") || !strcmp(de->d_name, "..") ||
		    !is_dir(dirfd(dir), de))
			continue;
		buf_reset(&name);
		if (names_client(st->mutf7, str_c(de->d_name), &name))
			info_of(l, buf_str(&name), mark_of(l, dirfd(dir), de->d_name));
	}
	closedir(dir);
	buf_deinit(&name);
	return 0;
}

static int read_subscribed(struct list_op *l)
{
	struct buf text = BUF_INIT;
	struct err e, ignored;

	if (subscribe_read(l->op.st, &text, &e) < 0) {
		buf_deinit(&text);
		return result_fail(&l->op.res, &e);
	}
	for (struct str rest = buf_str(&text); rest.p && rest.n;) {
		struct str line = str_trim(str_split(&rest, '\n'));
		if (names_check(l->op.st->o.set, line, &ignored) != STORE_OK)
			continue; /* a shared folder of Courier's, or garbage */
		char *name = names_canonical(line);
		info_of(l, str_c(name), FOLDER_NONEXISTENT)->bits |= FOLDER_SUBSCRIBED;
		free(name);
	}
	buf_deinit(&text);
	return 0;
}

/* Every level above a folder is there too, if only as a level. */
static void add_parents(struct list_op *l)
{
	for (size_t i = 0; i < l->infos.n; i++) {
		if (l->infos.a[i].bits & FOLDER_NONEXISTENT)
			continue;
		struct str name = l->infos.a[i].name;
		size_t dot = str_rfind(name, '.');
		if (dot == name.n)
			continue;
		struct folder_info *up = info_of(l, str_sub(name, 0, dot), FOLDER_NOSELECT);
		if (up->bits & FOLDER_NONEXISTENT)
			up->bits = (up->bits & ~(unsigned)FOLDER_NONEXISTENT) | FOLDER_NOSELECT;
		up->bits |= FOLDER_HASCHILDREN;
	}
}

static int by_name(const void *a, const void *b)
{
	const struct folder_info *x = a, *y = b;
	bool xi = str_eq(x->name, STR("INBOX")), yi = str_eq(y->name, STR("INBOX"));

	return xi != yi ? (xi ? -1 : 1) : str_cmp(x->name, y->name);
}

static void list_work(struct store_op *op)
{
	struct list_op *l = container_of(op, struct list_op, op);
	struct err e;

	l->by_name = hmap_new();
	if (read_folders(l) < 0 || read_subscribed(l) < 0)
		return;
	if (specialuse_read(op->st, &l->uses, &e) < 0) {
		result_fail(&op->res, &e);
		return;
	}
	add_parents(l);
	vec_foreach(i, &l->infos) {
		const char *use = hmap_get(l->uses, i->name);
		if (use && !(i->bits & (FOLDER_NOSELECT | FOLDER_NONEXISTENT)))
			i->special_use = str_c(use);
	}
	qsort(l->infos.a, l->infos.n, sizeof *l->infos.a, by_name);
}

static void list_finish(struct store_op *op)
{
	struct list_op *l = container_of(op, struct list_op, op);
	struct folder_list list = {l->infos.a, l->infos.n};

	l->done(l->ctx, &op->res, op->res.code == STORE_OK ? &list : NULL);
	vec_foreach(i, &l->infos)
		free((char *)i->name.p);
	vec_free(&l->infos);
	hmap_free(&l->by_name);
	specialuse_free(&l->uses);
	free(l);
}

void store_list(struct store *st, store_list_fn *done, void *ctx)
{
	struct list_op *l = xcalloc(1, sizeof *l);

	l->done = done;
	l->ctx = ctx;
	l->op.work = list_work;
	l->op.finish = list_finish;
	store_op_start(st, &l->op);
}
