/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/login/tlsctx.h"
#include <openssl/err.h>
#include "common/base/ensure.h"
#include "common/base/hmap.h"
#include "common/base/log.h"
#include "common/ipc/certs.h"
#include "common/sys/tlspolicy.h"
#include "frontend/login/tickets.h"
#include "frontend/login/tlsconn.h"

enum { CA_NAMES_MAX = 4096 };

/* OpenSSL takes half a millisecond to read one, so they are read when they are asked for first; main has
 * looked at them. */
struct named {
	struct tlscert cert;
	struct buf pem, key; /* until then; both empty and no leaf: it can't be used */
	char *file;
};

struct tlsctx {
	const struct settings *set;
	SSL_CTX *ctx;
	struct tlscert def;
	struct hmap *names; /* struct named */
	struct tickets tickets;
	X509_STORE *trust;
	STACK_OF(X509_NAME) * authorities; /* named to clients */
};

/* ---- which certificate ---------------------------------------------------------------------- */

static struct named *by_host(const struct tlsctx *t, const char *name)
{
	char lower[CERTS_NAME_MAX + 1];
	size_t n = strlen(name), dot;
	struct named *c;

	if (n == 0 || n > CERTS_NAME_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++)
		lower[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + 32) : name[i];
	if (lower[n - 1] == '.')
		n--;
	c = hmap_get(t->names, str_mem(lower, n));
	dot = str_find(str_mem(lower, n), '.');
	if (c || dot == 0 || dot == n)
		return c;
	lower[dot - 1] = '*';
	return hmap_get(t->names, str_mem(lower + dot - 1, n - dot + 1));
}

/* What OpenSSL doesn't take (a key that is too short for its security level) must not come up within a
 * handshake. */
static int try_out(struct tlsctx *t, const struct tlscert *c, struct err *e)
{
	SSL *ssl = SSL_new(t->ctx);
	int ok = ssl && SSL_use_cert_and_key(ssl, c->leaf, c->key, c->chain, 1) == 1;

	SSL_free(ssl);
	return ok ? 0 : err_set(e, 0, "certificate: %s", tlscert_error());
}

static const struct tlscert *read_named(struct tlsctx *t, struct named *n)
{
	struct err e;

	if (!n->pem.n)
		return n->cert.leaf ? &n->cert : NULL;
	if (tlscert_parse(&n->cert, buf_str(&n->pem), buf_str(&n->key), &e) ||
	    try_out(t, &n->cert, &e)) {
		tlscert_deinit(&n->cert);
		LOG(L_ERROR, "certificate not used", L_C("file", n->file), L_C("error", e.text));
	}
	buf_wipe(&n->pem);
	buf_wipe(&n->key);
	return n->cert.leaf ? &n->cert : NULL;
}

const struct tlscert *tlsctx_find(struct tlsctx *t, const char *name, const char *address)
{
	struct named *n = NULL;
	const struct tlscert *c = NULL;

	if (!t->ctx)
		return NULL;
	if (hmap_count(t->names) && name)
		n = by_host(t, name);
	if (!n && hmap_count(t->names) && address)
		n = hmap_get(t->names, str_c(address));
	if (n)
		c = read_named(t, n);
	return c ? c : &t->def;
}

/* Comes in full handshakes only: one that is resumed shows no certificate. */
static int choose(SSL *ssl, void *arg)
{
	struct tlsctx *t = arg;
	const struct tlsconn *conn = SSL_get_app_data(ssl);
	const struct tlscert *c = tlsctx_find(t, SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name),
					      conn ? conn->local_ip : NULL);

	if (!c || c == &t->def)
		return 1;
	SSL_certs_clear(ssl);
	return SSL_use_cert_and_key(ssl, c->leaf, c->key, c->chain, 1);
}

/* ---- the context ---------------------------------------------------------------------------- */

/* Client certificates may be wrong here: authd says what that means (TLS_VERIFYPEER=PEER). */
static int go_on(int ok, X509_STORE_CTX *x)
{
	return 1;
}

static void set_verify(struct tlsctx *t, SSL_CTX *c)
{
	enum tlspolicy_verify v = tlspolicy_verify(t->set);

	if (v == TLSPOLICY_NONE)
		return;
	if (t->trust)
		SSL_CTX_set1_cert_store(c, t->trust);
	if (t->authorities)
		SSL_CTX_set_client_CA_list(c, SSL_dup_CA_list(t->authorities));
	if (v == TLSPOLICY_PEER)
		SSL_CTX_set_verify(c, SSL_VERIFY_PEER, go_on);
	else
		SSL_CTX_set_verify(c, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
}

static SSL_CTX *build(struct tlsctx *t, const struct tlscert *cert, struct err *e)
{
	SSL_CTX *c = tlspolicy_new(t->set, e);

	if (!c)
		return NULL;
	if (SSL_CTX_use_cert_and_key(c, cert->leaf, cert->key, cert->chain, 1) != 1) {
		err_set(e, 0, "certificate: %s", tlscert_error());
		SSL_CTX_free(c);
		return NULL;
	}
	SSL_CTX_set_cert_cb(c, choose, t);
	tickets_use(&t->tickets, c);
	set_verify(t, c);
	return c;
}

/* The context is made anew from the certificate given, which becomes the default. */
static int rebuild(struct tlsctx *t, const struct tlscert *cert, struct err *e)
{
	SSL_CTX *c = build(t, cert, e);

	if (!c)
		return -1;
	SSL_CTX_free(t->ctx);
	t->ctx = c;
	return 0;
}

SSL_CTX *tlsctx_get(const struct tlsctx *t)
{
	return t->ctx;
}

/* ---- what comes from frontend main ----------------------------------------------------------- */

static void drop(struct named *n)
{
	if (!n)
		return;
	tlscert_deinit(&n->cert);
	buf_wipe(&n->pem);
	buf_wipe(&n->key);
	free(n->file);
	free(n);
}

static void take_named(struct tlsctx *t, const struct certs_record *r)
{
	struct named *n = xcalloc(1, sizeof(*n));

	buf_str_put(&n->pem, r->cert);
	buf_str_put(&n->key, r->key);
	n->file = str_dup(r->file);
	drop(hmap_put(t->names, r->name, n));
}

static void take_default(struct tlsctx *t, const struct certs_record *r)
{
	struct tlscert c;
	struct err e;

	if (tlscert_parse(&c, r->cert, r->key, &e) == 0 && rebuild(t, &c, &e) == 0) {
		tlscert_deinit(&t->def);
		t->def = c;
		return;
	}
	tlscert_deinit(&c);
	LOG(L_ERROR, "certificate not used", L_S("file", r->file), L_C("error", e.text),
	    L_C("kept", t->ctx ? "the one before" : "none"));
}

int tlsctx_take_certs(struct tlsctx *t, struct str records)
{
	struct wire w = wire_reader(records);
	struct certs_record r;

	while (certs_record_get(&w, &r)) {
		if (r.there && r.name.n)
			take_named(t, &r);
		else if (r.there)
			take_default(t, &r);
		else
			drop(hmap_del(t->names, r.name));
	}
	return w.bad ? -1 : 0;
}

int tlsctx_take_keys(struct tlsctx *t, struct str keys)
{
	return tickets_set(&t->tickets, keys);
}

/* Long lists of authorities would go to every client: then none is named, which means any. */
static STACK_OF(X509_NAME) * names_of(X509_STORE *s)
{
	STACK_OF(X509_OBJECT) *all = X509_STORE_get0_objects(s);
	STACK_OF(X509_NAME) *names = sk_X509_NAME_new_null();
	int bytes = 0;

	for (int i = 0; i < sk_X509_OBJECT_num(all); i++) {
		X509 *x = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(all, i));
		X509_NAME *n = x ? X509_NAME_dup(X509_get_subject_name(x)) : NULL;

		if (!n)
			continue;
		bytes += i2d_X509_NAME(n, NULL);
		sk_X509_NAME_push(names, n);
	}
	if (bytes <= CA_NAMES_MAX)
		return names;
	sk_X509_NAME_pop_free(names, X509_NAME_free);
	return NULL;
}

void tlsctx_take_trust(struct tlsctx *t, struct str ca, struct str crl)
{
	struct err e;
	X509_STORE *s = tlspolicy_trust(ca, crl, &e);

	if (!s) {
		LOG(L_ERROR, "client authorities not used", L_C("error", e.text));
		return;
	}
	X509_STORE_free(t->trust);
	sk_X509_NAME_pop_free(t->authorities, X509_NAME_free);
	t->trust = s;
	t->authorities = names_of(s);
	if (t->def.leaf && rebuild(t, &t->def, &e))
		LOG(L_ERROR, "client authorities not used", L_C("error", e.text));
}

struct tlsctx *tlsctx_new(const struct settings *set)
{
	struct tlsctx *t = xcalloc(1, sizeof(*t));

	t->set = set;
	t->names = hmap_new();
	tickets_init(&t->tickets);
	return t;
}

void tlsctx_free(struct tlsctx **tp)
{
	struct tlsctx *t = *tp;
	size_t it = 0;
	struct str name;
	void *c;

	if (!t)
		return;
	while (hmap_next(t->names, &it, &name, &c))
		drop(c);
	hmap_free(&t->names);
	tlscert_deinit(&t->def);
	SSL_CTX_free(t->ctx);
	X509_STORE_free(t->trust);
	sk_X509_NAME_pop_free(t->authorities, X509_NAME_free);
	tickets_deinit(&t->tickets);
	free(t);
	*tp = NULL;
}
