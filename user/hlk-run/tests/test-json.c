// SPDX-License-Identifier: GPL-2.0-only
/* Bytes of a guest as JSON strings. */
#include <stdlib.h>
#include <string.h>

#include "../../libhlk/tests/tap.h"
#include "../json.h"

static void is(const char *what, const char *bytes, size_t len,
	       const char *want)
{
	struct cJSON *root = cJSON_CreateObject();
	char *got;

	json_text(root, "x", bytes, len);
	got = cJSON_PrintUnformatted(root);
	tap(!strcmp(got, want), "%s: %s", what, got);
	cJSON_free(got);
	cJSON_Delete(root);
}

#define BAD "\xef\xbf\xbd"

/* Documents of random bytes, for somebody else's parser: see check.sh */
static int random_documents(void)
{
	char bytes[64];
	unsigned int i, k;

	for (i = 0; i < 5000; i++) {
		struct cJSON *root = cJSON_CreateObject();
		char *text;

		for (k = 0; k < sizeof(bytes); k++)
			bytes[k] = rand() % 3 ? 0x80 + rand() % 0x80 : rand() % 0x80;
		json_text(root, "x", bytes, rand() % sizeof(bytes));
		text = cJSON_PrintUnformatted(root);
		puts(text);
		cJSON_free(text);
		cJSON_Delete(root);
	}
	return 0;
}

/* Each byte becomes three */
static void test_marks(void)
{
	char bytes[100], *text;
	bool good = true;
	size_t len;

	memset(bytes, 0xff, sizeof(bytes));
	for (len = 0; len <= sizeof(bytes); len++) {
		text = text_clean(bytes, len);
		good = good && strlen(text) == 3 * len;
		free(text);
	}
	tap(good, "nothing but bytes that are no text");
}

int main(int argc, char **argv)
{
	struct cJSON *root;
	char *text;

	if (argc == 2 && !strcmp(argv[1], "--random"))
		return random_documents();
	test_marks();
	root = cJSON_CreateObject();
	is("C1 and overrides", "\302\2332J\233\342\200\256", 8,
	   "{\"x\":\"" BAD "2J" BAD BAD "\"}");
	is("text", "hello", 5, "{\"x\":\"hello\"}");
	is("nothing", "", 0, "{\"x\":\"\"}");
	is("control characters", "a\n\"\x01", 4, "{\"x\":\"a\\n\\\"\\u0001\"}");
	is("UTF-8", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9,
	   "{\"x\":\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"}");
	is("a zero", "a\0b", 3, "{\"x\":\"a" BAD "b\"}");
	is("a cut sequence", "\xe2\x82", 2, "{\"x\":\"" BAD BAD "\"}");
	is("a long form", "\xc0\x80", 2, "{\"x\":\"" BAD BAD "\"}");
	is("a long form of three", "\xe0\x80\x80", 3,
	   "{\"x\":\"" BAD BAD BAD "\"}");
	is("a surrogate", "\xed\xa0\x80", 3, "{\"x\":\"" BAD BAD BAD "\"}");
	is("beyond Unicode", "\xf4\x90\x80\x80", 4,
	   "{\"x\":\"" BAD BAD BAD BAD "\"}");
	is("no UTF-8", "\xff\xfe", 2, "{\"x\":\"" BAD BAD "\"}");
	json_u64(root, "n", UINT64_MAX);
	text = cJSON_PrintUnformatted(root);
	tap(!strcmp(text, "{\"n\":18446744073709551615}"), "a large number");
	cJSON_free(text);
	cJSON_Delete(root);
	return tap_done();
}
