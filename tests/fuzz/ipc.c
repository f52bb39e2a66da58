/* SPDX-License-Identifier: Apache-2.0 */
/* ipc: every message body that one of our processes reads from another. The first byte picks the
 * message; what is understood must be written again as the same bytes. */
#include <stdint.h>
#include <stdlib.h>
#include "common/base/ensure.h"
#include "common/ipc/auth.h"
#include "common/ipc/control.h"
#include "common/ipc/handoff.h"
#include "common/ipc/loginexec.h"
#include "common/ipc/mailer.h"
#include "common/ipc/session.h"
#include "common/ipc/watch.h"
#include "tests/unit/ipc/reread.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

MESSAGE(auth_request)
MESSAGE(auth_answer)
MESSAGE(auth_step)
MESSAGE(control_request)
MESSAGE(control_row)
MESSAGE(handoff_give)
MESSAGE(handoff_refused)
MESSAGE(mailer_serve)
MESSAGE(mailer_verdict)
MESSAGE(session_assign)
MESSAGE(session_conn)
MESSAGE(session_failed)
MESSAGE(session_state)
MESSAGE(watch_journal)
MESSAGE(loginexec_run)

static bool reread_watch_events(struct str body, struct buf *again)
{
	struct wire w = wire_reader(body);
	struct watch_event e;

	while (w.n > 0) {
		if (!watch_event_get(&w, &e))
			return false;
		watch_event_put(again, &e);
	}
	return true;
}

static bool reread_ticket(struct str body, struct buf *again)
{
	static const uint8_t key[TICKET_KEY_LEN] = {1};
	uint8_t nonce[TICKET_NONCE_LEN];
	struct user_record r;
	struct session_facts f;

	if (!ticket_check(body, key, nonce, &r, &f))
		return false;
	ticket_make(again, key, nonce, &r, &f);
	return true;
}

static reread_fn *const messages[] = {
	reread_auth_request, reread_auth_answer,    reread_auth_step,	    reread_control_request,
	reread_control_row,  reread_handoff_give,   reread_handoff_refused, reread_session_assign,
	reread_session_conn, reread_session_failed, reread_session_state,   reread_watch_journal,
	reread_watch_events, reread_ticket,	    reread_mailer_serve,    reread_mailer_verdict, reread_loginexec_run,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf again = BUF_INIT;
	struct str body;

	if (size < 1)
		return 0;
	body = str_mem(data + 1, size - 1);
	if (messages[data[0] % ARRAY_LEN(messages)](body, &again))
		ASSERT(str_eq(buf_str(&again), body));
	buf_deinit(&again);
	return 0;
}
