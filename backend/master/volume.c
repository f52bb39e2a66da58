/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/master/volume.h"
#include <fcntl.h>
#include "common/base/ensure.h"

#define TABLE_AGE_MS 5000
#define TABLE_MAX ((size_t)4 << 20)

struct volumes {
	struct buf table;   /* /proc/self/mountinfo */
	struct buf decoded; /* the last answer */
	uint64_t read_at;
};

struct volumes *volumes_new(void)
{
	return xcalloc(1, sizeof(struct volumes));
}

static void table_read(struct volumes *v)
{
	int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	buf_reset(&v->table);
	if (fd < 0)
		return;
	while (v->table.n < TABLE_MAX && (n = read(fd, buf_reserve(&v->table, 16384), 16384)) > 0)
		buf_added(&v->table, (size_t)n);
	close(fd);
}

/* proc(5): blank, tab, newline and backslash are written as \ooo. */
static void decode(struct str s, struct buf *out)
{
	buf_reset(out);
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\' && i + 3 < s.n) {
			buf_putc(out, (char)((s.p[i + 1] - '0') * 64 + (s.p[i + 2] - '0') * 8 + (s.p[i + 3] - '0')));
			i += 3;
		} else {
			buf_putc(out, s.p[i]);
		}
	}
}

static bool lies_below(struct str path, struct str mount)
{
	if (str_eq(mount, STR("/")))
		return true;
	return str_starts(path, mount) && (path.n == mount.n || path.p[mount.n] == '/');
}

struct str volumes_match(struct str mountinfo, struct str path, struct buf *decoded)
{
	struct buf one = BUF_INIT;

	buf_reset(decoded);
	buf_putc(decoded, '/');
	while (mountinfo.p != NULL) {
		struct str line = str_split(&mountinfo, '\n');
		struct str field = STR_NONE;

		for (int i = 0; i < 5 && line.p != NULL; i++)
			field = str_split(&line, ' ');
		if (field.n == 0 || line.p == NULL)
			continue;
		decode(field, &one);
		if (one.n > decoded->n && lies_below(path, buf_str(&one))) {
			buf_reset(decoded);
			buf_str_put(decoded, buf_str(&one));
		}
	}
	buf_deinit(&one);
	return buf_str(decoded);
}

struct str volumes_of(struct volumes *v, struct str path, uint64_t now)
{
	if (v->read_at == 0 || now - v->read_at > TABLE_AGE_MS) {
		table_read(v);
		v->read_at = now;
	}
	return volumes_match(buf_str(&v->table), path, &v->decoded);
}
