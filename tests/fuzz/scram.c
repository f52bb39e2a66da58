/* SPDX-License-Identifier: Apache-2.0 */
/* SCRAM's messages and stored forms, and SASLprep. */
#include "common/auth/saslprep.h"
#include "common/auth/scram_keys.h"
#include "common/base/ensure.h"
#include "common/base/utf8.h"
#include "frontend/authd/sasl/scram_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void messages(struct str in)
{
	struct arena a = ARENA_INIT;
	struct scram_first first;
	struct scram_final final;

	if (scram_first_parse(&first, &a, in)) {
		ASSERT(first.user.n && utf8_valid(first.user) && utf8_valid(first.authzid));
		ASSERT(first.gs2.n + first.bare.n == in.n && first.nonce.n);
		ASSERT((first.binding == 'p') == (first.binding_name.n > 0));
	}
	if (scram_final_parse(&final, &a, in))
		ASSERT(final.cbind.n && final.nonce.n && final.proof.n && final.unproven.n < in.n);
	arena_deinit(&a);
}

static void stored(struct str in)
{
	struct scram_keys k, again;
	struct buf b = BUF_INIT;

	if (scram_keys_parse(&k, in)) {
		scram_keys_print(&b, &k);
		ASSERT(scram_keys_parse(&again, buf_str(&b)));
		ASSERT(again.hash == k.hash && again.iterations == k.iterations &&
		       again.salt_n == k.salt_n);
		ASSERT(memcmp(again.stored, k.stored, scram_size(k.hash)) == 0);
	}
	buf_deinit(&b);
}

/* What is prepared stays as it is when it is prepared again. */
static void prepared(struct str in)
{
	struct buf once = BUF_INIT, twice = BUF_INIT;

	if (saslprep(&once, in)) {
		ASSERT(utf8_valid(buf_str(&once)));
		if (saslprep(&twice, buf_str(&once)))
			ASSERT(str_eq(buf_str(&once), buf_str(&twice)));
	}
	buf_deinit(&once);
	buf_deinit(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_mem(data, size);

	messages(in);
	stored(in);
	prepared(in);
	return 0;
}
