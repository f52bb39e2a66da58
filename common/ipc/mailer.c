/* SPDX-License-Identifier: Apache-2.0 */
#include "common/ipc/mailer.h"

#include <errno.h>
#include <unistd.h>

#include "common/base/crc32c.h"
#include "common/ipc/text.h"

/* The area: "PHOB", deadline; one byte at STARTED_AT; length, checksum and verdict at VERDICT_AT. */
enum { STARTED_AT = 64, VERDICT_AT = 512, STARTED = 'S' };
#define MAGIC STR("PHOB")

void mailer_serve_put(struct buf *b, const struct mailer_serve *s)
{
	wire_str(b, s->user);
	wire_u32(b, s->uid);
	wire_u32(b, s->gid);
	wire_str(b, s->home);
}

bool mailer_serve_get(struct str body, struct mailer_serve *s)
{
	struct wire w = wire_reader(body);

	s->user = ipc_get_line(&w, IPC_NAME_MAX);
	s->uid = wire_get_u32(&w);
	s->gid = wire_get_u32(&w);
	s->home = ipc_get_line(&w, IPC_NAME_MAX);
	return wire_end(&w) && s->user.n > 0;
}

void mailer_verdict_put(struct buf *b, const struct mailer_verdict *v)
{
	wire_u8(b, v->result);
	wire_str(b, v->code);
	wire_str(b, str_sub(v->text, 0, MAILER_TEXT_MAX));
}

bool mailer_verdict_get(struct str body, struct mailer_verdict *v)
{
	struct wire w = wire_reader(body);

	v->result = wire_get_u8(&w);
	v->code = ipc_get_word(&w, 32);
	v->text = ipc_get_line(&w, MAILER_TEXT_MAX);
	return wire_end(&w) && v->result > MAILER_NONE && v->result < MAILER_RESULT_N;
}

void mailer_area_new(char area[MAILER_AREA], uint64_t deadline)
{
	struct buf b = BUF_INIT;

	memset(area, 0, MAILER_AREA);
	buf_str_put(&b, MAGIC);
	wire_u64(&b, deadline);
	memcpy(area, b.p, b.n);
	buf_deinit(&b);
}

int mailer_area_read(int fd, struct mailer_area *a)
{
	struct str s = {a->bytes, sizeof a->bytes}, body;
	struct wire w;
	uint32_t n, crc;
	ssize_t got;

	do {
		got = pread(fd, a->bytes, sizeof a->bytes, 0);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return -1;
	a->verdict = (struct mailer_verdict){.result = MAILER_NONE};
	if (got != MAILER_AREA || !str_starts(s, MAGIC)) {
		errno = EBADMSG;
		return -1;
	}
	w = wire_reader(str_from(s, MAGIC.n));
	a->deadline = wire_get_u64(&w);
	a->started = a->bytes[STARTED_AT] == STARTED;
	w = wire_reader(str_from(s, VERDICT_AT));
	n = wire_get_u32(&w);
	crc = wire_get_u32(&w);
	body = str_sub(s, VERDICT_AT + 8, n);
	if (n == 0 || body.n != n || crc32c(0, body.p, body.n) != crc ||
	    !mailer_verdict_get(body, &a->verdict))
		a->verdict = (struct mailer_verdict){.result = MAILER_NONE};
	return 0;
}

static int put_at(int fd, struct str s, off_t at)
{
	while (s.n) {
		ssize_t n = pwrite(fd, s.p, s.n, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		s = str_from(s, (size_t)n);
		at += n;
	}
	return fdatasync(fd);
}

int mailer_area_started(int fd)
{
	char c = STARTED;

	return put_at(fd, str_mem(&c, 1), STARTED_AT);
}

int mailer_area_verdict(int fd, const struct mailer_verdict *v)
{
	struct buf body = BUF_INIT, b = BUF_INIT;
	int rc;

	mailer_verdict_put(&body, v);
	wire_u32(&b, (uint32_t)body.n);
	wire_u32(&b, crc32c(0, body.p, body.n));
	buf_str_put(&b, buf_str(&body));
	rc = put_at(fd, buf_str(&b), VERDICT_AT);
	buf_deinit(&body);
	buf_deinit(&b);
	return rc;
}
