/* SPDX-License-Identifier: Apache-2.0 */
#include "common/ipc/control_client.h"
#include "common/base/ensure.h"
#include "common/io/link.h"
#include "common/io/loop.h"

struct control_call {
	struct link *link;
	struct loop_timer *timer;
	control_call_fn *done;
	void *ctx;
	const char *fault; /* what the timer says */
};

static void over(struct control_call *c, bool ok, struct str text)
{
	control_call_fn *done = c->done;
	void *ctx = c->ctx;

	done(ctx, ok, text);
	link_free(&c->link);
	loop_timer_free(&c->timer);
	free(c);
}

static int on_msg(void *ctx, struct link_msg *m)
{
	struct wire w = wire_reader(m->body);
	struct str text;
	bool ok;

	if (m->nfds || (m->type != CONTROL_ROW && m->type != CONTROL_END))
		return -1;
	if (m->type == CONTROL_ROW)
		return 0;
	ok = wire_get_bool(&w);
	text = wire_get_str(&w, IPC_TEXT_MAX);
	if (!wire_end(&w))
		return -1;
	over(ctx, ok, text);
	return 0;
}

static void on_close(void *ctx, const char *why)
{
	over(ctx, false, str_c(why));
}

static void on_timer(void *ctx)
{
	struct control_call *c = ctx;

	over(c, false, str_c(c->fault));
}

static struct link *dial(struct loop *l, const char *rundir, const char *daemon,
			 struct control_call *c)
{
	static const struct link_ops ops = {on_msg, on_close, NULL};
	struct buf path = BUF_INIT;
	int fd;

	buf_printf(&path, "%s/%s.ctl", rundir, daemon);
	fd = link_connect(buf_cstr(&path));
	buf_deinit(&path);
	return fd < 0 ? NULL : link_new(l, fd, 4, &ops, c);
}

void control_call(struct loop *l, const char *rundir, const char *daemon,
		  const struct control_request *r, uint64_t timeout_ms, control_call_fn *done,
		  void *ctx)
{
	struct control_call *c = xcalloc(1, sizeof(*c));
	struct buf b = BUF_INIT;

	c->done = done;
	c->ctx = ctx;
	c->fault = "no answer in time";
	c->timer = loop_timer_new(l, on_timer, c);
	c->link = dial(l, rundir, daemon, c);
	control_request_put(&b, r);
	if (!c->link || link_send(c->link, CONTROL_REQUEST, buf_str(&b), NULL, 0)) {
		c->fault = "it isn't running";
		timeout_ms = 0;
	}
	buf_deinit(&b);
	loop_timer_set(c->timer, timeout_ms);
}
