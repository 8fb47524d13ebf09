// SPDX-License-Identifier: GPL-2.0-only
/*
 * The registers as gdb numbers them: in the order of its features org.gnu.gdb.i386.core,
 * .sse and .segments, for i386 and for x86-64, and of one of our own for control registers.
 */
#include <stdarg.h>
#include <stdio.h>

#include "regs.h"

enum { CORE, SSE, SEGMENTS, CONTROL, FEATURES };

static const char * const feature_name[FEATURES] = {
	[CORE] = "org.gnu.gdb.i386.core",
	[SSE] = "org.gnu.gdb.i386.sse",
	[SEGMENTS] = "org.gnu.gdb.i386.segments",
	[CONTROL] = "org.hlk.i386.control",
};

/* What types there are has to be said before they are used, in each feature. */
static const char core_types[] =
	"<flags id=\"i386_eflags\" size=\"4\">"
	"<field name=\"CF\" start=\"0\" end=\"0\"/><field name=\"PF\" start=\"2\" end=\"2\"/>"
	"<field name=\"AF\" start=\"4\" end=\"4\"/><field name=\"ZF\" start=\"6\" end=\"6\"/>"
	"<field name=\"SF\" start=\"7\" end=\"7\"/><field name=\"TF\" start=\"8\" end=\"8\"/>"
	"<field name=\"IF\" start=\"9\" end=\"9\"/><field name=\"DF\" start=\"10\" end=\"10\"/>"
	"<field name=\"OF\" start=\"11\" end=\"11\"/><field name=\"NT\" start=\"14\" end=\"14\"/>"
	"<field name=\"RF\" start=\"16\" end=\"16\"/><field name=\"VM\" start=\"17\" end=\"17\"/>"
	"<field name=\"AC\" start=\"18\" end=\"18\"/></flags>";
static const char sse_types[] =
	"<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>"
	"<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"
	"<vector id=\"v16i8\" type=\"int8\" count=\"16\"/>"
	"<vector id=\"v4i32\" type=\"int32\" count=\"4\"/>"
	"<union id=\"vec128\"><field name=\"v4_float\" type=\"v4f\"/>"
	"<field name=\"v2_double\" type=\"v2d\"/><field name=\"v16_int8\" type=\"v16i8\"/>"
	"<field name=\"v4_int32\" type=\"v4i32\"/><field name=\"uint128\" type=\"uint128\"/></union>";

static const char * const feature_types[FEATURES] = {
	[CORE] = core_types,
	[SSE] = sse_types,
	[SEGMENTS] = "",
	[CONTROL] = "",
};

#define REG(called, typed, bytes, member, ...) {				\
	.name = called, .type = typed, .size = bytes,				\
	.room = sizeof(((struct gdb_regs *)0)->member),				\
	.at = offsetof(struct gdb_regs, member), ##__VA_ARGS__ }

#define NUMBER32(name, nr)	REG(name, NULL, 4, gpr[nr])
#define NUMBER64(name, nr)	REG(name, NULL, 8, gpr[nr])
#define SEG(name, nr)		REG(name, NULL, 4, seg[nr], .fixed = true)
#define ST(nr)			REG("st" #nr, "i387_ext", 10, st[nr])
#define FPU(name, nr)		REG(name, NULL, 4, fpu[nr])
#define XMM(nr)			REG("xmm" #nr, "vec128", 16, xmm[nr], .feature = SSE)

#define SEGS SEG("cs", 0), SEG("ss", 1), SEG("ds", 2), SEG("es", 3), SEG("fs", 4), SEG("gs", 5)
#define FPUS								\
	ST(0), ST(1), ST(2), ST(3), ST(4), ST(5), ST(6), ST(7),		\
	FPU("fctrl", 0), FPU("fstat", 1), FPU("ftag", 2), FPU("fiseg", 3), \
	FPU("fioff", 4), FPU("foseg", 5), FPU("fooff", 6), FPU("fop", 7)
#define XMMS	XMM(0), XMM(1), XMM(2), XMM(3), XMM(4), XMM(5), XMM(6), XMM(7)
#define MXCSR	REG("mxcsr", NULL, 4, mxcsr, .feature = SSE)
#define OURS(name, bytes, member)					\
	REG(name, NULL, bytes, member, .fixed = true, .feature = CONTROL)

static const struct gdb_reg narrow[] = {
	NUMBER32("eax", GDB_AX), NUMBER32("ecx", GDB_CX), NUMBER32("edx", GDB_DX),
	NUMBER32("ebx", GDB_BX), REG("esp", "data_ptr", 4, gpr[GDB_SP]),
	REG("ebp", "data_ptr", 4, gpr[GDB_BP]), NUMBER32("esi", GDB_SI),
	NUMBER32("edi", GDB_DI), REG("eip", "code_ptr", 4, ip),
	REG("eflags", "i386_eflags", 4, flags), SEGS, FPUS, XMMS, MXCSR,
	OURS("cr0", 4, cr[0]), OURS("cr2", 4, cr[1]), OURS("cr3", 4, cr[2]),
	OURS("cr4", 4, cr[3]), OURS("efer", 4, efer),
};

static const struct gdb_reg wide_regs[] = {
	NUMBER64("rax", GDB_AX), NUMBER64("rbx", GDB_BX), NUMBER64("rcx", GDB_CX),
	NUMBER64("rdx", GDB_DX), NUMBER64("rsi", GDB_SI), NUMBER64("rdi", GDB_DI),
	REG("rbp", "data_ptr", 8, gpr[GDB_BP]), REG("rsp", "data_ptr", 8, gpr[GDB_SP]),
	NUMBER64("r8", 8), NUMBER64("r9", 9), NUMBER64("r10", 10), NUMBER64("r11", 11),
	NUMBER64("r12", 12), NUMBER64("r13", 13), NUMBER64("r14", 14), NUMBER64("r15", 15),
	REG("rip", "code_ptr", 8, ip), REG("eflags", "i386_eflags", 4, flags), SEGS, FPUS,
	XMMS, XMM(8), XMM(9), XMM(10), XMM(11), XMM(12), XMM(13), XMM(14), XMM(15), MXCSR,
	REG("fs_base", NULL, 8, fs_base, .fixed = true, .feature = SEGMENTS),
	REG("gs_base", NULL, 8, gs_base, .fixed = true, .feature = SEGMENTS),
	OURS("cr0", 8, cr[0]), OURS("cr2", 8, cr[1]), OURS("cr3", 8, cr[2]),
	OURS("cr4", 8, cr[3]), OURS("efer", 8, efer),
};

/**
 * gdb_reg() - one of the registers
 * @wide: of x86-64, else of i386
 * @nr: its number
 *
 * Return: the register, or NULL if there is none of that number
 */
const struct gdb_reg *gdb_reg(bool wide, uint64_t nr)
{
	if (wide)
		return nr < sizeof(wide_regs) / sizeof(*wide_regs) ? &wide_regs[nr] : NULL;
	return nr < sizeof(narrow) / sizeof(*narrow) ? &narrow[nr] : NULL;
}

__attribute__((format(printf, 4, 5)))
static size_t add(char *xml, size_t len, size_t size, const char *fmt, ...)
{
	va_list args;
	int more;

	va_start(args, fmt);
	more = vsnprintf(xml + len, size - len, fmt, args);
	va_end(args);
	/* It has a room that test-gdb sees to be enough. */
	return more < 0 || (size_t)more >= size - len ? len : len + more;
}

/**
 * gdb_reg_xml() - the description of all registers, as gdb wants it
 * @wide: of x86-64, else of i386
 * @xml: out: the description
 * @size: room there, GDB_MAX_XML
 *
 * Return: its length
 */
size_t gdb_reg_xml(bool wide, char *xml, size_t size)
{
	const struct gdb_reg *reg;
	int feature = -1;
	size_t len;
	uint64_t nr;

	len = add(xml, 0, size, "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\">"
		  "<target><architecture>%s</architecture>", wide ? "i386:x86-64" : "i386");
	for (nr = 0; (reg = gdb_reg(wide, nr)) != NULL; nr++) {
		if (reg->feature != feature) {
			len = add(xml, len, size, "%s<feature name=\"%s\">%s",
				  feature < 0 ? "" : "</feature>",
				  feature_name[reg->feature], feature_types[reg->feature]);
			feature = reg->feature;
		}
		len = add(xml, len, size, "<reg name=\"%s\" bitsize=\"%u\" type=\"%s\"/>",
			  reg->name, reg->size * 8U,
			  reg->type ? reg->type : reg->size == 8 ? "int64" : "int");
	}
	return add(xml, len, size, "</feature></target>");
}
