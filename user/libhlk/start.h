/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* Registers at a guest's first entry; see start.c. */
#ifndef LIBHLK_START_H
#define LIBHLK_START_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

/* Entries of the descriptor table that hlk_start_gdt() writes: those that Linux asks for */
#define HLK_START_CS		0x10
#define HLK_START_DS		0x18
#define HLK_START_GDT		4

/* Page tables that hlk_start_tables() writes: 4 GiB, by 2 MiB */
#define HLK_START_TABLES	6
#define HLK_START_ENTRIES	512

void hlk_start_real(struct kvm_regs *regs, struct kvm_sregs *sregs, uint32_t entry);
void hlk_start_protected(struct kvm_sregs *sregs, uint16_t cs, uint16_t ds);
void hlk_start_32(struct kvm_regs *regs, struct kvm_sregs *sregs, uint32_t entry,
		  uint64_t gdt);
void hlk_start_64(struct kvm_regs *regs, struct kvm_sregs *sregs, uint64_t entry,
		  uint64_t gdt, uint64_t tables);
void hlk_start_gdt(uint64_t gdt[HLK_START_GDT], bool wide);
void hlk_start_tables(uint64_t tables[HLK_START_TABLES][HLK_START_ENTRIES],
		      uint64_t gpa);

#endif /* LIBHLK_START_H */
