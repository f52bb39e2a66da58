/* SPDX-License-Identifier: Apache-2.0 */
/*
 * err: an error as a value. Libraries fill it and never log; the layer that knows the user and
 * the session logs once. A function that can fail takes it last and returns -1.
 */
#pragma once
#include <errno.h>

struct err {
	int code;       /* an errno value, or 0 where none fits */
	char text[240]; /* what failed, on what, and what to do; no newline */
};
/* Each sets *e (e may be NULL) and returns -1, so that "return err_set(...)" reads well. */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The same with ": " and strerror(errno) appended, code = errno. */
int err_sys(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Puts "what: " in front of the text that is there (cut to the room). */
int err_in(struct err *e, const char *what);
