// SPDX-License-Identifier: GPL-2.0-only
/*
 * The inputs that a fuzzer found worth keeping, played back. CORPUS= is where
 * they are.
 */
#include <dirent.h>
#include <stdio.h>

#include "tap.h"

#define MAX_BYTES	4096

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static void play(const char *folder, const char *name)
{
	u8 *input = malloc(MAX_BYTES);
	char path[512];
	size_t size;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "r");
	if (!CHECK_MSG(file, "%s cannot be read", path))
		return;
	size = fread(input, 1, MAX_BYTES, file);
	fclose(file);
	LLVMFuzzerTestOneInput(input, size);
	CHECK_MSG(!tap_failed(), "%s", path);
	free(input);
}

static void corpus(void)
{
	const char *folder = getenv("CORPUS") ?: CORPUS;
	DIR *dir = opendir(folder);
	struct dirent *entry;
	u32 n = 0;

	if (!CHECK_MSG(dir, "no folder %s", folder))
		return;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		play(folder, entry->d_name);
		n++;
	}
	closedir(dir);
	printf("# %u inputs\n", n);
	CHECK(n > 50);
}

int main(int argc, char **argv)
{
	static const struct tap_test tests[] = {
		TAP_TEST(corpus),
	};

	return tap_main(argc, argv, tests, ARRAY_SIZE(tests));
}
