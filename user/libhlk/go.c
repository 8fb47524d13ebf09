// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Running a machine: enter, do what its devices have to do, look whether it is to stop,
 * enter again.
 *
 * With interrupt controllers in the kernel HLT does not come out. So the machine comes out
 * now and then, and is looked at: who halted with interrupts off does so for ever, who was
 * found halted IDLE_LOOKS times in a row is idle. Of several processors all have to be so.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "machine.h"

static const char op[] = "cannot run the machine";

/* nanoseconds between two looks: where it is to be idle, and else */
#define IDLE_SLICE	10000000ULL
#define SLICE		100000000ULL
#define IDLE_LOOKS	10
#define FLAG_IF		0x200U
#define CR0_PE		0x1U
#define EFER_LMA	0x400U

#define STOPS		(HLK_MACHINE_PRINT | HLK_MACHINE_PORT | \
			 HLK_MACHINE_ADDR | HLK_MACHINE_IDLE)
#define TIMES		(HLK_MACHINE_RESTORE | HLK_MACHINE_TIME_BACK)
#define DEBUGS		(HLK_MACHINE_DEBUG | HLK_MACHINE_ONE)

static const char * const stop_text[] = {
	[HLK_STOP_NONE] = "it did not run",
	[HLK_STOP_PRINT] = "it printed the text",
	[HLK_STOP_PORT] = "it wrote to the port",
	[HLK_STOP_ADDR] = "it came to the address",
	[HLK_STOP_IDLE] = "it waits, and nothing comes",
	[HLK_STOP_TIME] = "the time is over",
	[HLK_STOP_OFF] = "it switched itself off",
	[HLK_STOP_RESET] = "it wants to be reset",
	[HLK_STOP_EXIT] = "it ended itself",
	[HLK_STOP_HALT] = "it halted for good",
	[HLK_STOP_SHUTDOWN] = "triple fault",
	[HLK_STOP_ENTRY] = "the processor refused its state",
	[HLK_STOP_INTERNAL] = "KVM gave up",
	[HLK_STOP_UNKNOWN] = "exit that is not known",
	[HLK_STOP_ASKED] = "it was asked to",
	[HLK_STOP_DEBUG] = "it came to where the debugger waits",
};

EXPORT const char *hlk_stop_text(uint32_t stop)
{
	if (stop >= sizeof(stop_text) / sizeof(*stop_text))
		stop = HLK_STOP_UNKNOWN;
	return stop_text[stop];
}

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* After any other reason it can go on. */
static bool is_end(uint32_t reason)
{
	return reason > HLK_STOP_TIME && reason != HLK_STOP_ASKED &&
	       reason != HLK_STOP_DEBUG;
}

/*
 * What is waited for happens once, and the guest is past it: being asked to stop, or the end of
 * the time, would make it one that never came. Who asked is heard by the next run.
 */
static void give_way(struct hlk_machine *machine, enum hlk_stop reason)
{
	struct hlk_machine_run *run = machine->now;

	if (reason != HLK_STOP_PRINT && reason != HLK_STOP_PORT &&
	    reason != HLK_STOP_DEBUG)
		return;
	if (run->stop == HLK_STOP_ASKED)
		atomic_store(&machine->asked, true);
	if (run->stop == HLK_STOP_ASKED || run->stop == HLK_STOP_TIME)
		run->stop = HLK_STOP_NONE;
}

/*
 * The first reason counts; but an end of another processor, that comes while all are being
 * stopped, is one, and the next run says so.
 */
static void stop(struct hlk_machine *machine, enum hlk_stop reason, uint64_t value)
{
	struct hlk_machine_run *run = machine->now;

	give_way(machine, reason);
	if (run->stop && run->cpu != machine->out &&
	    (is_end(reason) || reason == HLK_STOP_DEBUG) && !machine->late) {
		machine->late = reason;
		machine->late_value = value;
		machine->late_cpu = machine->out;
	}
	if (run->stop)
		return;
	run->stop = reason;
	run->value = value;
	run->cpu = machine->out;
}

static void note_tail(struct hlk_machine *machine, char byte)
{
	if (machine->tail_len == sizeof(machine->tail)) {
		memmove(machine->tail, machine->tail + 1, sizeof(machine->tail) - 1);
		machine->tail_len--;
	}
	machine->tail[machine->tail_len++] = byte;
}

/* Something happens: nobody was idle. */
static void wake(struct hlk_machine *machine)
{
	uint32_t i;

	for (i = 0; i < machine->nr_cpus; i++)
		machine->cpus[i].looks = 0;
}

static void print(struct hlk_machine *machine, char byte)
{
	const struct hlk_machine_run *run = machine->now;
	size_t len;

	wake(machine);
	if (machine->print)
		machine->print(machine->print_arg, &byte, 1);
	if (!(run->flags & HLK_MACHINE_PRINT))
		return;
	note_tail(machine, byte);
	len = strlen(run->print);
	if (len <= machine->tail_len &&
	    !memcmp(machine->tail + machine->tail_len - len, run->print, len))
		stop(machine, HLK_STOP_PRINT, 0);
}

static void handle_effect(struct hlk_machine *machine, struct hlk_effect effect)
{
	switch (effect.kind) {
	case HLK_EFFECT_PRINT:
		print(machine, effect.value);
		break;
	case HLK_EFFECT_OFF:
		stop(machine, HLK_STOP_OFF, 0);
		break;
	case HLK_EFFECT_RESET:
		stop(machine, HLK_STOP_RESET, 0);
		break;
	case HLK_EFFECT_EXIT:
		stop(machine, HLK_STOP_EXIT, effect.value);
		break;
	case HLK_EFFECT_NONE:
		break;
	}
}

/* A byte that is given to an empty transmitter takes its interrupt away for a moment. */
static int update_irq(struct hlk_machine *machine, bool gave)
{
	bool level = hlk_serial_irq(&machine->devices.serial);
	int ret = gave && level ? hlk_machine_set_irq(machine, false) : 0;

	return ret ? ret : hlk_machine_set_irq(machine, level);
}

static uint64_t outside(struct hlk_machine *machine, uint32_t flags, uint64_t addr,
			uint32_t size, uint64_t value)
{
	struct hlk_access access = {
		.flags = flags,
		.size = size,
		.addr = addr,
		.value = value,
	};

	hlk_outside_access(machine, &access);
	return access.value;
}

static void handle_out(struct hlk_machine *machine, const struct kvm_run *kvm,
		       const unsigned char *data)
{
	const struct hlk_machine_run *run = machine->now;
	uint16_t port = kvm->io.port;
	uint32_t value = 0;

	memcpy(&value, data, kvm->io.size);
	/* What is waited for comes before what the port does. */
	if (run->flags & HLK_MACHINE_PORT && port == run->port)
		stop(machine, HLK_STOP_PORT, value);
	if (!hlk_devices_take(port, kvm->io.size)) {
		outside(machine, HLK_ACCESS_WRITE, port, kvm->io.size, value);
		return;
	}
	handle_effect(machine, hlk_devices_out(&machine->devices, port, kvm->io.size,
					       value));
}

static void handle_in(struct hlk_machine *machine, const struct kvm_run *kvm,
		      unsigned char *data)
{
	uint32_t value;

	if (hlk_devices_take(kvm->io.port, kvm->io.size))
		value = hlk_devices_in(&machine->devices, kvm->io.port, kvm->io.size,
				       time(NULL) - machine->behind);
	else
		value = outside(machine, 0, kvm->io.port, kvm->io.size, 0);
	memcpy(data, &value, kvm->io.size);
}

static int handle_io(struct hlk_machine *machine, struct kvm_run *kvm)
{
	unsigned char *data = (unsigned char *)kvm + kvm->io.data_offset;
	bool out = kvm->io.direction == KVM_EXIT_IO_OUT;
	uint32_t i;

	for (i = 0; i < kvm->io.count; i++, data += kvm->io.size) {
		if (out)
			handle_out(machine, kvm, data);
		else
			handle_in(machine, kvm, data);
	}
	return update_irq(machine, out && kvm->io.port == HLK_PORT_SERIAL);
}

static int handle_mmio(struct hlk_machine *machine, struct kvm_run *kvm)
{
	uint32_t flags = HLK_ACCESS_MEMORY | (kvm->mmio.is_write ? HLK_ACCESS_WRITE : 0);
	uint64_t value = 0;

	if (kvm->mmio.is_write)
		memcpy(&value, kvm->mmio.data, sizeof(value));
	value = outside(machine, flags, kvm->mmio.phys_addr, kvm->mmio.len, value);
	if (!kvm->mmio.is_write)
		memcpy(kvm->mmio.data, &value, sizeof(value));
	return 0;
}

static int interrupts_on(struct hlk_machine *machine, const struct hlk_cpu *cpu,
			 bool *on)
{
	struct kvm_regs regs;

	if (ioctl(cpu->fd, KVM_GET_REGS, &regs))
		return hlk_err_system(&machine->err, op);
	*on = regs.rflags & FLAG_IF;
	return 0;
}

/* Without controllers nothing wakes it. */
static int handle_halt(struct hlk_machine *machine, const struct hlk_cpu *cpu)
{
	const struct hlk_machine_run *run = machine->now;
	bool on = false;
	int ret = interrupts_on(machine, cpu, &on);

	stop(machine, on && run->flags & HLK_MACHINE_IDLE ? HLK_STOP_IDLE :
							    HLK_STOP_HALT, 0);
	return ret;
}

static int handle_exit(struct hlk_machine *machine, struct hlk_cpu *cpu)
{
	struct kvm_run *kvm = cpu->run;

	switch (kvm->exit_reason) {
	case KVM_EXIT_IO:
		return handle_io(machine, kvm);
	case KVM_EXIT_MMIO:
		return handle_mmio(machine, kvm);
	case KVM_EXIT_HLT:
		return handle_halt(machine, cpu);
	case KVM_EXIT_DEBUG:
		if (machine->now->flags & HLK_MACHINE_DEBUG)
			stop(machine, HLK_STOP_DEBUG,
			     (uint64_t)kvm->debug.arch.exception << 32 |
			     (uint32_t)kvm->debug.arch.dr6);
		else
			stop(machine, HLK_STOP_ADDR, 0);
		return 0;
	case KVM_EXIT_SHUTDOWN:
		stop(machine, HLK_STOP_SHUTDOWN, 0);
		return 0;
	case KVM_EXIT_FAIL_ENTRY:
		stop(machine, HLK_STOP_ENTRY,
		     kvm->fail_entry.hardware_entry_failure_reason);
		return 0;
	case KVM_EXIT_INTERNAL_ERROR:
		stop(machine, HLK_STOP_INTERNAL, kvm->internal.suberror);
		return 0;
	case KVM_EXIT_INTR:
		return 0;
	default:
		stop(machine, HLK_STOP_UNKNOWN, kvm->exit_reason);
		return 0;
	}
}

/**
 * hlk_machine_exit() - the guest came out: do what its devices have to do
 * @machine: the machine, whose first processor it is
 * @run: what is waited for; out: whether it is to stop, and why
 *
 * Return: 0 or a negative errno
 */
int hlk_machine_exit(struct hlk_machine *machine, struct hlk_machine_run *run)
{
	machine->now = run;
	machine->out = 0;
	return handle_exit(machine, &machine->cpus[0]);
}

static uint32_t looks_until_idle(const struct hlk_machine_run *run)
{
	uint64_t looks = run->idle_us / (IDLE_SLICE / 1000);

	if (!run->idle_us)
		return IDLE_LOOKS;
	return looks < UINT32_MAX ? looks + 1 : UINT32_MAX;
}

/* What is so at one look at each can be one waking the other; not at two. */
static void judge(struct hlk_machine *machine)
{
	uint32_t enough = machine->nr_cpus > 1 ? 2 : 1;
	bool dead = true, idle = true;
	uint32_t i;

	for (i = 0; i < machine->nr_cpus; i++) {
		dead &= machine->cpus[i].dead >= enough;
		idle &= machine->cpus[i].looks >= looks_until_idle(machine->now);
	}
	if (dead)
		stop(machine, HLK_STOP_HALT, 0);
	if (idle && machine->now->flags & HLK_MACHINE_IDLE)
		stop(machine, HLK_STOP_IDLE, 0);
}

/* Who was not started does nothing by itself, as who halted with interrupts off. */
static int look(struct hlk_machine *machine, struct hlk_cpu *cpu)
{
	struct kvm_mp_state mp;
	bool on = false;
	int ret = 0;

	if (!machine->irqchip || !cpu->arg.entries)
		return 0;
	if (ioctl(cpu->fd, KVM_GET_MP_STATE, &mp))
		return hlk_err_system(&machine->err, op);
	if (mp.mp_state == KVM_MP_STATE_RUNNABLE) {
		cpu->looks = 0;
		cpu->dead = 0;
		return 0;
	}
	if (mp.mp_state == KVM_MP_STATE_HALTED)
		ret = interrupts_on(machine, cpu, &on);
	cpu->looks++;
	cpu->dead = on ? 0 : cpu->dead + 1;
	judge(machine);
	return ret;
}

/* The slice is over, or the time. */
static int look_at_all(struct hlk_machine *machine, struct hlk_cpu *cpu)
{
	if (machine->deadline && clock_ns() >= machine->deadline) {
		stop(machine, HLK_STOP_TIME, 0);
		return 0;
	}
	hlk_cpus_look(machine);
	return look(machine, cpu);
}

static int handle(struct hlk_machine *machine, struct hlk_cpu *cpu, int code)
{
	switch (code) {
	case 0:
		machine->now->exits++;
		return handle_exit(machine, cpu);
	case EAGAIN:
		/* It was started. */
		return 0;
	case EINTR:
		return cpu == machine->cpus || machine->stopping ? 0 :
								   look(machine, cpu);
	case ETIMEDOUT:
		return look_at_all(machine, cpu);
	case EFAULT:
		if (!cpu->arg.head.why)
			return hlk_machine_budget(machine, code, op);
		/* fallthrough */
	default:
		errno = code;
		return hlk_err_module(&machine->err, &cpu->arg.head, op);
	}
}

/**
 * hlk_cpu_came_out() - do what there is to be done when a processor came out
 * @machine: the machine, whose lock is held
 * @cpu: the processor
 * @code: errno of the run, if it was not an exit
 *
 * Return: 0 or a negative errno; whether the machine is to stop, @now of it says
 */
int hlk_cpu_came_out(struct hlk_machine *machine, struct hlk_cpu *cpu, int code)
{
	machine->out = cpu - machine->cpus;
	return handle(machine, cpu, code);
}

static uint64_t slice(const struct hlk_machine *machine)
{
	uint64_t left = machine->now->flags & HLK_MACHINE_IDLE ? IDLE_SLICE : SLICE;
	uint64_t now = clock_ns();

	if (!machine->deadline)
		return left;
	if (machine->deadline <= now)
		return 1;
	return machine->deadline - now < left ? machine->deadline - now : left;
}

/* One system call of the first processor, which may restore, and begin the others' turn */
static int enter(struct hlk_machine *machine, bool *restore, bool *over)
{
	struct hlk_machine_run *run = machine->now;
	struct hlk_cpu *cpu = &machine->cpus[0];
	struct hlk_run *arg = &cpu->arg;
	int code, nr;
	int ret;

	*arg = (struct hlk_run) {
		.head.size = sizeof(*arg),
		.head.flags = HLK_RUN_CONTINUE,
		.vcpu_fd = cpu->fd,
		.timeout_ns = slice(machine),
	};
	if (*restore) {
		nr = hlk_machine_fresh(machine);
		if (nr < 0)
			return nr;
		arg->head.flags = (run->flags & HLK_MACHINE_TIME_BACK ?
				   HLK_RESTORE_TIME_BACK : 0) |
				  (machine->reproducible ?
				   HLK_RESTORE_REPRODUCIBLE : 0);
		arg->inputs = (uintptr_t)machine->genid.inputs;
		arg->nr_inputs = nr;
		arg->input_size = sizeof(machine->genid.inputs[0]);
		arg->program = (uintptr_t)atomic_load(&machine->last->program);
	}
	if (machine->nr_cpus > 1 && !machine->led)
		arg->head.flags |= HLK_RUN_LEAD;
	cpu->pending = true;
	code = ioctl(machine->hlk_fd, HLK_RUN, arg) ? errno : 0;
	hlk_cpus_lock(machine);
	hlk_cpus_led(machine);
	cpu->entered |= !!arg->entries;
	if (*restore && arg->done & HLK_DONE_RESTORED) {
		run->copied = arg->copied;
		machine->state = HLK_MACHINE_READY;
		*restore = false;
	}
	ret = hlk_cpu_came_out(machine, cpu, code);
	*over = run->stop || machine->failed;
	hlk_cpus_unlock(machine);
	return ret;
}

static int debug(struct hlk_machine *machine, struct kvm_guest_debug *debug,
		 const char *what)
{
	uint32_t i;

	if (!(machine->now->flags & HLK_MACHINE_ADDR))
		return 0;
	for (i = 0; i < machine->nr_cpus; i++)
		if (ioctl(machine->cpus[i].fd, KVM_SET_GUEST_DEBUG, debug))
			return hlk_err_system(&machine->err, what);
	return 0;
}

static int watch(struct hlk_machine *machine)
{
	struct kvm_guest_debug bp = {
		.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP,
		/* global, exact, of one byte, at instructions */
		.arch.debugreg = { [0] = machine->now->addr, [7] = 0x602 },
	};

	return debug(machine, &bp, "cannot set a breakpoint");
}

static int unwatch(struct hlk_machine *machine)
{
	struct kvm_guest_debug none = {};

	return debug(machine, &none, "cannot clear a breakpoint");
}

/* Where it is, for people; where KVM cannot say so it stays 0 */
static void note_place(struct hlk_machine *machine, struct hlk_machine_run *run)
{
	const struct hlk_cpu *cpu = &machine->cpus[run->cpu];
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	if (!cpu->entered || ioctl(cpu->fd, KVM_GET_REGS, &regs) ||
	    ioctl(cpu->fd, KVM_GET_SREGS, &sregs))
		return;
	run->rip = regs.rip;
	run->rflags = regs.rflags;
	run->ring = sregs.cs.dpl;
	if (!(sregs.cr0 & CR0_PE))
		run->ring = 0;
	run->bits = sregs.cs.l && sregs.efer & EFER_LMA ? 64 : sregs.cs.db ? 32 : 16;
	run->cr0 = sregs.cr0;
	run->cr3 = sregs.cr3;
	run->cs_base = sregs.cs.base;
}

/*
 * What came too late for the last run ends this one. A stop for a debugger waits until its
 * processor runs again; if the debugger is gone, nobody is to be told.
 */
static bool was_late(struct hlk_machine *machine, uint32_t one)
{
	uint32_t flags = machine->now->flags;

	if (machine->late == HLK_STOP_DEBUG && !(flags & HLK_MACHINE_DEBUG))
		machine->late = HLK_STOP_NONE;
	if (machine->late == HLK_STOP_DEBUG && flags & HLK_MACHINE_ONE &&
	    machine->late_cpu != one)
		return false;
	if (!machine->late)
		return false;
	machine->out = machine->late_cpu;
	stop(machine, machine->late, machine->late_value);
	if (is_end(machine->late))
		machine->state = HLK_MACHINE_OVER;
	machine->late = HLK_STOP_NONE;
	return true;
}

/* Whether somebody wants it to stop, or another processor did already */
static bool is_asked(struct hlk_machine *machine)
{
	bool over;

	hlk_cpus_lock(machine);
	over = machine->stopping;
	if (!over && hlk_machine_asked(machine)) {
		machine->out = 0;
		stop(machine, HLK_STOP_ASKED, 0);
		over = true;
	}
	hlk_cpus_unlock(machine);
	return over;
}

/* As enter(), of a processor that has no turn: the others rest meanwhile. */
static int enter_one(struct hlk_machine *machine, struct hlk_cpu *cpu)
{
	struct hlk_run *arg = &cpu->arg;
	int code;

	*arg = (struct hlk_run) {
		.head.size = sizeof(*arg),
		.head.flags = HLK_RUN_CONTINUE,
		.vcpu_fd = cpu->fd,
		.timeout_ns = slice(machine),
	};
	cpu->pending = true;
	code = ioctl(machine->hlk_fd, HLK_RUN, arg) ? errno : 0;
	cpu->entered |= !!arg->entries;
	return hlk_cpu_came_out(machine, cpu, code);
}

static int run_one(struct hlk_machine *machine, uint32_t nr)
{
	int ret = 0;

	machine->stopping = false;
	hlk_cpus_alone(machine, nr);
	while (!ret && !machine->now->stop && !is_asked(machine))
		ret = enter_one(machine, &machine->cpus[nr]);
	hlk_cpus_together(machine);
	return ret;
}

static int run_all(struct hlk_machine *machine, bool restore)
{
	bool over = false;
	int ret = hlk_cpus_begin(machine);

	/* What was restored runs, at least to its first way out. */
	while (!ret && !over) {
		if (!restore && is_asked(machine))
			break;
		ret = enter(machine, &restore, &over);
	}
	return hlk_cpus_end(machine, ret);
}

static int go_on(struct hlk_machine *machine, struct hlk_machine_run *run, uint32_t one)
{
	int ret;

	machine->deadline = 0;
	if (run->timeout_us) {
		if (__builtin_mul_overflow(run->timeout_us, 1000, &machine->deadline) ||
		    __builtin_add_overflow(machine->deadline, clock_ns(),
					   &machine->deadline))
			machine->deadline = UINT64_MAX;
	}
	if (run->flags & HLK_MACHINE_ONE)
		ret = run_one(machine, one);
	else
		ret = run_all(machine, run->flags & HLK_MACHINE_RESTORE);
	machine->was_asked = run->stop == HLK_STOP_ASKED;
	if (is_end(run->stop) || ret)
		machine->state = HLK_MACHINE_OVER;
	return ret;
}

static int check(struct hlk_machine *machine, const struct hlk_machine_run *run)
{
	const char *text = NULL;
	int ret = hlk_grow_flags(run->flags, STOPS | TIMES | DEBUGS, "hlk_machine_run", op,
				 &machine->err);

	if (ret)
		return ret;
	if (machine->nr_cpus > 1 && !(machine->ctx->features & HLK_FEATURE_TURNS))
		return hlk_err_text(&machine->err, EOPNOTSUPP, HLK_WHAT_FEATURE,
				    op, "turns of several processors");
	if (!(machine->ctx->features & HLK_FEATURE_DEADLINE))
		return hlk_err_text(&machine->err, EOPNOTSUPP, HLK_WHAT_FEATURE,
				    op, "deadlines of calls");
	if (run->flags & HLK_MACHINE_PRINT &&
	    (!run->print || !*run->print ||
	     strnlen(run->print, HLK_MACHINE_TEXT) == HLK_MACHINE_TEXT))
		text = "the text to wait for is empty or too long";
	else if (run->flags & HLK_MACHINE_PORT && run->port > UINT16_MAX)
		text = "there is no such port";
	else if (run->flags & HLK_MACHINE_RESTORE && !machine->last)
		text = "nothing was restored yet";
	else if (run->flags & HLK_MACHINE_TIME_BACK &&
		 !(run->flags & HLK_MACHINE_RESTORE))
		text = "the time comes back with a restore only";
	else if (run->flags & HLK_MACHINE_DEBUG && run->flags & HLK_MACHINE_ADDR)
		text = "the debugger has the breakpoints";
	else if (run->flags & HLK_MACHINE_ONE &&
		 (!(run->flags & HLK_MACHINE_DEBUG) || run->flags & HLK_MACHINE_RESTORE))
		text = "one processor runs alone for a debugger, and without a restore";
	else if (run->flags & HLK_MACHINE_ONE && run->cpu >= machine->nr_cpus)
		text = "there is no such processor";
	if (text)
		return hlk_err_text(&machine->err, EINVAL, HLK_WHAT_ARGUMENT, op,
				    "%s", text);
	if (run->flags & HLK_MACHINE_RESTORE)
		return 0;
	if (machine->state != HLK_MACHINE_READY)
		return hlk_err_text(&machine->err, ESTALE, HLK_WHAT_ARGUMENT, op,
				    machine->state == HLK_MACHINE_NEW ?
				    "the machine has no kernel" :
				    "the machine came to its end: restore it");
	return 0;
}

static int go(struct hlk_machine *machine, struct hlk_machine_run *run)
{
	int ret = check(machine, run);
	uint32_t one = run->cpu;

	run->cpu = 0;

	machine->now = run;
	if (!ret)
		ret = watch(machine);
	if (!ret && run->flags & HLK_MACHINE_RESTORE) {
		machine->state = HLK_MACHINE_OVER;
		ret = hlk_machine_prepare(machine, machine->last,
					  run->flags & HLK_MACHINE_TIME_BACK);
	}
	if (ret)
		return ret;
	if (!machine->was_asked || run->flags & HLK_MACHINE_RESTORE) {
		machine->tail_len = 0;
		wake(machine);
	}
	if (!was_late(machine, one))
		ret = go_on(machine, run, one);
	/* The debugger is to find each register where KVM has it. */
	if (!ret && run->flags & HLK_MACHINE_DEBUG)
		ret = hlk_machine_settle(machine);
	note_place(machine, run);
	return ret ? ret : unwatch(machine);
}

EXPORT int hlk_machine_go(struct hlk_machine *machine, struct hlk_machine_run *run)
{
	struct hlk_machine_run own;
	uint32_t size;
	int ret = hlk_machine_enter(machine, op);

	if (ret)
		return ret;
	ret = hlk_grow_take(&own, sizeof(own), HLK_FIRST_MACHINE_RUN, run,
			    "hlk_machine_run", op, &machine->err);
	if (!ret) {
		own.stop = HLK_STOP_NONE;
		own.value = 0;
		own.rip = 0;
		own.cr3 = 0;
		own.cr0 = 0;
		own.cs_base = 0;
		own.copied = 0;
		own.exits = 0;
		own.rflags = 0;
		own.ring = 0;
		own.bits = 0;
		ret = go(machine, &own);
		/* What an older caller does not have is not written. */
		size = run->size;
		memcpy(run, &own, size < sizeof(own) ? size : sizeof(own));
		run->size = size;
	}
	return hlk_machine_leave(machine, ret);
}
