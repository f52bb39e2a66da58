/* SPDX-License-Identifier: Apache-2.0 */
/* priv, sandbox, proc, sdnotify: each in a child, since nothing of it can be undone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "common/base/ensure.h"
#include "common/sys/priv.h"
#include "common/sys/proc.h"
#include "common/sys/sandbox.h"
#include "common/sys/sdnotify.h"

#define CHECK(cond) do { if (!(cond)) { fprintf(stderr, "line %d: %s\n", __LINE__, #cond); _exit(1); } } while (0)

static void in_child(void (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		fn();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

static void become(void)
{
	struct rlimit core;
	struct err e;

	CHECK(priv_become(0, 1000, -1, &e) == -1);
	CHECK(priv_become(1000, 0, -1, &e) == -1);
	CHECK(priv_become(12345, 12346, CAP_DAC_READ_SEARCH, &e) == 0);
	CHECK(getuid() == 12345 && geteuid() == 12345 && getgid() == 12346 && getgroups(0, NULL) == 0);
	CHECK(setuid(0) == -1);
	CHECK(open("/etc/shadow", O_RDONLY) >= 0); /* the one capability that was kept */
	CHECK(chown("/etc/passwd", 12345, 12345) == -1);
	CHECK(prctl(PR_GET_DUMPABLE) == 0 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	CHECK(getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0);
	CHECK(priv_become(12345, 12346, -1, &e) == 0); /* already: gives the capability up, too */
	CHECK(open("/etc/shadow", O_RDONLY) == -1);
	CHECK(priv_become(1, 1, -1, &e) == -1);
	CHECK(strstr(e.text, "only root can become") != NULL);
	CHECK(priv_drop("root", -1, &e) == 0); /* not root: stays what it is */
	CHECK(getuid() == 12345);
}

static void drop(void)
{
	struct err e;

	CHECK(priv_drop("no-such-user-here", -1, &e) == -1);
	CHECK(strstr(e.text, "no-such-user-here") != NULL);
	CHECK(priv_drop("root", -1, &e) == -1);
	CHECK(priv_drop("23456", -1, &e) == 0);
	CHECK(getuid() == 23456 && getgid() == 23456);
}

static void drop_with_groups(void)
{
	gid_t got[4];
	struct err e;

	CHECK(priv_drop_groups("23456", "no-such-group", -1, &e) == -1);
	CHECK(strstr(e.text, "no-such-group") != NULL);
	CHECK(priv_drop_groups("23456", "root", -1, &e) == -1);
	CHECK(priv_drop_groups("23456", "777 0", -1, &e) == -1);
	CHECK(priv_drop_groups("23456", " 777  mail ", -1, &e) == 0);
	CHECK(getuid() == 23456 && getgid() == 23456 && getgroups(4, got) == 2);
	CHECK((got[0] == 777) != (got[1] == 777));
	CHECK(setuid(0) == -1);
}

static void test_priv(void **state)
{
	struct priv_user u;

	assert_int_equal(priv_lookup("nobody", &u, NULL), 0);
	assert_true(u.uid > 0);
	assert_int_equal(priv_lookup("4000000", &u, NULL), 0);
	assert_true(u.uid == 4000000 && u.gid == 4000000);
	assert_int_equal(priv_lookup("4294967295", &u, NULL), -1);
	assert_int_equal(priv_lookup("", &u, NULL), -1);
	if (geteuid() != 0)
		skip();
	in_child(become);
	in_child(drop);
	in_child(drop_with_groups);
}

static char dir[] = "/tmp/sys-test-XXXXXX";

static int dir_fd(const char *name)
{
	char path[96];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static int try_open(const char *name, int flags)
{
	char path[96];
	int fd;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	fd = open(path, flags | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
	return fd >= 0 ? 0 : errno;
}

static void fenced(void)
{
	struct sandbox_rule rules[] = {{dir_fd("own"), SANDBOX_READWRITE}, {dir_fd("shared"), SANDBOX_READ}};
	struct sockaddr_in {
		sa_family_t family;
		uint16_t port;
		uint32_t addr;
		char pad[8];
	} in = {AF_INET, 0, 0, ""};
	char a[96], b[96];
	struct err e;
	int s;

	CHECK(sandbox_fs(rules, 2, true, &e) == 0);
	CHECK(try_open("own/new", O_CREAT | O_RDWR) == 0);
	CHECK(try_open("own/new", O_RDWR | O_TRUNC) == 0);
	CHECK(try_open("shared/file", O_RDONLY) == 0);
	CHECK(try_open("shared/file", O_RDWR) == EACCES);
	CHECK(try_open("shared/new", O_CREAT | O_RDWR) == EACCES);
	CHECK(try_open("other/file", O_RDONLY) == EACCES);
	CHECK(try_open("own/../other/file", O_RDONLY) == EACCES);
	CHECK(open("/etc/passwd", O_RDONLY) == -1);
	snprintf(a, sizeof a, "%s/own/new", dir);
	snprintf(b, sizeof b, "%s/own/sub/new", dir);
	CHECK(rename(a, b) == 0); /* REFER: across directories */
	snprintf(a, sizeof a, "%s/other/new", dir);
	CHECK(rename(b, a) == -1);
	snprintf(a, sizeof a, "%s/own/link", dir);
	CHECK(symlink("/etc/passwd", a) == -1);
	execl("/bin/true", "true", NULL);
	CHECK(errno == EACCES);
	CHECK(kill(getppid(), 0) == -1 || sandbox_abi() < 6);
	s = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(bind(s, (struct sockaddr *)&in, sizeof in) == -1 || sandbox_abi() < 4);
}

static void walled_in(void)
{
	int fd = dir_fd("own");
	struct err e;

	CHECK(sandbox_fs(NULL, 0, true, &e) == 0);
	CHECK(open("/", O_RDONLY) == -1);
	CHECK(openat(fd, "new", O_RDONLY) == -1);
	CHECK(open("/dev/null", O_RDWR) == -1);
}

static void test_sandbox(void **state)
{
	char cmd[96];

	if (sandbox_abi() < 2)
		skip();
	assert_non_null(mkdtemp(dir));
	for (const char *const *d = (const char *const[]){"own", "own/sub", "shared", "other", NULL}; *d; d++) {
		snprintf(cmd, sizeof cmd, "%s/%s", dir, *d);
		assert_int_equal(mkdir(cmd, 0700), 0);
	}
	assert_int_equal(try_open("shared/file", O_CREAT | O_RDWR), 0);
	assert_int_equal(try_open("other/file", O_CREAT | O_RDWR), 0);
	in_child(fenced);
	in_child(walled_in);
	for (const char *const *d = (const char *const[]){"own/sub/new", "own/new", "own/sub", "own", "shared/file",
							   "shared", "other/file", "other", "", NULL}; *d; d++) {
		snprintf(cmd, sizeof cmd, "%s/%s", dir, *d);
		remove(cmd);
	}
}

/* The spawned program is this test again. */
static int spawned(int argc, char **argv)
{
	sigset_t mask;
	char text[8] = "", line[128];

	CHECK(argc == 3 && strcmp(argv[0], "sys_test") == 0 && strcmp(argv[2], "--flag") == 0);
	CHECK(read(3, text, 2) == 2 && strcmp(text, "B\n") == 0);
	CHECK(read(5, text, 2) == 2 && strcmp(text, "A\n") == 0);
	CHECK(read(0, text, 1) == 0);
	for (int fd = 6; fd < 256; fd++)
		CHECK(fcntl(fd, F_GETFD) == -1);
	CHECK(fcntl(4, F_GETFD) == -1);
	CHECK(getenv("PH_TEST") && !getenv("HOME") && !getenv("SECRET_THING"));
	CHECK(sigprocmask(SIG_SETMASK, NULL, &mask) == 0 && !sigismember(&mask, SIGTERM));
	CHECK(signal(SIGPIPE, SIG_DFL) == SIG_DFL);
	proc_title_init(argc, argv);
	proc_title_init(1, argv); /* a second time, as imapd does */
	proc_title_init(argc, argv);
	proc_title("serving %s", "a client with a long name");
	CHECK(getenv("PH_TEST") != NULL);
	FILE *f = fopen("/proc/self/cmdline", "re");
	CHECK(f && fgets(line, sizeof line, f) && strncmp(line, "sys_test: serving a client", 26) == 0);
	fclose(f);
	return 0;
}

static void test_spawn(void **state)
{
	int a[2], b[2], status;
	sigset_t block;
	struct err e;
	pid_t pid;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&block);
	sigaddset(&block, SIGTERM);
	sigprocmask(SIG_SETMASK, &block, NULL);
	setenv("PH_TEST", "1", 1);
	setenv("SECRET_THING", "1", 1);
	setenv("HOME", "/root", 1);
	assert_int_equal(pipe(a) | pipe(b), 0);
	assert_int_equal(write(a[1], "A\n", 2) + write(b[1], "B\n", 2), 4);
	/* Targets are each other's sources where the numbers happen to be so. */
	pid = proc_spawn("sys_test", (const char *const[]){"spawned", "--flag", NULL},
			 (struct proc_fd[]){{a[0], 5}, {b[0], 3}}, 2, &e);
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(proc_spawn("no-such-program", NULL, NULL, 0, &e), -1);
	assert_int_equal(e.code, ENOENT);
	assert_int_equal(waitpid(-1, &status, WNOHANG), -1); /* no child is left behind */
	assert_int_equal(proc_subreaper(&e), 0);
}

static void test_sdnotify(void **state)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	char name[64], text[64] = "";

	sdnotify("READY=1"); /* no NOTIFY_SOCKET: nothing happens */
	snprintf(name, sizeof name, "@ph-test-%d", getpid());
	memcpy(sa.sun_path, name, strlen(name));
	sa.sun_path[0] = 0;
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))), 0);
	setenv("NOTIFY_SOCKET", name, 1);
	sdnotify("READY=1");
	assert_int_equal(recv(fd, text, sizeof text - 1, MSG_DONTWAIT), 7);
	assert_string_equal(text, "READY=1");
	unsetenv("NOTIFY_SOCKET");
	close(fd);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_priv),
		cmocka_unit_test(test_sandbox),
		cmocka_unit_test(test_spawn),
		cmocka_unit_test(test_sdnotify),
	};
	if (argc > 1 && strcmp(argv[1], "spawned") == 0)
		return spawned(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
