/* SPDX-License-Identifier: Apache-2.0 */
/* Argon2 by libargon2 (RFC 9106's text form: $argon2id$v=19$m=65536,t=3,p=1$salt$hash). */
#include "frontend/authd/pwhash_schemes.h"
#ifdef HAVE_ARGON2
#include <argon2.h>
#include "common/base/secret.h"

/* What costs: memory in KiB, passes over it, and threads. */
enum { PASSES_MAX = 64, LANES_MAX = 16 };

static bool take_number(struct str *rest, const char *name, char end, uint64_t *out)
{
	struct str field = str_split(rest, end);

	return str_starts(field, str_c(name)) && str_u64(str_from(field, strlen(name)), out);
}

static enum pwhash_result cost(struct str hash)
{
	struct str rest = str_from(hash, 1);
	uint64_t version, memory, passes, lanes;

	str_split(&rest, '$');
	if (str_starts(rest, STR("v=")) && !take_number(&rest, "v=", '$', &version))
		return PWHASH_MISMATCH;
	if (!take_number(&rest, "m=", ',', &memory) || !take_number(&rest, "t=", ',', &passes) ||
	    !take_number(&rest, "p=", '$', &lanes))
		return PWHASH_MISMATCH;
	/* Time goes with memory times passes: it is bounded as the memory alone is, in a few passes. */
	if (memory > pwhash_limits.memory_kib || passes > PASSES_MAX || lanes > LANES_MAX ||
	    memory * passes > 8 * pwhash_limits.memory_kib)
		return PWHASH_COSTLY;
	return PWHASH_MATCH;
}

enum pwhash_result pwhash_argon2(struct str hash, struct str password)
{
	enum { HASH_MAX = 1024 };
	enum pwhash_result r =
		hash.n <= HASH_MAX && !str_has_nul(hash) ? cost(hash) : PWHASH_MISMATCH;
	argon2_type type = str_starts(hash, STR("$argon2id$")) ? Argon2_id : Argon2_i;
	char *text;

	if (r != PWHASH_MATCH)
		return r;
	text = str_dup(hash);
	if (argon2_verify(text, password.p, password.n, type) != ARGON2_OK)
		r = PWHASH_MISMATCH;
	secret_zero(text, hash.n);
	free(text);
	return r;
}
#else
enum pwhash_result pwhash_argon2(struct str hash, struct str password)
{
	return PWHASH_UNKNOWN;
}
#endif
