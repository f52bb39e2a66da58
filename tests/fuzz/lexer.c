/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command parser: any way of cutting the input gives what the whole input gives, and what reads
 * its arguments survives them. The first byte chooses the limits, the second how the input is cut.
 */
#include "common/imap/flags.h"
#include "common/imap/section.h"
#include "common/imap/seqset.h"
#include "tests/unit/imap/transcript.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct imap_limits limits[] = {
	IMAP_LIMITS_PRELOGIN(1024, false),
	IMAP_LIMITS_SESSION(65536, true),
	{.line = 60, .literal = 20, .depth = 3, .args = 9},
	{.line = 1024, .literal = 1024, .depth = 1, .args = 80, .login_parens = true},
};

/* All getters over all arguments of the first command: no crash, and sections print what they took.
 */
static void read_args(struct imap_parser *p, const struct imap_arg *args)
{
	for (const struct imap_arg *a = args; a; a = a->next) {
		const struct imap_arg *at = a;
		struct imap_flag_list flags;
		struct imap_section section;
		struct imap_seqset set = IMAP_SEQSET_INIT;
		struct buf out = BUF_INIT;
		struct str s;

		imap_flags_take(&at, &p->arena, 10, 20, &flags);
		at = a;
		if (imap_section_take(&at, &section) == IMAP_SECTION_OK)
			imap_section_put(&out, &section);
		at = a;
		if (imap_arg_astring(&at, &s) && imap_seqset_parse(&set, s, 20))
			imap_seqset_resolve(&set, 7);
		imap_seqset_deinit(&set);
		buf_deinit(&out);
		if (a->type == IMAP_ARG_LIST)
			read_args(p, a->list);
	}
}

static void first_command(const struct imap_limits *l, struct str in)
{
	struct imap_parser p;
	size_t used = 0;
	enum imap_parse r;

	imap_parser_init(&p, l);
	while ((r = imap_parse_step(&p, in, &used)) == IMAP_PARSE_LITERAL) {
		imap_parser_take(&p);
		in = str_from(in, used);
	}
	if (r == IMAP_PARSE_COMMAND)
		read_args(&p, p.args);
	imap_parser_deinit(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole = BUF_INIT, cut = BUF_INIT;
	const struct imap_limits *l;
	uint32_t seed;
	struct str in;

	if (size < 2)
		return 0;
	l = &limits[data[0] % ARRAY_LEN(limits)];
	seed = data[1];
	in = str_mem(data + 2, size - 2);
	transcript(&whole, l, in, transcript_cut_all, NULL);
	transcript(&cut, l, in, transcript_cut_random, &seed);
	ASSERT(str_eq(buf_str(&whole), buf_str(&cut)));
	buf_reset(&cut);
	transcript(&cut, l, in, transcript_cut_byte, NULL);
	ASSERT(str_eq(buf_str(&whole), buf_str(&cut)));
	buf_deinit(&whole);
	buf_deinit(&cut);
	first_command(l, in);
	return 0;
}
