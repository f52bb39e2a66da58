/* SPDX-License-Identifier: Apache-2.0 */
#include "common/io/netlist.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include "common/base/ensure.h"

enum { ADDR_TEXT_MAX = 45, V4_BITS = 96 };

static void from_v4(struct net_addr *a, const void *four)
{
	*a = (struct net_addr){.b = {[10] = 0xff, [11] = 0xff}};
	memcpy(a->b + 12, four, 4);
}

bool net_addr_parse(struct str text, struct net_addr *a)
{
	char c[ADDR_TEXT_MAX + 1];
	uint8_t raw[16];

	if (text.n == 0 || text.n > ADDR_TEXT_MAX || str_has_nul(text))
		return false;
	memcpy(c, text.p, text.n);
	c[text.n] = '\0';
	if (inet_pton(AF_INET, c, raw) == 1)
		from_v4(a, raw);
	else if (inet_pton(AF_INET6, c, raw) == 1)
		memcpy(a->b, raw, sizeof(a->b));
	else
		return false;
	return true;
}

bool net_addr_of_sock(const struct sock_addr *sock, struct net_addr *a)
{
	if (sock->len && sock->ss.ss_family == AF_INET)
		from_v4(a, &((const struct sockaddr_in *)&sock->ss)->sin_addr);
	else if (sock->len && sock->ss.ss_family == AF_INET6)
		memcpy(a->b, &((const struct sockaddr_in6 *)&sock->ss)->sin6_addr, sizeof(a->b));
	else
		return false;
	return true;
}

bool net_addr_is4(const struct net_addr *a)
{
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

	return memcmp(a->b, prefix, sizeof(prefix)) == 0;
}

void net_addr_cut(struct net_addr *a, unsigned bits)
{
	for (unsigned i = 0; i < sizeof(a->b); i++) {
		unsigned kept = bits > i * 8 ? bits - i * 8 : 0;

		if (kept < 8)
			a->b[i] &= (uint8_t)(0xff00 >> kept);
	}
}

int net_parse(struct str text, struct net *n, struct err *e)
{
	size_t slash = str_find(text, '/');
	struct net_addr cut;
	uint32_t bits, max;

	if (!net_addr_parse(str_sub(text, 0, slash), &n->addr))
		return err_set(e, EINVAL, "\"%.*s\" is not an IP address or network",
			       (int)(text.n < 64 ? text.n : 64), text.p);
	/* ::ffff:0:0/96 is written in IPv6, and counts from its front. */
	max = net_addr_is4(&n->addr) && str_find(text, ':') == text.n ? 32 : 128;
	bits = max;
	if (slash < text.n && (!str_u32(str_from(text, slash + 1), &bits) || bits > max))
		return err_set(e, EINVAL, "\"%.*s\": the length of a network is 0 to %u",
			       STR_ARG(text), max);
	n->bits = (uint8_t)(max == 32 ? V4_BITS + bits : bits);
	cut = n->addr;
	net_addr_cut(&cut, n->bits);
	if (memcmp(cut.b, n->addr.b, sizeof(cut.b)) != 0)
		return err_set(e, EINVAL, "\"%.*s\" has bits set behind the first %u",
			       STR_ARG(text), bits);
	return 0;
}

bool net_has(const struct net *n, const struct net_addr *a)
{
	struct net_addr cut = *a;

	net_addr_cut(&cut, n->bits);
	return memcmp(cut.b, n->addr.b, sizeof(cut.b)) == 0;
}

static size_t word_length(struct str s)
{
	size_t n = 0;

	while (n < s.n && !strchr(", \t\r\n", s.p[n]))
		n++;
	return n;
}

int netlist_parse(struct netlist *l, const char *text, const char *setting, struct err *e)
{
	struct str rest = str_c(text);
	struct err why;

	*l = (struct netlist){0};
	while (rest.n) {
		size_t n = word_length(rest);

		if (n) {
			l->a = xrealloc(l->a, (l->n + 1) * sizeof(*l->a));
			if (net_parse(str_sub(rest, 0, n), &l->a[l->n], &why)) {
				netlist_deinit(l);
				return err_set(e, EINVAL, "%s: %s", setting, why.text);
			}
			l->n++;
		}
		rest = str_from(rest, n ? n : 1);
	}
	return 0;
}

bool netlist_has(const struct netlist *l, const struct net_addr *a)
{
	for (size_t i = 0; i < l->n; i++)
		if (net_has(&l->a[i], a))
			return true;
	return false;
}

bool netlist_has_ip(const struct netlist *l, struct str ip)
{
	struct net_addr a;

	return net_addr_parse(ip, &a) && netlist_has(l, &a);
}

void netlist_deinit(struct netlist *l)
{
	free(l->a);
	*l = (struct netlist){0};
}
