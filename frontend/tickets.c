/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys of TLS session tickets, the same for all workers: from TLS_TICKET_KEYFILE, which several hosts
 * can share, or random ones of this process.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/rand.h"
#include "common/base/secret.h"
#include "frontend/frontend.h"

enum { OWN_KEYS = 2 }; /* a ticket's key is there for as long as the ticket can be used */

static struct {
	struct watched file;
	struct buf keys;
	uint64_t made_ms;
	char *fault;
} tickets;

static int load(struct err *e)
{
	struct buf b = BUF_INIT;
	int rc = watched_read(&tickets.file, SUP_TICKET_KEY_LEN * SUP_TICKET_KEYS_MAX, &b, e);

	if (rc == 0 && (b.n == 0 || b.n % SUP_TICKET_KEY_LEN))
		rc = err_set(e, 0, "%s: %zu bytes are no keys of %d bytes each", tickets.file.path,
			     b.n, SUP_TICKET_KEY_LEN);
	if (rc == 0 && tickets.file.seen.mode & 07)
		LOG(L_WARN, "ticket keys are open to everybody", L_C("file", tickets.file.path));
	if (rc == 0) {
		buf_wipe(&tickets.keys);
		buf_move(&tickets.keys, &b);
	}
	buf_wipe(&b);
	return rc;
}

static void make_own(void)
{
	uint8_t key[SUP_TICKET_KEY_LEN];

	rand_bytes(key, sizeof(key));
	buf_insert(&tickets.keys, 0, key, sizeof(key));
	secret_zero(key, sizeof(key));
	if (tickets.keys.n > OWN_KEYS * SUP_TICKET_KEY_LEN)
		buf_cut(&tickets.keys, OWN_KEYS * SUP_TICKET_KEY_LEN);
	tickets.made_ms = clock_ms();
}

int tickets_open(struct frontend *f, struct err *e)
{
	tickets.file.path = f->set->tls_ticket_keyfile;
	if (tickets.file.path[0])
		return load(e) ? err_in(e, "TLS_TICKET_KEYFILE") : 0;
	make_own();
	return 0;
}

static bool renew(struct frontend *f, bool force)
{
	struct err e;

	if (!tickets.file.path[0]) {
		if (clock_ms() - tickets.made_ms < f->set->tls_ticket_lifetime * 1000)
			return false;
		make_own();
		return true;
	}
	if (!force && !watched_changed(&tickets.file))
		return false;
	if (load(&e)) {
		files_complain(&tickets.fault, "ticket keys not used", tickets.file.path, &e);
		return false;
	}
	free(tickets.fault);
	tickets.fault = NULL;
	LOG(L_INFO, "ticket keys in use", L_C("file", tickets.file.path),
	    L_U("keys", tickets.keys.n / SUP_TICKET_KEY_LEN));
	return true;
}

void tickets_look(struct frontend *f, bool force)
{
	if (renew(f, force))
		for (unsigned i = 0; i < f->nworkers; i++)
			tickets_send(&f->workers[i]);
}

void tickets_send(struct child *worker)
{
	child_send_ticket_keys(worker, buf_str(&tickets.keys));
}
