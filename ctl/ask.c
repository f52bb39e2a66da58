/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>
#include "common/io/link.h"
#include "ctl/ctl.h"

#define ANSWER_MS 10000

static int dial(const struct ctl *c, const char *daemon, struct err *e)
{
	struct buf path = BUF_INIT;
	int fd;

	buf_printf(&path, "%s/%s.ctl", c->set->rundir, daemon);
	fd = link_connect(buf_cstr(&path));
	if (fd < 0 && (errno == ENOENT || errno == ECONNREFUSED))
		err_set(e, errno, "the %s isn't running (nobody listens on %s)", daemon,
			buf_cstr(&path));
	else if (fd < 0 && errno == EACCES)
		err_set(e, errno,
			"no access to %s: run posthousectl as root or as the daemon's user",
			buf_cstr(&path));
	else if (fd < 0)
		err_sys(e, "can't connect to %s", buf_cstr(&path));
	buf_deinit(&path);
	return fd;
}

bool ctl_alive(const struct ctl *c, const char *daemon)
{
	int fd = dial(c, daemon, NULL);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static int ended(const char *daemon, struct str body, struct buf *said, struct err *e)
{
	struct wire w = wire_reader(body);
	bool ok = wire_get_bool(&w);
	struct str text = wire_get_str(&w, IPC_TEXT_MAX);

	if (!wire_end(&w))
		return err_set(e, EPROTO, "the %s gave a malformed answer: is it another version?",
			       daemon);
	if (said)
		buf_str_put(said, text);
	return ok ? 0 : err_set(e, 0, "%s: %.*s", daemon, STR_ARG(text));
}

static int read_answer(int fd, const char *daemon, ctl_row_fn *fn, void *ctx, struct buf *text,
		       struct err *e)
{
	struct buf store = BUF_INIT;
	struct link_msg m;
	struct control_row row;
	int rc;

	while ((rc = link_recv_blocking(fd, &store, &m, ANSWER_MS)) == 1) {
		if (m.type != CONTROL_ROW || !control_row_get(m.body, &row))
			break;
		if (fn)
			fn(ctx, &row);
	}
	if (rc == 1 && m.type == CONTROL_END)
		rc = ended(daemon, m.body, text, e);
	else if (rc == 1)
		rc = err_set(e, EPROTO, "the %s gave a malformed answer: is it another version?",
			     daemon);
	else
		rc = err_set(e, 0, "the %s closed the connection or gave no answer within 10 s",
			     daemon);
	buf_deinit(&store);
	return rc;
}

int ctl_ask(const struct ctl *c, const char *daemon, const char *verb, ctl_row_fn *fn, void *ctx,
	    struct buf *text, struct err *e)
{
	struct control_request r = {.verb = str_c(verb), .nargs = (uint32_t)c->argc};
	struct buf b = BUF_INIT;
	int fd, rc;

	if (c->argc > CONTROL_ARGS_MAX)
		return err_set(e, 0, "too many arguments");
	fd = dial(c, daemon, e);
	if (fd < 0)
		return -1;
	for (int i = 0; i < c->argc; i++)
		r.arg[i] = str_c(c->argv[i]);
	control_request_put(&b, &r);
	if (link_send_blocking(fd, CONTROL_REQUEST, buf_str(&b), NULL, 0) < 0)
		rc = err_sys(e, "can't ask the %s", daemon);
	else
		rc = read_answer(fd, daemon, fn, ctx, text, e);
	buf_deinit(&b);
	close(fd);
	return rc;
}
