/* SPDX-License-Identifier: Apache-2.0 */
/* index: finds a message by its base name. 16 bytes a message; made only when names come to be looked
 * at, since an unchanged folder needs none. */
#pragma once
#include "common/base/str.h"

struct folder;
struct index_slot {
	uint32_t tag; /* of the name's hash */
	uint32_t uid; /* 0: free, UINT32_MAX: was removed */
};
struct index {
	struct index_slot *slots; /* NULL: not made */
	size_t cap, used;         /* used: not free */
};
/* Of all messages that are no tombstones. Where two have one base name, the first counts. */
void index_build(struct index *x, const struct folder *f);
void index_free(struct index *x);
/* Index in f->msgs, or SIZE_MAX. */
size_t index_find(const struct index *x, const struct folder *f, struct str base);
void index_add(struct index *x, const struct folder *f, struct str base, uint32_t uid); /* no-op if not made */
void index_remove(struct index *x, const struct folder *f, struct str base);
