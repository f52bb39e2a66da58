/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <openssl/x509.h>
#include <sys/stat.h>
#include "common/base/clock.h"
#include "common/base/hmap.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "common/base/vec.h"
#include "common/ipc/certs.h"
#include "common/sys/tlscert.h"
#include "common/sys/tlspolicy.h"
#include "frontend/frontend.h"

/*
 * The directory is read when it has changed (a file renamed into it, cert-manager's symbolic link moved
 * over); files that are written in place, or linked to from elsewhere, are looked at in turn, so many in
 * a second.
 */
enum { LOOKS_PER_TICK = 2000, FRESH_S = 1 };

struct cert {
	char *name;		  /* "" for the default */
	struct watched cert, key; /* key.path NULL: the key is in cert */
	struct buf pem, key_pem;  /* the last good ones */
	uint8_t digest[32];	  /* of the leaf */
	bool good, changed, found;
	char *fault;
};

struct certs {
	struct hmap *by_name;
	VEC(struct cert *) all; /* the default first */
	struct watched dir, key_dir;
	const char *base,
		*key_base; /* file names without directory; key_base NULL: there is none */
	SSL_CTX *policy;   /* what the settings take */
	size_t next;
	bool full;
	char *fault;
};

static struct certs store; /* there is one frontend in a process */

/* ---- one certificate ----------------------------------------------------------------------- */

static void cert_free(struct cert *c)
{
	if (c->name[0])
		hmap_del(store.by_name, str_c(c->name));
	buf_wipe(&c->pem);
	buf_wipe(&c->key_pem);
	free((char *)c->cert.path);
	free((char *)c->key.path);
	free(c->name);
	free(c->fault);
	free(c);
}

static bool fresh(const struct watched *w)
{
	int64_t age = clock_wall_s() - w->seen.s;

	return age >= -FRESH_S && age <= FRESH_S;
}

static void warn_of_mode(const struct watched *w)
{
	if (w->seen.mode & 07)
		LOG(L_WARN, "private key is open to everybody", L_C("file", w->path),
		    L_C("remedy", "chmod o= that file"));
}

/* A key that is too short for OpenSSL's security level is found here, not by a client. */
static bool usable(const struct tlscert *t, struct err *e)
{
	if (SSL_CTX_use_cert_and_key(store.policy, t->leaf, t->key, t->chain, 1) == 1)
		return true;
	err_set(e, 0, "certificate: %s", tlscert_error());
	return false;
}

/* Takes the files' content over where it can be used. */
static int load(struct cert *c, struct err *e)
{
	struct buf pem = BUF_INIT, key = BUF_INIT;
	struct tlscert t = {NULL, NULL, NULL};
	unsigned n = 0;
	int rc = -1;

	if (watched_read(&c->cert, TLSCERT_PEM_MAX, &pem, e) == 0 &&
	    (!c->key.path || watched_read(&c->key, TLSCERT_PEM_MAX, &key, e) == 0) &&
	    tlscert_parse(&t, buf_str(&pem), buf_str(&key), e) == 0 && usable(&t, e))
		rc = 0;
	if (rc == 0) {
		if (c->name[0] && !tlscert_names(&t, c->name))
			LOG(L_WARN, "certificate is for other names", L_C("file", c->cert.path),
			    L_C("name", c->name));
		if (!c->good || !str_eq(buf_str(&pem), buf_str(&c->pem)) ||
		    !str_eq(buf_str(&key), buf_str(&c->key_pem)))
			c->changed = true;
		X509_digest(t.leaf, EVP_sha256(), c->digest, &n);
		buf_wipe(&c->pem);
		buf_wipe(&c->key_pem);
		buf_move(&c->pem, &pem);
		buf_move(&c->key_pem, &key);
		c->good = true;
	}
	tlscert_deinit(&t);
	buf_wipe(&pem);
	buf_wipe(&key);
	return rc;
}

/* "tls.pem.bak" may be no server's: what never was a certificate and has no dot in it is passed over. */
static bool worth_saying(const struct cert *c)
{
	return c->good || !c->name[0] || strpbrk(c->name, ".:");
}

static void complain(struct cert *c, const struct err *e)
{
	if (c->fault && strcmp(c->fault, e->text) == 0)
		return;
	free(c->fault);
	c->fault = str_dup(str_c(e->text));
	LOG(worth_saying(c) ? L_ERROR : L_DEBUG, "certificate not used", L_C("file", c->cert.path),
	    L_C("error", e->text), L_C("kept", c->good ? "the one before" : "none"));
}

/* A file that was written just now may be half: it is looked at again before anything is said. */
static bool half_written(struct cert *c)
{
	if (!fresh(&c->cert) && !(c->key.path && fresh(&c->key)))
		return false;
	c->cert.seen.ino = 0;
	return true;
}

static void look(struct cert *c, bool force)
{
	struct err e;

	if (!force && !watched_changed(&c->cert) && !(c->key.path && watched_changed(&c->key)))
		return;
	if (load(c, &e)) {
		if (force || !half_written(c))
			complain(c, &e);
		return;
	}
	free(c->fault);
	c->fault = NULL;
	if (!c->changed)
		return;
	warn_of_mode(c->key.path ? &c->key : &c->cert);
	LOG(store.next ? L_INFO : L_DEBUG, "certificate in use", L_C("file", c->cert.path));
}

/* ---- the directory ------------------------------------------------------------------------- */

/* The path that names this one's key, or NULL where the key is in the certificate's file. */
static char *key_path(const struct frontend *f, const char *name)
{
	struct buf b = BUF_INIT;
	char *path;

	if (!f->set->tls_private_keyfile[0])
		return NULL;
	buf_printf(&b, "%s%s%s", f->set->tls_private_keyfile, name[0] ? "." : "", name);
	path = str_dup(buf_str(&b));
	buf_deinit(&b);
	if (name[0] && access(path, F_OK)) {
		free(path);
		return NULL;
	}
	return path;
}

static struct cert *cert_new(const struct frontend *f, const char *name, const char *suffix)
{
	struct cert *c = xcalloc(1, sizeof(*c));
	struct buf b = BUF_INIT;

	c->name = str_dup(str_c(name));
	buf_printf(&b, "%s%s%s", f->set->tls_certfile, suffix[0] ? "." : "", suffix);
	c->cert.path = str_dup(buf_str(&b));
	c->key.path = key_path(f, suffix);
	buf_deinit(&b);
	*vec_push(&store.all) = c;
	if (name[0])
		hmap_put(store.by_name, str_c(name), c);
	return c;
}

/* A host name in lower case, or an address as it is printed. False: can be neither. */
static bool normalise(const char *suffix, char name[CERTS_NAME_MAX + 1])
{
	uint8_t address[16];
	size_t n = strlen(suffix);

	if (inet_pton(AF_INET, suffix, address) == 1)
		return inet_ntop(AF_INET, address, name, CERTS_NAME_MAX + 1) != NULL;
	if (inet_pton(AF_INET6, suffix, address) == 1)
		return inet_ntop(AF_INET6, address, name, CERTS_NAME_MAX + 1) != NULL;
	if (n == 0 || n > CERTS_NAME_MAX)
		return false;
	for (size_t i = 0; i <= n; i++)
		name[i] = suffix[i] >= 'A' && suffix[i] <= 'Z' ? (char)(suffix[i] + 32) : suffix[i];
	return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.*") == n && name[0] != '.';
}

/* Files of keys lie beside: tls.pem and tls.pem.key, tls.pem.key.example.com. */
static bool is_key_file(const char *file)
{
	size_t n = store.key_base ? strlen(store.key_base) : 0;

	return n > strlen(store.base) && strncmp(file, store.key_base, n) == 0 &&
	       (file[n] == '\0' || file[n] == '.');
}

static void refresh_key_path(const struct frontend *f, struct cert *c)
{
	char *path = key_path(f, c->cert.path + strlen(f->set->tls_certfile) + 1);

	if (!path != !c->key.path) {
		free((char *)c->key.path);
		c->key = (struct watched){.path = path};
		c->cert.seen.ino = 0;
	} else {
		free(path);
	}
}

static void found(const struct frontend *f, const char *file)
{
	size_t n = strlen(store.base);
	char name[CERTS_NAME_MAX + 1];
	struct cert *c;

	if (strncmp(file, store.base, n) != 0 || file[n] != '.' || is_key_file(file) ||
	    !normalise(file + n + 1, name))
		return;
	c = hmap_get(store.by_name, str_c(name));
	if (!c && store.all.n > f->set->tls_certs_max) {
		if (!store.full)
			LOG(L_ERROR, "certificate not used", L_C("file", file),
			    L_C("error", "there are more than TLS_CERTS_MAX"));
		store.full = true;
		return;
	}
	if (!c)
		c = cert_new(f, name, file + n + 1);
	else
		refresh_key_path(f, c);
	c->found = true;
}

static bool scan(const struct frontend *f)
{
	DIR *d = opendir(store.dir.path);
	struct dirent *entry;

	if (!d) {
		struct err e;

		err_sys(&e, "%s", store.dir.path);
		files_complain(&store.fault, "directory not read", store.dir.path, &e);
		return false;
	}
	for (size_t i = 1; i < store.all.n; i++)
		store.all.a[i]->found = false;
	while ((entry = readdir(d)))
		if (entry->d_type != DT_DIR)
			found(f, entry->d_name);
	closedir(d);
	return true;
}

static bool directory_changed(struct watched *w)
{
	struct stat st;

	if (!w->path || stat(w->path, &st))
		return false;
	if (w->seen.s == st.st_mtim.tv_sec && w->seen.ns == st.st_mtim.tv_nsec &&
	    w->seen.ino == st.st_ino)
		return false;
	w->seen.s = st.st_mtim.tv_sec;
	w->seen.ns = st.st_mtim.tv_nsec;
	w->seen.ino = st.st_ino;
	/* More may come within the clock's grain. */
	if (fresh(w))
		w->seen.ns = -1;
	return true;
}

/* ---- what children get --------------------------------------------------------------------- */

static void send_batch(struct frontend *f, struct child *only, struct buf *b)
{
	int fd = files_memfd(buf_str(b));

	buf_wipe(b);
	if (fd < 0) {
		LOG(L_ERROR, "certificates not passed on", L_C("error", strerror(errno)));
		return;
	}
	if (only)
		child_send_certs(only, fd);
	for (unsigned i = 0; !only && i < f->nworkers; i++)
		child_send_certs(&f->workers[i], fd);
	close(fd);
}

static void add_record(struct buf *b, const struct cert *c, bool there)
{
	struct certs_record r = {.there = there,
				 .name = str_c(c->name),
				 .file = str_c(c->cert.path),
				 .cert = buf_str(&c->pem),
				 .key = buf_str(&c->key_pem)};

	certs_record_put(b, &r);
}

/* To one worker all that is good, or to each what has changed. */
static void send_certs(struct frontend *f, struct child *only)
{
	struct buf b = BUF_INIT;
	unsigned n = 0;

	for (size_t i = 0; i < store.all.n; i++) {
		struct cert *c = store.all.a[i];

		if (!c->good || (!only && !c->changed))
			continue;
		add_record(&b, c, true);
		if (++n == CERTS_BATCH || b.n > CERTS_BATCH_MAX) {
			send_batch(f, only, &b);
			n = 0;
		}
	}
	if (n)
		send_batch(f, only, &b);
}

static void drop_lost(struct frontend *f)
{
	struct buf b = BUF_INIT;

	for (size_t i = store.all.n; i-- > 1;) {
		struct cert *c = store.all.a[i];

		if (c->found)
			continue;
		if (c->good) {
			LOG(L_INFO, "certificate has gone", L_C("file", c->cert.path));
			add_record(&b, c, false);
		}
		cert_free(c);
		vec_remove(&store.all, i);
	}
	if (b.n)
		send_batch(f, NULL, &b);
}

void certs_send(struct child *worker)
{
	send_certs(worker->frontend, worker);
}

/* authd must know which servers' handshakes are ours (authd/clientcert.h). */
void certs_tell_authd(struct frontend *f)
{
	struct buf b = BUF_INIT;
	int fd;

	if (tlspolicy_verify(f->set) == TLSPOLICY_NONE)
		return;
	for (size_t i = 0; i < store.all.n; i++)
		if (store.all.a[i]->good)
			buf_put(&b, store.all.a[i]->digest, sizeof(store.all.a[i]->digest));
	fd = files_memfd(buf_str(&b));
	buf_deinit(&b);
	if (fd >= 0) {
		child_send_server_certs(f, fd);
		close(fd);
	}
}

/* ---- start and tick ------------------------------------------------------------------------ */

static bool wants_tls(const struct frontend *f)
{
	for (size_t i = 0; i < f->nports; i++)
		if (f->ports[i].tls)
			return true;
	return false;
}

static char *directory_of(const char *path, const char **base)
{
	const char *slash = strrchr(path, '/');

	*base = slash ? slash + 1 : path;
	if (!slash)
		return str_dup(STR("."));
	return str_dup(str_mem(path, slash == path ? 1 : (size_t)(slash - path)));
}

int certs_open(struct frontend *f, struct err *e)
{
	struct cert *c;
	unsigned names = 0;

	store.policy = tlspolicy_new(f->set, e);
	if (!store.policy)
		return -1;
	store.by_name = hmap_new();
	store.dir.path = directory_of(f->set->tls_certfile, &store.base);
	if (f->set->tls_private_keyfile[0])
		store.key_dir.path = directory_of(f->set->tls_private_keyfile, &store.key_base);
	c = cert_new(f, "", "");
	if (load(c, e)) {
		if (wants_tls(f))
			return err_in(e, e->code == ENOENT
						 ? "TLS_CERTFILE (posthousectl mkcert makes one)"
						 : "TLS_CERTFILE, TLS_PRIVATE_KEYFILE");
		/* STARTTLS alone can come later, with the file. */
		LOG(L_WARN, "no certificate, no STARTTLS", L_C("error", e->text));
	} else {
		warn_of_mode(c->key.path ? &c->key : &c->cert);
	}
	directory_changed(&store.dir);
	directory_changed(&store.key_dir);
	scan(f);
	for (size_t i = 1; i < store.all.n; i++) {
		look(store.all.a[i], true);
		names += store.all.a[i]->good;
	}
	store.next = 1;
	LOG(L_INFO, "certificates", L_C("file", f->set->tls_certfile), L_U("names", names));
	return 0;
}

static bool settle(struct frontend *f)
{
	bool any = false;

	for (size_t i = 0; i < store.all.n; i++)
		any |= store.all.a[i]->changed;
	if (any)
		send_certs(f, NULL);
	for (size_t i = 0; i < store.all.n; i++)
		store.all.a[i]->changed = false;
	return any;
}

void certs_look(struct frontend *f, bool force)
{
	bool moved = directory_changed(&store.dir), keys_moved = directory_changed(&store.key_dir);
	size_t n = store.all.n - 1;

	if ((moved || keys_moved || force) && scan(f)) {
		drop_lost(f);
		n = store.all.n - 1;
		store.full &= n >= f->set->tls_certs_max;
	} else if (n > LOOKS_PER_TICK) {
		n = LOOKS_PER_TICK;
	}
	look(store.all.a[0], force);
	for (size_t i = 0; i < n; i++) {
		store.next = store.next + 1 < store.all.n ? store.next + 1 : 1;
		look(store.all.a[store.next], force);
	}
	if (settle(f))
		certs_tell_authd(f);
}
