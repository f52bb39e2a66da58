/* SPDX-License-Identifier: Apache-2.0 */
/* Header blocks: fields, envelope with its addresses, dates, encoded words. */
#include "common/base/ensure.h"
#include "common/base/utf8.h"
#include "common/mail/addr.h"
#include "common/mail/date.h"
#include "common/mail/envelope.h"
#include "common/mail/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void one_value(struct arena *a, struct buf *out, struct str value)
{
	struct addr_list list;
	struct maildate d;
	uint32_t n = 0, open = 0;

	header_unfold(a, value);
	buf_reset(out);
	header_decode_words(out, value);
	ASSERT(utf8_valid(buf_str(out)));
	if (date_parse(value, &d))
		ASSERT(d.day >= -719528 && d.day <= 2932896 && d.zone > -1440 && d.zone < 1440);
	ADDR_LIST_INIT(&list, 50);
	addr_parse(a, &list, value);
	for (const struct addr *x = list.first; x; x = x->next, n++) {
		open += x->kind == ADDR_GROUP_START;
		open -= x->kind == ADDR_GROUP_END;
		ASSERT(open <= 1);
	}
	ASSERT(open == 0 && n == list.n && n <= 52);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str header = str_mem(data, size), rest = header;
	struct arena a = ARENA_INIT;
	struct buf out = BUF_INIT, kept = BUF_INIT;
	struct mime_limits limits = MIME_LIMITS_DEFAULT;
	struct header_field f;
	size_t raw = 0;

	while (header_next(&rest, &f)) {
		raw += f.raw.n;
		ASSERT(f.raw.n && f.value.n + f.name.n <= f.raw.n);
		one_value(&a, &out, f.value);
	}
	one_value(&a, &out, header);
	mime_put_envelope(&out, header, &limits);
	buf_reset(&out);
	header_fields_put(&out, header, (struct str[]){STR("To"), STR("X")}, 2, false);
	header_fields_put(&kept, header, (struct str[]){STR("To"), STR("X")}, 2, true);
	ASSERT(out.n + kept.n >= raw + 4);
	buf_deinit(&out);
	buf_deinit(&kept);
	arena_deinit(&a);
	return 0;
}
