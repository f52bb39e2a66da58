/* SPDX-License-Identifier: Apache-2.0 */
#include "common/sys/certfield.h"
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>

static bool same(const char *a, const char *b)
{
	return str_ieq(str_c(a), str_c(b));
}

/* R70: GnuTLS calls it email, OpenSSL emailAddress. */
static bool is_email(const char *field)
{
	return same(field, "email") || same(field, "emailaddress");
}

static bool is_field(const ASN1_OBJECT *o, const char *field)
{
	int nid = OBJ_obj2nid(o);
	char oid[80];

	if (is_email(field))
		return nid == NID_pkcs9_emailAddress;
	if (nid != NID_undef && (same(field, OBJ_nid2sn(nid)) || same(field, OBJ_nid2ln(nid))))
		return true;
	return OBJ_obj2txt(oid, sizeof(oid), o, 1) > 0 && strcmp(oid, field) == 0;
}

static const char *put_value(const ASN1_STRING *s, struct buf *out)
{
	unsigned char *utf8 = NULL;
	int n = ASN1_STRING_to_UTF8(&utf8, s);
	struct str v = str_mem(utf8, n > 0 ? (size_t)n : 0);
	const char *why = NULL;

	if (n <= 0)
		why = "the field is empty or no text";
	else if (str_has_nul(v))
		why = "the field has a NUL byte";
	else
		buf_str_put(out, v);
	OPENSSL_free(utf8);
	return why;
}

const char *certfield_get(const X509 *cert, const char *field, struct buf *out)
{
	const X509_NAME *name = X509_get_subject_name(cert);
	const X509_NAME_ENTRY *found = NULL;

	for (int i = 0; i < X509_NAME_entry_count(name); i++) {
		const X509_NAME_ENTRY *e = X509_NAME_get_entry(name, i);

		if (!is_field(X509_NAME_ENTRY_get_object(e), field))
			continue;
		if (found)
			return "the field is there more than once";
		found = e;
	}
	return found ? put_value(X509_NAME_ENTRY_get_data(found), out) : "the field is missing";
}

bool certfield_known(const char *field)
{
	bool known = is_email(field) || (field[0] >= '0' && field[0] <= '2' &&
					 strspn(field, "0123456789.") == strlen(field));

	for (int nid = 1; !known && nid < OBJ_new_nid(0); nid++) {
		const char *ln = OBJ_nid2ln(nid);

		known = ln && (same(field, OBJ_nid2sn(nid)) || same(field, ln));
	}
	ERR_clear_error();
	return known;
}
