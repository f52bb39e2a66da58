/* SPDX-License-Identifier: Apache-2.0 */
/* mechs: the mechanisms that there are; each stands in a file of its own. */
#pragma once
#include "frontend/authd/sasl/mech.h"

extern const struct mech mech_plain; /* RFC 4616 */
extern const struct mech mech_login; /* draft-murchison-sasl-login */
