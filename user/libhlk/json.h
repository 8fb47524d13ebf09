/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* Reading JSON of anybody's; see json.c. */
#ifndef LIBHLK_JSON_H
#define LIBHLK_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct hlk_json - a value in a text that hlk_json_parse() found good
 * @text: its first character
 * @len: how many there are
 */
struct hlk_json {
	const char *text;
	size_t len;
};

bool hlk_json_parse(const char *text, size_t len, struct hlk_json *value, size_t *at);
bool hlk_json_member(const struct hlk_json *object, const char *name,
		     struct hlk_json *value);
bool hlk_json_next(const struct hlk_json *array, size_t *at, struct hlk_json *value);
bool hlk_json_string(const struct hlk_json *value, char *to, size_t size);
bool hlk_json_number(const struct hlk_json *value, uint64_t *number);
bool hlk_json_is(const struct hlk_json *object, const char *name, const char *text);

#endif /* LIBHLK_JSON_H */
