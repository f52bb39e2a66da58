/* SPDX-License-Identifier: Apache-2.0 */
#include "common/imap/args.h"

static bool is_word(const struct imap_arg *a, const char *word)
{
	return a && a->type == IMAP_ARG_ATOM && str_ieq(a->s, str_c(word));
}

bool imap_arg_word(const struct imap_arg **a, const char *word)
{
	if (!is_word(*a, word))
		return false;
	*a = (*a)->next;
	return true;
}

static bool take(const struct imap_arg **a, struct str *out)
{
	*out = (*a)->s;
	*a = (*a)->next;
	return true;
}

bool imap_arg_atom(const struct imap_arg **a, struct str *out)
{
	return *a && (*a)->type == IMAP_ARG_ATOM && take(a, out);
}

bool imap_arg_string(const struct imap_arg **a, struct str *out)
{
	return *a && ((*a)->type == IMAP_ARG_QUOTED || (*a)->type == IMAP_ARG_LITERAL) &&
	       take(a, out);
}

bool imap_arg_astring(const struct imap_arg **a, struct str *out)
{
	return imap_arg_atom(a, out) || imap_arg_string(a, out);
}

bool imap_arg_nstring(const struct imap_arg **a, struct str *out)
{
	if (!imap_arg_word(a, "NIL"))
		return imap_arg_string(a, out);
	*out = STR_NONE;
	return true;
}

bool imap_arg_pattern(const struct imap_arg **a, struct str *out)
{
	return imap_arg_astring(a, out);
}

bool imap_arg_mailbox(const struct imap_arg **a, struct str *out)
{
	struct str name;

	if (*a == NULL || (*a)->s.n > IMAP_MAILBOX_MAX || !imap_arg_astring(a, &name))
		return false;
	/* The slice lies in the parser's arena, so its first level can be put in order in place. */
	if (str_istarts(name, STR("INBOX")) && (name.n == 5 || name.p[5] == '.'))
		memcpy((char *)name.p, "INBOX", 5);
	*out = name;
	return true;
}

bool imap_arg_number64(const struct imap_arg **a, uint64_t *out)
{
	uint64_t n;

	if (*a == NULL || (*a)->type != IMAP_ARG_ATOM || !str_u64((*a)->s, &n) || n > INT64_MAX)
		return false;
	*out = n;
	*a = (*a)->next;
	return true;
}

bool imap_arg_list(const struct imap_arg **a, const struct imap_arg **first)
{
	if (*a == NULL || (*a)->type != IMAP_ARG_LIST)
		return false;
	*first = (*a)->list;
	*a = (*a)->next;
	return true;
}
