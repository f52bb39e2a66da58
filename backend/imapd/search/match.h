/* SPDX-License-Identifier: Apache-2.0 */
/* match: whether a message answers a SEARCH program: first by what is in memory, then, on an I/O
 * thread, by its file. */
#pragma once
#include "backend/imapd/search/program.h"
#include "common/mail/mime.h"

enum search_truth { SEARCH_NO, SEARCH_YES, SEARCH_MAYBE };

/* What is known of a message without its file: leaves by number, MAYBE where only the file tells. */
typedef enum search_truth search_leaf_fn(void *ctx, const struct search_node *leaf);
enum search_truth search_eval(const struct search_node *n, search_leaf_fn *leaf, void *ctx);

struct search_target {
	struct msg_ref ref;
	uint8_t *known;  /* enum search_truth by leaf, of the leaves that are in memory */
	bool hit;        /* out */
	int error;       /* out: the file could not be read (ENOENT: it has gone) */
	uint64_t wire;   /* out: RFC822.SIZE where it was counted */
};
struct search_matcher; /* needles, made once per command */
struct search_matcher *search_matcher_new(const struct search_program *p, const struct mime_limits *limits,
					  struct store *st);
void search_matcher_free(struct search_matcher **m);
void search_match(struct search_matcher *m, struct search_target *t); /* on an I/O thread */
