/* SPDX-License-Identifier: GPL-2.0-only */
/* A guest that is not there, for the protocol of gdb: registers, and a page of memory. */
#ifndef HLK_RUN_TESTS_PLAYED_GDB_H
#define HLK_RUN_TESTS_PLAYED_GDB_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../debug/gdb.h"

#define PLAYED_ADDR	0x1000U
#define PLAYED_SIZE	4096U
#define PLAYED_POINTS	8U

/**
 * struct played_gdb - a guest, and what gdb says to it and hears
 * @target: it
 * @gdb: the talk
 * @say: what gdb says
 * @say_len: bytes in @say
 * @said: of these, how many it did
 * @chunk: how many come at a time
 * @heard: what gdb heard, as far as there is room
 * @heard_len: bytes in @heard
 * @regs: registers of each processor
 * @memory: at PLAYED_ADDR
 * @points: breakpoints: kind and address
 * @nr_points: how many
 * @command: the last one of monitor
 * @answer: what it gets
 * @monitored: what monitor returns
 * @deaf: what is sent fails
 */
struct played_gdb {
	struct gdb_target target;
	struct gdb gdb;
	const unsigned char *say;
	size_t say_len;
	size_t said;
	size_t chunk;
	char heard[65536];
	size_t heard_len;
	struct gdb_regs regs[GDB_MAX_CPUS];
	unsigned char memory[PLAYED_SIZE];
	uint64_t points[PLAYED_POINTS][2];
	uint32_t nr_points;
	char command[GDB_MAX_TEXT];
	const char *answer;
	int monitored;
	bool deaf;
};

static long played_receive(void *arg, void *buf, size_t size)
{
	struct played_gdb *played = arg;
	size_t len = played->say_len - played->said;

	if (len > size)
		len = size;
	if (len > played->chunk)
		len = played->chunk;
	memcpy(buf, played->say + played->said, len);
	played->said += len;
	return len;
}

static int played_send(void *arg, const void *buf, size_t len)
{
	struct played_gdb *played = arg;
	size_t room = sizeof(played->heard) - 1 - played->heard_len;

	if (played->deaf)
		return EPIPE;
	if (len > room)
		len = room;
	memcpy(played->heard + played->heard_len, buf, len);
	played->heard_len += len;
	played->heard[played->heard_len] = '\0';
	return 0;
}

static size_t played_read(void *arg, uint32_t cpu, uint64_t addr, void *buf, size_t len)
{
	struct played_gdb *played = arg;
	uint64_t at = addr - PLAYED_ADDR;

	if (cpu >= played->target.nr_cpus)
		abort();
	/* all of it is the caller's */
	memset(buf, 0xee, len);
	if (at >= PLAYED_SIZE)
		return 0;
	if (len > PLAYED_SIZE - at)
		len = PLAYED_SIZE - at;
	memcpy(buf, played->memory + at, len);
	return len;
}

static int played_write(void *arg, uint32_t cpu, uint64_t addr, const void *buf, size_t len)
{
	struct played_gdb *played = arg;
	uint64_t at = addr - PLAYED_ADDR;

	if (cpu >= played->target.nr_cpus || !len)
		abort();
	if (at >= PLAYED_SIZE || len > PLAYED_SIZE - at)
		return EFAULT;
	memcpy(played->memory + at, buf, len);
	return 0;
}

static int played_get(void *arg, uint32_t cpu, struct gdb_regs *regs)
{
	*regs = ((struct played_gdb *)arg)->regs[cpu];
	return 0;
}

static int played_set(void *arg, uint32_t cpu, const struct gdb_regs *regs)
{
	((struct played_gdb *)arg)->regs[cpu] = *regs;
	return 0;
}

static int played_point(void *arg, uint32_t cpu, bool insert, enum gdb_point kind,
			uint64_t addr, uint64_t len)
{
	struct played_gdb *played = arg;

	if (cpu >= played->target.nr_cpus || kind >= GDB_POINTS)
		abort();
	if (len > 8)
		return EINVAL;
	if (!insert) {
		played->nr_points -= !!played->nr_points;
		return 0;
	}
	if (played->nr_points == PLAYED_POINTS)
		return ENOSPC;
	played->points[played->nr_points][0] = kind;
	played->points[played->nr_points++][1] = addr;
	return 0;
}

static int played_monitor(void *arg, const char *command, char *text, size_t size)
{
	struct played_gdb *played = arg;

	strncpy(played->command, command, sizeof(played->command) - 1);
	if (played->answer)
		strncpy(text, played->answer, size - 1);
	return played->monitored;
}

static inline void played_begin(struct played_gdb *played, uint32_t nr_cpus, bool wide)
{
	memset(played, 0, sizeof(*played));
	played->chunk = sizeof(played->heard);
	played->target = (struct gdb_target) {
		.arg = played,
		.nr_cpus = nr_cpus,
		.wide = wide,
		.receive = played_receive,
		.send = played_send,
		.read = played_read,
		.write = played_write,
		.get_regs = played_get,
		.set_regs = played_set,
		.point = played_point,
		.monitor = played_monitor,
	};
	gdb_init(&played->gdb, &played->target);
}

static inline enum gdb_wants played_talk(struct played_gdb *played, const void *say, size_t len,
					 const struct gdb_stop *stop)
{
	played->say = say;
	played->say_len = len;
	played->said = 0;
	played->heard_len = 0;
	played->heard[0] = '\0';
	/* there is more after all */
	played->gdb.lost = false;
	return gdb_talk(&played->gdb, stop);
}

/* As it may be without end: whatever is said, until there is no more */
static inline void played_all(struct played_gdb *played, const void *say, size_t len)
{
	struct gdb_stop stop = { .signal = GDB_SIGTRAP };
	enum gdb_wants wants = played_talk(played, say, len, &stop);
	uint32_t i;

	while (wants == GDB_GO || wants == GDB_AGAIN) {
		for (i = 0; wants == GDB_GO && i < played->target.nr_cpus; i++)
			if (played->gdb.act[i] != GDB_STAY)
				break;
		if (wants == GDB_GO && i == played->target.nr_cpus)
			abort();
		stop.cpu = (stop.cpu + 1) % played->target.nr_cpus;
		stop.met = !stop.met;
		stop.kind = (stop.kind + 1) % GDB_POINTS;
		stop.addr = stop.addr * 3 + 1;
		gdb_interrupted(&played->gdb);
		wants = gdb_talk(&played->gdb, &stop);
	}
}

#endif /* HLK_RUN_TESTS_PLAYED_GDB_H */
