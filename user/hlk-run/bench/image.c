// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest of the benchmark.
 *
 * It is as small as a guest can be: 32-bit paging, page tables in scratch where
 * a compact snapshot has them, accessed and dirty bits set, so that a call writes
 * nothing but what it is asked to write: one word into each of so many pages.
 * Then it halts. Entered again, it does the same again.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "image.h"

#define CODE		0x1000
#define ENTRIES		1024U
#define SLOT_BYTES	0x400000ULL	/* what a page table maps */
#define PTE_FLAGS	0x63		/* present, writable, accessed, dirty */
#define APIC_BASE	0xfee00900
#define IMAGE_SHARE	16		/* a part of low memory has contents */
#define IMAGE_MOST	(64ULL << 20)

/* ESI: first address. EDI: how many. EDX: how far apart. EBX: what. */
static const uint8_t code[] = {
	0x89, 0xf0,		/* top:	mov	%esi, %eax */
	0x89, 0xf9,		/*	mov	%edi, %ecx */
	0x85, 0xc9,		/*	test	%ecx, %ecx */
	0x74, 0x07,		/*	jz	out */
	0x89, 0x18,		/* next:mov	%ebx, (%eax) */
	0x01, 0xd0,		/*	add	%edx, %eax */
	0x49,			/*	dec	%ecx */
	0x75, 0xf9,		/*	jnz	next */
	0xf4,			/* out:	hlt */
	0xeb, 0xee,		/*	jmp	top */
};

static uint32_t nr_tables(uint64_t scratch)
{
	uint64_t base = (1ULL << 32) - scratch;

	return 1024 - base / SLOT_BYTES;
}

/* Directory, table of low memory, tables of scratch, data, bookkeeping */
static uint32_t first_page(uint64_t scratch)
{
	return 2 + nr_tables(scratch);
}

bool cfg_fits(const struct bench_cfg *cfg)
{
	return first_page(cfg->scratch) + cfg->pages + 1 <=
	       cfg->scratch / BENCH_PAGE;
}

static struct kvm_segment segment(uint16_t selector, uint8_t type)
{
	return (struct kvm_segment){
		.limit = 0xffffffff,
		.selector = selector,
		.type = type,
		.present = 1,
		.db = 1,
		.s = 1,
		.g = 1,
	};
}

static void make_regs(struct bench_image *image)
{
	struct kvm_sregs *s = &image->regs.sregs;
	struct kvm_regs *r = &image->regs.regs;
	uint64_t first = image->scratch_gpa + image->first * BENCH_PAGE;

	r->rip = CODE;
	r->rflags = 2;
	r->rsi = (first + HLK_GUEST_SCRATCH_DELTA) & 0xffffffff;
	r->rdi = image->cfg.pages;
	r->rdx = BENCH_PAGE;
	r->rbx = IMAGE_VALUE;
	s->cs = segment(HLK_GUEST_CS, 11);
	s->ds = segment(HLK_GUEST_DS, 3);
	s->es = s->ds;
	s->fs = s->ds;
	s->gs = s->ds;
	s->ss = s->ds;
	s->tr = (struct kvm_segment){ .limit = 0xffff, .type = 11, .present = 1 };
	s->ldt = (struct kvm_segment){ .unusable = 1 };
	s->cr0 = HLK_GUEST_CR0;
	s->cr3 = image->scratch_gpa;
	s->apic_base = APIC_BASE;
	image->fpu.fcw = 0x37f;
	image->fpu.mxcsr = 0x1f80;
}

static void make_tables(struct bench_image *image)
{
	uint32_t *root = (uint32_t *)image->scratch;
	uint32_t *table = root + ENTRIES;
	uint32_t tables = nr_tables(image->cfg.scratch);
	uint64_t va, gpa;
	uint32_t i;

	root[0] = (image->scratch_gpa + BENCH_PAGE) | PTE_FLAGS;
	for (i = 0; i < ENTRIES; i++)
		table[i] = i * BENCH_PAGE | PTE_FLAGS;
	table += ENTRIES;
	for (i = 0; i < tables; i++)
		root[1024 - tables + i] = (image->scratch_gpa +
					   (2 + i) * BENCH_PAGE) | PTE_FLAGS;
	gpa = image->scratch_gpa;
	for (; gpa < HLK_GUEST_SCRATCH_TOP; gpa += BENCH_PAGE) {
		va = gpa + HLK_GUEST_SCRATCH_DELTA;
		i = va / BENCH_PAGE - (1024 - tables) * ENTRIES;
		table[i] = gpa | PTE_FLAGS;
	}
}

static void fill(uint8_t *at, uint64_t bytes)
{
	uint32_t *word = (uint32_t *)at;
	uint32_t x = 0x9e3779b9;
	uint64_t i;

	for (i = 0; i < bytes / sizeof(*word); i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		word[i] = x;
	}
}

static uint8_t *file_map(const char *name, uint64_t bytes, int *fd)
{
	uint8_t *at;

	*fd = memfd_create(name, MFD_CLOEXEC);
	if (*fd < 0)
		return NULL;
	if (ftruncate(*fd, bytes))
		return NULL;
	at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_NORESERVE, *fd, 0);
	return at == MAP_FAILED ? NULL : at;
}

/* The windows of a sandbox that runs the guest */
void image_windows(const struct bench_image *image, struct hlk_window *w)
{
	w[0] = (struct hlk_window){ .gpa = 0, .bytes = image->cfg.guest };
	w[1] = (struct hlk_window){
		.gpa = image->scratch_gpa,
		.bytes = image->cfg.scratch,
		.flags = HLK_WINDOW_SCRATCH,
	};
}

/* The guest as an hlk snapshot */
static int snapshot_build(const struct bench_env *env, struct bench_image *image)
{
	struct hlk_segment segments[] = {
		{ 0, image->low_used, (uintptr_t)image->low },
		{ image->scratch_gpa, image->scratch_used,
		  (uintptr_t)image->scratch },
	};
	struct hlk_window w[2];
	struct hlk_snapshot_build build = {
		.head = { .size = sizeof(build) },
		.nr_windows = 2,
		.window_size = sizeof(w[0]),
		.windows = (uintptr_t)w,
		.nr_segments = 2,
		.segment_size = sizeof(segments[0]),
		.segments = (uintptr_t)segments,
		.nr_vcpus = 1,
		.vcpu_size = sizeof(image->regs),
		.vcpus = (uintptr_t)&image->regs,
		.out_fd = -1,
	};

	image_windows(image, w);
	if (ioctl(env->dev, HLK_SNAPSHOT_BUILD, &build))
		return -1;
	image->snap = build.out_fd;
	return 0;
}

/**
 * image_make() - the guest for a configuration
 * @env: the run
 * @cfg: the configuration
 * @image: out: the guest
 * @why: out: what failed
 * @size: size of @why
 *
 * Return: 0 or -1; then nothing is left to be freed
 */
int image_make(const struct bench_env *env, const struct bench_cfg *cfg,
	       struct bench_image *image, char *why, size_t size)
{
	uint64_t used = cfg->guest / IMAGE_SHARE;

	*image = (struct bench_image){
		.cfg = *cfg, .low_fd = -1, .scratch_fd = -1, .snap = -1,
	};
	image->scratch_gpa = HLK_GUEST_SCRATCH_TOP - cfg->scratch;
	image->first = first_page(cfg->scratch);
	image->low_used = used < IMAGE_MOST ? used : IMAGE_MOST;
	image->scratch_used = image->first * BENCH_PAGE;
	if (cfg->data)
		image->scratch_used += cfg->pages * BENCH_PAGE;
	image->low = file_map("bench-low", cfg->guest, &image->low_fd);
	if (image->low)
		image->scratch = file_map("bench-scratch", cfg->scratch,
					  &image->scratch_fd);
	if (!image->low || !image->scratch) {
		snprintf(why, size, "memory for the guest: %s", strerror(errno));
		goto fail;
	}
	fill(image->low, image->low_used);
	memcpy(image->low + CODE, code, sizeof(code));
	fill(image->scratch, image->scratch_used);
	memset(image->scratch, 0, image->first * BENCH_PAGE);
	make_tables(image);
	make_regs(image);
	if (env->dev >= 0 && snapshot_build(env, image)) {
		snprintf(why, size, "HLK_SNAPSHOT_BUILD: %s", strerror(errno));
		goto fail;
	}
	return 0;
fail:
	image_free(image);
	return -1;
}

void image_free(struct bench_image *image)
{
	if (image->snap >= 0)
		close(image->snap);
	if (image->low)
		munmap(image->low, image->cfg.guest);
	if (image->scratch)
		munmap(image->scratch, image->cfg.scratch);
	if (image->low_fd >= 0)
		close(image->low_fd);
	if (image->scratch_fd >= 0)
		close(image->scratch_fd);
}
