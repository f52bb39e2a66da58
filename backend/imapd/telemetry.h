/* SPDX-License-Identifier: Apache-2.0 */
/*
 * telemetry: what one connection sends and gets, in a file of Cyrus's form: a line with the user and
 * the date, then "<seconds<" before what the client sent and ">seconds>" before what it got. It is
 * The arguments of a LOGIN that comes too late are left out. It is
 * written on the I/O threads; what a slow disk can't take is left out, and said to be.
 */
#pragma once
#include "common/io/jobs.h"
#include "common/base/str.h"

struct telemetry;

/* fd is owned from here on. At most max bytes are written. */
struct telemetry *telemetry_new(struct jobs *js, int fd, const char *user, uint64_t max);
void telemetry_put(struct telemetry *t, bool out, struct str bytes);
/* What was put is still written. */
/* Files of this process to which something is still to be written. */
unsigned telemetry_writing(void);
void telemetry_free(struct telemetry **t);
