/* SPDX-License-Identifier: Apache-2.0 */
/* import_int: what import.c and import_read.c share; nobody else includes it. */
#pragma once
#include "backend/store/foreign.h"
#include "backend/store/store_int.h"
#include "common/base/arena.h"

struct imp_file { /* a message's file, as it lies there */
	struct str base, extra;
	const char *name;
	bool in_new;
	uint8_t flags;
	int64_t mtime;
	uint64_t size;
	uint32_t uid;	 /* by the list that counts; 0: that knows it not */
	uint64_t kw_age; /* of its update file in courierimapkeywords/; 0: none */
	uint16_t *kw;	 /* numbers of imp.keywords */
	uint16_t nkw;
};

enum imp_from { FROM_COURIER, FROM_DOVECOT, FROM_N };
struct imp_list {
	bool there;
	struct buf text;
	int64_t mtime;
	struct uidlist list;
	size_t known; /* files that it names */
};

struct imp {
	struct fold *f;
	struct arena arena;
	struct err fault; /* of the volume; code 0: none */
	VEC(struct imp_file *) files;
	struct hmap *by_base;
	struct imp_list lists[FROM_N];
	struct imp_list *list; /* the one that counts, or NULL */
	enum imp_from from;    /* whose keywords count */
	VEC(const char *) keywords;
	size_t known_keywords; /* the first of them: the folder has them already */
	size_t lost_keywords;  /* that were one too many */
};

/* import_read.c: -1: *e */
bool imp_anything(const struct fold *f);     /* whether there is a file to read */
int imp_read(struct imp *im, struct err *e); /* files, lists, which list counts, keywords */
void imp_free(struct imp *im);
const char *imp_name(const struct imp *im); /* "courierimapuiddb" ... */
