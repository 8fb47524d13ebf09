// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * An example guest: a server of plain functions.
 */
#include "hlk_rt.h"

#define FILL_LIMIT	65536U

static uint32_t counter;
static char block[256 * PAGE_SIZE];

static int fn_echo(struct hlk_req *req)
{
	if (req->arg_len > req->out_size)
		return 90;	/* EMSGSIZE */
	memcpy(req->out, req->arg, req->arg_len);
	req->out_len = req->arg_len;
	return 0;
}

HLK_FUNCTION(echo, fn_echo);

/* The sum of the decimal numbers in the argument */
static int fn_sum(struct hlk_req *req)
{
	const char *end = req->arg + req->arg_len;
	const char *at = req->arg;
	const char *before;
	uint32_t sum = 0;

	while (at < end) {
		before = at;
		sum += hlk_number(&at, end);
		if (at == before)
			at++;
	}
	hlk_answer(req, "%u", sum);
	return 0;
}

HLK_FUNCTION(sum, fn_sum);

/* How often it was called; 1 for ever if the guest is restored each time */
static int fn_counter(struct hlk_req *req)
{
	hlk_answer(req, "%u", ++counter);
	return 0;
}

HLK_FUNCTION(counter, fn_counter);

static int fn_hello(struct hlk_req *req)
{
	hlk_printf("Hello from an i686 guest\n");
	hlk_answer(req, "hello");
	return 0;
}

HLK_FUNCTION(hello, fn_hello);

/* Print the argument, character by character */
static int fn_putc(struct hlk_req *req)
{
	uint32_t i;

	for (i = 0; i < req->arg_len; i++)
		asm volatile("outb %0, %1"
			     : : "a"(req->arg[i]), "Nd"(HLK_GUEST_PORT_PUTC));
	return 0;
}

HLK_FUNCTION(putc, fn_putc);

/* A write to the address in the argument, by default to none */
static int fn_crash(struct hlk_req *req)
{
	const char *at = req->arg;

	*(volatile uint32_t *)hlk_number(&at, at + req->arg_len) = 1;
	return 0;
}

HLK_FUNCTION(crash, fn_crash);

static int fn_ud(struct hlk_req *req)
{
	(void)req;
	asm volatile("ud2");
	return 0;
}

HLK_FUNCTION(ud, fn_ud);

/* Use up the stack: no exception can be pushed then, so a triple fault */
static int fn_overflow(struct hlk_req *req)
{
	(void)req;
	asm volatile("1: pushl %%eax\n\t"
		     "jmp 1b" : : : "memory");
	return 0;
}

HLK_FUNCTION(overflow, fn_overflow);

static int fn_loop(struct hlk_req *req)
{
	while (req)
		asm volatile("pause");
	return 0;
}

HLK_FUNCTION(loop, fn_loop);

/* Take pages of scratch until there are none: the runtime aborts. */
static int fn_fill(struct hlk_req *req)
{
	uint32_t i;

	(void)req;
	for (i = 0; i < FILL_LIMIT; i++)
		memset(hlk_scratch(hlk_page_alloc()), i, PAGE_SIZE);
	return 12;	/* ENOMEM: more scratch than anybody has */
}

HLK_FUNCTION(fill, fn_fill);

static uint32_t touch_page(uint32_t page)
{
	return ++*(volatile uint32_t *)page;
}

/*
 * "PAGES": write to so many pages, at most 256. "PAGES FIRST STRIDE OF ...": to so many of
 * the first OF pages of the heap, begun again at their end; there can be more than one.
 */
static int fn_touch(struct hlk_req *req)
{
	uint32_t heap = (hlk_boot.stack_top - hlk_boot.stack_size - hlk_boot.heap_start) /
			PAGE_SIZE;
	const char *end = req->arg + req->arg_len;
	const char *at = req->arg;
	uint32_t pages = hlk_number(&at, end);
	uint32_t page, stride, of;
	uint32_t sum = 0;

	if (at == end) {
		if (pages > sizeof(block) / PAGE_SIZE)
			return 22;	/* EINVAL */
		while (pages--)
			sum += touch_page((uint32_t)&block[pages * PAGE_SIZE]);
	}
	while (at < end) {
		page = hlk_number(&at, end);
		stride = hlk_number(&at, end);
		of = hlk_number(&at, end);
		if (!of || of > heap || page >= of || stride >= of)
			return 22;	/* EINVAL */
		for (; pages; pages--) {
			sum += touch_page(hlk_boot.heap_start + page * PAGE_SIZE);
			page += stride;
			if (page >= of)
				page -= of;
		}
		pages = hlk_number(&at, end);
	}
	hlk_answer(req, "%u", sum);
	return 0;
}

HLK_FUNCTION(touch, fn_touch);

/* "NAME ARGUMENT": call a function of the host and give its answer */
static int fn_host(struct hlk_req *req)
{
	char name[64];
	uint32_t len = 0;
	int ret;

	while (len < req->arg_len && req->arg[len] != ' ' && len < sizeof(name) - 1) {
		name[len] = req->arg[len];
		len++;
	}
	name[len] = 0;
	if (len < req->arg_len)
		len++;
	ret = hlk_call_host(name, req->arg + len, req->arg_len - len, req->out,
			    req->out_size);
	if (ret < 0)
		return -ret;
	req->out_len = ret;
	return 0;
}

HLK_FUNCTION(host, fn_host);

/* The FPU's control words, which it then changes */
static int fn_fpu(struct hlk_req *req)
{
	uint32_t mxcsr, new_mxcsr = 0x1f00;
	uint16_t cw, new_cw = 0x27f;

	asm volatile("fnstcw %0; stmxcsr %1" : "=m"(cw), "=m"(mxcsr));
	hlk_answer(req, "%x %x", cw, mxcsr);
	asm volatile("fldcw %0; ldmxcsr %1; fld1; fldpi" : :
		     "m"(new_cw), "m"(new_mxcsr));
	return 0;
}

HLK_FUNCTION(fpu, fn_fpu);

/* The debug registers, which it then changes */
static int fn_dr(struct hlk_req *req)
{
	uint32_t d0, d1, d2, d3, d6, d7;

	asm volatile("mov %%dr0, %0; mov %%dr1, %1; mov %%dr2, %2; mov %%dr3, %3"
		     : "=r"(d0), "=r"(d1), "=r"(d2), "=r"(d3));
	asm volatile("mov %%dr6, %0; mov %%dr7, %1" : "=r"(d6), "=r"(d7));
	hlk_answer(req, "%x %x %x %x %x %x", d0, d1, d2, d3, d6, d7);
	/* All on, but none on data: emulated SVM is not good at those */
	asm volatile("mov %0, %%dr0; mov %0, %%dr1; mov %0, %%dr2; mov %0, %%dr3;"
		     "mov %1, %%dr6; mov %2, %%dr7"
		     : : "r"(0xdead0000), "r"(0xffff4ff3), "r"(0x4ff));
	return 0;
}

HLK_FUNCTION(dr, fn_dr);

/* What must differ from restore to restore */
static int fn_unique(struct hlk_req *req)
{
	const uint32_t *seed = (const uint32_t *)hlk_word(HLK_GUEST_OFF_SEED);
	unsigned int i;

	hlk_answer(req, "%u", (uint32_t)*hlk_word(HLK_GUEST_OFF_UNIQUE));
	for (i = 0; i < HLK_GUEST_SEED_SIZE / 4; i++)
		hlk_answer(req, " %x", seed[i]);
	return 0;
}

HLK_FUNCTION(unique, fn_unique);

void hlk_init(void)
{
	uint32_t root = read_cr3();

	hlk_publish_roots(&root, 1);
}

/* A page of the guest's own, in place of which one of a file is mapped */
static char place[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));

static int show_file(const struct hlk_guest_file *file, struct hlk_req *req)
{
	uint32_t *pd = hlk_scratch(read_cr3() & ~PTE_FLAGS);
	uint32_t va = (uint32_t)place;
	uint32_t *pt = hlk_scratch(pd[va >> 22] & ~PTE_FLAGS);
	uint32_t len = file->bytes < PAGE_SIZE ? file->bytes : PAGE_SIZE;

	pt[va >> 12 & 1023] = (uint32_t)file->gpa | PTE_P | PTE_COW;
	asm volatile("invlpg (%0)" : : "r"(va) : "memory");
	req->out_len = len < req->out_size ? len : req->out_size;
	memcpy(req->out, place, req->out_len);
	/* to write it gives a copy, which is this guest's alone */
	*(volatile char *)place = '#';
	return 0;
}

/* What the first page of a file of the host has, by its label */
static int fn_file(struct hlk_req *req)
{
	static struct hlk_guest_file files[32];
	int len = hlk_call_host(HLK_GUEST_FILES, "", 0, files, sizeof(files));
	uint32_t i;

	if (len < 0)
		return -len;
	for (i = 0; i < len / sizeof(*files); i++)
		if (strlen(files[i].label) == req->arg_len &&
		    !memcmp(files[i].label, req->arg, req->arg_len))
			return show_file(&files[i], req);
	return 2;	/* ENOENT */
}

HLK_FUNCTION(file, fn_file);
