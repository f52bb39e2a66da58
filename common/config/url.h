/* SPDX-License-Identifier: Apache-2.0 */
/* url: what the settings' http:// and https:// URLs consist of. Pure. */
#pragma once
#include "common/base/str.h"

struct url {
	bool tls;
	struct str host; /* with the brackets of an IPv6 address */
	uint16_t port;
	bool address; /* host is an IP address, not a name that must be looked up */
};
/* False: neither http:// nor https://, no host, a port that is none, a user name, a fragment, blanks. */
bool url_parse(struct str text, struct url *u);
/* An IPv4 address, or an IPv6 address in brackets. */
bool url_is_address(struct str host);
