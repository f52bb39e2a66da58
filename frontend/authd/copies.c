/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/copies.h"

struct session_facts copy_facts(struct arena *a, const struct session_facts *from)
{
	struct session_facts f = *from;

	f.protocol = arena_str(a, f.protocol);
	f.session = arena_str(a, f.session);
	f.rip = arena_str(a, f.rip);
	f.lip = arena_str(a, f.lip);
	f.tls_info = arena_str(a, f.tls_info);
	return f;
}

struct auth_peer copy_peer(struct arena *a, const struct auth_peer *from)
{
	struct auth_peer p = *from;

	p.proxy_addr = arena_str(a, p.proxy_addr);
	p.proxy_server_addr = arena_str(a, p.proxy_server_addr);
	p.sni = arena_str(a, p.sni);
	p.cb_exporter = arena_str(a, p.cb_exporter);
	p.cb_endpoint = arena_str(a, p.cb_endpoint);
	p.cert = arena_str(a, p.cert);
	p.cert_fault = arena_str(a, p.cert_fault);
	p.cert_proof = arena_str(a, p.cert_proof);
	return p;
}

struct user_record copy_record(struct arena *a, const struct user_record *from)
{
	struct user_record r = *from;

	r.user = arena_str(a, r.user);
	r.home = arena_str(a, r.home);
	r.maildir = arena_str(a, r.maildir);
	r.quota = arena_str(a, r.quota);
	r.options = arena_str(a, r.options);
	r.mailhost = arena_str(a, r.mailhost);
	return r;
}
