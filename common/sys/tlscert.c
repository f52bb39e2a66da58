/* SPDX-License-Identifier: Apache-2.0 */
#include "common/sys/tlscert.h"
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

const char *tlscert_error(void)
{
	const char *reason = ERR_reason_error_string(ERR_peek_error());

	ERR_clear_error();
	return reason ? reason : "connection closed";
}

static int fault(struct err *e, const char *what)
{
	return err_set(e, 0, "%s: %s", what, tlscert_error());
}

static int no_passphrase(char *p, int n, int rw, void *ctx)
{
	return -1;
}

static int read_chain(struct tlscert *c, struct str pem, struct err *e)
{
	BIO *b = BIO_new_mem_buf(pem.p, (int)pem.n);
	X509 *x;

	c->chain = sk_X509_new_null();
	c->leaf = PEM_read_bio_X509_AUX(b, NULL, no_passphrase, NULL);
	while (c->leaf && (x = PEM_read_bio_X509(b, NULL, no_passphrase, NULL)))
		sk_X509_push(c->chain, x);
	BIO_free(b);
	if (!c->leaf)
		return fault(e, "no usable certificate");
	/* The end of the file counts as an error; anything else is one. */
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		return fault(e, "certificate chain");
	ERR_clear_error();
	return 0;
}

static int read_key(struct tlscert *c, struct str pem, struct err *e)
{
	BIO *b = BIO_new_mem_buf(pem.p, (int)pem.n);

	c->key = PEM_read_bio_PrivateKey(b, NULL, no_passphrase, NULL);
	BIO_free(b);
	if (!c->key)
		return fault(e, "no usable private key");
	if (X509_check_private_key(c->leaf, c->key) != 1)
		return fault(e, "private key and certificate");
	ERR_clear_error();
	return 0;
}

int tlscert_parse(struct tlscert *c, struct str cert, struct str key, struct err *e)
{
	*c = (struct tlscert){NULL, NULL, NULL};
	ERR_clear_error();
	if (read_chain(c, cert, e) == 0 && read_key(c, key.n ? key : cert, e) == 0)
		return 0;
	tlscert_deinit(c);
	return -1;
}

void tlscert_deinit(struct tlscert *c)
{
	X509_free(c->leaf);
	sk_X509_pop_free(c->chain, X509_free);
	EVP_PKEY_free(c->key);
	*c = (struct tlscert){NULL, NULL, NULL};
}

bool tlscert_names(const struct tlscert *c, const char *name)
{
	if (X509_check_ip_asc(c->leaf, name, 0) == 1)
		return true;
	/* "*.example.com" stands for each host there. */
	if (name[0] == '*')
		name = name[1] == '.' && name[2] ? name + 1 : name;
	return X509_check_host(c->leaf, name, 0, X509_CHECK_FLAG_SINGLE_LABEL_SUBDOMAINS, NULL) ==
	       1;
}
