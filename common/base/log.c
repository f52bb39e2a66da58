/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/utf8.h"

static const char *const level_names[L_LEVEL_N] = {"debug", "info", "warn", "error"};
static const int level_syslog[L_LEVEL_N] = {LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERR};

static struct {
	char program[32];
	enum log_sink sink;
	enum log_form form;
	enum log_level min;
	bool stamp;
} state = {"posthouse", LOG_SINK_STDERR, LOG_FORM_KV, L_INFO, true};

void log_init(const char *program, enum log_sink sink, enum log_form form, enum log_level min)
{
	snprintf(state.program, sizeof state.program, "%s", program);
	state.sink = sink;
	state.form = form;
	state.min = min;
	state.stamp = sink == LOG_SINK_STDERR && (form == LOG_FORM_JSON || getenv("JOURNAL_STREAM") == NULL);
	if (sink == LOG_SINK_SYSLOG)
		openlog(state.program, LOG_PID | LOG_NDELAY, LOG_MAIL); /* now: later a sandbox is closed */
}

/* Control characters of ASCII and of Latin-1 (C1), and the separators that some viewers break at. */
static bool is_control(uint32_t cp)
{
	return cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0x2028 || cp == 0x2029;
}

static struct str cut(struct str s, bool *was_cut)
{
	*was_cut = s.n > LOG_VALUE_MAX;
	if (*was_cut) {
		s.n = LOG_VALUE_MAX;
		while (s.n > LOG_VALUE_MAX - 4 && ((unsigned char)s.p[s.n] & 0xc0) == 0x80)
			s.n--;
	}
	return s;
}

static bool needs_quotes(struct str s)
{
	if (s.n == 0)
		return true;
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || strchr("\"=\\\x7f", s.p[i]))
			return true;
	return !utf8_valid(s);
}

/* A piece of a text value that is not one plain character. */
static void put_escaped_text(struct buf *b, struct str piece)
{
	for (size_t k = 0; k < piece.n; k++)
		buf_printf(b, "\\x%02x", (unsigned char)piece.p[k]);
}

static void put_text(struct buf *b, struct str s)
{
	bool was_cut, quoted;
	uint32_t cp;

	s = cut(s, &was_cut);
	quoted = needs_quotes(s);
	if (quoted)
		buf_putc(b, '"');
	for (size_t i = 0; i < s.n;) {
		size_t start = i;
		bool ok = utf8_next(s, &i, &cp);
		struct str piece = str_sub(s, start, i - start);

		if (!ok || is_control(cp)) {
			put_escaped_text(b, piece);
		} else {
			if (cp == '"' || cp == '\\')
				buf_putc(b, '\\');
			buf_str_put(b, piece);
		}
	}
	if (was_cut)
		buf_puts(b, "...");
	if (quoted)
		buf_putc(b, '"');
}

void log_escape(struct buf *b, struct str s)
{
	bool was_cut;
	uint32_t cp;

	s = cut(s, &was_cut);
	for (size_t i = 0; i < s.n;) {
		size_t start = i;
		bool ok = utf8_next(s, &i, &cp);
		struct str piece = str_sub(s, start, i - start);

		if (!ok || is_control(cp) || (cp < 0x80 && strchr(",=[]<>\"\\", (int)cp)))
			put_escaped_text(b, piece);
		else
			buf_str_put(b, piece);
	}
	if (was_cut)
		buf_puts(b, "...");
}

static void put_json(struct buf *b, struct str s)
{
	bool was_cut;
	uint32_t cp;

	s = cut(s, &was_cut);
	buf_putc(b, '"');
	for (size_t i = 0; i < s.n;) {
		size_t start = i;

		if (!utf8_next(s, &i, &cp)) {
			buf_puts(b, "\\ufffd");
		} else if (is_control(cp)) {
			buf_printf(b, "\\u%04x", cp);
		} else {
			if (cp == '"' || cp == '\\')
				buf_putc(b, '\\');
			buf_str_put(b, str_sub(s, start, i - start));
		}
	}
	buf_puts(b, was_cut ? "...\"" : "\"");
}

static void put_stamp(struct buf *b)
{
	int64_t ms = clock_wall_ms();
	time_t t = (time_t)(ms / 1000);
	struct tm tm;
	char text[40];

	gmtime_r(&t, &tm);
	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
	buf_printf(b, "%s.%03dZ", text, (int)(ms % 1000));
}

static void put_number(struct buf *b, const struct log_kv *kv)
{
	if (kv->kind == 'i')
		buf_printf(b, "%lld", (long long)(int64_t)kv->u);
	else
		buf_u64(b, kv->u);
}

static bool is_text(const struct log_kv *kv)
{
	return kv->kind == 's' || kv->kind == 'b';
}

static void put_pair(struct buf *b, const struct log_kv *kv)
{
	buf_printf(b, " %s=", kv->key);
	if (is_text(kv))
		put_text(b, kv->s);
	else
		put_number(b, kv);
}

static void put_courier_pair(struct buf *b, const struct log_kv *kv)
{
	bool brackets = kv->kind == 'b' || kv->kind == 'p';

	buf_printf(b, ", %s=%s", kv->key, brackets ? "[" : "");
	if (is_text(kv))
		log_escape(b, kv->s);
	else
		put_number(b, kv);
	if (brackets)
		buf_putc(b, ']');
}

static void make_text(struct buf *b, enum log_level level, const char *event, const struct log_kv *kv,
		      size_t n, bool courier)
{
	if (state.stamp) {
		put_stamp(b);
		buf_putc(b, ' ');
	}
	if (state.sink == LOG_SINK_STDERR)
		buf_printf(b, "%s %s[%d] ", level_names[level], state.program, (int)getpid());
	buf_puts(b, event);
	for (size_t i = 0; i < n; i++) {
		if (courier)
			put_courier_pair(b, &kv[i]);
		else
			put_pair(b, &kv[i]);
	}
}

static void make_json(struct buf *b, enum log_level level, const char *event, const struct log_kv *kv,
		      size_t n)
{
	buf_putc(b, '{');
	if (state.stamp) {
		buf_puts(b, "\"time\":\"");
		put_stamp(b);
		buf_puts(b, "\",");
	}
	buf_printf(b, "\"level\":\"%s\",\"program\":\"%s\",\"process\":%d,\"event\":", level_names[level],
		   state.program, (int)getpid());
	put_json(b, str_c(event));
	for (size_t i = 0; i < n; i++) {
		buf_printf(b, ",\"%s\":", kv[i].key);
		if (is_text(&kv[i]))
			put_json(b, kv[i].s);
		else
			put_number(b, &kv[i]);
	}
	buf_putc(b, '}');
}

static void write_line(const char *p, size_t n)
{
	while (n) {
		ssize_t done = write(STDERR_FILENO, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return; /* nobody reads the log; the work matters more */
		p += done;
		n -= (size_t)done;
	}
}

static void write_event(enum log_level level, const char *event, const struct log_kv *kv, size_t n,
			bool courier)
{
	struct buf b = BUF_INIT;
	int saved = errno;

	if (level < state.min)
		return;
	if (state.form == LOG_FORM_JSON)
		make_json(&b, level, event, kv, n);
	else
		make_text(&b, level, event, kv, n, courier);
	if (state.sink == LOG_SINK_SYSLOG) {
		syslog(level_syslog[level], "%s", buf_cstr(&b));
	} else {
		buf_putc(&b, '\n');
		write_line(buf_str(&b).p, b.n);
	}
	buf_deinit(&b);
	errno = saved;
}

void log_event(enum log_level level, const char *event, const struct log_kv *kv, size_t n)
{
	write_event(level, event, kv, n, false);
}

void log_courier(enum log_level level, const char *event, const struct log_kv *kv, size_t n)
{
	write_event(level, event, kv, n, true);
}
