// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * A runtime of one's own: each line of its input is `FUNCTION ARGUMENT`, called on a guest
 * that is as new.
 */
#include <hlk.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static void print(void *arg, const char *text, size_t len)
{
	(void)arg;
	fwrite(text, 1, len, stdout);
}

/* What the guest may ask of the host: nothing of @in is to be trusted. */
static int word(void *arg, const void *in, size_t in_len, void *out, size_t out_size,
		size_t *out_len)
{
	const char *answer = in_len == 2 && !memcmp(in, "42", 2) ? "the answer" : "a word";

	(void)arg;
	if (strlen(answer) > out_size)
		return -EMSGSIZE;
	*out_len = strlen(answer);
	memcpy(out, answer, *out_len);
	return 0;
}

static int serve(struct hlk_sandbox *sb, struct hlk_snap *snap)
{
	char line[256], answer[256], why[256], *argument;
	size_t len;
	int ret;

	/* From here on the snapshot is the one restored last: what each call goes back to. */
	ret = hlk_sandbox_restore(sb, snap);
	while (!ret && fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = 0;
		argument = line + strcspn(line, " ");
		if (*argument)
			*argument++ = 0;
		if (hlk_sandbox_restore_call(sb, line, argument, strlen(argument), answer,
					     sizeof(answer), &len, 500000))
			printf("%s: %s\n", line,
			       hlk_strerror(hlk_sandbox_error(sb), why, sizeof(why)));
		else
			printf("%s: %.*s\n", line, (int)len, answer);
	}
	return ret;
}

int main(int argc, char **argv)
{
	struct hlk_config config = HLK_CONFIG_INIT;
	struct hlk_sandbox *sb = NULL;
	struct hlk_snap *snap = NULL;
	struct hlk_ctx *ctx = NULL;
	struct hlk_err err;
	char why[256];
	int ret = 1;

	if (argc != 2)
		return 2;
	config.print = print;
	config.max_private = 256;	/* pages that a call may write */
	if (hlk_open(&ctx, &err) || hlk_sandbox_from_path(ctx, argv[1], &config, &sb, &err))
		fprintf(stderr, "%s\n", hlk_strerror(&err, why, sizeof(why)));
	else if (hlk_sandbox_host_function(sb, "word", word, NULL) ||
		 hlk_sandbox_boot(sb, 5000000) || hlk_sandbox_snapshot(sb, NULL, &snap) ||
		 serve(sb, snap))
		fprintf(stderr, "%s\n",
			hlk_strerror(hlk_sandbox_error(sb), why, sizeof(why)));
	else
		ret = 0;
	hlk_snapshot_close(snap);
	hlk_sandbox_close(sb);
	hlk_close(ctx);
	return ret;
}
