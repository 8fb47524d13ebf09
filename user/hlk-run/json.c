// SPDX-License-Identifier: GPL-2.0-only
/* JSON output, for values that cJSON would not write as they are. */
#include "json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* cJSON keeps numbers as double, which is not exact above 2^53. */
void json_u64(struct cJSON *to, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	cJSON_AddRawToObject(to, name, text);
}

/* Bytes of the UTF-8 sequence at @text, or 0 if it is none */
static size_t utf8_length(const unsigned char *text, size_t left)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t code;
	size_t len, i;

	if (*text < 0x80)
		return 1;
	len = *text >= 0xf0 ? 4 : *text >= 0xe0 ? 3 : 2;
	if (*text < 0xc2 || *text > 0xf4 || len > left)
		return 0;
	code = *text & (0x7f >> len);
	for (i = 1; i < len; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (text[i] & 0x3f);
	}
	if (code < least[len] || code > 0x10ffff ||
	    (code >= 0xd800 && code < 0xe000))
		return 0;
	return len;
}

/**
 * text_clean() - bytes of any content as UTF-8
 * @text: the bytes
 * @len: how many
 *
 * What is no UTF-8 becomes U+FFFD, and so does a zero, which would end a C
 * string.
 *
 * Return: a string to be freed, or NULL without memory
 */
char *text_clean(const char *text, size_t len)
{
	static const char replacement[] = "\xef\xbf\xbd";
	const unsigned char *from = (const unsigned char *)text;
	char *buf = malloc(len * 3 + 1);
	char *at = buf;
	size_t part;

	if (!buf)
		return NULL;
	for (; len; len -= part, from += part) {
		part = *from ? utf8_length(from, len) : 0;
		if (part) {
			memcpy(at, from, part);
			at += part;
		} else {
			memcpy(at, replacement, 3);
			at += 3;
			part = 1;
		}
	}
	*at = '\0';
	return buf;
}

/* Bytes of a guest as a JSON string */
void json_text(struct cJSON *to, const char *name, const char *text, size_t len)
{
	char *clean = text_clean(text, len);

	if (!clean)
		return;
	cJSON_AddStringToObject(to, name, clean);
	free(clean);
}

/* Prints and frees */
void json_print(struct cJSON *root)
{
	char *text = cJSON_Print(root);

	puts(text ? text : "{}");
	cJSON_free(text);
	cJSON_Delete(root);
}
