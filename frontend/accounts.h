/* SPDX-License-Identifier: Apache-2.0 */
/*
 * accounts: PASSWD_FILE, where AUTHMODULES asks for it. It is looked at once a second and passed to authd
 * when it has changed: at once when another file was renamed over it, else when it hasn't changed since
 * the last look, since somebody is writing it in place.
 */
#pragma once
#include <stdbool.h>
#include <sys/stat.h>
#include "common/base/err.h"

struct frontend;

struct accounts {
	int fd;		   /* -1: not used */
	struct stat given; /* of the file behind fd */
	struct stat seen;  /* at the last look */
	bool missing;	   /* then it couldn't be looked at */
	char fault[240];   /* said last, so that it isn't said every second */
};

int accounts_open(struct frontend *f, struct err *e); /* a missing file is an error */
void accounts_look(struct frontend *f, bool force);   /* passes it on if it is another */
