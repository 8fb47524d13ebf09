/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* A module and a KVM that are played, for machines: each run comes out as a step says. */
#ifndef LIBHLK_PLAYED_MACHINE_H
#define LIBHLK_PLAYED_MACHINE_H

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "../machine.h"
#include "tap.h"

#define STEPS		64
#define DATA		2048	/* where struct kvm_run has what is read or written */
#define RUN_SIZE	(DATA + 4096)
#define RIP		0x1234
#define MSR_GOOD	0x174
#define MSR_ABSENT	0x175
#define MSR_UNLISTED	0x2ff	/* guests can write it, and KVM does not list it */
#define KVMCLOCK	0x4b564d01
#define MSR_ZERO	0x176	/* can be read, not written */
#define MSR_LOST	0x177	/* the same, if it is there, and is not 0 */

int ioctl(int fd, unsigned long cmd, ...);

/**
 * struct step - how one run comes out
 * @error: errno
 * @why: with it
 * @exit: exit reason
 * @port: of an I/O; for others the value
 * @size: of one element
 * @count: elements
 * @in: it reads
 * @data: what it writes
 */
struct step {
	int error;
	uint32_t why;
	uint32_t exit;
	uint32_t port;
	uint8_t size;
	uint8_t count;
	bool in;
	const char *data;
};

static struct {
	const struct step *step;
	struct hlk_run arg[STEPS];
	unsigned int runs;
	uint8_t lines[STEPS];
	unsigned int nr_lines;
	uint32_t mp_state;
	bool masked;
	bool interrupts_off;
	bool lost_msr;
	bool kvmclock;
	uint64_t clock;
	unsigned int clocks;
	int clock_error;
	uint64_t over_budget;
	unsigned int restores;
	uint32_t restore_flags;
	unsigned int kicks;
	uint64_t kick_flags;
	uint32_t ask_at;
	unsigned int snapshots;
	unsigned char program[70000] __attribute__((aligned(8)));
	uint32_t program_bytes;
	unsigned int watches;
	unsigned int fail_at;
	unsigned int calls;
	struct hlk_window window[4];
	unsigned int windows;
	unsigned int slots;
	unsigned int irqchips;
	struct {
		struct kvm_irq_routing head;
		struct kvm_irq_routing_entry entry[64];
	} routing;
	struct kvm_regs regs;
	struct kvm_cpuid2 *cpuid;
	unsigned int cpuids;
} play;

static struct hlk_ctx ctx = {
	.features = HLK_FEATURE_DEADLINE | HLK_FEATURE_PROGRAM,
	.run_size = RUN_SIZE,
};

static struct hlk_machine *machine;
static char said[256];
static char got[256];

static void print(void *arg, const char *text, size_t len)
{
	(void)arg;
	strncat(said, text, len);
}

static int fail(int code)
{
	errno = code;
	return -1;
}

/* What the guest read last is there when it is entered again. */
static void note_input(const struct kvm_run *run)
{
	if (run->exit_reason == KVM_EXIT_IO && run->io.direction == KVM_EXIT_IO_IN)
		memcpy(got, (const char *)run + DATA, run->io.size * run->io.count);
	if (run->exit_reason == KVM_EXIT_MMIO)
		memcpy(got, run->mmio.data, 8);
}

static int play_run(struct hlk_run *arg)
{
	struct kvm_run *run = machine->cpus[0].run;
	const struct step *step = play.step++;

	note_input(run);
	if (play.ask_at && play.runs + 1 == play.ask_at)
		hlk_machine_stop(machine);
	if (play.runs < STEPS)
		play.arg[play.runs] = *arg;
	play.runs++;
	arg->entries = step->error != EINVAL;
	if (!(arg->head.flags & HLK_RUN_CONTINUE) && step->error != EINVAL)
		arg->done = HLK_DONE_RESTORED;
	arg->copied = 7;
	if (step->error) {
		run->exit_reason = KVM_EXIT_INTR;
		arg->head.why = step->why;
		return fail(step->error);
	}
	run->exit_reason = step->exit;
	if (step->exit == KVM_EXIT_IO) {
		run->io.direction = step->in ? KVM_EXIT_IO_IN : KVM_EXIT_IO_OUT;
		run->io.port = step->port;
		run->io.size = step->size;
		run->io.count = step->count;
		run->io.data_offset = DATA;
		if (step->data)
			memcpy((char *)run + DATA, step->data,
			       step->size * step->count);
	} else if (step->exit == KVM_EXIT_MMIO) {
		run->mmio.phys_addr = step->port;
		run->mmio.len = step->size;
		run->mmio.is_write = !!step->data;
		if (step->data)
			memcpy(run->mmio.data, step->data, step->size);
	} else if (step->exit == KVM_EXIT_FAIL_ENTRY) {
		run->fail_entry.hardware_entry_failure_reason = step->port;
	} else if (step->exit == KVM_EXIT_INTERNAL_ERROR) {
		run->internal.suberror = step->port;
	} else if (step->exit == KVM_EXIT_DEBUG) {
		run->debug.arch.exception = step->port;
		run->debug.arch.dr6 = 0xffff4ff0;
	}
	return 0;
}

static const uint32_t listed[] = {
	0x10, 0x6e0, MSR_GOOD, MSR_ABSENT, MSR_ZERO, MSR_LOST, 0x11, 0x4b564d00, 0xc0000080
};

static int play_get_msrs(struct kvm_msrs *msrs)
{
	struct kvm_msr_entry *entry = &msrs->entries[0];
	bool known = entry->index == MSR_UNLISTED ||
		     (entry->index == KVMCLOCK && play.kvmclock);
	unsigned int i;

	for (i = 0; i < sizeof(listed) / sizeof(*listed); i++)
		known |= entry->index == listed[i];
	if (!known)
		return 0;

	if (entry->index == MSR_ABSENT || (entry->index == MSR_LOST && !play.lost_msr))
		return 0;
	entry->data = entry->index == MSR_ZERO ? 0 : entry->index * 3ULL;
	return 1;
}

static int play_set_msrs(const struct kvm_msrs *msrs)
{
	return msrs->entries[0].index != MSR_ZERO &&
	       msrs->entries[0].index != MSR_LOST;
}

static int play_list(struct kvm_msr_list *list)
{
	memcpy(list->indices, listed, sizeof(listed));
	list->nmsrs = sizeof(listed) / sizeof(*listed);
	return 0;
}

static int play_snapshot(struct hlk_snapshot *arg)
{
	play.snapshots++;
	play.program_bytes = arg->program_bytes;
	memcpy(play.program, (void *)(uintptr_t)arg->program, arg->program_bytes);
	arg->out_fd = dup(0);
	return 0;
}

/* A file that can be mapped as far as the guest's memory goes */
static int play_file(void)
{
	int fd = memfd_create("played", MFD_CLOEXEC);

	if (fd >= 0 && ftruncate(fd, 6LL << 30)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static int play_attach(struct hlk_vm_attach *arg)
{
	arg->out_fd = play_file();
	return 0;
}

static int play_window(const struct hlk_window_add *arg)
{
	play.window[play.windows++ % 4] = arg->window;
	return 0;
}

/* What KVM offers, as far as it matters */
static const struct kvm_cpuid_entry2 offered[] = {
	{ .function = 1, .ebx = 0x07040800, .ecx = 0xffffffff & ~(1U << 31), .edx = 0xffffffff },
	{ .function = 4, .eax = 0x1c03c121 },
	{ .function = 0xb, .index = 0, .eax = 1, .ebx = 2, .ecx = 0x100, .edx = 7 },
	{ .function = 0xb, .index = 1, .eax = 4, .ebx = 4, .ecx = 0x201, .edx = 7 },
	{ .function = 0x40000001, .eax = 0x01007efb },
	{ .function = 0x80000001, .ecx = 0xff, .edx = 0x20100800 },
	{ .function = 0x80000008, .eax = 0x3028, .ecx = 0x3003 },
	{ .function = 0x8000000a, .eax = 1, .ebx = 8, .edx = 0xff },
};

static int play_offer(struct kvm_cpuid2 *cpuid)
{
	memcpy(cpuid->entries, offered, sizeof(offered));
	cpuid->nent = sizeof(offered) / sizeof(*offered);
	return 0;
}

static int play_take_cpuid(const struct kvm_cpuid2 *cpuid)
{
	size_t bytes = sizeof(*cpuid) + cpuid->nent * sizeof(cpuid->entries[0]);

	play.cpuids++;
	free(play.cpuid);
	play.cpuid = malloc(bytes);
	memcpy(play.cpuid, cpuid, bytes);
	return 0;
}

static int play_make(unsigned long cmd, void *arg)
{
	switch (cmd) {
	case KVM_CREATE_VM:
	case KVM_CREATE_VCPU:
		return play_file();
	case KVM_CREATE_IRQCHIP:
	case KVM_CREATE_PIT2:
		play.irqchips++;
		return 0;
	case KVM_SET_GSI_ROUTING:
		memcpy(&play.routing, arg, sizeof(play.routing.head) +
		       ((struct kvm_irq_routing *)arg)->nr * sizeof(play.routing.entry[0]));
		return 0;
	case KVM_SET_USER_MEMORY_REGION:
		play.slots++;
		return 0;
	case KVM_GET_SUPPORTED_CPUID:
		return play_offer(arg);
	case KVM_SET_CPUID2:
		return play_take_cpuid(arg);
	case KVM_SET_REGS:
		memcpy(&play.regs, arg, sizeof(play.regs));
		return 0;
	default:
		return 0;
	}
}

static int play_kvm(unsigned long cmd, void *arg)
{
	struct kvm_regs *regs = arg;

	switch (cmd) {
	case KVM_GET_REGS:
		memset(regs, 0, sizeof(*regs));
		regs->rip = RIP;
		regs->rflags = play.interrupts_off ? 2 : 0x202;
		return 0;
	case KVM_GET_MP_STATE:
		((struct kvm_mp_state *)arg)->mp_state = play.mp_state;
		return 0;
	case KVM_IRQ_LINE:
		if (play.nr_lines < STEPS)
			play.lines[play.nr_lines++] =
				((struct kvm_irq_level *)arg)->level;
		return 0;
	case KVM_GET_CLOCK:
		((struct kvm_clock_data *)arg)->clock = play.clock;
		return 0;
	case KVM_SET_CLOCK:
		play.clock = ((struct kvm_clock_data *)arg)->clock;
		play.clocks++;
		return play.clock_error ? fail(play.clock_error) : 0;
	case KVM_GET_MSR_INDEX_LIST:
		return play_list(arg);
	case KVM_GET_MSRS:
		return play_get_msrs(arg);
	case KVM_SET_MSRS:
		return play_set_msrs(arg);
	case KVM_CHECK_EXTENSION:
		return 1;
	case KVM_RUN:
		return fail(machine->cpus[0].run->immediate_exit || play.masked ?
			    EINTR : EIO);
	case KVM_SET_SIGNAL_MASK:
		play.masked = arg;
		return 0;
	case KVM_SET_GUEST_DEBUG:
		play.watches++;
		return 0;
	default:
		return play_make(cmd, arg);
	}
}

int ioctl(int fd, unsigned long cmd, ...)
{
	struct hlk_vm_stats *stats;
	va_list args;
	void *arg;

	(void)fd;
	va_start(args, cmd);
	arg = va_arg(args, void *);
	va_end(args);
	if (++play.calls == play.fail_at)
		return fail(ENOSPC);
	switch (cmd) {
	case HLK_VM_ATTACH:
		return play_attach(arg);
	case HLK_WINDOW_ADD:
		return play_window(arg);
	case HLK_RUN:
		return play_run(arg);
	case HLK_RESTORE:
		play.restores++;
		play.restore_flags = ((struct hlk_restore *)arg)->head.flags;
		return 0;
	case HLK_KICK:
		play.kicks++;
		play.kick_flags = ((const struct hlk_kick *)arg)->head.flags;
		return 0;
	case HLK_SNAPSHOT:
		return play_snapshot(arg);
	case HLK_SNAPSHOT_INFO:
		((struct hlk_snapshot_info *)arg)->program_bytes = 0;
		return 0;
	case HLK_VM_STATS:
		stats = arg;
		stats->over_budget = play.over_budget;
		stats->max_private = 99;
		return 0;
	default:
		return play_kvm(cmd, arg);
	}
}

static void forget_cpuid(void)
{
	free(play.cpuid);
	memset(&play, 0, sizeof(play));
}

static void begin(const struct step *steps)
{
	forget_cpuid();
	memset(&machine->devices, 0, sizeof(machine->devices));
	memset(machine->cpus[0].run, 0, RUN_SIZE);
	play.step = steps;
	said[0] = '\0';
	machine->state = HLK_MACHINE_READY;
	machine->irqchip = true;
	machine->lines = 0;
	memset(&machine->outside, 0, sizeof(machine->outside));
	atomic_store(&machine->asked, false);
	machine->was_asked = false;
	machine->over_budget = 0;
}

static inline int go(const struct step *steps, uint32_t flags, struct hlk_machine_run *run)
{
	begin(steps);
	run->flags = flags;
	return hlk_machine_go(machine, run);
}

#define OUT(p, s, n, d)	{ .exit = KVM_EXIT_IO, .port = p, .size = s, .count = n, .data = d }
#define IN(p, s, n)	{ .exit = KVM_EXIT_IO, .port = p, .size = s, .count = n, .in = true }
#define OVER		OUT(0xf4, 1, 1, "\x05")

/* A machine of one processor that needs no making */
static inline void machine_begin(void)
{
	machine = calloc(1, sizeof(*machine));
	machine->ctx = &ctx;
	machine->nr_cpus = 1;
	machine->cpus[0].run = calloc(1, RUN_SIZE);
	machine->print = print;
}

static inline int machine_end(void)
{
	forget_cpuid();
	free(machine->cpus[0].run);
	free(machine);
	return tap_done();
}

#endif
