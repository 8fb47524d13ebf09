// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * What a guest finds at first entry. The page tables are checked by a walker of
 * our own that shares no code with the builder.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../boot.h"
#include "tap.h"

#define PAGE	4096U

/* 1: mapped. @gpa and @writable then say how, with both levels' rights */
static int walk(const struct hlk_plan *plan, const uint32_t *tables, uint32_t va,
		uint32_t *gpa, bool *writable)
{
	uint32_t pde = tables[va >> 22];
	uint32_t table, pte;

	if (!(pde & 1))
		return 0;
	table = (pde & ~0xfffU) - plan->pt_gpa;
	if (pde & 0x84 || table % PAGE || !table ||
	    table / PAGE >= plan->pt_pages)
		return -1;
	pte = tables[table / 4 + ((va >> 12) & 1023)];
	if (!(pte & 1))
		return 0;
	if (pte & 0x204)
		return -1;
	*gpa = pte & ~0xfffU;
	*writable = pde & pte & 2;
	return 1;
}

static bool read_only(const struct hlk_elf *elf, uint32_t page)
{
	bool covered = false;
	uint32_t i;

	for (i = 0; i < elf->nr; i++) {
		uint64_t start = elf->segment[i].gpa;
		uint64_t end = start + elf->segment[i].mem_size;

		if (end <= page || start >= (uint64_t)page + PAGE)
			continue;
		if (elf->segment[i].writable)
			return false;
		covered = true;
	}
	return covered;
}

/* What should be at @va, by the words of the guest ABI */
static int expected(const struct hlk_plan *plan, uint32_t va, uint32_t *gpa,
		    bool *writable)
{
	const struct hlk_guest_boot *boot = &plan->boot;
	uint64_t scratch = (1ULL << 32) - boot->scratch_size;

	if (va >= boot->mem_base && va < boot->mem_end) {
		*gpa = va;
		*writable = !read_only(plan->elf, va);
		return 1;
	}
	if (va < scratch || va == (1ULL << 32) - HLK_GUEST_OFF_GUARD)
		return 0;
	*gpa = boot->scratch_gpa + (va - scratch);
	*writable = true;
	return 1;
}

static bool tables_right(const struct hlk_plan *plan, const uint32_t *tables)
{
	uint32_t gpa = 0, want_gpa = 0;
	bool writable = false, want_writable = false;
	uint64_t va;
	int got, want;

	for (va = 0; va < 1ULL << 32; va += PAGE) {
		got = walk(plan, tables, va, &gpa, &writable);
		want = expected(plan, va, &want_gpa, &want_writable);
		if (got != want || (got && (gpa != want_gpa ||
					    writable != want_writable))) {
			printf("# at 0x%llx: %d 0x%x %d, not %d 0x%x %d\n",
			       (unsigned long long)va, got, gpa, writable, want,
			       want_gpa, want_writable);
			return false;
		}
	}
	return true;
}

static const struct hlk_elf small = {
	.entry = 0x1000,
	.end = 0x6080,
	.nr = 4,
	.segment = {
		{ .gpa = 0x1000, .mem_size = 0x1800, .file_size = 0x1800 },
		{ .gpa = 0x2800, .mem_size = 0x10, .file_size = 0x10 },
		{ .gpa = 0x2900, .mem_size = 0x2000, .file_size = 0x100,
		  .writable = true },
		{ .gpa = 0x6000, .mem_size = 0x80, .file_size = 0 },
	},
};

static void check(const char *what, const struct hlk_config *config)
{
	struct hlk_plan plan;
	uint32_t *tables;
	char line[256];
	struct hlk_err err;
	int ret;

	ret = hlk_plan(&plan, &small, config, &err);
	if (ret) {
		tap(false, "%s: %s", what,
		    hlk_strerror(&err, line, sizeof(line)));
		return;
	}
	/* Exactly as long as was said, so that the sanitizer sees more */
	tables = calloc(plan.pt_pages, PAGE);
	hlk_plan_tables(&plan, tables);
	tap(tables_right(&plan, tables), "tables of %s", what);
	tap(plan.pt_gpa + plan.pt_pages * PAGE <=
	    HLK_GUEST_SCRATCH_TOP - HLK_GUEST_OFF_ALLOC_END,
	    "%s: tables end below the allocator's end", what);
	free(tables);
}

static void test_tables(void)
{
	struct hlk_config config = HLK_CONFIG_INIT;

	check("the defaults", &config);
	config.mem_size = 0x20000;
	config.stack_size = PAGE;
	check("128 KiB of memory", &config);
	config.mem_size = 0x401000;
	check("one page more than 4 MiB", &config);
	config.scratch_size = 0x800000;
	check("8 MiB of scratch", &config);
	config.scratch_size = 0x801000;
	check("one page more than 8 MiB of scratch", &config);
	config.scratch_size = 0;
	config.mem_size = 256U << 20;
	check("256 MiB of memory, scratch grows by itself", &config);
	config.mem_size = 0xf0000000;
	check("nearly all of the address space", &config);
}

static void refused(const char *what, int code, const struct hlk_config *config)
{
	struct hlk_plan plan;
	struct hlk_err err = {};
	char line[256];
	int ret = hlk_plan(&plan, &small, config, &err);

	hlk_strerror(&err, line, sizeof(line));
	tap(ret == -code && err.code == code, "%s refused: %s", what, line);
}

static void test_refused(void)
{
	const struct hlk_config none = HLK_CONFIG_INIT;
	struct hlk_config config = none;

	config.mem_size = 0x10001;
	refused("odd memory", EINVAL, &config);
	config.mem_size = PAGE;
	refused("too little memory", EINVAL, &config);
	config.mem_size = 1ULL << 32;
	refused("4 GiB", EINVAL, &config);
	config.mem_size = UINT64_MAX & ~(uint64_t)(PAGE - 1);
	refused("2^64 bytes", EINVAL, &config);
	config.mem_size = 0x8000;
	refused("no room for the stack", ENOSPC, &config);
	config.mem_size = HLK_GUEST_SCRATCH_TOP;
	refused("no room for scratch", EINVAL, &config);
	config = none;
	config.scratch_size = 0x1000;
	refused("one page of scratch", EINVAL, &config);
	config.scratch_size = 0x48001;
	refused("odd scratch", EINVAL, &config);
	config.scratch_size = 1ULL << 40;
	refused("a TiB of scratch", EINVAL, &config);
	config.scratch_size = HLK_GUEST_SCRATCH_TOP - 0x1000;
	refused("scratch over memory", EINVAL, &config);
	config = none;
	config.input_size = PAGE;
	refused("a small input buffer", EINVAL, &config);
	config.input_size = 0xfffff000;
	refused("a large input buffer", EINVAL, &config);
	config = none;
	config.output_size = 0x2001;
	refused("an odd output buffer", EINVAL, &config);
	config = none;
	config.stack_size = 0xfffff000;
	refused("a large stack", ENOSPC, &config);
	config.stack_size = 1;
	refused("an odd stack", EINVAL, &config);
}

static const struct hlk_segment *at(const struct hlk_segment *segments,
				    uint32_t nr, uint64_t gpa)
{
	while (nr--)
		if (segments[nr].gpa == gpa)
			return &segments[nr];
	return NULL;
}

static void test_segments(void)
{
	const struct hlk_config config = HLK_CONFIG_INIT;
	struct hlk_segment segments[HLK_PLAN_SEGMENTS];
	const struct hlk_segment *found;
	struct hlk_plan_words words;
	struct hlk_plan plan;
	const uint64_t *word;
	uint32_t tables[1];
	uint32_t nr;

	hlk_plan(&plan, &small, &config, NULL);
	nr = hlk_plan_segments(&plan, tables, &words, segments);
	tap(nr == 3 + HLK_PLAN_EXTRA, "segments without those that are zero");
	found = at(segments, nr, HLK_GUEST_SCRATCH_TOP - 0x20);
	word = found ? (const uint64_t *)(uintptr_t)found->data : words.bookkeeping;
	tap(found && found->bytes == 32 && word[0] == 0 &&
	    word[1] == plan.pt_gpa &&
	    word[2] == plan.pt_gpa + plan.pt_pages * PAGE &&
	    word[3] == HLK_GUEST_SCRATCH_SIZE, "bookkeeping");
	found = at(segments, nr, plan.boot.output_gpa);
	tap(found && found->bytes == 8 &&
	    *(const uint64_t *)(uintptr_t)found->data == 8, "output buffer");
	found = at(segments, nr, 0x7000);
	tap(found && found->bytes == sizeof(struct hlk_guest_boot) &&
	    plan.boot_gpa == 0x7000 && plan.boot.heap_start == 0x8000,
	    "parameter block in the first page after the image");
	tap(plan.boot.mem_end == 16U << 20 &&
	    plan.boot.stack_top == plan.boot.mem_end &&
	    plan.boot.output_gpa == plan.boot.input_gpa + 0x4000 &&
	    plan.pt_gpa == plan.boot.output_gpa + 0x4000, "places");
}

static void test_vcpu(void)
{
	const struct hlk_config config = HLK_CONFIG_INIT;
	struct kvm_sync_regs regs;
	struct hlk_plan plan;

	memset(&regs, 0xa5, sizeof(regs));
	regs.sregs.apic_base = 0xfee00900;
	hlk_plan(&plan, &small, &config, NULL);
	hlk_plan_vcpu(&plan, 7, 3, &regs);
	tap(regs.regs.rip == small.entry && regs.regs.rflags == 2 &&
	    regs.regs.rsp == plan.boot.stack_top &&
	    regs.regs.rdi == plan.boot_gpa && regs.regs.rsi == 7 &&
	    regs.regs.rdx == PAGE && regs.regs.rcx == 3 && !regs.regs.rax,
	    "general registers");
	tap(regs.sregs.cr0 == 0x80010011 && !regs.sregs.cr4 &&
	    !regs.sregs.efer && regs.sregs.cr3 == plan.pt_gpa &&
	    regs.sregs.apic_base == 0xfee00900, "control registers");
	tap(regs.sregs.cs.selector == 8 && regs.sregs.cs.type == 11 &&
	    regs.sregs.cs.db && regs.sregs.cs.g && !regs.sregs.cs.l &&
	    regs.sregs.ss.selector == 16 && regs.sregs.ss.type == 3 &&
	    regs.sregs.ss.limit == 0xffffffff && regs.sregs.tr.type == 11 &&
	    !regs.sregs.tr.s && regs.sregs.ldt.unusable, "segments");
}

int main(void)
{
	test_tables();
	test_refused();
	test_segments();
	test_vcpu();
	return tap_done();
}
