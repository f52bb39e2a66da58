/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/oauth/keyset.h"
#include <fcntl.h>
#include <sys/stat.h>
#include "common/base/log.h"
#include "common/io/http.h"
#include "common/io/loop.h"

enum { FILE_MAX = 1 << 20, RETRY_MAX_MS = 60000 };

struct keyset {
	const struct settings *set;
	struct loop *loop;
	struct http_client *http;
	struct jwks *keys; /* NULL: none yet */

	int dir; /* of OAUTH_JWKS_FILE, or -1 */
	const char *name;
	struct stat seen;

	struct http_call *call;
	struct loop_timer *timer;
	struct list waiters;
	uint64_t begun;	 /* the last fetch; 0: none yet */
	unsigned failed; /* fetches in a row */
};

static void take(struct keyset *k, struct jwks *keys, const char *from)
{
	jwks_free(&k->keys);
	k->keys = keys;
	LOG(L_INFO, "token keys read", L_C("from", from), L_U("keys", keys->keys.n),
	    L_U("skipped", keys->skipped));
}

/* ---- from a file ----------------------------------------------------------------------------------- */

static bool changed(const struct stat *a, const struct stat *b)
{
	return a->st_dev != b->st_dev || a->st_ino != b->st_ino || a->st_size != b->st_size ||
	       a->st_mtim.tv_sec != b->st_mtim.tv_sec || a->st_mtim.tv_nsec != b->st_mtim.tv_nsec;
}

static int read_file(int fd, struct buf *b, struct err *e)
{
	ssize_t n;

	do {
		n = read(fd, buf_reserve(b, 65536), 65536);
		if (n > 0)
			buf_added(b, (size_t)n);
	} while (n > 0 && b->n <= FILE_MAX);
	if (n < 0)
		return err_sys(e, "can't be read");
	return b->n > FILE_MAX ? err_set(e, EFBIG, "it is larger than %d bytes", FILE_MAX) : 0;
}

static int load_file(struct keyset *k, struct err *e)
{
	int fd = openat(k->dir, k->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct buf b = BUF_INIT;
	struct jwks *keys = NULL;

	if (fd < 0)
		return err_sys(e, "can't be opened");
	if (fstat(fd, &k->seen) == 0 && read_file(fd, &b, e) == 0)
		keys = jwks_parse(buf_str(&b), e);
	close(fd);
	buf_deinit(&b);
	if (!keys)
		return -1;
	take(k, keys, k->set->oauth_jwks_file);
	return 0;
}

/* Two small system calls on a local file, as for the ticket key. */
static void look_at_file(struct keyset *k)
{
	struct stat st;
	struct err e = {.text = ""};

	if (fstatat(k->dir, k->name, &st, 0) || !changed(&st, &k->seen))
		return;
	k->seen = st; /* one that can't be used is complained of once */
	if (load_file(k, &e))
		LOG(L_ERROR, "token keys not read", L_C("file", k->set->oauth_jwks_file),
		    L_C("error", e.text));
}

static int open_file(struct keyset *k, struct err *e)
{
	struct str path = str_c(k->set->oauth_jwks_file);
	size_t slash = str_rfind(path, '/');
	char *dir = slash == path.n ? xstrdup(".") : str_dup(str_sub(path, 0, slash ? slash : 1));

	k->name = k->set->oauth_jwks_file + (slash == path.n ? 0 : slash + 1);
	k->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(dir);
	return k->dir < 0 ? err_sys(e, "its directory can't be opened") : load_file(k, e);
}

/* ---- from an endpoint --------------------------------------------------------------------------------- */

static void tell_waiters(struct keyset *k, bool fetched)
{
	struct list now;

	list_init(&now);
	while (!list_empty(&k->waiters)) {
		struct list *e = k->waiters.next;

		list_remove(e);
		list_append(&now, e);
	}
	while (!list_empty(&now)) {
		struct keyset_waiter *w = list_entry(now.next, struct keyset_waiter, link);

		list_remove(&w->link);
		w->done(w, fetched);
	}
}

static uint64_t retry_after(const struct keyset *k)
{
	uint64_t ms = k->set->oauth_jwks_pause << (k->failed < 10 ? k->failed : 10);
	uint64_t most =
		k->set->oauth_jwks_pause > RETRY_MAX_MS ? k->set->oauth_jwks_pause : RETRY_MAX_MS;

	return ms < most ? ms : most;
}

static void fetch_failed(struct keyset *k, const char *why)
{
	if (k->failed++ == 0)
		LOG(L_WARN, "token keys not fetched", L_C("url", k->set->oauth_jwks_url),
		    L_C("error", why), L_U("kept", k->keys ? k->keys->keys.n : 0));
	loop_timer_set(k->timer, retry_after(k));
	tell_waiters(k, false);
}

static void fetched(void *ctx, const struct http_answer *a)
{
	struct keyset *k = ctx;
	struct jwks *keys = NULL;
	struct err e = {.text = ""};

	k->call = NULL;
	if (!a->whole)
		e = a->err;
	else if (a->status != 200)
		err_set(&e, 0, "HTTP status %u", a->status);
	else
		keys = jwks_parse(a->body, &e);
	if (!keys) {
		fetch_failed(k, e.text);
		return;
	}
	k->failed = 0;
	take(k, keys, k->set->oauth_jwks_url);
	loop_timer_set(k->timer, k->set->oauth_jwks_refresh * 1000);
	tell_waiters(k, true);
}

static void fetch(void *ctx)
{
	static const struct str accept = {"Accept: application/json", 24};
	struct keyset *k = ctx;
	struct http_request r = {.method = "GET",
				 .url = k->set->oauth_jwks_url,
				 .headers = &accept,
				 .nheaders = 1,
				 .timeout_ms = k->set->oauth_timeout};
	struct err e;

	if (k->call)
		return;
	k->begun = loop_now(k->loop);
	k->call = http_start(k->http, &r, fetched, k, &e);
	if (!k->call)
		fetch_failed(k, e.text);
}

bool keyset_wait(struct keyset *k, struct keyset_waiter *w)
{
	uint64_t now = loop_now(k->loop), next = k->begun + k->set->oauth_jwks_pause;

	if (k->dir >= 0)
		return false;
	list_append(&k->waiters, &w->link);
	/* The periodic fetch comes sooner, then; a failing endpoint is asked no more than that. */
	if (!k->call)
		loop_timer_set(k->timer, next > now ? next - now : 0);
	return true;
}

size_t keyset_find(struct keyset *k, const struct jws *j, EVP_PKEY *found[JWKS_TRIES_MAX])
{
	if (k->dir >= 0)
		look_at_file(k);
	return jwks_find(k->keys, j, found);
}

void keyset_start(struct keyset *k)
{
	if (k->dir < 0)
		loop_timer_set(k->timer, 0);
}

struct keyset *keyset_new(struct loop *l, struct http_client *http, const struct settings *set,
			  struct err *e)
{
	struct keyset *k;

	e->text[0] = '\0';
	if (!set->oauth_jwks_file[0] && !set->oauth_jwks_url[0])
		return NULL;
	k = xcalloc(1, sizeof *k);
	k->set = set;
	k->loop = l;
	k->http = http;
	k->dir = -1;
	list_init(&k->waiters);
	if (set->oauth_jwks_file[0]) {
		if (open_file(k, e) == 0)
			return k;
		free(k);
		return NULL;
	}
	k->timer = loop_timer_new(l, fetch, k);
	return k;
}
