/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "common/imap/caps.h"
#include "common/imap/saslname.h"

#define PLAIN_LOGIN (SASL_BIT(SASL_PLAIN) | SASL_BIT(SASL_LOGIN))

static void check(struct imap_caps c, const char *want)
{
	struct buf out = BUF_INIT;

	imap_caps_put(&out, &c);
	assert_string_equal(buf_cstr(&out), want);
	buf_deinit(&out);
}

static void states(void **state)
{
	check((struct imap_caps){IMAP_CAPS_PLAIN, .starttls = true, .mechanisms = PLAIN_LOGIN,
				 .login_disabled = true},
	      "IMAP4rev1 LITERAL+ ID STARTTLS LOGINDISABLED");
	check((struct imap_caps){IMAP_CAPS_PLAIN, .starttls = true, .mechanisms = PLAIN_LOGIN},
	      "IMAP4rev1 LITERAL+ SASL-IR ID STARTTLS AUTH=PLAIN AUTH=LOGIN");
	check((struct imap_caps){IMAP_CAPS_TLS, .starttls = true, .mechanisms = PLAIN_LOGIN,
				 .login_disabled = true, .literal_minus = true},
	      "IMAP4rev1 LITERAL- SASL-IR ID AUTH=PLAIN AUTH=LOGIN");
	check((struct imap_caps){IMAP_CAPS_SESSION, .idle = true},
	      "IMAP4rev1 LITERAL+ ID ENABLE IDLE NAMESPACE UIDPLUS MOVE MULTIAPPEND CHILDREN UNSELECT "
	      "CONDSTORE QRESYNC QUOTA QUOTA=RES-STORAGE QUOTA=RES-MESSAGE SPECIAL-USE CREATE-SPECIAL-USE");
	check((struct imap_caps){IMAP_CAPS_SESSION, .append_max = 5000000000, .magic_trash = true,
				 .filter = STR("QUOTA APPENDLIMIT XMAGICTRASH")},
	      "IMAP4rev1 QUOTA APPENDLIMIT=5000000000 XMAGICTRASH");
	check((struct imap_caps){IMAP_CAPS_SESSION, .magic_trash = true, .outbox = STR(".Outbox"),
				 .filter = STR("UIDPLUS")},
	      "IMAP4rev1 UIDPLUS XMAGICTRASH XCOURIEROUTBOX=INBOX.Outbox");
	check((struct imap_caps){IMAP_CAPS_SESSION, .append_max = 7, .filter = STR("APPENDLIMIT=1000")},
	      "IMAP4rev1 APPENDLIMIT=7");
}

/* IMAP_CAPABILITY limits, but what protects a password can't be taken out. */
static void filter(void **state)
{
	struct str f = STR("imap4rev1  UIDPLUS CHILDREN IDLE THREAD=REFERENCES\tliteral-");
	struct str word;
	size_t it = 0;

	check((struct imap_caps){IMAP_CAPS_SESSION, .idle = true, .filter = f},
	      "IMAP4rev1 LITERAL+ IDLE UIDPLUS CHILDREN");
	check((struct imap_caps){IMAP_CAPS_PLAIN, .starttls = true, .mechanisms = PLAIN_LOGIN,
				 .login_disabled = true, .filter = STR("UIDPLUS")},
	      "IMAP4rev1 STARTTLS LOGINDISABLED");
	assert_true(imap_caps_unknown(f, &it, &word));
	assert_true(str_eq(word, STR("THREAD=REFERENCES")));
	assert_false(imap_caps_unknown(f, &it, &word));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(states),
		cmocka_unit_test(filter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
