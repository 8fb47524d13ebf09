// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * What a guest finds in memory and registers at its first entry: the places of
 * everything, the first page tables, the bookkeeping words, the vCPU's state.
 *
 * Numbers in, bytes out: no system call here.
 */
#include "boot.h"
#include "start.h"

#include <errno.h>
#include <string.h>

#define PAGE		HLK_GUEST_PAGE_SIZE
#define ENTRIES		1024
#define SLOT		(PAGE * ENTRIES)
#define PTE_P		0x001U
#define PTE_W		0x002U
#define PTE_A		0x020U
#define PTE_D		0x040U

static const char op[] = "cannot lay out the guest";

static uint64_t page_up(uint64_t bytes)
{
	return (bytes + PAGE - 1) & ~(uint64_t)(PAGE - 1);
}

static uint32_t or_default(uint32_t value, uint32_t fallback)
{
	return value ? value : fallback;
}

static uint32_t scratch_va(const struct hlk_plan *plan)
{
	return plan->boot.scratch_gpa + HLK_GUEST_SCRATCH_DELTA;
}

/* The directory, and a table for each 4 MiB slot that has a mapping */
static uint32_t count_tables(uint32_t mem_end, uint64_t scratch_size)
{
	uint32_t low = (mem_end + SLOT - 1) / SLOT;
	uint32_t high = (scratch_size + SLOT - 1) / SLOT;

	return 1 + (low + high > ENTRIES ? ENTRIES : low + high);
}

static int check_size(struct hlk_err *err, const char *name, uint64_t bytes,
		      uint64_t min)
{
	if (bytes < min || bytes % PAGE)
		return hlk_err_text(err, EINVAL, HLK_WHAT_ARGUMENT, op,
				    "%s of %llu bytes is less than %llu or not a multiple of %u",
				    name, (unsigned long long)bytes,
				    (unsigned long long)min, PAGE);
	return 0;
}

static int plan_sizes(struct hlk_plan *plan, const struct hlk_config *config,
		      struct hlk_err *err)
{
	struct hlk_guest_boot *boot = &plan->boot;
	uint64_t mem = config->mem_size ? config->mem_size : HLK_DEFAULT_MEM;
	int ret;

	ret = check_size(err, "memory", mem, 2 * PAGE);
	if (ret)
		return ret;
	if (mem > HLK_GUEST_SCRATCH_TOP)
		return hlk_err_text(err, EINVAL, HLK_WHAT_ARGUMENT, op,
				    "memory of %llu bytes reaches above 0x%x",
				    (unsigned long long)mem,
				    HLK_GUEST_SCRATCH_TOP);
	boot->size = sizeof(*boot);
	boot->mem_base = HLK_GUEST_MEM_BASE;
	boot->mem_end = mem;
	boot->stack_top = mem;
	boot->stack_size = or_default(config->stack_size, HLK_DEFAULT_STACK);
	boot->input_size = or_default(config->input_size,
				      HLK_GUEST_BUFFER_SIZE);
	boot->output_size = or_default(config->output_size,
				       HLK_GUEST_BUFFER_SIZE);
	ret = check_size(err, "stack", boot->stack_size, PAGE);
	if (!ret)
		ret = check_size(err, "input buffer", boot->input_size,
				 HLK_GUEST_BUFFER_MIN);
	if (!ret)
		ret = check_size(err, "output buffer", boot->output_size,
				 HLK_GUEST_BUFFER_MIN);
	return ret;
}

/* The smallest scratch that holds its own page tables */
static uint64_t least_scratch(const struct hlk_plan *plan)
{
	uint64_t fixed = (uint64_t)plan->boot.input_size +
			 plan->boot.output_size + HLK_GUEST_SCRATCH_EXTRA;
	uint64_t least = fixed;
	uint64_t before;

	do {
		before = least;
		least = fixed + (uint64_t)PAGE *
			count_tables(plan->boot.mem_end, before);
	} while (least != before);
	return least;
}

static int plan_scratch(struct hlk_plan *plan, uint64_t size,
			struct hlk_err *err)
{
	struct hlk_guest_boot *boot = &plan->boot;
	uint64_t least = least_scratch(plan);
	int ret;

	if (!size)
		size = least < HLK_GUEST_SCRATCH_SIZE ? HLK_GUEST_SCRATCH_SIZE :
							least;
	ret = check_size(err, "scratch", size, PAGE);
	if (ret)
		return ret;
	if (size < least)
		return hlk_err_where(err, EINVAL, HLK_WHAT_SCRATCH_SIZE, least,
				     op);
	if (size > HLK_GUEST_SCRATCH_TOP - boot->mem_end)
		return hlk_err_text(err, EINVAL, HLK_WHAT_ARGUMENT, op,
				    "memory of 0x%x and scratch of 0x%llx bytes overlap",
				    boot->mem_end, (unsigned long long)size);
	boot->scratch_size = size;
	boot->scratch_gpa = HLK_GUEST_SCRATCH_TOP - size;
	boot->input_gpa = boot->scratch_gpa;
	boot->output_gpa = boot->input_gpa + boot->input_size;
	plan->pt_gpa = boot->output_gpa + boot->output_size;
	plan->pt_pages = count_tables(boot->mem_end, size);
	return 0;
}

static int plan_heap(struct hlk_plan *plan, struct hlk_err *err)
{
	struct hlk_guest_boot *boot = &plan->boot;
	uint64_t heap;

	/* The parameter block takes the first page after the image. */
	heap = page_up(plan->elf->end) + PAGE;
	if (heap + boot->stack_size > boot->stack_top)
		return hlk_err_where(err, ENOSPC, HLK_WHAT_IMAGE_SIZE,
				     heap + boot->stack_size, op);
	plan->boot_gpa = heap - PAGE;
	boot->heap_start = heap;
	return 0;
}

/**
 * hlk_plan() - decide where everything goes
 * @plan: out: the places; points to @elf
 * @elf: the image
 * @config: what was asked for
 * @err: out: why it cannot be
 *
 * Return: 0, -EINVAL or -ENOSPC
 */
int hlk_plan(struct hlk_plan *plan, const struct hlk_elf *elf,
	     const struct hlk_config *config, struct hlk_err *err)
{
	int ret;

	memset(plan, 0, sizeof(*plan));
	plan->elf = elf;
	ret = plan_sizes(plan, config, err);
	if (!ret)
		ret = plan_scratch(plan, config->scratch_size, err);
	if (!ret)
		ret = plan_heap(plan, err);
	return ret;
}

/**
 * hlk_plan_windows() - the windows of a sandbox
 * @mem_end: end of the guest's low memory
 * @scratch_size: bytes of scratch
 * @windows: out: low memory, then scratch
 *
 * Pages that the guest took from scratch and mapped elsewhere move to low memory
 * in a compact snapshot, so its window goes on behind @mem_end, with room for
 * all of scratch. Room that is not used costs nothing.
 */
void hlk_plan_windows(uint64_t mem_end, uint64_t scratch_size,
		      struct hlk_window windows[2])
{
	uint64_t scratch = HLK_GUEST_SCRATCH_TOP - scratch_size;
	uint64_t end = mem_end + scratch_size;

	memset(windows, 0, 2 * sizeof(*windows));
	windows[0].gpa = HLK_GUEST_MEM_BASE;
	windows[0].bytes = (end < scratch ? end : scratch) - HLK_GUEST_MEM_BASE;
	windows[1].gpa = scratch;
	windows[1].bytes = scratch_size;
	windows[1].flags = HLK_WINDOW_SCRATCH;
}

/**
 * struct builder - page tables that are being written
 * @gpa: where the first page, the directory, will be
 * @tables: the pages
 * @used: how many of them are in use
 */
struct builder {
	uint32_t gpa;
	uint32_t *tables;
	uint32_t used;
};

static uint32_t *find_entry(struct builder *builder, uint32_t va)
{
	uint32_t *pde = &builder->tables[va / SLOT];

	/*
	 * Accessed is set beforehand, here and in the leaves, and so is dirty:
	 * else the processor would set them, and each table would become a
	 * private page of each sandbox.
	 */
	if (!*pde)
		*pde = (builder->gpa + PAGE * builder->used++) |
		       PTE_P | PTE_W | PTE_A;
	return builder->tables + (*pde - builder->gpa) / PAGE * ENTRIES +
	       va / PAGE % ENTRIES;
}

static void map(struct builder *builder, uint32_t va, uint32_t gpa,
		uint32_t bytes)
{
	uint32_t at;

	for (at = 0; at < bytes; at += PAGE)
		*find_entry(builder, va + at) = (gpa + at) | PTE_P | PTE_W |
						PTE_A | PTE_D;
}

static void set_rights(struct builder *builder, const struct hlk_elf *elf,
		       bool writable)
{
	const struct hlk_elf_segment *segment;
	uint64_t at, end;
	uint32_t i;

	for (i = 0; i < elf->nr; i++) {
		segment = &elf->segment[i];
		if (segment->writable != writable)
			continue;
		end = (uint64_t)segment->gpa + segment->mem_size;
		for (at = segment->gpa / PAGE * PAGE; at < end; at += PAGE) {
			if (writable)
				*find_entry(builder, at) |= PTE_W | PTE_D;
			else
				*find_entry(builder, at) &= ~(PTE_W | PTE_D);
		}
	}
}

/**
 * hlk_plan_tables() - write the first page tables
 * @plan: the places
 * @tables: out: @pt_pages of @plan, zeroed
 */
void hlk_plan_tables(const struct hlk_plan *plan, uint32_t *tables)
{
	const struct hlk_guest_boot *boot = &plan->boot;
	struct builder builder = {
		.gpa = plan->pt_gpa,
		.tables = tables,
		.used = 1,
	};

	map(&builder, boot->mem_base, boot->mem_base,
	    boot->mem_end - boot->mem_base);
	/* Where both kinds of segment share a page, it has to be writable. */
	set_rights(&builder, plan->elf, false);
	set_rights(&builder, plan->elf, true);
	map(&builder, scratch_va(plan), boot->scratch_gpa, boot->scratch_size);
	*find_entry(&builder, 0U - HLK_GUEST_OFF_GUARD) = 0;
}

/**
 * hlk_plan_segments() - list what is in memory at first
 * @plan: the places
 * @tables: the page tables
 * @words: memory for some of the segments
 * @segments: out: HLK_PLAN_SEGMENTS at most; they point to all of the above
 *
 * Return: how many
 */
uint32_t hlk_plan_segments(const struct hlk_plan *plan, const uint32_t *tables,
			   struct hlk_plan_words *words,
			   struct hlk_segment *segments)
{
	const struct hlk_guest_boot *boot = &plan->boot;
	const struct hlk_elf *elf = plan->elf;
	const struct hlk_segment extra[HLK_PLAN_EXTRA] = {
		{ plan->boot_gpa, sizeof(*boot), (uintptr_t)boot },
		{ boot->input_gpa, sizeof(words->empty),
		  (uintptr_t)&words->empty },
		{ boot->output_gpa, sizeof(words->empty),
		  (uintptr_t)&words->empty },
		{ plan->pt_gpa, (uint64_t)plan->pt_pages * PAGE,
		  (uintptr_t)tables },
		{ HLK_GUEST_SCRATCH_TOP - HLK_GUEST_OFF_GENERATION,
		  sizeof(words->bookkeeping), (uintptr_t)words->bookkeeping },
	};
	uint32_t nr = 0;
	uint32_t i;

	words->empty = HLK_GUEST_BUFFER_EMPTY;
	words->bookkeeping[0] = 0;
	words->bookkeeping[1] = plan->pt_gpa;
	words->bookkeeping[2] = plan->pt_gpa + plan->pt_pages * PAGE;
	words->bookkeeping[3] = boot->scratch_size;
	for (i = 0; i < elf->nr; i++) {
		if (!elf->segment[i].file_size)
			continue;
		segments[nr].gpa = elf->segment[i].gpa;
		segments[nr].bytes = elf->segment[i].file_size;
		segments[nr++].data = (uintptr_t)elf->segment[i].data;
	}
	memcpy(segments + nr, extra, sizeof(extra));
	return nr + HLK_PLAN_EXTRA;
}

_Static_assert(HLK_GUEST_OFF_GENERATION == 4 * sizeof(uint64_t) &&
	       HLK_GUEST_OFF_PT_BASE == 3 * sizeof(uint64_t) &&
	       HLK_GUEST_OFF_ALLOC == 2 * sizeof(uint64_t) &&
	       HLK_GUEST_OFF_SIZE == 1 * sizeof(uint64_t),
	       "struct hlk_plan_words lists the bookkeeping words in order");

/**
 * hlk_plan_vcpu() - write the vCPU's state at first entry
 * @plan: the places
 * @seed: for ESI
 * @log_level: for ECX
 * @regs: in: the state after reset. out: the state at first entry
 */
void hlk_plan_vcpu(const struct hlk_plan *plan, uint32_t seed,
		   uint32_t log_level, struct kvm_sync_regs *regs)
{
	regs->regs = (struct kvm_regs) {
		.rip = plan->elf->entry,
		.rsp = plan->boot.stack_top,
		.rdi = plan->boot_gpa,
		.rsi = seed,
		.rdx = PAGE,
		.rcx = log_level,
		.rflags = 2,
	};
	hlk_start_protected(&regs->sregs, HLK_GUEST_CS, HLK_GUEST_DS);
	regs->sregs.cr0 = HLK_GUEST_CR0;
	regs->sregs.cr2 = 0;
	regs->sregs.cr3 = plan->pt_gpa;
	regs->sregs.cr4 = 0;
	regs->sregs.efer = 0;
}
