// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The I/O buffers, with guests that leave nonsense in them. The pages around a
 * buffer are not mapped.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "../buffer.h"
#include "tap.h"

#define PAGE	4096U
#define SIZE	(4 * PAGE)

static unsigned char bounce[SIZE];

static struct hlk_buffer make(void)
{
	unsigned char *mem = mmap(NULL, SIZE + 2 * PAGE, PROT_NONE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct hlk_buffer buf = { .mem = mem + PAGE, .size = SIZE };

	mprotect(buf.mem, SIZE, PROT_READ | PROT_WRITE);
	hlk_buffer_reset(&buf);
	return buf;
}

static void drop(struct hlk_buffer *buf)
{
	munmap(buf->mem - PAGE, SIZE + 2 * PAGE);
}

static void put(struct hlk_buffer *buf, uint32_t at, uint64_t word)
{
	memcpy(buf->mem + at, &word, sizeof(word));
}

static int push(struct hlk_buffer *buf, const void *bytes, size_t len)
{
	const struct iovec part[] = { { (void *)bytes, len } };

	return hlk_buffer_push(buf, part, 1);
}

static void test_stack(void)
{
	struct hlk_buffer buf = make();
	uint32_t len = 0;
	uint64_t word;

	tap(!push(&buf, "first", 5) && !push(&buf, "", 0) &&
	    !push(&buf, "third", 5), "push three, one of them empty");
	memcpy(&word, buf.mem, sizeof(word));
	tap(word == 8 + 13 + 8 + 13, "the stack pointer is behind them");
	memcpy(&word, buf.mem + 13, sizeof(word));
	tap(word == 8, "an element ends with where it starts");
	tap(!hlk_buffer_pop(&buf, bounce, &len) && len == 5 &&
	    !memcmp(bounce, "third", 5), "the last comes out first");
	tap(!hlk_buffer_pop(&buf, bounce, &len) && !len, "the empty one");
	tap(!hlk_buffer_pop(&buf, bounce, &len) && len == 5 &&
	    !memcmp(bounce, "first", 5), "the first");
	tap(hlk_buffer_pop(&buf, bounce, &len) == -EPROTO,
	    "no more than was pushed");
	drop(&buf);
}

static void test_parts(void)
{
	const struct iovec part[] = {
		{ (void *)"ab", 2 }, { NULL, 0 }, { (void *)"cde", 3 },
	};
	struct hlk_buffer buf = make();
	uint32_t len;

	tap(!hlk_buffer_push(&buf, part, 3) &&
	    !hlk_buffer_pop(&buf, bounce, &len) && len == 5 &&
	    !memcmp(bounce, "abcde", 5), "an element from parts");
	drop(&buf);
}

static void test_full(void)
{
	const struct iovec wrap[] = {
		{ bounce, 16 }, { bounce, SIZE_MAX - 8 },
	};
	struct hlk_buffer buf = make();
	size_t room = hlk_buffer_room(&buf);
	uint32_t len;

	tap(room == SIZE - 16, "room of an empty buffer");
	tap(push(&buf, bounce, room + 1) == -ENOBUFS, "one byte too many");
	tap(hlk_buffer_push(&buf, wrap, 2) == -ENOBUFS,
	    "parts whose sum wraps");
	tap(!push(&buf, bounce, room), "as much as fits");
	tap(push(&buf, "", 0) == -ENOBUFS, "nothing more then");
	tap(!hlk_buffer_pop(&buf, bounce, &len) && len == room,
	    "all of it comes out");
	drop(&buf);
}

/* @sp and the word before it, as a guest may leave them */
static const struct {
	uint64_t sp;
	uint64_t start;
	const char *what;
} hostile[] = {
	{ 0, 0, "stack pointer 0" },
	{ 7, 0, "stack pointer in the stack pointer" },
	{ 8, 0, "empty" },
	{ 9, 8, "no room for the start" },
	{ 15, 8, "no room for the start" },
	{ SIZE + 1, 8, "stack pointer one too high" },
	{ SIZE + PAGE, 8, "stack pointer beyond the buffer" },
	{ 1ULL << 32, 8, "stack pointer 4 GiB" },
	{ (1ULL << 32) + 64, 8, "stack pointer wraps in 32 bits" },
	{ UINT64_MAX, 8, "stack pointer -1" },
	{ UINT64_MAX - 7, 8, "stack pointer -8" },
	{ 64, 0, "element starts in the stack pointer" },
	{ 64, 7, "element starts in the stack pointer" },
	{ 64, 57, "element ends before it starts" },
	{ 64, 64, "element starts at its end" },
	{ 64, SIZE, "element starts beyond the buffer" },
	{ 64, 1ULL << 32 | 8, "start wraps in 32 bits" },
	{ 64, UINT64_MAX, "start -1" },
	{ SIZE, UINT64_MAX - 7, "start -8" },
};

static void test_hostile(void)
{
	uint32_t len;
	size_t i;

	for (i = 0; i < sizeof(hostile) / sizeof(*hostile); i++) {
		struct hlk_buffer buf = make();
		uint64_t sp = hostile[i].sp;

		if (sp >= 16 && sp <= SIZE)
			put(&buf, sp - 8, hostile[i].start);
		else
			put(&buf, 8, hostile[i].start);
		put(&buf, 0, sp);
		tap(hlk_buffer_pop(&buf, bounce, &len) == -EPROTO,
		    "pop refused: %s", hostile[i].what);
		drop(&buf);
	}
	for (i = 0; i < sizeof(hostile) / sizeof(*hostile); i++) {
		struct hlk_buffer buf = make();
		uint64_t sp = hostile[i].sp;

		if (sp >= 8 && sp <= SIZE)
			continue;
		put(&buf, 0, sp);
		tap(push(&buf, "x", 1) == -EPROTO, "push refused: %s",
		    hostile[i].what);
		drop(&buf);
	}
}

static void test_limits(void)
{
	struct hlk_buffer buf = make();
	uint32_t len;

	put(&buf, SIZE - 8, 8);
	put(&buf, 0, SIZE);
	tap(!hlk_buffer_pop(&buf, bounce, &len) && len == SIZE - 16,
	    "the longest element that can be");
	put(&buf, SIZE - 8, SIZE - 8);
	put(&buf, 0, SIZE);
	tap(!hlk_buffer_pop(&buf, bounce, &len) && !len,
	    "an empty element at the end");
	put(&buf, 0, SIZE);
	tap(push(&buf, "", 0) == -ENOBUFS, "a full buffer takes nothing");
	put(&buf, 0, SIZE - 7);
	tap(push(&buf, "", 0) == -ENOBUFS, "seven bytes are not enough");
	put(&buf, 0, SIZE - 8);
	tap(!push(&buf, "", 0), "eight are");
	drop(&buf);
}

/* To touch it is SIGBUS, as where a window has no page for us */
static void make_unusable(void *mem, size_t bytes)
{
	int fd = memfd_create("empty", MFD_CLOEXEC);

	mmap(mem, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	close(fd);
}

static void test_pages(void)
{
	struct hlk_buffer buf = make();
	uint32_t len;

	tap(buf.written == PAGE && !buf.read, "only what is used is asked for");
	tap(!push(&buf, bounce, PAGE) && buf.written == 2 * PAGE,
	    "a longer element asks for more");
	tap(!hlk_buffer_pop(&buf, bounce, &len) && buf.written == 2 * PAGE &&
	    buf.read == 2 * PAGE, "what is popped is asked for to be read");
	make_unusable(buf.mem + 2 * PAGE, 2 * PAGE);
	push(&buf, bounce, PAGE);
	tap(push(&buf, bounce, PAGE) == -EDQUOT && buf.written == 2 * PAGE,
	    "a page that cannot be had is an error, not a signal");
	put(&buf, 0, 3 * PAGE);
	tap(hlk_buffer_pop(&buf, bounce, &len) == -EDQUOT,
	    "also when it is to be read");
	hlk_buffer_forget(&buf);
	tap(!buf.written && !buf.read, "forgotten");
	drop(&buf);
}

static void test_random(unsigned int nr)
{
	struct hlk_buffer buf = make();
	unsigned int popped = 0;
	unsigned int i, at;
	uint32_t len;

	srand(1);
	for (i = 0; i < nr; i++) {
		for (at = 0; at < 64; at++)
			buf.mem[at] = rand() % 4 ? 0 : rand();
		put(&buf, 0, rand() % 3 ? rand() % (int)(SIZE + 64) :
					  16 + rand() % 48);
		if (!hlk_buffer_pop(&buf, bounce, &len) && len < SIZE)
			popped++;
		push(&buf, bounce, rand() % SIZE);
	}
	tap(true, "%u random buffers, %u of them with an element", nr, popped);
	drop(&buf);
}

/*
 * A guest that changes the start of an element between two reads of it: the first
 * read faults, is let through alone, step by step, and the word is another one then.
 */
static struct {
	unsigned char *page;
	unsigned char *word;
	unsigned int reads;
} trap;

static void on_fault(int signal, siginfo_t *info, void *context)
{
	greg_t *flags = &((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL];
	const uint64_t bad = 0xffffffff00000000;

	(void)info;
	if (signal == SIGSEGV) {
		trap.reads++;
		mprotect(trap.page, PAGE, PROT_READ | PROT_WRITE);
		*flags |= 1 << 8;
		return;
	}
	*flags &= ~(1 << 8);
	memcpy(trap.word, &bad, sizeof(bad));
}

static void test_read_once(void)
{
	static unsigned char to[SIZE], body[PAGE];
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
	struct hlk_buffer buf = {
		.mem = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0),
		.size = SIZE,
	};
	const struct iovec part[] = { { body, sizeof(body) } };
	struct sigaction segv, step;
	uint32_t len = 0;
	int ret;

	hlk_buffer_reset(&buf);
	hlk_buffer_push(&buf, part, 1);
	trap.page = buf.mem + PAGE;
	trap.word = buf.mem + 8 + sizeof(body);
	buf.read = SIZE;
	sigaction(SIGSEGV, &action, &segv);
	sigaction(SIGTRAP, &action, &step);
	mprotect(trap.page, PAGE, PROT_NONE);
	ret = hlk_buffer_pop(&buf, to, &len);
	sigaction(SIGSEGV, &segv, NULL);
	sigaction(SIGTRAP, &step, NULL);
	/* with 32 bits the second half is read after the first one was let through */
	tap(trap.reads == 1 &&
	    (ret ? sizeof(long) == 4 && ret == -EPROTO : len == sizeof(body)),
	    "a start that changes after it was checked was read before");
	munmap(buf.mem, SIZE);
}

int main(void)
{
	test_stack();
	test_parts();
	test_full();
	test_hostile();
	test_limits();
	test_pages();
	test_random(100000);
	test_read_once();
	return tap_done();
}
