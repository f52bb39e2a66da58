/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "common/base/ensure.h"
#include "common/config/courier.h"
#include "common/config/listener.h"
#include "common/config/names.h"
#include "common/config/settings.h"
#include "common/config/table.h"

static char dir[] = "/tmp/courier-test-XXXXXX";
static const char *const files[] = {"imapd", "imapd-ssl", "pop3d", "pop3d-ssl", "authdaemonrc", "posthouse.conf"};

static void write_file(const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	if (text == NULL) {
		(void)unlink(path);
		return;
	}
	f = fopen(path, "we");
	fputs(text, f);
	fclose(f);
}

static int each_test(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		write_file(files[i], NULL);
	return 0;
}

/* imapd and imapd-ssl; NULL: not there. */
static int load(struct settings *s, const char *imapd, const char *ssl, struct buf *warnings, struct err *e)
{
	write_file("imapd", imapd);
	write_file("imapd-ssl", ssl);
	return settings_load(s, &(struct settings_opts){.file = dir, .no_env = true}, warnings, e);
}

static bool said(struct buf *warnings, const char *text)
{
	return strstr(buf_cstr(warnings), text) != NULL;
}

/* Port 143: imapd-ssl, then imapd. Port 993: imapd, then imapd-ssl. */
static void test_order(void **state)
{
	struct buf w = BUF_INIT;
	struct settings s;
	struct err e;

	assert_int_equal(load(&s,
			      "MAXPERIP=4\nPORT=1143\nPIDFILE=/a\nIMAP_CAPABILITY=\"IMAP4rev1\"\n"
			      "IMAP_CAPABILITY_TLS=\"$IMAP_CAPABILITY AUTH=PLAIN\"\nAUTHSERVICE143=one\nAUTHSERVICE993=two\n"
			      "TLS_CERTFILE=/a.pem\nMAILDIRPATH=Maildir\n",
			      "MAXPERIP=6\nSSLPORT=993\nPIDFILE=/b\nIMAP_CAPABILITY_TLS=\"$IMAP_CAPABILITY IDLE\"\n"
			      "AUTHSERVICE143=three\nAUTHSERVICE993=four\nTLS_PROTOCOL=TLSv1.3\n"
			      "TLS_STARTTLS_PROTOCOL=\"$TLS_PROTOCOL\"\nTLS_CERTFILE=/b.pem\nMAILDIRPATH=Maildir\n",
			      &w, &e), 0);
	assert_int_equal(listener_maxperip(&s, false), 4);
	assert_int_equal(listener_maxperip(&s, true), 6);
	assert_string_equal(s.pidfile, "/a");
	assert_true(str_eq(listener_capability(&s, LISTENER_CLEAR), STR("IMAP4rev1")));
	assert_true(str_eq(listener_capability(&s, LISTENER_STARTTLS), STR("IMAP4rev1 AUTH=PLAIN")));
	assert_true(str_eq(listener_capability(&s, LISTENER_SSL), STR("IMAP4rev1 IDLE")));
	assert_string_equal(s.authservice, "143=one 993=four");
	assert_string_equal(s.tls_protocol, "TLSv1.3");
	assert_string_equal(s.tls_starttls_protocol, "TLSv1.3");
	/* one setting for both ports: that of 143, and both are named */
	assert_string_equal(s.tls_certfile, "/a.pem");
	assert_true(said(&w, "/imapd:8: TLS_CERTFILE=/a.pem is for port 143 and TLS_CERTFILE=/b.pem of "));
	assert_true(said(&w, "/imapd-ssl:9 for 993"));
	assert_false(said(&w, "MAXPERIP"));
	assert_false(said(&w, "MAILDIRPATH"));
	assert_string_equal(s.authmodules, "authlib");
	assert_non_null(strstr(settings_origin(&s, "MAXPERIP"), "/imapd:1"));
	assert_non_null(strstr(settings_origin(&s, "SSLMAXPERIP"), "/imapd-ssl:1"));
	assert_null(settings_origin(&s, "RUNDIR"));
	settings_free(&s);
	buf_deinit(&w);
}

/* $NAME is what the files before said: nothing, where it comes later. */
static void test_expansion_in_order(void **state)
{
	struct buf w = BUF_INIT;
	struct settings s;
	struct err e;

	assert_int_equal(load(&s, "CERTS=/etc/c\nMAILDIRPATH=\"a$LATER\"\nTLS_CERTFILE=${CERTS}/x.pem\n", "LATER=b\n", &w, &e), 0);
	assert_string_equal(s.maildirpath, "ab"); /* for 143 imapd-ssl is first */
	assert_true(said(&w, "MAILDIRPATH=ab is for port 143 and MAILDIRPATH=a of "));
	assert_string_equal(s.tls_certfile, "/etc/c/x.pem");
	assert_false(said(&w, "CERTS"));
	settings_free(&s);
	buf_reset(&w);
	assert_int_equal(load(&s, "A=$A$A\nPORT=1\nPORT=2\nMAXPERIPP=3\nMAXPERIP=\n", NULL, &w, &e), 0);
	assert_string_equal(s.port, "2"); /* as in a shell */
	assert_int_equal(s.maxperip, 20);
	assert_true(said(&w, "/imapd:3: PORT is set again, this value counts and not that of "));
	assert_true(said(&w, "/imapd:4: MAXPERIPP is not known and not used; is MAXPERIP meant?"));
	settings_free(&s);
	buf_deinit(&w);
}

static void test_start_flags(void **state)
{
	static const struct {
		const char *plain, *ssl, *port, *sslport;
	} cases[] = {
		{"IMAPDSTART=YES\n", "IMAPDSSLSTART=NO\n", "143", ""},
		{"IMAPDSTART=NO\n", "IMAPDSSLSTART=YES\n", "", "993"},
		{"IMAPDSTART=NO\n", "IMAPDSSLSTART=NO\n", "143", "993"},
		{"PORT=143\n", "SSLPORT=993\n", "143", "993"},
		{"PORT=143\nIMAPDSTART=no\n", "SSLPORT=993\n", "", "993"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct settings s;
		struct err e;

		assert_int_equal(load(&s, cases[i].plain, cases[i].ssl, NULL, &e), 0);
		assert_string_equal(s.port, cases[i].port);
		assert_string_equal(s.sslport, cases[i].sslport);
		settings_free(&s);
	}
}

static void test_authdaemonrc(void **state)
{
	struct buf w = BUF_INIT;
	struct settings s;
	struct err e;

	write_file("authdaemonrc", "authmodulelist=\"authpam\"\nauthdaemonvar=/run/x\nDEFAULTOPTIONS=\"disablepop3=1\"\n");
	assert_int_equal(load(&s, "PORT=1\n", NULL, &w, &e), 0);
	assert_string_equal(s.authlib_socket, "/run/x/socket");
	assert_string_equal(s.defaultoptions, "disablepop3=1");
	settings_free(&s);
	write_file("authdaemonrc", "authdaemonvar=`id`\n"); /* not ours: no reason not to start */
	assert_int_equal(load(&s, "AUTHMODULES=\"authdaemon\"\n", NULL, &w, &e), 0);
	assert_true(said(&w, "authdaemonrc:1: "));
	assert_string_equal(s.authmodules, "authdaemon");
	settings_free(&s);
	buf_deinit(&w);
}

/* What is set in our own file, or on the command line, wins. */
static void test_ours_wins(void **state)
{
	char path[300], text[400];
	struct settings s;
	struct err e;
	struct settings_opts o = {.file = path, .no_env = true, .set = (const char *const[]){"MAXPERUSER=9", NULL}};

	write_file("imapd", "MAXPERIP=4\nMAXDAEMONS=41\nPORT=1143\n");
	snprintf(path, sizeof path, "%s/posthouse.conf", dir);
	snprintf(text, sizeof text, "COURIER_CONFIG=%s\nMAXPERIP=7\nAUTHMODULES=passwd-file\n", dir);
	write_file("posthouse.conf", text);
	assert_int_equal(settings_load(&s, &o, NULL, &e), 0);
	assert_int_equal(s.maxperip, 7);
	assert_int_equal(s.maxdaemons, 41);
	assert_int_equal(s.maxperuser, 9);
	assert_string_equal(s.authmodules, "passwd-file");
	settings_free(&s);
	/* a file of Courier's means its directory */
	snprintf(path, sizeof path, "%s/imapd", dir);
	assert_int_equal(settings_load(&s, &o, NULL, &e), 0);
	assert_int_equal(s.maxperip, 4);
	settings_free(&s);
}

static void test_errors(void **state)
{
	static const char *const cases[][2] = {
		{"PORT=143\n. /etc/default/x\n", "/imapd:2: not of the form"},
		{"PORT=`id`\n", "/imapd:1: "},
		{"MAXPERIP=x\n", "/imapd:1: MAXPERIP=x is not a number"},
		{"IMAP_PROXY=1\n", "/imapd:1: IMAP_PROXY=1: "},
		{"\x7f" "ELF", "/imapd:1: a control character"},
	};
	struct settings s;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(load(&s, cases[i][0], NULL, NULL, &e), -1);
		assert_non_null(strstr(e.text, cases[i][1]));
	}
	assert_int_equal(settings_load(&s, &(struct settings_opts){.file = "/dev/null", .no_env = true,
					      .set = (const char *const[]){"COURIER_CONFIG=/nowhere", NULL}}, NULL, &e), -1);
	assert_non_null(strstr(e.text, "COURIER_CONFIG=/nowhere: neither imapd nor imapd-ssl"));
}

/* Every name of Courier's manuals (FEATURES.md R71, R72, R104): a setting, or explained. None is passed over. */
static void test_no_name_is_passed_over(void **state)
{
	static const char *const imap[] = {
		"TLS_PROTOCOL=TLSv1", "TLS_STARTTLS_PROTOCOL=TLSv1", "TLS_CIPHER_LIST=HIGH", "TLS_PRIORITY=NORMAL",
		"TLS_MIN_DH_BITS=1024", "TLS_DHPARAMS=/x", "TLS_CACHEFILE=/x", "TLS_CACHESIZE=524288", "TLS_ALPN=pop3",
		"TLS_TIMEOUT=60", "ADDRESS=127.0.0.1", "PORT=1143", "AUTHSERVICE143=mail", "PIDFILE=/x", "TCPDOPTS=-user=x",
		"IMAPACCESSFILE=/none", "LOGGEROPTS=-name=x", "DEFDOMAIN=@x", "DOMAINSEP=%", "IMAP_KEYWORDS=0", "IMAP_ACL=1",
		"PROXY_HOSTNAME=x", "IMAP_PROXY_FOREIGN=1", "IMAP_IDLE_TIMEOUT=61",
		"IMAP_MAILBOX_SANITY_CHECK=0", "IMAP_DISABLETHREADSORT=1", "IMAP_CHECK_ALL_FOLDERS=1",
		"IMAP_OBSOLETE_CLIENT=1", "IMAP_UMASK=007", "IMAP_USELOCKS=0", "IMAP_TRASHFOLDERNAME=Bin",
		"IMAP_EMPTYTRASH=Bin:7", "IMAP_MOVE_EXPUNGE_TO_TRASH=1", "IMAP_LOG_DELETIONS=1", "AUTH_MKHOMEDIR_SKEL=/etc/skel",
		"IMAPDEBUGFILE=debug", "OUTBOX=.Outbox", "SENDMAIL=/usr/sbin/sendmail2", "HEADERFROM=X-From", "IMAP_ID_FIELDS=3",
		"OUTBOX_MULTIPLE_SEND=1", "IMAPDSTART=NO", "MAILDIRPATH=Mail", "IMAP_BROKENUIDV=1", "MAXDAEMONS=41",
		"MAXPERIP=5", "IMAP_CAPABILITY=IMAP4rev1", "IMAP_CAPABILITY_TLS=IMAP4rev1", "IMAP_CAPABILITY_ORIG=x",
		"IMAP_ULIMITD=65536", "IMAP_ENHANCEDIDLE=0", "IMAP_SHAREDINDEXFILE=/x", "IMAP_SHAREDMUNGENAMES=1",
		"IMAPDSTARTTLS=NO", "IMAP_TLS_REQUIRED=1", "COURIERTLS=/x", "TLS_CERTFILE=/x", "TLS_PRIVATE_KEYFILE=/x",
		"TLS_DHCERTFILE=/x", "TLS_TRUSTCERTS=/x", "TLS_VERIFYPEER=PEER", "TLS_EXTERNAL=CN", "TLS_COMPRESSION=NULL",
		"TLS_KX_LIST=ALL", "SSLPORT=1993", "SSLADDRESS=127.0.0.1", "SSLPIDFILE=/x", "SSLLOGGEROPTS=-name=x",
		"AUTHMODULES=authdaemon", "SMAP_CAPABILITY=SMAP1", "PRERUN=x",
	};
	static const char *const pop[] = {
		"PORT", "SSLPORT", "MAXDAEMONS", "MAXPERIP", "POP3AUTH", "POP3AUTH_TLS", "POP3_PROXY", "PROXY_HOSTNAME",
		"POP3_LOG_DELETIONS", "DEFDOMAIN", "TCPDOPTS", "LOGGEROPTS", "AUTH_MKHOMEDIR_SKEL", "MAILDIRPATH",
		"MIME_UNICODE_MESSAGE_TYPE", "POP3DSTART", "POP3DSSLSTART", "POP3_STARTTLS", "POP3_TLS_REQUIRED", "PIDFILE",
		"POP3AUTH_ORIG", "POP3AUTH_TLS_ORIG",
	};

	for (size_t i = 0; i < ARRAY_LEN(imap); i++) {
		struct str rest = str_c(imap[i]), name = str_split(&rest, '=');
		char *plain = str_dup(name);
		struct buf w = BUF_INIT;
		struct settings s;
		struct err e;
		int rc = load(&s, imap[i], NULL, &w, &e);

		/* it has an effect, or a line says why not, or it is refused, where it stands */
		if (rc != 0)
			assert_non_null(strstr(e.text, "/imapd:1: "));
		else if (!settings_origin(&s, plain) && !(str_starts(name, STR("AUTHSERVICE")) && s.authservice[0]))
			assert_true(said(&w, "/imapd:1: "));
		if (rc == 0)
			settings_free(&s);
		free(plain);
		buf_deinit(&w);
	}
	for (size_t i = 0; i < ARRAY_LEN(pop); i++)
		assert_true(table_find(str_c(pop[i])) || names_find(str_c(pop[i])));
}

static void test_pop3(void **state)
{
	struct buf w = BUF_INIT;
	struct settings s;
	struct err e;

	write_file("pop3d", "PORT=110\nMAXPERIP=4\nPOP3DSTART=YES\nPOP3AUTHH=x\n");
	write_file("pop3d-ssl", "SSLPORT=995\nPOP3DSSLSTART=YES\n");
	assert_int_equal(load(&s, "MAXPERIP=5\n", NULL, &w, &e), 0);
	assert_string_equal(s.port, "143");
	assert_int_equal(s.maxperip, 5);
	assert_true(said(&w, "/pop3d:3: POP3DSTART=YES: POP3 is not served yet"));
	assert_false(said(&w, "POP3DSSLSTART=YES"));
	assert_true(said(&w, "/pop3d:4: POP3AUTHH is not known"));
	settings_free(&s);
	buf_deinit(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_order, each_test),
		cmocka_unit_test_setup(test_expansion_in_order, each_test),
		cmocka_unit_test_setup(test_start_flags, each_test),
		cmocka_unit_test_setup(test_authdaemonrc, each_test),
		cmocka_unit_test_setup(test_ours_wins, each_test),
		cmocka_unit_test_setup(test_errors, each_test),
		cmocka_unit_test_setup(test_no_name_is_passed_over, each_test),
		cmocka_unit_test_setup(test_pop3, each_test),
	};
	int rc;

	if (!mkdtemp(dir))
		return 1;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	each_test(NULL);
	(void)rmdir(dir);
	return rc;
}
