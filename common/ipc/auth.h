/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth: login worker <-> authd. The worker carries SASL messages, decoded from base64, and knows
 * none of them: authd speaks the mechanisms (frontend/authd/sasl). A login is one AUTH_REQUEST, any
 * number of AUTH_CHALLENGE and AUTH_RESPONSE in turn, and one AUTH_ANSWER. The command LOGIN is a
 * PLAIN message, which it can be, since no argument of it has a NUL.
 */
#pragma once
#include "common/ipc/record.h"

enum auth_msg {
	AUTH_REQUEST = 1, /* login -> authd, struct auth_request */
	AUTH_ANSWER = 2,  /* authd -> login, struct auth_answer */
	AUTH_CANCEL =
		3, /* login -> authd, u32 id: the client has gone or gave up; no answer follows,
			      * or it is ignored */
	AUTH_CHALLENGE =
		4, /* authd -> login, struct auth_step: for the client; AUTH_RESPONSE or AUTH_CANCEL
			      * follows */
	AUTH_RESPONSE = 5, /* login -> authd, struct auth_step */
	AUTH_MECHANISMS =
		6, /* authd -> login, u32 bits by imap/saslname.h: what can work with the providers and
			      * settings. Comes first on each link, and again when it changes */
};

enum auth_result {
	AUTH_OK,
	AUTH_MISMATCH,	 /* wrong password: NO [AUTHENTICATIONFAILED] */
	AUTH_UNKNOWN,	 /* unknown user: the client sees the same as for a mismatch */
	AUTH_DISABLED,	 /* NO [AUTHORIZATIONFAILED] with text (disableimap) */
	AUTH_EXPIRED,	 /* NO [EXPIRED] */
	AUTH_IMPOSSIBLE, /* this mechanism can't work for this account */
	AUTH_TEMPFAIL,	 /* NO [UNAVAILABLE] */
	AUTH_NEXT,	 /* within authd: ask the next provider */
	AUTH_MALFORMED,	 /* the client's message breaks the mechanism's grammar: BAD, counted */
	AUTH_RESULT_N
};

#define AUTH_MESSAGE_MAX 32768 /* one SASL message; PRELOGIN_MAX is below it by default */
#define AUTH_CERT_MAX 16384    /* a client's certificates in DER */
#define AUTH_PROOF_MAX 24576 /* auth_peer.cert_proof: a handshake with two chains of certificates */

/* What only the check needs of a connection; the rest is in session_facts. */
struct auth_peer {
	bool proxied;	       /* the client came with a PROXY header (facts has its addresses) */
	struct str proxy_addr; /* then: the load balancer itself ... */
	struct str proxy_server_addr; /* ... and the address of ours that it connected to */
	uint16_t proxy_port, proxy_server_port;
	struct str sni; /* server name that the client asked for, or empty */
	/* Channel bindings, where the mechanism may want them; else empty. */
	struct str cb_exporter; /* RFC 9266 tls-exporter, 32 bytes */
	struct str cb_endpoint; /* RFC 5929 tls-server-end-point */
	/* The client's certificate: the worker only carries it. authd looks at the chain and at the
	 * client's signature over the handshake itself, so that a worker that was taken over can name
	 * nobody but those who came through it (DESIGN.md P3). */
	struct str cert; /* chain, leaf first: DER certificates one behind the other; or empty */
	struct str cert_fault; /* why TLS didn't accept it; empty where it did */
	struct str
		cert_proof; /* how the client proved to have its key: see frontend/authd/clientcert.h */
};

struct auth_request {
	uint32_t id;
	struct str mechanism; /* SASL name */
	bool has_initial;     /* the client sent an initial response (perhaps an empty one) */
	struct str initial;   /* wiped by both sides after use */
	uint32_t attempt;     /* 1, 2, 3 ... on this connection */
	uint8_t nonce[TICKET_NONCE_LEN]; /* one of the master's */
	struct session_facts facts;
	struct auth_peer peer;
};

struct auth_step { /* AUTH_CHALLENGE, AUTH_RESPONSE */
	uint32_t id;
	struct str message;
};

struct auth_answer {
	uint32_t id;
	uint8_t result; /* enum auth_result */
	struct str
		code; /* IMAP response code instead of the result's own, without brackets; mostly empty */
	struct str text; /* for the client, may be empty */
	struct str user; /* canonical name, for the log */
	struct str mailhost;
	struct str provider; /* which one said so, for log and metrics; may be empty */
	uint32_t delay_ms;   /* a refusal is told to the client so long after its last message */
	struct str ticket;   /* when AUTH_OK */
};

void auth_request_put(struct buf *b, const struct auth_request *r);
bool auth_request_get(struct str body, struct auth_request *r);
void auth_step_put(struct buf *b, const struct auth_step *s);
bool auth_step_get(struct str body, struct auth_step *s);
void auth_answer_put(struct buf *b, const struct auth_answer *a);
bool auth_answer_get(struct str body, struct auth_answer *a);
