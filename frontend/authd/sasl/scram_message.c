/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/sasl/scram_message.h"
#include "common/base/base64.h"
#include "common/base/utf8.h"

/* The text up to the next comma, or to the end; *rest: behind it. */
static struct str attribute(struct str *rest)
{
	return str_split(rest, ',');
}

static bool is_attribute(struct str s, char name)
{
	return s.n >= 2 && s.p[0] == name && s.p[1] == '=';
}

/* saslname: =2C and =3D stand for comma and equals sign. */
static bool unescape(struct arena *a, struct str escaped, struct str *out)
{
	char *to = arena_alloc(a, escaped.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < escaped.n; i++) {
		to[n++] = escaped.p[i];
		if (escaped.p[i] != '=')
			continue;
		if (str_starts(str_from(escaped, i), STR("=2C")))
			to[n - 1] = ',';
		else if (!str_starts(str_from(escaped, i), STR("=3D")))
			return false;
		i += 2;
	}
	*out = str_mem(to, n);
	return n > 0 && n <= SCRAM_NAME_MAX && !str_has_nul(*out) && utf8_valid(*out);
}

static bool is_nonce(struct str s, size_t max)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x21 || s.p[i] > 0x7e)
			return false;
	return s.n > 0 && s.n <= max;
}

static bool is_binding_name(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if ((c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') &&
		    c != '.' && c != '-')
			return false;
	}
	return s.n > 0 && s.n <= 64;
}

/* ALPHA "=" value; a mandatory extension is none that we know. */
static bool is_extension(struct str s)
{
	return s.n >= 2 && s.p[1] == '=' && s.p[0] != 'm' &&
	       ((s.p[0] >= 'a' && s.p[0] <= 'z') || (s.p[0] >= 'A' && s.p[0] <= 'Z')) &&
	       !str_has_nul(s);
}

bool scram_gs2_parse(struct scram_first *f, struct arena *a, struct str *rest)
{
	struct str m = *rest, flag = attribute(rest), authzid;

	*f = (struct scram_first){.binding_name = STR(""), .authzid = STR("")};
	if (!rest->p || !flag.n)
		return false;
	f->binding = flag.p[0];
	if (is_attribute(flag, 'p'))
		f->binding_name = str_from(flag, 2);
	else if (flag.n != 1 || (flag.p[0] != 'n' && flag.p[0] != 'y'))
		return false;
	if (f->binding == 'p' && !is_binding_name(f->binding_name))
		return false;
	authzid = attribute(rest);
	if (!rest->p)
		return false;
	f->gs2 = str_mem(m.p, (size_t)(rest->p - m.p));
	return !authzid.n ||
	       (is_attribute(authzid, 'a') && unescape(a, str_from(authzid, 2), &f->authzid));
}

bool scram_first_parse(struct scram_first *f, struct arena *a, struct str m)
{
	struct str rest = m, user, nonce;

	if (!scram_gs2_parse(f, a, &rest))
		return false;
	f->bare = rest;
	user = attribute(&rest);
	if (!rest.p || !is_attribute(user, 'n') || !unescape(a, str_from(user, 2), &f->user))
		return false;
	nonce = attribute(&rest);
	f->nonce = str_from(nonce, 2);
	while (rest.p)
		if (!is_extension(attribute(&rest)))
			return false;
	return is_attribute(nonce, 'r') && is_nonce(f->nonce, SCRAM_NONCE_MAX);
}

static bool decode(struct arena *a, struct str text, size_t max, struct str *out)
{
	struct buf b = BUF_INIT;
	bool ok =
		text.n <= max * 4 / 3 + 4 && base64_decode(&b, text) == 0 && b.n > 0 && b.n <= max;

	if (ok)
		*out = arena_str(a, buf_str(&b));
	buf_wipe(&b);
	return ok;
}

bool scram_final_parse(struct scram_final *f, struct arena *a, struct str m)
{
	size_t last = str_rfind(m, ',');
	struct str rest, cbind, nonce;

	if (last >= m.n || !is_attribute(str_from(m, last + 1), 'p'))
		return false;
	f->unproven = rest = str_sub(m, 0, last);
	cbind = attribute(&rest);
	if (!rest.p || !is_attribute(cbind, 'c'))
		return false;
	nonce = attribute(&rest);
	f->nonce = str_from(nonce, 2);
	while (rest.p)
		if (!is_extension(attribute(&rest)))
			return false;
	/* Two nonces in one. */
	return is_attribute(nonce, 'r') && is_nonce(f->nonce, 2 * SCRAM_NONCE_MAX) &&
	       decode(a, str_from(cbind, 2), SCRAM_CBIND_MAX, &f->cbind) &&
	       decode(a, str_from(m, last + 3), 64, &f->proof);
}

void scram_server_first(struct buf *out, struct str client_nonce, struct str server_nonce,
			struct str salt, uint32_t iterations)
{
	buf_puts(out, "r=");
	buf_str_put(out, client_nonce);
	buf_str_put(out, server_nonce);
	buf_puts(out, ",s=");
	base64_encode(out, salt);
	buf_printf(out, ",i=%u", iterations);
}

void scram_server_final(struct buf *out, struct str signature)
{
	buf_puts(out, "v=");
	base64_encode(out, signature);
}
