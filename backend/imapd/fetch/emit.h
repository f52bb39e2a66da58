/* SPDX-License-Identifier: Apache-2.0 */
/*
 * emit: makes the FETCH answers of a batch of messages from their files, on an I/O thread, into a
 * bounded buffer. A body that is larger than the buffer is left in the middle and gone on with by
 * the next call, when the client has taken what there was.
 */
#pragma once
#include "backend/imapd/fetch/plan.h"
#include "common/mail/lfcrlf.h"
#include "common/mail/mime.h"

enum fetch_fault {
	FETCH_FINE,
	FETCH_GONE,    /* the file has really gone */
	FETCH_NOREAD,  /* could not be read: error is the errno */
	FETCH_CHANGED, /* changed while it was being sent: the stream can't be saved, close */
};

struct fetch_target {
	struct msg_ref ref;
	struct str head;   /* "* 5 FETCH (UID 7", ready up to here; in the batch's arena */
	bool need_size;    /* RFC822.SIZE is asked for and not known */
	bool had_item;     /* head ends in an item: a space comes first */
	uint64_t wire;     /* out: RFC822.SIZE where it became known, else 0 */
	enum fetch_fault fault;
	int error;
};

struct fetch_run {
	const struct fetch_plan *plan;
	struct mime_limits limits;
	struct store *store;
	struct fetch_target *targets;
	size_t n, at;        /* at: the target in hand */
	struct buf out;
	size_t header_bytes; /* of out: headers and envelopes, for the log; the caller sets it back */
	/* the message in hand */
	bool open, parsed;
	int fd;
	uint64_t size;
	struct buf file;     /* the whole file where it is small */
	bool in_memory;
	struct buf header;   /* its header where no more is needed */
	struct arena arena;
	const struct mime_part *root;
	size_t item, start;  /* next item; where the answer begins in out */
	bool began;          /* the head is in out */
	/* a body that goes out in pieces */
	bool streaming;
	uint64_t off, end;   /* bytes of the file still to read */
	uint64_t owed;       /* wire bytes that the literal's head promised and that are not yet out */
	struct lfcrlf_window window;
};

/* Works until the batch is done or FETCH_OUT_BYTES of output are there. True: done. */
bool fetch_emit(struct fetch_run *r);
void fetch_run_close(struct fetch_run *r); /* descriptor and buffers */
#define FETCH_OUT_BYTES (128 * 1024)
