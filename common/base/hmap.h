/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hmap: hash map with a per-process random seed (B44: chosen keys must not collide), keys are
 * byte strings (copied) or 64-bit numbers, values are pointers that the map does not own.
 */
#pragma once
#include "common/base/str.h"

struct hmap;
struct hmap *hmap_new(void);
void hmap_free(struct hmap **m); /* NULL is fine */
size_t hmap_count(const struct hmap *m);
void *hmap_get(const struct hmap *m, struct str key); /* NULL: not there */
void *hmap_put(struct hmap *m, struct str key, void *value); /* returns the value it replaced */
void *hmap_del(struct hmap *m, struct str key);              /* returns the value it removed */
void *hmap_get_u64(const struct hmap *m, uint64_t key);
void *hmap_put_u64(struct hmap *m, uint64_t key, void *value);
void *hmap_del_u64(struct hmap *m, uint64_t key);
/* Walks all entries; start with *it = 0; false at the end. The map must not change meanwhile. */
bool hmap_next(const struct hmap *m, size_t *it, struct str *key, void **value);
uint64_t hash_bytes(struct str s); /* seeded SipHash-1-3 of this process */
uint64_t hash_keyed(const uint64_t key[2], struct str s); /* the same with a key that processes share */
