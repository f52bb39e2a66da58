/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/oldnames.h"
#include "ctl/ctl.h"

static const struct {
	const char *name, *verb;
	const char *instead; /* where there is no verb */
} names[] = {
	{"authtest", "authtest", NULL},
	{"deliverquota", "deliverquota", NULL},
	{"maildiracl", "acl", NULL},
	{"maildirkw", "kw", NULL},
	{"maildirmake", "maildirmake", NULL},
	{"maildirwatch", "watch", NULL},
	{"mkimapdcert", "mkcert", NULL},
	{"mkpop3dcert", "mkcert", NULL},
	{"couriertcpd", NULL,
	 "posthouse-frontend(8) listens by itself: ADDRESS, PORT, SSLPORT, MAXDAEMONS, MAXPERIP and IMAPACCESSFILE in "
	 "posthouse.conf(5); it and the other daemons are run by systemd (deploy/)"},
	{"courierlogger", NULL,
	 "the daemons log by themselves, to stderr or syslog: see LOG_TO in posthouse.conf(5); systemd "
	 "starts them again"},
};
const char oldnames_list[] =
	"authtest, deliverquota, maildiracl, maildirkw, maildirmake, maildirwatch, mkimapdcert, mkpop3dcert";

const char *oldname_verb(const char *argv0)
{
	const char *slash = strrchr(argv0, '/'), *name = slash ? slash + 1 : argv0;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(names[i].name, name) != 0)
			continue;
		if (!names[i].verb)
			fprintf(stderr, "%s: there is none in Posthouse: %s\n", name,
				names[i].instead);
		return names[i].verb ? names[i].verb : "";
	}
	return NULL;
}
