/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mime: the structure of a message (RFC 2045, 2046), found while its bytes go by in chunks of any
 * size. Pure: no I/O, no global state, time linear in the bytes, memory bounded by the limits.
 *
 *     struct mime_parser *p = mime_begin(arena, &limits);
 *     while (more) mime_push(p, chunk);
 *     struct mime_part *root = mime_end(p);
 *
 * Lines end with LF or CRLF, also mixed. On the wire each line end is CRLF: "wire" sizes count a
 * bare LF as two bytes and equal what lfcrlf_put() makes of the same range of the file. A bare CR
 * is an ordinary byte.
 */
#pragma once
#include <stdint.h>
#include "common/base/arena.h"

struct mime_limits {
	uint32_t depth;	    /* levels of parts; a container below is shown as a leaf */
	uint32_t parts;	    /* parts in all; then no further boundary is looked for */
	size_t header_max;  /* bytes of one header that are kept and parsed (five times that in all)
			     */
	uint32_t params;    /* parameters of one field */
	uint32_t addresses; /* addresses in one ENVELOPE */
	bool no_backslash; /* BODYSTRUCTURE: left out of values of parameters (IMAP_CLIENT_WORKAROUNDS) */
};
#define MIME_LIMITS_DEFAULT ((struct mime_limits){100, 10000, 10u << 20, 128, 5000, false})

struct mime_param {
	struct str name, value; /* RFC 2231 pieces joined; the name then keeps its '*' if encoded */
};
struct mime_params {
	struct mime_param *a;
	size_t n;
};
/* The value of a parameter (name without regard to case), STR_NONE where there is none. */
struct str mime_param(const struct mime_params *p, struct str name);

enum mime_kind {
	MIME_LEAF,
	MIME_MULTIPART, /* children: its parts, at least one */
	MIME_MESSAGE, /* message/rfc822 or message/global: children: the embedded message's root */
};

struct mime_part {
	struct mime_part *parent, *children, *last, *next;
	enum mime_kind kind;
	uint32_t number; /* 1 for the parent's first child; 1 for a root */
	uint32_t level;	 /* the root has 1 */
	bool text;	 /* type is text */
	bool limited;	 /* a container that is shown as a leaf because of a limit */

	/* From the header; STR_NONE where absent. Unfolded, trimmed, otherwise as in the message.
	 */
	struct str type, subtype; /* never absent: text/plain where missing or broken */
	struct mime_params params;
	struct str encoding; /* Content-Transfer-Encoding, the bare token; absent means 7bit */
	struct str id, description, md5, location;
	struct str disposition; /* the bare token */
	struct mime_params disposition_params;
	struct str *languages;
	size_t nlanguages;

	/* The raw header with its blank line, line ends as in the file, cut at header_max: only
	 * where a message begins (the root and each child of a MIME_MESSAGE), else STR_NONE. */
	struct str header;
	bool header_cut;

	/* Ranges of the file in bytes. The body begins where the header (with its blank line) ends.
	 */
	uint64_t header_off, header_len, body_off, body_len;
	/* The same ranges as they go on the wire, and the line ends (LFs) in them. */
	uint64_t header_wire, body_wire;
	uint64_t header_lines, body_lines;

	/* Set in the root only: what the whole file holds. */
	bool has_nul;
	uint32_t nparts;
};

struct mime_parser;
/* All memory of the tree lies in the arena; the limits are copied. */
struct mime_parser *mime_begin(struct arena *a, const struct mime_limits *limits);
void mime_push(struct mime_parser *p, struct str chunk);
/* Must be called, once, also to give up: it frees what is not in the arena. Never NULL: an empty
 * file is an empty text/plain message. */
struct mime_part *mime_end(struct mime_parser *p);

/*
 * The part that an IMAP section number names (RFC 3501 6.4.5); NULL where there is none. n == 0 is
 * the root. Part 1 of a message that is no multipart is its own body: then the root of that
 * message (the file's or an embedded one) is returned. Inside a MIME_MESSAGE numbers go on with
 * the parts of the embedded message. For a part P that was found:
 *   BODY[P]        is its body (body_off ...), BODY[P.MIME] its header,
 *   BODY[P.HEADER] and BODY[P.TEXT] need P->kind == MIME_MESSAGE and are the header and the body of
 *                  P->children.
 */
const struct mime_part *mime_find(const struct mime_part *root, const uint32_t *path, size_t n);
/* Depth-first successor of part, NULL after the last; start with the root itself. */
const struct mime_part *mime_next(const struct mime_part *part);
/* charset parameter of a text part, "us-ascii" where there is none. */
struct str mime_charset(const struct mime_part *part);
