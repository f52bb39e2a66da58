/* SPDX-License-Identifier: Apache-2.0 */
/* outbox: the header of a message that is to be sent. What comes out may stand in an SMTP command. */
#include "backend/mailer/check.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct settings set = {.outbox_recipients_max = 50,
			       .outbox_header_max = 4000,
			       .outbox_from_own = size && data[0] & 1};
	struct str message = str_mem(data, size);
	struct envelope env = {0};
	struct mailer_verdict v = {0};
	struct buf out = BUF_INIT;

	if (check_message(&set, STR("me@here.test"), message, &env, &v) == 0) {
		ASSERT(env.to.n > 0 && env.to.n <= 50 && env.header.n <= 4000);
		vec_foreach(a, &env.to)
			for (const char *p = *a; *p; p++)
				ASSERT((unsigned char)*p >= ' ' && *p != 0x7f &&
				       (p > *a || *p != '-'));
		check_put_header(&out, env.header);
		ASSERT(out.n <= env.header.n + 1);
	} else {
		ASSERT(v.result == MAILER_FAILED && v.text.n);
	}
	envelope_deinit(&env);
	buf_deinit(&out);
	return 0;
}
