// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest under gdb: what is between the protocol (gdb.c), the socket (wire.c), and a guest
 * (state.c, points.c).
 *
 * A sandbox's guest stops in the middle of a call, so gdb is talked to in libhlk's callback, and
 * a restore is for who made the call: debug_again() tells him. A machine's guest stops
 * between two runs, and debug_go() does all.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../fail.h"
#include "debug.h"
#include "gdb.h"
#include "points.h"
#include "wire.h"

/**
 * struct debug - a guest under gdb
 * @wire: the connection
 * @target: the guest, as gdb.c sees it
 * @gdb: the talk
 * @state: the guest
 * @points: its breakpoints
 * @snap: what "monitor snapshot" made of a machine, or NULL
 * @there: gdb has connected, and did not leave
 * @wait: stop before the guest runs
 * @again: the call is to be made again, from the snapshot
 * @begins: is told when a machine is at its snapshot again
 * @begins_arg: with this
 * @killed: gdb wants no guest any more
 * @want_snapshot: a snapshot is to be made when the call is over
 * @restored: the machine was, by gdb
 * @kicked: a stop that gdb asked for has not come yet
 */
struct debug {
	struct wire wire;
	struct gdb_target target;
	struct gdb gdb;
	struct state state;
	struct points points;
	struct hlk_snap *snap;
	bool there;
	bool wait;
	bool again;
	void (*begins)(void *arg);
	void *begins_arg;
	bool killed;
	bool want_snapshot;
	bool restored;
	bool kicked;
};

static const char help[] =
	"monitor restore: back to the snapshot; a call begins again.\n"
	"  Then: maintenance flush register-cache\n"
	"monitor snapshot: what later restores go to: of a machine, where it is now; of a\n"
	"  guest that is called, what this call leaves\n";

/* ---- what gdb.c asks for ---- */

static long target_receive(void *arg, void *buf, size_t size)
{
	return wire_receive(&((struct debug *)arg)->wire, buf, size);
}

static int target_send(void *arg, const void *buf, size_t len)
{
	return wire_send(&((struct debug *)arg)->wire, buf, len);
}

static size_t target_read(void *arg, uint32_t cpu, uint64_t addr, void *buf, size_t len)
{
	return points_read(&((struct debug *)arg)->points, cpu, addr, buf, len);
}

static int target_write(void *arg, uint32_t cpu, uint64_t addr, const void *buf, size_t len)
{
	return points_write(&((struct debug *)arg)->points, cpu, addr, buf, len);
}

static int target_get(void *arg, uint32_t cpu, struct gdb_regs *regs)
{
	return state_get(&((struct debug *)arg)->state, cpu, regs);
}

static int target_set(void *arg, uint32_t cpu, const struct gdb_regs *regs)
{
	return state_set(&((struct debug *)arg)->state, cpu, regs);
}

static int target_point(void *arg, uint32_t cpu, bool insert, enum gdb_point kind,
			uint64_t addr, uint64_t len)
{
	return points_set(&((struct debug *)arg)->points, cpu, insert, kind, addr, len);
}

static int say_error(const struct hlk_err *err, char *text, size_t size)
{
	size_t len;

	hlk_strerror(err, text, size - 1);
	len = strlen(text);
	memcpy(text + len, "\n", 2);
	return -err->code;
}

static int restore_machine(struct debug *debug, char *text, size_t size)
{
	struct hlk_machine *machine = debug->state.machine;

	if (hlk_machine_restore(machine, debug->snap))
		return say_error(hlk_machine_error(machine), text, size);
	debug->restored = true;
	points_lost(&debug->points);
	debug->begins(debug->begins_arg);
	if (hlk_machine_rest(machine))
		return say_error(hlk_machine_error(machine), text, size);
	return 0;
}

static int snapshot_machine(struct debug *debug, char *text, size_t size)
{
	struct hlk_machine *machine = debug->state.machine;
	struct hlk_snap *snap;

	points_hide(&debug->points);
	if (hlk_machine_snapshot(machine, &snap))
		return say_error(hlk_machine_error(machine), text, size);
	hlk_snapshot_close(debug->snap);
	debug->snap = snap;
	return 0;
}

static int target_monitor(void *arg, const char *command, char *text, size_t size)
{
	struct debug *debug = arg;
	bool is_machine = debug->state.machine;

	if (!strcmp(command, "restore")) {
		if (is_machine)
			return restore_machine(debug, text, size);
		debug->again = true;
		return 1;
	}
	if (!strcmp(command, "snapshot")) {
		if (is_machine)
			return snapshot_machine(debug, text, size);
		debug->want_snapshot = true;
		return 0;
	}
	snprintf(text, size, "%s%s", strcmp(command, "help") ? "There is no such command.\n" : "",
		 help);
	return 0;
}

/* ---- talking ---- */

/**
 * debug_open() - wait for gdb somewhere
 * @where: a port or the name of a socket; NULL: there is to be none
 * @debug: out: for a guest under gdb, or NULL
 *
 * All other functions take NULL, and do nothing then.
 *
 * Return: RUN_OK or RUN_ERROR, after the reason was printed
 */
int debug_open(const char *where, struct debug **debug)
{
	struct debug *new;

	*debug = NULL;
	if (!where)
		return RUN_OK;
	new = calloc(1, sizeof(*new));
	if (!new) {
		fprintf(stderr, "hlk-run: out of memory\n");
		return RUN_ERROR;
	}
	if (wire_listen(&new->wire, where)) {
		free(new);
		return RUN_ERROR;
	}
	fprintf(stderr, "hlk-run: gdb is waited for: target remote %s%s\n",
		new->wire.path ? "" : ":", where);
	*debug = new;
	return RUN_OK;
}

static int start(struct debug *debug, bool wide)
{
	int ret = probe(&debug->points.probed);

	if (!ret)
		ret = wire_accept(&debug->wire);
	if (ret) {
		fprintf(stderr, "hlk-run: gdb cannot be waited for: %s\n", strerror(ret));
		return RUN_ERROR;
	}
	if (!debug->points.probed.hard)
		fprintf(stderr, "hlk-run: breakpoints do not come out of KVM here: the guest is stepped\n");
	debug->points.state = &debug->state;
	debug->target = (struct gdb_target) {
		.arg = debug,
		.nr_cpus = debug->state.nr_cpus,
		.wide = wide,
		.receive = target_receive,
		.send = target_send,
		.read = target_read,
		.write = target_write,
		.get_regs = target_get,
		.set_regs = target_set,
		.point = target_point,
		.monitor = target_monitor,
	};
	gdb_init(&debug->gdb, &debug->target);
	debug->there = true;
	debug->wait = true;
	return RUN_OK;
}

/* gdb has left: the guest goes on as if there had been none. */
static void leave(struct debug *debug)
{
	points_hide(&debug->points);
	points_disarm(&debug->points);
	memset(debug->points.soft, 0, sizeof(debug->points.soft));
	memset(debug->points.hard, 0, sizeof(debug->points.hard));
	wire_hang_up(&debug->wire);
	debug->there = false;
}

static enum gdb_wants talk(struct debug *debug, const struct gdb_stop *stop)
{
	enum gdb_wants wants = gdb_talk(&debug->gdb, stop);

	debug->state.failed = false;
	debug->wait = wants == GDB_AGAIN;
	if (wants == GDB_DETACH || wants == GDB_GONE || wants == GDB_KILL)
		leave(debug);
	debug->killed |= wants == GDB_KILL;
	return wants;
}

/* The guest is at rest: nothing may come to it that was meant for its run. */
static void rest(struct debug *debug)
{
	wire_rest(&debug->wire);
	points_disarm(&debug->points);
}

static int resume(struct debug *debug, const enum gdb_act *act)
{
	int ret = points_arm(&debug->points, act);

	if (gdb_interrupted(&debug->gdb)) {
		atomic_store(&debug->wire.asked, true);
		debug->wire.stop(debug->wire.arg);
	}
	if (!ret)
		ret = wire_watch(&debug->wire);
	if (ret)
		fprintf(stderr, "hlk-run: gdb: the guest cannot go on: %s\n", strerror(ret));
	return -ret;
}

/* Whether a stop that came is the one that gdb asked for; each counts once. */
static bool take_asked(struct debug *debug)
{
	return atomic_exchange(&debug->wire.asked, false);
}

/* ---- a sandbox ---- */

static bool kick_sandbox(void *arg)
{
	return !hlk_sandbox_kick(((struct debug *)arg)->state.sb);
}

/* Whether it stops; @stop says for what. */
static bool is_stop(struct debug *debug, const struct hlk_debug *event, struct gdb_stop *stop)
{
	*stop = (struct gdb_stop) { .signal = GDB_SIGTRAP };
	switch (event->event) {
	case HLK_DEBUG_BEGIN:
		/* A step that left the last call comes to this one. */
		return debug->wait || debug->points.step[0];
	case HLK_DEBUG_EXIT:
		return points_met(&debug->points, 0, event->exception, event->dr6, false, stop);
	case HLK_DEBUG_KICK:
		stop->signal = GDB_SIGINT;
		return take_asked(debug);
	default:
		debug->state.failed = true;
		stop->signal = state_signal(&debug->state);
		return true;
	}
}

static int go_on(struct debug *debug, const struct hlk_debug *event)
{
	if (event->event == HLK_DEBUG_BEGIN)
		return resume(debug, NULL);
	return debug->points.rearm ? -points_arm(&debug->points, NULL) : 0;
}

static int came_out(void *arg, struct hlk_sandbox *sb, const struct hlk_debug *event)
{
	struct debug *debug = arg;
	struct gdb_stop stop;

	(void)sb;
	if (debug->killed)
		return -ECANCELED;
	if (!debug->there)
		return 0;
	if (!is_stop(debug, event, &stop))
		return go_on(debug, event);
	rest(debug);
	take_asked(debug);
	switch (talk(debug, &stop)) {
	case GDB_GO:
		return event->event == HLK_DEBUG_FAILED ? 0 : resume(debug, debug->gdb.act);
	case GDB_AGAIN:
	case GDB_KILL:
		return -ECANCELED;
	default:
		return 0;
	}
}

/**
 * debug_sandbox() - have gdb debug a sandbox's guest
 * @debug: where gdb is waited for; until it comes
 * @ctx: the context
 * @sb: the sandbox, not in a call
 *
 * Each call of it that follows has to be made with HLK_TIMEOUT_KICK.
 *
 * Return: RUN_OK or an exit code, after the reason was printed
 */
int debug_sandbox(struct debug *debug, struct hlk_ctx *ctx, struct hlk_sandbox *sb)
{
	struct hlk_err err;
	int ret;

	if (!debug)
		return RUN_OK;
	if (state_of_sandbox(&debug->state, ctx, sb, &err))
		return fail_err("gdb", &err);
	debug->wire.stop = kick_sandbox;
	debug->wire.arg = debug;
	ret = start(debug, false);
	if (!ret && hlk_sandbox_debug(sb, came_out, debug))
		ret = fail_sandbox(sb);
	return ret;
}

/**
 * debug_again() - is the call to be made again, after a restore?
 * @debug: the guest under gdb, or NULL; a call of it has ended, however
 *
 * Return: whether it is
 */
bool debug_again(struct debug *debug)
{
	bool again = debug && debug->again;

	if (debug)
		debug->again = false;
	return again;
}

/**
 * debug_killed() - has gdb ended it all?
 * @debug: the guest under gdb, or NULL
 *
 * Return: whether it has
 */
bool debug_killed(const struct debug *debug)
{
	return debug && debug->killed;
}

/**
 * debug_wants_snapshot() - is there to be a snapshot, now that the call is over?
 * @debug: the guest under gdb, or NULL
 *
 * Return: whether there is, once
 */
bool debug_wants_snapshot(struct debug *debug)
{
	bool want = debug && debug->want_snapshot;

	if (debug)
		debug->want_snapshot = false;
	return want;
}

/**
 * debug_hide() - before a snapshot: nothing of the debugger is in the guest
 * @debug: the guest under gdb, not running, or NULL
 */
void debug_hide(struct debug *debug)
{
	if (!debug || !debug->there)
		return;
	rest(debug);
	points_hide(&debug->points);
}

/**
 * debug_rest() - before a restore: KVM stops the guest for nothing
 * @debug: the guest under gdb, not in a call, or NULL
 */
void debug_rest(struct debug *debug)
{
	if (debug && debug->there)
		points_disarm(&debug->points);
}

/**
 * debug_restored() - after a restore: nothing of the debugger is there any more
 * @debug: the guest under gdb, not running, or NULL
 */
void debug_restored(struct debug *debug)
{
	if (debug)
		points_lost(&debug->points);
}

/* ---- a machine ---- */

/**
 * debug_took() - a snapshot was made, not by gdb: that is what restores go to now
 * @debug: the guest under gdb, not running, or NULL
 */
void debug_took(struct debug *debug)
{
	if (!debug)
		return;
	hlk_snapshot_close(debug->snap);
	debug->snap = NULL;
	debug_restored(debug);
}

static bool stop_machine(void *arg)
{
	hlk_machine_stop(((struct debug *)arg)->state.machine);
	return true;
}

/**
 * debug_machine() - have gdb debug a machine's guest
 * @debug: where gdb is waited for; until it comes
 * @ctx: the context
 * @machine: the machine, not running
 * @nr_cpus: its processors
 * @wide: gdb is told that it is x86-64, else i386
 * @begins: is told when gdb has restored it: what it did since the snapshot is to be forgotten
 * @arg: with this
 *
 * Return: RUN_OK or an exit code, after the reason was printed
 */
int debug_machine(struct debug *debug, struct hlk_ctx *ctx, struct hlk_machine *machine,
		  uint32_t nr_cpus, bool wide, void (*begins)(void *arg), void *arg)
{
	struct hlk_err err;

	if (!debug)
		return RUN_OK;
	if (state_of_machine(&debug->state, ctx, machine, nr_cpus, &err))
		return fail_err("gdb", &err);
	debug->begins = begins;
	debug->begins_arg = arg;
	debug->wire.stop = stop_machine;
	debug->wire.arg = debug;
	return start(debug, wide);
}

/* What gdb lets run: all, or one alone while the others rest */
static void choose(struct debug *debug, struct hlk_machine_run *run)
{
	uint32_t i, nr = 0, one = 0;

	for (i = 0; i < debug->state.nr_cpus; i++) {
		if (debug->gdb.act[i] == GDB_STAY)
			continue;
		one = i;
		nr++;
	}
	run->flags |= HLK_MACHINE_DEBUG;
	run->flags &= ~HLK_MACHINE_ONE;
	run->cpu = 0;
	if (nr == 1 && debug->state.nr_cpus > 1) {
		run->flags |= HLK_MACHINE_ONE;
		run->cpu = one;
	}
}

/* Whether gdb is to see it */
static bool machine_stopped(struct debug *debug, const struct hlk_machine_run *run,
			    struct gdb_stop *stop)
{
	*stop = (struct gdb_stop) { .cpu = run->cpu, .signal = GDB_SIGTRAP };
	switch (run->stop) {
	case HLK_STOP_DEBUG:
		/* What ended the run before it began is left of the last one. */
		return points_met(&debug->points, run->cpu, run->value >> 32, run->value,
				  !run->exits, stop);
	case HLK_STOP_ASKED:
		stop->signal = GDB_SIGINT;
		return take_asked(debug);
	case HLK_STOP_SHUTDOWN:
		stop->signal = GDB_SIGSEGV;
		return true;
	case HLK_STOP_ENTRY:
	case HLK_STOP_INTERNAL:
	case HLK_STOP_UNKNOWN:
	case HLK_STOP_HALT:
		stop->signal = GDB_SIGABRT;
		return true;
	default:
		return false;
	}
}

static bool is_over(const struct hlk_machine_run *run)
{
	return run->stop != HLK_STOP_DEBUG && run->stop != HLK_STOP_ASKED &&
	       run->stop != HLK_STOP_NONE;
}

/* Whether it came to what its runner waits for, or cannot go on: that is not for gdb. */
static bool is_runners(struct debug *debug, const struct hlk_machine_run *run)
{
	if (run->stop == HLK_STOP_DEBUG)
		return false;
	if (run->stop != HLK_STOP_ASKED)
		return true;
	/* left of a stop that another one came before */
	if (debug->kicked) {
		debug->kicked = false;
		return false;
	}
	return true;
}

static int go_once(struct debug *debug, struct hlk_machine_run *run,
		   const enum gdb_act *act)
{
	int ret = resume(debug, act);

	choose(debug, run);
	if (!ret)
		ret = hlk_machine_go(debug->state.machine, run);
	rest(debug);
	return ret;
}

/* Back to the snapshot by itself: breakpoints have to be set behind it. */
static int restore_first(struct debug *debug, struct hlk_machine_run *run)
{
	char text[256];

	if (!(run->flags & HLK_MACHINE_RESTORE))
		return 0;
	run->flags &= ~HLK_MACHINE_RESTORE;
	return restore_machine(debug, text, sizeof(text));
}

/**
 * debug_go() - hlk_machine_go(), under gdb
 * @debug: the guest under gdb, of a machine
 * @run: until when, without HLK_MACHINE_ADDR; out: why it stopped
 *
 * It comes back where it would without gdb.
 *
 * Return: as hlk_machine_go(); -ECANCELED if gdb ended the guest
 */
int debug_go(struct debug *debug, struct hlk_machine_run *run)
{
	struct gdb_stop stop = { .signal = GDB_SIGTRAP };
	const enum gdb_act *act = NULL;
	int ret = restore_first(debug, run);
	bool ended = false;

	if (!ret)
		ret = hlk_machine_rest(debug->state.machine);
	while (!ret && debug->there) {
		if (debug->wait) {
			debug->restored = false;
			if (talk(debug, &stop) != GDB_GO)
				break;
			ended &= !debug->restored;
			act = debug->gdb.act;
		}
		if (ended)
			return 0;
		ret = go_once(debug, run, act);
		act = NULL;
		debug->wait = !ret && machine_stopped(debug, run, &stop);
		if (debug->wait) {
			debug->kicked = take_asked(debug);
			ended = is_over(run);
		} else if (!ret && is_runners(debug, run)) {
			return 0;
		}
	}
	if (debug->killed)
		return -ECANCELED;
	run->flags &= ~(HLK_MACHINE_DEBUG | HLK_MACHINE_ONE);
	return ret || ended ? ret : hlk_machine_go(debug->state.machine, run);
}

/**
 * debug_end() - the guest is about to be closed: gdb is told, and has none any more
 * @debug: the guest under gdb, not running, or NULL
 * @status: how it ended
 */
void debug_end(struct debug *debug, int status)
{
	const struct gdb_stop stop = { .exited = true, .status = status };

	if (!debug)
		return;
	if (debug->there) {
		rest(debug);
		gdb_bye(&debug->gdb, &stop);
	}
	debug->there = false;
	wire_hang_up(&debug->wire);
	state_close(&debug->state);
	hlk_snapshot_close(debug->snap);
	debug->snap = NULL;
}

/**
 * debug_close() - undo debug_open()
 * @debug: without a guest, or NULL
 */
void debug_close(struct debug *debug)
{
	if (!debug)
		return;
	wire_close(&debug->wire);
	free(debug);
}
