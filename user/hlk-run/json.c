// SPDX-License-Identifier: GPL-2.0-only
/* JSON output, for values that cJSON would not write as they are. */
#include "json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../libhlk/text.h"

/* cJSON keeps numbers as double, which is not exact above 2^53. */
void json_u64(struct cJSON *to, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	cJSON_AddRawToObject(to, name, text);
}

/**
 * text_clean() - bytes of any content as text
 * @text: the bytes
 * @len: how many
 *
 * What is none becomes U+FFFD, and so does a zero, which would end a C string.
 * Control characters of ASCII stay, for JSON and XML escape them.
 *
 * Return: a string to be freed, or NULL without memory
 */
char *text_clean(const char *text, size_t len)
{
	const unsigned int flags = HLK_TEXT_QUOTED | HLK_TEXT_MARK;
	struct hlk_text state = {};
	char *buf = malloc(len * 3 + HLK_TEXT_MAX + 1);
	char *at = buf;

	if (!buf)
		return NULL;
	while (len--)
		at += hlk_text_add(&state, *text++, flags, at);
	at += hlk_text_end(&state, flags, at);
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

/**
 * json_bytes() - bytes of a guest, as text and, where that is not all of them, in hexadecimal
 * @to: what they become members of
 * @name: the name of the text
 * @hex: the other name
 * @data: the bytes
 * @len: how many
 */
void json_bytes(struct cJSON *to, const char *name, const char *hex, const void *data,
		size_t len)
{
	char *clean = text_clean(data, len);
	const unsigned char *byte = data;
	char *digits;
	size_t i;

	if (clean)
		cJSON_AddStringToObject(to, name, clean);
	if (!clean || strlen(clean) != len || memcmp(clean, data, len)) {
		digits = malloc(2 * len + 1);
		for (i = 0; digits && i < len; i++)
			sprintf(digits + 2 * i, "%02x", byte[i]);
		if (digits)
			cJSON_AddStringToObject(to, hex, digits);
		free(digits);
	}
	free(clean);
}

static bool printed;

/**
 * json_begun() - JSON is printed, by other means than json_print()
 */
void json_begun(void)
{
	printed = true;
}

/* Prints and frees */
void json_print(struct cJSON *root)
{
	char *text = cJSON_Print(root);

	json_begun();
	puts(text ? text : "{}");
	cJSON_free(text);
	cJSON_Delete(root);
}

/**
 * json_printed() - was any JSON printed?
 *
 * Return: that
 */
bool json_printed(void)
{
	return printed;
}

/**
 * json_write() - write JSON to a file
 * @root: what is to be written, which is freed
 * @path: the file, or - for standard output
 *
 * Return: 0, or -1 with errno
 */
int json_write(struct cJSON *root, const char *path)
{
	char *text = cJSON_Print(root);
	FILE *file = strcmp(path, "-") ? fopen(path, "we") : stdout;
	int ret = text && file ? 0 : -1;
	int code;

	if (!ret && (fputs(text, file) < 0 || fputc('\n', file) < 0))
		ret = -1;
	if (file == stdout ? fflush(file) : file && fclose(file))
		ret = -1;
	code = text ? errno : ENOMEM;
	cJSON_free(text);
	cJSON_Delete(root);
	errno = code;
	return ret;
}
