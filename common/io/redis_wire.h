/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_wire: Redis's protocol (RESP2): commands to bytes, bytes to values; the one place that knows
 * hiredis. Its reader and its formatter are used, not its connections: redisAsyncContext asserts on what
 * the server sends (an answer that nobody asked for ends the process), knows no time limits and no limit
 * of an answer's size.
 */
#pragma once
#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/err.h"

enum redis_kind { REDIS_NIL, REDIS_TEXT, REDIS_NUMBER, REDIS_LIST, REDIS_FAULT };

struct redis_value {
	enum redis_kind kind;
	struct str text;	   /* REDIS_TEXT; REDIS_FAULT: "ERR what is wrong" */
	int64_t number;		   /* REDIS_NUMBER */
	struct redis_value **list; /* REDIS_LIST; an element is never NULL */
	size_t n;
};

struct redis_reader;
/* max: bytes of one answer, with what its parts cost. */
struct redis_reader *redis_reader_new(size_t max);
void redis_reader_free(struct redis_reader **r);
/* -1: the peer speaks no RESP, or more than max; nothing can be read from it any more. */
int redis_reader_feed(struct redis_reader *r, struct str bytes, struct err *e);
/* 1: *v is the next whole answer, valid until the next call; 0: more bytes are needed; -1 as above. */
int redis_reader_next(struct redis_reader *r, const struct redis_value **v, struct err *e);

/* Appends a command. Arguments may hold any bytes: they are sent with their lengths. */
void redis_format(struct buf *out, const struct str *argv, size_t argc);
