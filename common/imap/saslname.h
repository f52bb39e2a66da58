/* SPDX-License-Identifier: Apache-2.0 */
/* saslname: the SASL mechanisms that exist here, by number and by name (RFC 4422 3.1). */
#pragma once
#include "common/base/str.h"

enum sasl_id {
	SASL_PLAIN,
	SASL_LOGIN,
	SASL_CRAM_MD5,
	SASL_SCRAM_SHA_1,
	SASL_SCRAM_SHA_1_PLUS,
	SASL_SCRAM_SHA_256,
	SASL_SCRAM_SHA_256_PLUS,
	SASL_EXTERNAL,
	SASL_OAUTHBEARER,
	SASL_XOAUTH2,
	SASL_ID_N
};
#define SASL_BIT(id) (1U << (id))
/* Those that are worth something only over TLS whose channel they bind (RFC 5802 6). */
#define SASL_BITS_PLUS (SASL_BIT(SASL_SCRAM_SHA_1_PLUS) | SASL_BIT(SASL_SCRAM_SHA_256_PLUS))
#define SASL_BITS_SCRAM_1 (SASL_BIT(SASL_SCRAM_SHA_1) | SASL_BIT(SASL_SCRAM_SHA_1_PLUS))
#define SASL_BITS_SCRAM_256 (SASL_BIT(SASL_SCRAM_SHA_256) | SASL_BIT(SASL_SCRAM_SHA_256_PLUS))
#define SASL_BITS_SCRAM (SASL_BITS_SCRAM_1 | SASL_BITS_SCRAM_256)

const char *sasl_name(enum sasl_id id); /* "SCRAM-SHA-256-PLUS" */
/* In any case of letters; SASL_ID_N: there is none of this name. */
enum sasl_id sasl_find(struct str name);
/* Bits of the mechanisms named in a list with blanks between; *unknown is the first word that names
 * none (p == NULL where all do). A leading "AUTH=" of a word is passed over. */
unsigned sasl_list(struct str list, struct str *unknown);
