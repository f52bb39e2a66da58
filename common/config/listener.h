/* SPDX-License-Identifier: Apache-2.0 */
/* listener: settings that are not the same for PORT and SSLPORT, or not the same within TLS. */
#pragma once
#include "common/base/str.h"
#include "common/config/settings.h"

enum listener_kind {
	LISTENER_CLEAR,    /* PORT, before STARTTLS */
	LISTENER_STARTTLS, /* PORT, behind it; or nobody knows which of the two */
	LISTENER_SSL,      /* SSLPORT */
};
/* IMAP_CAPABILITY and the like; empty: all is offered. */
struct str listener_capability(const struct settings *s, enum listener_kind kind);
uint64_t listener_maxperip(const struct settings *s, bool ssl);
