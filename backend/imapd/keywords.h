/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keywords: `imapd --keywords=list|set|add|remove MAILDIR FOLDER [MESSAGE KEYWORD...]`, which posthousectl(1) runs:
 * one message's keywords changed, or those of all shown. It may run beside the imapd that serves the Maildir.
 */
#pragma once
#include "backend/imapd/process.h"
#include "common/base/vec.h"

struct keywords_what {
	const char *mode;
	VEC(const char *) words; /* folder, message, keywords */
};
bool keywords_mode(const char *mode); /* whether it is one */
/* 0: done; 1: something went wrong, and was said. */
int keywords_run(const struct process_opts *o, const struct keywords_what *what);
