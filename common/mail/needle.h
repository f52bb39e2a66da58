/* SPDX-License-Identifier: Apache-2.0 */
/*
 * needle: does a text hold a string, without regard to case (see charset_fold)? The text comes in
 * chunks of UTF-8 that may be cut inside a character.
 */
#pragma once
#include "common/base/buf.h"

struct needle {
	struct buf key; /* folded */
	bool found;
	struct buf
		window; /* folded text that was not searched yet, and key.n - 1 bytes before it */
	char part[4];	/* an unfinished character at the end of the last chunk */
	unsigned npart;
};
/* An empty text is found in everything. */
void needle_init(struct needle *k, struct str utf8);
void needle_deinit(struct needle *k);
void needle_reset(struct needle *k); /* another text; the key stays */
/* Adds to the text. True as soon as (and from then on) the key was seen; the text is searched in
 * larger pieces, so the last word is needle_end()'s. */
bool needle_push(struct needle *k, struct str chunk);
bool needle_end(struct needle *k);
/* All at once. */
bool needle_in(struct needle *k, struct str text);
