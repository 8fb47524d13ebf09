// SPDX-License-Identifier: GPL-2.0-only
/*
 * The first program of a 64-bit Linux guest with two processors, for gdb, without a C library:
 * a process on each, and a pipe both ways. It says "ready", and from there on names the
 * host on the first processor and the domain on the second one, and says "answer 42". Called
 * with "crash" it ends instead, which is the kernel's panic, with "spin" both go on for ever.
 */
#include <stddef.h>

/* x86-64's numbers */
#define SYS_READ		0
#define SYS_WRITE		1
#define SYS_PIPE		22
#define SYS_SCHED_YIELD		24
#define SYS_FORK		57
#define SYS_EXIT		60
#define SYS_SETHOSTNAME		170
#define SYS_SETDOMAINNAME	171
#define SYS_SCHED_SETAFFINITY	203

static long call(long nr, long a, long b, long c)
{
	long ret;

	asm volatile("syscall" : "=a" (ret) : "a" (nr), "D" (a), "S" (b), "d" (c)
		     : "rcx", "r11", "memory");
	return ret;
}

static void must(long ret)
{
	static const char text[] = "guest: a system call failed\n";

	if (ret >= 0)
		return;
	call(SYS_WRITE, 1, (long)text, sizeof(text) - 1);
	call(SYS_EXIT, 1, 0, 0);
}

static void say(const char *text, size_t len)
{
	must(call(SYS_WRITE, 1, (long)text, len));
}

static void stay_on(unsigned long cpus)
{
	must(call(SYS_SCHED_SETAFFINITY, 0, sizeof(cpus), (long)&cpus));
}

/* Each waits for the other. */
static void tell(const int *pipe)
{
	must(call(SYS_WRITE, pipe[1], (long)"!", 1));
}

static void wait_on(const int *pipe)
{
	char byte;

	must(call(SYS_READ, pipe[0], (long)&byte, 1));
}

static void __attribute__((noreturn)) spin(void)
{
	for (;;)
		call(SYS_SCHED_YIELD, 0, 0, 0);
}

static void second(const int *to, const int *from, int spins)
{
	stay_on(2);
	tell(from);
	if (spins)
		spin();
	for (;;) {
		wait_on(to);
		must(call(SYS_SETDOMAINNAME, (long)"second", 6, 0));
		tell(from);
	}
}

static int has(long argc, char **argv, const char *word)
{
	const char *a, *b;
	long i;

	for (i = 1; i < argc; i++) {
		a = argv[i];
		b = word;
		while (*a && *a == *b) {
			a++;
			b++;
		}
		if (*a == *b)
			return 1;
	}
	return 0;
}

/* @top: argc, and argv behind it */
void __attribute__((used, noreturn)) first(long *top)
{
	char **argv = (char **)(top + 1);
	int spins = has(*top, argv, "spin");
	int to[2], from[2];
	long child;

	must(call(SYS_PIPE, (long)to, 0, 0));
	must(call(SYS_PIPE, (long)from, 0, 0));
	child = call(SYS_FORK, 0, 0, 0);
	must(child);
	if (!child)
		second(to, from, spins);
	stay_on(1);
	wait_on(from);
	say("ready\n", 6);
	if (has(*top, argv, "crash"))
		call(SYS_EXIT, 7, 0, 0);
	if (!spins) {
		must(call(SYS_SETHOSTNAME, (long)"first", 5, 0));
		tell(to);
		wait_on(from);
		say("answer 42\n", 10);
	}
	spin();
}

asm("	.globl _start\n"
	"_start:	mov %rsp, %rdi\n"
	"	and $-16, %rsp\n"
	"	call first\n");
