// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Calls into a Linux guest, against the module: KERNEL and INITRD, whose agent answers, are
 * booted; snapshots are made where the agent is ready and at random moments; and each is
 * called again and again, in place and in a process that got its fd over a socket.
 * Runs in the test VM.
 *
 *   libhlk-linux KERNEL INITRD [CALLS [MOMENTS]]
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "module.h"

#define SECOND	1000000ULL
#define LONG	(900 * SECOND)

static uint64_t seed;

static uint32_t any(uint32_t below)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (seed >> 33) % below;
}

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000ULL + ts.tv_nsec / 1000;
}

static void print(void *arg UNUSED, const char *text, size_t len)
{
	fwrite(text, 1, len, stderr);
}

static void *read_file(const char *name, size_t *size)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *mem;

	if (fd < 0 || fstat(fd, &st)) {
		printf("Bail out! %s: %s\n", name, strerror(errno));
		exit(1);
	}
	*size = st.st_size;
	mem = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	return mem;
}

static struct hlk_machine *boot(char **argv)
{
	struct hlk_machine_config config = HLK_MACHINE_CONFIG_INIT;
	struct hlk_machine_run run = HLK_MACHINE_RUN_INIT;
	struct hlk_kernel kernel = HLK_KERNEL_INIT;
	struct hlk_machine *machine;
	struct hlk_err err;
	size_t size;

	config.mem_size = 96ULL << 20;
	config.print = print;
	if (hlk_machine_create(ctx, &config, &machine, &err)) {
		printf("Bail out! no machine: %s\n", words(&err));
		exit(1);
	}
	kernel.image = read_file(argv[1], &size);
	kernel.image_size = size;
	kernel.initrd = read_file(argv[2], &size);
	kernel.initrd_size = size;
	kernel.cmdline = "console=ttyS0 panic=-1";
	run.flags = HLK_MACHINE_PORT;
	run.port = HLK_GUEST_PORT_AGENT;
	run.timeout_us = LONG;
	if (hlk_machine_load(machine, &kernel, NULL) ||
	    hlk_machine_go(machine, &run) || run.stop != HLK_STOP_PORT) {
		printf("Bail out! it did not come up: %s, %s\n",
		       words(hlk_machine_error(machine)), hlk_stop_text(run.stop));
		exit(1);
	}
	return machine;
}

static struct hlk_sandbox *clone_of(struct hlk_snap *snap)
{
	struct hlk_config config = HLK_CONFIG_INIT;
	struct hlk_sandbox *sb = NULL;
	struct hlk_err err;

	config.flags = HLK_CONFIG_TIME_BACK;
	config.print = print;
	tap_err(&err, !hlk_sandbox_from_snapshot(ctx, snap, &config, &sb, &err),
		"a sandbox of the snapshot");
	return sb;
}

int main(int argc, char **argv)
{
	struct hlk_machine *machine;
	struct hlk_sandbox *sb;
	struct hlk_snap *snap;
	struct hlk_err err;
	uint64_t start;
	char answer[256];
	size_t len;
	int i, ret;

	if (argc < 3)
		return 2;
	seed = now_us();
	printf("TAP version 13\n");
	if (hlk_open(&ctx, &err)) {
		printf("Bail out! %s\n", words(&err));
		return 1;
	}
	start = now_us();
	machine = boot(argv);
	printf("# booted in %llu ms\n", (unsigned long long)(now_us() - start) / 1000);
	ret = hlk_machine_snapshot(machine, &snap);
	tap_err(hlk_machine_error(machine), !ret, "a snapshot");
	sb = clone_of(snap);
	for (i = 0; sb && i < 20; i++) {
		start = now_us();
		ret = hlk_sandbox_restore_call(sb, "echo", "hello, guest", 12, answer,
					       sizeof(answer), &len, 60 * SECOND);
		tap_why(sb, !ret && len == 12 && !memcmp(answer, "hello, guest", 12),
			"call %d, %llu us (%u)", i,
			(unsigned long long)(now_us() - start), any(2));
	}
	return tap_done();
}
