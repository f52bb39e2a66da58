/* SPDX-License-Identifier: Apache-2.0 */
#include "common/config/url.h"

#include <arpa/inet.h>

bool url_is_address(struct str host)
{
	char text[INET6_ADDRSTRLEN];
	uint8_t address[16];
	bool six = host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';

	if (six)
		host = str_sub(host, 1, host.n - 2);
	if (host.n >= sizeof text || str_has_nul(host))
		return false;
	snprintf(text, sizeof text, "%.*s", STR_ARG(host));
	return inet_pton(six ? AF_INET6 : AF_INET, text, address) == 1;
}

static bool chars_ok(struct str text)
{
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] <= ' ' || text.p[i] == 0x7f || text.p[i] == '#')
			return false;
	return true;
}

static bool set_port(struct url *u, struct str text)
{
	uint32_t n;

	if (!str_u32(text, &n) || n == 0 || n > UINT16_MAX)
		return false;
	u->port = (uint16_t)n;
	return true;
}

bool url_parse(struct str text, struct url *u)
{
	struct str authority;
	size_t end;

	*u = (struct url){.tls = str_istarts(text, STR("https://"))};
	if ((!u->tls && !str_istarts(text, STR("http://"))) || !chars_ok(text))
		return false;
	u->port = u->tls ? 443 : 80;
	authority = str_from(text, u->tls ? 8 : 7);
	authority = str_sub(authority, 0, str_find(authority, '/'));
	authority = str_sub(authority, 0, str_find(authority, '?'));
	if (!authority.n || str_find(authority, '@') < authority.n)
		return false;
	end = authority.p[0] == '[' ? str_find(authority, ']') + 1 : str_find(authority, ':');
	if (end > authority.n)
		return false;
	u->host = str_sub(authority, 0, end);
	u->address = url_is_address(u->host);
	if (!u->host.n || (u->host.p[0] == '[' && !u->address))
		return false;
	return end == authority.n ||
	       (authority.p[end] == ':' && set_port(u, str_from(authority, end + 1)));
}
