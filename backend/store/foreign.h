/* SPDX-License-Identifier: Apache-2.0 */
/*
 * foreign: the lists that Courier and Dovecot keep in a folder beside its messages (FEATURES.md R138,
 * R140, R141, R149), as pure readers and writers: bytes in, entries out. Nothing is trusted: a line that
 * can't be right is left out and counted, and what puts numbers in doubt that were given makes the list
 * unsure. Slices point into the text that was read.
 */
#pragma once
#include "common/base/buf.h"
#include "common/base/vec.h"

/* ---- courierimapuiddb (= dovecot-uidlist version 1), dovecot-uidlist version 3 ------------------- */
struct uidlist_entry {
	uint32_t uid;
	struct str base; /* file name up to ":2," */
	struct str keys; /* version 3: what stands between, "W123 P0.x"; no blank at either end */
};
struct uidlist {
	uint32_t uidvalidity, uidnext; /* not sure: what could be read, 0 = nothing */
	struct str guid;	       /* version 3: 32 hex digits, or empty */
	VEC(struct uidlist_entry) a;   /* by uid; each uid and each name once */
	size_t dropped;		       /* lines that were left out */
	const char *unsure;	       /* why its numbers can't be gone on with; NULL: they can */
};
/*
 * A list is unsure where its first line is damaged, where a UID isn't below the next one that it gives
 * (version 1; Dovecot appends to version 3 without rewriting the first line), where the end is missing that
 * would say so, and where next to no numbers are left. The entries are there all the same, for their order.
 */
void uidlist_parse(struct str text, struct uidlist *out);
void uidlist_free(struct uidlist *l);

/* ---- keywords -------------------------------------------------------------------------------------- */
struct kwlist_entry {
	struct str base;
	struct str numbers; /* of names, "0 3 12" */
};
struct kwlist { /* courierimapkeywords/:list */
	VEC(struct str) names;
	VEC(struct kwlist_entry) a; /* as they stand: of two of one base, the latter counts */
};
void kwlist_parse(struct str text, struct kwlist *out);
void kwlist_free(struct kwlist *l);
/* Takes the next number off *numbers that is below limit. False: there is none. */
bool kwlist_number(struct str *numbers, size_t limit, size_t *out);
/* File names in courierimapkeywords/: "<base>" is the newest word on a message, ".N.<base>" the more
 * recent the greater N. False: another file. *age: N, or UINT64_MAX for the newest. */
bool kwupdate_name(struct str name, struct str *base, uint64_t *age);

enum { DOVECOT_LETTERS = 26 };
/* dovecot-keywords: names[i] belongs to the letter 'a' + i; empty: to none. */
void letters_parse(struct str text, struct str names[DOVECOT_LETTERS]);

/* A keyword as IMAP can say it: what no atom may hold becomes '_', as with Courier. False: there is
 * nothing left to say, or it is longer than max. */
bool keyword_clean(struct str in, size_t max, struct buf *out);

/* ---- Dovecot's subscriptions --------------------------------------------------------------------- */
/* Appends "INBOX.a.b\n" (UTF-8) for each line, whatever its version, separator and encoding. Lines that
 * name no folder are left out. */
void subscriptions_parse(struct str text, struct buf *out);
/* The lines of a list of ours as Dovecot writes them, without "INBOX." in front; mutf7: the names' form. */
void subscriptions_make(struct str ours, bool mutf7, struct buf *out);
/* "INBOX.R&AOk-sum&AOk-" to UTF-8, where it is a coded name; else as it is. */
void folder_name_decode(struct str name, struct buf *out);
