/* SPDX-License-Identifier: Apache-2.0 */
#include <crypt.h>
#include <termios.h>
#include <unistd.h>
#include "common/base/secret.h"
#include "ctl/ctl.h"

static const struct {
	const char *name;
	const char *prefix;
	unsigned long count; /* 0 = libcrypt's choice */
} methods[] = {
	{"yescrypt", "$y$", 0},
	{"sha512crypt", "$6$", 0},
	{"bcrypt", "$2b$", 11}, /* libcrypt's own choice, 5, is of 1999 */
};

struct request {
	const char *prefix;
	unsigned long count;
	const char *file;
	const char *user;
};

static int wrong_usage(const char *what)
{
	fprintf(stderr,
		"posthousectl passwd: %s\n"
		"Usage: posthousectl passwd [--hash yescrypt|sha512crypt|bcrypt] [-f FILE] [USER]\n",
		what);
	return EXIT_USAGE;
}

static bool pick_method(struct request *q, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		if (strcmp(name, methods[i].name) == 0) {
			q->prefix = methods[i].prefix;
			q->count = methods[i].count;
			return true;
		}
	}
	return false;
}

static int parse(const struct ctl *c, struct request *q)
{
	pick_method(q, "yescrypt");
	for (int i = 0; i < c->argc; i++) {
		const char *a = c->argv[i];
		const char *value = i + 1 < c->argc ? c->argv[i + 1] : NULL;

		if (strcmp(a, "--hash") == 0) {
			if (!value || !pick_method(q, value))
				return wrong_usage("--hash takes yescrypt, sha512crypt or bcrypt");
			i++;
		} else if (strcmp(a, "-f") == 0) {
			if (!value)
				return wrong_usage("-f needs a file");
			q->file = c->argv[++i];
		} else if (a[0] == '-' || q->user) {
			return wrong_usage("one user name at most, and no other options");
		} else {
			q->user = a;
		}
	}
	if (q->file && !q->user)
		return wrong_usage("-f writes a file: name the user");
	return 0;
}

static bool name_valid(struct str user)
{
	for (size_t i = 0; i < user.n; i++)
		if ((unsigned char)user.p[i] <= ' ' || user.p[i] == ':' || user.p[i] == 0x7f)
			return false;
	return user.n > 0 && user.n <= IPC_NAME_MAX && user.p[0] != '#';
}

/* ---- the password ------------------------------------------------------------------------------ */

/* One line, without its end. False at the end of the input. */
static bool read_line(FILE *f, struct secret *out)
{
	char line[1024];
	size_t n;
	bool ok = fgets(line, sizeof line, f) != NULL;

	n = ok ? strcspn(line, "\r\n") : 0;
	if (ok)
		secret_set(out, str_mem(line, n));
	secret_zero(line, sizeof line);
	return ok;
}

static bool ask_hidden(FILE *tty, const char *prompt, struct secret *out)
{
	struct termios before, hidden;
	bool ok;

	fprintf(tty, "%s", prompt);
	fflush(tty);
	if (tcgetattr(fileno(tty), &before) < 0)
		return false;
	hidden = before;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	hidden.c_lflag |= ECHONL;
	tcsetattr(fileno(tty), TCSAFLUSH, &hidden);
	ok = read_line(tty, out);
	tcsetattr(fileno(tty), TCSAFLUSH, &before);
	return ok;
}

static int ask_twice(struct secret *password)
{
	FILE *tty = fopen("/dev/tty", "r+");
	struct secret again = {NULL, 0};
	int rc = 0;

	if (!tty)
		return ctl_fault("can't open the terminal; give the password on stdin instead");
	setvbuf(tty, NULL, _IONBF, 0);
	if (!ask_hidden(tty, "New password: ", password) || !ask_hidden(tty, "Once more: ", &again))
		rc = ctl_fault("no password was given");
	else if (!secret_equal(secret_str(password), secret_str(&again)))
		rc = ctl_fault("the two passwords differ; nothing was changed");
	secret_wipe(&again);
	fclose(tty);
	return rc;
}

static int get_password(struct secret *password)
{
	static char stdin_buf[1024];
	int rc = 0;

	if (isatty(STDIN_FILENO)) {
		rc = ask_twice(password);
	} else {
		setvbuf(stdin, stdin_buf, _IOFBF, sizeof stdin_buf);
		if (!read_line(stdin, password))
			rc = ctl_fault("no password on stdin");
		secret_zero(stdin_buf, sizeof stdin_buf);
	}
	if (rc == 0 && password->n == 0)
		rc = ctl_fault("an empty password is not taken");
	if (rc == 0 && password->n >= CRYPT_MAX_PASSPHRASE_SIZE)
		rc = ctl_fault("the password is longer than %d bytes",
			       CRYPT_MAX_PASSPHRASE_SIZE - 1);
	if (rc == 0 && str_has_nul(secret_str(password)))
		rc = ctl_fault("the password has a NUL in it");
	return rc;
}

static int make_hash(const struct request *q, const struct secret *password, struct buf *out)
{
	char salt[CRYPT_GENSALT_OUTPUT_SIZE];
	struct crypt_data data = {.initialized = 0};
	char *text = str_dup(secret_str(password));
	const char *hash;

	/* NULL: libcrypt takes its random bytes from the kernel. */
	hash = crypt_gensalt_rn(q->prefix, q->count, NULL, 0, salt, sizeof salt)
		       ? crypt_rn(text, salt, &data, sizeof data)
		       : NULL;
	secret_zero(text, password->n);
	free(text);
	if (hash)
		buf_puts(out, hash);
	secret_zero(&data, sizeof data);
	return hash ? 0
		    : ctl_fault(
			      "this system's libcrypt can't make such a hash; try --hash sha512crypt");
}

int ctl_passwd(const struct ctl *c)
{
	struct request q = {.file = NULL};
	struct secret password = {NULL, 0};
	struct buf hash = BUF_INIT;
	bool added;
	struct err e;
	int rc = parse(c, &q);

	if (rc != 0)
		return rc;
	if (q.user && !name_valid(str_c(q.user)))
		return ctl_fault(
			"\"%s\" is no user name: no blank, no colon, no control character, no # in front",
			q.user);
	rc = get_password(&password);
	if (rc == 0)
		rc = make_hash(&q, &password, &hash);
	secret_wipe(&password);
	if (rc == 0 && !q.user) {
		puts(buf_cstr(&hash));
	} else if (rc == 0) {
		const char *file = q.file ? q.file : c->set->passwd_file;

		if (pwfile_set(file, str_c(q.user), buf_str(&hash), &added, &e) < 0)
			rc = ctl_fault("%s", e.text);
		else
			fprintf(stderr, "%s %s in %s\n", q.user, added ? "added" : "changed", file);
	}
	buf_wipe(&hash);
	return rc;
}
