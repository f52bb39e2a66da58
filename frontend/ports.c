/* SPDX-License-Identifier: Apache-2.0 */
#include "common/io/sock.h"
#include "frontend/frontend.h"

enum { KEEPALIVE_S = 300 };

/* "port" or "address.port" (R63). */
static int add(struct frontend *f, const char *setting, struct str item, const char *address,
	       bool tls, struct err *e)
{
	size_t dot = str_rfind(item, '.');
	struct str number = dot == item.n ? item : str_from(item, dot + 1);
	struct str host = dot == item.n ? str_c(address) : str_sub(item, 0, dot);
	struct port *p = &f->ports[f->nports];
	uint32_t v;

	if (!str_u32(number, &v) || v == 0 || v > 65535)
		return err_set(e, 0, "%s: \"%.*s\" is not a port (1 to 65535) or address.port",
			       setting, STR_ARG(item));
	if (f->nports == PORTS_MAX || host.n >= sizeof(p->host))
		return err_set(e, 0, "%s: too many ports, or the address is too long", setting);
	memcpy(p->host, host.p, host.n);
	p->host[host.n] = '\0';
	p->number = (uint16_t)v;
	p->tls = tls;
	f->nports++;
	return 0;
}

static int add_list(struct frontend *f, const char *setting, const char *list, const char *address,
		    bool tls, struct err *e)
{
	struct str rest = str_c(list);

	while (rest.p) {
		struct str item = str_trim(str_split(&rest, ','));

		if (item.n && add(f, setting, item, address, tls, e))
			return -1;
	}
	return 0;
}

int ports_read(struct frontend *f, struct err *e)
{
	const struct settings *s = f->set;

	if (add_list(f, "PORT", s->port, s->address, false, e) ||
	    add_list(f, "SSLPORT", s->sslport, s->ssladdress, true, e))
		return -1;
	return f->nports ? 0 : err_set(e, 0, "PORT and SSLPORT are both empty: nothing to serve");
}

int ports_open(struct frontend *f, struct child *worker, struct err *e)
{
	for (size_t i = 0; i < f->nports; i++) {
		const struct port *p = &f->ports[i];

		worker->listeners[i] =
			sock_listen(p->host, p->number, (int)f->set->listen_backlog, e);
		if (worker->listeners[i] < 0)
			return -1;
		/* Accepted sockets inherit it, whoever has them in the end. */
		sock_keepalive(worker->listeners[i], KEEPALIVE_S);
	}
	return 0;
}
