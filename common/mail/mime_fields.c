// SPDX-License-Identifier: Apache-2.0
#include "common/mail/mime_fields.h"
#include "common/mail/header.h"
#include "common/mail/mime_params.h"

/* RFC 2045 5.1: type "/" subtype. A field without both is as good as none (5.2). */
static void content_type(struct arena *a, struct mime_part *part, struct str value, uint32_t max)
{
	struct rfc822 x = rfc822_of(value);
	struct str type, subtype;

	rfc822_cfws(&x, NULL);
	type = rfc822_token(&x);
	rfc822_cfws(&x, NULL);
	if (type.n == 0 || !rfc822_at(&x, '/'))
		return;
	x.p++;
	rfc822_cfws(&x, NULL);
	subtype = rfc822_token(&x);
	if (subtype.n == 0)
		return;
	part->type = arena_str(a, type);
	part->subtype = arena_str(a, subtype);
	rfc822_cfws(&x, NULL);
	if (rfc822_at(&x, ';'))
		mime_params_parse(a, &x, &part->params, max);
}

static struct str token_of(struct arena *a, struct str value)
{
	struct rfc822 x = rfc822_of(value);
	struct str token;

	rfc822_cfws(&x, NULL);
	token = rfc822_token(&x);
	return token.n ? arena_str(a, token) : STR_NONE;
}

static void disposition(struct arena *a, struct mime_part *part, struct str value, uint32_t max)
{
	struct rfc822 x = rfc822_of(value);
	struct str token;

	rfc822_cfws(&x, NULL);
	token = rfc822_token(&x);
	if (token.n == 0)
		return;
	part->disposition = arena_str(a, token);
	rfc822_cfws(&x, NULL);
	mime_params_parse(a, &x, &part->disposition_params, max);
}

/* RFC 3282: tags with commas between them. */
static void languages(struct arena *a, struct mime_part *part, struct str value, uint32_t max)
{
	struct rfc822 x = rfc822_of(value);
	size_t most = 1;

	for (const char *c = x.p; c < x.end && most < max; c++)
		most += *c == ',';
	part->languages = arena_array(a, struct str, most);
	while (x.p < x.end && part->nlanguages < most) {
		struct str tag;

		rfc822_cfws(&x, NULL);
		tag = rfc822_token(&x);
		if (tag.n)
			part->languages[part->nlanguages++] = arena_str(a, tag);
		while (x.p < x.end && *x.p++ != ',')
			;
	}
}

static struct str text_of(struct arena *a, struct str value)
{
	struct str s = header_unfold(a, value);

	return s.n ? arena_str(a, s) : STR_NONE;
}

struct seen {
	bool type, language;
};

static void field(struct arena *a, struct mime_part *part, struct seen *seen, struct str name,
		  struct str value, uint32_t max)
{
	if (str_ieq(name, STR("Type")) && !seen->type) {
		seen->type = true;
		content_type(a, part, value, max);
	} else if (str_ieq(name, STR("Transfer-Encoding")) && !part->encoding.p) {
		part->encoding = token_of(a, value);
	} else if (str_ieq(name, STR("ID")) && !part->id.p) {
		part->id = text_of(a, value);
	} else if (str_ieq(name, STR("Description")) && !part->description.p) {
		part->description = text_of(a, value);
	} else if (str_ieq(name, STR("MD5")) && !part->md5.p) {
		part->md5 = text_of(a, value);
	} else if (str_ieq(name, STR("Location")) && !part->location.p) {
		part->location = text_of(a, value);
	} else if (str_ieq(name, STR("Disposition")) && !part->disposition.p) {
		disposition(a, part, value, max);
	} else if (str_ieq(name, STR("Language")) && !seen->language) {
		seen->language = true;
		languages(a, part, value, max);
	}
}

static bool opaque_encoding(struct str e)
{
	return e.p && !str_ieq(e, STR("7bit")) && !str_ieq(e, STR("8bit")) &&
	       !str_ieq(e, STR("binary"));
}

static enum mime_kind kind_of(const struct mime_part *part)
{
	if (str_ieq(part->type, STR("multipart")))
		return MIME_MULTIPART;
	if (!str_ieq(part->type, STR("message")))
		return MIME_LEAF;
	if (!str_ieq(part->subtype, STR("rfc822")) && !str_ieq(part->subtype, STR("global")))
		return MIME_LEAF;
	return MIME_MESSAGE;
}

static void default_type(struct mime_part *part, bool digest)
{
	part->type = digest ? STR("message") : STR("text");
	part->subtype = digest ? STR("rfc822") : STR("plain");
	part->params = (struct mime_params){NULL, 0};
}

void mime_part_opaque(struct mime_part *part)
{
	part->kind = MIME_LEAF;
	part->text = false;
	part->type = STR("application");
	part->subtype = STR("octet-stream");
	part->params = (struct mime_params){NULL, 0};
}

void mime_fields_parse(struct arena *a, struct mime_part *part, struct str header, bool digest,
		       const struct mime_limits *limits)
{
	struct seen seen = {false, false};
	struct header_field f;

	while (header_next(&header, &f))
		if (str_istarts(f.name, STR("Content-")))
			field(a, part, &seen, str_from(f.name, 8), f.value, limits->params);
	if (str_ieq(part->type, STR("multipart")) && !mime_param(&part->params, STR("boundary")).p)
		part->type = STR_NONE; /* as good as none */
	if (!part->type.p)
		default_type(part, digest);
	part->kind = kind_of(part);
	part->text = str_ieq(part->type, STR("text"));
	/* RFC 2046 5.2.1: a message is never base64 or quoted-printable; if one claims to be, its
	 * header isn't there to be read. */
	if (part->kind == MIME_MESSAGE && opaque_encoding(part->encoding))
		mime_part_opaque(part);
}
