/* SPDX-License-Identifier: Apache-2.0 */
/* options: an account's options as Courier writes them: name=value,name=value (FEATURES.md R80). */
#pragma once
#include "common/base/buf.h"

/* Value of the first option of this name (in any case), blanks trimmed; "" for one without =; p == NULL:
 * it isn't there. */
struct str options_get(struct str options, const char *name);
/* Cuts the next option off *rest (an empty one is passed over). False at the end. */
bool options_next(struct str *rest, struct str *name, struct str *value);
/* All of options but those of this name, and then name=value; value.p == NULL: only without them. */
void options_set(struct buf *out, struct str options, const char *name, struct str value);
