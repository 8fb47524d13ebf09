// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * An example guest: a microkernel with five processes.
 *
 * Each process has a page directory of its own, a private data page and a
 * private stack at the same virtual addresses as all others; the kernel half
 * (low memory and scratch) is one set of tables that all directories share. A
 * call runs each process in ring 3; it checks what it remembers, which the
 * restore must have brought back, and says hello.
 */
#include "hlk_rt.h"

#define PROCESSES	5

/* User addresses: code, data, top of the stack */
#define USER_BASE	0x40000000U
#define USER_DATA	0x40010000U
#define USER_STACK	0x40020000U

/*
 * Accessed and dirty beforehand: else the processor sets them in a call, and the
 * table is a page that each restore has to bring back.
 */
#define PRIVATE		(PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)

enum {
	SYS_EXIT = 1,
	SYS_HELLO = 2,
};

/* What a process keeps in its private page */
struct user_data {
	uint32_t pid;
	uint32_t runs;
	uint32_t sum;
	uint32_t poke;		/* write to this address, if it is not 0 */
};

extern char user_start[];
extern char user_end[];

static uint32_t runs;		/* of each process, as the kernel counts */
static uint32_t current;
static bool quiet;

static inline uint32_t __attribute__((always_inline))
syscall2(uint32_t nr, uint32_t a, uint32_t b)
{
	uint32_t ret;

	asm volatile("int $0x80" : "=a"(ret) : "a"(nr), "b"(a), "c"(b) : "memory");
	return ret;
}

/*
 * The program of all processes. It is mapped at USER_BASE and not where it was
 * linked, so it uses nothing but its stack, its data page and system calls.
 */
static void __attribute__((section(".user"), used, noreturn)) user_main(void)
{
	volatile struct user_data *data = (void *)USER_DATA;
	volatile uint32_t stack[64];
	uint32_t sum = 0;
	unsigned int i;

	if (data->poke)
		*(volatile uint32_t *)data->poke = data->pid;
	for (i = 0; i < 64; i++)
		stack[i] = data->pid * i;
	for (i = 0; i < 64; i++)
		sum += stack[i];
	if (!data->runs)
		data->sum = sum;
	data->runs++;
	syscall2(SYS_HELLO, data->pid, data->runs);
	syscall2(SYS_EXIT, data->sum == sum, data->runs);
	for (;;)
		;
}

void hlk_syscall(struct hlk_frame *frame)
{
	switch (frame->eax) {
	case SYS_HELLO:
		if (!quiet)
			hlk_printf("Hello from process %u\n", frame->ebx);
		frame->eax = 0;
		return;
	case SYS_EXIT:
		hlk_leave_user(frame->ebx && frame->ecx == runs + 1);
	default:
		frame->eax = -38;	/* ENOSYS */
	}
}

/* A process that traps is ended; its hello is missing from the count. */
void hlk_user_trap(struct hlk_frame *frame)
{
	hlk_printf("process %u: exception %u at %x, address %x\n", current + 1,
		   frame->vector, frame->eip, read_cr2());
	hlk_leave_user(0);
}

static uint32_t run_all(void)
{
	uint32_t back = read_cr3();
	uint32_t good = 0;

	for (current = 0; current < PROCESSES; current++) {
		write_cr3(hlk_root(current));
		good += hlk_enter_user(USER_BASE, USER_STACK - 16) == 1;
	}
	write_cr3(back);
	runs++;
	return good;
}

static uint32_t say_hello(struct hlk_req *req)
{
	uint32_t good = run_all();

	hlk_printf("Hello %u/%u\n", good, PROCESSES);
	hlk_answer(req, "%u/%u", good, PROCESSES);
	return good;
}

static int fn_hello(struct hlk_req *req)
{
	return say_hello(req) == PROCESSES ? 0 : 5;	/* EIO */
}

HLK_FUNCTION(hello, fn_hello);

/*
 * "PROCESS ADDRESS": as hello, but that process writes to the address first. If
 * it may not, it is ended and the others are none the worse for it.
 */
static int fn_poke(struct hlk_req *req)
{
	const char *end = req->arg + req->arg_len;
	const char *at = req->arg;
	uint32_t process = hlk_number(&at, end);
	uint32_t address = hlk_number(&at, end);
	uint32_t back = read_cr3();

	if (process < 1 || process > PROCESSES)
		return 22;	/* EINVAL */
	write_cr3(hlk_root(process - 1));
	((struct user_data *)USER_DATA)->poke = address;
	write_cr3(back);
	say_hello(req);
	return 0;
}

HLK_FUNCTION(poke, fn_poke);

static uint32_t make_process(uint32_t pid)
{
	const uint32_t *kernel = hlk_scratch(read_cr3());
	uint32_t slot = USER_BASE >> 22;
	uint32_t pd = hlk_page_alloc();
	uint32_t pt = hlk_page_alloc();
	uint32_t data = hlk_page_alloc();
	uint32_t stack = hlk_page_alloc();
	uint32_t *table = hlk_scratch(pt);
	uint32_t at;

	memcpy(hlk_scratch(pd), kernel, PAGE_SIZE);
	((uint32_t *)hlk_scratch(pd))[slot] = pt | PTE_P | PTE_W | PTE_U | PTE_A;
	for (at = 0; user_start + at < user_end; at += PAGE_SIZE)
		table[at >> 12] = ((uint32_t)user_start + at) | PTE_P | PTE_U | PTE_A;
	table[USER_DATA >> 12 & 1023] = data | PRIVATE;
	table[(USER_STACK - PAGE_SIZE) >> 12 & 1023] = stack | PRIVATE;
	((struct user_data *)hlk_scratch(data))->pid = pid;
	return pd;
}

/*
 * Code is linked where it is in memory before the first snapshot, so the code
 * pages of the processes are found by their address.
 */
void hlk_init(void)
{
	uint32_t roots[PROCESSES];
	uint32_t i;

	for (i = 0; i < PROCESSES; i++)
		roots[i] = make_process(i + 1);
	hlk_publish_roots(roots, PROCESSES);
	write_cr3(roots[0]);
	quiet = true;
	if (run_all() != PROCESSES)
		hlk_abort(1);
	quiet = false;
}
