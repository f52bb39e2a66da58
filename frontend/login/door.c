/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/login/door.h"
#include "common/base/log.h"
#include "common/config/listener.h"
#include "frontend/login/proxied.h"
#include "frontend/login/session.h"
#include "frontend/login/tlsctx.h"

static void refuse(const struct arrival *a, const char *text)
{
	/* Before a handshake there is no way to say it to a TLS client. */
	if (!a->tls) {
		ssize_t n = write(a->fd, text, strlen(text));

		(void)n;
	}
	close(a->fd);
	free(a->proxied);
}

static void denied(struct worker *w, const struct arrival *a, const struct access_rule *rule)
{
	char ip[64];

	sock_ip(&a->peer, ip);
	if (ration_take(&w->denied, loop_now(w->loop), "DENIED"))
		LOG_COURIER(L_INFO, "DENIED", L_B("ip", ip), L_P("port", sock_port(&a->peer)),
			    L_C("file", w->set->imapaccessfile), L_U("line", rule->line));
	refuse(a, "* BYE Your address may not connect here.\r\n");
}

static void crowded(struct worker *w, const struct arrival *a)
{
	char ip[64];

	sock_ip(&a->peer, ip);
	if (ration_take(&w->crowded, loop_now(w->loop), "ALERT: Maximum connection limit reached"))
		LOG(L_WARN, "ALERT: Maximum connection limit reached.", L_C("ip", ip),
		    L_U("MAXSESSIONS", w->set->maxsessions));
	refuse(a, "* BYE [UNAVAILABLE] Too many connections.\r\n");
}

static void over_limit(struct worker *w, const struct arrival *a, uint64_t max)
{
	char ip[64], event[128];

	sock_ip(&a->peer, ip);
	snprintf(event, sizeof(event), "ALERT: Maximum connection limit reached for %s", ip);
	if (ration_take(&w->over_limit, loop_now(w->loop),
			"ALERT: Maximum connection limit reached"))
		LOG(L_WARN, event, L_C("ip", ip), L_U("MAXPERIP", max));
	refuse(a, "* BYE [LIMIT] Too many connections from your address.\r\n");
}

/* A load balancer's own connections, which look whether we live, are not a client's. */
static bool is_client(const struct arrival *a)
{
	return !a->proxied || !a->proxied->own;
}

void door_arrived(struct worker *w, struct arrival *a)
{
	struct access_rule rule = {.allow = true};
	struct net_addr ip = {{0}};
	uint64_t max = listener_maxperip(w->set, a->tls);
	bool client = net_addr_of_sock(&a->peer, &ip) && is_client(a);

	if (client)
		rule = access_find(w->access, &ip);
	if (rule.has_max)
		max = rule.max;
	a->counted = client && !netlist_has(&w->exempt, &ip);
	if (a->tls && !tlsctx_get(w->tls)) {
		refuse(a, "");
	} else if (!rule.allow) {
		denied(w, a, &rule);
	} else if (w->nsessions + w->npumps >= w->set->maxsessions) {
		crowded(w, a);
	} else if (a->counted && !ipcount_enter(w->ipcount, &ip, max)) {
		over_limit(w, a, max);
	} else {
		if (w->nsessions >= w->set->maxprelogin)
			session_close_oldest(w);
		session_new(w, a);
	}
}

void door_left(struct worker *w, const struct net_addr *ip)
{
	ipcount_leave(w->ipcount, ip);
}
