// SPDX-License-Identifier: GPL-2.0-only
/* A way that uses the module's state programs. */
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "ways_hlk.h"
#include "ways_program.h"

/* From a snapshot whose program has no calls: what it costs that there may be some */
static int open_a2p(struct bench_way *way)
{
	const struct hlk_program_header empty = {
		.size = sizeof(empty),
		.entry_size = sizeof(struct hlk_program_entry),
	};
	struct hlk_snapshot arg = {
		.head.size = sizeof(arg),
		.program = (uintptr_t)&empty,
		.program_bytes = sizeof(empty),
	};
	struct machine *m = &way->m;
	void *program;

	if (!(way->env->features & HLK_FEATURE_PROGRAM)) {
		snprintf(way->why, sizeof(way->why), "the module has no state programs");
		return -1;
	}
	if (sandbox_open(way, m))
		return -1;
	if (ioctl(m->hlk, HLK_SNAPSHOT, &arg))
		return way_fail(way, "HLK_SNAPSHOT");
	way->fd = arg.out_fd;
	program = mmap(NULL, sizeof(empty), PROT_READ, MAP_SHARED, way->fd,
		       HLK_PROGRAM_OFFSET);
	if (program == MAP_FAILED)
		return way_fail(way, "mmap of the program");
	way->buf = program;
	way->buf_bytes = sizeof(empty);
	m->restore.snapshot_fd = way->fd;
	m->restore.program = (uintptr_t)program;
	m->fused.program = (uintptr_t)program;
	if (ioctl(m->hlk, HLK_RESTORE, &m->restore))
		return way_fail(way, "HLK_RESTORE");
	return 0;
}

static int turn_a2p(struct bench_way *way)
{
	return best_hlk_way(way->env)->turn(way);
}

static void close_a2p(struct bench_way *way)
{
	if (way->buf)
		munmap(way->buf, way->buf_bytes);
	way->buf = NULL;
}

const struct way_ops program_ways[] = {
	{ "A2p", "hlk: fused, a program without calls", WAY_HLK, open_a2p, NULL,
	  turn_a2p, close_a2p },
};

const uint32_t nr_program_ways = sizeof(program_ways) / sizeof(*program_ways);
