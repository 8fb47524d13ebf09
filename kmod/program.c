// SPDX-License-Identifier: GPL-2.0-only
/*
 * State programs: what they may be. A program is calls of KVM that put back what the
 * module cannot reach itself, with their arguments. It is copied and checked once,
 * when its snapshot is made; replay.c makes the calls.
 */
#include <linux/nospec.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "hlk.h"
#include "program.h"

/* KVM takes fewer than so many MSRs at once. */
#define MAX_MSRS	256

struct program_row;

/**
 * struct program_new - an entry that is being looked at
 * @program: the program, whose pages are there
 * @nr: number of the entry
 * @entry: the entry, copied
 * @row: what is known of its call
 * @call: what becomes of it
 * @at: the reason of a failure
 */
struct program_new {
	struct hlk_program *program;
	u32 nr;
	struct hlk_program_entry entry;
	const struct program_row *row;
	struct hlk_program_call *call;
	struct hlk_why_at *at;
};

/**
 * struct program_row - a call that programs may make
 * @cmd: KVM's ioctl
 * @of_vm: of the VM, not of a vCPU
 * @part: what it brings back
 * @sync: KVM_SYNC_X86_* that it sets
 * @look: looks at the argument; the default wants the size of the ioctl's struct
 */
struct program_row {
	unsigned int cmd;
	bool of_vm;
	enum hlk_program_part part;
	u32 sync;
	int (*look)(struct program_new *new);
};

/**
 * hlk_program_read() - bytes of a program
 * @program: the program
 * @offset: where they are; inside, with all of them
 * @to: where they go
 * @bytes: how many
 */
void hlk_program_read(const struct hlk_program *program, u32 offset, void *to, u32 bytes)
{
	u32 piece;

	for (; bytes; bytes -= piece, offset += piece, to += piece) {
		piece = min_t(u32, bytes, PAGE_SIZE - offset_in_page(offset));
		memcpy(to, page_address(program->pages[offset >> PAGE_SHIFT]) +
		       offset_in_page(offset), piece);
	}
}

#define ENTRY(_field)	offsetof(struct hlk_program_entry, _field)
#define HEADER(_field)	offsetof(struct hlk_program_header, _field)

static int program_wrong(struct program_new *new, int err, u32 field)
{
	return hlk_fail(new->at, err, HLK_WHY_PROGRAM_ENTRY, new->nr, field);
}

static int look_struct(struct program_new *new)
{
	if (new->entry.bytes != _IOC_SIZE(new->entry.cmd))
		return program_wrong(new, -EINVAL, ENTRY(bytes));
	return 0;
}

/* A number, which KVM takes as it is */
static int look_value(struct program_new *new)
{
	u64 value;

	if (new->entry.bytes != sizeof(value))
		return program_wrong(new, -EINVAL, ENTRY(bytes));
	hlk_program_read(new->program, new->entry.offset, &value, sizeof(value));
	if (value > U32_MAX)
		return program_wrong(new, -EINVAL, ENTRY(offset));
	new->call->by_value = true;
	new->call->value = value;
	return 0;
}

static void program_does(struct program_new *new, enum hlk_program_part part, u32 bit)
{
	/* not in each restore of one time */
	if (new->entry.flags & HLK_PROGRAM_FRESH)
		return;
	if (!(new->entry.flags & HLK_PROGRAM_TIME_BACK))
		new->program->does[false][part] |= BIT(bit);
	if (!(new->entry.flags & HLK_PROGRAM_TIME_GOES_ON))
		new->program->does[true][part] |= BIT(bit);
}

/*
 * KVM returns how many it took. Which MSRs its guest can write the caller knows, but for
 * one: what SWAPGS writes no filter closes, so a list without it does not do.
 */
static int look_msrs(struct program_new *new)
{
	struct kvm_msrs msrs;
	u32 index;
	u32 i;

	if (new->entry.bytes < sizeof(msrs))
		return program_wrong(new, -EINVAL, ENTRY(bytes));
	hlk_program_read(new->program, new->entry.offset, &msrs, sizeof(msrs));
	if (msrs.nmsrs >= MAX_MSRS ||
	    new->entry.bytes != struct_size(&msrs, entries, msrs.nmsrs))
		return program_wrong(new, -EINVAL, ENTRY(bytes));
	new->call->success = msrs.nmsrs;
	for (i = 0; i < msrs.nmsrs; i++) {
		hlk_program_read(new->program, new->entry.offset +
				 offsetof(struct kvm_msrs, entries[i]),
				 &index, sizeof(index));
		if (index == MSR_KERNEL_GS_BASE)
			program_does(new, HLK_PROGRAM_MSRS, new->entry.target);
	}
	return 0;
}

/* How much KVM reads is known when there is a vCPU. */
static int look_xsave(struct program_new *new)
{
	u32 *xsave = &new->program->xsave[new->entry.target];

	if (new->entry.bytes < sizeof(struct kvm_xsave))
		return program_wrong(new, -EINVAL, ENTRY(bytes));
	*xsave = min(*xsave ?: U32_MAX, new->entry.bytes);
	return 0;
}

static int look_nested(struct program_new *new)
{
	struct kvm_nested_state state;

	if (new->entry.bytes < sizeof(state))
		return program_wrong(new, -EINVAL, ENTRY(bytes));
	hlk_program_read(new->program, new->entry.offset, &state, sizeof(state));
	if (state.size > new->entry.bytes)
		return program_wrong(new, -EINVAL, ENTRY(bytes));
	return 0;
}

static int look_sregs2(struct program_new *new)
{
	struct kvm_sregs2 sregs;
	int ret = look_struct(new);

	if (ret)
		return ret;
	hlk_program_read(new->program, new->entry.offset, &sregs, sizeof(sregs));
	if (sregs.flags & KVM_SREGS2_FLAGS_PDPTRS_VALID)
		program_does(new, HLK_PROGRAM_PDPTRS, new->entry.target);
	return 0;
}

static int look_irqchip(struct program_new *new)
{
	struct kvm_irqchip chip;
	int ret = look_struct(new);

	if (ret)
		return ret;
	hlk_program_read(new->program, new->entry.offset, &chip, sizeof(chip));
	/* KVM refuses others */
	if (chip.chip_id < KVM_NR_IRQCHIPS)
		program_does(new, HLK_PROGRAM_CHIPS, chip.chip_id);
	return 0;
}

static int look_pit(struct program_new *new)
{
	program_does(new, HLK_PROGRAM_PIT, 0);
	return look_struct(new);
}

/* Made before all else, in each restore; what KVM says is not wanted. */
static int look_starts(struct program_new *new)
{
	if (new->entry.flags)
		return program_wrong(new, -EINVAL, ENTRY(flags));
	new->call->first = true;
	return look_struct(new);
}

/*
 * All that a program may call. All put back what a KVM_GET_* told, but for the interrupt,
 * for one that has KVM take what it shows to nobody, and for one by which a guest knows that
 * it did not run.
 */
static const struct program_row program_rows[] = {
	{ KVM_SET_IRQCHIP, .of_vm = true, .look = look_irqchip },
	{ KVM_SET_PIT2, .of_vm = true, .look = look_pit },
	{ KVM_SET_CLOCK, .of_vm = true },
	{ KVM_IRQ_LINE, .of_vm = true },
	{ KVM_SET_REGS, .sync = KVM_SYNC_X86_REGS },
	{ KVM_SET_SREGS, .sync = KVM_SYNC_X86_SREGS },
	{ KVM_SET_SREGS2, .sync = KVM_SYNC_X86_SREGS, .look = look_sregs2 },
	{ KVM_SET_VCPU_EVENTS, .sync = KVM_SYNC_X86_EVENTS },
	{ KVM_SET_FPU, .part = HLK_PROGRAM_FPU },
	{ KVM_SET_XSAVE, .part = HLK_PROGRAM_FPU, .look = look_xsave },
	{ KVM_SET_XCRS, .part = HLK_PROGRAM_XCRS },
	{ KVM_SET_DEBUGREGS, .part = HLK_PROGRAM_DEBUGREGS },
	{ KVM_SET_MP_STATE, .part = HLK_PROGRAM_MP_STATE },
	{ KVM_GET_MP_STATE, .part = HLK_PROGRAM_STARTS, .look = look_starts },
	{ KVM_SET_LAPIC, .part = HLK_PROGRAM_LAPIC },
	{ KVM_SET_MSRS, .look = look_msrs },
	{ KVM_SET_TSC_KHZ, .part = HLK_PROGRAM_TSC_KHZ, .look = look_value },
	{ KVM_KVMCLOCK_CTRL, .look = look_value },
	{ KVM_SET_NESTED_STATE, .part = HLK_PROGRAM_NESTED, .look = look_nested },
};

static const struct program_row *program_row(unsigned int cmd)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(program_rows); i++)
		if (program_rows[i].cmd == cmd)
			return &program_rows[i];
	return NULL;
}

/* Where the argument is, and whom the call is for */
static int program_place(struct program_new *new, u32 first)
{
	struct hlk_program_entry *entry = &new->entry;

	if (entry->offset < first || entry->offset > new->program->bytes ||
	    !IS_ALIGNED(entry->offset, sizeof(u64)))
		return program_wrong(new, -EINVAL, ENTRY(offset));
	if (entry->bytes > new->program->bytes - entry->offset)
		return program_wrong(new, -EINVAL, ENTRY(bytes));
	if (new->row->of_vm)
		return entry->target == HLK_PROGRAM_VM ? 0 :
		       program_wrong(new, -EINVAL, ENTRY(target));
	if (entry->target >= HLK_MAX_VCPUS)
		return program_wrong(new, -EINVAL, ENTRY(target));
	entry->target = array_index_nospec(entry->target, HLK_MAX_VCPUS);
	return 0;
}

static int program_entry(struct program_new *new, u32 first, bool compact)
{
	const struct hlk_program_entry *entry = &new->entry;
	const u32 times = HLK_PROGRAM_TIME_GOES_ON | HLK_PROGRAM_TIME_BACK;
	int ret;

	if (memchr_inv(entry->__reserved, 0, sizeof(entry->__reserved)))
		return program_wrong(new, -EOPNOTSUPP, ENTRY(__reserved));
	if (entry->flags & ~(times | HLK_PROGRAM_FRESH))
		return program_wrong(new, -EOPNOTSUPP, ENTRY(flags));
	new->row = program_row(entry->cmd);
	if (!new->row)
		return hlk_fail(new->at, -EOPNOTSUPP, HLK_WHY_PROGRAM_CMD, new->nr,
				entry->cmd);
	/* who loads registers cannot depend on the restore */
	if ((entry->flags & times) == times || (entry->flags && new->row->sync))
		return program_wrong(new, -EINVAL, ENTRY(flags));
	if (compact && new->row->sync & KVM_SYNC_X86_SREGS)
		return hlk_fail(new->at, -EINVAL, HLK_WHY_PROGRAM_COMPACT, new->nr, 0);
	ret = program_place(new, first);
	if (ret)
		return ret;
	new->call->cmd = entry->cmd;
	new->call->target = entry->target;
	new->call->offset = entry->offset;
	new->call->when = entry->flags;
	ret = new->row->look ? new->row->look(new) : look_struct(new);
	if (ret || new->row->of_vm)
		return ret;
	new->program->vcpus |= BIT(entry->target);
	new->program->sets[entry->target] |= new->row->sync;
	program_does(new, new->row->part, entry->target);
	return 0;
}

static int program_bad_header(struct hlk_why_at *at, int err, u32 field)
{
	return hlk_fail(at, err, HLK_WHY_PROGRAM_HEADER, 0, field);
}

static int program_check(struct hlk_program *program, bool compact,
			 struct hlk_why_at *at)
{
	struct program_new new = { .program = program, .at = at };
	struct hlk_program_header header;
	u32 first;
	int ret;

	hlk_program_read(program, 0, &header, sizeof(header));
	if (header.size != sizeof(header))
		return program_bad_header(at, -EINVAL, HEADER(size));
	if (header.entry_size != sizeof(new.entry))
		return program_bad_header(at, -EINVAL, HEADER(entry_size));
	if (header.flags)
		return program_bad_header(at, -EOPNOTSUPP, HEADER(flags));
	if (memchr_inv(header.__reserved, 0, sizeof(header.__reserved)))
		return program_bad_header(at, -EOPNOTSUPP, HEADER(__reserved));
	if (header.nr_entries > HLK_MAX_PROGRAM_ENTRIES)
		return program_bad_header(at, -E2BIG, HEADER(nr_entries));
	first = sizeof(header) + header.nr_entries * sizeof(new.entry);
	if (first > program->bytes)
		return hlk_fail(at, -EINVAL, HLK_WHY_PROGRAM_SIZE, 0, first);
	program->calls = kvcalloc(header.nr_entries, sizeof(*program->calls), HLK_GFP);
	if (!program->calls)
		return -ENOMEM;
	program->nr_calls = header.nr_entries;
	for (; new.nr < header.nr_entries; new.nr++) {
		hlk_program_read(program, sizeof(header) + new.nr * sizeof(new.entry),
				 &new.entry, sizeof(new.entry));
		new.call = &program->calls[new.nr];
		ret = program_entry(&new, first, compact);
		if (ret)
			return ret;
	}
	return 0;
}

static int program_copy(struct hlk_program *program, u64 user)
{
	u32 nr = DIV_ROUND_UP(program->bytes, PAGE_SIZE);
	struct page *page;
	u32 at;

	for (; program->nr_pages < nr; program->nr_pages++) {
		page = hlk_page_alloc(__GFP_ZERO);
		if (!page)
			return -ENOMEM;
		program->pages[program->nr_pages] = page;
		at = program->nr_pages * PAGE_SIZE;
		if (copy_from_user(page_address(page), u64_to_user_ptr(user + at),
				   min_t(u32, program->bytes - at, PAGE_SIZE))) {
			program->nr_pages++;
			return -EFAULT;
		}
		if (fatal_signal_pending(current)) {
			program->nr_pages++;
			return -EINTR;
		}
	}
	return 0;
}

/**
 * hlk_program_new() - take a state program from user space
 * @user: a user pointer to it
 * @bytes: its size; 0 if there is none
 * @compact: for a compact snapshot
 * @at: the reason of a failure
 *
 * Return: the program, checked but for the vCPUs that there are; NULL if there is
 * none; or an ERR_PTR(): -E2BIG, -EINVAL, -EOPNOTSUPP, -EFAULT, -EINTR, -ENOMEM
 */
struct hlk_program *hlk_program_new(u64 user, u32 bytes, bool compact,
				    struct hlk_why_at *at)
{
	struct hlk_program *program;
	int ret;

	if (!bytes)
		return NULL;
	if (bytes > HLK_MAX_PROGRAM)
		return ERR_PTR(hlk_fail(at, -E2BIG, HLK_WHY_PROGRAM_SIZE, 0,
					HLK_MAX_PROGRAM));
	if (bytes < sizeof(struct hlk_program_header))
		return ERR_PTR(hlk_fail(at, -EINVAL, HLK_WHY_PROGRAM_SIZE, 0,
					sizeof(struct hlk_program_header)));
	if (!IS_ALIGNED(bytes, sizeof(u64)))
		return ERR_PTR(hlk_fail(at, -EINVAL, HLK_WHY_PROGRAM_SIZE, 0,
					round_up(bytes, sizeof(u64))));
	program = kvzalloc(struct_size(program, pages, DIV_ROUND_UP(bytes, PAGE_SIZE)),
			   HLK_GFP);
	if (!program)
		return ERR_PTR(-ENOMEM);
	program->bytes = bytes;
	ret = program_copy(program, user);
	if (!ret)
		ret = program_check(program, compact, at);
	if (!ret)
		return program;
	hlk_program_free(program);
	return ERR_PTR(ret);
}

/**
 * hlk_program_settle() - have a snapshot's program and its vCPUs fit each other
 * @snap: the snapshot that is being made, with its vCPUs
 * @at: the reason of a failure
 *
 * Return: 0, or -EINVAL for a vCPU that it has not
 */
int hlk_program_settle(struct hlk_snap *snap, struct hlk_why_at *at)
{
	const struct hlk_program *program = snap->program;
	u32 i;

	if (!program)
		return 0;
	for (i = 0; i < program->nr_calls; i++)
		if (program->calls[i].target != HLK_PROGRAM_VM &&
		    program->calls[i].target >= snap->nr_vcpus)
			return hlk_fail(at, -EINVAL, HLK_WHY_PROGRAM_ENTRY, i,
					ENTRY(target));
	for (i = 0; i < snap->nr_vcpus; i++)
		if (program->sets[i])
			hlk_vcpu_loads(snap, i, HLK_SYNC_ALL & ~program->sets[i]);
	return 0;
}
