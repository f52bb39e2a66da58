/* SPDX-License-Identifier: Apache-2.0 */
/* import_read: the files of a folder, and what Courier's and Dovecot's lists say of them. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "backend/store/import_int.h"
#include "common/base/log.h"

enum { LIST_MAX = 256 << 20, UPDATE_MAX = 1 << 20 };

static const char *const list_names[FROM_N] = {"courierimapuiddb", "dovecot-uidlist"};
#define COURIER_KEYWORDS "courierimapkeywords"
#define DOVECOT_KEYWORDS "dovecot-keywords"

const char *imp_name(const struct imp *im)
{
	if (im->list)
		return list_names[im->from];
	return im->from == FROM_COURIER ? COURIER_KEYWORDS : DOVECOT_KEYWORDS;
}

/* ---- reading a file of theirs ------------------------------------------------------------------------ */

static int read_fd(int fd, size_t max, struct buf *out)
{
	ssize_t n;

	while ((n = read(fd, buf_reserve(out, 65536), 65536)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n > 0)
			buf_added(out, (size_t)n);
		if (out->n > max)
			errno = EFBIG;
		if (n < 0 || out->n > max)
			return -1;
	}
	return 0;
}

/* What may be over in a moment is no reason to give a folder new UIDs. */
static bool volume_fault(int code)
{
	return code == EIO || code == ESTALE || code == ENOMEM || code == EMFILE ||
	       code == ENFILE || code == ETIMEDOUT;
}

/* The account's own, regular, no symlink (B62). -1: *why says why not, NULL where there is none; -2: errno,
 * the volume's fault. */
static int read_theirs(int at, const char *name, size_t max, struct buf *out, int64_t *mtime,
		       const char **why)
{
	int fd = openat(at, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	struct stat sb;
	int rc = -1;

	*why = NULL;
	buf_reset(out);
	if (fd < 0) {
		if (errno != ENOENT)
			*why = errno == ELOOP ? "a symbolic link" : strerror(errno);
		return volume_fault(errno) ? -2 : -1;
	}
	errno = 0;
	if (fstat(fd, &sb) == 0 && md_file_ok(&sb, why) && read_fd(fd, max, out) == 0) {
		rc = 0;
		if (mtime)
			*mtime = (int64_t)sb.st_mtim.tv_sec * NS_PER_S + sb.st_mtim.tv_nsec;
	} else if (!*why) {
		*why = strerror(errno);
		rc = volume_fault(errno) ? -2 : -1;
	}
	int saved = errno;
	close(fd);
	errno = saved;
	return rc;
}

int foreign_read(struct store *st, const char *folder, int dir, const char *name, struct buf *out,
		 int64_t *mtime)
{
	const char *why;
	int rc = read_theirs(dir, name, LIST_MAX, out, mtime, &why);
	int saved = errno;

	if (rc == 0)
		return 0;
	buf_reset(out);
	if (why)
		LOG(L_WARN, "list_refused", L_C("user", st->o.user), L_C("folder", folder),
		    L_C("file", name), L_C("why", why));
	errno = saved;
	return rc;
}

static int read_here(struct imp *im, int dir, const char *name, struct buf *out, int64_t *mtime)
{
	int rc = foreign_read(im->f->f.store, im->f->f.name, dir, name, out, mtime);

	if (rc == -2)
		err_sys(&im->fault, "%s/%s", im->f->disk_name, name);
	return rc;
}

static int read_list_file(struct imp *im, const char *name, struct buf *out, int64_t *mtime)
{
	return read_here(im, im->f->files->dir, name, out, mtime);
}

bool imp_anything(const struct fold *f)
{
	static const char *const names[] = {"courierimapuiddb", "dovecot-uidlist",
					    COURIER_KEYWORDS "/:list", DOVECOT_KEYWORDS};
	struct stat sb;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (fstatat(f->files->dir, names[i], &sb, AT_SYMLINK_NOFOLLOW) == 0)
			return true;
	return false;
}

/* ---- the messages' files ----------------------------------------------------------------------------- */

struct collect {
	struct imp *im;
	bool in_new;
};

static int collect_one(void *ctx, const char *name, bool regular)
{
	struct collect *c = ctx;
	struct imp *im = c->im;
	const char *why;
	struct md_name n;
	struct stat sb;
	char letters[256];

	if (!regular ||
	    fstatat(files_fd(im->f->files, c->in_new), name, &sb, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !md_file_ok(&sb, &why))
		return 0; /* the scan that follows says so */
	struct str kept = arena_str(&im->arena, str_c(name));
	if (!md_name_parse(kept, &n) || hmap_get(im->by_base, n.base))
		return 0;
	struct imp_file *file = arena_new(&im->arena, struct imp_file);
	*file = (struct imp_file){.base = n.base,
				  .extra = arena_str(&im->arena, md_extra_pure(n.extra, letters)),
				  .name = kept.p,
				  .in_new = c->in_new,
				  .flags = n.flags,
				  .mtime = sb.st_mtime,
				  .size = (uint64_t)sb.st_size};
	hmap_put(im->by_base, file->base, file);
	*vec_push(&im->files) = file;
	return 0;
}

static int read_files(struct imp *im, struct err *e)
{
	struct collect c = {im, true};

	im->by_base = hmap_new();
	if (md_scan(im->f->files->new, collect_one, &c, e) < 0)
		return -1;
	c.in_new = false;
	return md_scan(im->f->files->cur, collect_one, &c, e);
}

/* ---- which list counts -------------------------------------------------------------------------------- */

static void later(const struct imp *im, const char *name, int64_t *mtime)
{
	struct stat sb;

	if (fstatat(im->f->files->dir, name, &sb, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	int64_t t = (int64_t)sb.st_mtim.tv_sec * NS_PER_S + sb.st_mtim.tv_nsec;
	if (t > *mtime)
		*mtime = t;
}

/* When that server was last at work here: not each change is one of its list. */
static void look_when(const struct imp *im, enum imp_from from, int64_t *mtime)
{
	if (from == FROM_COURIER) {
		later(im, COURIER_KEYWORDS, mtime);
	} else {
		later(im, DOVECOT_KEYWORDS, mtime);
		later(im, "dovecot.index.log", mtime);
	}
}

static void read_list(struct imp *im, enum imp_from from)
{
	struct imp_list *l = &im->lists[from];
	enum store_import wanted = im->f->f.store->o.import;

	if (wanted > IMPORT_AGAIN &&
	    wanted != (from == FROM_COURIER ? IMPORT_COURIER : IMPORT_DOVECOT))
		return;
	l->there = read_list_file(im, list_names[from], &l->text, &l->mtime) == 0;
	if (!l->there)
		return;
	look_when(im, from, &l->mtime);
	uidlist_parse(buf_str(&l->text), &l->list);
	vec_foreach(entry, &l->list.a)
		l->known += hmap_get(im->by_base, entry->base) != NULL;
}

/*
 * A list that can be gone on with, before one that can't; then the one that names more of the files that are
 * there: the server that was last at work has seen all of them; then the one that was written last.
 */
static bool better(const struct imp_list *a, const struct imp_list *b)
{
	if (!a->there || !b->there)
		return a->there;
	if (!a->list.unsure != !b->list.unsure)
		return !a->list.unsure;
	if (a->known != b->known)
		return a->known > b->known;
	return a->mtime > b->mtime;
}

static void choose(struct imp *im)
{
	struct imp_list *c = &im->lists[FROM_COURIER], *d = &im->lists[FROM_DOVECOT];
	struct stat sb;

	if (c->there || d->there) {
		im->list = better(c, d) ? c : d;
		im->from = im->list == c ? FROM_COURIER : FROM_DOVECOT;
		vec_foreach(entry, &im->list->list.a) {
			struct imp_file *file = hmap_get(im->by_base, entry->base);
			if (file)
				file->uid = entry->uid;
		}
		return;
	}
	im->from =
		fstatat(im->f->files->dir, COURIER_KEYWORDS "/:list", &sb, AT_SYMLINK_NOFOLLOW) == 0
			? FROM_COURIER
			: FROM_DOVECOT;
}

/* ---- keywords -------------------------------------------------------------------------------------------- */

/* The number of a keyword; -1: it can't be one of ours. */
static int number_of(struct imp *im, struct str name)
{
	const struct settings *set = im->f->f.store->o.set;
	struct buf b = BUF_INIT;
	int kw = -1;

	if (!keyword_clean(name, set->imap_keyword_len, &b)) {
		im->lost_keywords++;
		goto out;
	}
	for (size_t i = 0; i < im->keywords.n && kw < 0; i++)
		if (str_ieq(str_c(im->keywords.a[i]), buf_str(&b)))
			kw = (int)i;
	if (kw < 0 && (im->keywords.n >= set->imap_keywords_max || im->keywords.n >= 4096)) {
		im->lost_keywords++;
	} else if (kw < 0) {
		kw = (int)im->keywords.n;
		*vec_push(&im->keywords) = arena_cstr(&im->arena, buf_str(&b));
	}
out:
	buf_deinit(&b);
	return kw;
}

static void add_keyword(struct imp *im, struct imp_file *file, int kw)
{
	for (uint16_t i = 0; i < file->nkw; i++)
		if (file->kw[i] == kw)
			return;
	if (kw < 0)
		return;
	/* 4, 8, 16 ...: the arena has no realloc */
	if (!file->nkw || (file->nkw >= 4 && !(file->nkw & (file->nkw - 1)))) {
		uint16_t *more = arena_array(&im->arena, uint16_t, file->nkw ? file->nkw * 2u : 4u);
		if (file->nkw)
			memcpy(more, file->kw, file->nkw * sizeof *more);
		file->kw = more;
	}
	file->kw[file->nkw++] = (uint16_t)kw;
}

/* A name gets its number when the first message has it: lists keep names that nobody has any more. */
static int number_once(struct imp *im, int *numbers, size_t i, struct str name)
{
	if (numbers[i] == -2)
		numbers[i] = number_of(im, name);
	return numbers[i];
}

static int *no_numbers(struct imp *im, size_t n)
{
	int *numbers = arena_array(&im->arena, int, n + 1);

	for (size_t i = 0; i < n; i++)
		numbers[i] = -2;
	return numbers;
}

static void courier_list(struct imp *im, struct str text)
{
	struct kwlist l;
	size_t i;

	kwlist_parse(text, &l);
	int *numbers = no_numbers(im, l.names.n);
	vec_foreach(entry, &l.a) {
		struct imp_file *file = hmap_get(im->by_base, entry->base);
		if (!file)
			continue;
		file->nkw = 0;
		while (kwlist_number(&entry->numbers, l.names.n, &i))
			add_keyword(im, file, number_once(im, numbers, i, l.names.a[i]));
	}
	kwlist_free(&l);
}

static void courier_update(struct imp *im, int dir, struct imp_file *file)
{
	struct buf text = BUF_INIT;
	const char *why;
	char name[256 + 32];

	if (file->kw_age == UINT64_MAX)
		snprintf(name, sizeof name, "%.*s", STR_ARG(file->base));
	else
		snprintf(name, sizeof name, ".%llu.%.*s", (unsigned long long)file->kw_age,
			 STR_ARG(file->base));
	int rc = read_theirs(dir, name, UPDATE_MAX, &text, NULL, &why);
	if (rc == -2)
		err_sys(&im->fault, COURIER_KEYWORDS "/%s", name);
	if (rc == 0) {
		file->nkw = 0;
		for (struct str rest = buf_str(&text); rest.p && rest.n;) {
			struct str kw = str_trim(str_split(&rest, '\n'));
			if (!kw.n)
				break;
			add_keyword(im, file, number_of(im, kw));
		}
	}
	buf_deinit(&text);
}

static void courier_updates(struct imp *im, DIR *dir)
{
	struct dirent *de;

	while ((de = readdir(dir))) {
		struct imp_file *file;
		struct str base;
		uint64_t age;
		if (kwupdate_name(str_c(de->d_name), &base, &age) &&
		    (file = hmap_get(im->by_base, base)) && age > file->kw_age)
			file->kw_age = age;
	}
	vec_foreach(fp, &im->files)
		if ((*fp)->kw_age)
			courier_update(im, dirfd(dir), *fp);
}

static void courier_keywords(struct imp *im)
{
	struct fold *f = im->f;
	struct buf text = BUF_INIT;
	struct err e;
	int fd = files_open_dir(f->files->dir, COURIER_KEYWORDS, &e);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	if (read_here(im, fd, ":list", &text, NULL) == 0)
		courier_list(im, buf_str(&text));
	courier_updates(im, dir);
	closedir(dir);
	buf_deinit(&text);
}

/* The letters stay in the files' names: another program that knows them may come back. */
static void dovecot_keywords(struct imp *im)
{
	struct buf text = BUF_INIT;
	struct str names[DOVECOT_LETTERS];
	int *numbers = no_numbers(im, DOVECOT_LETTERS);

	if (read_list_file(im, DOVECOT_KEYWORDS, &text, NULL) == 0) {
		letters_parse(buf_str(&text), names);
		vec_foreach(fp, &im->files)
			for (size_t i = 0; i < (*fp)->extra.n; i++) {
				size_t letter = (size_t)((*fp)->extra.p[i] - 'a');
				if (letter < DOVECOT_LETTERS && names[letter].n)
					add_keyword(
						im, *fp,
						number_once(im, numbers, letter, names[letter]));
			}
	}
	buf_deinit(&text);
}

int imp_read(struct imp *im, struct err *e)
{
	vec_foreach(k, &im->f->f.keywords)
		*vec_push(&im->keywords) = *k;
	im->known_keywords = im->keywords.n;
	if (read_files(im, e) < 0)
		return -1;
	read_list(im, FROM_COURIER);
	read_list(im, FROM_DOVECOT);
	choose(im);
	if (im->from == FROM_COURIER)
		courier_keywords(im);
	else
		dovecot_keywords(im);
	if (im->fault.code)
		*e = im->fault;
	return im->fault.code ? -1 : 0;
}

void imp_free(struct imp *im)
{
	for (int i = 0; i < FROM_N; i++) {
		uidlist_free(&im->lists[i].list);
		buf_deinit(&im->lists[i].text);
	}
	vec_free(&im->files);
	vec_free(&im->keywords);
	hmap_free(&im->by_base);
	arena_deinit(&im->arena);
}
