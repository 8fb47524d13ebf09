// SPDX-License-Identifier: GPL-2.0-only
/*
 * The first program of a Linux guest, i386 or x86-64, without a C library: what getrandom()
 * gives after a restore, twice. First by itself, from the first instruction on, and once
 * more after a nap, in which the kernel does what it wanted to do; then after it
 * looked whether the VM generation ID is another and if so had the kernel reseed, as an
 * agent does before it answers. All of it goes to port 0xE9.
 */
#include <asm/unistd.h>
#include <linux/random.h>
#include <stdint.h>

#define GENID		0xe0000
#define DRAWS		64
#define PAGE		4096
#define RDWR		2
#define PROT_READ	1
#define SHARED		1
#define CHARDEV		0020600
#define DEV(major, minor)	((major) << 8 | (minor))

struct draw {
	uint64_t value;
	uint64_t when;
};

static struct draw draws[DRAWS];

static long call(long nr, long a, long b, long c, long d, long e, long f)
{
	long ret;
#ifdef __x86_64__
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;

	__asm__ volatile("syscall" : "=a" (ret)
			 : "a" (nr), "D" (a), "S" (b), "d" (c), "r" (r10), "r" (r8),
			   "r" (r9) : "rcx", "r11", "memory");
#else
	long args[2] = { nr, f };

	__asm__ volatile("push %%ebp; mov 4(%%eax), %%ebp; mov (%%eax), %%eax; int $0x80; pop %%ebp"
			 : "=a" (ret)
			 : "a" (args), "b" (a), "c" (b), "d" (c), "S" (d), "D" (e) : "memory");
#endif
	return ret;
}

#define call3(nr, a, b, c)	call(nr, (long)(a), (long)(b), (long)(c), 0, 0, 0)

static uint64_t now(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence; rdtsc" : "=a" (low), "=d" (high));
	return (uint64_t)high << 32 | low;
}

static void put(char byte)
{
	__asm__ volatile("outb %0, $0xe9" : : "a" (byte));
}

static void say(const char *text)
{
	while (*text)
		put(*text++);
}

static void say_hex(uint64_t value)
{
	int shift;

	for (shift = 60; shift >= 0; shift -= 4)
		put("0123456789abcdef"[value >> shift & 15]);
	put(' ');
}

static void stop(const char *why)
{
	say("WRONG: ");
	say(why);
	say("\n");
	for (;;)
		call3(__NR_reboot, 0xfee1dead, 672274793, 0x4321fedc);
}

static void draw_all(uint64_t from)
{
	int i;

	for (i = 0; i < DRAWS; i++) {
		if (call3(__NR_getrandom, &draws[i].value, sizeof(draws[i].value), 0) != 8)
			stop("getrandom");
		draws[i].when = now() - from;
	}
	for (i = 0; i < DRAWS; i++) {
		say_hex(draws[i].value);
		say_hex(draws[i].when);
	}
}

static void nap(long seconds, long nanoseconds)
{
	const long time[2] = { seconds, nanoseconds };

	if (call3(__NR_nanosleep, time, 0, 0))
		stop("nanosleep");
}

static uint64_t draw_later(void)
{
	uint64_t value;

	nap(0, 50000000);
	if (call3(__NR_getrandom, &value, sizeof(value), 0) != 8)
		stop("after the nap");
	return value;
}

static const volatile uint64_t *map_genid(void)
{
	long at;
	long fd;

	call3(__NR_mknod, "/mem", CHARDEV, DEV(1, 1));
	fd = call3(__NR_open, "/mem", RDWR, 0);
	if (fd < 0)
		stop("/dev/mem");
#ifdef __x86_64__
	at = call(__NR_mmap, 0, PAGE, PROT_READ, SHARED, fd, GENID);
#else
	at = call(__NR_mmap2, 0, PAGE, PROT_READ, SHARED, fd, GENID / PAGE);
#endif
	if ((unsigned long)at >= -4095UL)
		stop("no page of the generation ID");
	return (const uint64_t *)at;
}

/* As an agent does: it costs a look at memory where there is nothing new. */
static void reseed(const volatile uint64_t *id, const uint64_t *was, long random)
{
	struct {
		struct rand_pool_info head;
		uint64_t id[2];
	} add = { .head = { .entropy_count = 128, .buf_size = sizeof(add.id) } };

	add.id[0] = id[0];
	add.id[1] = id[1];
	if (add.id[0] == was[0] && add.id[1] == was[1])
		return;
	if (call3(__NR_ioctl, random, RNDADDENTROPY, &add))
		stop("RNDADDENTROPY");
	if (call3(__NR_ioctl, random, RNDRESEEDCRNG, 0))
		stop("RNDRESEEDCRNG");
}

/*
 * What the kernel does after its boot draws, too, and now and then it reseeds by itself. Let
 * neither be just now.
 */
static void settle(long random)
{
	nap(2, 0);
	if (call3(__NR_ioctl, random, RNDRESEEDCRNG, 0))
		stop("RNDRESEEDCRNG");
}

__attribute__((force_align_arg_pointer))
void _start(void)
{
	const volatile uint64_t *id;
	uint64_t was[2], start;
	long random;

	if (call3(__NR_ioperm, 0xe9, 1, 1))
		for (;;)
			call3(__NR_reboot, 0xfee1dead, 672274793, 0x4321fedc);
	call3(__NR_mknod, "/random", CHARDEV, DEV(1, 8));
	random = call3(__NR_open, "/random", RDWR, 0);
	if (random < 0)
		stop("/dev/random");
	id = map_genid();
	/* waits until the kernel has seeded */
	if (call3(__NR_getrandom, draws, 8, 0) != 8)
		stop("getrandom");
	settle(random);
	say("alone: ready\n");
	start = now();
	draw_all(start);
	say_hex(draw_later());
	say("end\n");
	settle(random);
	was[0] = id[0];
	was[1] = id[1];
	say("helped: ready\n");
	start = now();
	reseed(id, was, random);
	draw_all(start);
	say_hex(id[0]);
	say_hex(id[1]);
	say("end\n");
	stop("went on");
}
