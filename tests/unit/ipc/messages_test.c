/* SPDX-License-Identifier: Apache-2.0 */
/* Records, tickets and the messages of hand-over, sessions and control: whole, cut at every byte,
 * with a byte too many, with bytes changed, with text that must not pass. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/stat.h>

#include "common/base/ensure.h"
#include "common/ipc/control.h"
#include "common/ipc/handoff.h"
#include "common/ipc/loginexec.h"
#include "common/ipc/session.h"
#include "tests/unit/ipc/reread.h"

static const struct user_record record = {
	.user = {"user@example.com", 16}, .uid = 2001, .gid = 2002, .home = {"/mail/user", 10},
	.maildir = {"Maildir", 7}, .quota = {"1000000S", 8}, .options = {"disablepop3=1", 13}, .mailhost = {"", 0},
};
static const struct session_facts facts = {
	.protocol = {"imap", 4}, .session = {"A1b2C3", 6}, .rip = {"192.0.2.1", 9}, .lip = {"::1", 3},
	.rport = 49152, .lport = 993, .tls = true, .tls_info = {"TLSv1.3 TLS_AES_256_GCM_SHA384", 30},
};

/* ---- one function for all messages -------------------------------------------------------------- */

MESSAGE(handoff_give)
MESSAGE(handoff_refused)
MESSAGE(session_assign)
MESSAGE(session_conn)
MESSAGE(session_failed)
MESSAGE(session_state)
MESSAGE(control_request)
MESSAGE(control_row)
MESSAGE(loginexec_run)

static bool understood(reread_fn *fn, const void *p, size_t n)
{
	struct buf again = BUF_INIT;
	char *exact = xmalloc(n ? n : 1); /* of the very size: a read past the end is seen */
	bool ok;

	memcpy(exact, p, n);
	ok = fn(str_mem(exact, n), &again);
	if (ok)
		assert_true(str_eq(buf_str(&again), str_mem(exact, n)));
	buf_deinit(&again);
	free(exact);
	return ok;
}

static void torture(reread_fn *fn, struct buf *good)
{
	size_t n = good->n;
	char *p = buf_cstr(good);
	uint32_t seed = 1;

	assert_true(understood(fn, p, n));
	for (size_t i = 0; i < n; i++)
		assert_false(understood(fn, p, i));
	buf_putc(good, '\0');
	p = buf_cstr(good);
	assert_false(understood(fn, p, n + 1));
	for (int round = 0; round < 20000; round++) {
		char *copy = xmalloc(n);

		memcpy(copy, p, n);
		for (int k = 0; k < 3; k++) {
			seed = seed * 1664525 + 1013904223;
			copy[(seed >> 8) % n] = (char)(seed >> 24);
		}
		(void)understood(fn, copy, n);
		free(copy);
	}
	buf_deinit(good);
}

static void messages_survive(void **state)
{
	struct buf b = BUF_INIT;
	struct handoff_give give = {7, STR("ticket\0bytes"), STR("a1"), STR("LOGIN"), STR("a2 NOOP\r\n")};
	struct handoff_refused refused = {7, STR("LIMIT"), STR("Too many connections.")};
	struct session_assign assign = {record, 5, 6, true, STR("host"), STR("one\0two\0")};
	struct session_conn conn = {9, 5, 6, facts, STR("user"), STR("a1"), STR("LOGIN"), STR("\0\xff\r\n")};
	struct session_failed failed = {9, STR("UNAVAILABLE"), STR("it is broken"), true};
	struct session_state st = {9, 1, STR("INBOX.a")};
	struct control_request request = {STR("who"), {STR("x"), STR("")}, 2};
	struct control_row row = {{STR("user"), STR("rip")}, {STR("demo"), STR("::1")}, 2};

	handoff_give_put(&b, &give);
	torture(reread_handoff_give, &b);
	handoff_refused_put(&b, &refused);
	torture(reread_handoff_refused, &b);
	session_assign_put(&b, &assign);
	torture(reread_session_assign, &b);
	session_conn_put(&b, &conn);
	torture(reread_session_conn, &b);
	session_failed_put(&b, &failed);
	torture(reread_session_failed, &b);
	session_state_put(&b, &st);
	torture(reread_session_state, &b);
	control_request_put(&b, &request);
	torture(reread_control_request, &b);
	control_row_put(&b, &row);
	torture(reread_control_row, &b);
	loginexec_run_put(&b, &(struct loginexec_run){STR("demo"), 5000, 5001, STR("/srv/demo"), STR("A1b2")});
	torture(reread_loginexec_run, &b);
}

/* B29: nothing that a client chose can make a further field or a further line. */
static void hostile_text_is_refused(void **state)
{
	static const char *const tags[] = {"a\nb", "a b", "a\tb", "a\rb", "a\x7f", "\x01"};
	struct handoff_give give = {7, STR("t"), STR("a1"), STR("LOGIN"), STR_NONE};
	struct session_conn conn = {9, 5, 6, facts, STR("user"), STR("a1"), STR("LOGIN"), STR_NONE};
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
		give.tag = conn.tag = str_c(tags[i]);
		handoff_give_put(&b, &give);
		assert_false(understood(reread_handoff_give, buf_str(&b).p, b.n));
		buf_reset(&b);
		session_conn_put(&b, &conn);
		assert_false(understood(reread_session_conn, buf_str(&b).p, b.n));
		buf_reset(&b);
	}
	conn.tag = STR("a1");
	conn.facts.session = STR("a/../b");
	session_conn_put(&b, &conn);
	assert_false(understood(reread_session_conn, buf_str(&b).p, b.n));
	buf_reset(&b);
	give.tag = STR_NONE; /* a login command has one */
	handoff_give_put(&b, &give);
	assert_false(understood(reread_handoff_give, buf_str(&b).p, b.n));
	buf_deinit(&b);
}

static void limits_hold(void **state)
{
	struct control_request request = {.verb = STR("who"), .nargs = 0};
	struct handoff_give give = {7, STR("t"), STR("a1"), STR("LOGIN"), STR_NONE};
	struct buf b = BUF_INIT, big = BUF_INIT;

	wire_str(&b, request.verb);
	wire_u32(&b, CONTROL_ARGS_MAX + 1);
	for (int i = 0; i <= CONTROL_ARGS_MAX; i++)
		wire_str(&b, STR("x"));
	assert_false(control_request_get(buf_str(&b), &request));
	buf_reset(&b);
	memset(buf_reserve(&big, IPC_UNREAD_MAX + 1), 'x', IPC_UNREAD_MAX + 1);
	buf_added(&big, IPC_UNREAD_MAX + 1);
	give.unread = buf_str(&big);
	handoff_give_put(&b, &give);
	assert_false(understood(reread_handoff_give, buf_str(&b).p, b.n));
	buf_reset(&b);
	give.unread.n--;
	handoff_give_put(&b, &give);
	assert_true(understood(reread_handoff_give, buf_str(&b).p, b.n));
	buf_deinit(&b);
	buf_deinit(&big);
}

/* ---- tickets ------------------------------------------------------------------------------------ */

static const uint8_t key[TICKET_KEY_LEN] = {1, 2, 3}, other_key[TICKET_KEY_LEN] = {3, 2, 1};
static const uint8_t nonce[TICKET_NONCE_LEN] = {9, 8, 7};

static bool ticket_good(struct str t, const uint8_t *k)
{
	uint8_t n[TICKET_NONCE_LEN] = {0};
	struct user_record r;
	struct session_facts f;

	if (!ticket_check(t, k, n, &r, &f))
		return false;
	assert_memory_equal(n, nonce, sizeof n);
	assert_true(str_eq(r.user, record.user) && r.uid == record.uid && r.gid == record.gid);
	assert_true(str_eq(r.home, record.home) && str_eq(r.options, record.options));
	assert_true(str_eq(f.session, facts.session) && f.rport == facts.rport && f.tls);
	return true;
}

static void ticket_proves_every_bit(void **state)
{
	struct buf t = BUF_INIT;
	char *p;

	buf_puts(&t, "before"); /* it is appended */
	ticket_make(&t, key, nonce, &record, &facts);
	buf_consume(&t, 6);
	assert_true(ticket_good(buf_str(&t), key));
	assert_false(ticket_good(buf_str(&t), other_key));
	p = buf_cstr(&t);
	for (size_t i = 0; i < t.n * 8; i++) {
		p[i / 8] ^= (char)(1 << (i % 8));
		assert_false(ticket_good(buf_str(&t), key));
		p[i / 8] ^= (char)(1 << (i % 8));
	}
	for (size_t i = 0; i < t.n; i++)
		assert_false(ticket_good(str_sub(buf_str(&t), 0, i), key));
	buf_deinit(&t);
}

static void key_file(void **state)
{
	char dir[] = "/tmp/ticket-test.XXXXXX";
	char path[64];
	uint8_t a[TICKET_KEY_LEN], b[TICKET_KEY_LEN];

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/ticket.key", dir);
	assert_int_equal(ticket_key_read(dir, a), -1);
	assert_int_equal(ticket_key_make(dir, geteuid(), a), 0);
	assert_int_equal(ticket_key_read(dir, b), 0);
	assert_memory_equal(a, b, sizeof a);
	/* A master that starts again keeps the key that a living authd has. */
	assert_int_equal(ticket_key_make(dir, geteuid(), b), 0);
	assert_memory_equal(a, b, sizeof a);
	/* One that somebody else may have read is made anew; a link is not followed. */
	assert_int_equal(chmod(path, 0444), 0);
	assert_int_equal(ticket_key_read(dir, b), -1);
	assert_int_equal(ticket_key_make(dir, geteuid(), b), 0);
	assert_memory_not_equal(a, b, sizeof a);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(ticket_key_read(dir, b), -1);
	assert_int_equal(ticket_key_make(dir, geteuid(), b), 0);
	assert_int_equal(ticket_key_read(dir, a), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_survive), cmocka_unit_test(hostile_text_is_refused),
		cmocka_unit_test(limits_hold),      cmocka_unit_test(ticket_proves_every_bit),
		cmocka_unit_test(key_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
