/* SPDX-License-Identifier: Apache-2.0 */
/* certfield: one field of a certificate's subject, as a user name (TLS_EXTERNAL). */
#pragma once
#include <openssl/x509.h>
#include "common/base/buf.h"

/*
 * Appends the value of the field (a name that OpenSSL knows, in any case: CN, emailAddress, email,
 * UID, or an OID) in UTF-8. NULL: done; else why there is none that can be relied on: it is missing, it
 * is there more than once, it is empty or has a NUL in it.
 */
const char *certfield_get(const X509 *cert, const char *field, struct buf *out);
/* False: OpenSSL knows no field of this name. */
bool certfield_known(const char *field);
