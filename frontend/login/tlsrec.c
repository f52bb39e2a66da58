/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/login/tlsrec.h"

/* change_cipher_spec, alert, handshake, application_data; heartbeat (24) is not served. */
static bool plausible(const uint8_t *p, size_t n)
{
	if (p[0] < 20 || p[0] > 23)
		return false;
	return n < 2 || p[1] == 3;
}

size_t tlsrec_whole(const uint8_t *p, size_t n, unsigned *records, bool *bad)
{
	size_t at = 0;

	*bad = false;
	*records = 0;
	while (at < n) {
		const uint8_t *r = p + at;
		size_t left = n - at, len;

		*bad = !plausible(r, left);
		if (*bad || left < TLSREC_HEADER)
			break;
		len = TLSREC_HEADER + ((size_t)r[3] << 8 | r[4]);
		*bad = len > TLSREC_MAX;
		if (*bad || left < len)
			break;
		at += len;
		++*records;
	}
	return at;
}
