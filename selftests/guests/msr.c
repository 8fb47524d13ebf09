// SPDX-License-Identifier: GPL-2.0-only
/* A guest that reaches for state which no restore would bring back. */
#include "hlk_rt.h"

static uint32_t number(const struct hlk_req *req)
{
	const char *at = req->arg;

	return hlk_number(&at, at + req->arg_len);
}

static int fn_rdmsr(struct hlk_req *req)
{
	uint32_t low, high;

	asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(number(req)));
	hlk_answer(req, "%x %x", high, low);
	return 0;
}

HLK_FUNCTION(rdmsr, fn_rdmsr);

static int fn_wrmsr(struct hlk_req *req)
{
	asm volatile("wrmsr" : : "c"(number(req)), "a"(1), "d"(0));
	return 0;
}

HLK_FUNCTION(wrmsr, fn_wrmsr);

/* What changes state without WRMSR, by number */
static int fn_other(struct hlk_req *req)
{
	uint32_t cr4;

	asm volatile("mov %%cr4, %0" : "=r"(cr4));
	switch (number(req)) {
	case 0:		/* XCR0 */
		asm volatile("xsetbv" : : "c"(0), "a"(1), "d"(0));
		return 0;
	case 1:		/* the way to it: CR4.OSXSAVE */
		asm volatile("mov %0, %%cr4" : : "r"(cr4 | 1U << 18));
		return 0;
	case 2:		/* a guest of its own */
		asm volatile("vmrun" : : "a"(0x1000));
		return 0;
	case 3:		/* protection keys */
		asm volatile("mov %0, %%cr4" : : "r"(cr4 | 1U << 22));
		return 0;
	case 4:		/* FS and GS bases, beside their segments */
		asm volatile("mov %0, %%cr4" : : "r"(cr4 | 1U << 16));
		return 0;
	case 5:		/* extended state in another format */
		asm volatile(".byte 0x0f, 0xc7, 0x1c, 0x24");	/* xrstors (%esp) */
		return 0;
	default:
		return 22;	/* EINVAL */
	}
}

HLK_FUNCTION(other, fn_other);

void hlk_init(void)
{
	uint32_t root;

	asm volatile("mov %%cr3, %0" : "=r"(root));
	hlk_publish_roots(&root, 1);
}
