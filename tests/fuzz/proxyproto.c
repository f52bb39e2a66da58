/* SPDX-License-Identifier: Apache-2.0 */
/* PROXY headers: whole and in pieces the outcome is the same, and slices stay inside the header. */
#include "common/base/ensure.h"
#include "common/io/netlist.h"
#include "common/io/proxyproto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_slice(const struct proxyproto *p, struct str s)
{
	if (!s.p)
		return;
	ASSERT((const uint8_t *)s.p >= p->bytes &&
	       (const uint8_t *)s.p + s.n <= p->bytes + p->have);
}

static void check_done(const struct proxyproto *p)
{
	char ip[64];
	struct net_addr a;

	sock_ip(&p->src, ip);
	ASSERT(p->own || net_addr_parse(str_c(ip), &a));
	check_slice(p, p->alpn);
	check_slice(p, p->authority);
	check_slice(p, p->unique_id);
	check_slice(p, p->tls_version);
	check_slice(p, p->tls_cipher);
	check_slice(p, p->tls_cn);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct proxyproto whole, pieces;
	struct str in = str_mem(data, size);
	enum proxyproto_result r, again = PROXYPROTO_MORE;
	size_t used, used2 = 0, n;

	proxyproto_init(&whole);
	proxyproto_init(&pieces);
	r = proxyproto_feed(&whole, in, &used);
	ASSERT(used <= size && (r != PROXYPROTO_MORE || used == size));
	while (used2 < size && again == PROXYPROTO_MORE) {
		again = proxyproto_feed(&pieces, str_sub(in, used2, 1 + data[used2] % 5), &n);
		used2 += n;
	}
	ASSERT(r == again && used == used2);
	if (r == PROXYPROTO_DONE)
		check_done(&whole);
	return 0;
}
