/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent: becomes the account, looks the message over, and is SENDMAIL then, or submits by SMTP. Runs with
 * the account's rights alone, in a session of its own, with a clean environment and no descriptor but
 * 0, 1 and 2.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "backend/mailer/mailer.h"
#include "common/base/ensure.h"
#include "common/io/smtp.h"
#include "common/sys/priv.h"

enum { REPORT_FD = 3, FILES_MAX = 1024, WORDS_MAX = 32, ALARM_S = 5 };

static _Noreturn void report(const struct mailer_verdict *v)
{
	struct buf b = BUF_INIT;
	ssize_t n;

	mailer_verdict_put(&b, v);
	n = write(REPORT_FD, buf_str(&b).p, b.n);
	_exit(n == (ssize_t)b.n ? 0 : 1);
}

static _Noreturn void failed(const char *what)
{
	struct mailer_verdict v = {.result = MAILER_FAILED, .text = str_c(what)};

	report(&v);
}

/* From here on a death leaves open whether it was sent. */
static void say_begins(void)
{
	char c = AGENT_BEGINS;

	if (write(REPORT_FD, &c, 1) != 1)
		_exit(1);
}

static void place_fds(const struct agent *a)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC), high[4];

	high[0] = fcntl(a->message, F_DUPFD_CLOEXEC, 64);
	high[1] = fcntl(null, F_DUPFD_CLOEXEC, 64);
	high[2] = fcntl(a->err, F_DUPFD_CLOEXEC, 64);
	high[3] = fcntl(a->report, F_DUPFD_CLOEXEC, 64);
	for (int i = 0; i < 4; i++)
		if (high[i] < 0 ||
		    (i == REPORT_FD ? dup3(high[i], i, O_CLOEXEC) : dup2(high[i], i)) < 0)
			_exit(1);
	syscall(SYS_close_range, 4U, ~0U, 0U);
}

static void set_limits(const struct agent *a)
{
	struct rlimit core = {0, 0}, files = {FILES_MAX, FILES_MAX},
		      cpu = {a->seconds + 1, a->seconds + 1};

	setrlimit(RLIMIT_CORE, &core);
	setrlimit(RLIMIT_NOFILE, &files);
	setrlimit(RLIMIT_CPU, &cpu);
	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	alarm(a->seconds + ALARM_S); /* where nobody is there any more to end it */
	umask(022);
	if (chdir("/") < 0)
		failed("chdir");
}

static void become(const struct agent *a, bool exec)
{
	struct err e;

	/* Postfix's and others' sendmail hand mail over by a set-group-id program. */
	if ((exec ? priv_become_exec(a->who->uid, a->who->gid, &e)
		  : priv_become(a->who->uid, a->who->gid, -1, &e)) < 0)
		failed(e.text);
}

static struct str map_message(void)
{
	struct stat st;
	void *p;

	if (fstat(STDIN_FILENO, &st) < 0)
		failed("fstat");
	if (st.st_size == 0)
		return STR("");
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, STDIN_FILENO, 0);
	if (p == MAP_FAILED)
		failed("mmap");
	return str_mem(p, (size_t)st.st_size);
}

/* ---- sendmail ----------------------------------------------------------------------------------- */

static char *env_text(const char *name, struct str value)
{
	struct buf b = BUF_INIT;

	buf_printf(&b, "%s=%.*s", name, STR_ARG(value));
	return buf_cstr(&b);
}

static _Noreturn void exec_sendmail(const struct agent *a)
{
	struct str rest = str_c(a->set->sendmail), word;
	char *argv[WORDS_MAX + 6], *env[8];
	char text[MAILER_TEXT_MAX];
	int n = 0, k = 0;

	while (rest.p) {
		word = str_split(&rest, ' ');
		if (word.n && n < WORDS_MAX)
			argv[n++] = str_dup(word);
	}
	if (n == 0)
		failed("SENDMAIL is empty");
	argv[n++] = xstrdup("-oi");
	argv[n++] = xstrdup("-t");
	argv[n++] = xstrdup("-f");
	argv[n++] = str_dup(a->who->user);
	argv[n] = NULL;
	env[k++] = xstrdup("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	env[k++] = env_text("HOME", a->who->home);
	env[k++] = env_text("USER", a->who->user);
	env[k++] = env_text("LOGNAME", a->who->user);
	env[k++] = xstrdup("SHELL=/bin/sh");
	env[k] = NULL;
	say_begins();
	execve(argv[0], argv, env);
	snprintf(text, sizeof text, "%s: %s", argv[0], strerror(errno));
	failed(text);
}

/* ---- SMTP --------------------------------------------------------------------------------------- */

static enum smtp_tls tls_mode(const char *set)
{
	return strcmp(set, "off") == 0	 ? SMTP_TLS_OFF
	       : strcmp(set, "try") == 0 ? SMTP_TLS_TRY
					 : SMTP_TLS_ON;
}

static _Noreturn void submit(const struct agent *a, struct envelope *env, struct str message)
{
	static const enum mailer_result results[] = {[SMTP_SENT] = MAILER_SENT,
						     [SMTP_FAILED] = MAILER_FAILED,
						     [SMTP_UNKNOWN] = MAILER_UNKNOWN};
	struct mailer_verdict v = {0};
	struct buf header = BUF_INIT;
	struct smtp_mail mail = {.url = a->set->smtp_url,
				 .cafile = a->set->smtp_cafile,
				 .tls = tls_mode(a->set->smtp_tls),
				 .seconds = a->seconds,
				 .to = env->to.a,
				 .nto = env->to.n,
				 .body = str_from(message, env->header.n)};
	struct err e = {0};

	check_put_header(&header, env->header);
	mail.header = buf_str(&header);
	mail.from = str_dup(a->who->user);
	say_begins();
	v.result = (uint8_t)results[smtp_send(&mail, &e)];
	v.text = v.result == MAILER_SENT ? STR("sent") : str_c(e.text);
	report(&v);
}

void agent_run(const struct agent *a)
{
	bool smtp = *a->set->smtp_url;
	struct envelope env = {0};
	struct mailer_verdict v;
	struct str message;

	setsid();
	place_fds(a);
	set_limits(a);
	become(a, !smtp);
	message = map_message();
	if (check_message(a->set, a->who->user, message, &env, &v) < 0)
		report(&v);
	if (smtp)
		submit(a, &env, message);
	exec_sendmail(a);
}
