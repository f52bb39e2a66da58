/* SPDX-License-Identifier: Apache-2.0 */
#include "common/config/names.h"

#include "common/base/ensure.h"

/* clang-format off */
static const struct names_row rows[] = {
	{"AUTHSERVICE", NAMES_DEAD, "", "AUTHSERVICE143=NAME names a port; PAM services are named by courier-authlib"},
	{"COURIERTLS", NAMES_DEAD, "", "the program that did TLS; login workers do it themselves"},
	{"DOMAINSEP", NAMES_DEAD, "@", "the character before the domain in user names; it is @"},
	{"IMAPDSSLSTART", NAMES_DEAD, "1|y|yes", "whether the init script starts it; SSLPORT= (empty) turns TLS on 993 off"},
	{"IMAPDSTART", NAMES_DEAD, "1|y|yes", "whether the init script starts it; PORT= (empty) turns IMAP on 143 off"},
	{"IMAP_ACL", NAMES_LATER, "0", "access control lists (ACL) are not there yet"},
	{"IMAP_BROKENUIDV", NAMES_DEAD, "0", "a workaround for UIDVALIDITY of old clients; UIDVALIDITY is a plain number here"},
	{"IMAP_PROXY", NAMES_REFUSED, "0|n|no", "clients are not sent on to other hosts yet: accounts with another mailhost can't log in here; put a proxy in front, and set IMAP_PROXY=0"},
	{"IMAP_PROXY_FOREIGN", NAMES_DEAD, "0|n|no", "for IMAP_PROXY with servers other than Courier"},
	{"IMAP_SHAREDINDEXFILE", NAMES_LATER, "", "shared folders are not there yet"},
	{"IMAP_SHAREDMUNGENAMES", NAMES_LATER, "0", "shared folders are not there yet"},
	{"IMAP_STARTTLS", NAMES_DEAD, "", "an older name; IMAPDSTARTTLS says whether STARTTLS is offered"},
	{"IMAP_USERLOCKS", NAMES_SLIP, "", "IMAP_USELOCKS is meant"},
	{"LOGGEROPTS", NAMES_DEAD, "", "options of courierlogger; LOG_TO and LOG_FORMAT say where log lines go"},
	{"MIME_UNICODE_MESSAGE_TYPE", NAMES_DEAD, "message/global", "the MIME type of messages in UTF-8 for POP3, which is not served yet"},
	{"POP3AUTH", NAMES_LATER, "", "POP3 is not served yet"},
	{"POP3AUTH_TLS", NAMES_LATER, "", "POP3 is not served yet"},
	{"POP3DSSLSTART", NAMES_LATER, "0|n|no", "POP3 is not served yet; another server has to"},
	{"POP3DSTART", NAMES_LATER, "0|n|no", "POP3 is not served yet; another server has to"},
	{"POP3_LOG_DELETIONS", NAMES_LATER, "", "POP3 is not served yet"},
	{"POP3_PROXY", NAMES_REFUSED, "0|n|no", "POP3 is not served yet; set POP3_PROXY=0"},
	{"POP3_STARTTLS", NAMES_LATER, "", "POP3 is not served yet"},
	{"POP3_TLS_REQUIRED", NAMES_LATER, "", "POP3 is not served yet"},
	{"PRERUN", NAMES_DEAD, "", "a command in front of the daemon; start the daemons through it"},
	{"PROTOCOL", NAMES_DEAD, "", "set by the start script; a port says which protocol it has"},
	{"PROXY_HOSTNAME", NAMES_DEAD, "", "our own name for IMAP_PROXY; an account's mailhost is compared with the host name"},
	{"SMAP_CAPABILITY", NAMES_DEAD, "", "the SMAP protocol of Courier webmail; IMAP is served only"},
	{"SSLLOGGEROPTS", NAMES_DEAD, "", "options of courierlogger; LOG_TO and LOG_FORMAT say where log lines go"},
	{"TCPDOPTS", NAMES_DEAD, "-nodnslookup -noidentlookup|-nodnslookup", "options of couriertcpd; ADDRESS, PORT, MAXPERIP and IMAPACCESSFILE take their place, names of clients are not looked up"},
	{"TLS_CACHEFILE", NAMES_DEAD, "", "the session cache; sessions are resumed by tickets (TLS_TICKETS, TLS_TICKET_KEYFILE)"},
	{"TLS_CACHESIZE", NAMES_DEAD, "", "the session cache; sessions are resumed by tickets (TLS_TICKETS, TLS_TICKET_KEYFILE)"},
	{"TLS_CERTINFO", NAMES_DEAD, "", "set by couriertls; the log names the certificate of a client"},
	{"TLS_COMPRESSION", NAMES_DEAD, "", "compression in TLS is never on (CRIME)"},
	{"TLS_DHCERTFILE", NAMES_DEAD, "", "keys for DH; ECDHE is used, and the groups of RFC 7919"},
	{"TLS_DHPARAMS", NAMES_DEAD, "", "parameters for DH; ECDHE is used, and the groups of RFC 7919"},
	{"TLS_KX_LIST", NAMES_DEAD, "", "key exchanges for GnuTLS; TLS_CIPHER_LIST takes its place"},
	{"TLS_MIN_DH_BITS", NAMES_DEAD, "", "for GnuTLS; DH parameters are not used"},
	{"TLS_PRIORITY", NAMES_DEAD, "", "ciphers in the words of GnuTLS; TLS_CIPHER_LIST (OpenSSL) takes its place"},
	{"TLS_TIMEOUT", NAMES_DEAD, "", "Courier never looked at it; PRELOGIN_TIMEOUT limits the handshake"},
};
/* clang-format on */

/* For the web administration: what it may turn on. */
static const struct names_row orig = {"_ORIG", NAMES_DEAD, "", "for Courier's web administration only"};
static const struct names_row service = {"AUTHSERVICE", NAMES_DEAD, "", "service names are for courier-authlib"};

const struct names_row *names_find(struct str name)
{
	uint64_t port;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (str_eq(str_c(rows[i].name), name))
			return &rows[i];
	if (str_ends(name, STR("_ORIG")))
		return &orig;
	if (str_starts(name, STR("AUTHSERVICE")) && str_u64(str_from(name, sizeof("AUTHSERVICE") - 1), &port))
		return &service;
	return NULL;
}

bool names_fine(const struct names_row *r, struct str value)
{
	struct str rest = str_c(r->fine);

	if (value.n == 0)
		return true;
	while (rest.p)
		if (str_ieq(str_split(&rest, '|'), value))
			return true;
	return false;
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
