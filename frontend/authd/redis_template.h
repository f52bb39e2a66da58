/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_template: REDIS_COMMAND, the command that looks an account up. It is split into words at blanks
 * BEFORE anything is put in, and each word becomes one argument, so that no user name can add one.
 *
 *   %u  user name, %n  its part before the first @ (all of it where there is none), %d  the part
 *   behind; %p  REDIS_PREFIX; %%  a per cent sign
 *
 * In what a user name puts in, the bytes % { } : are written as %25 %7B %7D %3A: no two names make the
 * same key, none leaves its part of the key space, and the braces of {%u} stay the hash tag of a Cluster.
 * Pure.
 */
#pragma once
#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/err.h"

#define REDIS_TEMPLATE_WORDS 64

struct redis_template {
	struct str words[REDIS_TEMPLATE_WORDS];
	size_t n;
	bool read; /* the command changes nothing */
	enum redis_answer_form {
		REDIS_ANSWER_VALUE,  /* one value (GET, HGET) */
		REDIS_ANSWER_FIELDS, /* values of the fields that words[2..] name (HMGET) */
		REDIS_ANSWER_PAIRS,  /* name, value, name, value (HGETALL) */
	} form;
};

/* Strings lie in a. -1: e says what is wrong with it. */
int redis_template_parse(struct arena *a, struct str text, struct str prefix,
			 struct redis_template *t, struct err *e);
/* argv has room for t->n; its strings lie in a. */
void redis_template_expand(const struct redis_template *t, struct arena *a, struct str user,
			   struct str *argv);
/* Appends a user name as it stands in a key. */
void redis_template_escape(struct buf *out, struct str name);
