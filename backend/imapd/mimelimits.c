/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/imapd/mimelimits.h"

struct mime_limits mime_limits_of(const struct settings *s)
{
	return (struct mime_limits){.depth = (uint32_t)s->mime_depth,
				    .parts = (uint32_t)s->mime_parts,
				    .header_max = (size_t)s->mime_header_max,
				    .params = (uint32_t)s->mime_params,
				    .addresses = (uint32_t)s->mime_addresses,
				    .no_backslash = s->imap_client_workarounds};
}
