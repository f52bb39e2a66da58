/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <glob.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>
#include <unistd.h>
#include "ctl/check.h"

#define SOON_DAYS 14

/* A key with a passphrase can't be used by a daemon: don't ask for one either. */
static int no_passphrase(char *out, int n, int writing, void *ctx)
{
	return -1;
}

static EVP_PKEY *read_key(const char *path)
{
	BIO *b = BIO_new_file(path, "r");
	EVP_PKEY *key = b ? PEM_read_bio_PrivateKey(b, NULL, no_passphrase, NULL) : NULL;

	BIO_free(b);
	return key;
}

static X509 *read_cert(const char *path)
{
	BIO *b = BIO_new_file(path, "r");
	X509 *cert = b ? PEM_read_bio_X509(b, NULL, NULL, NULL) : NULL;

	BIO_free(b);
	return cert;
}

static void check_dates(struct check *k, const char *path, const X509 *cert, bool quiet)
{
	int days = 0, seconds = 0;

	if (!ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(cert)))
		check_say(k, CHECK_FAULT, "TLS", "%s: its end date can't be read", path);
	else if (days < 0 || seconds < 0)
		check_say(k, CHECK_FAULT, "TLS", "%s: the certificate has expired: renew it", path);
	else if (X509_cmp_current_time(X509_get0_notBefore(cert)) > 0)
		check_say(k, CHECK_FAULT, "TLS",
			  "%s: the certificate isn't valid yet: look at the clock", path);
	else if (days < SOON_DAYS)
		check_say(k, CHECK_NOTE, "TLS", "%s: the certificate expires in %d days", path,
			  days);
	else if (!quiet)
		check_say(k, CHECK_OK, "TLS", "%s, valid for %d days", path, days);
}

static void check_mode(struct check *k, const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0 && (st.st_mode & 07))
		check_say(k, CHECK_FAULT, "TLS",
			  "%s holds the private key and is open to everybody: chmod o= %s", path,
			  path);
}

/* quiet: a good one is not worth a line. True: it can be used. */
static bool check_pair(struct check *k, const char *cert_path, const char *key_path, bool quiet)
{
	X509 *cert = read_cert(cert_path);
	EVP_PKEY *key = read_key(key_path);
	unsigned faults = k->faults;

	check_mode(k, key_path);
	if (!cert)
		check_say(k, CHECK_FAULT, "TLS", "%s has no certificate in PEM form", cert_path);
	else if (!key)
		check_say(k, CHECK_FAULT, "TLS",
			  "%s has no private key in PEM form without a passphrase", key_path);
	else if (!X509_check_private_key(cert, key))
		check_say(k, CHECK_FAULT, "TLS",
			  "the key in %s doesn't belong to the certificate in %s", key_path,
			  cert_path);
	else
		check_dates(k, cert_path, cert, quiet);
	X509_free(cert);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return k->faults == faults;
}

/* TLS_CERTFILE.NAME; endings without a dot are as likely to be backups, and are passed over. */
static void check_named(struct check *k)
{
	const struct settings *set = k->ctl->set;
	struct buf pattern = BUF_INIT;
	unsigned good = 0;
	glob_t g;

	buf_printf(&pattern, "%s.*", set->tls_certfile);
	if (glob(buf_cstr(&pattern), GLOB_NOESCAPE, NULL, &g) == 0) {
		for (size_t i = 0; i < g.gl_pathc; i++) {
			const char *suffix = g.gl_pathv[i] + strlen(set->tls_certfile) + 1;
			struct buf key = BUF_INIT;

			buf_printf(&key, "%s.%s", set->tls_private_keyfile, suffix);
			if (strpbrk(suffix, ".:") &&
			    check_pair(k, g.gl_pathv[i],
				       set->tls_private_keyfile[0] &&
						       access(buf_cstr(&key), F_OK) == 0
					       ? buf_cstr(&key)
					       : g.gl_pathv[i],
				       true))
				good++;
			buf_deinit(&key);
		}
		globfree(&g);
	}
	buf_deinit(&pattern);
	if (good)
		check_say(k, CHECK_OK, "TLS", "%u certificates by name", good);
}

static void check_clients(struct check *k)
{
	const struct settings *set = k->ctl->set;
	BIO *b;
	X509_CRL *l;

	if (strcmp(set->tls_verifypeer, "NONE") == 0)
		return;
	if (!set->tls_trustcerts[0])
		check_say(k, CHECK_FAULT, "TLS", "TLS_VERIFYPEER=%s, but TLS_TRUSTCERTS is not set",
			  set->tls_verifypeer);
	else if (access(set->tls_trustcerts, R_OK) < 0)
		check_say(k, CHECK_FAULT, "TLS", "can't read %s: %s (TLS_TRUSTCERTS)",
			  set->tls_trustcerts, strerror(errno));
	else
		check_say(k, CHECK_OK, "TLS", "client certificates of %s", set->tls_trustcerts);
	if (!set->tls_crlfile[0])
		return;
	b = BIO_new_file(set->tls_crlfile, "r");
	l = b ? PEM_read_bio_X509_CRL(b, NULL, NULL, NULL) : NULL;
	if (!l)
		check_say(k, CHECK_FAULT, "TLS",
			  "%s has no revocation list in PEM form (TLS_CRLFILE)", set->tls_crlfile);
	for (; l; X509_CRL_free(l), l = PEM_read_bio_X509_CRL(b, NULL, NULL, NULL))
		if (X509_CRL_get0_nextUpdate(l) &&
		    X509_cmp_current_time(X509_CRL_get0_nextUpdate(l)) < 0)
			check_say(k, CHECK_FAULT, "TLS",
				  "%s: a revocation list is out of date: fetch it again",
				  set->tls_crlfile);
	BIO_free(b);
	ERR_clear_error();
}

void check_tls(struct check *k)
{
	const struct settings *set = k->ctl->set;
	const char *cert_path = set->tls_certfile;
	const char *key_path = set->tls_private_keyfile[0] ? set->tls_private_keyfile : cert_path;

	if (set->sslport[0] == '\0' && !set->imapdstarttls) {
		check_say(k, CHECK_NOTE, "TLS", "off: SSLPORT is empty and IMAPDSTARTTLS=0");
		return;
	}
	if (access(cert_path, R_OK) < 0 || access(key_path, R_OK) < 0) {
		check_say(
			k, CHECK_FAULT, "TLS",
			"can't read %s: %s (TLS_CERTFILE, TLS_PRIVATE_KEYFILE; posthousectl mkcert makes one to begin with)",
			access(cert_path, R_OK) < 0 ? cert_path : key_path, strerror(errno));
		return;
	}
	check_pair(k, cert_path, key_path, false);
	check_named(k);
	check_clients(k);
}
