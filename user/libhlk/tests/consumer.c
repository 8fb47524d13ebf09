// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * A program of somebody else: compiled, as C and as C++, against what was
 * installed. Without the module it says why it cannot go on, and is happy.
 */
#include <hlk.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	struct hlk_ctx *ctx;
	struct hlk_err err;
	char line[256];

	if (argc > 1 && !strcmp(argv[1], "--version")) {
		puts(hlk_version_text());
		return hlk_version() != HLK_VERSION;
	}
	if (!hlk_open(&ctx, &err)) {
		hlk_close(ctx);
		return 0;
	}
	hlk_strerror(&err, line, sizeof(line));
	printf("# %s\n", line);
	return strlen(line) > 10 && !ctx ? 0 : 1;
}
