// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Machines that run, against a module and a KVM that are played: what comes of each way to
 * come out.
 */
#include "played-machine.h"

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

int main(void)
{
	machine_begin();
	test_print();
	test_io();
	test_irq();
	test_ends();
	test_looks();
	test_failures();
	test_refused();
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
	return machine_end();
}
