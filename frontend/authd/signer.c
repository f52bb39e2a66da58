/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/signer.h"
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

void signer_rundir(struct signer *s, int dirfd)
{
	if (s->rundir >= 0)
		close(s->rundir);
	s->rundir = dirfd;
	s->have = false;
}

static bool unchanged(const struct signer *s, const struct stat *st)
{
	return s->have && st->st_dev == s->seen.st_dev && st->st_ino == s->seen.st_ino &&
	       st->st_mtim.tv_sec == s->seen.st_mtim.tv_sec &&
	       st->st_mtim.tv_nsec == s->seen.st_mtim.tv_nsec;
}

/* One fstatat on the local run directory per ticket; a restarted master may have made a new key. */
static bool load(struct signer *s)
{
	struct stat st;
	int fd;

	if (fstatat(s->rundir, "ticket.key", &st, AT_SYMLINK_NOFOLLOW))
		return false;
	if (unchanged(s, &st))
		return true;
	s->have = false;
	fd = openat(s->rundir, "ticket.key", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return false;
	s->have = fstat(fd, &s->seen) == 0 && S_ISREG(s->seen.st_mode) &&
		  read(fd, s->key, sizeof(s->key)) == (ssize_t)sizeof(s->key);
	close(fd);
	return s->have;
}

bool signer_ticket(struct signer *s, struct buf *out, const uint8_t nonce[TICKET_NONCE_LEN],
		   const struct user_record *r, const struct session_facts *f)
{
	if (s->rundir < 0 || !load(s))
		return false;
	ticket_make(out, s->key, nonce, r, f);
	return true;
}

bool signer_derive(struct signer *s, struct str label, uint8_t out[32])
{
	unsigned n = 0;

	if (s->rundir < 0 || !load(s))
		return false;
	return HMAC(EVP_sha256(), s->key, sizeof(s->key), (const unsigned char *)label.p, label.n,
		    out, &n) != NULL;
}
