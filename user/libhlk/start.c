// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Registers at a guest's first entry: real mode, protected mode without paging,
 * long mode with an identity map. What is not named stays as it is after reset.
 */
#include "start.h"

#include <string.h>

#define CR0_PE		0x00000001U
#define CR0_ET		0x00000010U
#define CR0_PG		0x80000000U
#define CR4_PAE		0x00000020U
#define EFER_LME	0x00000100U
#define EFER_LMA	0x00000400U

#define PAGE		4096U
#define LARGE		(2U << 20)
#define PTE_P		0x001U
#define PTE_W		0x002U
#define PTE_PS		0x080U

#define TYPE_DATA	3	/* read and write, accessed */
#define TYPE_CODE	11	/* execute and read, accessed */
#define TYPE_TSS	11	/* 32 bits, busy */

#define REAL_LIMIT	0xffffU

static void set_data(struct kvm_sregs *sregs, const struct kvm_segment *segment)
{
	sregs->ds = *segment;
	sregs->es = *segment;
	sregs->fs = *segment;
	sregs->gs = *segment;
	sregs->ss = *segment;
}

static void set_system(struct kvm_sregs *sregs)
{
	sregs->tr = (struct kvm_segment) {
		.limit = 0xffff,
		.type = TYPE_TSS,
		.present = 1,
	};
	sregs->ldt = (struct kvm_segment) {
		.unusable = 1,
	};
	memset(&sregs->gdt, 0, sizeof(sregs->gdt));
	memset(&sregs->idt, 0, sizeof(sregs->idt));
}

/**
 * hlk_start_protected() - segments of 4 GiB
 * @sregs: out: segments and tables of segments, and nothing else
 * @cs: selector of the code segment
 * @ds: selector of the others
 */
void hlk_start_protected(struct kvm_sregs *sregs, uint16_t cs, uint16_t ds)
{
	struct kvm_segment segment = {
		.limit = 0xffffffff,
		.selector = ds,
		.type = TYPE_DATA,
		.present = 1,
		.db = 1,
		.s = 1,
		.g = 1,
	};

	set_data(sregs, &segment);
	segment.selector = cs;
	segment.type = TYPE_CODE;
	sregs->cs = segment;
	set_system(sregs);
}

static void set_regs(struct kvm_regs *regs, uint64_t entry)
{
	memset(regs, 0, sizeof(*regs));
	regs->rip = entry;
	regs->rflags = 2;
}

static void set_control(struct kvm_sregs *sregs, uint32_t cr0)
{
	sregs->cr0 = cr0 | CR0_ET;
	sregs->cr2 = 0;
	sregs->cr3 = 0;
	sregs->cr4 = 0;
	sregs->efer = 0;
}

/**
 * hlk_start_real() - start in real mode
 * @regs: out: all but RIP and the flags are 0
 * @sregs: in: after reset. out: segments at 0, but for the code segment of an entry
 *	beyond the first 64 KiB
 * @entry: below 1 MiB
 */
void hlk_start_real(struct kvm_regs *regs, struct kvm_sregs *sregs, uint32_t entry)
{
	struct kvm_segment segment = {
		.limit = REAL_LIMIT,
		.type = TYPE_DATA,
		.present = 1,
		.s = 1,
	};

	set_regs(regs, entry > REAL_LIMIT ? entry & 0xf : entry);
	set_data(sregs, &segment);
	segment.type = TYPE_CODE;
	segment.selector = entry > REAL_LIMIT ? entry >> 4 : 0;
	segment.base = (uint64_t)segment.selector << 4;
	sregs->cs = segment;
	set_system(sregs);
	sregs->gdt.limit = REAL_LIMIT;
	sregs->idt.limit = REAL_LIMIT;
	set_control(sregs, 0);
}

static void set_gdt(struct kvm_sregs *sregs, uint64_t gdt)
{
	sregs->gdt.base = gdt;
	sregs->gdt.limit = HLK_START_GDT * sizeof(uint64_t) - 1;
}

/**
 * hlk_start_32() - start in protected mode, without paging
 * @regs: out: all but RIP and the flags are 0
 * @sregs: in: after reset. out: segments of 4 GiB
 * @entry: where it starts
 * @gdt: where the words of hlk_start_gdt() are
 */
void hlk_start_32(struct kvm_regs *regs, struct kvm_sregs *sregs, uint32_t entry,
		  uint64_t gdt)
{
	set_regs(regs, entry);
	hlk_start_protected(sregs, HLK_START_CS, HLK_START_DS);
	set_gdt(sregs, gdt);
	set_control(sregs, CR0_PE);
}

/**
 * hlk_start_64() - start in long mode
 * @regs: out: all but RIP and the flags are 0
 * @sregs: in: after reset. out: as for 32 bits, but for the code segment
 * @entry: where it starts
 * @gdt: where the words of hlk_start_gdt() are
 * @tables: where the page tables of hlk_start_tables() are
 */
void hlk_start_64(struct kvm_regs *regs, struct kvm_sregs *sregs, uint64_t entry,
		  uint64_t gdt, uint64_t tables)
{
	set_regs(regs, entry);
	hlk_start_protected(sregs, HLK_START_CS, HLK_START_DS);
	sregs->cs.db = 0;
	sregs->cs.l = 1;
	set_gdt(sregs, gdt);
	set_control(sregs, CR0_PE | CR0_PG);
	sregs->cr3 = tables;
	sregs->cr4 = CR4_PAE;
	sregs->efer = EFER_LME | EFER_LMA;
}

/**
 * hlk_start_gdt() - the descriptors that fit the segments above
 * @gdt: out: the table
 * @wide: the code segment is one of long mode
 */
void hlk_start_gdt(uint64_t gdt[HLK_START_GDT], bool wide)
{
	memset(gdt, 0, HLK_START_GDT * sizeof(*gdt));
	gdt[HLK_START_CS / 8] = wide ? 0x00af9b000000ffffULL :
				       0x00cf9b000000ffffULL;
	gdt[HLK_START_DS / 8] = 0x00cf93000000ffffULL;
}

/**
 * hlk_start_tables() - page tables that map the first 4 GiB to themselves
 * @tables: out: the highest level first
 * @gpa: where they will be
 */
void hlk_start_tables(uint64_t tables[HLK_START_TABLES][HLK_START_ENTRIES],
		      uint64_t gpa)
{
	const uint64_t rights = PTE_P | PTE_W;
	uint32_t i;

	memset(tables, 0, (size_t)HLK_START_TABLES * PAGE);
	tables[0][0] = (gpa + PAGE) | rights;
	for (i = 0; i < 4; i++)
		tables[1][i] = (gpa + (2 + i) * PAGE) | rights;
	for (i = 0; i < 4 * HLK_START_ENTRIES; i++)
		tables[2 + i / HLK_START_ENTRIES][i % HLK_START_ENTRIES] =
			(uint64_t)i * LARGE | rights | PTE_PS;
}
