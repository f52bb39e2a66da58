/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uidtrace: <folder>/posthouse-uids, "<UIDVALIDITY> <ceiling>": UIDs below the ceiling may have been given by
 * us under a UIDVALIDITY that stands in another server's list, too. It is there from the first import or export
 * on, outside of posthouse/, so that a folder which has lost that directory can take the list's UIDVALIDITY again
 * and yet gives no UID a second time.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "backend/store/store_int.h"

#define FILE_NAME "posthouse-uids"

uint32_t uidtrace_read(int dir, uint32_t uidvalidity)
{
	struct buf b = BUF_INIT;
	uint32_t v, ceiling = 0;
	struct err e;

	if (files_read_whole(dir, FILE_NAME, 64, &b, &e) == 0) {
		struct str rest = str_trim(buf_str(&b));
		if (!str_u32(str_split(&rest, ' '), &v) || !str_u32(rest, &ceiling) ||
		    v != uidvalidity)
			ceiling = 0;
	}
	buf_deinit(&b);
	return ceiling;
}

int uidtrace_write(int dir, uint32_t uidvalidity, uint32_t ceiling, struct err *e)
{
	char text[32];

	if (uidtrace_read(dir, uidvalidity) >= ceiling)
		return 0;
	snprintf(text, sizeof text, "%u %u\n", uidvalidity, ceiling);
	return files_write_whole(dir, FILE_NAME, str_c(text), e);
}

int uidtrace_reserved(void *ctx, uint32_t uidvalidity, uint32_t ceiling, struct err *e)
{
	struct fold *f = ctx;
	struct stat sb;

	if (fstatat(f->files->dir, FILE_NAME, &sb, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		return 0; /* no other server knows our UIDVALIDITY */
	return uidtrace_write(f->files->dir, uidvalidity, ceiling, e);
}
