/* SPDX-License-Identifier: Apache-2.0 */
#include "common/config/listener.h"

struct str listener_capability(const struct settings *s, enum listener_kind kind)
{
	const char *list = s->imap_capability;

	if (kind != LISTENER_CLEAR && *s->imap_capability_tls)
		list = s->imap_capability_tls;
	if (kind == LISTENER_SSL && *s->imap_capability_ssl)
		list = s->imap_capability_ssl;
	return str_c(list);
}

uint64_t listener_maxperip(const struct settings *s, bool ssl)
{
	uint64_t n;

	return ssl && str_u64(str_c(s->sslmaxperip), &n) ? n : s->maxperip;
}
