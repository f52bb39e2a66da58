/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include "common/io/netlist.h"
#include "frontend/frontend.h"


/* "port" or "address.port" (R63). */
static int add(struct frontend *f, const char *setting, struct str item, const struct port *like,
	       struct err *e)
{
	size_t dot = str_rfind(item, '.');
	struct str number = dot == item.n ? item : str_from(item, dot + 1);
	struct str host = dot == item.n ? str_c(like->host) : str_sub(item, 0, dot);
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
	p->tls = like->tls;
	p->proxied = like->proxied;
	f->nports++;
	return 0;
}

static int add_list(struct frontend *f, const char *setting, const char *list, const char *address,
		    bool tls, bool proxied, struct err *e)
{
	struct port like = {.tls = tls, .proxied = proxied};
	struct str rest = str_c(list);

	if (snprintf(like.host, sizeof(like.host), "%s", address) >= (int)sizeof(like.host))
		return err_set(e, 0, "%s: the address \"%s\" is too long", setting, address);

	while (rest.p) {
		struct str item = str_trim(str_split(&rest, ','));

		if (item.n && add(f, setting, item, &like, e))
			return -1;
	}
	return 0;
}

/* Whoever may send the header may claim to be anybody: nobody does by default. */
static int check_trusted(const struct frontend *f, struct err *e)
{
	struct netlist trusted;
	size_t n;

	if (netlist_parse(&trusted, f->set->proxy_trusted, "PROXY_TRUSTED", e))
		return -1;
	n = trusted.n;
	netlist_deinit(&trusted);
	for (size_t i = 0; i < f->nports; i++)
		if (f->ports[i].proxied && n == 0)
			return err_set(
				e, 0,
				"PROXY_TRUSTED is empty: name the networks whose PROXY headers "
				"are believed");
	return 0;
}

/* AUTH_PASSWORD_CHECK=0 is for a host that talks to itself. */
static int check_loopback(const struct frontend *f, struct err *e)
{
	struct in6_addr v6;
	struct in_addr v4;

	for (size_t i = 0; i < f->nports && !f->set->auth_password_check; i++) {
		const char *host = f->ports[i].host;

		if (!(inet_pton(AF_INET, host, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127) &&
		    !(inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6)))
			return err_set(e, 0,
				       "AUTH_PASSWORD_CHECK=0 (-N) is for loopback addresses only: port %u would be "
				       "served on %s", f->ports[i].number, strcmp(host, "0") ? host : "all addresses");
	}
	return 0;
}

int ports_read(struct frontend *f, struct err *e)
{
	const struct settings *s = f->set;

	if (add_list(f, "PORT", s->port, s->address, false, false, e) ||
	    add_list(f, "SSLPORT", s->sslport, s->ssladdress, true, false, e) ||
	    add_list(f, "PROXY_PORT", s->proxy_port, s->address, false, true, e) ||
	    add_list(f, "PROXY_SSLPORT", s->proxy_sslport, s->ssladdress, true, true, e) ||
	    check_trusted(f, e) || check_loopback(f, e))
		return -1;
	return f->nports ? 0
			 : err_set(e, 0,
				   "PORT, SSLPORT, PROXY_PORT and PROXY_SSLPORT are all empty: "
				   "nothing to serve");
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
		if (f->set->imap_tcp_keepalive)
			sock_keepalive(worker->listeners[i], (unsigned)f->set->imap_tcp_keepalive);
	}
	return 0;
}
