// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * A program of somebody else: compiled, as C and as C++, against what was
 * installed. Without the module it says why it cannot go on, and is happy.
 */
#include <hlk.h>
#include <stdio.h>
#include <string.h>

/* What is not a function of the library, but of its headers */
static int headers(struct hlk_ctx *ctx)
{
	struct hlk_config config = HLK_CONFIG_INIT;
	struct hlk_file file = HLK_FILE_INIT;
	struct hlk_snapshot_config snapshot = HLK_SNAPSHOT_CONFIG_INIT;
	struct hlk_save_config save = HLK_SAVE_CONFIG_INIT;
	struct hlk_load_config load = HLK_LOAD_CONFIG_INIT;
	struct hlk_pool_config pool = HLK_POOL_CONFIG_INIT;
	struct hlk_kernel kernel = HLK_KERNEL_INIT;
	struct hlk_machine_device device = HLK_MACHINE_DEVICE_INIT;
	struct hlk_machine_config machine = HLK_MACHINE_CONFIG_INIT;
	struct hlk_machine_run run = HLK_MACHINE_RUN_INIT;
	struct hlk_info info;
	struct hlk_err err;

	if (config.size != sizeof(config) || config.flags || config.print_arg ||
	    file.size != sizeof(file) || file.label || file.fd != -1 ||
	    snapshot.size != sizeof(snapshot) || save.size != sizeof(save) ||
	    load.size != sizeof(load) || pool.size != sizeof(pool) ||
	    kernel.size != sizeof(kernel) || device.size != sizeof(device) ||
	    machine.size != sizeof(machine) || run.size != sizeof(run) || run.cpu)
		return 1;
	return HLK_RESTORE == HLK_RUN || (ctx && hlk_get_info(ctx, &info, &err));
}

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
		int ret = headers(ctx);

		hlk_close(ctx);
		return ret;
	}
	if (headers(NULL))
		return 1;
	hlk_strerror(&err, line, sizeof(line));
	printf("# %s\n", line);
	return strlen(line) > 10 && !ctx ? 0 : 1;
}
