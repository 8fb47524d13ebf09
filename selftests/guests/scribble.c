// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that destroys itself as thoroughly as its seed says.
 *
 * Code that writes over all of memory cannot lie where it was linked, and code
 * that turns paging off needs a page whose virtual address is its physical one,
 * which after a snapshot no page of the image need have. So a page of scratch is
 * mapped at its own guest-physical address, and what is to be done is put there:
 * a table of values, code that finds everything relative to EBP, a small stack.
 * From then on nothing else is needed.
 */
#include "hlk_rt.h"

#define CODE_OFFSET	0x400
#define STACK_OFFSET	0x1000
#define CODE_MAX	(STACK_OFFSET - 0x400 - CODE_OFFSET)

/* Guest-physical memory that is not there, above scratch and KVM's APIC page */
#define DEVICE		0xfef00000U

#define CR0_PE		0x00000001U
#define CR0_PG		0x80000000U
#define CR0_WP		0x00010000U
#define CR0_CD		0x40000000U
#define CR0_NW		0x20000000U
#define CR0_HARMLESS	0x0004002eU	/* AM, NE, TS, EM, MP */
#define CR4_PAE		0x00000020U
#define CR4_LEGAL	0x000007ffU

#define EFLAGS_TF	0x00000100U
#define EFLAGS_LEGAL	0x00247ed5U	/* without TF, RF, VM */

/* Selectors in the table of descriptors below */
#define SEL_CONFORMING	0x18
#define SEL_SMALL	0x20
#define SEL_OWN_TSS	0x28
#define SEL_LDT		0x30
#define SEL_DOWN	0x38
#define SEL_READONLY	0x40
#define SEL_OTHER_FLAT	0x48
#define DESCRIPTORS	10

struct table_pointer {
	uint16_t unused;
	uint16_t limit;
	uint32_t base;
};

/* Pages to be scribbled over */
struct range {
	uint32_t start;
	uint32_t pages;
};

/* What the code works from; it lies at the start of its page */
struct plan {
	uint8_t fx[512] __attribute__((aligned(16)));
	uint64_t gdt[DESCRIPTORS];
	struct table_pointer gdtr, last_gdtr, last_idtr;
	uint32_t code_offset;		/* the far pointer to CS */
	uint32_t code_selector;
	uint32_t ss;
	uint32_t dr[4], dr6, dr7;
	uint32_t cr0_before;		/* while it writes to memory */
	struct range range[6];		/* the last one has no pages */
	uint32_t seed;
	uint32_t skip;			/* pages for which a random bit of these is set */
	uint32_t words;			/* in each page */
	uint32_t alias;			/* another address of this page */
	uint32_t cr0, cr2, cr3, cr4;	/* when it stops */
	uint32_t ds, es, fs, gs;
	uint32_t end;			/* offset of the way in which it stops */
	uint32_t eax, ebx, ecx, edx, esi, edi, ebp;
	uint32_t eflags;
};

_Static_assert(sizeof(struct plan) <= CODE_OFFSET, "the plan fits its place");

enum {
	PAGING_OFF,		/* all of physical memory */
	PAGING_UNPROTECTED,	/* CR0.WP clear: read-only pages too */
	PAGING_AS_IT_IS,	/* the guest copies on write */
	PAGING_KINDS,
};

/* Ways to stop; the order is that of end_offsets[] */
enum {
	END_HLT,
	END_STI_HLT,
	END_UD2,
	END_INT3,
	END_DIVIDE,
	END_OUT,
	END_OUT_BYTE,
	END_OUT_STRING,
	END_IN,
	END_IN_STRING,
	END_DEVICE_WRITE,
	END_DEVICE_READ,
	END_DEVICE_STRING,
	END_DEVICE_STACK,
	END_WRMSR,
	END_GARBAGE,
	END_LOOP,
	END_KINDS,
};

extern const char scribble_code[];
extern const char scribble_loaded[];
extern const char scribble_code_end[];
extern const uint32_t end_offsets[END_KINDS];

/* The plan's layout for the code: absolute symbols of the assembler */
#define OFFSET(member)							\
	asm volatile(".set P_" #member ", %c0"				\
		     : : "i" (offsetof(struct plan, member)))
#define CONSTANT(name)							\
	asm volatile(".set " #name ", %c0" : : "i" (name))

static void __attribute__((used, noinline, noclone)) symbols(void)
{
	OFFSET(fx);
	OFFSET(gdtr);
	OFFSET(last_gdtr);
	OFFSET(last_idtr);
	OFFSET(code_offset);
	OFFSET(ss);
	OFFSET(dr);
	OFFSET(dr6);
	OFFSET(dr7);
	OFFSET(cr0_before);
	OFFSET(range);
	OFFSET(seed);
	OFFSET(skip);
	OFFSET(words);
	OFFSET(alias);
	OFFSET(cr0);
	OFFSET(cr2);
	OFFSET(cr3);
	OFFSET(cr4);
	OFFSET(ds);
	OFFSET(es);
	OFFSET(fs);
	OFFSET(gs);
	OFFSET(end);
	OFFSET(eax);
	OFFSET(ebx);
	OFFSET(ecx);
	OFFSET(edx);
	OFFSET(esi);
	OFFSET(edi);
	OFFSET(ebp);
	OFFSET(eflags);
	CONSTANT(CODE_OFFSET);
	CONSTANT(STACK_OFFSET);
	CONSTANT(SEL_LDT);
	CONSTANT(SEL_OWN_TSS);
}

/*
 * The code. EBP is the address of its page, EBX the random number's state, EDI
 * the page that is being written.
 */
asm(".text\n"
	".balign 16\n"
	"scribble_code:\n"
	"	leal	STACK_OFFSET(%ebp), %esp\n"
	"	fxrstor	P_fx(%ebp)\n"
	"	movl	P_dr(%ebp), %eax\n"
	"	movl	%eax, %dr0\n"
	"	movl	P_dr + 4(%ebp), %eax\n"
	"	movl	%eax, %dr1\n"
	"	movl	P_dr + 8(%ebp), %eax\n"
	"	movl	%eax, %dr2\n"
	"	movl	P_dr + 12(%ebp), %eax\n"
	"	movl	%eax, %dr3\n"
	"	movl	P_dr6(%ebp), %eax\n"
	"	movl	%eax, %dr6\n"
	"	movl	P_dr7(%ebp), %eax\n"
	"	movl	%eax, %dr7\n"
	"	lgdt	P_gdtr + 2(%ebp)\n"
	"	movl	$SEL_LDT, %eax\n"
	"	lldt	%ax\n"
	"	movl	$SEL_OWN_TSS, %eax\n"
	"	ltr	%ax\n"
	"	ljmp	*P_code_offset(%ebp)\n"
	"scribble_loaded:\n"
	"	movl	P_ss(%ebp), %eax\n"
	"	movl	%eax, %ss\n"
	"	movl	%eax, %ds\n"
	"	movl	%eax, %es\n"
	"	movl	P_cr0_before(%ebp), %eax\n"
	"	movl	%eax, %cr0\n"
	"	jmp	1f\n"

	/* Memory */
	"1:	movl	P_seed(%ebp), %ebx\n"
	"	leal	P_range(%ebp), %edx\n"
	"range_loop:\n"
	"	movl	(%edx), %edi\n"
	"	movl	4(%edx), %esi\n"
	"	addl	$8, %edx\n"
	"	testl	%esi, %esi\n"
	"	jz	registers\n"
	"page_loop:\n"
	"	cmpl	%ebp, %edi\n"
	"	je	page_done\n"
	"	cmpl	P_alias(%ebp), %edi\n"
	"	je	page_done\n"
	"	call	draw\n"
	"	testl	%ebx, P_skip(%ebp)\n"
	"	jnz	page_done\n"
	"	testl	$0xf0000, %ebx\n"
	"	jz	whole_page\n"
	"	movl	P_words(%ebp), %ecx\n"
	"1:	call	draw\n"
	"	movl	%ebx, %eax\n"
	"	andl	$0xffc, %eax\n"
	"	movl	%ebx, (%edi, %eax)\n"
	"	decl	%ecx\n"
	"	jnz	1b\n"
	"	jmp	page_done\n"
	"whole_page:\n"
	"	pushl	%edi\n"
	"	movl	%ebx, %eax\n"
	"	movl	$1024, %ecx\n"
	"	cld\n"
	"	rep	stosl\n"
	"	popl	%edi\n"
	"page_done:\n"
	"	addl	$4096, %edi\n"
	"	decl	%esi\n"
	"	jnz	page_loop\n"
	"	jmp	range_loop\n"

	/* Marsaglia's xorshift32; EAX is lost */
	"draw:\n"
	"	movl	%ebx, %eax\n"
	"	shll	$13, %eax\n"
	"	xorl	%eax, %ebx\n"
	"	movl	%ebx, %eax\n"
	"	shrl	$17, %eax\n"
	"	xorl	%eax, %ebx\n"
	"	movl	%ebx, %eax\n"
	"	shll	$5, %eax\n"
	"	xorl	%eax, %ebx\n"
	"	ret\n"

	/* Registers. CR0 is last: without PE selectors mean something else */
	"registers:\n"
	"	movl	P_ds(%ebp), %eax\n"
	"	movl	%eax, %ds\n"
	"	movl	P_es(%ebp), %eax\n"
	"	movl	%eax, %es\n"
	"	movl	P_fs(%ebp), %eax\n"
	"	movl	%eax, %fs\n"
	"	movl	P_gs(%ebp), %eax\n"
	"	movl	%eax, %gs\n"
	"	lgdt	P_last_gdtr + 2(%ebp)\n"
	"	lidt	P_last_idtr + 2(%ebp)\n"
	"	movl	P_cr2(%ebp), %eax\n"
	"	movl	%eax, %cr2\n"
	"	movl	P_cr3(%ebp), %eax\n"
	"	movl	%eax, %cr3\n"
	"	movl	P_cr4(%ebp), %eax\n"
	"	movl	%eax, %cr4\n"
	"	movl	P_cr0(%ebp), %eax\n"
	"	movl	%eax, %cr0\n"
	"	jmp	1f\n"
	"1:	movl	P_end(%ebp), %eax\n"
	"	addl	%ebp, %eax\n"
	"	jmp	*%eax\n");

/*
 * POPF comes directly before what it stops with: if it sets TF, a debug
 * exception is pending behind the exit.
 */
#define STOP(name, instruction)						\
	asm("end_" name ":\n"						\
	    "	leal	P_eflags(%ebp), %esp\n"				\
	    "	movl	P_eax(%ebp), %eax\n"				\
	    "	movl	P_ebx(%ebp), %ebx\n"				\
	    "	movl	P_ecx(%ebp), %ecx\n"				\
	    "	movl	P_edx(%ebp), %edx\n"				\
	    "	movl	P_esi(%ebp), %esi\n"				\
	    "	movl	P_edi(%ebp), %edi\n"				\
	    "	movl	P_ebp(%ebp), %ebp\n"				\
	    "	popfl\n"						\
	    "	" instruction "\n"					\
	    "1:	hlt\n"							\
	    "	jmp	1b\n"						\
	    ".pushsection .rodata.ends, \"a\"\n"			\
	    ".long	end_" name " - scribble_code + CODE_OFFSET\n"	\
	    ".popsection\n")

/* In the order of the enum */
asm(".pushsection .rodata.ends, \"a\"\n"
	".balign 4\n"
	"end_offsets:\n"
	".popsection\n");
STOP("hlt", "hlt");
STOP("sti_hlt", "sti; hlt");
STOP("ud2", "ud2");
STOP("int3", "int3");
STOP("divide", "aam $0");
STOP("out", "outl %eax, %dx");
STOP("out_byte", "outb %al, %dx");
STOP("out_string", "rep outsb");
STOP("in", "inl %dx, %eax");
STOP("in_string", "rep insb");
STOP("device_write", "movl %eax, %ss:(%edi)");
STOP("device_read", "movl %ss:(%esi), %eax");
STOP("device_string", "rep movsb");
STOP("device_stack", "movl %esi, %esp; pushl %eax");
STOP("wrmsr", "wrmsr");
STOP("garbage", "jmp *%esi");
/* no interrupt comes, but see tvm_flat() in selftests/lib/vm.c */
STOP("loop", "sti; 2: jmp 2b");
asm("scribble_code_end:");

static uint32_t state;

static uint32_t draw(void)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

static uint32_t draw_below(uint32_t limit)
{
	return (draw() >> 8) % limit;
}

static uint64_t descriptor(uint32_t base, uint32_t limit, uint32_t flags)
{
	return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 |
	       (uint64_t)(flags & 0xf0ff) << 40 |
	       (uint64_t)(limit >> 16 & 0xf) << 48 | (uint64_t)(base >> 24) << 56;
}

/* Ordinary segments in their usual places, strange ones behind them */
static void plan_descriptors(struct plan *plan, uint32_t page)
{
	plan->gdt[HLK_GUEST_CS / 8] = descriptor(0, 0xfffff, 0xc09b);
	plan->gdt[HLK_GUEST_DS / 8] = descriptor(0, 0xfffff, 0xc093);
	plan->gdt[SEL_CONFORMING / 8] = descriptor(0, 0xfffff, 0xd09f);
	plan->gdt[SEL_SMALL / 8] = descriptor(draw(), draw(), 0x1092);
	plan->gdt[SEL_OWN_TSS / 8] = descriptor(draw(), 0x67 + draw_below(64), 0x89);
	plan->gdt[SEL_LDT / 8] = descriptor(draw(), draw() & 0xffff, 0x82);
	plan->gdt[SEL_DOWN / 8] = descriptor(draw(), draw(), 0xc096);
	plan->gdt[SEL_READONLY / 8] = descriptor(draw(), draw(), 0x40f0);
	plan->gdt[SEL_OTHER_FLAT / 8] = descriptor(0, 0xfffff, 0xd093);
	plan->gdtr.limit = sizeof(plan->gdt) - 1;
	plan->gdtr.base = page + offsetof(struct plan, gdt);
	plan->last_gdtr.limit = draw();
	plan->last_gdtr.base = draw();
	plan->last_idtr.limit = draw();
	plan->last_idtr.base = draw();
	plan->code_selector = draw() & 0x100 ? SEL_CONFORMING : HLK_GUEST_CS;
	plan->ss = draw() & 0x100 ? SEL_OTHER_FLAT : HLK_GUEST_DS;
}

static uint32_t strange_selector(void)
{
	static const uint16_t selectors[] = {
		0, 3, HLK_GUEST_CS, HLK_GUEST_DS, SEL_SMALL, SEL_DOWN,
		SEL_READONLY, SEL_READONLY | 3, SEL_OTHER_FLAT,
	};

	return selectors[draw_below(sizeof(selectors) / sizeof(*selectors))];
}

static void plan_fpu(struct plan *plan)
{
	uint32_t *words = (uint32_t *)plan->fx;
	unsigned int i;

	for (i = 0; i < sizeof(plan->fx) / 4; i++)
		words[i] = draw();
	words[6] &= 0xffbf;	/* MXCSR: reserved bits are an exception */
}

/*
 * DR7 enables no breakpoint: QEMU 7.2, where it emulates SVM, dies of a nested
 * guest's breakpoints.
 */
static void plan_debug(struct plan *plan)
{
	unsigned int i;

	for (i = 0; i < 4; i++)
		plan->dr[i] = draw();
	plan->dr6 = draw();
	plan->dr7 = (draw() & 0xffff0300) | 0x400;
}

static void add_range(struct plan *plan, uint32_t start, uint32_t end)
{
	unsigned int i = 0;

	while (plan->range[i].pages)
		i++;
	plan->range[i].start = start;
	plan->range[i].pages = (end - start) / PAGE_SIZE;
}

/* Page tables come last: with paging on it may not get any further */
static void plan_memory(struct plan *plan, uint32_t kind)
{
	uint32_t tables = *hlk_word(HLK_GUEST_OFF_PT_BASE);
	uint32_t free = *hlk_word(HLK_GUEST_OFF_ALLOC);
	uint32_t delta = kind == PAGING_OFF ? 0 : HLK_GUEST_SCRATCH_DELTA;
	uint32_t guard = HLK_GUEST_SCRATCH_TOP - HLK_GUEST_OFF_GUARD;

	add_range(plan, hlk_boot.mem_base, hlk_boot.mem_end);
	if (kind == PAGING_AS_IT_IS)
		return;
	add_range(plan, hlk_boot.scratch_gpa + delta, tables + delta);
	add_range(plan, free + delta, guard + delta);
	add_range(plan, guard + PAGE_SIZE + delta, HLK_GUEST_SCRATCH_TOP + delta);
	if (kind == PAGING_OFF || draw() & 0x100)
		add_range(plan, tables + delta, free + delta);
}

static void plan_control(struct plan *plan, uint32_t kind)
{
	uint32_t cr0;

	asm volatile("mov %%cr0, %0" : "=r"(cr0));
	plan->cr0_before = cr0;
	plan->cr2 = draw();
	plan->cr3 = read_cr3();
	plan->cr4 = draw() & CR4_LEGAL & ~CR4_PAE;
	plan->cr0 = cr0 ^ (draw() & CR0_HARMLESS);
	if (draw() & 0x100)
		plan->cr0 |= CR0_CD | (draw() & CR0_NW);
	if (kind == PAGING_UNPROTECTED) {
		plan->cr0_before &= ~CR0_WP;
		plan->cr0 &= ~CR0_WP;
	}
	if (kind == PAGING_OFF) {
		plan->cr0_before &= ~CR0_PG;
		plan->cr0 &= ~(CR0_PG | (draw() & (CR0_WP | CR0_PE)));
		plan->cr3 = draw();
		plan->cr4 |= draw() & CR4_PAE;
	}
}

/* A port that the host knows, one that a PC has, or any */
static uint32_t strange_port(void)
{
	switch (draw_below(3)) {
	case 0:
		return HLK_GUEST_PORT_LOG + draw_below(6);
	case 1:
		return draw() & 0x100 ? 0x3f8 : 0x20;
	default:
		return draw() & 0xffff;
	}
}

static void plan_end(struct plan *plan, uint32_t page)
{
	uint32_t end = draw_below(END_KINDS);
	bool port = end >= END_OUT && end <= END_IN_STRING;
	bool string = end == END_OUT_STRING || end == END_IN_STRING ||
		      end == END_DEVICE_STRING;

	plan->end = end_offsets[end];
	plan->eax = draw();
	plan->ebx = draw();
	plan->ecx = string ? 1 + draw_below(64) : draw();
	plan->edx = port ? strange_port() : draw();
	plan->esi = end == END_GARBAGE ? draw() : page + STACK_OFFSET / 2;
	plan->edi = page + STACK_OFFSET / 2;
	plan->ebp = draw();
	plan->eflags = draw() & EFLAGS_LEGAL;
	if (!draw_below(4))
		plan->eflags |= EFLAGS_TF;
	if (end >= END_DEVICE_WRITE && end <= END_DEVICE_STACK) {
		if (end == END_DEVICE_WRITE || draw() & 0x100)
			plan->edi = DEVICE + draw_below(0x800);
		if (end != END_DEVICE_STRING || plan->edi < DEVICE)
			plan->esi = DEVICE + 0x400 + draw_below(0x400);
	}
	plan->ds = string ? HLK_GUEST_DS : strange_selector();
	plan->es = string ? HLK_GUEST_DS : strange_selector();
	plan->fs = strange_selector();
	plan->gs = strange_selector();
}

/* One table holds all addresses that have to be their own */
static void map_identical(uint32_t table, uint32_t gpa)
{
	uint32_t *pd = hlk_scratch(read_cr3());
	uint32_t *entries = hlk_scratch(table);

	pd[gpa >> 22] = table | PTE_P | PTE_W;
	entries[gpa >> 12 & 1023] = (gpa & ~PTE_FLAGS) | PTE_P | PTE_W;
	asm volatile("invlpg (%0)" : : "r"(gpa) : "memory");
}

/* "SEED": does not return */
static int fn_scribble(struct hlk_req *req)
{
	const char *at = req->arg;
	uint32_t table, page, kind;
	struct plan *plan;

	/* Neighbouring seeds are to be far apart, and none may be 0 */
	state = (hlk_number(&at, at + req->arg_len) + 1) * 2654435761U | 1;
	draw();
	draw();

	table = hlk_page_alloc();
	page = hlk_page_alloc();
	/* A large scratch would be mapped where the table is to go */
	if (hlk_boot.scratch_gpa + HLK_GUEST_SCRATCH_DELTA <= DEVICE ||
	    page >> 22 != DEVICE >> 22 ||
	    scribble_code_end - scribble_code > CODE_MAX)
		return 22;	/* EINVAL */
	memset(hlk_scratch(table), 0, PAGE_SIZE);
	map_identical(table, page);
	map_identical(table, DEVICE);

	plan = hlk_scratch(page);
	memset(plan, 0, PAGE_SIZE);
	memcpy(hlk_scratch(page + CODE_OFFSET), scribble_code,
	       scribble_code_end - scribble_code);
	kind = draw_below(PAGING_KINDS);
	plan->seed = draw() | 1;
	plan->skip = kind == PAGING_AS_IT_IS ? 0xf00 : draw() & draw() & 0xf00;
	plan->words = 1 + draw_below(32);
	plan->alias = page + HLK_GUEST_SCRATCH_DELTA;
	plan->code_offset = page + CODE_OFFSET + scribble_loaded - scribble_code;
	plan_descriptors(plan, page);
	plan_fpu(plan);
	plan_debug(plan);
	plan_memory(plan, kind);
	plan_control(plan, kind);
	plan_end(plan, page);
	asm volatile("movl %0, %%ebp\n\t"
		     "jmp *%1"
		     : : "a"(page), "d"(page + CODE_OFFSET) : "memory");
	__builtin_unreachable();
}

HLK_FUNCTION(scribble, fn_scribble);

static int fn_ping(struct hlk_req *req)
{
	hlk_answer(req, "pong");
	return 0;
}

HLK_FUNCTION(ping, fn_ping);

static uint32_t digest(uint32_t hash, const void *data, uint32_t len)
{
	const uint32_t *at = data;

	for (; len; len -= 4)
		hash = (hash ^ *at++) * 16777619U;
	return hash;
}

struct stored_pointer {
	uint16_t limit;
	uint32_t base;
} __attribute__((packed));

static void tell_registers(struct hlk_req *req)
{
	struct stored_pointer gdtr, idtr;
	uint32_t cr0, cr2, cr4, flags;
	uint16_t ds, es, fs, gs, ss, cs, ldt, tr;

	asm volatile("mov %%cr0, %0; mov %%cr2, %1; mov %%cr4, %2"
		     : "=r"(cr0), "=r"(cr2), "=r"(cr4));
	asm volatile("pushfl; popl %0" : "=r"(flags));
	hlk_answer(req, "cr0=%x cr2=%x cr3=%x cr4=%x eflags=%x\n", cr0, cr2,
		   read_cr3(), cr4, flags & ~0x8d5);
	asm volatile("movw %%ds, %0; movw %%es, %1; movw %%fs, %2; movw %%gs, %3"
		     : "=m"(ds), "=m"(es), "=m"(fs), "=m"(gs));
	asm volatile("movw %%ss, %0; movw %%cs, %1; sldt %2; str %3"
		     : "=m"(ss), "=m"(cs), "=m"(ldt), "=m"(tr));
	hlk_answer(req, "cs=%x ss=%x ds=%x es=%x fs=%x gs=%x ldt=%x tr=%x\n", cs, ss,
		   ds, es, fs, gs, ldt, tr);
	asm volatile("sgdt %0; sidt %1" : "=m"(gdtr), "=m"(idtr));
	hlk_answer(req, "gdt=%x+%x idt=%x+%x\n", gdtr.base, gdtr.limit, idtr.base,
		   idtr.limit);
}

static void tell_debug(struct hlk_req *req)
{
	uint32_t d[6];

	asm volatile("mov %%dr0, %0; mov %%dr1, %1; mov %%dr2, %2"
		     : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]));
	asm volatile("mov %%dr3, %0; mov %%dr6, %1; mov %%dr7, %2"
		     : "=r"(d[3]), "=r"(d[4]), "=r"(d[5]));
	hlk_answer(req, "dr=%x,%x,%x,%x,%x,%x\n", d[0], d[1], d[2], d[3], d[4],
		   d[5]);
}

static void tell_fpu(struct hlk_req *req)
{
	uint8_t space[512 + 16];
	uint8_t *fx = (uint8_t *)(((uint32_t)space + 15) & ~15U);

	memset(space, 0, sizeof(space));
	asm volatile("fxsave (%0)" : : "r"(fx) : "memory");
	hlk_answer(req, "fpu=%x\n", digest(0, fx, 512));
}

/*
 * All that is the same in every first call after a restore: memory, page tables,
 * free scratch, registers. Not the page of the allocator's word, seed and counter,
 * nor the buffers and the stack, which this very call uses.
 */
static int fn_state(struct hlk_req *req)
{
	uint32_t tables = *hlk_word(HLK_GUEST_OFF_PT_BASE);
	uint32_t end = HLK_GUEST_SCRATCH_TOP - HLK_GUEST_OFF_ALLOC_END;

	tell_registers(req);
	tell_debug(req);
	tell_fpu(req);
	hlk_answer(req, "memory=%x\n",
		   digest(0, (void *)hlk_boot.mem_base,
			  hlk_boot.mem_end - hlk_boot.mem_base));
	hlk_answer(req, "scratch=%x free=%x\n",
		   digest(0, hlk_scratch(tables), end - tables),
		   (uint32_t)*hlk_word(HLK_GUEST_OFF_ALLOC));
	return 0;
}

HLK_FUNCTION(state, fn_state);

void hlk_init(void)
{
	uint32_t root = read_cr3();

	hlk_publish_roots(&root, 1);
}
