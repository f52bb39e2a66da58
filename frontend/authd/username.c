/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/authd/username.h"
#include "common/base/utf8.h"

bool username_valid(struct str user)
{
	uint32_t cp;

	if (user.n == 0 || user.n > USERNAME_MAX)
		return false;
	for (size_t i = 0; i < user.n;) {
		if (!utf8_next(user, &i, &cp))
			return false;
		if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0))
			return false;
	}
	return true;
}

static bool path_clean(struct str path)
{
	struct str rest = path;

	if (path.n < 2 || path.p[0] != '/')
		return false;
	while (rest.p) {
		struct str part = str_split(&rest, '/');

		if (str_eq(part, STR(".")) || str_eq(part, STR("..")))
			return false;
	}
	return true;
}

static bool put_name(struct buf *out, struct str name)
{
	if (!name.n || str_find(name, '/') != name.n)
		return false;
	buf_str_put(out, name);
	return true;
}

static bool expand_one(struct buf *out, char letter, struct str user)
{
	size_t at = str_find(user, '@');

	switch (letter) {
	case 'u':
		return put_name(out, user);
	case 'n':
		return put_name(out, str_sub(user, 0, at));
	case 'd':
		return put_name(out, str_from(user, at + 1));
	case '%':
		buf_putc(out, '%');
		return true;
	default:
		return false;
	}
}

bool username_expand(struct buf *out, const char *pattern, struct str user)
{
	bool ok = true;

	buf_reset(out);
	for (const char *p = pattern; *p && ok; p++) {
		if (*p != '%')
			buf_putc(out, *p);
		else if (p[1])
			ok = expand_one(out, *++p, user);
		else
			ok = false;
	}
	if (!ok || !path_clean(buf_str(out))) {
		buf_reset(out);
		return false;
	}
	return true;
}
