/* SPDX-License-Identifier: Apache-2.0 */
/* A file of its own, so that imapd, which reads records too, doesn't carry libcrypto. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/stat.h>
#include "common/base/ensure.h"
#include "common/base/rand.h"
#include "common/base/secret.h"
#include "common/ipc/record.h"

#define TICKET_VERSION 1

static void mac_of(const uint8_t key[TICKET_KEY_LEN], const void *p, size_t n,
		   uint8_t mac[TICKET_MAC_LEN])
{
	unsigned len = 0;
	unsigned char *r = HMAC(EVP_sha256(), key, TICKET_KEY_LEN, p, n, mac, &len);

	ASSERT(r != NULL && len == TICKET_MAC_LEN);
}

void ticket_make(struct buf *out, const uint8_t key[TICKET_KEY_LEN],
		 const uint8_t nonce[TICKET_NONCE_LEN], const struct user_record *r,
		 const struct session_facts *f)
{
	uint8_t mac[TICKET_MAC_LEN];
	size_t start = out->n;
	struct str made;

	wire_u8(out, TICKET_VERSION);
	buf_put(out, nonce, TICKET_NONCE_LEN);
	user_record_put(out, r);
	session_facts_put(out, f);
	made = str_from(buf_str(out), start);
	mac_of(key, made.p, made.n, mac);
	buf_put(out, mac, sizeof mac);
}

bool ticket_check(struct str ticket, const uint8_t key[TICKET_KEY_LEN],
		  uint8_t nonce[TICKET_NONCE_LEN], struct user_record *r, struct session_facts *f)
{
	uint8_t mac[TICKET_MAC_LEN];
	struct wire w;
	size_t n;

	if (ticket.n < 1 + TICKET_NONCE_LEN + TICKET_MAC_LEN)
		return false;
	n = ticket.n - TICKET_MAC_LEN;
	mac_of(key, ticket.p, n, mac);
	if (CRYPTO_memcmp(mac, ticket.p + n, TICKET_MAC_LEN) != 0 || ticket.p[0] != TICKET_VERSION)
		return false;
	w = wire_reader(str_sub(ticket, 1 + TICKET_NONCE_LEN, n - 1 - TICKET_NONCE_LEN));
	user_record_get(&w, r);
	session_facts_get(&w, f);
	if (!wire_end(&w))
		return false;
	memcpy(nonce, ticket.p + 1, TICKET_NONCE_LEN);
	return true;
}

static int key_open(const char *rundir, const char *name, int flags)
{
	struct buf path = BUF_INIT;
	int fd;

	buf_printf(&path, "%s/%s", rundir, name);
	fd = open(buf_cstr(&path), flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0400);
	buf_deinit(&path);
	return fd;
}

/* Reads the key; -1 with errno EINVAL where the file isn't a plain one of the right length, or where
 * somebody else might have read it. */
static int key_load(int fd, uint8_t key[TICKET_KEY_LEN])
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -1;
	if (!S_ISREG(st.st_mode) || st.st_size != TICKET_KEY_LEN || (st.st_mode & 077) != 0) {
		errno = EINVAL;
		return -1;
	}
	if (pread(fd, key, TICKET_KEY_LEN, 0) != TICKET_KEY_LEN) {
		errno = EIO;
		return -1;
	}
	return 0;
}

int ticket_key_read(const char *rundir, uint8_t key[TICKET_KEY_LEN])
{
	int fd = key_open(rundir, "ticket.key", O_RDONLY);
	int rc, saved;

	if (fd < 0)
		return -1;
	rc = key_load(fd, key);
	saved = errno;
	close(fd);
	errno = saved;
	return rc;
}

static int key_write(int fd, uint32_t owner_uid, uint8_t key[TICKET_KEY_LEN])
{
	rand_bytes(key, TICKET_KEY_LEN);
	if (write(fd, key, TICKET_KEY_LEN) != TICKET_KEY_LEN)
		return -1;
	if (owner_uid != geteuid() && fchown(fd, owner_uid, (gid_t)-1) < 0)
		return -1;
	return fchmod(fd, 0400);
}

static int key_rename(const char *rundir)
{
	struct buf from = BUF_INIT, to = BUF_INIT;
	int rc;

	buf_printf(&from, "%s/ticket.key.new", rundir);
	buf_printf(&to, "%s/ticket.key", rundir);
	rc = rename(buf_cstr(&from), buf_cstr(&to));
	buf_deinit(&from);
	buf_deinit(&to);
	return rc;
}

static bool key_fits(const char *rundir, uint32_t owner_uid)
{
	struct stat st;
	int fd = key_open(rundir, "ticket.key", O_RDONLY);
	bool fits = fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == owner_uid;

	if (fd >= 0)
		close(fd);
	return fits;
}

int ticket_key_make(const char *rundir, uint32_t owner_uid, uint8_t key[TICKET_KEY_LEN])
{
	struct buf path = BUF_INIT;
	int fd, rc, saved;

	/* A key that is there stays: an authd that outlived an earlier master has it in memory. */
	if (key_fits(rundir, owner_uid) && ticket_key_read(rundir, key) == 0)
		return 0;
	buf_printf(&path, "%s/ticket.key.new", rundir);
	(void)unlink(buf_cstr(&path));
	buf_deinit(&path);
	fd = key_open(rundir, "ticket.key.new", O_WRONLY | O_CREAT | O_EXCL);
	if (fd < 0)
		return -1;
	rc = key_write(fd, owner_uid, key);
	saved = errno;
	close(fd);
	if (rc == 0)
		return key_rename(rundir);
	secret_zero(key, TICKET_KEY_LEN);
	errno = saved;
	return -1;
}
