/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/imapd/search/program.h"
#include "common/imap/args.h"
#include "common/imap/flags.h"
#include "common/imap/imapdate.h"
#include "common/imap/limits.h"
#include "common/mail/charset.h"

struct reader {
	struct cmd *cmd;
	struct search_program *p;
	struct charset *charset; /* of the strings; NULL: UTF-8 (US-ASCII) */
	uint64_t keys, keys_max, depth_max;
	enum search_parse fault;
	const char *why;
};

static struct search_node *read_key(struct reader *r, const struct imap_arg **a, uint64_t depth);

static struct search_node *fail(struct reader *r, enum search_parse fault, const char *why)
{
	r->fault = fault;
	r->why = why;
	return NULL;
}

static struct search_node *node(struct reader *r, enum search_op op)
{
	struct search_node *n = arena_new(&r->cmd->arena, struct search_node);

	n->op = op;
	if (op > SEARCH_NOT)
		n->leaf = r->p->leaves++;
	return n;
}

static struct search_node *not_(struct reader *r, struct search_node *kid)
{
	struct search_node *n = node(r, SEARCH_NOT);

	n->kids = kid;
	return kid ? n : NULL;
}

static struct search_node *flag(struct reader *r, uint8_t flags, bool set)
{
	struct search_node *n = node(r, SEARCH_FLAG);

	n->flags = flags;
	return set ? n : not_(r, n);
}

/* A string argument in UTF-8. */
static bool take_text(struct reader *r, const struct imap_arg **a, struct str *out)
{
	if (!imap_arg_astring(a, out))
		return false;
	if (r->charset) {
		struct buf b = BUF_INIT;
		charset_push(r->charset, *out, &b);
		charset_end(r->charset, &b);
		*out = arena_str(&r->cmd->arena, buf_str(&b));
		buf_deinit(&b);
	}
	return true;
}

static struct search_node *text_key(struct reader *r, const struct imap_arg **a, enum search_op op, struct str name)
{
	struct search_node *n = node(r, op);

	n->name = name;
	if (!take_text(r, a, &n->text))
		return fail(r, SEARCH_BAD, "A search key lacks its string");
	r->p->header |= op != SEARCH_BODY;
	r->p->body |= op != SEARCH_HEADER;
	return n;
}

static struct search_node *header_key(struct reader *r, const struct imap_arg **a)
{
	struct str name;

	if (!imap_arg_astring(a, &name))
		return fail(r, SEARCH_BAD, "HEADER lacks its field name");
	return text_key(r, a, SEARCH_HEADER, name);
}

enum day_kind { DAY_BEFORE, DAY_ON, DAY_SINCE };

static struct search_node *date_key(struct reader *r, const struct imap_arg **a, enum search_op op, enum day_kind kind)
{
	struct search_node *n = node(r, op);
	struct str s;
	int64_t day;

	if (!imap_arg_astring(a, &s) || !imap_date_parse(s, &day))
		return fail(r, SEARCH_BAD, "A search key lacks its date");
	n->from = kind == DAY_BEFORE ? INT64_MIN : day;
	n->to = kind == DAY_BEFORE ? day : kind == DAY_ON ? day + 1 : INT64_MAX;
	r->p->header |= op == SEARCH_SENT;
	return n;
}

static struct search_node *size_key(struct reader *r, const struct imap_arg **a, bool larger)
{
	struct search_node *n = node(r, SEARCH_SIZE);
	uint64_t v;

	if (!imap_arg_number64(a, &v))
		return fail(r, SEARCH_BAD, "A search key lacks its number");
	n->from = larger ? (int64_t)v : -1;
	n->to = larger ? INT64_MAX : (int64_t)v;
	return n;
}

/* The entry's name and type say nothing where a message has one modseq (RFC 7162 3.1.5). */
static bool skip_entry(const struct imap_arg **a)
{
	struct str name;

	if (!*a || (*a)->type == IMAP_ARG_ATOM || !imap_arg_astring(a, &name))
		return true;
	return str_istarts(name, STR("/flags/")) && name.n > 7 &&
	       (imap_arg_word(a, "all") || imap_arg_word(a, "priv") || imap_arg_word(a, "shared"));
}

static struct search_node *modseq_key(struct reader *r, const struct imap_arg **a)
{
	struct search_node *n = node(r, SEARCH_MODSEQ);
	uint64_t v;

	if (!skip_entry(a) || !imap_arg_number64(a, &v))
		return fail(r, SEARCH_BAD, "MODSEQ lacks its modification sequence");
	n->from = (int64_t)v;
	r->p->modseq = true;
	return n;
}

static struct search_node *set_key(struct reader *r, struct str text, enum search_op op)
{
	struct search_program *p = r->p;
	struct search_node *n = node(r, op);

	if (p->nsets == sizeof p->sets / sizeof p->sets[0])
		return fail(r, SEARCH_LIMIT, "Too many message sets in one SEARCH");
	if (!imap_seqset_parse(&n->set, text, IMAP_SEQSET_RANGES))
		return fail(r, SEARCH_BAD, op == SEARCH_UIDS ? "Invalid UID set" : "Unknown search key");
	p->sets[p->nsets++] = n;
	return n;
}

static struct search_node *keyword_key(struct reader *r, const struct imap_arg **a, bool set)
{
	struct search_node *n = node(r, SEARCH_KEYWORD);

	if (!imap_arg_atom(a, &n->name))
		return fail(r, SEARCH_BAD, "KEYWORD lacks its name");
	return set ? n : not_(r, n);
}

static struct search_node *read_and(struct reader *r, const struct imap_arg *a, uint64_t depth)
{
	struct search_node *n = node(r, SEARCH_AND), **tail = &n->kids;

	if (!a)
		return fail(r, SEARCH_BAD, "Missing search key");
	while (a) {
		*tail = read_key(r, &a, depth);
		if (!*tail)
			return NULL;
		tail = &(*tail)->next;
	}
	return n;
}

static struct search_node *read_or(struct reader *r, const struct imap_arg **a, uint64_t depth)
{
	struct search_node *n = node(r, SEARCH_OR);

	n->kids = read_key(r, a, depth + 1);
	if (!n->kids)
		return NULL;
	n->kids->next = read_key(r, a, depth + 1);
	return n->kids->next ? n : NULL;
}

static struct search_node *uid_key(struct reader *r, const struct imap_arg **a)
{
	struct str s;

	return imap_arg_atom(a, &s) ? set_key(r, s, SEARCH_UIDS) : fail(r, SEARCH_BAD, "UID lacks its set");
}

/* Keys without argument. */
static struct search_node *plain_key(struct reader *r, struct str w, bool *found)
{
	static const struct {
		const char *name;
		uint8_t flag;
		bool set;
	} flags[] = {
		{"ANSWERED", MSG_ANSWERED, true}, {"UNANSWERED", MSG_ANSWERED, false},
		{"DELETED", MSG_DELETED, true},	  {"UNDELETED", MSG_DELETED, false},
		{"DRAFT", MSG_DRAFT, true},	  {"UNDRAFT", MSG_DRAFT, false},
		{"FLAGGED", MSG_FLAGGED, true},	  {"UNFLAGGED", MSG_FLAGGED, false},
		{"SEEN", MSG_SEEN, true},	  {"UNSEEN", MSG_SEEN, false},
	};

	*found = true;
	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		if (str_ieq(w, str_c(flags[i].name)))
			return flag(r, flags[i].flag, flags[i].set);
	if (str_ieq(w, STR("ALL")))
		return node(r, SEARCH_ALL);
	if (str_ieq(w, STR("RECENT")))
		return node(r, SEARCH_RECENT);
	if (str_ieq(w, STR("OLD")))
		return not_(r, node(r, SEARCH_RECENT));
	if (str_ieq(w, STR("NEW"))) {
		struct search_node *n = node(r, SEARCH_AND);
		n->kids = node(r, SEARCH_RECENT);
		n->kids->next = flag(r, MSG_SEEN, false);
		return n;
	}
	*found = false;
	return NULL;
}

static struct search_node *date_by_name(struct reader *r, const struct imap_arg **a, struct str w, bool *found)
{
	static const char *const names[] = {"BEFORE", "ON", "SINCE", "SENTBEFORE", "SENTON", "SENTSINCE"};

	for (unsigned i = 0; i < 6; i++)
		if (str_ieq(w, str_c(names[i]))) {
			*found = true;
			return date_key(r, a, i < 3 ? SEARCH_DATE : SEARCH_SENT, (enum day_kind)(i % 3));
		}
	return NULL;
}

static struct search_node *word_key(struct reader *r, const struct imap_arg **a, struct str w, uint64_t depth)
{
	static const char *const fields[] = {"BCC", "CC", "FROM", "SUBJECT", "TO"};
	bool found = false;
	struct search_node *n = plain_key(r, w, &found);

	if (!found)
		n = date_by_name(r, a, w, &found);
	if (found)
		return n;
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (str_ieq(w, str_c(fields[i])))
			return text_key(r, a, SEARCH_HEADER, str_c(fields[i]));
	if (str_ieq(w, STR("NOT")))
		return not_(r, read_key(r, a, depth + 1));
	if (str_ieq(w, STR("OR")))
		return read_or(r, a, depth);
	if (str_ieq(w, STR("HEADER")))
		return header_key(r, a);
	if (str_ieq(w, STR("BODY")))
		return text_key(r, a, SEARCH_BODY, STR_NONE);
	if (str_ieq(w, STR("TEXT")))
		return text_key(r, a, SEARCH_TEXT, STR_NONE);
	if (str_ieq(w, STR("KEYWORD")) || str_ieq(w, STR("UNKEYWORD")))
		return keyword_key(r, a, str_ieq(w, STR("KEYWORD")));
	if (str_ieq(w, STR("LARGER")) || str_ieq(w, STR("SMALLER")))
		return size_key(r, a, str_ieq(w, STR("LARGER")));
	if (str_ieq(w, STR("MODSEQ")))
		return modseq_key(r, a);
	if (str_ieq(w, STR("UID")))
		return uid_key(r, a);
	return set_key(r, w, SEARCH_NUMBERS);
}

static struct search_node *read_key(struct reader *r, const struct imap_arg **a, uint64_t depth)
{
	const struct imap_arg *list;
	struct str w;

	if (depth > r->depth_max)
		return fail(r, SEARCH_BAD, "Search keys are nested too deep");
	if (++r->keys > r->keys_max)
		return fail(r, SEARCH_LIMIT, "Too many search keys");
	if (imap_arg_list(a, &list))
		return read_and(r, list, depth + 1);
	if (imap_arg_atom(a, &w))
		return word_key(r, a, w, depth);
	return fail(r, SEARCH_BAD, "Missing search key");
}

enum search_parse search_program_parse(struct cmd *cmd, const struct imap_arg *a, struct search_program *p,
				       const char **why)
{
	struct reader r = {.cmd = cmd,
			   .p = p,
			   .keys_max = cmd->im->set->search_keys_max,
			   .depth_max = cmd->im->set->search_depth};
	struct str name;

	*p = (struct search_program){0};
	*why = NULL;
	if (imap_arg_word(&a, "CHARSET")) {
		if (!imap_arg_astring(&a, &name)) {
			*why = "CHARSET lacks its name";
			return SEARCH_BAD;
		}
		if (!str_ieq(name, STR("UTF-8")) && !str_ieq(name, STR("US-ASCII"))) {
			r.charset = charset_new(name);
			if (!r.charset)
				return SEARCH_BADCHARSET;
		}
	}
	p->root = read_and(&r, a, 0);
	charset_free(&r.charset);
	*why = r.why;
	return p->root ? SEARCH_PARSED : r.fault;
}

void search_program_free(struct search_program *p)
{
	for (size_t i = 0; i < p->nsets; i++)
		imap_seqset_deinit(&p->sets[i]->set);
	p->nsets = 0;
}
