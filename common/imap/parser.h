/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parser: one IMAP command (RFC 3501 section 9) into a tree of arguments. Pure: it is fed with the
 * connection's unconsumed input and never reads; it may be stopped at any byte. It consumes what it
 * is given, so that an unfinished command waits here and not in the input buffer. An idle parser
 * owns no memory.
 *
 *     for (;;) {
 *             size_t used;
 *             enum imap_parse r = imap_parse_step(p, conn_in(c), &used);
 *             conn_consume(c, used);
 *             switch (r) {
 *             case IMAP_PARSE_MORE:    return;
 *             case IMAP_PARSE_LITERAL: one of imap_parser_take, _stream, _refuse; continue;
 *             case IMAP_PARSE_COMMAND: run it (it may take many turns), then imap_parser_done(p)
 *             case IMAP_PARSE_BAD:     imap_parser_put_bad(p, out); imap_parser_done(p); continue;
 *             case IMAP_PARSE_BYE:     "* BYE " p->text, close
 *             }
 *     }
 *
 * Literals. Each announcement stops at IMAP_PARSE_LITERAL, p->literal says what it is and the tree
 * so far can be looked at. The caller then calls exactly one of
 *   imap_parser_take    the bytes become a node's string. True: go on, and send "+ OK" first where
 *                       p->literal.sync. False (over the limits): the next step gives BAD or BYE.
 *   imap_parser_stream  the caller sends "+ OK" (if sync) and itself consumes p->literal.size bytes
 * of the input; then it steps again, behind them. Their node is IMAP_ARG_STREAM. Such bytes count
 * against no limit here (check p->literal.size first). imap_parser_refuse  the caller has given the
 * tagged answer (NO [TRYCREATE] ...). Nothing further is reported of this command; its remaining
 * bytes are dropped, in constant memory whatever the size, and never run as commands (B6).
 *
 * Bad commands. The rest of the line, with the literals that the client sends unasked, is dropped
 * first, then BAD is returned once. Where the end of the command can't be known (line or literal
 * over the limit, broken announcement of a literal that is sent unasked), the answer is BYE.
 *
 * Accepted beyond the RFC, since clients do so: bare LF as line end, more than one space between
 * arguments and before the end, valid UTF-8 in quoted strings. Atoms are any printable ASCII but
 * ( ) { " and space; what may stand at a place is the getters' business (args.h).
 */
#pragma once
#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/imap/announce.h"
#include "common/imap/limits.h"

enum imap_parse {
	IMAP_PARSE_MORE,    /* all input is consumed */
	IMAP_PARSE_LITERAL, /* p->literal is announced, see above */
	IMAP_PARSE_COMMAND, /* p->tag, p->name, p->args are complete; valid until imap_parser_done
			     */
	IMAP_PARSE_BAD,	    /* p->text says why; p->tag is empty where the tag isn't known */
	IMAP_PARSE_BYE,	    /* p->text says why; every further step says so again */
	IMAP_PARSE_N
};

enum imap_arg_type {
	IMAP_ARG_ATOM,	   /* NIL too */
	IMAP_ARG_QUOTED,   /* s without quotes and escapes; valid UTF-8, no NUL, CR, LF */
	IMAP_ARG_LITERAL,  /* any bytes but NUL */
	IMAP_ARG_LITERAL8, /* any bytes */
	IMAP_ARG_STREAM,   /* the caller has consumed it: size bytes; literal8 tells ~{n} */
	IMAP_ARG_LIST,	   /* its elements hang on list */
	IMAP_ARG_N
};

struct imap_arg {
	enum imap_arg_type type;
	bool literal8;
	/* Stands right behind the argument before it, without a space: "]<0.10>" behind the list in
	 * BODY[HEADER.FIELDS (A B)]<0.10>, which is three arguments: the atom "BODY[HEADER.FIELDS",
	 * the list, the atom "]<0.10>". section.h puts them together. Happens nowhere else. */
	bool glued;
	struct str s;	       /* in the parser's arena, a NUL behind it */
	uint64_t size;	       /* of a streamed literal */
	size_t count;	       /* elements of a list */
	struct imap_arg *list; /* the first one */
	struct imap_arg *next;
};

struct imap_limits {
	size_t line;	    /* bytes of one command without streamed literals; more is BYE */
	size_t literal;	    /* bytes of one literal that is taken into memory */
	unsigned depth;	    /* nested parentheses */
	unsigned args;	    /* nodes of the tree */
	bool login_parens;  /* ( and ) are characters of LOGIN's atoms (IMAP_CLIENT_WORKAROUNDS) */
	bool literal_minus; /* literals sent unasked hold at most IMAP_LITERAL_MINUS_MAX bytes (B7)
			     */
};

struct imap_literal {
	uint64_t size;
	bool sync;     /* the client waits for "+ " */
	bool literal8; /* ~{n} */
};

struct imap_level; /* an open parenthesis */
struct imap_parser {
	/* for the caller to read */
	struct str tag, name;  /* as the client wrote them, in any case */
	struct imap_arg *args; /* the first argument, NULL without any */
	size_t count;
	struct imap_literal literal;
	const char *text; /* of BAD and BYE, with its response code */
	/* may be changed between commands (after login) */
	struct imap_limits limits;

	/* private */
	struct arena arena;
	struct buf tok; /* the token at hand */
	struct imap_level *open;
	struct imap_arg *tail, *before; /* the last node of the open level, and the one before it */
	size_t used;			/* bytes of this command, streamed ones aside */
	uint64_t left;			/* bytes that the literal at hand still has */
	unsigned depth, nodes;
	uint8_t state;
	bool cr;		  /* a CR that waits for its LF */
	bool glue;		  /* the atom at hand follows a list without a space */
	bool parens;		  /* LOGIN, where they are no lists */
	bool silent;		  /* refused by the caller: no answer is due */
	struct imap_announce lit; /* the "{n+}" at hand, also in a line that is being dropped */
};

void imap_parser_init(struct imap_parser *p, const struct imap_limits *limits);
void imap_parser_deinit(struct imap_parser *p);
/* input: all that is unconsumed; *used: how much of it to consume, whatever the result. */
enum imap_parse imap_parse_step(struct imap_parser *p, struct str input, size_t *used);
bool imap_parser_take(struct imap_parser *p);
void imap_parser_stream(struct imap_parser *p);
/* After imap_parser_stream, where one message follows the other in a command (RFC 3502): the arguments so far were
 * looked at. Their memory goes back, and the limits hold for what comes. */
void imap_parser_next(struct imap_parser *p);
void imap_parser_refuse(struct imap_parser *p);
/* The command (or BAD) is answered: its memory goes back, the next one may be parsed. Not needed
 * after imap_parser_refuse. */
void imap_parser_done(struct imap_parser *p);
/* The same, and what was parsed is overwritten first: LOGIN's password. */
void imap_parser_wipe(struct imap_parser *p);
/* No byte of a command is pending: the input may be handed to somebody else (STARTTLS, login). */
bool imap_parser_idle(const struct imap_parser *p);
/* "tag BAD text" or "* BAD text", with CRLF. */
void imap_parser_put_bad(const struct imap_parser *p, struct buf *out);

/* A line that is no command: SASL answers, DONE. 1: *line is the text without its end, consume
 * *used; 0: more input is needed (consume nothing); -1: longer than max. */
int imap_take_line(struct str input, size_t max, struct str *line, size_t *used);

#define IMAP_LIMITS_PRELOGIN(bytes, minus)                                                         \
	((struct imap_limits){(bytes), (bytes), IMAP_DEPTH_PRELOGIN, IMAP_ARGS_PRELOGIN, false,    \
			      (minus)})
#define IMAP_LIMITS_SESSION(bytes, minus)                                                          \
	((struct imap_limits){(bytes), (bytes), IMAP_DEPTH_MAX, IMAP_ARGS_MAX, false, (minus)})
