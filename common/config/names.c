/* SPDX-License-Identifier: Apache-2.0 */
#include "common/config/names.h"

#include "common/base/ensure.h"

/* Of Courier's imapd, imapd-ssl, pop3d, pop3d-ssl: about its own processes and build. */
static const char *const dead[] = {
	"COURIERTLS", "HEADERFROM_ORIG", "IMAPDSSLSTART", "IMAPDSTART",
	"IMAP_BROKENUIDV", "IMAP_CAPABILITY_TLS",
	"IMAP_STARTTLS", "IMAP_ULIMITD", "LOGGEROPTS", "PIDFILE", "POP3DSSLSTART", "POP3DSTART", "PRERUN",
	"PROTOCOL", "SMAP_CAPABILITY", "SSLLOGGEROPTS", "SSLPIDFILE", "TCPDOPTS", "TLS_CACHEFILE",
	"TLS_CACHESIZE", "TLS_CERTINFO", "TLS_COMPRESSION", "TLS_DHCERTFILE", "TLS_DHPARAMS", "TLS_KX_LIST",
	"TLS_MIN_DH_BITS", "TLS_PRIORITY", "TLS_TIMEOUT",
};

static const char *const later[] = {
	"DOMAINSEP", "HEADERFROM", "IMAP_ACL",
	"IMAP_DISABLETHREADSORT", "IMAP_EMPTYTRASH", "IMAP_LOG_DELETIONS",
	"IMAP_MOVE_EXPUNGE_TO_TRASH", "IMAP_PROXY", "IMAP_PROXY_FOREIGN", "IMAP_SHAREDINDEXFILE",
	"IMAP_SHAREDMUNGENAMES", "IMAP_TRASHFOLDERNAME", "IMAP_UMASK", "OUTBOX", "OUTBOX_MULTIPLE_SEND",
	"OUTBOX_REJECT_DRAFTS", "POP3AUTH", "POP3AUTH_TLS", "POP3_LOG_DELETIONS", "POP3_PROXY",
	"POP3_STARTTLS", "POP3_TLS_REQUIRED", "PROXY_HOSTNAME", "SENDMAIL",
};

static bool listed(const char *const *list, size_t n, struct str name)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(str_c(list[i]), name))
			return true;
	return false;
}

enum names_kind names_classify(struct str name)
{
	if (str_eq(name, STR("IMAP_USERLOCKS")))
		return NAMES_SLIP;
	if (listed(later, ARRAY_LEN(later), name))
		return NAMES_LATER;
	/* Names with _ORIG are for the web administration. */
	if (listed(dead, ARRAY_LEN(dead), name) || str_ends(name, STR("_ORIG")))
		return NAMES_DEAD;
	return NAMES_UNKNOWN;
}

size_t names_distance(struct str a, struct str b, size_t limit)
{
	enum { LONGEST = 40 };
	size_t row[LONGEST + 1];

	if (a.n > LONGEST || b.n > LONGEST)
		return limit + 1;
	for (size_t j = 0; j <= b.n; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.n; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b.n; j++) {
			bool same = str_ieq(str_sub(a, i - 1, 1), str_sub(b, j - 1, 1));
			size_t best = diagonal + !same;

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[b.n];
}
