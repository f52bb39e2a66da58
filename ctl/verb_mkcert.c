/* SPDX-License-Identifier: Apache-2.0 */
/* posthousectl mkcert: a self-signed certificate to begin with, as Courier's mkimapdcert makes it (R65). */
#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>
#include "common/base/str.h"
#include "ctl/ctl.h"

enum { DAYS = 365, NAME_MAX_BYTES = 64, NAMES_MAX = 100 }; /* RFC 5280 A.1: ub-common-name */

struct request {
	const char *file;
	const char *cn;
	char **names; /* further names and addresses */
	int nnames;
};

static int parse(const struct ctl *c, struct request *q)
{
	*q = (struct request){.cn = "localhost"};
	for (int i = 0; i < c->argc; i++) {
		const char **value = strcmp(c->argv[i], "-f") == 0     ? &q->file
				     : strcmp(c->argv[i], "--cn") == 0 ? &q->cn
								       : NULL;

		if (value && i + 1 < c->argc) {
			*value = c->argv[++i];
		} else if (!value && c->argv[i][0] != '-') {
			q->names = c->argv + i;
			q->nnames = c->argc - i;
			break;
		} else {
			fprintf(stderr, "posthousectl: mkcert: \"%s\"\nTry: posthousectl --help\n",
				c->argv[i]);
			return EXIT_USAGE;
		}
	}
	if (!q->file && c->set->tls_private_keyfile[0])
		return ctl_fault(
			"TLS_PRIVATE_KEYFILE is set, and mkcert puts the key into the certificate's file: name one "
			"with -f");
	if (!q->file)
		q->file = c->set->tls_certfile;
	return 0;
}

static bool is_address(const char *name)
{
	uint8_t bytes[16];

	return inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1;
}

static bool name_ok(const char *name)
{
	size_t n = strlen(name);

	if (is_address(name))
		return true;
	return n && n <= NAME_MAX_BYTES &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.*") ==
		       n;
}

static void add_name(struct buf *b, const char *name)
{
	buf_printf(b, "%s%s:%s", b->n ? "," : "", is_address(name) ? "IP" : "DNS", name);
}

static bool add_extension(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	bool ok = e && X509_add_ext(x, e, -1) == 1;

	X509_EXTENSION_free(e);
	return ok;
}

static bool add_extensions(X509 *x, const struct request *q)
{
	struct buf names = BUF_INIT;
	bool ok;

	add_name(&names, q->cn);
	if (strcmp(q->cn, "localhost") == 0) {
		add_name(&names, "127.0.0.1");
		add_name(&names, "::1");
	}
	for (int i = 0; i < q->nnames; i++)
		add_name(&names, q->names[i]);
	ok = add_extension(x, NID_basic_constraints, "critical,CA:FALSE") &&
	     add_extension(x, NID_key_usage, "critical,digitalSignature") &&
	     add_extension(x, NID_ext_key_usage, "serverAuth") &&
	     add_extension(x, NID_subject_alt_name, buf_cstr(&names));
	buf_deinit(&names);
	return ok;
}

static bool set_serial(X509 *x)
{
	BIGNUM *n = BN_new();
	bool ok = n && BN_rand(n, 127, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
		  BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x));

	BN_free(n);
	return ok;
}

static bool fill(X509 *x, EVP_PKEY *key, const struct request *q)
{
	X509_NAME *name = X509_get_subject_name(x);

	return X509_set_version(x, X509_VERSION_3) == 1 && set_serial(x) &&
	       X509_gmtime_adj(X509_getm_notBefore(x), 0) &&
	       X509_time_adj_ex(X509_getm_notAfter(x), DAYS, 0, NULL) &&
	       X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)q->cn, -1, -1,
					  0) == 1 &&
	       X509_set_issuer_name(x, name) == 1 && X509_set_pubkey(x, key) == 1 &&
	       add_extensions(x, q) && X509_sign(x, key, EVP_sha256()) > 0;
}

/* Certificate and key in PEM. */
static bool make(const struct request *q, BIO *out)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	bool ok = key && x && fill(x, key, q) && PEM_write_bio_X509(out, x) == 1 &&
		  PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) == 1;

	X509_free(x);
	EVP_PKEY_free(key);
	return ok;
}

/* Appears whole or not at all, and over nothing that is there. */
static int put(const char *path, struct str pem)
{
	struct buf part = BUF_INIT;
	int fd, rc = 0;

	buf_printf(&part, "%s.%d.part", path, (int)getpid());
	fd = open(buf_cstr(&part), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		rc = ctl_fault("can't make %s: %s", path, strerror(errno));
		buf_deinit(&part);
		return rc;
	}
	if (write(fd, pem.p, pem.n) != (ssize_t)pem.n || fsync(fd))
		rc = ctl_fault("can't write %s: %s", path, strerror(errno));
	close(fd);
	if (rc == 0 && link(buf_cstr(&part), path))
		rc = errno == EEXIST ? ctl_fault("%s already exists.", path)
				     : ctl_fault("can't make %s: %s", path, strerror(errno));
	unlink(buf_cstr(&part));
	buf_deinit(&part);
	return rc;
}

int ctl_mkcert(const struct ctl *c)
{
	struct request q;
	BIO *pem;
	char *p;
	long n;
	int rc = parse(c, &q);

	if (rc)
		return rc;
	if (q.nnames > NAMES_MAX)
		return ctl_fault("more than %d names", NAMES_MAX);
	for (int i = -1; i < q.nnames; i++)
		if (!name_ok(i < 0 ? q.cn : q.names[i]))
			return ctl_fault("\"%s\" is no host name and no address",
					 i < 0 ? q.cn : q.names[i]);
	if (access(q.file, F_OK) == 0)
		return ctl_fault("%s already exists.", q.file);
	pem = BIO_new(BIO_s_secmem());
	if (!make(&q, pem)) {
		BIO_free(pem);
		return ctl_fault("no certificate: %s", ERR_reason_error_string(ERR_peek_error()));
	}
	n = BIO_get_mem_data(pem, &p);
	rc = put(q.file, str_mem(p, (size_t)n));
	BIO_free(pem);
	if (rc != 0)
		return rc;
	printf("%s: made for %s", q.file, q.cn);
	for (int i = 0; i < q.nnames; i++)
		printf(" %s", q.names[i]);
	printf(", valid for %d days\n", DAYS);
	return 0;
}
