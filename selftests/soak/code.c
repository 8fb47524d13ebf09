// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs for random guests: writes all over memory, page-table entries, address
 * spaces, registers of all kinds, I/O, and an end. What goes wrong in a guest
 * is an exit like any other.
 */
#include "soak.h"

#define LONGEST		48	/* bytes of one step */

#define EFER		0xc0000080
#define FS_BASE		0xc0000100
#define GS_BASE		0xc0000101

#define CR4_OSFXSR	0x600
#define CR4_OSXSAVE	0x40000

/* Copy on write, if it is that; any other fault ends the call. */
GUEST(soak_fault, "	push %eax\n"
	"	push %ecx\n"
	"	push %ebp\n"
	"	push %esi\n"
	"	push %edi\n"
	"	push %ebx\n"
	"	mov %cr2, %eax\n"
	"	mov 24(%esp), %ebx\n"
	"	and $3, %ebx\n"
	"	cmp $3, %ebx\n"
	"	jne 9f\n"
	"	mov %eax, %ebp\n"
	"	shr $12, %ebp\n"
	"	lea 0xfa000000(,%ebp,4), %ebp\n"
	"	mov (%ebp), %ecx\n"
	"	test $2, %ecx\n"
	"	jnz 9f\n"
	"	test $0x200, %ecx\n"
	"	jz 9f\n"
	"	mov 0xfffffff0, %ebx\n"		/* a fresh page */
	"	cmp $0xfedf7000, %ebx\n"
	"	jae 9f\n"
	"	addl $4096, 0xfffffff0\n"
	"	mov %eax, %esi\n"
	"	and $-4096, %esi\n"
	"	lea 0x1200000(%ebx), %edi\n"
	"	push %ecx\n"
	"	mov $1024, %ecx\n"
	"	cld\n"
	"	rep movsl\n"
	"	pop %ecx\n"
	"	and $0xdff, %ecx\n"
	"	or $2, %ecx\n"
	"	or %ebx, %ecx\n"
	"	mov %ecx, (%ebp)\n"
	"	invlpg (%eax)\n"
	"	pop %ebx\n"
	"	pop %edi\n"
	"	pop %esi\n"
	"	pop %ebp\n"
	"	pop %ecx\n"
	"	pop %eax\n"
	"	add $4, %esp\n"
	"	iret\n"
	"9:	hlt\n"
	"	jmp 9b\n");
GUEST(soak_halt, "	hlt\n"
	"	iret\n");

/**
 * struct code - a program that is being written
 * @l: the guest
 * @seed: what it is drawn from
 * @at: where the next byte goes
 */
struct code {
	const struct layout *l;
	u32 *seed;
	u8 *at;
};

static u32 draw(struct code *c, u32 below)
{
	return rnd(c->seed, below);
}

static void bytes(struct code *c, const char *what, u32 nr)
{
	memcpy(c->at, what, nr);
	c->at += nr;
}

#define EMIT(c, text)	bytes(c, text, sizeof(text) - 1)

static void word(struct code *c, u32 value)
{
	memcpy(c->at, &value, 4);
	c->at += 4;
}

static void byte(struct code *c, u8 value)
{
	*c->at++ = value;
}

/* Where to read or write: mostly memory */
static u32 somewhere(struct code *c)
{
	const struct layout *l = c->l;
	u32 what = draw(c, 100);

	if (what < 60)
		return DATA + draw(c, l->low - DATA - 64);
	if (what < 85)
		return scratch_va(l, HLK_GUEST_SCRATCH_TOP - l->scratch) +
		       draw(c, l->scratch - 64);
	if (l->readonly && what < 87)
		return READONLY_GPA + draw(c, READONLY_BYTES - 64);
	if (!l->paging)
		return DATA + draw(c, PAGE);
	if (what < 95)
		return PLAY_VA + draw(c, PLAY_PAGES * PAGE - 64);
	if (what < 99 && l->large)
		return LARGE_VA + DATA + draw(c, l->low - DATA - 64);
	return one_in(c->seed, 10) ? t_rnd(c->seed) : DATA + draw(c, PAGE);
}

static void set(struct code *c, u32 reg, u32 value)
{
	byte(c, 0xb8 + reg);
	word(c, value);
}

enum { EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI };

static void store(struct code *c)
{
	EMIT(c, "\xc7\x05");
	word(c, somewhere(c));
	word(c, t_rnd(c->seed));
}

static void increment(struct code *c)
{
	EMIT(c, "\xff\x05");
	word(c, somewhere(c));
}

static void exchange(struct code *c)
{
	byte(c, 0x87);
	byte(c, 0x05 | draw(c, 4) << 3);
	word(c, somewhere(c));
}

static void load(struct code *c)
{
	byte(c, 0x8b);
	byte(c, 0x05 | (one_in(c->seed, 40) ? ESP : draw(c, 4)) << 3);
	word(c, somewhere(c));
}

static void fill(struct code *c)
{
	set(c, EDI, somewhere(c));
	set(c, ECX, one_in(c->seed, 8) ? draw(c, 4000) : draw(c, 40));
	set(c, EAX, t_rnd(c->seed));
	EMIT(c, "\xfc\xf3\xab");		/* cld; rep stosd */
}

static void copy(struct code *c)
{
	set(c, ESI, somewhere(c));
	set(c, EDI, somewhere(c));
	set(c, ECX, draw(c, 200));
	EMIT(c, "\xfc\xf3\xa5");		/* cld; rep movsd */
}

/* A word in each of many pages */
static void many_pages(struct code *c)
{
	set(c, EDI, somewhere(c));
	set(c, ECX, 1 + (one_in(c->seed, 10) ? draw(c, 100) : draw(c, 16)));
	EMIT(c, "\x89\x07\x81\xc7\x00\x10\x00\x00\xe2\xf6");
}

/* Map, unmap, change rights: an entry of a table, by the self-map; INVLPG */
static void map(struct code *c)
{
	u32 va = PLAY_VA + draw(c, PLAY_PAGES) * PAGE;
	u32 entry = (DATA & ~0xfffU) + draw(c, (c->l->low - DATA) / PAGE) * PAGE;

	if (!c->l->paging)
		return;
	if (one_in(c->seed, 10))
		va = DATA + draw(c, 16) * PAGE;
	entry |= one_in(c->seed, 6) ? draw(c, 0x1000) & ~PTE_PS : PTE_P | PTE_W | draw(c, 2) * PTE_G;
	EMIT(c, "\xc7\x05");
	word(c, SELF_VA + (va >> 12) * 4);
	word(c, entry);
	if (one_in(c->seed, 4))
		return;
	EMIT(c, "\x0f\x01\x3d");
	word(c, va);
}

/* Go over to another address space, as the list of roots has them */
static void space(struct code *c)
{
	if (!c->l->paging)
		return;
	byte(c, 0xa1);
	word(c, scratch_va(c->l, HLK_GUEST_SCRATCH_TOP - HLK_GUEST_OFF_ROOTS) +
		8 * (1 + draw(c, NR_ROOTS)));
	EMIT(c, "\x0f\x22\xd8");
}

static void general(struct code *c)
{
	u32 reg = draw(c, 8);

	if (reg != ESP || one_in(c->seed, 10))
		set(c, reg, t_rnd(c->seed));
}

static void flags(struct code *c)
{
	static const u32 bits[] = { 0x1, 0x40, 0x200, 0x400, 0x800, 0x40000, 0x200000 };

	EMIT(c, "\x9c\x81\x34\x24");		/* pushf; xor imm, (%esp); popf */
	word(c, bits[draw(c, ARRAY_SIZE(bits))]);
	byte(c, 0x9d);
	if (one_in(c->seed, 4))
		byte(c, 0xfb);			/* sti */
}

static void segment(struct code *c)
{
	static const u8 to[] = { 0xd8, 0xc0, 0xe0, 0xe8 };	/* ds, es, fs, gs */

	set(c, EAX, one_in(c->seed, 4) ? 0 : HLK_GUEST_DS);
	byte(c, 0x8e);
	byte(c, to[draw(c, 4) | (one_in(c->seed, 4) ? 0 : 2)]);
}

static void fpu(struct code *c)
{
	static const char ops[][2] = {
		"\xd9\xe8", "\xd9\xeb", "\xd9\xee", "\xde\xc1", "\xd9\xfa", "\xdb\xe3",
	};
	u32 nr = 1 + draw(c, 4);

	while (nr--)
		bytes(c, ops[draw(c, ARRAY_SIZE(ops))], 2);
	if (one_in(c->seed, 3)) {
		EMIT(c, "\xd9\x2d");		/* fldcw */
		word(c, somewhere(c));
	}
}

static void or_cr4(struct code *c, u32 bits)
{
	EMIT(c, "\x0f\x20\xe0\x0d");
	word(c, bits);
	EMIT(c, "\x0f\x22\xe0");
}

static void sse(struct code *c)
{
	u32 at = somewhere(c);

	or_cr4(c, CR4_OSFXSR);
	EMIT(c, "\x0f\x10");			/* movups */
	byte(c, 0x05 | draw(c, 8) << 3);
	word(c, somewhere(c));
	EMIT(c, "\xc7\x05");
	word(c, at);
	word(c, draw(c, 0x10000));
	EMIT(c, "\x0f\xae\x15");		/* ldmxcsr */
	word(c, at);
}

static void avx(struct code *c)
{
	static const u8 xcr0[] = { 1, 3, 7, 7 };

	or_cr4(c, CR4_OSXSAVE | CR4_OSFXSR);
	EMIT(c, "\x31\xc9\x31\xd2");
	set(c, EAX, xcr0[draw(c, 4)]);
	EMIT(c, "\x0f\x01\xd1\xc5\xfc\x10");	/* xsetbv; vmovups, to YMM */
	byte(c, 0x05 | draw(c, 8) << 3);
	word(c, somewhere(c));
}

/* No breakpoint is ever on: an emulator may keep it for the next guest. */
static void debug(struct code *c)
{
	u32 nr = draw(c, 6);

	if (nr < 4)
		set(c, EAX, t_rnd(c->seed));
	else if (nr == 4)
		set(c, EAX, 0xffff0ff0 | draw(c, 16) | draw(c, 2) << 14);
	else
		set(c, EAX, 0x400 | draw(c, 4) << 8);
	EMIT(c, "\x0f\x23");
	byte(c, 0xc0 | (nr < 4 ? nr : nr + 2) << 3);
}

/* Those that libhlk lets a guest have, and a restore brings back */
static void msr(struct code *c)
{
	static const u32 nrs[] = { EFER, FS_BASE, GS_BASE };
	u32 nr = nrs[draw(c, ARRAY_SIZE(nrs))];

	set(c, ECX, nr);
	set(c, EAX, nr == EFER ? draw(c, 2) : t_rnd(c->seed));
	EMIT(c, "\x31\xd2\x0f\x30");
}

static void control(struct code *c)
{
	static const u32 cr0[] = { 0x2, 0x8, 0x20, 0x10000, 0x40000 };
	static const u32 cr4[] = { 0x4, 0x8, 0x10, 0x80, 0x200, 0x400 };

	switch (draw(c, 4)) {
	case 0:
		EMIT(c, "\x0f\x20\xc0\x35");
		word(c, cr0[draw(c, ARRAY_SIZE(cr0))]);
		EMIT(c, "\x0f\x22\xc0");
		return;
	case 1:
		EMIT(c, "\x0f\x20\xe0\x35");
		word(c, cr4[draw(c, ARRAY_SIZE(cr4))]);
		EMIT(c, "\x0f\x22\xe0");
		return;
	case 2:
		set(c, EAX, t_rnd(c->seed));
		EMIT(c, "\x0f\x22\xd0");	/* cr2 */
		return;
	default:
		EMIT(c, "\x0f\x06");		/* clts */
	}
}

/* One that may end the call in the middle, as all I/O may */
static void io(struct code *c)
{
	u32 port = one_in(c->seed, 2) ? HLK_GUEST_PORT_PUTC : 0x500;

	set(c, EDX, port);
	switch (draw(c, 6)) {
	case 0:
		byte(c, 0xed);			/* in */
		return;
	case 1:
	case 2:
		byte(c, 0xee);			/* out */
		return;
	case 3:
		set(c, ESI, somewhere(c));
		set(c, ECX, draw(c, 300));
		EMIT(c, "\xfc\xf3\x6e");	/* rep outsb */
		return;
	case 4:
		set(c, EDI, somewhere(c));
		set(c, ECX, draw(c, 300));
		EMIT(c, "\xfc\xf3\x6d");	/* rep insd */
		return;
	default:
		byte(c, one_in(c->seed, 2) ? 0x8b : 0x89);
		byte(c, 0x1d);
		word(c, c->l->paging ? MMIO_VA + draw(c, 0xff0) : MMIO_GPA + draw(c, 0xff0));
	}
}

static void misc(struct code *c)
{
	switch (draw(c, 5)) {
	case 0:
		EMIT(c, "\x0f\xa2");		/* cpuid */
		return;
	case 1:
		EMIT(c, "\x0f\x31");		/* rdtsc */
		return;
	case 2:
		byte(c, 0x68);			/* push */
		word(c, t_rnd(c->seed));
		return;
	case 3:
		EMIT(c, "\xcd\x30");		/* int */
		return;
	default:
		byte(c, 0x60);			/* pusha */
	}
}

static const struct {
	void (*emit)(struct code *c);
	u32 weight;
} steps[] = {
	{ store, 16 }, { increment, 8 }, { exchange, 4 }, { load, 6 }, { fill, 8 },
	{ copy, 4 }, { many_pages, 6 }, { map, 10 }, { space, 4 }, { general, 6 },
	{ flags, 2 }, { segment, 2 }, { fpu, 3 }, { sse, 3 }, { avx, 1 }, { debug, 1 },
	{ msr, 1 }, { control, 2 }, { io, 5 }, { misc, 2 },
};

static void step(struct code *c)
{
	u32 sum = 0;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(steps); i++)
		sum += steps[i].weight;
	sum = draw(c, sum);
	for (i = 0; sum >= steps[i].weight; i++)
		sum -= steps[i].weight;
	steps[i].emit(c);
}

static void end(struct code *c)
{
	switch (draw(c, 64)) {
	case 0:
		EMIT(c, "\xff\x05");		/* for ever: a signal ends it */
		word(c, DATA);
		EMIT(c, "\xeb\xf8");
		return;
	case 1:
		EMIT(c, "\x0f\x0b");		/* ud2 */
		return;
	case 2:
	case 3:
	case 4:
		EMIT(c, "\xe6\x99");		/* out: with an I/O pending */
	}
	EMIT(c, "\xf4\xeb\xfd");		/* hlt */
}

/**
 * soak_program() - write a program
 * @l: the guest that it is for
 * @seed: what it is drawn from
 * @to: PROGRAM_BYTES of room
 *
 * Return: its length
 */
u32 soak_program(const struct layout *l, u32 *seed, u8 *to)
{
	struct code c = { .l = l, .seed = seed, .at = to };
	u32 nr = 1 + rnd(seed, one_in(seed, 4) ? 16 : 5);

	while (nr-- && c.at - to + 2 * LONGEST < PROGRAM_BYTES)
		step(&c);
	end(&c);
	return c.at - to;
}

/**
 * soak_handlers() - load the code of exceptions
 * @t: the VM
 */
void soak_handlers(struct tvm *t)
{
	tvm_load(t, HANDLER, soak_fault);
	tvm_load(t, HANDLER_HALT, soak_halt);
}

/**
 * soak_machine() - write descriptor tables
 * @to: MACHINE_BYTES of room
 */
void soak_machine(u8 *to)
{
	static const u64 gdt[] = {
		0, 0x00cf9b000000ffffULL, 0x00cf93000000ffffULL,
	};
	u64 *idt = (u64 *)(to + MACHINE_IDT);
	u32 i;

	memset(to, 0, MACHINE_BYTES);
	memcpy(to, gdt, sizeof(gdt));
	for (i = 0; i < (MACHINE_BYTES - MACHINE_IDT) / 8; i++)
		idt[i] = (i == 14 ? HANDLER : HANDLER_HALT) | (u64)HLK_GUEST_CS << 16 |
			 0x8e00ULL << 32;
}
