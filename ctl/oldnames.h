/* SPDX-License-Identifier: Apache-2.0 */
/* oldnames: Courier's names for what are verbs here, when posthousectl is called by a link of that name (R13). */
#pragma once

/* argv0's verb. NULL: it is no old name; "": it is one that has no verb, which was said. */
const char *oldname_verb(const char *argv0);
extern const char oldnames_list[]; /* for the help */
