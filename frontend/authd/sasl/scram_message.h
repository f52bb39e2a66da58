/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scram_message: the messages of SCRAM (RFC 5802 7), taken apart and put together. Pure. Extensions
 * that the RFC reserves as optional are passed over, mandatory ones (m=) are refused.
 */
#pragma once
#include "common/base/arena.h"
#include "common/base/buf.h"

#define SCRAM_NONCE_MAX 512
#define SCRAM_NAME_MAX 255
#define SCRAM_CBIND_MAX 4096 /* GS2 header and channel binding data together */

struct scram_first {
	char binding;		  /* 'n': can't; 'y': could, but thinks that we can't; 'p': does */
	struct str binding_name;  /* with 'p' */
	struct str gs2;		  /* the GS2 header, with its last comma */
	struct str bare;	  /* what the signatures cover */
	struct str user, authzid; /* unescaped, in the arena; authzid may be empty */
	struct str nonce;
};
/* The GS2 header alone (RFC 5801 4): binding, binding_name, gs2, authzid; *rest is what follows. */
bool scram_gs2_parse(struct scram_first *f, struct arena *a, struct str *rest);
/* Slices point into m but for those in the arena. False: not the grammar, or beyond the limits. */
bool scram_first_parse(struct scram_first *f, struct arena *a, struct str m);

struct scram_final {
	struct str cbind; /* decoded, in the arena */
	struct str nonce;
	struct str unproven; /* the message without its proof */
	struct str proof;    /* decoded, in the arena */
};
bool scram_final_parse(struct scram_final *f, struct arena *a, struct str m);

/* "r=..,s=..,i=.." */
void scram_server_first(struct buf *out, struct str client_nonce, struct str server_nonce,
			struct str salt, uint32_t iterations);
/* "v=.." */
void scram_server_final(struct buf *out, struct str signature);
