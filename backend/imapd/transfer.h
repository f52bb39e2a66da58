/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transfer: `imapd --import[=courier|dovecot]` and `imapd --export=courier|dovecot`, which posthousectl(1) runs: goes through
 * all folders of a Maildir once, says a line about each on stdout, and ends. It may run beside the imapd that
 * serves the Maildir, since folders are changed under their locks.
 */
#pragma once
#include "backend/imapd/process.h"

struct transfer_what {
	bool import;
	bool quota; /* `imapd --quota`: says what is in use, and nothing else */
	const struct keywords_what *keywords; /* NULL: import or export */
	const char *server; /* "courier", "dovecot"; NULL (import): whichever was at work last */
};
/* 0: done; 1: something went wrong, and was said. */
int transfer_run(const struct process_opts *o, const struct transfer_what *what);
