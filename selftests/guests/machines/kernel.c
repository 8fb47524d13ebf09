// SPDX-License-Identifier: GPL-2.0-only
/*
 * A Multiboot kernel that knows nothing of hlk: three processes in ring 3, each with page
 * tables and memory of its own, between which a timer changes; pages come when they are
 * touched, who touches others is ended. With PAE it has 64-bit entries, takes pages of heaps
 * from all pieces of memory above 4 GiB, executes nothing there, and has the local APIC's
 * timer; else 32-bit entries and the PIT.
 *
 * It says "ready" when all three were interrupted and met, and in the end what each found.
 */
#include <stddef.h>
#include <stdint.h>

#include "calls.h"

#define MULTIBOOT	0x2badb002U
#define HAS_MAP		0x40U
#define AVAILABLE	1

#define KERNEL_CS	0x08
#define USER_CS		0x1b
#define USER_DS		0x23
#define TSS		0x28

#define PRESENT		0x01U
#define WRITE		0x02U
#define USER		0x04U
#define NO_CACHE	0x18U

#define IDENTITY	0x00800000U	/* as much is mapped to itself */
#define WINDOW		IDENTITY	/* one page of anywhere */
#define LAPIC		0xfee00000U

#define PAGE_FAULT	14
#define TIMER		0x20
#define SPURIOUS	0x2f
#define IF		0x200U

#define COM		0x3f8
#define POWER		0x604
#define HZ		250

#ifdef PAE
typedef uint64_t entry_t;
#define PER_TABLE	512U
#define TABLE_SHIFT	21
#define NX		(1ULL << 63)
#else
typedef uint32_t entry_t;
#define PER_TABLE	1024U
#define TABLE_SHIFT	22
#define NX		0
#endif

struct frame {
	uint32_t es, ds;
	uint32_t edi, esi, ebp, none, ebx, edx, ecx, eax;
	uint32_t vector, code;
	uint32_t eip, cs, eflags, esp, ss;
};

enum state { RUNS, WAITS, ENDED };

struct process {
	uint8_t fpu[512];
	struct frame frame;
	uint32_t cr3;
	enum state state;
	uint32_t preempted;
	uint32_t faults;
	uint32_t sum;
	uint32_t end;		/* what it ended with, or the error code of its fault */
	uint32_t address;	/* of that fault */
	uint32_t killed;
} __attribute__((aligned(16)));

struct map {
	uint32_t size;
	uint64_t addr;
	uint64_t length;
	uint32_t type;
} __attribute__((packed));

struct info {
	uint32_t flags;
	uint32_t before[10];
	uint32_t mmap_length;
	uint32_t mmap_addr;
};

extern unsigned char program_start[], program_bytes[], kernel_end[], stack_top[];
extern unsigned char entries[], entry_call[];

void kernel(uint32_t magic, const struct info *info);
void interrupt(struct frame *frame);

static struct process process[PROCESSES];
static struct process *current;
static uint32_t low_next;

/* Pieces of memory above 4 GiB: heaps take pages from one after the other, from the end. */
static struct {
	uint64_t start;
	uint64_t next;
} high[64];
static unsigned int nr_high, high_turn;
static uint32_t meetings;

static void outb(uint16_t port, uint8_t value)
{
	asm volatile("outb %0, %1" : : "a"(value), "d"(port));
}

static uint8_t inb(uint16_t port)
{
	uint8_t value;

	asm volatile("inb %1, %0" : "=a"(value) : "d"(port));
	return value;
}

static void print(const char *text)
{
	for (; *text; text++) {
		while (!(inb(COM + 5) & 0x20))
			;
		outb(COM, *text);
	}
}

static void print_hex(uint64_t value)
{
	char text[19] = "0x";
	unsigned int at = 2;
	int shift = 60;

	while (shift && !(value >> shift & 15))
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		text[at++] = "0123456789abcdef"[value >> shift & 15];
	text[at] = '\0';
	print(text);
}

static void print_number(const char *before, uint64_t value, const char *after)
{
	print(before);
	print_hex(value);
	print(after);
}

static void __attribute__((noreturn)) finish(const char *text)
{
	print(text);
	asm volatile("outw %0, %1" : : "a"((uint16_t)0x2000), "d"((uint16_t)POWER));
	for (;;)
		asm volatile("cli; hlt");
}

static void *new_page(void)
{
	uint32_t *page = (uint32_t *)low_next;
	unsigned int i;

	low_next += PAGE;
	if (low_next > IDENTITY)
		finish("three: out of memory\n");
	for (i = 0; i < WORDS; i++)
		page[i] = 0;
	return page;
}

/* The table of this part of an address space; entries of the top level stay as they are */
static entry_t *table(uint32_t cr3, uint32_t va)
{
	entry_t *top = (entry_t *)cr3;

#ifdef PAE
	if (!(top[va >> 30] & PRESENT))
		top[va >> 30] = (uint32_t)new_page() | PRESENT;
	top = (entry_t *)((uint32_t)top[va >> 30] & -PAGE);
#endif
	top += va >> TABLE_SHIFT & (PER_TABLE - 1);
	if (!(*top & PRESENT))
		*top = (uint32_t)new_page() | PRESENT | WRITE | USER;
	return (entry_t *)((uint32_t)*top & -PAGE);
}

static void map(uint32_t cr3, uint32_t va, uint64_t pa, entry_t flags)
{
	table(cr3, va)[va / PAGE & (PER_TABLE - 1)] = (entry_t)pa | flags | PRESENT;
	asm volatile("invlpg %0" : : "m"(*(char *)va) : "memory");
}

/* Or 0, if there is none above 4 GiB */
static uint64_t new_high_page(void)
{
	unsigned int i, at;

	for (i = 0; i < nr_high; i++) {
		at = high_turn++ % nr_high;
		if (high[at].next - high[at].start < PAGE)
			continue;
		high[at].next -= PAGE;
		return high[at].next;
	}
	return 0;
}

/* A page of a heap, empty */
static uint64_t new_heap_page(void)
{
	uint32_t *window = (uint32_t *)WINDOW;
	uint64_t page = new_high_page();
	unsigned int i;

	if (!page)
		return (uint32_t)new_page();
	map(current->cr3, WINDOW, page, WRITE | NX);
	for (i = 0; i < WORDS; i++)
		window[i] = 0;
	return page;
}

static void add_high(uint64_t start, uint64_t end)
{
	if (start < 1ULL << 32 || nr_high == sizeof(high) / sizeof(*high))
		return;
	high[nr_high].start = start;
	high[nr_high].next = end & -(uint64_t)PAGE;
	nr_high++;
}

static void find_memory(const struct info *info)
{
	const struct map *one = (const struct map *)info->mmap_addr;
	const struct map *end = (const struct map *)(info->mmap_addr + info->mmap_length);
	uint64_t highest = 0;

	low_next = (uint32_t)kernel_end;
	for (; one < end; one = (const struct map *)((uint32_t)one + one->size + 4)) {
		if (one->type != AVAILABLE)
			continue;
		if (one->addr + one->length > highest)
			highest = one->addr + one->length;
		if (IS_PAE)
			add_high(one->addr, one->addr + one->length);
	}
	print(IS_PAE ? "three: PAE, " : "three: no PAE, ");
	print_number("memory ends at ", highest, "");
	print_number(", pieces above 4 GiB in use: ", nr_high, "\n");
}

static void make_space(struct process *new, unsigned int nr)
{
	uint32_t at, cr3 = (uint32_t)new_page();
	unsigned char *copy;
	uint32_t i;

	new->cr3 = cr3;
	for (at = 0; at < IDENTITY; at += PAGE)
		map(cr3, at, at, WRITE);
	map(cr3, WINDOW, 0, WRITE);
	map(cr3, LAPIC, LAPIC, WRITE | NO_CACHE | NX);
	for (at = 0; at < (uint32_t)program_bytes; at += PAGE) {
		copy = new_page();
		for (i = 0; i < PAGE; i++)
			copy[i] = program_start[at + i];
		map(cr3, PROGRAM + at, (uint32_t)copy, WRITE | USER);
	}
	map(cr3, STACK - PAGE, (uint32_t)new_page(), WRITE | USER | NX);
	new->frame = (struct frame) {
		.ds = USER_DS, .es = USER_DS, .eax = nr, .eip = PROGRAM,
		.cs = USER_CS, .eflags = IF, .esp = STACK - 16, .ss = USER_DS,
	};
	asm volatile("fninit; fxsave %0" : "=m"(new->fpu));
}

static void take_up(struct process *next, struct frame *frame)
{
	if (next != current) {
		asm volatile("fxsave %0" : "=m"(current->fpu));
		current->frame = *frame;
		asm volatile("fxrstor %0" : : "m"(next->fpu));
		asm volatile("mov %0, %%cr3" : : "r"(next->cr3) : "memory");
		*frame = next->frame;
	}
	current = next;
}

/* The next one that can run, or NULL */
static struct process *next_process(void)
{
	unsigned int at = current - process, i;

	for (i = 1; i <= PROCESSES; i++)
		if (process[(at + i) % PROCESSES].state == RUNS)
			return &process[(at + i) % PROCESSES];
	return NULL;
}

static void report(void)
{
	unsigned int i;

	for (i = 0; i < PROCESSES; i++) {
		print_number("process ", i, ": ");
		print_number("sum ", process[i].sum, ", ");
		print_number("", process[i].faults, " pages came, ");
		print(process[i].preempted >= 4 ? "was interrupted, " : "was NOT interrupted, ");
		if (process[i].killed)
			print_number("ended by a fault at ", process[i].address, ", ");
		print_number("code ", process[i].end, "\n");
	}
	finish("three: done\n");
}

/* All wait for each other: the meeting, and before the sums are told */
static void all_wait(void)
{
	unsigned int i;

	for (i = 0; i < PROCESSES && process[i].state != ENDED; i++)
		process[i].state = RUNS;
	if (i < PROCESSES)
		report();
	meetings++;
	if (meetings == 1)
		print("three: ready\n");
}

static void change(struct frame *frame)
{
	struct process *next = next_process();

	if (!next) {
		all_wait();
		next = next_process();
	}
	take_up(next, frame);
}

static void kill(struct frame *frame)
{
	uint32_t address;

	asm volatile("mov %%cr2, %0" : "=r"(address));
	current->state = ENDED;
	current->killed = 1;
	current->end = frame->code;
	current->address = frame->vector == PAGE_FAULT ? address : frame->eip;
	change(frame);
}

static void page_fault(struct frame *frame)
{
	uint32_t address;

	asm volatile("mov %%cr2, %0" : "=r"(address));
	if (frame->code & PRESENT || address - HEAP >= HEAP_END - HEAP) {
		kill(frame);
		return;
	}
	map(current->cr3, address & -PAGE, new_heap_page(), WRITE | USER | NX);
	current->faults++;
}

static void call(struct frame *frame)
{
	switch (frame->eax) {
	case CALL_SUM:
		current->sum = frame->ebx;
		/* fallthrough */
	case CALL_MEET:
		current->state = WAITS;
		change(frame);
		break;
	case CALL_PREEMPTED:
		frame->eax = current->preempted;
		break;
	default:
		current->end = frame->ebx;
		current->state = ENDED;
		change(frame);
	}
}

void interrupt(struct frame *frame)
{
	/* Interrupts are off in the kernel: a processor that delivers one is none. */
	if (!(frame->cs & 3)) {
		if (frame->vector < TIMER)
			print_number("three: exception ", frame->vector, "");
		else
			print_number("three: interrupt ", frame->vector, ", with interrupts off,");
		print_number(" in the kernel at ", frame->eip, "\n");
		finish("");
	}
	if (frame->vector == TIMER) {
#ifdef PAE
		*(volatile uint32_t *)(LAPIC + 0xb0) = 0;
#else
		outb(0x20, 0x20);
#endif
		current->preempted++;
		change(frame);
	} else if (frame->vector == PAGE_FAULT) {
		page_fault(frame);
	} else if (frame->vector == INTERRUPT) {
		call(frame);
	} else if (frame->vector < TIMER) {
		kill(frame);
	}
}

struct pointer {
	uint16_t limit;
	uint32_t base;
} __attribute__((packed));

static uint64_t gdt[7] = {
	0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00cffb000000ffff, 0x00cff3000000ffff,
};

static uint64_t idt[INTERRUPT + 1];
static uint32_t tss[26];

static void gate(unsigned int vector, const void *to, unsigned int ring)
{
	uint32_t at = (uint32_t)to;

	idt[vector] = (at & 0xffff) | KERNEL_CS << 16 |
		      (uint64_t)(0x8e00 | ring << 13 | (at & 0xffff0000)) << 32;
}

static void set_tables(void)
{
	struct pointer to = { sizeof(gdt) - 1, (uint32_t)gdt };
	uint32_t base = (uint32_t)tss;
	unsigned int i;

	tss[1] = (uint32_t)stack_top;
	tss[2] = 0x10;
	tss[25] = sizeof(tss) << 16;	/* no bitmap of ports */
	gdt[TSS / 8] = (sizeof(tss) - 1) | (uint64_t)(base & 0xffffff) << 16 |
		       0x890000000000ULL | (uint64_t)(base >> 24) << 56;
	asm volatile("lgdt %0; ljmp %1, $1f; 1:" : : "m"(to), "i"(KERNEL_CS));
	asm volatile("mov %0, %%ds; mov %0, %%es; mov %0, %%fs; mov %0, %%gs; mov %0, %%ss"
		     : : "r"(0x10));
	asm volatile("ltr %w0" : : "r"(TSS));
	for (i = 0; i < 0x30; i++)
		gate(i, entries + 16 * i, 0);
	gate(INTERRUPT, entry_call, 3);
	to = (struct pointer) { sizeof(idt) - 1, (uint32_t)idt };
	asm volatile("lidt %0" : : "m"(to));
}

static void set_devices(void)
{
	static const uint8_t init[][2] = {
		{ 0x20, 0x11 }, { 0xa0, 0x11 }, { 0x21, TIMER }, { 0xa1, TIMER + 8 },
		{ 0x21, 4 }, { 0xa1, 2 }, { 0x21, 1 }, { 0xa1, 1 },
	};
	unsigned int i;

	outb(COM + 3, 3);
	outb(COM + 2, 7);
	for (i = 0; i < sizeof(init) / sizeof(*init); i++)
		outb(init[i][0], init[i][1]);
#ifdef PAE
	outb(0x21, 0xff);
#else
	outb(0x21, 0xfe);
#endif
	outb(0xa1, 0xff);
}

/* With paging on, before the first process */
static void set_timer(void)
{
#ifdef PAE
	volatile uint32_t *apic = (volatile uint32_t *)LAPIC;

	apic[0xf0 / 4] = 0x100 | SPURIOUS;
	apic[0x3e0 / 4] = 3;			/* by 16, of what is 1 GHz in VMs */
	apic[0x320 / 4] = 0x20000 | TIMER;	/* again and again */
	apic[0x380 / 4] = 1000000000 / 16 / HZ;
#else
	outb(0x43, 0x34);
	outb(0x40, (1193182 / HZ) & 255);
	outb(0x40, 1193182 / HZ / 256);
#endif
}

static void set_paging(void)
{
	uint32_t cr0, cr4;

	asm volatile("mov %%cr4, %0" : "=r"(cr4));
	cr4 |= 0x600;				/* FXSAVE, SSE */
#ifdef PAE
	cr4 |= 0x20;
	asm volatile("rdmsr; or $0x800, %%eax; wrmsr" : : "c"(0xc0000080) : "eax", "edx");
#endif
	asm volatile("mov %0, %%cr4" : : "r"(cr4));
	asm volatile("mov %0, %%cr3" : : "r"(process[0].cr3));
	asm volatile("mov %%cr0, %0" : "=r"(cr0));
	/* paging, write protection, an FPU without emulation */
	cr0 = (cr0 & ~0xcU) | 0x80010002;
	asm volatile("mov %0, %%cr0; jmp 1f; 1:" : : "r"(cr0) : "memory");
}

void kernel(uint32_t magic, const struct info *info)
{
	struct frame *frame = (struct frame *)(stack_top - sizeof(*frame));
	unsigned int i;

	set_tables();
	set_devices();
	if (magic != MULTIBOOT || !(info->flags & HAS_MAP))
		finish("three: not started by Multiboot\n");
	find_memory(info);
	asm volatile("mov %0, %%cr0" : : "r"(0x11));
	asm volatile("mov %0, %%cr4" : : "r"(0x600));
	for (i = 0; i < PROCESSES; i++)
		make_space(&process[i], i);
	set_paging();
	set_timer();
	current = &process[0];
	*frame = current->frame;
	asm volatile("mov %0, %%esp; jmp leave" : : "r"(frame));
	__builtin_unreachable();
}
