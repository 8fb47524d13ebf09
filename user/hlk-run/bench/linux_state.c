// SPDX-License-Identifier: GPL-2.0-only
/* All that KVM tells of a VM, and how it comes back: by ioctls, or by a program of hlk. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../libhlk/unlisted.h"
#include "linux_bench.h"

#define MAX_MSRS	1024
#define MORE_MSRS	64
#define IA32_TSC	0x10U
#define WALL_CLOCK	0x11U
#define WALL_CLOCK_NEW	0x4b564d00U
#define KVMCLOCK	0x4b564d01U
#define IA32_DEADLINE	0x6e0U
#define HYPERV_FIRST	0x40000000U
#define HYPERV_LAST	0x400001ffU
#define GENID_PIN	16	/* of the I/O APIC; see Documentation/machines.rst */

struct row {
	const char *name;
	uint32_t of;
	unsigned long get;
	unsigned long set;
	bool of_vm;
	uint32_t bytes;
};

/* In the order in which KVM wants them; see libhlk's program.c. */
static const struct row before_msrs[] = {
	{ "SREGS2", LINUX_OF_ALL, KVM_GET_SREGS2, KVM_SET_SREGS2, false,
	  sizeof(struct kvm_sregs2) },
	{ "REGS", LINUX_OF_USER, KVM_GET_REGS, KVM_SET_REGS, false,
	  sizeof(struct kvm_regs) },
	{ "XCRS", LINUX_OF_USER, KVM_GET_XCRS, KVM_SET_XCRS, false,
	  sizeof(struct kvm_xcrs) },
	{ "XSAVE", LINUX_OF_USER, KVM_GET_XSAVE, KVM_SET_XSAVE, false,
	  sizeof(struct kvm_xsave) },
	{ "PIT2", LINUX_OF_ALL, KVM_GET_PIT2, KVM_SET_PIT2, true,
	  sizeof(struct kvm_pit_state2) },
	{ "IRQCHIP of the master PIC", LINUX_OF_ALL, KVM_GET_IRQCHIP,
	  KVM_SET_IRQCHIP, true, sizeof(struct kvm_irqchip) },
	{ "IRQCHIP of the slave PIC", LINUX_OF_ALL, KVM_GET_IRQCHIP,
	  KVM_SET_IRQCHIP, true, sizeof(struct kvm_irqchip) },
	{ "IRQCHIP of the I/O APIC", LINUX_OF_ALL, KVM_GET_IRQCHIP,
	  KVM_SET_IRQCHIP, true, sizeof(struct kvm_irqchip) },
	{ "LAPIC", LINUX_OF_ALL, KVM_GET_LAPIC, KVM_SET_LAPIC, false,
	  sizeof(struct kvm_lapic_state) },
};

static const struct row after_msrs[] = {
	{ "VCPU_EVENTS", LINUX_OF_USER, KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS,
	  false, sizeof(struct kvm_vcpu_events) },
	{ "MP_STATE", LINUX_OF_USER, KVM_GET_MP_STATE, KVM_SET_MP_STATE, false,
	  sizeof(struct kvm_mp_state) },
	{ "DEBUGREGS", LINUX_OF_ALL, KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS, false,
	  sizeof(struct kvm_debugregs) },
	{ "CLOCK", LINUX_OF_ALL, KVM_GET_CLOCK, KVM_SET_CLOCK, true,
	  sizeof(struct kvm_clock_data) },
};

static struct linux_call *add(struct linux_vm *vm, struct linux_state *state,
			      const char *name, uint32_t of, unsigned long cmd,
			      unsigned long get, uint32_t bytes)
{
	struct linux_call *call = &state->call[state->nr];

	*call = (struct linux_call){
		.of = of, .cmd = cmd, .get = get, .bytes = bytes,
	};
	snprintf(call->name, sizeof(call->name), "%s", name);
	call->arg = calloc(1, bytes);
	if (!call->arg) {
		linux_fail(vm, "memory");
		return NULL;
	}
	state->nr++;
	return call;
}

/* KVM says of the clock when it was read, too, and is not to be told that. */
static void only_clock(struct kvm_clock_data *clock)
{
	*clock = (struct kvm_clock_data){ .clock = clock->clock };
}

static int get_list(struct linux_vm *vm, struct linux_state *state,
		    const struct row *row, uint32_t nr)
{
	struct linux_call *call;
	uint32_t chip = 0;

	for (; nr; nr--, row++) {
		call = add(vm, state, row->name, row->of, row->set, row->get,
			   row->bytes);
		if (!call)
			return -1;
		call->of_vm = row->of_vm;
		if (row->set == KVM_SET_IRQCHIP)
			((struct kvm_irqchip *)call->arg)->chip_id = chip++;
		if (ioctl(row->of_vm ? vm->vm : vm->vcpu, row->get, call->arg))
			return linux_fail(vm, row->name);
		if (row->set == KVM_SET_SREGS2)
			linux_tr(&((struct kvm_sregs2 *)call->arg)->tr);
		if (row->set != KVM_SET_CLOCK)
			continue;
		only_clock(call->arg);
		call->when = HLK_PROGRAM_TIME_BACK;
	}
	return 0;
}

static bool one_msr(struct linux_vm *vm, unsigned long cmd, struct kvm_msr_entry *entry)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} one = { .head.nmsrs = 1, .entry = *entry };

	if (ioctl(vm->vcpu, cmd, &one) != 1)
		return false;
	*entry = one.entry;
	return true;
}

/* As in libhlk's program */
static void get_unlisted(struct linux_vm *vm, struct kvm_msrs *msrs)
{
	struct kvm_msr_entry entry;
	uint32_t i, k;

	for (i = 0; i < HLK_UNLISTED; i++) {
		for (k = 0; k < hlk_unlisted[i].nr; k++) {
			entry = (struct kvm_msr_entry){ .index = hlk_unlisted[i].first + k };
			if (!hlk_msr_in(msrs->entries, msrs->nmsrs, entry.index) &&
			    one_msr(vm, KVM_GET_MSRS, &entry) &&
			    one_msr(vm, KVM_SET_MSRS, &entry))
				msrs->entries[msrs->nmsrs++] = entry;
		}
	}
}

/* As libhlk: those that can be read and written; the deadline, which starts a timer, last */
static void get_msrs(struct linux_vm *vm, const struct kvm_msr_list *list,
		     struct linux_state *state)
{
	struct kvm_msr_entry deadline = {}, entry;
	struct kvm_msrs *msrs = state->msrs;
	uint32_t i;

	for (i = 0; i < list->nmsrs; i++) {
		entry = (struct kvm_msr_entry){ .index = list->indices[i] };
		if (entry.index == IA32_TSC || entry.index == WALL_CLOCK ||
		    entry.index == WALL_CLOCK_NEW ||
		    (entry.index >= HYPERV_FIRST && entry.index <= HYPERV_LAST) ||
		    !one_msr(vm, KVM_GET_MSRS, &entry) ||
		    !one_msr(vm, KVM_SET_MSRS, &entry))
			continue;
		if (entry.index == IA32_DEADLINE)
			deadline = entry;
		else
			msrs->entries[msrs->nmsrs++] = entry;
	}
	state->nr_listed = msrs->nmsrs;
	get_unlisted(vm, msrs);
	state->nr_unlisted = msrs->nmsrs - state->nr_listed;
	if (deadline.index)
		msrs->entries[msrs->nmsrs++] = deadline;
}

static int add_msrs(struct linux_vm *vm, struct linux_state *state)
{
	struct kvm_msr_entry tsc = { .index = IA32_TSC };
	struct kvm_msr_list *list;
	struct linux_call *call;
	char name[40];
	int ret = -1;

	/* By the time stamp counter the deadline counts. hlk sets its offset. */
	call = add(vm, state, "MSRS: the TSC", LINUX_OF_USER, KVM_SET_MSRS, KVM_GET_MSRS,
		   sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry));
	list = calloc(1, sizeof(*list) + MAX_MSRS * sizeof(list->indices[0]));
	if (!call || !list || !one_msr(vm, KVM_GET_MSRS, &tsc))
		goto out;
	((struct kvm_msrs *)call->arg)->nmsrs = 1;
	((struct kvm_msrs *)call->arg)->entries[0] = tsc;
	list->nmsrs = MAX_MSRS;
	call = add(vm, state, "MSRS", LINUX_OF_ALL, KVM_SET_MSRS, KVM_GET_MSRS,
		   sizeof(struct kvm_msrs) +
		   (MAX_MSRS + MORE_MSRS) * sizeof(struct kvm_msr_entry));
	if (!call || ioctl(vm->env->kvm, KVM_GET_MSR_INDEX_LIST, list))
		goto out;
	state->msrs = call->arg;
	get_msrs(vm, list, state);
	call->bytes = sizeof(struct kvm_msrs) +
		      state->msrs->nmsrs * sizeof(struct kvm_msr_entry);
	snprintf(name, sizeof(name), "MSRS: %u of them", state->msrs->nmsrs);
	memcpy(call->name, name, sizeof(name));
	ret = 0;
out:
	free(list);
	return ret ? linux_fail(vm, "MSRs") : 0;
}

/*
 * What tells a guest of a restore: that it did not run, if it has KVM's clock and time goes on;
 * and, of those with ACPI, that its generation ID is another.
 */
static int add_telling(struct linux_vm *vm, struct linux_state *state)
{
	struct kvm_msr_entry clock = { .index = KVMCLOCK };
	struct linux_call *call;

	if (one_msr(vm, KVM_GET_MSRS, &clock) && clock.data & 1) {
		call = add(vm, state, "KVMCLOCK_CTRL", LINUX_OF_HLK, KVM_KVMCLOCK_CTRL, 0,
			   sizeof(uint64_t));
		if (!call)
			return -1;
		call->when = HLK_PROGRAM_TIME_GOES_ON;
	}
	call = add(vm, state, "IRQ_LINE of the generation ID", 0, KVM_IRQ_LINE, 0,
		   sizeof(struct kvm_irq_level));
	if (!call)
		return -1;
	call->of_vm = true;
	*(struct kvm_irq_level *)call->arg =
		(struct kvm_irq_level){ .irq = GENID_PIN, .level = 1 };
	return 0;
}

/**
 * linux_get() - read all of a VM's state
 * @vm: the VM, with nothing that waits for the next entry
 * @state: out: the state, to be freed in any case
 *
 * Return: 0 or -1
 */
int linux_get(struct linux_vm *vm, struct linux_state *state)
{
	int ret;

	*state = (struct linux_state){};
	ret = get_list(vm, state, before_msrs,
		       sizeof(before_msrs) / sizeof(*before_msrs));
	if (!ret)
		ret = add_msrs(vm, state);
	ret = ret ?: get_list(vm, state, after_msrs,
			      sizeof(after_msrs) / sizeof(*after_msrs));
	return ret ?: add_telling(vm, state);
}

/* All of it, from user space */
int linux_set(struct linux_vm *vm, const struct linux_state *state)
{
	const struct linux_call *call;
	int ret;

	for (call = state->call; call < state->call + state->nr; call++) {
		if (!(call->of & LINUX_OF_USER))
			continue;
		ret = ioctl(call->of_vm ? vm->vm : vm->vcpu, call->cmd, call->arg);
		if (ret < 0 || (call->cmd == KVM_SET_MSRS &&
				ret != (int)((struct kvm_msrs *)call->arg)->nmsrs))
			return linux_fail(vm, call->name);
	}
	return 0;
}

void linux_state_free(struct linux_state *state)
{
	while (state->nr)
		free(state->call[--state->nr].arg);
}

static uint32_t words(uint32_t bytes)
{
	return (bytes + 7) / 8 * 8;
}

static void *write_program(const struct linux_call *call, uint32_t nr, uint32_t *bytes)
{
	struct hlk_program_header *head;
	struct hlk_program_entry *entry;
	uint32_t at = sizeof(*head) + nr * sizeof(*entry);
	uint32_t i;

	*bytes = at;
	for (i = 0; i < nr; i++)
		*bytes += words(call[i].bytes);
	head = calloc(1, *bytes);
	if (!head)
		return NULL;
	head->size = sizeof(*head);
	head->entry_size = sizeof(*entry);
	head->nr_entries = nr;
	entry = (struct hlk_program_entry *)(head + 1);
	for (i = 0; i < nr; i++, entry++) {
		entry->cmd = call[i].cmd;
		entry->target = call[i].of_vm ? HLK_PROGRAM_VM : 0;
		entry->offset = at;
		entry->bytes = call[i].bytes;
		entry->flags = call[i].when;
		memcpy((uint8_t *)head + at, call[i].arg, call[i].bytes);
		at += words(call[i].bytes);
	}
	return head;
}

/**
 * linux_snapshot() - snapshot a VM
 * @vm: the VM, with nothing that waits for the next entry
 * @call: what its program calls, or NULL: it has none
 * @nr: length of @call
 * @snap: out: the snapshot
 *
 * Return: 0 or -1
 */
int linux_snapshot(struct linux_vm *vm, const struct linux_call *call, uint32_t nr,
		   struct linux_snap *snap)
{
	struct hlk_snapshot arg = { .head.size = sizeof(arg) };
	void *program = NULL;
	int ret;

	*snap = (struct linux_snap){ .fd = -1 };
	if (call) {
		program = write_program(call, nr, &arg.program_bytes);
		if (!program)
			return linux_fail(vm, "memory");
	}
	arg.program = (uintptr_t)program;
	ret = ioctl(vm->hlk, HLK_SNAPSHOT, &arg);
	free(program);
	if (ret)
		return linux_fail(vm, "HLK_SNAPSHOT");
	snap->fd = arg.out_fd;
	if (!call)
		return 0;
	program = mmap(NULL, arg.program_bytes, PROT_READ, MAP_SHARED, snap->fd,
		       HLK_PROGRAM_OFFSET);
	if (program == MAP_FAILED)
		return linux_fail(vm, "mmap of a program");
	snap->program = program;
	snap->bytes = arg.program_bytes;
	return 0;
}

/* To a snapshot that is not the last one */
int linux_restore(struct linux_vm *vm, const struct linux_snap *snap)
{
	struct hlk_restore arg = {
		.head = { .size = sizeof(arg), .flags = HLK_RESTORE_TIME_BACK },
		.snapshot_fd = snap->fd,
		.program = (uintptr_t)snap->program,
	};

	if (ioctl(vm->hlk, HLK_RESTORE, &arg))
		return linux_fail(vm, "HLK_RESTORE");
	return 0;
}

void linux_snap_close(struct linux_snap *snap)
{
	if (snap->program)
		munmap(snap->program, snap->bytes);
	if (snap->fd >= 0)
		close(snap->fd);
	*snap = (struct linux_snap){ .fd = -1 };
}
