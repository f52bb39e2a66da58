/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as each of the lists of other servers: UIDs and names once, in order, below the next UID. */
#include <stddef.h>
#include <stdint.h>

#include "backend/store/foreign.h"
#include "backend/store/maildir.h"
#include "common/base/hmap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void look_at_list(struct str text)
{
	struct hmap *names = hmap_new();
	struct uidlist l;
	struct md_name n;

	uidlist_parse(text, &l);
	for (size_t i = 0; i < l.a.n; i++) {
		ASSERT(l.a.a[i].uid && (!i || l.a.a[i].uid > l.a.a[i - 1].uid));
		ASSERT(md_name_parse(l.a.a[i].base, &n) && n.base.n == l.a.a[i].base.n);
		ASSERT(!hmap_put(names, l.a.a[i].base, names));
		ASSERT(l.unsure || l.a.a[i].uid < l.uidnext);
	}
	ASSERT(l.unsure || (l.uidvalidity && l.uidnext && l.uidnext < UINT32_MAX - 1000));
	ASSERT(l.guid.n == 0 || l.guid.n == 32);
	uidlist_free(&l);
	hmap_free(&names);
}

static void look_at_keywords(struct str text)
{
	struct str letters[DOVECOT_LETTERS], base;
	struct buf b = BUF_INIT;
	struct kwlist l;
	uint64_t age;
	size_t i;

	kwlist_parse(text, &l);
	vec_foreach(e, &l.a)
		while (kwlist_number(&e->numbers, l.names.n, &i))
			ASSERT(i < l.names.n);
	vec_foreach(name, &l.names) {
		buf_reset(&b);
		if (keyword_clean(*name, 128, &b))
			ASSERT(b.n == name->n && b.n <= 128);
	}
	kwlist_free(&l);
	letters_parse(text, letters);
	if (kwupdate_name(text, &base, &age))
		ASSERT(base.n && base.n <= 255);
	buf_deinit(&b);
}

static void look_at_subscriptions(struct str text)
{
	struct buf once = BUF_INIT, made = BUF_INIT, twice = BUF_INIT;

	subscriptions_parse(text, &once);
	for (struct str rest = buf_str(&once); rest.n;)
		ASSERT(str_starts(str_split(&rest, '\n'), STR("INBOX")));
	subscriptions_make(buf_str(&once), true, &made);
	subscriptions_parse(buf_str(&made), &twice);
	buf_reset(&twice);
	folder_name_decode(text, &twice);
	buf_deinit(&once);
	buf_deinit(&made);
	buf_deinit(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str text = str_mem(data, n);

	look_at_list(text);
	look_at_keywords(text);
	look_at_subscriptions(text);
	return 0;
}
