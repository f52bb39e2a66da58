/* SPDX-License-Identifier: Apache-2.0 */
/* Authorities of client certificates and their revocation lists: TLS_TRUSTCERTS, TLS_CRLFILE. */
#include <dirent.h>
#include <openssl/x509.h>
#include <sys/stat.h>
#include "common/base/log.h"
#include "common/sys/certfield.h"
#include "common/sys/tlspolicy.h"
#include "frontend/frontend.h"

enum { TRUST_MAX = 8 << 20, HASH_LEN = 8 };

static struct {
	struct watched ca, crl;
	bool is_dir;
	struct buf ca_pem, crl_pem; /* the last good ones */
	char *fault;
} trust;

/* c_rehash's names: 1a2b3c4d.0 is a certificate, 1a2b3c4d.r0 a revocation list. */
static bool is_hashed(const char *name, bool *list)
{
	if (strspn(name, "0123456789abcdef") != HASH_LEN || name[HASH_LEN] != '.')
		return false;
	name += HASH_LEN + 1;
	*list = name[0] == 'r';
	name += *list;
	return name[0] && strspn(name, "0123456789") == strlen(name);
}

static int read_into(const char *path, struct buf *b, struct err *e)
{
	struct watched w = {.path = path};

	if (watched_read(&w, b->n < TRUST_MAX ? TRUST_MAX - b->n : 0, b, e))
		return -1;
	buf_putc(b, '\n');
	return 0;
}

static int read_directory(const char *dir, struct buf *ca, struct buf *crl, struct err *e)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	int rc = 0;

	if (!d)
		return err_sys(e, "TLS_TRUSTCERTS %s", dir);
	while (rc == 0 && (entry = readdir(d))) {
		struct buf path = BUF_INIT;
		bool list;

		if (!is_hashed(entry->d_name, &list))
			continue;
		buf_printf(&path, "%s/%s", dir, entry->d_name);
		rc = read_into(buf_cstr(&path), list ? crl : ca, e);
		buf_deinit(&path);
	}
	closedir(d);
	if (rc == 0 && !ca->n)
		rc = err_set(e, 0,
			     "TLS_TRUSTCERTS %s has no certificate that openssl rehash would link",
			     dir);
	return rc;
}

static void warn_of_age(X509_STORE *s)
{
	STACK_OF(X509_OBJECT) *all = X509_STORE_get0_objects(s);

	for (int i = 0; i < sk_X509_OBJECT_num(all); i++) {
		X509_CRL *l = X509_OBJECT_get0_X509_CRL(sk_X509_OBJECT_value(all, i));

		if (l && X509_CRL_get0_nextUpdate(l) &&
		    X509_cmp_current_time(X509_CRL_get0_nextUpdate(l)) < 0)
			LOG(L_WARN, "revocation list is out of date", L_C("file", trust.crl.path),
			    L_C("effect",
				"client certificates of that authority are not accepted"));
	}
}

static int load(struct err *e)
{
	struct buf ca = BUF_INIT, crl = BUF_INIT;
	X509_STORE *s = NULL;
	int rc;

	if (trust.is_dir)
		rc = read_directory(trust.ca.path, &ca, &crl, e);
	else if ((rc = watched_read(&trust.ca, TRUST_MAX, &ca, e)))
		err_in(e, "TLS_TRUSTCERTS");
	if (rc == 0 && trust.crl.path[0] && (rc = watched_read(&trust.crl, TRUST_MAX, &crl, e)))
		err_in(e, "TLS_CRLFILE");
	if (rc == 0 && (s = tlspolicy_trust(buf_str(&ca), buf_str(&crl), e))) {
		warn_of_age(s);
		buf_move(&trust.ca_pem, &ca);
		buf_move(&trust.crl_pem, &crl);
	}
	X509_STORE_free(s);
	buf_deinit(&ca);
	buf_deinit(&crl);
	return s ? 0 : -1;
}

static void warn_of_words(const struct settings *set)
{
	const char *names[] = {"TLS_PROTOCOL", "TLS_STARTTLS_PROTOCOL"};
	const char *words[] = {set->tls_protocol, set->tls_starttls_protocol};

	for (int i = 0; i < 2; i++) {
		bool raised;

		tlspolicy_version(words[i], &raised);
		if (raised)
			LOG(L_WARN, "old TLS is not served", L_C("setting", names[i]),
			    L_C("value", words[i]), L_C("lowest", "TLSv1.2"));
	}
}

int trust_open(struct frontend *f, struct err *e)
{
	const struct settings *set = f->set;
	SSL_CTX *c = tlspolicy_new(set, e);
	struct stat st;

	if (!c)
		return -1;
	SSL_CTX_free(c);
	warn_of_words(set);
	trust.ca.path = set->tls_trustcerts;
	trust.crl.path = set->tls_crlfile;
	if (set->tls_external[0] && !certfield_known(set->tls_external))
		return err_set(e, 0, "TLS_EXTERNAL=%.80s: no field of a certificate's subject",
			       set->tls_external);
	if (tlspolicy_verify(set) == TLSPOLICY_NONE)
		return 0;
	if (!trust.ca.path[0])
		return err_set(e, 0, "TLS_VERIFYPEER=%s needs TLS_TRUSTCERTS", set->tls_verifypeer);
	trust.is_dir = stat(trust.ca.path, &st) == 0 && S_ISDIR(st.st_mode);
	if (trust.is_dir)
		watched_stat(&trust.ca);
	return load(e);
}

void trust_look(struct frontend *f, bool force)
{
	struct err e;

	if (!trust.ca_pem.n || (!force && !watched_changed(&trust.ca) &&
				!(trust.crl.path[0] && watched_changed(&trust.crl))))
		return;
	if (trust.is_dir)
		watched_stat(&trust.ca);
	if (load(&e)) {
		/* What is missing or half-written now is looked at again. */
		trust.ca.seen.ino = 0;
		files_complain(&trust.fault, "file not read again", trust.ca.path, &e);
		return;
	}
	free(trust.fault);
	trust.fault = NULL;
	LOG(L_INFO, "client authorities in use", L_C("file", trust.ca.path));
	trust_send(&f->authd);
	for (unsigned i = 0; i < f->nworkers; i++)
		trust_send(&f->workers[i]);
}

void trust_send(struct child *c)
{
	int fds[2] = {-1, -1};

	if (!trust.ca_pem.n)
		return;
	fds[0] = files_memfd(buf_str(&trust.ca_pem));
	fds[1] = files_memfd(buf_str(&trust.crl_pem));
	if (fds[0] >= 0 && fds[1] >= 0)
		child_send_trust(c, fds);
	for (int i = 0; i < 2; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}
