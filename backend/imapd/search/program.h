/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program: a SEARCH as a tree (RFC 3501 6.4.4), parsed once with its limits (B35), then read by the
 * loop and by the I/O threads. Strings are UTF-8, whatever CHARSET said.
 */
#pragma once
#include "backend/imapd/cmd.h"
#include "common/imap/seqset.h"

enum search_op {
	SEARCH_ALL,
	SEARCH_AND, /* of the kids */
	SEARCH_OR,
	SEARCH_NOT,
	/* in memory */
	SEARCH_FLAG,    /* all bits of flags are set */
	SEARCH_RECENT,
	SEARCH_KEYWORD,
	SEARCH_NUMBERS, /* set of message numbers */
	SEARCH_UIDS,
	SEARCH_DATE,    /* INTERNALDATE: from <= day < to */
	SEARCH_SIZE,    /* RFC822.SIZE: from < size < to; in memory mostly */
	SEARCH_MODSEQ,  /* from <= modseq */
	/* in the file */
	SEARCH_SENT,    /* Date: header, as SEARCH_DATE */
	SEARCH_HEADER,  /* field name holds text */
	SEARCH_BODY,
	SEARCH_TEXT,    /* header or body */
};

struct search_node {
	enum search_op op;
	struct search_node *kids, *next;
	uint32_t leaf;          /* number of a node without kids */
	uint8_t flags;
	struct str name, text;  /* keyword or field name; string */
	struct imap_seqset set; /* freed by search_program_free */
	struct uids uids;       /* what the set names, resolved by the command */
	int64_t from, to;
};

struct search_program {
	struct search_node *root;
	uint32_t leaves;
	bool header, body; /* some key looks there */
	bool modseq;       /* the answer has the highest one */
	struct search_node *sets[64]; /* SEARCH_NUMBERS and SEARCH_UIDS, for resolving and freeing */
	size_t nsets;
};

enum search_parse { SEARCH_PARSED, SEARCH_BAD, SEARCH_BADCHARSET, SEARCH_LIMIT };
/* Takes all arguments, CHARSET included. Memory in the command's arena but for the sets. */
enum search_parse search_program_parse(struct cmd *cmd, const struct imap_arg *a, struct search_program *p,
				       const char **why);
void search_program_free(struct search_program *p);
