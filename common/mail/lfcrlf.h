/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lfcrlf: line ends between file and wire, in chunks. To the wire: a bare LF becomes CRLF, CRLF and
 * bare CR stay, NUL becomes 0x80 (IMAP can't carry it outside of literal8) unless keep_nul. To the
 * file: CRLF becomes LF, everything else stays.
 */
#pragma once
#include "common/base/buf.h"

struct lfcrlf {
	bool cr; /* the last chunk ended in CR */
	bool keep_nul;
};
/* Zero-initialised at the start of a range. out grows by lfcrlf_count() of the same chunk. */
void lfcrlf_put(struct lfcrlf *s, struct buf *out, struct str chunk);
/* How many bytes lfcrlf_put would make; s moves on. */
uint64_t lfcrlf_count(struct lfcrlf *s, struct str chunk);

/* A partial fetch: of the wire form, skip bytes are left out, then at most take are given. */
struct lfcrlf_window {
	struct lfcrlf s;
	uint64_t skip, take;
};
/* True when nothing more will come (take has run down to 0). */
bool lfcrlf_window_put(struct lfcrlf_window *w, struct buf *out, struct str chunk);

struct crlflf {
	bool cr; /* a CR at the end of the last chunk is held back */
};
void crlflf_put(struct crlflf *s, struct buf *out, struct str chunk);
void crlflf_end(struct crlflf *s, struct buf *out); /* gives the CR that was held back */
