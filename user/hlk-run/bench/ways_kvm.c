// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ways of user space on ordinary memory, each as its best user would write it.
 *
 * All leave low memory read-only to the guest, so that only scratch has to be
 * looked after. B3 to B6 give registers back through struct kvm_run without a
 * system call, which restores neither the FPU nor the guest's TLB.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ways_kvm.h"

#define HUGE		0x200000UL
#define SLOT_LOW	0
#define SLOT_SCRATCH	1
#define MAX_REGIONS	1024
#define RING_ENTRIES	4096

/* Linux 6.7; Debian 12's headers are older. */
#ifndef PAGEMAP_SCAN
#define PAGE_IS_WPALLOWED	(1 << 0)
#define PAGE_IS_WRITTEN		(1 << 1)
#define PAGE_IS_FILE		(1 << 2)
#define PAGE_IS_PRESENT		(1 << 3)
#define PAGE_IS_SWAPPED		(1 << 4)
#define PM_SCAN_WP_MATCHING	(1 << 0)
#define PM_SCAN_CHECK_WPASYNC	(1 << 1)
#define PAGEMAP_SCAN		_IOWR('f', 16, struct pm_scan_arg)

struct page_region {
	__u64 start;
	__u64 end;
	__u64 categories;
};

struct pm_scan_arg {
	__u64 size;
	__u64 flags;
	__u64 start;
	__u64 end;
	__u64 walk_end;
	__u64 vec;
	__u64 vec_len;
	__u64 max_pages;
	__u64 category_inverted;
	__u64 category_mask;
	__u64 category_anyof_mask;
	__u64 return_mask;
};
#endif

#ifndef UFFD_FEATURE_WP_UNPOPULATED
#define UFFD_FEATURE_WP_UNPOPULATED	(1 << 13)
#endif
#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC	(1 << 15)
#endif

/* Anonymous memory that huge pages can back for the guest too */
static void *anonymous(struct bench_way *way, uint64_t gpa, uint64_t bytes,
		       int advice)
{
	uint8_t *at, *want;
	uint64_t gap;

	at = mmap(NULL, bytes + HUGE, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED) {
		way_fail(way, "memory");
		return NULL;
	}
	gap = (gpa - (uintptr_t)at) % HUGE;
	want = at + gap;
	if (gap)
		munmap(at, gap);
	if (gap < HUGE)
		munmap(want + bytes, HUGE - gap);
	/* a kernel without huge pages knows neither advice */
	madvise(want, bytes, advice);
	return want;
}

static void *mapped(struct bench_way *way, int fd, uint64_t bytes, int prot)
{
	void *at = BENCH_SYS(way, mmap(NULL, bytes, prot,
				       MAP_PRIVATE | MAP_NORESERVE, fd, 0));

	if (at != MAP_FAILED)
		return at;
	way_fail(way, "mmap of the image");
	return NULL;
}

static int slots(struct bench_way *way, struct machine *m, uint32_t flags)
{
	const struct bench_image *image = way->image;

	m->low = mapped(way, image->low_fd, image->cfg.guest, PROT_READ);
	if (!m->low)
		return -1;
	if (machine_slot(way, m, SLOT_LOW, KVM_MEM_READONLY, 0,
			 image->cfg.guest, m->low))
		return -1;
	return machine_slot(way, m, SLOT_SCRATCH, flags, image->scratch_gpa,
			    image->cfg.scratch, m->scratch);
}

static int open_anonymous(struct bench_way *way, uint32_t flags, int advice,
			  uint32_t ring_bytes)
{
	const struct bench_image *image = way->image;
	struct machine *m = &way->m;

	if (machine_open(way, m, ring_bytes))
		return -1;
	m->scratch = anonymous(way, image->scratch_gpa, image->cfg.scratch,
			       advice);
	if (!m->scratch)
		return -1;
	memcpy(m->scratch, image->scratch, image->scratch_used);
	if (slots(way, m, flags))
		return -1;
	machine_sync_regs(way, m);
	return 0;
}

static int open_file(struct bench_way *way)
{
	const struct bench_image *image = way->image;
	struct machine *m = &way->m;

	if (machine_open(way, m, 0))
		return -1;
	m->scratch = mapped(way, image->scratch_fd, image->cfg.scratch,
			    PROT_READ | PROT_WRITE);
	if (!m->scratch)
		return -1;
	return slots(way, m, 0);
}

static int sync_and_enter(struct bench_way *way)
{
	machine_sync_regs(way, &way->m);
	return machine_enter(way, &way->m);
}

static int set_and_enter(struct bench_way *way)
{
	if (machine_set_regs(way, &way->m))
		return -1;
	return machine_enter(way, &way->m);
}

/* ---- B1: clear all of scratch ---- */

static int open_b1(struct bench_way *way)
{
	return open_anonymous(way, 0, MADV_HUGEPAGE, 0);
}

static int turn_b1(struct bench_way *way)
{
	const struct bench_image *image = way->image;
	uint8_t *at = way->m.scratch;

	pages_copy(way->env, at, image->scratch, image->scratch_used);
	pages_clear(way->env, at + image->scratch_used,
		    image->cfg.scratch - image->scratch_used);
	way->copied += image->cfg.scratch / BENCH_PAGE;
	return set_and_enter(way);
}

/* ---- B2: drop the pages of a private mapping ---- */

static int turn_b2(struct bench_way *way)
{
	if (BENCH_SYS(way, madvise(way->m.scratch, way->image->cfg.scratch,
				   MADV_DONTNEED)))
		return way_fail(way, "MADV_DONTNEED");
	return set_and_enter(way);
}

/* ---- B3: KVM's bitmap of dirty pages ---- */

static int open_b3(struct bench_way *way)
{
	way->buf_bytes = (way->image->cfg.scratch / BENCH_PAGE + 63) / 64 * 8;
	way->buf = calloc(1, way->buf_bytes);
	if (!way->buf)
		return way_fail(way, "memory");
	return open_anonymous(way, KVM_MEM_LOG_DIRTY_PAGES, MADV_NOHUGEPAGE, 0);
}

/* Reading the bitmap clears it and protects the pages again, in one call. */
static int turn_b3(struct bench_way *way)
{
	struct kvm_dirty_log log = {
		.slot = SLOT_SCRATCH, .dirty_bitmap = way->buf,
	};
	uint64_t *word = way->buf;
	uint64_t bits;
	uint64_t i;

	if (BENCH_SYS(way, ioctl(way->m.vm, KVM_GET_DIRTY_LOG, &log)))
		return way_fail(way, "KVM_GET_DIRTY_LOG");
	for (i = 0; i < way->buf_bytes / 8; i++)
		for (bits = word[i]; bits; bits &= bits - 1)
			page_back(way, i * 64 + __builtin_ctzll(bits));
	return sync_and_enter(way);
}

static void close_buf(struct bench_way *way)
{
	free(way->buf);
	way->buf = NULL;
}

/* ---- B4: KVM's ring of dirty pages ---- */

static int open_b4(struct bench_way *way)
{
	const uint32_t bytes = RING_ENTRIES * sizeof(struct kvm_dirty_gfn);
	void *ring;

	if (open_anonymous(way, KVM_MEM_LOG_DIRTY_PAGES, MADV_NOHUGEPAGE, bytes))
		return -1;
	ring = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, way->m.vcpu,
		    KVM_DIRTY_LOG_PAGE_OFFSET * BENCH_PAGE);
	if (ring == MAP_FAILED)
		return way_fail(way, "mmap of the dirty ring");
	way->buf = ring;
	way->buf_bytes = bytes;
	return 0;
}

static int turn_b4(struct bench_way *way)
{
	struct kvm_dirty_gfn *ring = way->buf;
	struct kvm_dirty_gfn *entry;
	uint32_t nr = 0;

	for (;; nr++) {
		entry = &ring[(way->next + nr) % RING_ENTRIES];
		if (!(__atomic_load_n(&entry->flags, __ATOMIC_ACQUIRE) &
		      KVM_DIRTY_GFN_F_DIRTY))
			break;
		page_back(way, entry->offset);
		__atomic_store_n(&entry->flags, KVM_DIRTY_GFN_F_RESET,
				 __ATOMIC_RELEASE);
	}
	way->next += nr;
	if (nr && BENCH_SYS(way, ioctl(way->m.vm, KVM_RESET_DIRTY_RINGS)) < 0)
		return way_fail(way, "KVM_RESET_DIRTY_RINGS");
	return sync_and_enter(way);
}

static void close_b4(struct bench_way *way)
{
	if (way->buf)
		munmap(way->buf, way->buf_bytes);
	way->buf = NULL;
}

/* ---- B5: PAGEMAP_SCAN ---- */

static int open_scan(struct bench_way *way)
{
	struct pm_scan_arg scan = { .size = sizeof(scan) };

	way->fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (way->fd < 0)
		return way_fail(way, "/proc/self/pagemap");
	if (ioctl(way->fd, PAGEMAP_SCAN, &scan))
		return way_fail(way, "PAGEMAP_SCAN, of Linux 6.7 and newer");
	way->buf = calloc(MAX_REGIONS, sizeof(struct page_region));
	return way->buf ? 0 : way_fail(way, "memory");
}

/* Copies back all that matches; out: the range that it was in */
static int scan_back(struct bench_way *way, struct pm_scan_arg *scan,
		     uint64_t *start, uint64_t *end)
{
	const uint64_t base = (uintptr_t)way->m.scratch;
	const struct page_region *region = way->buf;
	uint64_t at;
	int nr, i;

	*start = 0;
	*end = 0;
	scan->size = sizeof(*scan);
	scan->start = base;
	scan->end = base + way->image->cfg.scratch;
	scan->vec = (uintptr_t)way->buf;
	scan->vec_len = MAX_REGIONS;
	for (; scan->start < scan->end; scan->start = scan->walk_end) {
		nr = BENCH_SYS(way, ioctl(way->fd, PAGEMAP_SCAN, scan));
		if (nr < 0)
			return way_fail(way, "PAGEMAP_SCAN");
		for (i = 0; i < nr; i++)
			for (at = region[i].start; at < region[i].end;
			     at += BENCH_PAGE)
				page_back(way, (at - base) / BENCH_PAGE);
		if (nr && !*start)
			*start = region[0].start;
		if (nr)
			*end = region[nr - 1].end;
	}
	return 0;
}

/*
 * Over a private mapping of the image no page has to be protected: those that
 * were ever written are the anonymous ones. They stay, and no fault is taken on
 * them again.
 */
static int open_b5(struct bench_way *way)
{
	if (open_file(way))
		return -1;
	madvise(way->m.scratch, way->image->cfg.scratch, MADV_NOHUGEPAGE);
	return open_scan(way);
}

static int turn_b5(struct bench_way *way)
{
	struct pm_scan_arg scan = {
		.category_mask = PAGE_IS_FILE,
		.category_inverted = PAGE_IS_FILE,
		.category_anyof_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
	};
	uint64_t start, end;

	if (scan_back(way, &scan, &start, &end))
		return -1;
	return sync_and_enter(way);
}

/* ---- B5w: the same, with the pages that the last call wrote and no others ---- */

static int protect(struct bench_way *way, uint64_t start, uint64_t end)
{
	struct pm_scan_arg scan = {
		.size = sizeof(scan),
		.flags = PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC,
		.start = start,
		.end = end,
		.category_mask = PAGE_IS_WRITTEN,
	};

	if (start < end &&
	    BENCH_SYS(way, ioctl(way->fd, PAGEMAP_SCAN, &scan)) < 0)
		return way_fail(way, "PAGEMAP_SCAN with protection");
	return 0;
}

static int open_b5w(struct bench_way *way)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_WP_UNPOPULATED,
	};
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_WP };
	struct machine *m = &way->m;

	if (open_anonymous(way, 0, MADV_NOHUGEPAGE, 0) || open_scan(way))
		return -1;
	way->uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (way->uffd < 0)
		return way_fail(way, "userfaultfd");
	if (ioctl(way->uffd, UFFDIO_API, &api))
		return way_fail(way, "UFFD_FEATURE_WP_ASYNC");
	reg.range.start = (uintptr_t)m->scratch;
	reg.range.len = way->image->cfg.scratch;
	if (ioctl(way->uffd, UFFDIO_REGISTER, &reg))
		return way_fail(way, "UFFDIO_REGISTER");
	return protect(way, reg.range.start, reg.range.start + reg.range.len);
}

/* Protected after the copy, for a write to a protected page is a fault. */
static int turn_b5w(struct bench_way *way)
{
	struct pm_scan_arg scan = {
		.category_mask = PAGE_IS_WRITTEN,
		.return_mask = PAGE_IS_WRITTEN,
	};
	uint64_t start, end;

	if (scan_back(way, &scan, &start, &end) || protect(way, start, end))
		return -1;
	return sync_and_enter(way);
}

static void close_b5w(struct bench_way *way)
{
	close_buf(way);
	if (way->uffd >= 0)
		close(way->uffd);
	way->uffd = -1;
}

/* ---- B6: somebody tells which pages were written ---- */

static int open_b6(struct bench_way *way)
{
	return open_anonymous(way, 0, MADV_HUGEPAGE, 0);
}

static int turn_b6(struct bench_way *way)
{
	uint32_t i;

	for (i = 0; i < way->dirty; i++)
		page_back(way, way->image->first + i);
	return sync_and_enter(way);
}

/*
 * ---- B6f: and what else of a call user space can throw away: the FPU, and a
 * bookkeeping page with a seed that no other call has seen ----
 */

static int turn_b6f(struct bench_way *way)
{
	const uint64_t book = way->image->cfg.scratch / BENCH_PAGE - 1;
	uint8_t *top = way->m.scratch + way->image->cfg.scratch;
	uint32_t i;

	for (i = 0; i < way->dirty; i++)
		page_back(way, way->image->first + i);
	page_back(way, book);
	if (BENCH_SYS(way, getrandom(top - HLK_GUEST_OFF_SEED,
				     HLK_GUEST_SEED_SIZE, 0)) < 0)
		return way_fail(way, "getrandom");
	if (BENCH_SYS(way, ioctl(way->m.vcpu, KVM_SET_FPU, &way->image->fpu)))
		return way_fail(way, "KVM_SET_FPU");
	return sync_and_enter(way);
}

/* ---- B7: a new VM ---- */

static void before_b7(struct bench_way *way)
{
	machine_close(way, &way->m);
}

static int turn_b7(struct bench_way *way)
{
	if (open_file(way))
		return -1;
	return sync_and_enter(way);
}

/* ---- C: no restore ---- */

static int turn_c(struct bench_way *way)
{
	return machine_enter(way, &way->m);
}

const struct way_ops kvm_ways[] = {
	{ "B1", "clear all of scratch", 0, open_b1, NULL, turn_b1, NULL },
	{ "B2", "MADV_DONTNEED", 0, open_file, NULL, turn_b2, NULL },
	{ "B3", "dirty log", 0, open_b3, NULL, turn_b3, close_buf },
	{ "B4", "dirty ring", 0, open_b4, NULL, turn_b4, close_b4 },
	{ "B5", "PAGEMAP_SCAN, once written", 0, open_b5, NULL, turn_b5,
	  close_buf },
	{ "B5w", "PAGEMAP_SCAN, write-protected", 0, open_b5w, NULL, turn_b5w,
	  close_b5w },
	{ "B6", "list of pages that is told", 0, open_b6, NULL, turn_b6, NULL },
	{ "B6f", "the same, FPU and seed too", 0, open_b6, NULL, turn_b6f, NULL },
	{ "B7", "new VM, private file", WAY_NEW_VM, NULL, before_b7, turn_b7,
	  NULL },
	{ "C", "no restore", WAY_NO_RESTORE, open_b6, NULL, turn_c, NULL },
};

const uint32_t nr_kvm_ways = sizeof(kvm_ways) / sizeof(*kvm_ways);
