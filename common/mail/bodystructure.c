// SPDX-License-Identifier: Apache-2.0
#include "common/mail/bodystructure.h"
#include "common/mail/envelope.h"
#include "common/mail/wirestr.h"

struct writer {
	struct buf *out;
	bool extended;
	const struct mime_limits *limits;
};

/* Old clients do not undo the escapes of a quoted string. */
static void put_value(const struct writer *w, struct str value)
{
	struct buf plain = BUF_INIT;

	if (!w->limits->no_backslash || str_find(value, '\\') == value.n) {
		wirestr_put(w->out, value);
		return;
	}
	for (size_t i = 0; i < value.n; i++)
		if (value.p[i] != '\\')
			buf_putc(&plain, value.p[i]);
	wirestr_put(w->out, plain.n ? buf_str(&plain) : STR(""));
	buf_deinit(&plain);
}

static void put_params(const struct writer *w, const struct mime_params *p, bool default_charset)
{
	struct buf *out = w->out;

	default_charset = default_charset && mime_param(p, STR("charset")).p == NULL;
	if (p->n == 0 && !default_charset) {
		buf_puts(out, "NIL");
		return;
	}
	buf_putc(out, '(');
	for (size_t i = 0; i < p->n; i++) {
		if (i)
			buf_putc(out, ' ');
		wirestr_put(out, p->a[i].name);
		buf_putc(out, ' ');
		put_value(w, p->a[i].value);
	}
	if (default_charset)
		buf_puts(out, p->n ? " \"charset\" \"us-ascii\"" : "\"charset\" \"us-ascii\"");
	buf_putc(out, ')');
}

/* body-fld-dsp, body-fld-lang, body-fld-loc */
static void put_common_extension(const struct writer *w, const struct mime_part *part)
{
	struct buf *out = w->out;

	buf_putc(out, ' ');
	if (part->disposition.p) {
		buf_putc(out, '(');
		wirestr_put(out, part->disposition);
		buf_putc(out, ' ');
		put_params(w, &part->disposition_params, false);
		buf_putc(out, ')');
	} else {
		buf_puts(out, "NIL");
	}
	buf_putc(out, ' ');
	if (part->nlanguages == 0)
		buf_puts(out, "NIL");
	for (size_t i = 0; i < part->nlanguages; i++) {
		buf_putc(out, i ? ' ' : '(');
		wirestr_put(out, part->languages[i]);
	}
	buf_puts(out, part->nlanguages ? ") " : " ");
	wirestr_nput(out, part->location);
}

/* body-fields with the media type before them */
static void put_fields(const struct writer *w, const struct mime_part *part)
{
	struct buf *out = w->out;

	wirestr_put(out, part->type);
	buf_putc(out, ' ');
	wirestr_put(out, part->subtype);
	buf_putc(out, ' ');
	put_params(w, &part->params, part->text);
	buf_putc(out, ' ');
	wirestr_nput(out, part->id);
	buf_putc(out, ' ');
	wirestr_nput(out, part->description);
	buf_putc(out, ' ');
	wirestr_put(out, part->encoding.p ? part->encoding : STR("7bit"));
	buf_putc(out, ' ');
	buf_u64(out, part->body_wire);
}

static bool with_envelope(const struct mime_part *part)
{
	return part->kind == MIME_MESSAGE && str_ieq(part->subtype, STR("rfc822"));
}

/* Parts whose children are written inside of them. */
static bool descend(const struct mime_part *part)
{
	return part->kind == MIME_MULTIPART || with_envelope(part);
}

static void put_lines(struct writer *w, const struct mime_part *part)
{
	buf_putc(w->out, ' ');
	buf_u64(w->out, part->body_lines);
}

static void open_part(struct writer *w, const struct mime_part *part)
{
	buf_putc(w->out, '(');
	if (part->kind == MIME_MULTIPART)
		return;
	put_fields(w, part);
	if (with_envelope(part)) {
		buf_putc(w->out, ' ');
		mime_put_envelope(w->out, part->children->header, w->limits);
		buf_putc(w->out, ' ');
	} else if (part->text) {
		put_lines(w, part);
	}
}

static void close_part(struct writer *w, const struct mime_part *part)
{
	if (part->kind == MIME_MULTIPART) {
		buf_putc(w->out, ' ');
		wirestr_put(w->out, part->subtype);
		if (w->extended) {
			buf_putc(w->out, ' ');
			put_params(w, &part->params, false);
		}
	} else {
		if (with_envelope(part))
			put_lines(w, part);
		if (w->extended) {
			buf_putc(w->out, ' ');
			wirestr_nput(w->out, part->md5);
		}
	}
	if (w->extended)
		put_common_extension(w, part);
	buf_putc(w->out, ')');
}

/* A loop, not recursion: the depth is the message's to choose, up to the limit. */
void mime_put_bodystructure(struct buf *out, const struct mime_part *root, bool extended,
			    const struct mime_limits *limits)
{
	struct writer w = {out, extended, limits};
	const struct mime_part *part = root;

	for (;;) {
		open_part(&w, part);
		if (descend(part)) {
			part = part->children;
			continue;
		}
		close_part(&w, part);
		while (part != root && !part->next) {
			part = part->parent;
			close_part(&w, part);
		}
		if (part == root)
			return;
		part = part->next;
	}
}
