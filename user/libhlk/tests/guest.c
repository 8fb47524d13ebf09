// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * A guest that misbehaves on request. No runtime, no copy-on-write, no IDT: an
 * exception is a triple fault.
 */
#include <linux/hlk_guest.h>

typedef unsigned int u32;
typedef unsigned long long u64;

#define TOP(offset)	((volatile u64 *)(0UL - (offset)))
#define SCRATCH(gpa)	((unsigned char *)((gpa) + HLK_GUEST_SCRATCH_DELTA))
#define NO_MEMORY	0xfef00000	/* guest-physical */

static struct hlk_guest_boot boot;
static u32 calls;
static u32 fpu_ready = 0x27f;
static unsigned char text[0x10000];

static void out(unsigned short port, u32 value)
{
	__asm__ volatile("outl %0, %1" : : "a"(value), "d"(port) : "memory");
}

static void copy(void *to, const void *from, u32 bytes)
{
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : :
			 "memory");
}

static unsigned char *input(void)
{
	return SCRATCH(boot.input_gpa);
}

static unsigned char *output(void)
{
	return SCRATCH(boot.output_gpa);
}

static void push(const void *head, u32 head_len, const void *body, u32 len)
{
	unsigned char *buf = output();
	u64 sp = *(u64 *)buf;

	copy(buf + (u32)sp, head, head_len);
	copy(buf + (u32)sp + head_len, body, len);
	*(u64 *)(buf + (u32)sp + head_len + len) = sp;
	*(u64 *)buf = sp + head_len + len + 8;
}

static unsigned char *pop(u32 *len)
{
	unsigned char *buf = input();
	u32 end = *(u64 *)buf - 8;
	u32 start = *(u64 *)(buf + end);

	*(u64 *)buf = start;
	*len = end - start;
	return buf + start;
}

static void answer(u32 status, const void *body, u32 len)
{
	struct hlk_guest_ret ret = { HLK_GUEST_RET_MAGIC, status, len };

	push(&ret, sizeof(ret), body, len);
}

static void answer_u32(u32 value)
{
	answer(0, &value, sizeof(value));
}

static void host_call(const char *name, u32 name_len, const void *arg, u32 len)
{
	struct hlk_guest_call call = { HLK_GUEST_CALL_MAGIC, name_len, len };
	struct hlk_guest_ret ret;
	unsigned char *got;
	u32 got_len;

	copy(text, name, name_len);
	copy(text + name_len, arg, len);
	push(&call, sizeof(call), text, len + name_len);
	out(HLK_GUEST_PORT_CALL, 0);
	got = pop(&got_len);
	copy(&ret, got, sizeof(ret));
	answer(ret.status, got + sizeof(ret), ret.len);
}

static void map(u32 va, u32 entry)
{
	u32 *pd = (u32 *)SCRATCH((u32)*TOP(HLK_GUEST_OFF_PT_BASE));
	u32 *pt = (u32 *)SCRATCH(pd[va >> 22] & ~0xfffU);

	pt[va >> 12 & 1023] = entry;
	__asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

/*
 * The page of the heap that @arg begins with: map it by the entry that follows, if that
 * is not 0, and answer what is there, from the offset after it on
 */
static void see(const unsigned char *arg, int write)
{
	u32 word[3], va;

	copy(word, arg, sizeof(word));
	va = boot.heap_start + word[0] * HLK_GUEST_PAGE_SIZE;
	if (word[1])
		map(va, word[1]);
	if (write)
		*(volatile u32 *)(va + word[2]) = 1;
	answer(0, (void *)(va + word[2]), 16);
}

/* Map the page that @va has to where there is no memory, and touch it */
static void touch_nothing(int write)
{
	u32 va = boot.heap_start;

	map(va, NO_MEMORY | 3);
	if (write)
		*(volatile u32 *)va = 1;
	else
		(void)*(volatile u32 *)va;
}

static void write_all(void)
{
	u32 at;

	for (at = boot.heap_start; at < boot.stack_top - boot.stack_size;
	     at += HLK_GUEST_PAGE_SIZE)
		*(volatile u32 *)at = at;
}

/* From an address on, so many pages */
static void write_some(u32 at, u32 pages)
{
	for (; pages--; at += HLK_GUEST_PAGE_SIZE)
		*(volatile u32 *)at = at;
}

static void fpu_word(void)
{
	unsigned short word;

	__asm__ volatile("fnstcw %0" : "=m"(word));
	answer_u32(word);
	word = 0x7f;
	__asm__ volatile("fldcw %0" : : "m"(word));
	__asm__ volatile("fld1; fld1");
}

static void debug_regs(void)
{
	u32 dr7;

	__asm__ volatile("movl %%dr7, %0" : "=r"(dr7));
	answer_u32(dr7);
	__asm__ volatile("movl %0, %%dr0; movl %1, %%dr7" : :
			 "r"(0x1234), "r"(0x403));
}

static void cpuid(u32 leaf)
{
	u32 regs[4];

	__asm__ volatile("cpuid" : "=a"(regs[0]), "=b"(regs[1]),
			 "=c"(regs[2]), "=d"(regs[3]) : "a"(leaf), "c"(0));
	answer(0, regs, sizeof(regs));
}

static void bookkeeping(void)
{
	u64 words[4] = {
		*TOP(HLK_GUEST_OFF_GENERATION), *TOP(HLK_GUEST_OFF_UNIQUE),
		*TOP(HLK_GUEST_OFF_SEED), *TOP(HLK_GUEST_OFF_COUNTER),
	};

	answer(0, words, sizeof(words));
}

static void big(u32 len)
{
	u32 i;

	for (i = 0; i < len && i < sizeof(text); i++)
		text[i] = i;
	answer(0, text, len);
}

static u32 u32_at(const unsigned char *arg)
{
	u32 value;

	copy(&value, arg, sizeof(value));
	return value;
}

static void element(const void *body, u32 len)
{
	push("", 0, body, len);
}

static void bad_answer(char kind)
{
	struct hlk_guest_ret ret = { HLK_GUEST_RET_MAGIC, 0, 0 };

	switch (kind) {
	case '0':			/* none */
		break;
	case '1':			/* too short for a header */
		element("x", 1);
		break;
	case '2':			/* another magic */
		ret.magic++;
		element(&ret, sizeof(ret));
		break;
	case '3':			/* longer than it is */
		ret.len = 1;
		element(&ret, sizeof(ret));
		break;
	case '4':			/* much longer */
		ret.len = 0xfffffff4;
		element(&ret, sizeof(ret));
		break;
	case '5':			/* stack pointer outside */
		*(u64 *)output() = 0xffffffff;
		break;
	case '6':			/* a call where a result should be */
		out(HLK_GUEST_PORT_CALL, 0);
		break;
	case '7':			/* a broken call */
		element("CALL", 4);
		out(HLK_GUEST_PORT_CALL, 0);
		break;
	case '8':			/* print nothing that is there */
		out(HLK_GUEST_PORT_PRINT, 0);
		break;
	case '9':			/* input broken while the host calls */
		*(u64 *)input() = 3;
		host_call("up", 2, "x", 1);
		break;
	}
}

static void say(void)
{
	element("hello ", 6);
	out(HLK_GUEST_PORT_PRINT, 0);
	__asm__ volatile("outb %0, %1" : : "a"((char)'w'),
			 "d"((unsigned short)HLK_GUEST_PORT_PUTC));
	answer(0, "", 0);
}

/* Functions have one letter; what follows it is part of the name too. */
static void run(char function, char kind, unsigned char *arg, u32 len)
{
	switch (function) {
	case 'e':
		answer(0, arg, len);
		break;
	case 'c':
		answer_u32(++calls);
		break;
	case 's':
		/* no interrupt comes, but see tvm_flat() in selftests/lib/vm.c */
		asm volatile("sti");
		for (;;)
			;
	case 'p':
		for (;;)
			out(HLK_GUEST_PORT_PUTC, '.');
	case 'h':
		host_call("up", 2, arg, len);
		break;
	case 'F':
		host_call(HLK_GUEST_FILES, sizeof(HLK_GUEST_FILES) - 1, "", 0);
		break;
	case 'g':
		see(arg, kind == 'w');
		break;
	case 'w':
		say();
		break;
	case 'a':
		out(HLK_GUEST_PORT_ABORT, 0x42);
		break;
	case 'u':
		__asm__ volatile("ud2");
		break;
	case 'm':
		touch_nothing(kind == 'w');
		break;
	case 'o':
		out(0x80, 1);
		break;
	case 'i':
		__asm__ volatile("inb $0x60, %%al" : : : "eax");
		break;
	case 'r':
		__asm__ volatile("rdmsr" : : "c"(0x10) : "eax", "edx");
		break;
	case 'l':
		write_all();
		answer(0, "", 0);
		break;
	case 'W':
		write_some(u32_at(arg), u32_at(arg + 4));
		answer(0, "", 0);
		break;
	case 'f':
		fpu_word();
		break;
	case 'd':
		debug_regs();
		break;
	case 'x':
		answer(22, "no", 2);
		break;
	case 'b':
		big(u32_at(arg));
		break;
	case 'q':
		cpuid(u32_at(arg));
		break;
	case 'k':
		bookkeeping();
		break;
	case 'n':
		bad_answer(kind);
		break;
	default:
		answer(2, "", 0);
	}
}

void __attribute__((used)) dispatch(void)
{
	struct hlk_guest_call call;
	unsigned char *got;
	u32 len;

	got = pop(&len);
	copy(&call, got, sizeof(call));
	got += sizeof(call);
	run(got[0], call.name_len > 1 ? got[1] : 0, got + call.name_len,
	    call.arg_len);
}

void __attribute__((used)) start(const struct hlk_guest_boot *from)
{
	copy(&boot, from, sizeof(boot));
	__asm__ volatile("fninit; fldcw %0" : : "m"(fpu_ready));
	*TOP(HLK_GUEST_OFF_ROOTS) = 1;
	*TOP(HLK_GUEST_OFF_ROOTS - 8) = *TOP(HLK_GUEST_OFF_PT_BASE);
}

__asm__(".globl _start\n"
	"_start:\n"
	"	movl %cr4, %eax\n"
	"	orl $0x200, %eax\n"		/* OSFXSR */
	"	movl %eax, %cr4\n"
	"	movl %esp, %ebp\n"
	"	pushl %edi\n"
	"	call start\n"
	"	movl %ebp, %esp\n"
	"	movl $enter, %eax\n"
	"	hlt\n"
	"enter:\n"
	"	call dispatch\n"
	"again:	hlt\n"
	"	jmp again\n");
