// SPDX-License-Identifier: GPL-2.0-only
/* State programs: made, given to a snapshot, mapped. */
#include "prog.h"

void prog_begin(struct prog *p)
{
	memset(p, 0, sizeof(*p));
	p->header.size = sizeof(p->header);
	p->header.entry_size = sizeof(p->entry[0]);
	p->bytes = offsetof(struct prog, args);
}

/* The argument's place */
void *prog_add(struct prog *p, u32 cmd, u32 target, const void *arg, u32 bytes)
{
	struct hlk_program_entry *entry = &p->entry[p->header.nr_entries++];
	void *at = (u8 *)p + p->bytes;

	t_must(p->header.nr_entries <= PROG_ENTRIES);
	t_must(p->bytes + bytes <= offsetof(struct prog, bytes));
	entry->cmd = cmd;
	entry->target = target;
	entry->offset = p->bytes;
	entry->bytes = bytes;
	memcpy(at, arg, bytes);
	p->bytes += (bytes + 7) & ~7U;
	return at;
}

/* A program of one MSR */
void prog_msr(struct prog *p, u32 index, u64 data)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} one = { .head.nmsrs = 1, .entry = { index, 0, data } };

	prog_begin(p);
	prog_add(p, KVM_SET_MSRS, 0, &one, sizeof(one));
}

int prog_snapshot(int vm, struct prog *p)
{
	struct hlk_snapshot s = {
		.program = (uintptr_t)p,
		.program_bytes = p->bytes,
	};

	return hlk_snapshot(vm, &s);
}

/**
 * prog_residue() - what stays residue with a program that has all calls
 * @irqchip: whether the VM has interrupt controllers
 *
 * With VMX KVM makes a page for the local APIC, which is memory to a guest that may write
 * IA32_APIC_BASE, as those of these tests may; see restore.rst.
 *
 * Return: HLK_RESIDUE_* bits
 */
u32 prog_residue(bool irqchip)
{
	return irqchip && !access("/sys/module/kvm_intel", F_OK) ? HLK_RESIDUE_IRQCHIP : 0;
}

u64 prog_size(int snap)
{
	struct hlk_snapshot_info info = {};

	hlk_snapshot_info(snap, &info);
	return (info.program_bytes + PAGE - 1) & ~(PAGE - 1);
}

void *prog_map(int snap)
{
	return mmap(NULL, prog_size(snap), PROT_READ, MAP_SHARED, snap,
		    HLK_PROGRAM_OFFSET);
}

int prog_restore(int vm, int snap, const void *at, u32 flags, struct hlk_restore *r)
{
	struct hlk_restore local;

	r = r ?: &local;
	*r = (struct hlk_restore)HLK_STRUCT(hlk_restore);
	r->head.flags = flags;
	r->snapshot_fd = snap;
	r->program = (uintptr_t)at;
	return hlk_call(vm, HLK_RESTORE, r);
}
