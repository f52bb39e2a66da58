/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log: one event, one line: key=value or JSON, to stderr or syslog (facility mail). Text that came
 * from a peer is escaped and cut to LOG_VALUE_MAX bytes here, so no caller can forget it (B70).
 *
 *     LOG(L_INFO, "login", L_S("user", user), L_U("pid", pid), L_C("method", "PLAIN"));
 *
 * gives  2026-11-21T06:30:00.123Z info imapd[123] login user=demo pid=123 method=PLAIN
 * (no time stamp where JOURNAL_STREAM is set or to syslog). Thread-safe: a line is one write().
 */
#pragma once
#include <stdint.h>
#include "common/base/str.h"

enum log_level { L_DEBUG, L_INFO, L_WARN, L_ERROR, L_LEVEL_N };
enum log_form { LOG_FORM_KV, LOG_FORM_JSON };
enum log_sink { LOG_SINK_STDERR, LOG_SINK_SYSLOG };
#define LOG_VALUE_MAX 512

struct log_kv {
	const char *key;
	char kind; /* 's' slice, 'u' unsigned, 'i' signed, 'b' and 'p': 's' and 'u' in brackets (LOG_COURIER) */
	struct str s;
	uint64_t u;
};
#define L_S(k, v) ((struct log_kv){(k), 's', (v), 0})
#define L_C(k, v) ((struct log_kv){(k), 's', str_c(v), 0})
#define L_U(k, v) ((struct log_kv){(k), 'u', STR_NONE, (uint64_t)(v)})
#define L_I(k, v) ((struct log_kv){(k), 'i', STR_NONE, (uint64_t)(int64_t)(v)})
#define L_B(k, v) ((struct log_kv){(k), 'b', str_c(v), 0})
#define L_P(k, v) ((struct log_kv){(k), 'p', STR_NONE, (uint64_t)(v)})
#define LOG(level, event, ...)                                                                     \
	log_event((level), (event), (struct log_kv[]){__VA_ARGS__},                                \
		  sizeof((struct log_kv[]){__VA_ARGS__}) / sizeof(struct log_kv))

/*
 * Events that Courier has too are written in its way, for the programs that read its log (fail2ban):
 *     LOGIN FAILED, user=demo, ip=[192.0.2.1], port=[4096], reason=mismatch
 * What could end a value or look like another key (comma, equals sign, brackets, quotes, control
 * characters) is \xNN in it, so that no name of a peer's choice can put in an ip=[...] of its own.
 */
#define LOG_COURIER(level, event, ...)                                                             \
	log_courier((level), (event), (struct log_kv[]){__VA_ARGS__},                              \
		    sizeof((struct log_kv[]){__VA_ARGS__}) / sizeof(struct log_kv))

/* program: the name in each line. Before log_init, lines go to stderr as key=value at info. */
void log_init(const char *program, enum log_sink sink, enum log_form form, enum log_level min);
void log_event(enum log_level level, const char *event, const struct log_kv *kv, size_t n);
void log_courier(enum log_level level, const char *event, const struct log_kv *kv, size_t n);
/* As text goes into a line of LOG_COURIER, for lines that are put together elsewhere. */
struct buf;
void log_escape(struct buf *b, struct str s);
