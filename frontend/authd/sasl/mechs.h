/* SPDX-License-Identifier: Apache-2.0 */
/* mechs: the mechanisms that there are; each stands in a file of its own. */
#pragma once
#include "frontend/authd/sasl/mech.h"

extern const struct mech mech_plain;				  /* RFC 4616 */
extern const struct mech mech_login;				  /* draft-murchison-sasl-login */
extern const struct mech mech_cram_md5;				  /* RFC 2195 */
extern const struct mech mech_scram_sha_1, mech_scram_sha_1_plus; /* RFC 5802 */
extern const struct mech mech_scram_sha_256, mech_scram_sha_256_plus; /* RFC 7677 */
extern const struct mech mech_oauthbearer;			      /* RFC 7628 */
extern const struct mech mech_xoauth2;				      /* Google's */
extern const struct mech mech_external;				  /* RFC 4422 A */
