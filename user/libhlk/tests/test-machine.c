// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Machines against a module and a KVM that are played here: what comes of each way to come
 * out, and what a state program is made of.
 */
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

static void begin(const struct step *steps)
{
	free(play.cpuid);
	memset(&play, 0, sizeof(play));
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

static int go(const struct step *steps, uint32_t flags, struct hlk_machine_run *run)
{
	begin(steps);
	run->flags = flags;
	return hlk_machine_go(machine, run);
}

#define OUT(p, s, n, d)	{ .exit = KVM_EXIT_IO, .port = p, .size = s, .count = n, .data = d }
#define IN(p, s, n)	{ .exit = KVM_EXIT_IO, .port = p, .size = s, .count = n, .in = true }
#define OVER		OUT(0xf4, 1, 1, "\x05")

static void test_print(void)
{
	static const struct step string[] = {
		OUT(0xe9, 1, 5, "hello"), OUT(0x3f8, 1, 1, " "),
		OUT(0x3f8, 1, 6, "world!"), OVER
	};
	static const struct step split[] = {
		OUT(0xe9, 1, 3, "lol"), OUT(0x80, 1, 1, "x"), OUT(0x3f8, 1, 3, "ol!"),
	};
	static const struct step two[] = { OUT(0x3f8, 1, 4, "abab"), OVER };
	struct hlk_machine_run run = HLK_MACHINE_RUN_INIT;

	tap(!go(string, 0, &run) && run.stop == HLK_STOP_EXIT && run.value == 5 &&
	    !strcmp(said, "hello world!") && run.exits == 4 && run.rip == RIP &&
	    machine->state == HLK_MACHINE_OVER, "prints, and its end");
	tap(hlk_machine_go(machine, &run) == -ESTALE, "then it is over");
	run.print = "lolol";
	tap(!go(split, HLK_MACHINE_PRINT, &run) && run.stop == HLK_STOP_PRINT &&
	    !strcmp(said, "lolol!") && machine->state == HLK_MACHINE_READY,
	    "a text in pieces");
	run.print = "ba";
	tap(!go(two, HLK_MACHINE_PRINT, &run) && run.stop == HLK_STOP_PRINT &&
	    play.runs == 1, "once is enough");
}

static void test_io(void)
{
	static const struct step reads[] = {
		IN(0x3fd, 1, 1), OVER
	};
	static const struct step words[] = { IN(0xcfc, 4, 3), OVER };
	static const struct step mmio[] = {
		{ .exit = KVM_EXIT_MMIO }, OVER
	};
	static const struct step port[] = {
		OUT(0x80, 1, 1, "\x01"), OUT(0x81, 4, 1, "\x78\x56\x34\x12"),
	};
	static const struct step end[] = { OVER };
	struct hlk_machine_run run = HLK_MACHINE_RUN_INIT;

	tap(!go(reads, 0, &run) && got[0] == 0x60, "a register is read");
	memset(got, 0, sizeof(got));
	tap(!go(words, 0, &run) && !memcmp(got, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 13),
	    "a string of words, of ones");
	memset(got, 0, sizeof(got));
	tap(!go(mmio, 0, &run) && !memcmp(got, "\xff\xff\xff\xff\xff\xff\xff\xff", 8),
	    "memory that is not there");
	run.port = 0x81;
	tap(!go(port, HLK_MACHINE_PORT, &run) && run.stop == HLK_STOP_PORT &&
	    run.value == 0x12345678, "a port, and what was written");
	run.port = 0xf4;
	tap(!go(end, HLK_MACHINE_PORT, &run) && run.stop == HLK_STOP_PORT &&
	    machine->state == HLK_MACHINE_READY, "what is waited for comes first");
}

static void test_irq(void)
{
	/* OUT2, enable the transmitter's interrupt, send twice, read IIR */
	static const struct step steps[] = {
		OUT(0x3fc, 1, 1, "\x08"), OUT(0x3f9, 1, 1, "\x02"),
		OUT(0x3f8, 1, 1, "a"), IN(0x3fa, 1, 1), OUT(0x3f8, 1, 1, "b"), OVER
	};
	static const uint8_t want[] = { 1, 0, 1, 0, 1 };
	struct hlk_machine_run run = HLK_MACHINE_RUN_INIT;
	size_t taken;

	tap(!go(steps, 0, &run) && play.nr_lines == sizeof(want) &&
	    !memcmp(play.lines, want, sizeof(want)), "the line: %u changes",
	    play.nr_lines);
	begin(steps);
	machine->devices.serial.ier = 1;
	machine->devices.serial.mcr = 8;
	tap(!hlk_machine_receive(machine, "xyz", 3, &taken) && taken == 1 &&
	    play.nr_lines == 1 && play.lines[0], "input interrupts");
	machine->lines = 0;
	machine->irqchip = false;
	play.nr_lines = 0;
	tap(!hlk_machine_receive(machine, "xyz", 3, &taken) && !taken &&
	    !play.nr_lines, "without controllers nothing does");
}

static void test_ends(void)
{
	static const struct {
		struct step step;
		enum hlk_stop stop;
		uint64_t value;
	} rows[] = {
		{ OUT(0x604, 2, 1, "\x00\x20"), HLK_STOP_OFF, 0 },
		{ OUT(0x64, 1, 1, "\xfe"), HLK_STOP_RESET, 0 },
		{ { .exit = KVM_EXIT_SHUTDOWN }, HLK_STOP_SHUTDOWN, 0 },
		{ { .exit = KVM_EXIT_FAIL_ENTRY, .port = 33 }, HLK_STOP_ENTRY, 33 },
		{ { .exit = KVM_EXIT_INTERNAL_ERROR, .port = 1 }, HLK_STOP_INTERNAL, 1 },
		{ { .exit = KVM_EXIT_HYPERCALL }, HLK_STOP_UNKNOWN, KVM_EXIT_HYPERCALL },
		{ { .exit = KVM_EXIT_HLT }, HLK_STOP_HALT, 0 },
		{ { .exit = 4711 }, HLK_STOP_UNKNOWN, 4711 },
	};
	struct hlk_machine_run run = HLK_MACHINE_RUN_INIT;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		tap(!go(&rows[i].step, 0, &run) && run.stop == rows[i].stop &&
		    run.value == rows[i].value &&
		    hlk_machine_go(machine, &run) == -ESTALE, "%s",
		    hlk_stop_text(rows[i].stop));
	tap(!strcmp(hlk_stop_text(4711), hlk_stop_text(HLK_STOP_UNKNOWN)),
	    "words for what is not known");
}

/* A machine that halts: each look is a step */
static void test_looks(void)
{
	static const struct step waits[] = {
		[0 ... 19] = { .error = ETIMEDOUT },
	};
	static const struct step prints[] = {
		[0 ... 4] = { .error = ETIMEDOUT }, OUT(0xe9, 1, 1, "x"),
		[6 ... 20] = { .error = ETIMEDOUT },
	};
	static const struct step signals[] = { { .error = EINTR }, { .error = EINTR }, OVER };
	struct hlk_machine_run run = HLK_MACHINE_RUN_INIT;

	begin(waits);
	play.mp_state = KVM_MP_STATE_HALTED;
	run.flags = HLK_MACHINE_IDLE;
	tap(!hlk_machine_go(machine, &run) && run.stop == HLK_STOP_IDLE &&
	    play.runs == 10 && play.arg[0].timeout_ns == 10000000,
	    "halted in ten looks: idle");
	begin(prints);
	play.mp_state = KVM_MP_STATE_HALTED;
	tap(!hlk_machine_go(machine, &run) && run.stop == HLK_STOP_IDLE &&
	    play.runs == 16, "what prints is not");
	begin(waits);
	play.mp_state = KVM_MP_STATE_HALTED;
	play.interrupts_off = true;
	run.flags = 0;
	tap(!hlk_machine_go(machine, &run) && run.stop == HLK_STOP_HALT &&
	    play.runs == 1 && play.arg[0].timeout_ns == 100000000,
	    "halted with interrupts off: the end");
	begin(waits);
	play.interrupts_off = true;
	run.timeout_us = 1;
	tap(!hlk_machine_go(machine, &run) && run.stop == HLK_STOP_TIME &&
	    play.arg[0].timeout_ns <= 1000 && machine->state == HLK_MACHINE_READY,
	    "the time is over");
	run.timeout_us = UINT64_MAX;
	tap(!go(signals, 0, &run) && run.stop == HLK_STOP_EXIT && play.runs == 3,
	    "signals are none of its business");
}

static void test_failures(void)
{
	static const struct step fault[] = { { .error = EFAULT } };
	static const struct step module[] = {
		{ .error = EFAULT, .why = HLK_WHY_PROGRAM_MAPPING }
	};
	static const struct step none[] = { { .error = ENOMEM } };
	struct hlk_machine_run run = HLK_MACHINE_RUN_INIT;
	int ret;

	begin(fault);
	play.over_budget = 1;
	run.flags = 0;
	ret = hlk_machine_go(machine, &run);
	tap(ret == -EDQUOT && machine->err.where == 99 &&
	    machine->state == HLK_MACHINE_OVER, "over its budget");
	tap(go(fault, 0, &run) == -EFAULT && machine->err.what == HLK_WHAT_SYSTEM,
	    "memory that the host has not");
	tap(go(module, 0, &run) == -EFAULT && machine->err.what == HLK_WHAT_MODULE &&
	    machine->err.why == HLK_WHY_PROGRAM_MAPPING, "the module's word");
	tap(go(none, 0, &run) == -ENOMEM, "any other");
}

static void test_refused(void)
{
	struct hlk_machine_run run = HLK_MACHINE_RUN_INIT;
	char text[300];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	tap(go(NULL, 1U << 20, &run) == -EOPNOTSUPP, "flags");
	tap(go(NULL, HLK_MACHINE_PRINT, &run) == -EINVAL, "no text");
	run.print = text;
	tap(go(NULL, HLK_MACHINE_PRINT, &run) == -EINVAL, "a text too long");
	run.port = 65536;
	tap(go(NULL, HLK_MACHINE_PORT, &run) == -EINVAL, "a port");
	tap(go(NULL, HLK_MACHINE_RESTORE, &run) == -EINVAL, "nothing to restore");
	tap(go(NULL, HLK_MACHINE_TIME_BACK, &run) == -EINVAL, "time without a restore");
	run.size = 8;
	tap(go(NULL, 0, &run) == -EINVAL, "a struct that is none");
	atomic_store(&machine->busy, true);
	tap(hlk_machine_go(machine, &run) == -EBUSY, "somebody has it");
	atomic_store(&machine->busy, false);
}

/* The program as the module reads it */
static const struct hlk_program_entry *entry_of(unsigned int at)
{
	return (const struct hlk_program_entry *)
		(play.program + sizeof(struct hlk_program_header)) + at;
}

static void test_program(void)
{
	static const uint32_t order[] = {
		KVM_SET_SREGS2, KVM_SET_PIT2, KVM_SET_IRQCHIP, KVM_SET_IRQCHIP,
		KVM_SET_IRQCHIP, KVM_SET_LAPIC, KVM_SET_MSRS, KVM_SET_DEBUGREGS,
		KVM_SET_CLOCK
	};
	const unsigned int nr = sizeof(order) / sizeof(*order);
	const struct hlk_program_header *head = (void *)play.program;
	const struct hlk_program_entry *entry;
	struct hlk_program_tail tail;
	const struct kvm_msrs *msrs;
	struct hlk_snap *snap;
	bool good = true;
	unsigned int i;

	begin(NULL);
	machine->devices.serial.scr = 0x5a;
	tap(!hlk_machine_snapshot(machine, &snap) && play.snapshots == 1, "a snapshot");
	hlk_snapshot_close(snap);
	for (i = 0; i < nr && i < head->nr_entries; i++) {
		entry = entry_of(i);
		good &= entry->cmd == order[i] && entry->offset % 8 == 0 &&
			entry->offset >= sizeof(*head) + head->nr_entries * sizeof(*entry) &&
			entry->offset + entry->bytes <= play.program_bytes &&
			(entry->cmd == KVM_SET_MSRS ||
			 entry->bytes == _IOC_SIZE(entry->cmd));
	}
	tap(good && head->nr_entries == nr && play.program_bytes % 8 == 0 &&
	    play.program_bytes <= HLK_MAX_PROGRAM, "its calls, in KVM's order");
	msrs = (const void *)(play.program + entry_of(6)->offset);
	tap(msrs->nmsrs == 6 && msrs->entries[0].index == MSR_GOOD &&
	    msrs->entries[0].data == MSR_GOOD * 3 &&
	    msrs->entries[1].index == 0x11 && !msrs->entries[1].data &&
	    msrs->entries[2].index == 0x4b564d00 && !msrs->entries[2].data &&
	    msrs->entries[3].index == 0xc0000080 &&
	    msrs->entries[4].index == MSR_UNLISTED &&
	    msrs->entries[5].index == 0x6e0, "MSRs that can be put back, the deadline last");
	tap(!hlk_program_tail(play.program, play.program_bytes, &tail) &&
	    tail.irqchip && tail.devices.serial.scr == 0x5a, "the devices");
	begin(NULL);
	play.kvmclock = true;
	tap(!hlk_machine_snapshot(machine, &snap) && head->nr_entries == nr + 1 &&
	    entry_of(6)->cmd == KVM_SET_MSRS && entry_of(7)->cmd == KVM_KVMCLOCK_CTRL &&
	    entry_of(7)->flags == HLK_PROGRAM_TIME_GOES_ON && entry_of(7)->bytes == 8 &&
	    !entry_of(7)->target, "who has KVM's clock is told of the time between");
	hlk_snapshot_close(snap);
	begin(NULL);
	machine->irqchip = false;
	tap(!hlk_machine_snapshot(machine, &snap) && head->nr_entries == 3,
	    "without controllers");
	hlk_snapshot_close(snap);
	begin(NULL);
	play.lost_msr = true;
	tap(hlk_machine_snapshot(machine, &snap) == -EOPNOTSUPP && !snap &&
	    strstr(machine->err.text, "0x177"), "refused: %s", machine->err.text);
	begin(NULL);
	machine->state = HLK_MACHINE_OVER;
	tap(hlk_machine_snapshot(machine, &snap) == -ESTALE, "after its end");
	begin(NULL);
	machine->late = HLK_STOP_OFF;
	tap(hlk_machine_snapshot(machine, &snap) == -ESTALE, "or one that is yet to be told");
	machine->late = HLK_STOP_NONE;
	ctx.features &= ~HLK_FEATURE_PROGRAM;
	begin(NULL);
	tap(hlk_machine_snapshot(machine, &snap) == -EOPNOTSUPP, "an old module");
	ctx.features |= HLK_FEATURE_PROGRAM;
}

/* Who is told that it was restored: by an edge, after local APICs, before the clock */
static void test_notice(void)
{
	const struct hlk_program_header *head = (void *)play.program;
	const struct hlk_program_entry *entry;
	const struct kvm_irq_level *line;
	struct hlk_program_tail tail;
	struct hlk_snap *snap;

	begin(NULL);
	machine->told = true;
	tap(!hlk_machine_snapshot(machine, &snap) && head->nr_entries == 10 &&
	    play.nr_lines == 1 && !play.lines[0], "the line is low in a snapshot");
	hlk_snapshot_close(snap);
	entry = entry_of(8);
	line = (const void *)(play.program + entry->offset);
	tap(entry->cmd == KVM_IRQ_LINE && entry->flags == HLK_PROGRAM_FRESH &&
	    entry->target == HLK_PROGRAM_VM && line->irq == 16 && line->level == 1 &&
	    entry_of(9)->cmd == KVM_SET_CLOCK, "and each restore raises it");
	tap(!hlk_program_tail(play.program, play.program_bytes, &tail) && tail.acpi,
	    "who restores it knows");
	machine->told = false;
}

/* For each what a processor has, and what the machine has once */
static void test_program_of_two(void)
{
	static const struct {
		uint32_t cmd;
		uint32_t target;
	} order[] = {
		{ KVM_SET_SREGS2, 0 }, { KVM_SET_SREGS2, 1 },
		{ KVM_SET_PIT2, HLK_PROGRAM_VM }, { KVM_SET_IRQCHIP, HLK_PROGRAM_VM },
		{ KVM_SET_IRQCHIP, HLK_PROGRAM_VM }, { KVM_SET_IRQCHIP, HLK_PROGRAM_VM },
		{ KVM_SET_LAPIC, 0 }, { KVM_SET_LAPIC, 1 },
		{ KVM_SET_MSRS, 0 }, { KVM_SET_DEBUGREGS, 0 },
		{ KVM_SET_MSRS, 1 }, { KVM_SET_DEBUGREGS, 1 },
		{ KVM_SET_CLOCK, HLK_PROGRAM_VM }
	};
	const unsigned int nr = sizeof(order) / sizeof(*order);
	const struct hlk_program_header *head = (void *)play.program;
	struct hlk_program_tail tail;
	struct hlk_snap *snap;
	bool good = true;
	unsigned int i;

	begin(NULL);
	machine->nr_cpus = 2;
	tap(!hlk_machine_snapshot(machine, &snap), "a snapshot of two processors");
	hlk_snapshot_close(snap);
	for (i = 0; i < nr && i < head->nr_entries; i++)
		good &= entry_of(i)->cmd == order[i].cmd &&
			entry_of(i)->target == order[i].target;
	tap(good && head->nr_entries == nr, "calls of both, in KVM's order");
	tap(!hlk_program_tail(play.program, play.program_bytes, &tail) &&
	    tail.nr_cpus == 2, "how many they are");
	machine->nr_cpus = 1;
}

static void test_restore(void)
{
	static const struct step first[] = { { .error = ETIMEDOUT }, OVER };
	static const struct step broken[] = { { .error = EINVAL, .why = HLK_WHY_PROGRAM_MISSING } };
	struct hlk_program_tail tail = {
		.magic = HLK_PROGRAM_MAGIC,
		.size = sizeof(tail),
		.irqchip = 1,
		.nr_cpus = 1,
		.cr8 = 5,
		.devices.serial = { .ier = 2, .mcr = 8, .sent = 1 },
	};
	struct hlk_machine_run run = HLK_MACHINE_RUN_INIT;
	struct hlk_snap snap = { .fd = 77, .program_bytes = sizeof(tail) };

	atomic_init(&snap.refs, 10);
	atomic_init(&snap.program, (const unsigned char *)&tail);
	begin(NULL);
	tap(hlk_machine_restore(machine, NULL) == -EINVAL, "nothing yet");
	tap(!hlk_machine_restore(machine, &snap) && play.restores == 1 &&
	    machine->devices.serial.sent == 1 && play.nr_lines == 1 &&
	    play.lines[0] == 1 && machine->cpus[0].run->cr8 == 5 && machine->last == &snap,
	    "devices, their line and CR8");
	begin(first);
	run.flags = HLK_MACHINE_RESTORE | HLK_MACHINE_TIME_BACK;
	tap(!hlk_machine_go(machine, &run) && run.stop == HLK_STOP_EXIT &&
	    run.copied == 7 && play.runs == 2 &&
	    play.arg[0].head.flags == HLK_RESTORE_TIME_BACK &&
	    play.arg[0].program == (uintptr_t)&tail &&
	    play.arg[1].head.flags == HLK_RUN_CONTINUE,
	    "restore and run in one call, once");
	begin(broken);
	run.flags = HLK_MACHINE_RESTORE;
	tap(hlk_machine_go(machine, &run) == -EINVAL && !run.rip &&
	    machine->state == HLK_MACHINE_OVER, "one that fails");
	tail.time = INT64_MIN;
	tap(hlk_machine_restore(machine, &snap) == -EINVAL, "a time long before time");
	tail.time = INT64_MAX;
	tap(hlk_machine_restore(machine, &snap) == -EINVAL, "and one long after it");
	tail.time = 0;
	tail.nr_cpus = 2;
	tap(hlk_machine_restore(machine, &snap) == -EINVAL &&
	    strstr(machine->err.text, "2 processors"), "a machine of two processors");
	tail.irqchip = 0;
	tap(hlk_machine_restore(machine, &snap) == -EINVAL,
	    "a machine without controllers");
	tail.magic++;
	tap(hlk_machine_restore(machine, &snap) == -EINVAL, "another's");
	machine->last = NULL;
}

#define SEC	1000000000ULL

/* Time that goes on does so from where it was, in a VM that is younger, too. */
static void test_clock(void)
{
	static const struct step first[] = { { .error = ETIMEDOUT }, OVER };
	struct hlk_machine_run run = HLK_MACHINE_RUN_INIT;
	struct hlk_program_tail tail, of_own;
	struct hlk_snap snap = { .fd = 77 }, *own;

	atomic_init(&snap.refs, 10);
	begin(NULL);
	machine->has_base = false;
	play.clock = 5000 * SEC;
	tap(!hlk_machine_snapshot(machine, &own) &&
	    !hlk_program_tail(play.program, play.program_bytes, &tail) &&
	    tail.clock == 5000 * SEC && tail.base + hlk_real_ns() - tail.clock < 100 * SEC,
	    "KVM's clock, and the host's beside it");
	hlk_snapshot_close(own);
	atomic_init(&snap.program, (const unsigned char *)&tail);
	snap.program_bytes = sizeof(tail);
	tail.state_bytes = 0;
	tap(!hlk_machine_restore(machine, &snap) && !play.clocks, "in place it goes on by itself");
	machine->has_base = false;
	play.clock = 0;
	tap(!hlk_machine_restore(machine, &snap) && play.clocks == 1 &&
	    play.clock - 5000 * SEC < 100 * SEC, "another's is set to what it would be");
	tap(!hlk_machine_restore(machine, &snap) && play.clocks == 1, "once");
	begin(first);
	run.flags = HLK_MACHINE_RESTORE | HLK_MACHINE_TIME_BACK;
	tap(!hlk_machine_go(machine, &run) && !play.clocks, "it comes back by the program");
	machine->state = HLK_MACHINE_READY;
	tap(!hlk_machine_restore(machine, &snap) && play.clocks == 1 &&
	    play.clock - 5000 * SEC < 100 * SEC, "and is set to go on");
	tail.base -= 200 * SEC;
	tap(!hlk_machine_restore(machine, &snap) && play.clocks == 2 &&
	    play.clock == 5000 * SEC, "never behind the snapshot's");
	tap(machine->base + hlk_real_ns() - 5000 * SEC < 100 * SEC,
	    "which is what it is known to be");
	play.clock = 5100 * SEC;
	tap(!hlk_machine_restore(machine, &snap) && play.clocks == 3 &&
	    play.clock == 5000 * SEC, "nor before it once more");
	tap(!hlk_machine_snapshot(machine, &own) &&
	    !hlk_program_tail(play.program, play.program_bytes, &of_own) &&
	    of_own.base == machine->base && of_own.base != tail.base, "nor is it in its snapshots");
	hlk_snapshot_close(own);
	play.clock += 300 * SEC;
	tap(!hlk_machine_snapshot(machine, &own) &&
	    !hlk_program_tail(play.program, play.program_bytes, &of_own) &&
	    of_own.base + hlk_real_ns() - 5300 * SEC < 100 * SEC &&
	    of_own.base == machine->base, "what was true of clocks that were set is so no more");
	hlk_snapshot_close(own);
	play.restores = 0;
	tail.base--;
	play.clock_error = EIO;
	tap(hlk_machine_restore(machine, &snap) == -EIO && machine->state == HLK_MACHINE_OVER &&
	    !play.restores, "KVM does not take it");
	machine->last = NULL;
	machine->has_base = false;
}

static void forget_cpuid(void)
{
	free(play.cpuid);
	memset(&play, 0, sizeof(play));
}

#define OUTSIDE	0x1234

/* An embedder's device: it notes what is asked of it, and answers with a count. */
static struct {
	struct hlk_access access[STEPS];
	unsigned int nr;
	uint32_t state[3];
	unsigned int loads;
	int irq;
} mine;

static void mine_access(void *arg, struct hlk_access *access)
{
	if (mine.nr < STEPS && arg == &mine)
		mine.access[mine.nr++] = *access;
	if (!(access->flags & HLK_ACCESS_WRITE))
		access->value = 0x1122334455667788;
	if (mine.irq)
		hlk_machine_irq(machine, mine.irq, 1);
}

static void mine_save(void *arg, void *state)
{
	(void)arg;
	memcpy(state, mine.state, sizeof(mine.state));
}

static void mine_load(void *arg, const void *state)
{
	(void)arg;
	mine.loads++;
	memcpy(mine.state, state, sizeof(mine.state));
}

static const struct hlk_machine_device my_device = {
	.size = sizeof(my_device),
	.state_bytes = sizeof(mine.state),
	.arg = &mine,
	.access = mine_access,
	.save = mine_save,
	.load = mine_load,
};

static bool accessed(unsigned int at, uint32_t flags, uint32_t size, uint64_t addr,
		     uint64_t value)
{
	const struct hlk_access *access = &mine.access[at];

	return access->flags == flags && access->size == size &&
	       access->addr == addr && access->value == value;
}

static void test_outside(void)
{
	static const struct step ports[] = {
		OUT(OUTSIDE, 2, 2, "\x01\x02\x03\x04"), OUT(0xe9, 1, 1, "x"),
		OUT(0x3f7, 2, 1, "ab"), IN(OUTSIDE, 4, 1), OVER
	};
	static const struct step memory[] = {
		{ .exit = KVM_EXIT_MMIO, .port = 0xd0000000, .size = 4, .data = "\x78\x56\x34\x12" },
		{ .exit = KVM_EXIT_MMIO, .port = 0xd0000008, .size = 8 }, OVER
	};
	struct hlk_machine_run run = HLK_MACHINE_RUN_INIT;

	memset(&mine, 0, sizeof(mine));
	begin(ports);
	machine->outside = my_device;
	run.flags = 0;
	tap(!hlk_machine_go(machine, &run) && run.stop == HLK_STOP_EXIT && mine.nr == 3 &&
	    accessed(0, HLK_ACCESS_WRITE, 2, OUTSIDE, 0x0201) &&
	    accessed(1, HLK_ACCESS_WRITE, 2, OUTSIDE, 0x0403) &&
	    accessed(2, 0, 4, OUTSIDE, UINT64_MAX) && !memcmp(got, "\x88\x77\x66\x55", 4),
	    "ports that no device has, and none of those");
	memset(&mine, 0, sizeof(mine));
	begin(memory);
	machine->outside = my_device;
	mine.irq = 9;
	tap(!hlk_machine_go(machine, &run) && mine.nr == 2 &&
	    accessed(0, HLK_ACCESS_WRITE | HLK_ACCESS_MEMORY, 4, 0xd0000000, 0x12345678) &&
	    accessed(1, HLK_ACCESS_MEMORY, 8, 0xd0000008, UINT64_MAX) &&
	    !memcmp(got, "\x88\x77\x66\x55\x44\x33\x22\x11", 8) &&
	    play.nr_lines == 1 && machine->lines == 1U << 9,
	    "memory that is not there, and a line");
	tap(hlk_machine_irq(machine, 4, 1) == -EINVAL &&
	    hlk_machine_irq(machine, 24, 1) == -EINVAL &&
	    !hlk_machine_irq(machine, 9, 0) && !machine->lines, "lines");
	machine->irqchip = false;
	tap(hlk_machine_irq(machine, 9, 1) == -EOPNOTSUPP, "without controllers none");
}

/* What a device has goes into a snapshot, and comes from there. */
static void test_outside_state(void)
{
	struct hlk_snap snap = { .fd = 77 }, *taken;
	struct hlk_program_tail *tail;

	memset(&mine, 0, sizeof(mine));
	begin(NULL);
	machine->outside = my_device;
	mine.state[0] = 1;
	mine.state[2] = 0x33333333;
	hlk_machine_irq(machine, 11, 1);
	tap(!hlk_machine_snapshot(machine, &taken), "a snapshot with a device");
	hlk_snapshot_close(taken);
	snap.program_bytes = play.program_bytes;
	atomic_init(&snap.refs, 10);
	atomic_init(&snap.program, malloc(snap.program_bytes));
	memcpy((void *)snap.program, play.program, snap.program_bytes);
	tail = (void *)((unsigned char *)snap.program + snap.program_bytes - sizeof(*tail));
	memset(&mine, 0, sizeof(mine));
	machine->lines = 0;
	play.nr_lines = 0;
	tap(!hlk_machine_restore(machine, &snap) && mine.loads == 1 && mine.state[0] == 1 &&
	    mine.state[2] == 0x33333333 && play.nr_lines == 1 && play.lines[0] == 1 &&
	    machine->lines == 1U << 11, "it comes back, with its line");
	tap(hlk_machine_audit(machine) == -EOPNOTSUPP, "no audits in an old module");
	ctx.features |= HLK_FEATURE_AUDIT;
	tap(!hlk_machine_audit(machine) && play.restore_flags == HLK_RESTORE_AUDIT &&
	    mine.loads == 2, "an audit restores");
	ctx.features &= ~HLK_FEATURE_AUDIT;
	machine->outside.state_bytes = 8;
	tap(hlk_machine_restore(machine, &snap) == -EINVAL && mine.loads == 2 &&
	    strstr(machine->err.text, "12 bytes"), "another device: %s", machine->err.text);
	machine->outside.state_bytes = UINT32_MAX;
	tail->state_bytes = UINT32_MAX;
	tap(hlk_machine_restore(machine, &snap) == -EINVAL && mine.loads == 2,
	    "more than there is");
	free((void *)snap.program);
	machine->last = NULL;
}

static void test_outside_config(void)
{
	struct hlk_machine_config config = HLK_MACHINE_CONFIG_INIT;
	struct hlk_machine_device device = my_device;
	struct hlk_machine *new;

	config.mem_size = 1 << 20;
	config.device = &device;
	forget_cpuid();
	tap(!hlk_machine_create(&ctx, &config, &new, NULL) &&
	    new->outside.access == mine_access, "a device of the caller's");
	hlk_machine_close(new);
	device.state_bytes = HLK_MACHINE_MAX_STATE + 1;
	tap(hlk_machine_create(&ctx, &config, &new, NULL) == -E2BIG, "too much state");
	device = my_device;
	device.load = NULL;
	tap(hlk_machine_create(&ctx, &config, &new, NULL) == -EINVAL, "that is never loaded");
	device.size = 8;
	tap(hlk_machine_create(&ctx, &config, &new, NULL) == -EINVAL, "a struct that is none");
	config.size = offsetof(struct hlk_machine_config, device);
	tap(!hlk_machine_create(&ctx, &config, &new, NULL) && !new->outside.access,
	    "a caller that knows none");
	hlk_machine_close(new);
}

/* Asked to stop: before it runs, while it does, and what it printed counts on. */
static void test_stop(void)
{
	static const struct step halves[] = {
		OUT(0xe9, 1, 3, "abc"), { .error = EINTR }, OUT(0xe9, 1, 3, "def"), OVER
	};
	static const struct step waits[] = { [0 ... 30] = { .error = ETIMEDOUT } };
	struct hlk_machine_run run = HLK_MACHINE_RUN_INIT;

	begin(halves);
	play.ask_at = 2;
	run.flags = HLK_MACHINE_PRINT;
	run.print = "cd";
	tap(!hlk_machine_go(machine, &run) && run.stop == HLK_STOP_ASKED && play.runs == 2 &&
	    play.kicks == 1 && play.kick_flags == HLK_KICK_ALL &&
	    machine->state == HLK_MACHINE_READY &&
	    !machine->cpus[0].run->immediate_exit, "asked to stop");
	tap(!hlk_machine_go(machine, &run) && run.stop == HLK_STOP_PRINT &&
	    !strcmp(said, "abcdef"), "half of a text was printed before");
	begin(halves);
	hlk_machine_stop(machine);
	tap(!hlk_machine_go(machine, &run) && run.stop == HLK_STOP_ASKED && !play.runs,
	    "before it runs");
	begin(waits);
	play.mp_state = KVM_MP_STATE_HALTED;
	play.ask_at = 6;
	run.flags = HLK_MACHINE_IDLE;
	tap(!hlk_machine_go(machine, &run) && run.stop == HLK_STOP_ASKED &&
	    !hlk_machine_go(machine, &run) && run.stop == HLK_STOP_IDLE && play.runs == 10,
	    "how long it was idle counts on");
	begin(waits);
	play.mp_state = KVM_MP_STATE_HALTED;
	run.idle_us = 200000;
	tap(!hlk_machine_go(machine, &run) && run.stop == HLK_STOP_IDLE && play.runs == 21,
	    "idle for 200 ms");
}

/* The second of two processors comes out while the first has a reason to stop. */
static bool meets(enum hlk_stop first, uint32_t port, struct hlk_machine_run *run)
{
	struct kvm_run *kvm = machine->cpus[1].run;
	int ret;

	begin(NULL);
	run->stop = first;
	run->cpu = 0;
	machine->now = run;
	kvm->exit_reason = KVM_EXIT_IO;
	kvm->io.direction = KVM_EXIT_IO_OUT;
	kvm->io.port = port;
	kvm->io.size = 1;
	kvm->io.count = 1;
	kvm->io.data_offset = DATA;
	((char *)kvm)[DATA] = 'x';
	ret = hlk_cpu_came_out(machine, &machine->cpus[1], 0);
	return !ret;
}

static void test_meetings(void)
{
	struct hlk_machine_run run = HLK_MACHINE_RUN_INIT;

	machine->nr_cpus = 2;
	machine->cpus[1].run = calloc(1, RUN_SIZE);
	run.flags = HLK_MACHINE_PORT | HLK_MACHINE_PRINT;
	run.port = 0x81;
	run.print = "x";
	tap(meets(HLK_STOP_TIME, 0x81, &run) && run.stop == HLK_STOP_PORT &&
	    run.value == 'x' && run.cpu == 1 && !machine->asked,
	    "a port that is waited for comes before the time");
	tap(meets(HLK_STOP_ASKED, 0xe9, &run) && run.stop == HLK_STOP_PRINT && machine->asked,
	    "a text before who asks, whom the next run hears");
	tap(meets(HLK_STOP_OFF, 0x81, &run) && run.stop == HLK_STOP_OFF && !run.cpu,
	    "neither before the machine's end");
	tap(meets(HLK_STOP_TIME, 0x80, &run) && run.stop == HLK_STOP_TIME,
	    "and no other port");
	atomic_store(&machine->asked, false);
	free(machine->cpus[1].run);
	machine->cpus[1] = (struct hlk_cpu) {};
	machine->nr_cpus = 1;
}

/* What lies in a child where the memory was is not the machine's to unmap. */
static void test_child(void)
{
	struct hlk_machine_config config = HLK_MACHINE_CONFIG_INIT;
	uint64_t home = 0, before = 77;
	struct hlk_machine *new;
	volatile char *there;
	int status = -1;
	pid_t pid;

	forget_cpuid();
	config.mem_size = 1 << 20;
	hlk_machine_create(&ctx, &config, &new, NULL);
	new->home = before;
	fflush(stdout);
	pid = fork();
	if (!pid) {
		ctx.home = &home;
		there = mmap(new->ram[0].mem, 4096, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		hlk_machine_close(new);
		*there = 1;
		_exit(0);
	}
	waitpid(pid, &status, 0);
	new->home = 0;
	tap(!status, "a child closes a machine, and keeps what is in the memory's place");
	hlk_machine_close(new);
}

/* The CMOS clock: seconds */
static void test_time(void)
{
	static const struct step reads[] = {
		OUT(0x70, 1, 1, "\x0b"), OUT(0x71, 1, 1, "\x06"), OUT(0x70, 1, 1, "\x09"),
		IN(0x71, 1, 1), OVER
	};
	struct hlk_program_tail tail = {
		.magic = HLK_PROGRAM_MAGIC,
		.size = sizeof(tail),
		.irqchip = 1,
		.nr_cpus = 1,
		.time = 86400LL * 365 * 17,	/* in the year 86 */
	};
	struct hlk_machine_run run = HLK_MACHINE_RUN_INIT;
	struct hlk_snap snap = { .fd = 77, .program_bytes = sizeof(tail) };
	time_t host = time(NULL);
	int year = gmtime(&host)->tm_year % 100;

	atomic_init(&snap.refs, 10);
	atomic_init(&snap.program, (const unsigned char *)&tail);
	begin(reads);
	tap(!hlk_machine_restore(machine, &snap) && !hlk_machine_go(machine, &run) &&
	    got[0] == year, "time goes on: %u", got[0]);
	begin(reads);
	run.flags = HLK_MACHINE_RESTORE | HLK_MACHINE_TIME_BACK;
	tap(!hlk_machine_go(machine, &run) && got[0] == 86, "or comes back: %u", got[0]);
	begin(reads);
	run.flags = HLK_MACHINE_RESTORE;
	tap(!hlk_machine_go(machine, &run) && got[0] == year, "and goes on again");
	machine->last = NULL;
}

static bool is_input(const struct hlk_segment *input, uint64_t gpa, uint64_t bytes)
{
	return input->gpa == gpa && input->bytes == bytes && input->data;
}

/* What a run with a restore gives to the guest */
static void test_fresh(void)
{
	static const struct step over[] = { OVER };
	struct hlk_program_tail tail = {
		.magic = HLK_PROGRAM_MAGIC,
		.size = sizeof(tail),
		.irqchip = 1,
		.nr_cpus = 1,
		.acpi = 1,
	};
	struct hlk_machine_run run = HLK_MACHINE_RUN_INIT;
	struct hlk_snap snap = { .fd = 77, .program_bytes = sizeof(tail) };
	unsigned char ids[3 * HLK_GENID_AHEAD][16], zero[16] = {};
	unsigned int same = 0, wrong = 0, i, j;
	uint32_t seq[2];

	atomic_init(&snap.refs, 10);
	atomic_init(&snap.program, (const unsigned char *)&tail);
	run.flags = HLK_MACHINE_RESTORE;
	for (i = 0; i < 3 * HLK_GENID_AHEAD; i++) {
		begin(over);
		machine->last = &snap;
		if (hlk_machine_go(machine, &run) || play.arg[0].nr_inputs != 2 ||
		    play.arg[0].head.flags || play.arg[0].input_size != 24 ||
		    play.arg[0].inputs != (uintptr_t)machine->genid.inputs ||
		    !is_input(&machine->genid.inputs[0], 0xe0000, 16) ||
		    !is_input(&machine->genid.inputs[1], 0xe1000, 112))
			wrong++;
		memcpy(ids[i], machine->genid.id, 16);
		memcpy(&seq[i % 2], machine->genid.clock + 12, 4);
		if (i && (seq[0] == seq[1] || seq[i % 2] & 1))
			wrong++;
		for (j = 0; j < i; j++)
			same += !memcmp(ids[i], ids[j], 16);
		for (j = machine->genid.left; j < HLK_GENID_AHEAD; j++)
			wrong += memcmp(machine->genid.ahead[j].id, zero, 16) != 0;
	}
	tap(!wrong, "a generation ID and vmclock with each restore");
	tap(!same, "no ID comes twice, nor stays behind");
	begin(over);
	machine->last = &snap;
	machine->reproducible = true;
	tap(!hlk_machine_go(machine, &run) && !play.arg[0].nr_inputs &&
	    play.arg[0].head.flags == HLK_RESTORE_REPRODUCIBLE, "reproducible: neither");
	machine->reproducible = false;
	tail.acpi = 0;
	begin(over);
	machine->last = &snap;
	tap(!hlk_machine_go(machine, &run) && !play.arg[0].nr_inputs && !machine->told,
	    "nor a guest that knows of none");
	machine->last = NULL;
}

static void test_watch(void)
{
	static const struct step steps[] = { { .exit = KVM_EXIT_DEBUG } };
	struct hlk_machine_run run = HLK_MACHINE_RUN_INIT;

	tap(!go(steps, HLK_MACHINE_ADDR, &run) && run.stop == HLK_STOP_ADDR &&
	    play.watches == 2 && machine->state == HLK_MACHINE_READY,
	    "a breakpoint, and it is gone");
}

/* Whoever debugs has set what is waited for, and is told what came. */
static void test_debug(void)
{
	static const struct step steps[] = { { .exit = KVM_EXIT_DEBUG, .port = 3 } };
	struct hlk_machine_run run = HLK_MACHINE_RUN_INIT;

	tap(!go(steps, HLK_MACHINE_DEBUG, &run) && run.stop == HLK_STOP_DEBUG &&
	    run.value == 0x3ffff4ff0 && !play.watches &&
	    machine->state == HLK_MACHINE_READY && !machine->cpus[0].pending,
	    "a debugger's stop, at rest");
	tap(!go(steps, HLK_MACHINE_DEBUG | HLK_MACHINE_ONE, &run) &&
	    run.stop == HLK_STOP_DEBUG && play.runs == 1 &&
	    play.arg[0].head.flags == HLK_RUN_CONTINUE, "of one processor alone");
	tap(go(steps, HLK_MACHINE_DEBUG | HLK_MACHINE_ADDR, &run) == -EINVAL &&
	    go(steps, HLK_MACHINE_ONE, &run) == -EINVAL && !play.runs,
	    "a debugger has the breakpoints, and processors alone");
}

static void late_stop(const struct step *steps)
{
	begin(steps);
	machine->late = HLK_STOP_DEBUG;
	machine->late_value = 3ULL << 32;
	machine->late_cpu = 1;
}

/* Another processor came to where the debugger waits when the guest was being stopped. */
static void test_late_debug(void)
{
	static const struct step over[] = { OVER };
	static const struct step debug[] = { { .exit = KVM_EXIT_DEBUG, .port = 1 } };
	struct hlk_machine_run run = HLK_MACHINE_RUN_INIT;

	late_stop(over);
	tap(!hlk_machine_go(machine, &run) && run.stop != HLK_STOP_DEBUG && play.runs &&
	    !machine->late, "a stop for a debugger that is gone is none");
	late_stop(debug);
	run.flags = HLK_MACHINE_DEBUG | HLK_MACHINE_ONE;
	run.cpu = 0;
	tap(!hlk_machine_go(machine, &run) && run.stop == HLK_STOP_DEBUG && !run.cpu &&
	    run.value >> 32 == 1 && play.runs == 1 && machine->late == HLK_STOP_DEBUG,
	    "one that rests tells of its stop when it runs again");
	machine->late_cpu = 0;
	run.flags = HLK_MACHINE_DEBUG;
	tap(!hlk_machine_go(machine, &run) && run.stop == HLK_STOP_DEBUG &&
	    run.value >> 32 == 3 && !run.exits && play.runs == 1 && !machine->late,
	    "and then does, before anybody runs");
}

static unsigned int open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int nr = 0;

	while (dir && readdir(dir))
		nr++;
	if (dir)
		closedir(dir);
	return nr;
}

static const struct kvm_cpuid_entry2 *leaf(uint32_t function, uint32_t index)
{
	static const struct kvm_cpuid_entry2 none;
	uint32_t i;

	for (i = 0; play.cpuid && i < play.cpuid->nent; i++)
		if (play.cpuid->entries[i].function == function &&
		    play.cpuid->entries[i].index == index)
			return &play.cpuid->entries[i];
	return &none;
}

static void test_cpuid(void)
{
	struct hlk_machine_config config = HLK_MACHINE_CONFIG_INIT;
	struct hlk_machine *new;

	forget_cpuid();
	config.mem_size = 1 << 20;
	hlk_machine_create(&ctx, &config, &new, NULL);
	tap(leaf(1, 0)->ebx == 0x00010800 && leaf(1, 0)->ecx == 0xffdfffdf &&
	    leaf(1, 0)->edx == 0xefffffff, "one processor, with its APIC, and neither VMX nor x2APIC");
	tap(!leaf(0xb, 0)->edx && leaf(0xb, 0)->ebx == 1 && leaf(0xb, 0)->ecx == 0x100 &&
	    leaf(0xb, 1)->ebx == 1 && leaf(0xb, 1)->ecx == 0x201 && !leaf(0xb, 1)->eax &&
	    leaf(4, 0)->eax == 0x121 && !leaf(0x80000008, 0)->ecx &&
	    leaf(0x80000008, 0)->eax == 0x3028, "alone");
	tap(leaf(0x40000001, 0)->eax == 0x0100000b && leaf(0x80000001, 0)->ecx == 0xfb &&
	    !leaf(0x8000000a, 0)->edx, "clocks of KVM's, and no SVM");
	hlk_machine_close(new);
	forget_cpuid();
	config.flags = HLK_MACHINE_NO_IRQCHIP;
	hlk_machine_create(&ctx, &config, &new, NULL);
	tap(!play.irqchips && !(leaf(1, 0)->edx & 1U << 9) &&
	    !(leaf(1, 0)->ecx & (1U << 21 | 1U << 24)), "no APIC without controllers");
	hlk_machine_close(new);
}

/* Three of them, of which the last is looked at */
static void test_cpus(void)
{
	struct hlk_machine_config config = HLK_MACHINE_CONFIG_INIT;
	struct hlk_machine *new;

	forget_cpuid();
	config.mem_size = 1 << 20;
	config.nr_cpus = 3;
	tap(!hlk_machine_create(&ctx, &config, &new, NULL) && new->nr_cpus == 3 &&
	    new->cpus[2].run && play.cpuids == 3, "three processors");
	tap(leaf(1, 0)->ebx == 0x02030800 && leaf(1, 0)->edx == 0xffffffff &&
	    leaf(4, 0)->eax == (3U << 26 | 0x121) && leaf(0x80000008, 0)->ecx == 0x2002,
	    "each knows its number, and how many there are");
	tap(leaf(0xb, 0)->edx == 2 && !leaf(0xb, 0)->eax && leaf(0xb, 0)->ebx == 1 &&
	    leaf(0xb, 1)->edx == 2 && leaf(0xb, 1)->eax == 2 && leaf(0xb, 1)->ebx == 3,
	    "cores of one package");
	hlk_machine_close(new);
	config.nr_cpus = 17;
	tap(hlk_machine_create(&ctx, &config, &new, NULL) == -EINVAL, "too many");
	config.nr_cpus = 2;
	config.flags = HLK_MACHINE_NO_IRQCHIP;
	tap(hlk_machine_create(&ctx, &config, &new, NULL) == -EINVAL,
	    "nobody starts the second");
}

static void test_memory(void)
{
	struct hlk_machine_config config = HLK_MACHINE_CONFIG_INIT;
	const struct hlk_ram ram[3] = {
		{ 0, 0x100000, NULL }, { 0x80000000, 0x1000, NULL },
		{ 0x100000000, 0x2000, NULL },
	};
	struct hlk_machine *new;

	forget_cpuid();
	if (sizeof(void *) == 8) {
		config.mem_size = (3ULL << 30) + (1 << 20);
		tap(!hlk_machine_create(&ctx, &config, &new, NULL) && play.windows == 2 &&
		    play.slots == 2 && !play.window[0].gpa &&
		    play.window[0].bytes == 3ULL << 30 &&
		    play.window[1].gpa == 4ULL << 30 && play.window[1].bytes == 1 << 20,
		    "memory as a PC has it");
		hlk_machine_close(new);
	}
	forget_cpuid();
	config.mem_size = 0;
	config.ram = ram;
	config.nr_ram = 3;
	tap(!hlk_machine_create(&ctx, &config, &new, NULL) && play.windows == 3 &&
	    play.window[2].gpa == 0x100000000 && play.window[2].bytes == 0x2000,
	    "memory as the caller has it");
	hlk_machine_close(new);
}

/* Each call fails once: nothing is left, and there are words. A question may be answered by no. */
static void test_create_fails(void)
{
	struct hlk_machine_config config = HLK_MACHINE_CONFIG_INIT;
	unsigned int before = open_files(), i = 0, failed = 0;
	struct hlk_machine *new;
	struct hlk_err err;
	bool good = true;
	int ret;

	config.mem_size = 1 << 20;
	do {
		forget_cpuid();
		play.fail_at = ++i;
		ret = hlk_machine_create(&ctx, &config, &new, &err);
		failed += !!ret;
		good &= ret ? !new && err.code == -ret : !!new;
		hlk_machine_close(new);
		good &= open_files() == before;
	} while (play.calls >= i);
	tap(good && failed > 8, "%u ways in which no machine is made", failed);
}

static void test_snapshot_fails(void)
{
	unsigned int before = open_files(), i = 0, failed = 0;
	struct hlk_snap *snap;
	bool good = true;
	int ret;

	do {
		begin(NULL);
		machine->cpus[0].pending = true;
		play.fail_at = ++i;
		ret = hlk_machine_snapshot(machine, &snap);
		failed += !!ret;
		good &= ret ? !snap && machine->err.code == -ret : !!snap;
		hlk_snapshot_close(snap);
		good &= open_files() == before && machine->state == HLK_MACHINE_READY;
	} while (play.calls >= i);
	tap(good && failed > 10, "%u ways in which there is no snapshot", failed);
}

static void test_load(void)
{
	struct hlk_machine_config config = HLK_MACHINE_CONFIG_INIT;
	struct hlk_kernel kernel = HLK_KERNEL_INIT;
	struct hlk_placed placed;
	struct hlk_machine *new;

	forget_cpuid();
	config.mem_size = 1 << 20;
	hlk_machine_create(&ctx, &config, &new, NULL);
	kernel.protocol = HLK_PROTOCOL_FLAT32;
	kernel.image = "code";
	kernel.image_size = 4;
	kernel.gpa = 0x8000;
	tap(!hlk_machine_load(new, &kernel, &placed) && play.regs.rip == 0x8000 &&
	    placed.entry == 0x8000 && !memcmp((char *)new->ram[0].mem + 0x8000, "code", 4),
	    "a kernel");
	tap(hlk_machine_load(new, &kernel, NULL) == -EINVAL, "one only");
	hlk_machine_close(new);
	hlk_machine_create(&ctx, &config, &new, NULL);
	kernel.gpa = 0x100000;
	tap(hlk_machine_load(new, &kernel, NULL) == -ENOSPC && new->err.text[0] &&
	    new->state == HLK_MACHINE_OVER, "that does not fit");
	hlk_machine_close(new);
}

/* Which pin of a chip has this number, or -1 */
static int pin_of(uint32_t gsi, uint32_t chip)
{
	const struct kvm_irq_routing_entry *entry;
	int pin = -1;
	uint32_t i;

	for (i = 0; i < play.routing.head.nr; i++) {
		entry = &play.routing.entry[i];
		if (entry->gsi == gsi && entry->type == KVM_IRQ_ROUTING_IRQCHIP &&
		    entry->u.irqchip.irqchip == chip && pin < 0)
			pin = entry->u.irqchip.pin;
		else if (entry->gsi == gsi && entry->u.irqchip.irqchip == chip)
			pin = 99;
	}
	return pin;
}

static void test_routes(void)
{
	struct hlk_machine_config config = HLK_MACHINE_CONFIG_INIT;
	struct hlk_machine *new;
	unsigned int wrong = 0;
	uint32_t i;

	forget_cpuid();
	config.mem_size = 1 << 20;
	hlk_machine_create(&ctx, &config, &new, NULL);
	tap(pin_of(0, KVM_IRQCHIP_IOAPIC) == 2 && pin_of(0, KVM_IRQCHIP_PIC_MASTER) == 0 &&
	    pin_of(2, KVM_IRQCHIP_IOAPIC) == -1, "the timer comes to pin 2 of the I/O APIC");
	for (i = 3; i < 24; i++)
		wrong += pin_of(i, KVM_IRQCHIP_IOAPIC) != (int)i;
	for (i = 0; i < 24; i++)
		wrong += pin_of(i, i < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE) !=
			 (i < 16 ? (int)i % 8 : -1);
	tap(!wrong && pin_of(1, KVM_IRQCHIP_IOAPIC) == 1, "all else to its own");
	hlk_machine_close(new);
}

/* A Multiboot kernel of a header alone, at 1 MiB */
static bool has_acpi(uint32_t flags, uint32_t protocol, uint64_t gpa, uint64_t hole)
{
	static const uint32_t image[] = {
		0x1badb002, 0x10000, -(0x1badb002 + 0x10000), 0x100000, 0x100000, 0, 0,
		0x100000,
	};
	const struct hlk_ram ram[] = {
		{ .gpa = 0, .bytes = hole }, { .gpa = 0x100000, .bytes = 0x100000 },
	};
	struct hlk_machine_config config = HLK_MACHINE_CONFIG_INIT;
	struct hlk_kernel kernel = HLK_KERNEL_INIT;
	struct hlk_machine *new;
	bool found;

	config.flags = flags;
	config.ram = ram;
	config.nr_ram = 2;
	kernel.protocol = protocol;
	kernel.image = image;
	kernel.image_size = sizeof(image);
	kernel.gpa = gpa;
	if (hlk_machine_create(&ctx, &config, &new, NULL))
		return false;
	if (hlk_machine_load(new, &kernel, NULL))
		tap(false, "it loads: %s", new->err.text);
	found = hole > 0xe2048 && !memcmp((char *)new->ram[0].mem + 0xe2040, "RSD PTR ", 8);
	hlk_machine_close(new);
	return found;
}

static void test_acpi(void)
{
	forget_cpuid();
	tap(has_acpi(0, HLK_PROTOCOL_MULTIBOOT, 0, 0x100000), "ACPI is there");
	tap(!has_acpi(HLK_MACHINE_NO_ACPI, HLK_PROTOCOL_MULTIBOOT, 0, 0x100000),
	    "but where it is not wanted");
	tap(!has_acpi(HLK_MACHINE_NO_IRQCHIP, HLK_PROTOCOL_MULTIBOOT, 0, 0x100000),
	    "or without interrupts");
	tap(!has_acpi(0, HLK_PROTOCOL_FLAT16, 0xe2000, 0x100000),
	    "or where a flat binary has all memory");
	tap(!has_acpi(0, HLK_PROTOCOL_MULTIBOOT, 0, 0xe4000) &&
	    !has_acpi(0, HLK_PROTOCOL_MULTIBOOT, 0, 0xa0000), "or where there is no room");
}

int main(void)
{
	machine = calloc(1, sizeof(*machine));
	machine->ctx = &ctx;
	machine->nr_cpus = 1;
	machine->cpus[0].run = calloc(1, RUN_SIZE);
	machine->print = print;
	test_print();
	test_io();
	test_irq();
	test_ends();
	test_looks();
	test_failures();
	test_refused();
	test_program();
	test_notice();
	test_program_of_two();
	test_restore();
	test_clock();
	test_fresh();
	test_outside();
	test_outside_state();
	test_stop();
	test_meetings();
	test_time();
	test_watch();
	test_debug();
	test_late_debug();
	ctx.refs = 1;
	test_child();
	test_outside_config();
	test_cpuid();
	test_cpus();
	test_memory();
	test_create_fails();
	test_snapshot_fails();
	test_load();
	test_routes();
	test_acpi();
	forget_cpuid();
	free(machine->cpus[0].run);
	free(machine);
	return tap_done();
}
