/* SPDX-License-Identifier: Apache-2.0 */
/* section: a FETCH item with its section and partial, RFC 3501 "fetch-att":
 * BODY.PEEK[1.2.HEADER.FIELDS (A B)]<0.10> */
#pragma once
#include "common/imap/args.h"

enum imap_section_text {
	IMAP_SECTION_ALL, /* BODY[], BODY[1.2] */
	IMAP_SECTION_HEADER,
	IMAP_SECTION_FIELDS,
	IMAP_SECTION_FIELDS_NOT,
	IMAP_SECTION_TEXT,
	IMAP_SECTION_MIME,
	IMAP_SECTION_N
};

struct imap_section {
	struct str item; /* "BODY.PEEK", "RFC822.SIZE", "FLAGS": what stands before '[' */
	bool bracket;	 /* there is a section; what follows is set only then */
	struct str path; /* "1.2", "" for the message itself */
	uint32_t part[IMAP_SECTION_DEPTH];
	unsigned nparts;
	enum imap_section_text text;
	const struct imap_arg
		*fields; /* of HEADER.FIELDS and .NOT: the first of one or more astrings */
	bool partial;
	uint32_t offset, length; /* length is at least 1 */
};

enum imap_section_result {
	IMAP_SECTION_OK,
	IMAP_SECTION_BAD, /* not the grammar: BAD */
	IMAP_SECTION_RESULT_N
};
/*
 * Takes one item (one argument, or the three of HEADER.FIELDS) off *a. Checks the grammar: part
 * numbers are not 0 and fit 32 bits, at most IMAP_SECTION_DEPTH of them, MIME follows a part, the
 * list of fields is not empty, the partial's numbers fit 32 bits and its length is not 0 (B37,
 * B38). Item names are not looked at: any atom without brackets passes.
 */
enum imap_section_result imap_section_take(const struct imap_arg **a, struct imap_section *out);
/* The section as it goes into the answer: "BODY[1.HEADER.FIELDS (A B)]<0>", in upper case, the
 * names of fields as the client wrote them. */
void imap_section_put(struct buf *out, const struct imap_section *s);
