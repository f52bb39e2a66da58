/* SPDX-License-Identifier: Apache-2.0 */
/* outbox_int: what outbox.c and append.c share. */
#pragma once
#include "backend/store/outbox.h"
#include "backend/store/store_int.h"

void outbox_attempt_name(char out[300], const char *base);
void outbox_message_name(char out[300], const char *base);
struct outbox_item *outbox_item_new(const char *folder, const char *base);
/* I/O thread: tmp (a path below the folder's dir, synced) becomes the message of it->base, which waits;
 * durable. -1 errno: nothing of it is there. */
int outbox_hold_file(struct store *st, int dir, const char *tmp, struct outbox_item *it);
