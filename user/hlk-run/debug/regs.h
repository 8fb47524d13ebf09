/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run --gdb, --core: registers of a processor, and what gdb calls them. */
#ifndef HLK_RUN_DEBUG_REGS_H
#define HLK_RUN_DEBUG_REGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* indexes of @gpr, in the order of the instruction set */
enum {
	GDB_AX, GDB_CX, GDB_DX, GDB_BX, GDB_SP, GDB_BP, GDB_SI, GDB_DI, GDB_R8,
	GDB_GPRS = 16,
};

/**
 * struct gdb_regs - registers of a processor
 * @gpr: general registers
 * @ip: RIP
 * @flags: RFLAGS
 * @fs_base: base of FS
 * @gs_base: base of GS
 * @cr: CR0, CR2, CR3, CR4
 * @efer: EFER
 * @seg: selectors of CS, SS, DS, ES, FS, GS
 * @fpu: FCW, FSW, FTW (two bits each), FISEG, FIOFF, FOSEG, FOOFF, FOP
 * @mxcsr: MXCSR
 * @st: ST(0) to ST(7)
 * @xmm: XMM0 to XMM15
 */
struct gdb_regs {
	uint64_t gpr[GDB_GPRS];
	uint64_t ip;
	uint64_t flags;
	uint64_t fs_base;
	uint64_t gs_base;
	uint64_t cr[4];
	uint64_t efer;
	uint32_t seg[6];
	uint32_t fpu[8];
	uint32_t mxcsr;
	uint8_t st[8][10];
	uint8_t xmm[16][16];
};

/**
 * struct gdb_reg - a register as gdb has it
 * @name: its name
 * @type: its type, or NULL for a number
 * @size: bytes of it that go over the wire
 * @room: bytes of it in struct gdb_regs, from @at on
 * @at: where it is in struct gdb_regs
 * @fixed: gdb may look at it, no more
 * @feature: index of the feature of the description that it is of
 */
struct gdb_reg {
	const char *name;
	const char *type;
	uint16_t size;
	uint16_t room;
	uint16_t at;
	bool fixed;
	uint8_t feature;
};

#define GDB_MAX_XML	8192U

const struct gdb_reg *gdb_reg(bool wide, uint64_t nr);
size_t gdb_reg_xml(bool wide, char *xml, size_t size);

#endif /* HLK_RUN_DEBUG_REGS_H */
