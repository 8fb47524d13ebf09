// SPDX-License-Identifier: GPL-2.0-only
/*
 * The program of each process, in ring 3: the same addresses in all of them, other bytes.
 * Before the meeting it fills a part of its heap, of which no page is there, and waits
 * until the timer has taken the processor from it; after the meeting it looks whether
 * all is as it was, in memory and in the FPU, goes on, and tells the sum of it.
 */
#include "calls.h"

static unsigned int call(unsigned int nr, unsigned int arg)
{
	unsigned int ret;

	asm volatile("int %1" : "=a"(ret) : "i"(INTERRUPT), "a"(nr), "b"(arg) : "memory");
	return ret;
}

/* All initialised: there is no bss of its own. */
static unsigned int self = 0xffffffff;
static unsigned int rounds = 1;

static unsigned int *page(unsigned int i)
{
	return (unsigned int *)(HEAP + i * PAGE);
}

static unsigned int value(unsigned int i, unsigned int word)
{
	return (i * WORDS + word + 1) * (self + 1);
}

static void fill(unsigned int i)
{
	unsigned int word;

	for (word = 0; word < WORDS; word++) {
		/* A page is empty when it comes. */
		if (page(i)[word])
			call(CALL_END, 2);
		page(i)[word] = value(i, word);
	}
}

static unsigned int sum(unsigned int nr)
{
	unsigned int i, word, all = 0;

	for (i = 0; i < nr; i++)
		for (word = 0; word < WORDS; word++) {
			if (page(i)[word] != value(i, word))
				call(CALL_END, 3);
			all += page(i)[word];
		}
	return all;
}

/* Until the timer came so often, and the sum is what it was all the time */
static void work(unsigned int nr, unsigned int times)
{
	unsigned int first = sum(nr), until = call(CALL_PREEMPTED, 0) + times;

	while (call(CALL_PREEMPTED, 0) < until) {
		if (sum(nr) != first)
			call(CALL_END, 4);
		rounds++;
	}
}

static void set_fpu(void)
{
	asm volatile("fninit; fildl %0" : : "m"(self));
	asm volatile("movd %0, %%xmm5" : : "r"(self * 0x01010101));
}

static void check_fpu(void)
{
	unsigned int x87, sse;

	asm volatile("fistl %0" : "=m"(x87));
	asm volatile("movd %%xmm5, %0" : "=r"(sse));
	if (x87 != self || sse != self * 0x01010101)
		call(CALL_END, 5);
}

static void run(unsigned int nr)
{
	unsigned int i;

	self = nr;
	set_fpu();
	for (i = 0; i < BEFORE; i++)
		fill(i);
	work(BEFORE, 2);
	check_fpu();
	call(CALL_MEET, 0);
	check_fpu();
	for (i = BEFORE; i < BEFORE + AFTER; i++)
		fill(i);
	work(BEFORE + AFTER, 2);
	check_fpu();
	if (self != nr || !rounds)
		call(CALL_END, 6);
	call(CALL_SUM, sum(BEFORE + AFTER));
	/* What each may not do; the third behaves. */
	if (nr == 0)
		*(volatile unsigned int *)KERNEL_PAGE = 1;
	if (nr == 1 && IS_PAE)
		((void (*)(void))page(0))();
	if (nr == 1)
		call(CALL_END, *(volatile unsigned int *)HEAP_END);
	call(CALL_END, 0);
}

/* First of all, and with its number in EAX: where the kernel lets it begin */
void start_process(unsigned int nr) __attribute__((noreturn));

__attribute__((section(".text.first"))) void start_process(unsigned int nr)
{
	run(nr);
	for (;;)
		;
}
