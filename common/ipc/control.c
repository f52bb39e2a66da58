/* SPDX-License-Identifier: Apache-2.0 */
#include "common/ipc/control.h"
#include <unistd.h>
#include "common/base/list.h"
#include "common/base/log.h"
#include "common/io/link.h"
#include "common/io/loop.h"
#include "common/ipc/text.h"

#define CONTROL_CLIENTS_MAX 16
#define CONTROL_QUEUE_MAX 100000 /* rows that wait for a slow reader: one for each session of a host */

void control_request_put(struct buf *b, const struct control_request *r)
{
	wire_str(b, r->verb);
	wire_u32(b, r->nargs);
	for (uint32_t i = 0; i < r->nargs; i++)
		wire_str(b, r->arg[i]);
}

bool control_request_get(struct str body, struct control_request *r)
{
	struct wire w = wire_reader(body);

	r->verb = ipc_get_word(&w, 64);
	r->nargs = wire_get_u32(&w);
	if (r->nargs > CONTROL_ARGS_MAX)
		return false;
	for (uint32_t i = 0; i < r->nargs; i++)
		r->arg[i] = wire_get_str(&w, IPC_TEXT_MAX);
	return r->verb.n > 0 && wire_end(&w);
}

void control_row_put(struct buf *b, const struct control_row *r)
{
	wire_u32(b, r->n);
	for (uint32_t i = 0; i < r->n; i++) {
		wire_str(b, r->name[i]);
		wire_str(b, r->value[i]);
	}
}

bool control_row_get(struct str body, struct control_row *r)
{
	struct wire w = wire_reader(body);

	r->n = wire_get_u32(&w);
	if (r->n > CONTROL_FIELDS_MAX)
		return false;
	for (uint32_t i = 0; i < r->n; i++) {
		r->name[i] = ipc_get_word(&w, 64);
		r->value[i] = wire_get_str(&w, IPC_TEXT_MAX);
	}
	return wire_end(&w);
}

struct control_server {
	struct loop *loop;
	int fd;
	struct loop_io *io;
	struct list clients;
	unsigned nclients;
	control_request_fn *fn;
	void *ctx;
};

struct control_client {
	struct control_server *server;
	struct link *link; /* NULL: the client has gone before its answer was complete */
	struct list link_in_server;
	bool busy;         /* a request is being answered */
};

static void client_drop(struct control_client *c)
{
	link_free(&c->link);
	if (c->busy)
		return; /* control_answer_end comes */
	list_remove(&c->link_in_server);
	if (c->server)
		c->server->nclients--;
	free(c);
}

static int client_msg(void *ctx, struct link_msg *m)
{
	struct control_client *c = ctx;
	struct control_request r;

	if (m->type != CONTROL_REQUEST || m->nfds != 0 || c->busy || !control_request_get(m->body, &r))
		return -1;
	c->busy = true;
	c->server->fn(c->server->ctx, c, &r);
	return 0;
}

static void client_close(void *ctx, const char *why)
{
	client_drop(ctx);
}

static const struct link_ops client_ops = {.on_msg = client_msg, .on_close = client_close};

static void on_accept(void *ctx, int events)
{
	struct control_server *s = ctx;
	struct control_client *c;
	unsigned uid;
	int pid, fd = link_accept(s->fd, &uid, &pid);

	if (fd < 0)
		return;
	if ((uid != 0 && uid != geteuid()) || s->nclients >= CONTROL_CLIENTS_MAX) {
		LOG(L_WARN, "control-refused", L_U("uid", uid), L_U("pid", pid));
		close(fd);
		return;
	}
	c = xcalloc(1, sizeof *c);
	c->server = s;
	list_append(&s->clients, &c->link_in_server);
	s->nclients++;
	c->link = link_new(s->loop, fd, CONTROL_QUEUE_MAX, &client_ops, c);
}

struct control_server *control_server_new(struct loop *l, const char *rundir, const char *name,
					  control_request_fn *fn, void *ctx, struct err *e)
{
	struct control_server *s;
	struct buf path = BUF_INIT;
	int fd;

	buf_printf(&path, "%s/%s.ctl", rundir, name);
	fd = link_listen(buf_cstr(&path), 0600);
	if (fd < 0) {
		err_sys(e, "can't listen on %s", buf_cstr(&path));
		buf_deinit(&path);
		return NULL;
	}
	buf_deinit(&path);
	s = xcalloc(1, sizeof *s);
	s->loop = l;
	s->fd = fd;
	s->fn = fn;
	s->ctx = ctx;
	list_init(&s->clients);
	s->io = loop_io_new(l, fd, LOOP_READ, on_accept, s);
	return s;
}

void control_server_free(struct control_server **s)
{
	if (!*s)
		return;
	list_foreach(e, &(*s)->clients) {
		struct control_client *c = list_entry(e, struct control_client, link_in_server);

		list_remove(e);
		c->server = NULL;
		client_drop(c);
	}
	loop_io_free(&(*s)->io);
	close((*s)->fd);
	free(*s);
	*s = NULL;
}

void control_answer_row(struct control_client *who, const struct control_row *row)
{
	struct buf b = BUF_INIT;

	if (!who->link)
		return;
	control_row_put(&b, row);
	(void)link_send(who->link, CONTROL_ROW, buf_str(&b), NULL, 0);
	buf_deinit(&b);
}

void control_answer_end(struct control_client *who, bool ok, const char *text)
{
	struct buf b = BUF_INIT;

	who->busy = false;
	if (!who->link) {
		client_drop(who);
		return;
	}
	wire_u8(&b, ok);
	wire_str(&b, str_c(text));
	(void)link_send(who->link, CONTROL_END, buf_str(&b), NULL, 0);
	buf_deinit(&b);
}
