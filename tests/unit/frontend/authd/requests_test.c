/* SPDX-License-Identifier: Apache-2.0 */
/* What a login worker that was taken over can do to authd: nothing but fail logins of its own (P3). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/ensure.h"
#include "common/io/jobs.h"
#include "frontend/authd/authd.h"
#include "frontend/authd/chain.h"
#include "frontend/authd/clientcert.h"
#include "frontend/authd/exchange.h"
#include "frontend/authd/penalty.h"
#include "frontend/authd/requests.h"

enum { LATE_MAX = 64, MESSAGES = 20000 };

static struct settings set;
static struct authd ad;
static struct link *worker;
static unsigned answers[AUTH_RESULT_N], challenges;
static uint32_t last_challenged;
static struct check *late[LATE_MAX]; /* checks that the provider sits on */
static unsigned nlate, seed = 1;
static char key_dir[64];

static unsigned dice(unsigned n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % n;
}

/* ---- a provider of every mood ------------------------------------------------------------------ */

static void finish(struct check *c)
{
	static const enum auth_result results[] = {AUTH_OK,	  AUTH_MISMATCH,   AUTH_UNKNOWN,
						   AUTH_DISABLED, AUTH_IMPOSSIBLE, AUTH_TEMPFAIL,
						   AUTH_EXPIRED};
	enum auth_result r = results[dice(ARRAY_LEN(results))];

	if (r == AUTH_OK || r == AUTH_DISABLED || r == AUTH_EXPIRED) {
		c->record = (struct user_record){.user = c->user, .uid = 9, .home = STR("/h")};
		check_credential(c, STR("{PLAIN}secret"), STR(""));
	}
	check_done(c, r);
}

static void start(struct provider *p, struct check *c)
{
	if (dice(2) || nlate == LATE_MAX)
		finish(c);
	else
		late[nlate++] = c;
}

static void cancel(struct provider *p, struct check *c)
{
	for (unsigned i = 0; i < nlate; i++)
		if (late[i] == c) {
			late[i] = late[--nlate];
			check_done(c, AUTH_TEMPFAIL);
			return;
		}
}

static void no_free(struct provider *p)
{
}

static struct provider provider = {"moody", CHECK_BIT(CHECK_KIND_N) - 1, start, cancel, no_free, 0};

static void finish_one(void)
{
	struct check *c;
	unsigned i;

	if (!nlate)
		return;
	i = dice(nlate);
	c = late[i];
	late[i] = late[--nlate];
	finish(c);
}

/* ---- the worker's side ------------------------------------------------------------------------- */

static int on_msg(void *ctx, struct link_msg *m)
{
	struct auth_answer a;
	struct auth_step s;

	if (m->type == AUTH_ANSWER && auth_answer_get(m->body, &a))
		answers[a.result]++;
	if (m->type == AUTH_CHALLENGE && auth_step_get(m->body, &s)) {
		challenges++;
		last_challenged = s.id;
	}
	return 0;
}

static void on_close(void *ctx, const char *why)
{
	link_free(&worker);
}

static void send_to(uint16_t type, struct buf *b)
{
	if (worker)
		link_send(worker, type, buf_str(b), NULL, 0);
	buf_deinit(b);
}

static void request(uint32_t id, const char *mechanism, struct str initial,
		    const struct auth_peer *p)
{
	struct auth_request r = {.id = id,
				 .mechanism = str_c(mechanism),
				 .has_initial = initial.p != NULL,
				 .initial = initial,
				 .facts = {.protocol = STR("imap"),
					   .session = STR("s1"),
					   .rip = STR("192.0.2.1"),
					   .lip = STR("192.0.2.2"),
					   .tls = true}};
	struct buf b = BUF_INIT;

	if (p)
		r.peer = *p;
	auth_request_put(&b, &r);
	send_to(AUTH_REQUEST, &b);
}

static void stop(void *ctx)
{
	loop_stop(ad.loop);
}

static void turn(uint64_t ms)
{
	struct loop_timer *t = loop_timer_new(ad.loop, stop, NULL);

	loop_timer_set(t, ms);
	loop_run(ad.loop);
	loop_timer_free(&t);
}

static void connect_worker(void)
{
	static const struct link_ops ops = {on_msg, on_close, NULL};
	int pair[2];

	assert_int_equal(link_pair(pair), 0);
	link_free(&worker);
	requests_add_worker(&ad, 0, pair[0]);
	worker = link_new(ad.loop, pair[1], 100000, &ops, NULL);
	memset(answers, 0, sizeof(answers));
	challenges = 0;
}

/* ---- tests ------------------------------------------------------------------------------------- */

static void test_bounded(void **state)
{
	connect_worker();
	for (uint32_t i = 1; i <= 3 * set.maxprelogin; i++)
		request(i, "LOGIN", STR_NONE, NULL);
	while (challenges + answers[AUTH_TEMPFAIL] < 3 * set.maxprelogin)
		turn(1);
	assert_int_equal(challenges, set.maxprelogin);
}

static struct str piece(char *space, size_t max)
{
	static const struct str pieces[] = {
		{"", 0},
		{"\0bob\0secret", 11},
		{"ann\0bob\0secret", 14},
		{"\0bob\0wrong", 10},
		{"bob", 3},
		{"secret", 6},
		{"n,,n=bob,r=abc", 14},
		{"n,a=ann,n=bob,r=abc", 19},
		{"p=tls-exporter,,n=bob,r=abc", 27},
		{"c=biws,r=abc,p=AAAA", 19},
		{"bob 00000000000000000000000000000000", 36},
		{"a\0b 00000000000000000000000000000000", 36},
		{"\x30\x82\x01\x0a\x02\x01\x00", 7},
	};
	struct str s = pieces[dice(ARRAY_LEN(pieces))];

	if (dice(4))
		return s;
	max = dice((unsigned)max);
	for (size_t i = 0; i < max; i++)
		space[i] = (char)dice(256);
	return str_mem(space, max);
}

static void any_message(uint32_t id)
{
	char space[4][64];
	struct auth_peer p = {.cert = piece(space[0], 64),
			      .cert_proof = piece(space[1], 64),
			      .cb_exporter = piece(space[2], 32),
			      .proxied = dice(2)};
	struct auth_step s = {.id = dice(2) ? last_challenged : id - dice(20),
			      .message = piece(space[3], 64)};
	struct buf b = BUF_INIT;

	switch (dice(4)) {
	case 0:
		wire_u32(&b, s.id);
		send_to(AUTH_CANCEL, &b);
		break;
	case 1:
		auth_step_put(&b, &s);
		send_to(AUTH_RESPONSE, &b);
		break;
	default:
		request(id, sasl_name((enum sasl_id)dice(SASL_ID_N)),
			dice(3) ? s.message : STR_NONE, &p);
	}
}

/* Any messages in any order, with answers of providers early and late, and a link that is lost. */
static void test_anything(void **state)
{
	char message[64];

	for (uint32_t i = 1; i <= MESSAGES; i++) {
		if (!worker || dice(2000) == 0)
			connect_worker();
		any_message(i);
		if (dice(3) == 0)
			finish_one();
		if (dice(20) == 0)
			turn(0);
	}
	connect_worker();
	while (nlate)
		finish_one();
	while (chain_pending(ad.chain))
		turn(1);
	for (uint32_t i = 1; !answers[AUTH_OK]; i++) {
		int n = snprintf(message, sizeof(message), "_ann%u_secret", i);

		message[0] = message[n - 7] = '\0'; /* another one each time: refusals are kept */
		request(i, "PLAIN", str_mem(message, (size_t)n), NULL);
		finish_one();
		turn(1);
	}
}

static void make_ticket_key(void)
{
	static const char zeros[TICKET_KEY_LEN];
	char dir[] = "/tmp/requests_test.XXXXXX";
	int rundir, fd;

	assert_non_null(mkdtemp(dir));
	rundir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = openat(rundir, "ticket.key", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, zeros, sizeof(zeros)), sizeof(zeros));
	close(fd);
	ad.signer.rundir = -1;
	signer_rundir(&ad.signer, rundir);
	snprintf(key_dir, sizeof(key_dir), "%s", dir);
}

static int teardown(void **state)
{
	unlinkat(ad.signer.rundir, "ticket.key", 0);
	rmdir(key_dir);
	return 0;
}

static int setup(void **state)
{
	static const char *const own[] = {"MAXPRELOGIN=50", "LOGIN_PENALTY_FREE=1000000",
					  "AUTH_CACHE_SIZE=8", "LOGIN_PENALTY_KEPT=100", NULL};
	struct err e;

	log_init("test", LOG_SINK_STDERR, LOG_FORM_KV, L_ERROR);
	if (settings_load(&set,
			  &(struct settings_opts){.file = "/dev/null", .set = own, .no_env = true},
			  NULL, &e))
		return -1;
	ad.set = &set;
	ad.loop = loop_new();
	ad.jobs = jobs_new(ad.loop, 1);
	ad.clientcert = clientcert_new();
	ad.chain = chain_new(&ad);
	ad.penalty = penalty_new(ad.loop, &set);
	list_init(&ad.requesters);
	make_ticket_key();
	chain_add(ad.chain, &provider);
	ad.mechanisms = (1U << SASL_ID_N) - 1;
	ad.mechanisms &= ~(SASL_BIT(SASL_OAUTHBEARER) | SASL_BIT(SASL_XOAUTH2));
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_anything),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
