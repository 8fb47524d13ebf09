// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * JSON of anybody's, as far as it is needed to find a few strings and numbers: a text is
 * checked once, as a whole, and then looked through in place. Nothing is allocated.
 *
 * Where an object has a name twice, readers differ in which of the two counts. Here it has
 * none of that name.
 */
#include <string.h>

#include "json.h"

#define MAX_DEPTH	32

struct reader {
	const char *text;
	size_t len;
	size_t at;
	unsigned int depth;
};

static int peek(const struct reader *in)
{
	return in->at < in->len ? (unsigned char)in->text[in->at] : -1;
}

static void skip_space(struct reader *in)
{
	while (in->at < in->len && in->text[in->at] && strchr(" \t\r\n", in->text[in->at]))
		in->at++;
}

static bool skip_char(struct reader *in, char c)
{
	if (peek(in) != c)
		return false;
	in->at++;
	return true;
}

static bool skip_word(struct reader *in, const char *word)
{
	size_t len = strlen(word);

	if (in->len - in->at < len || memcmp(in->text + in->at, word, len))
		return false;
	in->at += len;
	return true;
}

static int digit(int c, unsigned int base)
{
	int value = -1;

	if (c >= '0' && c <= '9')
		value = c - '0';
	else if (c >= 'a' && c <= 'f')
		value = c - 'a' + 10;
	else if (c >= 'A' && c <= 'F')
		value = c - 'A' + 10;
	return value < (int)base ? value : -1;
}

static bool skip_digits(struct reader *in, unsigned int base, size_t least, size_t most)
{
	size_t nr = 0;

	while (nr < most && digit(peek(in), base) >= 0) {
		in->at++;
		nr++;
	}
	return nr >= least;
}

static bool skip_escape(struct reader *in)
{
	int c = peek(in);

	if (c < 0)
		return false;
	in->at++;
	if (c == 'u')
		return skip_digits(in, 16, 4, 4);
	return c > 0 && strchr("\"\\/bfnrt", c);
}

static bool skip_string(struct reader *in)
{
	int c;

	if (!skip_char(in, '"'))
		return false;
	for (;;) {
		c = peek(in);
		if (c < ' ')
			return false;
		in->at++;
		if (c == '"')
			return true;
		if (c == '\\' && !skip_escape(in))
			return false;
	}
}

static bool skip_number(struct reader *in)
{
	skip_char(in, '-');
	if (!skip_char(in, '0') && !skip_digits(in, 10, 1, SIZE_MAX))
		return false;
	if (skip_char(in, '.') && !skip_digits(in, 10, 1, SIZE_MAX))
		return false;
	if (peek(in) != 'e' && peek(in) != 'E')
		return true;
	in->at++;
	if (!skip_char(in, '+'))
		skip_char(in, '-');
	return skip_digits(in, 10, 1, SIZE_MAX);
}

static bool skip_value(struct reader *in);

static bool skip_member(struct reader *in)
{
	skip_space(in);
	if (!skip_string(in))
		return false;
	skip_space(in);
	return skip_char(in, ':') && skip_value(in);
}

static bool skip_list(struct reader *in, char end, bool (*skip)(struct reader *in))
{
	in->at++;
	skip_space(in);
	if (skip_char(in, end))
		return true;
	do {
		if (!skip(in))
			return false;
		skip_space(in);
	} while (skip_char(in, ','));
	return skip_char(in, end);
}

/* As deep as MAX_DEPTH */
static bool skip_value(struct reader *in)
{
	bool good;

	skip_space(in);
	switch (peek(in)) {
	case '{':
	case '[':
		if (in->depth == MAX_DEPTH)
			return false;
		in->depth++;
		good = peek(in) == '{' ? skip_list(in, '}', skip_member) :
					 skip_list(in, ']', skip_value);
		in->depth--;
		return good;
	case '"':
		return skip_string(in);
	case 't':
		return skip_word(in, "true");
	case 'f':
		return skip_word(in, "false");
	case 'n':
		return skip_word(in, "null");
	default:
		return skip_number(in);
	}
}

/**
 * hlk_json_parse() - check a text
 * @text: the text; it must stay as it is
 * @len: its length
 * @value: out: what it says
 * @at: out: where it is wrong, if it is
 *
 * Return: whether it is JSON, not nested too deeply
 */
bool hlk_json_parse(const char *text, size_t len, struct hlk_json *value, size_t *at)
{
	struct reader in = { .text = text, .len = len };
	bool good;

	skip_space(&in);
	value->text = text + in.at;
	good = skip_value(&in);
	value->len = text + in.at - value->text;
	skip_space(&in);
	*at = in.at;
	return good && in.at == len;
}

/* Of a good text: the next value, and where it ends */
static struct hlk_json take(struct reader *in)
{
	struct hlk_json value;

	skip_space(in);
	value.text = in->text + in->at;
	skip_value(in);
	value.len = in->text + in->at - value.text;
	return value;
}

/* Past what opens a list, or what parts its elements; false at its end */
static bool go_on(struct reader *in, char opens)
{
	skip_space(in);
	if (!in->at ? !skip_char(in, opens) : !skip_char(in, ','))
		return false;
	skip_space(in);
	return peek(in) != '}' && peek(in) != ']';
}

static bool decode_escape(const char *from, size_t *used, char *to)
{
	static const char names[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
	unsigned int value = 0, i;

	*used = 2;
	if (from[1] != 'u') {
		*to = means[strchr(names, from[1]) - names];
		return true;
	}
	for (i = 2; i < 6; i++)
		value = value * 16 + digit(from[i], 16);
	*used = 6;
	*to = value;
	return value && value < 0x80;
}

/**
 * hlk_json_string() - what a string says
 * @value: the value
 * @to: where it goes, with a zero at its end
 * @size: room there
 *
 * Return: whether it is a string, without zeroes, which has room there. Escapes other than
 * of ASCII are taken for none
 */
bool hlk_json_string(const struct hlk_json *value, char *to, size_t size)
{
	size_t at, used, out = 0;

	if (value->len < 2 || *value->text != '"')
		return false;
	for (at = 1; at < value->len - 1; at += used) {
		if (out + 1 >= size)
			return false;
		used = 1;
		to[out] = value->text[at];
		if (to[out] == '\\' && !decode_escape(value->text + at, &used, &to[out]))
			return false;
		out++;
	}
	to[out] = '\0';
	return true;
}

/**
 * hlk_json_member() - a member of an object
 * @object: the object; what is none has no members
 * @name: its name, of at most 63 characters
 * @value: out: its value
 *
 * Return: whether there is one, and one alone
 */
bool hlk_json_member(const struct hlk_json *object, const char *name,
		     struct hlk_json *value)
{
	struct reader in = { .text = object->text, .len = object->len };
	struct hlk_json key, one;
	unsigned int found = 0;
	char text[64];

	while (go_on(&in, '{')) {
		key = take(&in);
		skip_space(&in);
		skip_char(&in, ':');
		one = take(&in);
		if (!hlk_json_string(&key, text, sizeof(text)) || strcmp(text, name))
			continue;
		*value = one;
		found++;
	}
	return found == 1;
}

/**
 * hlk_json_next() - the next element of an array
 * @array: the array; what is none has no elements
 * @at: where to go on: 0 at first
 * @value: out: the element
 *
 * Return: whether there is one
 */
bool hlk_json_next(const struct hlk_json *array, size_t *at, struct hlk_json *value)
{
	struct reader in = { .text = array->text, .len = array->len, .at = *at };

	if (!go_on(&in, '['))
		return false;
	*value = take(&in);
	*at = in.at;
	return true;
}

/**
 * hlk_json_number() - a number that counts something
 * @value: the value
 * @number: out: the number
 *
 * Return: whether it is one, without fraction, exponent and sign, of 64 bits
 */
bool hlk_json_number(const struct hlk_json *value, uint64_t *number)
{
	size_t i;
	int one;

	*number = 0;
	for (i = 0; i < value->len; i++) {
		one = digit((unsigned char)value->text[i], 10);
		if (one < 0 || __builtin_mul_overflow(*number, 10, number) ||
		    __builtin_add_overflow(*number, one, number))
			return false;
	}
	return value->len;
}

/**
 * hlk_json_is() - is a member this text?
 * @object: the object
 * @name: the member's name
 * @text: the text, of at most 127 characters
 *
 * Return: whether it is
 */
bool hlk_json_is(const struct hlk_json *object, const char *name, const char *text)
{
	struct hlk_json value;
	char is[128];

	return hlk_json_member(object, name, &value) &&
	       hlk_json_string(&value, is, sizeof(is)) && !strcmp(is, text);
}
