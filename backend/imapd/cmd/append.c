/* SPDX-License-Identifier: Apache-2.0 */
/*
 * APPEND, of one message or of several (MULTIAPPEND, RFC 3502). The command starts when its first literal is
 * announced: what can be refused is refused before the client sends a byte, of each message anew. Literals go
 * from the input buffer straight to the store's files; where the volume is slower than the client, the client
 * waits. All messages become visible together when the last has come, or none.
 */
#include "backend/imapd/box/view.h"
#include "backend/imapd/cmd/commands.h"
#include "common/imap/args.h"
#include "common/imap/flags.h"
#include "common/imap/imapdate.h"
#include "common/imap/parser.h"
#include "common/imap/reply.h"
#include "common/imap/seqset.h"

struct appending {
	struct cmd *cmd;
	struct append *append;
	struct append_opts opts; /* of the message at hand */
	struct arena arena;	 /* what they point to */
	uint64_t messages, bytes;
	uint64_t left;	 /* bytes of the literal still to come */
	bool busy;	 /* the store takes no more for now */
	struct str code; /* "[APPENDUID 3 7:9]" */
};

static void on_free(struct cmd *cmd)
{
	struct appending *s = cmd->state;

	if (s->append)
		append_abort(&s->append);
	arena_deinit(&s->arena);
}

/* No byte of the literal is taken: the parser drops what comes without being asked for. */
static enum cmd_next refuse(struct cmd *cmd)
{
	imap_parser_refuse(cmd->c->parser);
	cmd->refused = true;
	return CMD_DONE;
}

/* ---- the end ---------------------------------------------------------------------------------- */

static enum cmd_next answer(struct cmd *cmd)
{
	struct appending *s = cmd->state;

	if (cmd->result.code == STORE_NONEXISTENT)
		return cmd_no(cmd, "[TRYCREATE] No such mailbox");
	if (cmd->result.code != STORE_OK)
		return cmd_fault(cmd, &cmd->result);
	return cmd_ok_long(cmd,
			   str_c(arena_printf(&cmd->arena, "%.*s APPEND Ok.", STR_ARG(s->code))));
}

static struct str appenduid(struct arena *arena, uint32_t uidvalidity, const uint32_t *uids,
			    size_t n)
{
	struct imap_seqset set = IMAP_SEQSET_INIT;
	struct buf b = BUF_INIT;
	struct str s;

	for (size_t i = 0; i < n; i++)
		imap_seqset_add(&set, uids[i], uids[i]);
	buf_printf(&b, "[APPENDUID %u ", uidvalidity);
	imap_seqset_put(&b, &set);
	buf_putc(&b, ']');
	s = arena_str(arena, buf_str(&b));
	imap_seqset_deinit(&set);
	buf_deinit(&b);
	return s;
}

static void on_committed(void *ctx, const struct store_result *r, uint32_t uidvalidity,
			 const uint32_t *uids, size_t n)
{
	struct appending *s = ctx;

	if (!cmd_back(s->cmd))
		return;
	s->cmd->result = *r;
	s->code = appenduid(&s->cmd->arena, uidvalidity, uids, n);
	cmd_wake(s->cmd);
}

static enum cmd_next commit(struct cmd *cmd)
{
	struct appending *s = cmd->state;
	struct append *a = s->append;

	cmd->wants_input = false;
	if (cmd->result.code != STORE_OK)
		return cmd_fault(cmd, &cmd->result);
	s->append = NULL; /* the store's from here on */
	cmd_wait(cmd);
	append_commit(a, on_committed, s);
	return cmd_then(cmd, answer, CMD_WAIT);
}

static enum cmd_next next_message(struct cmd *cmd);

/* Behind a literal: the end of the command, or another message. */
static enum cmd_next read_rest(struct cmd *cmd)
{
	struct imap_parser *p = cmd->c->parser;
	size_t used;
	enum imap_parse r = imap_parse_step(p, conn_in(cmd->c->conn), &used);

	conn_consume(cmd->c->conn, used);
	switch (r) {
	case IMAP_PARSE_COMMAND:
		return imap_arg_end(p->args) ? commit(cmd)
					     : cmd_bad(cmd, "Invalid arguments to APPEND");
	case IMAP_PARSE_LITERAL:
		return next_message(cmd);
	case IMAP_PARSE_MORE:
		if (!cmd->c->eof)
			return CMD_WAIT;
		return cmd_bad(cmd, "Incomplete command");
	case IMAP_PARSE_BYE:
		client_bye(cmd->c, p->text);
		return cmd_bad(cmd, "Invalid arguments to APPEND");
	default:
		return cmd_bad(cmd, "Invalid arguments to APPEND");
	}
}

/* ---- the literal ------------------------------------------------------------------------------ */

static void on_room(void *ctx, const struct store_result *r)
{
	struct appending *s = ctx;

	if (!cmd_back(s->cmd))
		return;
	s->busy = false;
	if (r->code != STORE_OK && s->cmd->result.code == STORE_OK)
		s->cmd->result = *r;
	cmd_wake(s->cmd);
}

/* After a fault the rest is taken and dropped: the client was told to send it all. */
static enum cmd_next read_literal(struct cmd *cmd)
{
	struct appending *s = cmd->state;

	while (s->left > 0) {
		struct str in = conn_in(cmd->c->conn);

		if (s->busy)
			return CMD_WAIT;
		if (in.n == 0)
			return cmd->c->eof ? cmd_bad(cmd, "Incomplete message") : CMD_WAIT;
		if (in.n > s->left)
			in.n = (size_t)s->left;
		if (cmd->result.code == STORE_OK && !append_write(s->append, in, on_room, s)) {
			cmd_wait(cmd);
			s->busy = true;
		}
		s->left -= in.n;
		conn_consume(cmd->c->conn, in.n);
	}
	if (s->busy)
		return CMD_WAIT;
	cmd->run = read_rest;
	return read_rest(cmd);
}

static enum cmd_next go_ahead(struct cmd *cmd)
{
	struct appending *s = cmd->state;
	struct imap_parser *p = cmd->c->parser;

	if (cmd->result.code != STORE_OK) {
		answer(cmd);
		return refuse(cmd); /* on_free ends what was begun */
	}
	s->left = p->literal.size;
	s->messages++;
	s->bytes += s->left;
	imap_parser_stream(p);
	imap_parser_next(p);
	if (p->literal.sync)
		imap_put_continue(cmd_out(cmd), "OK");
	cmd->wants_input = true;
	cmd->run = read_literal;
	return read_literal(cmd);
}

/* ---- the beginning ---------------------------------------------------------------------------- */

static bool take_flags(struct cmd *cmd, const struct imap_arg **a, struct append_opts *o)
{
	const struct settings *set = cmd->im->set;
	struct appending *s = cmd->state;
	struct imap_flag_list flags;

	if (imap_arg_end(*a) || (*a)->type != IMAP_ARG_LIST)
		return true;
	switch (imap_flags_take(a, &s->arena, set->imap_keywords_max, set->imap_keyword_len,
				&flags)) {
	case IMAP_FLAGS_OK:
		break;
	case IMAP_FLAGS_LIMIT:
		cmd_no(cmd, "[LIMIT] Too many or too long keywords");
		return false;
	default:
		cmd_bad(cmd, "Invalid flags");
		return false;
	}
	o->flags = (uint8_t)flags.flags;
	if (set->imap_keywords) {
		o->keywords = flags.keywords;
		o->nkeywords = flags.nkeywords;
	}
	return true;
}

static bool take_date(struct cmd *cmd, const struct imap_arg **a, struct append_opts *o)
{
	struct str date;
	int zone;

	o->internaldate = -1;
	if (imap_arg_end(*a))
		return true;
	if (imap_arg_string(a, &date) && imap_datetime_parse(date, &o->internaldate, &zone) &&
	    imap_arg_end(*a))
		return true;
	cmd_bad(cmd, "Invalid date or arguments to APPEND");
	return false;
}

static bool take_size(struct cmd *cmd, struct append_opts *o)
{
	const struct imap_literal *lit = &cmd->c->parser->literal;
	const struct appending *s = cmd->state;
	uint64_t room = cmd->im->set->imap_multiappend_size;

	o->size = lit->size;
	if (lit->literal8)
		cmd_bad(cmd, "BINARY is not available");
	else if (cmd->c->parser->limits.literal_minus && !lit->sync &&
		 lit->size > IMAP_LITERAL_MINUS_MAX)
		cmd_bad(cmd,
			"[TOOBIG] Literals that are sent unasked hold at most 4096 bytes"); /* RFC 7888 5 */
	else if (lit->size == 0)
		cmd_no(cmd, "An empty message can't be stored");
	else if (lit->size > cmd->im->set->imap_append_max)
		cmd_no(cmd, "[TOOBIG] Message is larger than %llu bytes",
		       (unsigned long long)cmd->im->set->imap_append_max);
	else if (s->messages && (s->bytes > room || lit->size > room - s->bytes))
		cmd_no(cmd, "[TOOBIG] Messages of one APPEND are larger than %llu bytes",
		       (unsigned long long)room);
	else
		return true;
	/* Nobody reads gigabytes only to drop them (B6). */
	if (lit->size > cmd->im->set->imap_append_max && !lit->sync)
		client_bye(cmd->c, "[TOOBIG] Message is too big.");
	return false;
}

static bool take_options(struct cmd *cmd, const struct imap_arg *a)
{
	struct appending *s = cmd->state;

	return take_flags(cmd, &a, &s->opts) && take_date(cmd, &a, &s->opts) &&
	       take_size(cmd, &s->opts);
}

static enum cmd_next next_message(struct cmd *cmd)
{
	const struct imap_parser *p = cmd->c->parser;
	struct appending *s = cmd->state;
	bool ok = false;

	s->opts = (struct append_opts){.folder = s->opts.folder};
	arena_reset(&s->arena);
	if (cmd->result.code != STORE_OK)
		answer(cmd);
	else if (p->depth)
		cmd_bad(cmd, "Invalid arguments to APPEND");
	else if (s->messages >= cmd->im->set->imap_multiappend_max)
		cmd_no(cmd, "[LIMIT] More than %llu messages in one APPEND",
		       (unsigned long long)cmd->im->set->imap_multiappend_max);
	else
		ok = take_options(cmd, p->args);
	if (!ok)
		return refuse(cmd);
	cmd->wants_input = false;
	cmd_wait(cmd);
	append_next(s->append, &s->opts, cmd_stored, cmd);
	return cmd_then(cmd, go_ahead, CMD_WAIT);
}

enum cmd_next append_start(struct cmd *cmd)
{
	const struct imap_arg *a = cmd->args;
	struct appending *s;

	if (!cmd->at_literal)
		return cmd_bad(cmd, "APPEND needs a message literal");
	s = cmd->state = arena_new(&cmd->arena, struct appending);
	s->cmd = cmd;
	cmd->on_free = on_free;
	if (!cmd_take_mailbox(cmd, &a, &s->opts.folder) || !take_options(cmd, a))
		return refuse(cmd);
	cmd_wait(cmd);
	s->append = append_begin(cmd->im->store, &s->opts, cmd_stored, cmd);
	return cmd_then(cmd, go_ahead, CMD_WAIT);
}
