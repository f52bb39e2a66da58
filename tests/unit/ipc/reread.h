/* SPDX-License-Identifier: Apache-2.0 */
/* reread: reread_NAME(body, again) reads a message and, where it was understood, writes it again. */
#pragma once
#include "common/base/buf.h"

typedef bool reread_fn(struct str body, struct buf *again); /* false: not understood */

#define MESSAGE(name)                                                                              \
	static bool reread_##name(struct str body, struct buf *again)                              \
	{                                                                                          \
		struct name m;                                                                     \
                                                                                                   \
		if (!name##_get(body, &m))                                                         \
			return false;                                                              \
		name##_put(again, &m);                                                             \
		return true;                                                                       \
	}
