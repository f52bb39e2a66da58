/* SPDX-License-Identifier: Apache-2.0 */
/* mime_fields: the Content-* fields of one header, for mime.c alone. */
#pragma once
#include "common/mail/mime.h"

/* Longer boundaries are compared by their first bytes; RFC 2046 allows 70. */
#define MIME_BOUNDARY_MAX 80

/*
 * Fills type ... languages of part from its raw header (slices are copied into the arena) and
 * decides kind and text. digest: the parent is a multipart/digest, whose parts are messages by
 * default. A type that is broken, or a multipart without a
 * boundary, counts as missing. Of repeated fields the first counts.
 */
void mime_fields_parse(struct arena *a, struct mime_part *part, struct str header, bool digest,
		       const struct mime_limits *limits);
/* Makes part a leaf of type application/octet-stream. */
void mime_part_opaque(struct mime_part *part);
