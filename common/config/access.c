/* SPDX-License-Identifier: Apache-2.0 */
#include "common/config/access.h"
#include <sys/stat.h>
#include "common/base/buf.h"
#include "common/base/ensure.h"
#include "common/base/vec.h"

struct entry {
	struct net net;
	struct access_rule rule;
};

struct access {
	struct {
		struct entry *a; /* longest networks first, among equals by address */
		size_t n, cap;
	} all;
};

static int show(struct str s)
{
	return (int)(s.n < 64 ? s.n : 64);
}

/* Courier's ":3ffe:1200": groups from the front. */
static bool v6_prefix(struct str text, struct net *n)
{
	struct str rest = str_from(text, 1);

	*n = (struct net){.bits = 0};
	while (rest.p) {
		struct str group = str_split(&rest, ':');
		uint32_t v = 0;

		if (group.n == 0 || group.n > 4 || n->bits == 128)
			return false;
		for (size_t i = 0; i < group.n; i++) {
			const char *digits = "0123456789abcdef";
			const char *d = memchr(digits, group.p[i] | 0x20, 16);

			if (!d)
				return false;
			v = v << 4 | (uint32_t)(d - digits);
		}
		n->addr.b[n->bits / 8] = (uint8_t)(v >> 8);
		n->addr.b[n->bits / 8 + 1] = (uint8_t)v;
		n->bits = (uint8_t)(n->bits + 16);
	}
	return true;
}

/* Courier's "192.168": bytes from the front. */
static bool v4_prefix(struct str text, struct net *n)
{
	struct str rest = text;

	*n = (struct net){.addr.b = {[10] = 0xff, [11] = 0xff}, .bits = 96};
	while (rest.p) {
		uint32_t v;

		if (n->bits == 128 || !str_u32(str_split(&rest, '.'), &v) || v > 255)
			return false;
		n->addr.b[n->bits / 8] = (uint8_t)v;
		n->bits = (uint8_t)(n->bits + 8);
	}
	return true;
}

static int parse_net(struct str text, struct net *n, struct err *e)
{
	if (str_eq(text, STR("*"))) {
		*n = (struct net){.bits = 0};
		return 0;
	}
	if (text.n > 1 && text.p[0] == ':' && text.p[1] != ':' && str_find(text, '/') == text.n) {
		if (v6_prefix(text, n))
			return 0;
	} else if (v4_prefix(text, n)) {
		return 0;
	} else {
		return net_parse(text, n, e);
	}
	return err_set(e, EINVAL, "\"%.*s\" is not a network", show(text), text.p);
}

static int parse_action(struct str rest, struct access_rule *r, struct err *e)
{
	struct str word = str_split(&rest, ',');

	if (!str_eq(word, STR("allow")) && !str_eq(word, STR("deny")))
		return err_set(e, EINVAL,
			       "\"allow\" or \"deny\" is expected behind the network, not \"%.*s\"",
			       show(word), word.p);
	r->allow = str_eq(word, STR("allow"));
	while (rest.p) {
		word = str_split(&rest, ',');
		if (!str_starts(word, STR("MAXCPERIP=")))
			continue; /* variables of other programs */
		if (!str_u32(str_from(word, 10), &r->max))
			return err_set(e, EINVAL, "\"%.*s\" is not a number", show(word), word.p);
		r->has_max = true;
	}
	return 0;
}

static int parse_line(struct str line, struct entry *en, struct err *e)
{
	size_t n = 0;

	while (n < line.n && line.p[n] != '\t' && line.p[n] != ' ')
		n++;
	if (parse_net(str_sub(line, 0, n), &en->net, e))
		return -1;
	return parse_action(str_trim(str_from(line, n)), &en->rule, e);
}

static int by_net(const void *a, const void *b)
{
	const struct net *x = &((const struct entry *)a)->net, *y = &((const struct entry *)b)->net;

	if (x->bits != y->bits)
		return x->bits > y->bits ? -1 : 1;
	return memcmp(x->addr.b, y->addr.b, sizeof(x->addr.b));
}

static int sort(struct access *a, const char *file, struct err *e)
{
	if (a->all.n)
		qsort(a->all.a, a->all.n, sizeof(*a->all.a), by_net);
	for (size_t i = 1; i < a->all.n; i++) {
		const struct entry *x = &a->all.a[i - 1], *y = &a->all.a[i];

		if (by_net(x, y) == 0)
			return err_set(e, EINVAL, "%s:%u: the same network as in line %u", file,
				       x->rule.line > y->rule.line ? x->rule.line : y->rule.line,
				       x->rule.line < y->rule.line ? x->rule.line : y->rule.line);
	}
	return 0;
}

struct access *access_parse(struct str text, const char *file, struct err *e)
{
	struct access *a = xcalloc(1, sizeof(*a));
	struct err why;

	for (unsigned number = 1; text.p; number++) {
		struct str line = str_trim(str_split(&text, '\n'));
		struct entry en = {.rule.line = number};

		if (line.n == 0 || line.p[0] == '#')
			continue;
		if (parse_line(line, &en, &why)) {
			err_set(e, EINVAL, "%s:%u: %s", file, number, why.text);
			access_free(&a);
			return NULL;
		}
		*vec_push(&a->all) = en;
	}
	if (sort(a, file, e))
		access_free(&a);
	return a;
}

struct access *access_read(int fd, const char *file, struct err *e)
{
	struct access *a = NULL;
	struct buf b = BUF_INIT;
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st)) {
		err_sys(e, "%s", file);
		return NULL;
	}
	if (st.st_size > ACCESS_FILE_MAX) {
		err_set(e, EFBIG, "%s: larger than %u bytes", file, ACCESS_FILE_MAX);
		return NULL;
	}
	n = pread(fd, buf_reserve(&b, (size_t)st.st_size + 1), (size_t)st.st_size, 0);
	if (n < 0) {
		err_sys(e, "%s", file);
	} else {
		buf_added(&b, (size_t)n);
		a = access_parse(buf_str(&b), file, e);
	}
	buf_deinit(&b);
	return a;
}

struct access_rule access_find(const struct access *a, const struct net_addr *addr)
{
	struct entry key;
	size_t i = 0;

	while (a && i < a->all.n) {
		uint8_t bits = a->all.a[i].net.bits;
		size_t lo = i, hi = a->all.n;
		const struct entry *found;

		/* where the networks of this length end */
		while (lo < hi) {
			size_t mid = lo + (hi - lo) / 2;

			if (a->all.a[mid].net.bits == bits)
				lo = mid + 1;
			else
				hi = mid;
		}
		key.net = (struct net){*addr, bits};
		net_addr_cut(&key.net.addr, bits);
		found = bsearch(&key, a->all.a + i, lo - i, sizeof(key), by_net);
		if (found)
			return found->rule;
		i = lo;
	}
	return (struct access_rule){.allow = true};
}

void access_free(struct access **a)
{
	if (*a)
		vec_free(&(*a)->all);
	free(*a);
	*a = NULL;
}
