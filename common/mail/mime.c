// SPDX-License-Identifier: Apache-2.0
/*
 * Bytes are counted as they are consumed. At a line's start, while boundaries are looked for, up
 * to HEAD_MAX bytes are held back until it is known whether they are a boundary line; held bytes
 * contain no line end.
 */
#include "common/mail/mime.h"
#include "common/base/buf.h"
#include "common/mail/linescan.h"
#include "common/mail/mime_fields.h"

/* "--" boundary "--" and a CR: enough to judge any line. */
#define HEAD_MAX (2 + MIME_BOUNDARY_MAX + 2 + 1)
/* All headers of a file together, in multiples of the limit for one. */
#define HEADERS_FACTOR 5

enum state {
	IN_HEADER,
	IN_BODY,	  /* also preamble, epilogue and everything else that isn't a header */
	IN_BOUNDARY_LINE, /* behind the boundary itself */
};

struct mark {
	uint64_t pos, wire, lines;
};

struct boundary {
	struct boundary *outer;
	struct mime_part *part; /* the multipart that it divides */
	struct str text;
};

struct mime_parser {
	struct arena *arena;
	struct mime_limits limits;
	enum state state;
	struct mime_part *root, *cur;
	struct boundary *bounds; /* innermost first */
	struct boundary *spare;	 /* one that was left, for reuse */
	struct mark at;		 /* consumed so far */
	struct mark floor;	 /* start of the current header or run of body */
	struct mark line_end;	 /* before the line end that precedes the current line */
	bool cr;		 /* the last consumed byte was CR */
	bool bol;		 /* the next byte to be consumed begins a line */
	bool final;		 /* the boundary line at hand is a closing one */
	bool made_up;		 /* the part at hand isn't in the message */
	bool nul;
	char head[HEAD_MAX];
	size_t nhead;
	struct buf header;   /* of the current part, up to the limit */
	uint64_t header_sum; /* of all parts */
	bool header_cut;
	size_t line_len; /* of the current header line, without LF */
	uint32_t nparts;
};

/* ---- counting ---------------------------------------------------------------------------- */

/* Consumes s. */
static void consume(struct mime_parser *p, struct str s)
{
	struct linescan c = {0, 0};
	bool crlf;

	if (s.n == 0)
		return;
	linescan_count(&c, s, p->cr);
	crlf = s.n > 1 ? s.p[s.n - 2] == '\r' : p->cr;
	p->at.pos += s.n;
	p->at.wire += s.n + c.bare;
	p->at.lines += c.lf;
	p->cr = s.p[s.n - 1] == '\r';
	p->bol = s.p[s.n - 1] == '\n';
	if (p->bol)
		p->line_end =
			(struct mark){p->at.pos - (crlf ? 2 : 1), p->at.wire - 2, p->at.lines - 1};
}

/* Where a part ends that the current line's boundary closes: the line end before it belongs to
 * the boundary (RFC 2046 5.1.1), unless it is the end of a header or of another boundary line. */
static struct mark part_end(const struct mime_parser *p)
{
	return p->line_end.pos >= p->floor.pos ? p->line_end : p->floor;
}

/* ---- parts ------------------------------------------------------------------------------- */

/* While a part is open, its sizes hold the absolute numbers of their starts. */
static void begin_part(struct mime_parser *p, struct mime_part *parent, struct mark at)
{
	struct mime_part *part = arena_new(p->arena, struct mime_part);

	part->parent = parent;
	part->level = parent ? parent->level + 1 : 1;
	part->number = 1;
	if (parent && parent->last) {
		part->number = parent->last->number + 1;
		parent->last->next = part;
	} else if (parent) {
		parent->children = part;
	}
	if (parent)
		parent->last = part;
	else
		p->root = part;
	part->header_off = at.pos;
	part->header_wire = at.wire;
	part->header_lines = at.lines;
	p->nparts++;
	p->cur = part;
	p->floor = at;
	p->state = IN_HEADER;
	p->line_len = 0;
	p->header_cut = false;
	buf_reset(&p->header);
}

static void push_boundary(struct mime_parser *p)
{
	struct boundary *b = p->spare ? p->spare : arena_new(p->arena, struct boundary);

	p->spare = p->spare ? p->spare->outer : NULL;
	b->part = p->cur;
	b->text = str_sub(mime_param(&p->cur->params, STR("boundary")), 0, MIME_BOUNDARY_MAX);
	b->outer = p->bounds;
	p->bounds = b;
}

static void pop_boundary(struct mime_parser *p)
{
	struct boundary *b = p->bounds;

	p->bounds = b->outer;
	b->outer = p->spare;
	p->spare = b;
}

static bool begins_message(const struct mime_part *part)
{
	return !part->parent || part->parent->kind == MIME_MESSAGE;
}

/* The raw header, without the line end that went to a boundary. */
static struct str raw_header(struct mime_parser *p, uint64_t len)
{
	return arena_str(p->arena, str_sub(buf_str(&p->header), 0, (size_t)len));
}

static void read_fields(struct mime_parser *p, struct mime_part *part)
{
	struct str digest = STR("digest");
	bool in_digest = !p->made_up && part->parent && part->parent->kind == MIME_MULTIPART &&
			 str_ieq(part->parent->subtype, digest);

	mime_fields_parse(p->arena, part, buf_str(&p->header), in_digest, &p->limits);
	if (part->kind != MIME_LEAF &&
	    (part->level >= p->limits.depth || p->nparts >= p->limits.parts)) {
		mime_part_opaque(part);
		part->limited = true;
	}
}

/* The current part's header ends at end; its body begins there. */
static void end_header(struct mime_parser *p, struct mark end)
{
	struct mime_part *part = p->cur;

	part->header_len = end.pos - part->header_off;
	part->header_wire = end.wire - part->header_wire;
	part->header_lines = end.lines - part->header_lines;
	part->body_off = end.pos;
	part->body_wire = end.wire;
	part->body_lines = end.lines;
	read_fields(p, part);
	if (begins_message(part)) {
		part->header = raw_header(p, part->header_len);
		part->header_cut = p->header_cut;
	}
	p->state = IN_BODY;
	p->floor = end;
	if (part->kind == MIME_MULTIPART)
		push_boundary(p);
	else if (part->kind == MIME_MESSAGE)
		begin_part(p, part, end);
}

static void close_part(struct mime_parser *p, struct mark end)
{
	struct mime_part *part = p->cur;

	part->body_len = end.pos - part->body_off;
	part->body_wire = end.wire - part->body_wire;
	part->body_lines = end.lines - part->body_lines;
	p->cur = part->parent;
}

/* Closes what lies within part (all, where it is NULL). */
static void close_to(struct mime_parser *p, const struct mime_part *part, struct mark end)
{
	while (p->cur != part) {
		if (p->cur->kind == MIME_MULTIPART && !p->cur->children) {
			/* IMAP knows no multipart without parts: it gets an empty one. */
			begin_part(p, p->cur, end);
			p->made_up = true;
			end_header(p, end);
			p->made_up = false;
		}
		close_part(p, end);
	}
}

/* ---- boundaries -------------------------------------------------------------------------- */

static bool looking(const struct mime_parser *p)
{
	return p->bounds && p->nparts < p->limits.parts;
}

/*
 * A boundary matches where the line begins with it (RFC 2046 5.1.1). Of several the longest does,
 * of equal ones the innermost, and before all one that is the whole line: "foo--" may close "foo"
 * or continue "foo--".
 */
static struct boundary *find_boundary(const struct mime_parser *p, struct str line, bool whole)
{
	struct boundary *best = NULL;
	bool dashes = whole && line.n > 2 && str_ends(line, STR("--"));

	for (struct boundary *b = p->bounds; b; b = b->outer) {
		if (!str_starts(line, b->text) || (best && b->text.n <= best->text.n))
			continue;
		best = b;
		if ((whole && b->text.n == line.n) || (dashes && b->text.n == line.n - 2))
			break;
	}
	return best;
}

/* Judges the held line; whole: all of it is held. True where it is a boundary. */
static bool boundary_line(struct mime_parser *p, bool whole)
{
	struct str line = str_mem(p->head, p->nhead);
	struct boundary *b;
	struct mark end;

	if (!looking(p) || !str_starts(line, STR("--")))
		return false;
	line = str_from(line, 2);
	if (whole && line.n && line.p[line.n - 1] == '\r')
		line.n--;
	if (!find_boundary(p, line, whole))
		return false;
	end = part_end(p);
	while (p->state == IN_HEADER) /* with its boundary, or the message in it, judge anew */
		end_header(p, end);
	b = find_boundary(p, line, whole);
	close_to(p, b->part, end);
	p->final = str_starts(str_from(line, b->text.n), STR("--"));
	while (p->bounds != b)
		pop_boundary(p);
	if (p->final)
		pop_boundary(p);
	p->state = IN_BOUNDARY_LINE;
	return true;
}

/* ---- the three states; each returns how much of s it has taken ---------------------------- */

static void keep_header(struct mime_parser *p, struct str s)
{
	uint64_t all = (uint64_t)p->limits.header_max * HEADERS_FACTOR - p->header_sum;
	size_t room = p->limits.header_max - p->header.n;

	if (room > all)
		room = (size_t)all;
	p->header_cut |= s.n > room;
	s = str_sub(s, 0, room);
	buf_str_put(&p->header, s);
	p->header_sum += s.n;
}

/* Takes held or new bytes into the header: at most one line. */
static size_t header_bytes(struct mime_parser *p, struct str s)
{
	const char *lf = memchr(s.p, '\n', s.n);
	struct str line = str_sub(s, 0, lf ? (size_t)(lf - s.p) + 1 : s.n);
	bool empty = p->line_len == 0 || (p->line_len == 1 && p->cr);

	if (line.n == 2 && p->line_len == 0 && line.p[0] == '\r' && lf)
		empty = true;
	else if (line.n > 1)
		empty = false;
	p->line_len += line.n;
	keep_header(p, line);
	consume(p, line);
	if (lf) {
		p->line_len = 0;
		if (empty)
			end_header(p, p->at);
	}
	return line.n;
}

static size_t body_bytes(struct mime_parser *p, struct str s)
{
	if (looking(p))
		s.n = linescan_dash(s);
	consume(p, s);
	return s.n;
}

static size_t boundary_rest(struct mime_parser *p, struct str s)
{
	const char *lf = memchr(s.p, '\n', s.n);

	s.n = lf ? (size_t)(lf - s.p) + 1 : s.n;
	consume(p, s);
	if (lf && p->final) {
		p->state = IN_BODY;
		p->floor = p->at;
	} else if (lf) {
		begin_part(p, p->cur, p->at);
	}
	return s.n;
}

/* Gives the held bytes, which are no boundary, to the state at hand. */
static void release_head(struct mime_parser *p)
{
	struct str s = str_mem(p->head, p->nhead);

	p->nhead = 0;
	if (p->state == IN_HEADER)
		header_bytes(p, s);
	else
		consume(p, s);
}

static void judge_head(struct mime_parser *p, bool whole)
{
	size_t n = p->nhead;

	if (!boundary_line(p, whole)) {
		release_head(p);
		return;
	}
	p->nhead = 0;
	consume(p, str_mem(p->head, n));
}

/* At a line's start that may be a boundary's: holds bytes until that is clear. */
static size_t head_bytes(struct mime_parser *p, struct str s)
{
	size_t i = 0;

	while (i < s.n && p->nhead < HEAD_MAX && s.p[i] != '\n') {
		if (p->nhead < 2 && s.p[i] != '-')
			break;
		p->head[p->nhead++] = s.p[i++];
	}
	if (i < s.n || p->nhead == HEAD_MAX)
		judge_head(p, i < s.n && s.p[i] == '\n');
	return i;
}

void mime_push(struct mime_parser *p, struct str s)
{
	size_t n;

	if (!p->nul && s.n && memchr(s.p, 0, s.n))
		p->nul = true;
	while (s.n) {
		bool maybe = p->nhead || (p->bol && s.p[0] == '-' && p->state != IN_BOUNDARY_LINE);

		if (maybe && looking(p))
			n = head_bytes(p, s);
		else if (p->state == IN_HEADER)
			n = header_bytes(p, s);
		else if (p->state == IN_BODY)
			n = body_bytes(p, s);
		else
			n = boundary_rest(p, s);
		s = str_from(s, n);
	}
}

struct mime_parser *mime_begin(struct arena *a, const struct mime_limits *limits)
{
	struct mime_parser *p = arena_new(a, struct mime_parser);

	p->arena = a;
	p->limits = *limits;
	p->bol = true;
	begin_part(p, NULL, p->at);
	return p;
}

struct mime_part *mime_end(struct mime_parser *p)
{
	if (p->nhead)
		judge_head(p, true);
	while (p->state == IN_HEADER)
		end_header(p, p->at);
	close_to(p, NULL, p->at);
	p->root->has_nul = p->nul;
	p->root->nparts = p->nparts;
	buf_deinit(&p->header);
	return p->root;
}
