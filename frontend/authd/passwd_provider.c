/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/passwd_provider.h"
#include <fcntl.h>
#include <sys/stat.h>
#include "common/base/log.h"
#include "common/config/options.h"
#include "common/io/jobs.h"
#include "frontend/authd/account.h"
#include "frontend/authd/passwd_file.h"

enum { FAULTS_LOGGED = 20 };

struct passwd_provider {
	struct provider provider;
	const struct settings *set;
	struct jobs *jobs; /* of its own: a long file keeps no password waiting */
	passwd_provider_fn *loaded;
	void *ctx;
	struct passwd_file *file; /* NULL until one was read */
	bool loading;
	int next_fd;		     /* came while an older one was being read; -1 */
	VEC(struct check *) waiting; /* for the first file */
};

struct loading {
	struct job job;
	struct passwd_provider *provider;
	int fd;
	int error; /* errno, or 0 */
	struct passwd_file *file;
	unsigned faults;
	struct {
		unsigned line;
		const char *why;
	} fault[FAULTS_LOGGED];
};

/* ---- checks -------------------------------------------------------------------------------------- */

static void offer(struct check *c, struct str hash, struct str options)
{
	check_credential(c, hash, options_get(options, "services"));
}

static enum auth_result find(struct passwd_provider *pp, struct check *c)
{
	const struct passwd_entry *entry = passwd_file_find(pp->file, c->user);
	struct account_fields f;
	struct err e;

	if (!entry) {
		/* As much work as for a known user (B16). */
		if (pp->file->common_hash.n)
			check_credential(c, pp->file->common_hash, STR(""));
		return AUTH_UNKNOWN;
	}
	offer(c, entry->hash, entry->options);
	for (const struct passwd_app *app = entry->apps; app; app = app->next)
		if (!account_expired(app->options))
			offer(c, app->hash, app->options);
	f = (struct account_fields){.user = entry->user,
				    .uid = entry->uid,
				    .gid = entry->gid,
				    .home = entry->home,
				    .options = entry->options};
	if (account_record(&c->arena, pp->set, &f, &c->record, &e) == 0)
		return AUTH_OK;
	LOG(L_ERROR, "account unusable", L_S("user", c->user), L_C("module", "passwd-file"),
	    L_C("error", e.text));
	return AUTH_TEMPFAIL;
}

static void start(struct provider *p, struct check *c)
{
	struct passwd_provider *pp = container_of(p, struct passwd_provider, provider);

	if (pp->file)
		check_done(c, find(pp, c));
	else if (pp->loading)
		*vec_push(&pp->waiting) = c;
	else
		check_done(c, AUTH_TEMPFAIL);
}

static void wake(struct passwd_provider *pp)
{
	__typeof__(pp->waiting) waiting = pp->waiting;

	memset(&pp->waiting, 0, sizeof(pp->waiting));
	vec_foreach(c, &waiting)
		start(&pp->provider, *c);
	vec_free(&waiting);
}

/* ---- reading ------------------------------------------------------------------------------------- */

static void note_fault(void *ctx, unsigned line, const char *why)
{
	struct loading *l = ctx;

	if (l->faults < FAULTS_LOGGED) {
		l->fault[l->faults].line = line;
		l->fault[l->faults].why = why;
	}
	l->faults++;
}

static int read_all(int fd, struct buf *b)
{
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st))
		return errno;
	if (!S_ISREG(st.st_mode) || st.st_size > PASSWD_FILE_MAX)
		return EFBIG;
	do {
		n = pread(fd, buf_reserve(b, 65536), 65536, (off_t)b->n);
		if (n > 0)
			buf_added(b, (size_t)n);
	} while (n > 0 && b->n <= PASSWD_FILE_MAX);
	return n < 0 ? errno : 0;
}

static void run(struct job *j)
{
	struct loading *l = container_of(j, struct loading, job);
	struct buf text = BUF_INIT;

	l->error = read_all(l->fd, &text);
	close(l->fd);
	if (!l->error)
		l->file = passwd_file_parse(buf_str(&text), note_fault, l);
	buf_wipe(&text);
}

struct retired { /* freeing takes its time, too */
	struct job job;
	struct passwd_file *file;
};

static void retire_run(struct job *j)
{
	passwd_file_free(&container_of(j, struct retired, job)->file);
}

static void retire_done(struct job *j)
{
	free(container_of(j, struct retired, job));
}

static void retire(struct passwd_provider *pp, struct passwd_file *file)
{
	struct retired *r;

	if (!file)
		return;
	r = xcalloc(1, sizeof(*r));
	r->file = file;
	r->job.run = retire_run;
	r->job.done = retire_done;
	jobs_submit(pp->jobs, &r->job);
}

static void serve(struct passwd_provider *pp, struct loading *l)
{
	for (unsigned i = 0; i < l->faults && i < FAULTS_LOGGED; i++)
		LOG(L_WARN, "line skipped", L_C("file", pp->set->passwd_file),
		    L_U("line", l->fault[i].line), L_C("error", l->fault[i].why));
	LOG(L_INFO, "accounts read", L_C("file", pp->set->passwd_file),
	    L_U("users", hmap_count(l->file->users)), L_U("skipped", l->faults));
	retire(pp, pp->file);
	pp->file = l->file;
	pp->provider.unsuited = l->file->unsuited;
	pp->loaded(pp->ctx);
}

static const char *why_not(const struct passwd_provider *pp, const struct loading *l)
{
	if (l->error)
		return strerror(l->error);
	/* What a full disk, or an editor at work, leaves behind. */
	if (l->file->size == 0 && pp->file)
		return "it is empty; without accounts on purpose it has a comment line";
	return NULL;
}

static void submit(struct passwd_provider *pp, int fd);

static void done(struct job *j)
{
	struct loading *l = container_of(j, struct loading, job);
	struct passwd_provider *pp = l->provider;
	const char *why = why_not(pp, l);

	pp->loading = false;
	if (why) {
		LOG(L_ERROR, "accounts not read", L_C("file", pp->set->passwd_file),
		    L_C("error", why));
		retire(pp, l->file);
	} else {
		serve(pp, l);
	}
	free(l);
	if (pp->next_fd >= 0)
		submit(pp, pp->next_fd);
	wake(pp);
}

/* Takes fd. */
static void submit(struct passwd_provider *pp, int fd)
{
	struct loading *l = xcalloc(1, sizeof(*l));

	pp->loading = true;
	pp->next_fd = -1;
	l->provider = pp;
	l->fd = fd;
	l->job.run = run;
	l->job.done = done;
	jobs_submit(pp->jobs, &l->job);
}

void passwd_provider_load(struct provider *p, int fd)
{
	struct passwd_provider *pp = container_of(p, struct passwd_provider, provider);
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (own < 0) {
		LOG(L_ERROR, "accounts not read", L_C("file", pp->set->passwd_file),
		    L_C("error", strerror(errno)));
	} else if (!pp->loading) {
		submit(pp, own);
	} else {
		if (pp->next_fd >= 0)
			close(pp->next_fd);
		pp->next_fd = own;
	}
}

static void provider_free(struct provider *p)
{
	struct passwd_provider *pp = container_of(p, struct passwd_provider, provider);

	jobs_free(&pp->jobs);
	passwd_file_free(&pp->file);
	vec_free(&pp->waiting);
	free(pp);
}

struct provider *passwd_provider_new(struct loop *l, const struct settings *set,
				     passwd_provider_fn *loaded, void *ctx)
{
	struct passwd_provider *pp = xcalloc(1, sizeof(*pp));

	pp->provider = (struct provider){
		.name = "passwd-file",
		.kinds = CHECK_BIT(CHECK_PASSWORD) | CHECK_BIT(CHECK_CRAM) |
			 CHECK_BIT(CHECK_SCRAM) | CHECK_BIT(CHECK_TRUSTED),
		.start = start,
		.free = provider_free,
	};
	pp->set = set;
	pp->jobs = jobs_new(l, 1);
	pp->loaded = loaded;
	pp->ctx = ctx;
	pp->next_fd = -1;
	return &pp->provider;
}
