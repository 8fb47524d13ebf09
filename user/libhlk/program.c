// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * State programs: the calls of KVM that put back what the module does not, with what KVM
 * says at the moment of a snapshot; and libhlk's devices behind them. See struct
 * hlk_program_header.
 *
 * The order is KVM's: control registers first, since APIC base and paging mode decide what
 * the others may be; the timer, which may raise its line, before the controllers; these
 * before MSRs, since the deadline of the APIC's timer is one that is taken only in that
 * mode; clocks last.
 */
#include <cpuid.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "acpi.h"
#include "program.h"
#include "unlisted.h"

#define MAX_MSRS	1024	/* that KVM lists */
#define MORE_MSRS	64	/* that it does not */
#define IA32_TSC	0x10U
#define KVMCLOCK	0x4b564d01U	/* bit 0: there is one */
#define WALL_CLOCK	0x11U
#define WALL_CLOCK_NEW	0x4b564d00U
#define IA32_DEADLINE	0x6e0U
#define HYPERV_FIRST	0x40000000U
#define HYPERV_LAST	0x400001ffU

#define TSS_BUSY	11
#define TSS_AVAILABLE	9
#define AUTH		0x68747541U	/* AuthenticAMD */
#define HYGO		0x6f677948U	/* HygonGenuine */

static const char op[] = "cannot read the machine's state";

/* All calls of a program have a place before their arguments. */
#define MAX_CALLS	8U	/* of the VM, and of each processor */
#define MAX_BYTES	32768U	/* of arguments, the same */

static struct hlk_program_header *header(struct hlk_program *program)
{
	return (struct hlk_program_header *)program->data;
}

/* Room for an argument, of which the caller knows that there is some */
static void *room(struct hlk_program *program, uint32_t bytes)
{
	void *at = program->data + program->used;

	program->used += (bytes + 7) / 8 * 8;
	return at;
}

static void add_call(struct hlk_program *program, uint32_t cmd, uint32_t target,
		     const void *arg, uint32_t bytes, uint32_t flags)
{
	struct hlk_program_header *head = header(program);
	struct hlk_program_entry *entry =
		(struct hlk_program_entry *)(head + 1) + head->nr_entries++;

	*entry = (struct hlk_program_entry) {
		.cmd = cmd,
		.target = target,
		.offset = program->used,
		.bytes = bytes,
		.flags = flags,
	};
	memcpy(room(program, bytes), arg, bytes);
}

/* A call of the processor whose turn it is */
static void add(struct hlk_program *program, uint32_t cmd, const void *arg,
		uint32_t bytes)
{
	add_call(program, cmd, program->cpu, arg, bytes, 0);
}

static void add_vm(struct hlk_program *program, uint32_t cmd, const void *arg,
		   uint32_t bytes, uint32_t flags)
{
	add_call(program, cmd, HLK_PROGRAM_VM, arg, bytes, flags);
}

static int failed(struct hlk_program *program, const char *what)
{
	return hlk_err_text(program->err, errno, HLK_WHAT_FILE, op, "%s", what);
}

/*
 * AMD's processors keep no busy bit in TR, and kvm-amd says that it is set. Given back so
 * the processor does not care, but QEMU's emulation of one ends at the next change from
 * ring 3. Intel's want it.
 */
static void set_tr(struct kvm_segment *tr)
{
	uint32_t eax, ebx, ecx, edx;

	if (tr->type == TSS_BUSY && __get_cpuid(0, &eax, &ebx, &ecx, &edx) &&
	    (ebx == AUTH || ebx == HYGO))
		tr->type = TSS_AVAILABLE;
}

static int add_sregs(struct hlk_ctx *ctx, struct hlk_program *program)
{
	struct kvm_sregs2 two;
	struct kvm_sregs one;

	if (ioctl(ctx->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_SREGS2) > 0) {
		if (ioctl(program->vcpu_fd, KVM_GET_SREGS2, &two))
			return failed(program, "KVM_GET_SREGS2");
		set_tr(&two.tr);
		add(program, KVM_SET_SREGS2, &two, sizeof(two));
		return 0;
	}
	if (ioctl(program->vcpu_fd, KVM_GET_SREGS, &one))
		return failed(program, "KVM_GET_SREGS");
	set_tr(&one.tr);
	add(program, KVM_SET_SREGS, &one, sizeof(one));
	return 0;
}

static int add_irqchip(struct hlk_program *program)
{
	struct kvm_irqchip chip;
	struct kvm_pit_state2 pit;
	uint32_t i;

	if (ioctl(program->vm_fd, KVM_GET_PIT2, &pit))
		return failed(program, "KVM_GET_PIT2");
	add_vm(program, KVM_SET_PIT2, &pit, sizeof(pit), 0);
	for (i = 0; i < KVM_NR_IRQCHIPS; i++) {
		memset(&chip, 0, sizeof(chip));
		chip.chip_id = i;
		if (ioctl(program->vm_fd, KVM_GET_IRQCHIP, &chip))
			return failed(program, "KVM_GET_IRQCHIP");
		add_vm(program, KVM_SET_IRQCHIP, &chip, sizeof(chip), 0);
	}
	return 0;
}

static int add_lapic(struct hlk_program *program)
{
	struct kvm_lapic_state lapic;

	if (ioctl(program->vcpu_fd, KVM_GET_LAPIC, &lapic))
		return failed(program, "KVM_GET_LAPIC");
	hlk_timers_lapic(&lapic);
	add(program, KVM_SET_LAPIC, &lapic, sizeof(lapic));
	return 0;
}

static struct kvm_msr_list *list_msrs(struct hlk_ctx *ctx)
{
	struct kvm_msr_list *list = calloc(1, sizeof(*list) +
					   MAX_MSRS * sizeof(list->indices[0]));

	if (!list)
		return NULL;
	list->nmsrs = MAX_MSRS;
	if (!ioctl(ctx->kvm_fd, KVM_GET_MSR_INDEX_LIST, list))
		return list;
	free(list);
	return NULL;
}

static bool has_msr(struct hlk_program *program, unsigned long cmd,
		    struct kvm_msr_entry *entry)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} one = { .head.nmsrs = 1, .entry = *entry };

	if (ioctl(program->vcpu_fd, cmd, &one) != 1)
		return false;
	*entry = one.entry;
	return true;
}

/*
 * Who writes the address of the wall clock has KVM write the time there, once. It is not to
 * do so at each restore, to memory that has come back; so the address is forgotten.
 */
static bool is_wall_clock(uint32_t index)
{
	return index == WALL_CLOCK || index == WALL_CLOCK_NEW;
}

/*
 * The time stamp counter comes back by its offset. The MSRs of Hyper-V no guest can reach: no
 * machine has its CPUID. They are nearly half of KVM's list, and KVM begins to emulate
 * Hyper-V for who asks.
 */
static bool is_left_out(uint32_t index)
{
	return index == IA32_TSC || (index >= HYPERV_FIRST && index <= HYPERV_LAST);
}

/*
 * An MSR that this guest's processor does not have cannot be read, or cannot be written
 * again and is 0. One that has something in it and cannot be written would be lost.
 */
static int read_msr(struct hlk_program *program, uint32_t index,
		    struct kvm_msrs *msrs)
{
	struct kvm_msr_entry entry = { .index = index };

	if (is_left_out(index) || !has_msr(program, KVM_GET_MSRS, &entry))
		return 0;
	if (is_wall_clock(index))
		entry.data = 0;
	if (!has_msr(program, KVM_SET_MSRS, &entry)) {
		if (!entry.data)
			return 0;
		return hlk_err_text(program->err, EOPNOTSUPP, HLK_WHAT_KVM_CAP, op,
				    "a way to put back MSR 0x%x, which has 0x%llx",
				    index, (unsigned long long)entry.data);
	}
	msrs->entries[msrs->nmsrs++] = entry;
	return 0;
}

static int read_unlisted(struct hlk_program *program, struct kvm_msrs *msrs)
{
	uint32_t i, k;
	int ret = 0;

	for (i = 0; i < HLK_UNLISTED; i++)
		for (k = 0; !ret && k < hlk_unlisted[i].nr; k++)
			if (!hlk_msr_in(msrs->entries, msrs->nmsrs, hlk_unlisted[i].first + k))
				ret = read_msr(program, hlk_unlisted[i].first + k, msrs);
	return ret;
}

static int read_msrs(struct hlk_program *program, const struct kvm_msr_list *list,
		     struct kvm_msrs *msrs)
{
	bool deadline = false;
	uint32_t i;
	int ret;

	for (i = 0; i < list->nmsrs && i < MAX_MSRS; i++) {
		if (list->indices[i] == IA32_DEADLINE) {
			deadline = true;
			continue;
		}
		ret = read_msr(program, list->indices[i], msrs);
		if (ret)
			return ret;
	}
	ret = read_unlisted(program, msrs);
	if (ret)
		return ret;
	/* The last of them: it starts a timer. */
	return deadline ? read_msr(program, IA32_DEADLINE, msrs) : 0;
}

static int get_msrs(struct hlk_ctx *ctx, struct hlk_program *program, struct kvm_msrs **msrs)
{
	struct kvm_msr_list *list = list_msrs(ctx);
	int ret;

	*msrs = calloc(1, sizeof(**msrs) +
		       (MAX_MSRS + MORE_MSRS) * sizeof((*msrs)->entries[0]));
	if (list && *msrs)
		ret = read_msrs(program, list, *msrs);
	else
		ret = failed(program, "KVM_GET_MSR_INDEX_LIST");
	free(list);
	if (ret) {
		free(*msrs);
		*msrs = NULL;
	}
	return ret;
}

static int add_msrs(struct hlk_ctx *ctx, struct hlk_program *program)
{
	struct kvm_msrs *msrs;
	int ret = get_msrs(ctx, program, &msrs);

	if (!ret)
		add(program, KVM_SET_MSRS, msrs, sizeof(*msrs) +
		    msrs->nmsrs * sizeof(msrs->entries[0]));
	free(msrs);
	return ret;
}

/**
 * hlk_program_msrs() - read the MSRs that come back by a program
 * @ctx: the context
 * @vcpu_fd: the processor
 * @msrs: out: what is in them; the caller frees it
 * @err: out: why they cannot be read
 *
 * Return: 0 or a negative errno
 */
int hlk_program_msrs(struct hlk_ctx *ctx, int vcpu_fd, struct kvm_msrs **msrs, struct hlk_err *err)
{
	struct hlk_program program = { .vcpu_fd = vcpu_fd, .err = err };

	return get_msrs(ctx, &program, msrs);
}

/*
 * Where time goes on, a guest with KVM's clock is told that it did not run: else Linux's
 * watchdogs take the time since the snapshot for one in which nobody else did, and say so at
 * length, after each restore.
 */
static void add_pause(struct hlk_program *program)
{
	struct kvm_msr_entry clock = { .index = KVMCLOCK };
	uint64_t none = 0;

	if (has_msr(program, KVM_GET_MSRS, &clock) && clock.data & 1)
		add_call(program, KVM_KVMCLOCK_CTRL, program->cpu, &none, sizeof(none),
			 HLK_PROGRAM_TIME_GOES_ON);
}

static int add_debugregs(struct hlk_program *program)
{
	struct kvm_debugregs debug;

	if (ioctl(program->vcpu_fd, KVM_GET_DEBUGREGS, &debug))
		return failed(program, "KVM_GET_DEBUGREGS");
	add(program, KVM_SET_DEBUGREGS, &debug, sizeof(debug));
	return 0;
}

#define SEC	1000000000ULL

/**
 * hlk_real_ns() - the host's time
 *
 * Return: nanoseconds since the epoch
 */
uint64_t hlk_real_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * SEC + ts.tv_nsec;
}

/*
 * How far KVM's clock and the host's are from each other stays what it was first found to be,
 * so that a machine knows it as its own; but not if somebody set one of them.
 */
static int add_clock(struct hlk_program *program)
{
	struct kvm_clock_data clock;
	uint64_t base;

	if (ioctl(program->vm_fd, KVM_GET_CLOCK, &clock))
		return failed(program, "KVM_GET_CLOCK");
	clock = (struct kvm_clock_data) { .clock = clock.clock };
	program->clock = clock.clock;
	base = clock.clock - hlk_real_ns();
	if (!program->has_base || base - program->base + SEC > 2 * SEC)
		program->base = base;
	program->has_base = true;
	add_vm(program, KVM_SET_CLOCK, &clock, sizeof(clock), HLK_PROGRAM_TIME_BACK);
	return 0;
}

/*
 * The guest is told that it was restored. Local APICs are as they are to be by then. The line
 * was low in the snapshot, so this is an edge; nobody has to take it back.
 */
static void add_notice(struct hlk_program *program)
{
	struct kvm_irq_level line = { .irq = HLK_ACPI_GED, .level = 1 };

	add_vm(program, KVM_IRQ_LINE, &line, sizeof(line), HLK_PROGRAM_FRESH);
}

static int add_tail(struct hlk_program *program, bool irqchip,
		    const struct hlk_devices *devices)
{
	struct hlk_program_tail tail = {
		.magic = HLK_PROGRAM_MAGIC,
		.size = sizeof(tail),
		.irqchip = irqchip,
		.nr_cpus = program->nr_cpus,
		.lines = program->lines,
		.state_bytes = program->state_bytes,
		.time = program->time,
		.clock = program->clock,
		.base = program->base,
		.acpi = program->acpi,
		.devices = *devices,
	};
	struct kvm_sregs sregs;

	if (ioctl(program->vcpu_fds[0], KVM_GET_SREGS, &sregs))
		return failed(program, "KVM_GET_SREGS");
	tail.cr8 = sregs.cr8;
	if (program->state_bytes)
		memcpy(room(program, program->state_bytes), program->state,
		       program->state_bytes);
	memcpy(room(program, sizeof(tail)), &tail, sizeof(tail));
	return 0;
}

static void take_turn(struct hlk_program *program, uint32_t cpu)
{
	program->cpu = cpu;
	program->vcpu_fd = program->vcpu_fds[cpu];
}

/*
 * INIT and SIPI that are under way are in no state that can be asked for. Who asks for the
 * MP state has KVM take them, so that there are none; before each restore, too, but for
 * a processor that runs, which drops what comes.
 */
static int add_starts(struct hlk_program *program)
{
	struct kvm_mp_state mp;
	uint32_t i;

	for (i = 0; i < program->nr_cpus; i++) {
		take_turn(program, i);
		if (ioctl(program->vcpu_fd, KVM_GET_MP_STATE, &mp))
			return failed(program, "KVM_GET_MP_STATE");
		program->unstarted[i] = mp.mp_state == KVM_MP_STATE_UNINITIALIZED ||
					mp.mp_state == KVM_MP_STATE_INIT_RECEIVED;
		if (mp.mp_state != KVM_MP_STATE_RUNNABLE)
			add(program, KVM_GET_MP_STATE, &mp, sizeof(mp));
	}
	return 0;
}

/* Who was not started loads nothing from struct kvm_run until it is. */
static int add_unstarted(struct hlk_program *program)
{
	struct kvm_vcpu_events events;
	struct kvm_regs regs;

	if (!program->unstarted[program->cpu])
		return 0;
	if (ioctl(program->vcpu_fd, KVM_GET_REGS, &regs))
		return failed(program, "KVM_GET_REGS");
	add(program, KVM_SET_REGS, &regs, sizeof(regs));
	memset(&events, 0, sizeof(events));
	if (ioctl(program->vcpu_fd, KVM_GET_VCPU_EVENTS, &events))
		return failed(program, "KVM_GET_VCPU_EVENTS");
	add(program, KVM_SET_VCPU_EVENTS, &events, sizeof(events));
	return 0;
}

static int add_control(struct hlk_ctx *ctx, struct hlk_program *program)
{
	uint32_t i;
	int ret = 0;

	for (i = 0; !ret && i < program->nr_cpus; i++) {
		take_turn(program, i);
		ret = add_sregs(ctx, program);
	}
	return ret;
}

static int deliver_timers(struct hlk_program *program)
{
	uint32_t i;
	int ret = 0;

	for (i = 0; !ret && i < program->nr_cpus; i++)
		ret = hlk_timers_deliver(program->vcpu_fds[i], program->err);
	return ret;
}

static int add_controllers(struct hlk_program *program)
{
	uint32_t i;
	int ret = add_irqchip(program);

	for (i = 0; !ret && i < program->nr_cpus; i++) {
		take_turn(program, i);
		ret = add_lapic(program);
	}
	return ret;
}

static int add_rest(struct hlk_ctx *ctx, struct hlk_program *program)
{
	uint32_t i;
	int ret = 0;

	for (i = 0; !ret && i < program->nr_cpus; i++) {
		take_turn(program, i);
		ret = add_msrs(ctx, program);
		if (ret)
			break;
		add_pause(program);
		ret = add_debugregs(program);
		if (!ret)
			ret = add_unstarted(program);
	}
	return ret;
}

/**
 * hlk_program_make() - write the program of a machine
 * @ctx: the context
 * @program: the machine; out: @data, which the caller frees, and @used
 * @irqchip: it has interrupt controllers and a timer
 * @devices: its devices
 *
 * KVM has to have all of the machine's state: nothing waits in struct kvm_run, and no
 * processor runs.
 *
 * Return: 0 or a negative errno
 */
int hlk_program_make(struct hlk_ctx *ctx, struct hlk_program *program, bool irqchip,
		     const struct hlk_devices *devices)
{
	uint32_t args = sizeof(struct hlk_program_header) +
			(program->nr_cpus + 1) * MAX_CALLS *
			sizeof(struct hlk_program_entry);
	int ret;

	_Static_assert(sizeof(struct hlk_program_tail) % 8 == 0, "programs are words");
	program->data = calloc(1, args + (program->nr_cpus + 1) * MAX_BYTES +
				  program->state_bytes + 8);
	if (!program->data)
		return hlk_err_system(program->err, op);
	program->used = args;
	*header(program) = (struct hlk_program_header) {
		.size = sizeof(struct hlk_program_header),
		.entry_size = sizeof(struct hlk_program_entry),
	};
	ret = program->nr_cpus > 1 ? add_starts(program) : 0;
	if (!ret && irqchip)
		ret = deliver_timers(program);
	if (!ret)
		ret = add_control(ctx, program);
	if (!ret && irqchip)
		ret = add_controllers(program);
	if (!ret)
		ret = add_rest(ctx, program);
	if (!ret && program->acpi)
		add_notice(program);
	if (!ret && irqchip)
		ret = add_clock(program);
	if (!ret)
		ret = add_tail(program, irqchip, devices);
	if (ret) {
		free(program->data);
		program->data = NULL;
	}
	return ret;
}

/**
 * hlk_program_map() - map the program of a snapshot, as restores want it
 * @snap: the snapshot; its @program is set, once
 * @err: out: why it cannot be
 *
 * Return: 0 or a negative errno
 */
int hlk_program_map(struct hlk_snap *snap, struct hlk_err *err)
{
	const unsigned char *none = NULL;
	void *map;

	if (!snap->program_bytes || atomic_load(&snap->program))
		return 0;
	map = mmap(NULL, snap->program_bytes, PROT_READ, MAP_SHARED, snap->fd,
		   HLK_PROGRAM_OFFSET);
	if (map == MAP_FAILED)
		return hlk_err_system(err, "cannot map the snapshot's program");
	if (!atomic_compare_exchange_strong(&snap->program, &none, map))
		munmap(map, snap->program_bytes);
	return 0;
}
