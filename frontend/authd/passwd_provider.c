/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/passwd_provider.h"
#include <sys/stat.h>
#include "common/base/log.h"
#include "frontend/authd/account.h"
#include "frontend/authd/passwd_file.h"

struct passwd_provider {
	struct provider provider;
	const struct settings *set;
	struct passwd_file *file; /* NULL until one was read */
	unsigned faults;
};
enum { FAULTS_LOGGED = 20 };

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
	check_credential(c, entry->hash, STR(""));
	f = (struct account_fields){entry->user, entry->uid, entry->gid, entry->home,
				    arena_str(&c->arena, entry->options)};
	if (account_record(&c->arena, pp->set, &f, &c->record, &e) == 0)
		return AUTH_OK;
	LOG(L_ERROR, "account unusable", L_S("user", c->user), L_C("module", "passwd-file"),
	    L_C("error", e.text));
	return AUTH_TEMPFAIL;
}

static void start(struct provider *p, struct check *c)
{
	struct passwd_provider *pp = container_of(p, struct passwd_provider, provider);

	check_done(c, pp->file ? find(pp, c) : AUTH_TEMPFAIL);
}

static void fault(void *ctx, unsigned line, const char *why)
{
	struct passwd_provider *pp = ctx;

	if (pp->faults++ < FAULTS_LOGGED)
		LOG(L_WARN, "line skipped", L_C("file", pp->set->passwd_file), L_U("line", line),
		    L_C("error", why));
}

static int read_all(int fd, struct buf *b)
{
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st))
		return -1;
	if (!S_ISREG(st.st_mode) || st.st_size > PASSWD_FILE_MAX) {
		errno = EFBIG;
		return -1;
	}
	do {
		n = pread(fd, buf_reserve(b, 65536), 65536, (off_t)b->n);
		if (n > 0)
			buf_added(b, (size_t)n);
	} while (n > 0 && b->n <= PASSWD_FILE_MAX);
	return n < 0 ? -1 : 0;
}

bool passwd_provider_load(struct provider *p, int fd)
{
	struct passwd_provider *pp = container_of(p, struct passwd_provider, provider);
	struct buf text = BUF_INIT;

	if (read_all(fd, &text)) {
		LOG(L_ERROR, "accounts not read", L_C("file", pp->set->passwd_file),
		    L_C("error", strerror(errno)));
		buf_wipe(&text);
		return false;
	}
	passwd_file_free(&pp->file);
	pp->faults = 0;
	pp->file = passwd_file_parse(buf_str(&text), fault, pp);
	buf_wipe(&text);
	LOG(L_INFO, "accounts read", L_C("file", pp->set->passwd_file),
	    L_U("users", hmap_count(pp->file->users)), L_U("skipped", pp->faults));
	return true;
}

static void provider_free(struct provider *p)
{
	struct passwd_provider *pp = container_of(p, struct passwd_provider, provider);

	passwd_file_free(&pp->file);
	free(pp);
}

struct provider *passwd_provider_new(const struct settings *set)
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
	return &pp->provider;
}
