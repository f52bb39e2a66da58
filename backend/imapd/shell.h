/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shell: `imapd [./Maildir]` from a prompt, ssh or a script: IMAP on stdin and stdout, already
 * authenticated (FEATURES.md R5 to R9). No master, no other process needed.
 */
#pragma once
#include "common/config/settings.h"

struct imapd;
struct transfer_what;

/* what: not IMAP but transfer.h's work. Root becomes the Maildir's owner first. */
_Noreturn void shell_run(const struct settings *set, const char *maildir, const struct transfer_what *what);
void shell_client(struct imapd *im);
/* BYE with the reason on stdout (where IMAP is spoken), the reason on stderr, exit 1. */
_Noreturn void shell_fatal(const char *why);
/* A link to notifyd with its greeting said, where this user may; else -1. */
int shell_connect_notifyd(const struct settings *set, uint64_t dev, uint64_t ino);
