/* SPDX-License-Identifier: Apache-2.0 */
#include <crypt.h>
#include <termios.h>
#include <unistd.h>
#include "common/auth/scram_keys.h"
#include "common/base/rand.h"
#include "ctl/ctl.h"

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

static int ask_terminal(struct secret *password, bool twice)
{
	FILE *tty = fopen("/dev/tty", "r+");
	struct secret again = {NULL, 0};
	int rc = 0;

	if (!tty)
		return ctl_fault("can't open the terminal; give the password on stdin instead");
	setvbuf(tty, NULL, _IONBF, 0);
	if (!ask_hidden(tty, twice ? "New password: " : "Password: ", password) ||
	    (twice && !ask_hidden(tty, "Once more: ", &again)))
		rc = ctl_fault("no password was given");
	else if (twice && !secret_equal(secret_str(password), secret_str(&again)))
		rc = ctl_fault("the two passwords differ; nothing was changed");
	secret_wipe(&again);
	fclose(tty);
	return rc;
}

int password_read(struct secret *password, bool twice)
{
	static char stdin_buf[1024];
	int rc = 0;

	if (isatty(STDIN_FILENO)) {
		rc = ask_terminal(password, twice);
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

void password_generate(struct secret *password)
{
	static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789"; /* none that look alike */
	char text[24];

	rand_bytes(text, sizeof text);
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = letters[(unsigned char)text[i] % 32];
	secret_set(password, str_mem(text, sizeof text));
	secret_zero(text, sizeof text);
}

/* ---- the hash ---------------------------------------------------------------------------------- */

static int crypt_hash(const char *prefix, unsigned long count, const struct secret *password,
		      struct buf *out)
{
	char salt[CRYPT_GENSALT_OUTPUT_SIZE];
	struct crypt_data data = {.initialized = 0};
	char *text = str_dup(secret_str(password));
	const char *hash;

	/* NULL: libcrypt takes its random bytes from the kernel. */
	hash = crypt_gensalt_rn(prefix, count, NULL, 0, salt, sizeof salt)
		       ? crypt_rn(text, salt, &data, sizeof data)
		       : NULL;
	secret_zero(text, password->n);
	free(text);
	if (hash)
		buf_puts(out, hash);
	secret_zero(&data, sizeof data);
	return hash ? 0
		    : ctl_fault(
			      "this system's libcrypt can't make such a hash; try --scheme SHA512-CRYPT");
}

static int scram_hash(enum scram_hash which, const struct settings *set, struct str beside,
		      const struct secret *password, struct buf *out)
{
	struct scram_keys keys;

	if (scram_keys_parse(&keys, beside) && keys.hash == which)
		scram_keys_derive(&keys,
				  secret_str(password)); /* with salt and count of that one */
	else
		scram_keys_make(&keys, which, (uint32_t)set->scram_iterations,
				secret_str(password));
	scram_keys_print(out, &keys);
	secret_zero(&keys, sizeof keys);
	return 0;
}

/* Names of ours, of Dovecot's, and those that this program took first. */
static const struct scheme {
	const char *name, *other;
	const char *prefix;  /* NULL: SCRAM */
	unsigned long count; /* 0 = libcrypt's choice */
	enum scram_hash scram;
} schemes[] = {
	{"yescrypt", "yescrypt", "$y$", 0, SCRAM_HASH_N},
	{"SHA512-CRYPT", "sha512crypt", "$6$", 0, SCRAM_HASH_N},
	{"BLF-CRYPT", "bcrypt", "$2b$", 11,
	 SCRAM_HASH_N}, /* libcrypt's own choice, 5, is of 1999 */
	{"SCRAM-SHA-256", "scram", NULL, 0, SCRAM_SHA_256},
	{"SCRAM-SHA-1", "SCRAM-SHA-1", NULL, 0, SCRAM_SHA_1},
};
const char password_schemes[] = "yescrypt|SHA512-CRYPT|BLF-CRYPT|SCRAM-SHA-256|SCRAM-SHA-1";

static const struct scheme *find_scheme(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (str_ieq(str_c(name), str_c(schemes[i].name)) ||
		    str_ieq(str_c(name), str_c(schemes[i].other)))
			return &schemes[i];
	return NULL;
}

bool password_scheme_known(const char *scheme)
{
	return find_scheme(scheme) != NULL;
}

bool password_goes_beside(const char *scheme, struct str hash)
{
	enum scram_hash which;

	return scram_keys_is(hash, &which) && which == find_scheme(scheme)->scram;
}

int password_hash(const char *scheme, const struct settings *set, struct str beside,
		  const struct secret *password, struct buf *out)
{
	const struct scheme *s = find_scheme(scheme);

	return s->prefix ? crypt_hash(s->prefix, s->count, password, out)
			 : scram_hash(s->scram, set, beside, password, out);
}
