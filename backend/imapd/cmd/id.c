/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/utsname.h>
#include "backend/imapd/cmd/commands.h"
#include "common/base/log.h"
#include "common/imap/args.h"
#include "common/imap/limits.h"
#include "common/imap/reply.h"

enum { ID_VERSION = 1, ID_OS = 2, ID_OS_VERSION = 4 }; /* IMAP_ID_FIELDS */

static void pair(struct buf *out, const char *name, const char *value)
{
	buf_putc(out, ' ');
	imap_put_string(out, str_c(name));
	buf_putc(out, ' ');
	imap_put_string(out, str_c(value));
}

static void answer(struct buf *out, uint64_t fields)
{
	struct utsname un;
	bool have = uname(&un) == 0;

	buf_puts(out, "* ID (\"name\" \"Posthouse\"");
	if (fields & ID_VERSION)
		pair(out, "version", POSTHOUSE_VERSION);
	if (have && (fields & ID_OS))
		pair(out, "os", un.sysname);
	if (have && (fields & ID_OS_VERSION))
		pair(out, "os-version", un.release);
	buf_puts(out, ")\r\n");
}

/* Collects "name=value" for the log; false: not the grammar or over RFC 2971's limits (B23). */
static bool read_pairs(const struct imap_arg *a, struct buf *text)
{
	for (unsigned pairs = 0; a; pairs++) {
		struct str name, value;

		if (pairs == IMAP_ID_PAIRS || !imap_arg_string(&a, &name) ||
		    !imap_arg_nstring(&a, &value))
			return false;
		if (name.n > IMAP_ID_FIELD_MAX || value.n > IMAP_ID_VALUE_MAX)
			return false;
		if (text->n)
			buf_putc(text, ' ');
		buf_str_put(text, name);
		buf_putc(text, '=');
		buf_str_put(text, value);
	}
	return true;
}

enum cmd_next id_start(struct cmd *cmd)
{
	const struct imap_arg *a = cmd->args, *first = NULL;
	struct buf text = BUF_INIT;

	if ((!imap_arg_word(&a, "NIL") && !imap_arg_list(&a, &first)) || !imap_arg_end(a) ||
	    !read_pairs(first, &text)) {
		buf_deinit(&text);
		return cmd_bad(cmd, "Invalid arguments to ID");
	}
	if (text.n && !cmd->c->id_logged) {
		cmd->c->id_logged = true;
		LOG(L_INFO, "ID", L_C("user", cmd->c->user), L_C("ip", cmd->c->rip),
		    L_U("port", cmd->c->rport), L_C("session", cmd->c->session),
		    L_S("id", buf_str(&text)));
	}
	buf_deinit(&text);
	answer(cmd_out(cmd), cmd->im->set->imap_id_fields);
	return cmd_ok(cmd, "ID completed");
}
