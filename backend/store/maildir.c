/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/time.h>

#include "backend/store/maildir.h"
#include "backend/store/store.h"

/* ---- names ------------------------------------------------------------------------------------- */

static uint8_t flag_of(char c)
{
	switch (c) {
	case 'D':
		return MSG_DRAFT;
	case 'F':
		return MSG_FLAGGED;
	case 'R':
		return MSG_ANSWERED;
	case 'S':
		return MSG_SEEN;
	case 'T':
		return MSG_DELETED;
	}
	return 0;
}

/* The number behind ",S=" or ",W=" in a base name; 0 where there is none that is one. */
static uint64_t size_field(struct str base, char which)
{
	for (size_t i = 0; i + 3 < base.n; i++) {
		if (base.p[i] != ',' || base.p[i + 1] != which || base.p[i + 2] != '=')
			continue;
		struct str rest = str_from(base, i + 3);
		uint64_t v;
		size_t n = str_find(rest, ',');
		if (str_u64(str_sub(rest, 0, n), &v))
			return v;
	}
	return 0;
}

/* Letters that aren't ours, each once, in ASCII order: slices can't be sorted in place, so odd names
 * keep their order, and md_name_make sorts. */
static struct str extra_letters(struct str info, uint8_t *flags)
{
	size_t first = info.n, last = 0;

	for (size_t i = 0; i < info.n; i++) {
		uint8_t f = flag_of(info.p[i]);
		*flags |= f;
		if (f)
			continue;
		if (first == info.n)
			first = i;
		last = i + 1;
	}
	return first == info.n ? STR_NONE : str_sub(info, first, last - first);
}

bool md_name_parse(struct str name, struct md_name *out)
{
	if (!name.n || name.n > 255 || name.p[0] == '.' || str_find(name, '/') != name.n ||
	    str_find(name, '\n') != name.n || str_has_nul(name))
		return false;
	*out = (struct md_name){.base = name};
	for (size_t i = 0; i + 2 < name.n; i++)
		if (name.p[i] == ':' && name.p[i + 1] == '2' && name.p[i + 2] == ',') {
			out->base = str_sub(name, 0, i);
			out->extra = extra_letters(str_from(name, i + 3), &out->flags);
			break;
		}
	if (!out->base.n)
		return false;
	out->size = size_field(out->base, 'S');
	out->wire = size_field(out->base, 'W');
	return true;
}

struct str md_extra_pure(struct str letters, char out[256])
{
	bool have[256] = {false};
	size_t n = 0;

	for (size_t i = 0; i < letters.n; i++)
		have[(uint8_t)letters.p[i]] = true;
	for (int c = 1; c < 256; c++)
		if (have[c] && !strchr("DFRST", c))
			out[n++] = (char)c;
	return str_mem(out, n);
}

bool md_name_make(struct str base, uint8_t flags, struct str extra, bool in_new, char out[256])
{
	char letters[256 + 1];
	bool have[256] = {false};
	size_t n = 0;

	for (const char *l = "DFRST"; *l; l++)
		if (flags & flag_of(*l))
			letters[n++] = *l;
	if (extra.n) { /* rare: put in ASCII order, each once */
		while (n)
			have[(uint8_t)letters[--n]] = true;
		for (size_t i = 0; i < extra.n; i++)
			if (!flag_of(extra.p[i])) /* a slice may span letters of ours */
				have[(uint8_t)extra.p[i]] = true;
		for (int c = 1; c < 256; c++)
			if (have[c])
				letters[n++] = (char)c;
	}
	bool suffix = n || !in_new;
	if (base.n + (suffix ? 3 + n : 0) > 255)
		return false;
	memcpy(out, base.p, base.n);
	if (suffix) {
		memcpy(out + base.n, ":2,", 3);
		memcpy(out + base.n + 3, letters, n);
	}
	out[base.n + (suffix ? 3 + n : 0)] = 0;
	return true;
}

void md_name_new(char out[256], uint64_t size, uint64_t wire)
{
	static _Atomic unsigned counter;
	struct timeval tv;
	char host[65] = "";

	gettimeofday(&tv, NULL);
	if (gethostname(host, sizeof host - 1) < 0 || !host[0])
		snprintf(host, sizeof host, "localhost");
	for (char *p = host; *p; p++) /* the form that maildir(5) asks for where a host has odd letters */
		if (*p == '/' || *p == ':' || *p == ',' || *p <= ' ' || *p == 0x7f)
			*p = '_';
	snprintf(out, 256, "%lld.M%06ldP%ldQ%u.%s,S=%llu,W=%llu", (long long)tv.tv_sec, (long)tv.tv_usec,
		 (long)getpid(), counter++, host, (unsigned long long)size, (unsigned long long)wire);
}

static uint64_t prefix_number(struct str s)
{
	size_t n = 0;
	uint64_t v = 0;

	while (n < s.n && n < 18 && s.p[n] >= '0' && s.p[n] <= '9')
		v = v * 10 + (uint64_t)(s.p[n++] - '0');
	return v;
}

int md_name_cmp(struct str a, struct str b)
{
	uint64_t na = prefix_number(a), nb = prefix_number(b);

	if (na != nb)
		return na < nb ? -1 : 1;
	return str_cmp(a, b);
}

/* ---- files -------------------------------------------------------------------------------------- */

bool md_file_ok(const struct stat *st, const char **why)
{
	uid_t me = geteuid();

	*why = NULL;
	if (!S_ISREG(st->st_mode))
		*why = "not a regular file";
	else if (st->st_uid == me)
		*why = st->st_mode & 0400 || me == 0 ? NULL : "not readable";
	else if (st->st_uid != 0)
		*why = "owned by another user";
	else if (st->st_nlink != 1)
		*why = "owned by root and linked elsewhere";
	else if (!(st->st_mode & 0004) && !(st->st_gid == getegid() && st->st_mode & 0040))
		*why = "not readable";
	return !*why;
}

int md_scan(int dir_fd, md_scan_fn *fn, void *ctx, struct err *e)
{
	int f = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = f < 0 ? NULL : fdopendir(f);
	struct dirent *de;

	if (!dir) {
		err_sys(e, "reading a directory");
		if (f >= 0)
			close(f);
		return -1;
	}
	for (errno = 0; (de = readdir(dir)); errno = 0) {
		bool regular = de->d_type == DT_REG || de->d_type == DT_UNKNOWN;
		struct md_name n;
		if (md_name_parse(str_c(de->d_name), &n) && fn(ctx, de->d_name, regular))
			break;
	}
	int rc = de || !errno ? 0 : err_sys(e, "reading a directory");
	closedir(dir);
	return rc;
}

struct finding {
	struct str base;
	char *name;
	bool found;
};

static int find_one(void *ctx, const char *name, bool regular)
{
	struct finding *f = ctx;
	struct str s = str_c(name);

	f->found = regular && str_starts(s, f->base) &&
		   (s.n == f->base.n || str_starts(str_from(s, f->base.n), STR(":2,")));
	if (f->found)
		memcpy(f->name, name, s.n + 1);
	return f->found;
}

int md_find(int cur_fd, int new_fd, struct str base, char name[256], bool *in_new, struct err *e)
{
	struct finding f = {.base = base, .name = name};

	if (md_scan(cur_fd, find_one, &f, e) < 0)
		return -1;
	*in_new = false;
	if (f.found)
		return 1;
	if (md_scan(new_fd, find_one, &f, e) < 0)
		return -1;
	*in_new = f.found;
	return f.found;
}

int64_t md_mtime_ns(int dir_fd)
{
	struct stat st;

	if (fstat(dir_fd, &st) < 0)
		return -1;
	return (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
}

int md_fsync_dir(int dir_fd)
{
	return fsync(dir_fd);
}
