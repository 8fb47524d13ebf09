// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes played through, in the guest and in the snapshot: a CPU that faults,
 * the handler of Documentation/guest-abi.rst, the write, and then a look at
 * every address for what was written.
 */
#include <linux/hlk_guest.h>

#include "check.h"
#include "tap.h"

#define TOP		0xfee00000ULL
#define MARK_AT		0x7f8	/* where in a page the mark is written */
#define SPARE		0xff000000ULL	/* for the guest's handler: nothing is there */

/**
 * struct machine - memory over which something was written
 * @mem: what the CPU sees
 * @under: what was there before
 * @pages: frame -> struct page written since
 * @guest: written in place instead, if set
 * @spare: next page for the handler; 0: take it from the allocator's word
 */
struct machine {
	struct physmem mem;
	const struct physmem *under;
	struct xarray pages;
	struct guest *guest;
	u64 spare;
};

static const __u8 *machine_page(const struct physmem *mem, __u64 frame)
{
	struct machine *m = (void *)((char *)mem - offsetof(struct machine, mem));
	struct page *page = xa_load(&m->pages, frame);

	return page ? page->bytes : m->under->page(m->under, frame);
}

static u8 *machine_touch(struct machine *m, u64 frame)
{
	struct page *page = xa_load(&m->pages, frame);
	const u8 *from = m->under->page(m->under, frame);

	if (m->guest)
		return guest_bytes(m->guest, frame);
	if (!page) {
		page = alloc_page(HLK_GFP | __GFP_ZERO);
		if (from)
			memcpy(page->bytes, from, PAGE_SIZE);
		xa_store(&m->pages, frame, page, HLK_GFP);
	}
	return page->bytes;
}

static void machine_init(struct machine *m, const struct physmem *under, u64 spare)
{
	m->mem.page = machine_page;
	m->under = under;
	m->guest = NULL;
	m->spare = spare >> 12;
	xa_init(&m->pages);
}

static void machine_exit(struct machine *m)
{
	unsigned long frame;
	struct page *page;

	xa_for_each(&m->pages, frame, page)
		put_page(page);
	xa_destroy(&m->pages);
}

/* A page for the handler; 0 if the allocator is at its end */
static u64 handler_alloc(struct machine *m)
{
	u64 at = TOP - HLK_GUEST_OFF_ALLOC;
	u64 page;

	if (m->spare)
		return m->spare++;
	memcpy(&page, m->mem.page(&m->mem, at >> 12) + at % 4096, 8);
	if (page % 4096 || page + 4096 > TOP - HLK_GUEST_OFF_ALLOC_END)
		return 0;
	page += 4096;
	memcpy(machine_touch(m, at >> 12) + at % 4096, &page, 8);
	return (page - 4096) >> 12;
}

enum wrote {
	WROTE,
	DENIED,
	NO_PAGE,
};

static enum wrote cpu_write(struct machine *m, const struct mmu_cpu *cpu, u32 va, u64 mark)
{
	struct mmu_result t = mmu_translate(&m->mem, cpu, va);
	u64 fresh;
	u32 pte;

	if (t.outcome != MMU_MAPPED)
		return DENIED;
	if (!t.rw) {
		/* the page-fault handler */
		if (t.large || t.leaf_rw || !(t.attr.ignored & 1) || !(t.pde & 2))
			return DENIED;
		fresh = handler_alloc(m);
		if (!fresh)
			return NO_PAGE;
		memcpy(machine_touch(m, fresh), m->mem.page(&m->mem, t.frame), 4096);
		pte = (u32)(fresh << 12) | (t.pte & 0xdff) | 2;
		memcpy(machine_touch(m, t.leaf_at >> 12) + t.leaf_at % 4096, &pte, 4);
		t = mmu_translate(&m->mem, cpu, va);
		CHECK(t.outcome == MMU_MAPPED && t.rw);
	}
	memcpy(machine_touch(m, t.frame) + MARK_AT, &mark, 8);
	return WROTE;
}

/**
 * cow_write() - let a restored guest write
 * @guest: the guest, built for hlk
 * @cpu: its registers
 * @va: where, in which page
 * @mark: what
 *
 * Return: whether it could
 */
bool cow_write(struct guest *guest, const struct mmu_cpu *cpu, u32 va, u64 mark)
{
	struct mmu_result t = mmu_translate(&guest->mem, cpu, va);
	struct machine m;
	bool wrote;

	if (t.outcome != MMU_MAPPED || !guest_is_ram(guest, t.frame) ||
	    t.frame >= (TOP - HLK_GUEST_OFF_ALLOC_END) >> 12)
		return false;
	machine_init(&m, &guest->mem, 0);
	m.guest = guest;
	wrote = cpu_write(&m, cpu, va, mark) == WROTE;
	machine_exit(&m);
	return wrote;
}

static bool has_mark(struct machine *m, const struct mmu_cpu *cpu, u32 va, u64 mark)
{
	struct mmu_result t = mmu_translate(&m->mem, cpu, va);
	const u8 *bytes = t.outcome == MMU_MAPPED ? m->mem.page(&m->mem, t.frame) : NULL;

	return bytes && !memcmp(bytes + MARK_AT, &mark, 8);
}

static struct mmu_cpu cpu_for(const struct compact *c, const u64 *roots, u32 root)
{
	const struct i686_mode *mode = &c->params.mode;

	return (struct mmu_cpu){ roots[root], true, mode->pse, mode->maxphyaddr };
}

/*
 * An entry that was copied twice, or a 4 MiB page that is copy-on-write, has no
 * handler that could do the same; see check.c.
 */
static bool comparable(const struct compact *c, const struct mmu_result *t)
{
	u64 scratch = c->snap->layout.range[hlk_layout_scratch(&c->snap->layout)].pages;
	u32 partly = (0x100000000ULL - scratch * 4096) >> 22;
	u32 root;

	if (t->rw || !(t->attr.ignored & 1))
		return true;
	if (t->large)
		return false;
	for (root = 0; root < c->params.nr_roots; root++) {
		struct mmu_cpu cpu = cpu_for(c, c->params.roots, root);
		struct mmu_result other = mmu_translate(&c->guest->mem, &cpu, partly << 22);

		if (!((other.pde ^ t->pde) >> 12))
			return false;
	}
	return true;
}

/**
 * cow_check() - play writes through
 * @c: guest and snapshot
 * @all: every address that both map, but for those that map tables
 * @nr: how many
 * @writes: how many to take, at random
 *
 * The writes of one call come one after the other, so that later ones meet what
 * earlier ones remapped.
 */
void cow_check(const struct compact *c, const struct cow_target *all, u32 nr, u32 writes)
{
	struct restored restored;
	struct mmu_result t;
	struct mmu_cpu cpu;
	struct machine old;
	struct machine new;
	enum wrote was;
	enum wrote now;
	u64 mark;
	u32 at;
	u32 i;

	restored_init(&restored, c->snap);
	machine_init(&old, &c->guest->mem, SPARE);
	machine_init(&new, &restored.mem, 0);
	while (writes-- && !tap_failed()) {
		at = guest_below(c->guest, nr);
		mark = guest_random(c->guest);
		cpu = cpu_for(c, c->params.roots, all[at].root);
		t = mmu_translate(&old.mem, &cpu, all[at].va);
		if (!comparable(c, &t) || !old.mem.page(&old.mem, t.frame))
			continue;
		was = cpu_write(&old, &cpu, all[at].va, mark);
		cpu = cpu_for(c, c->snap->roots, all[at].root);
		now = cpu_write(&new, &cpu, all[at].va, mark);
		if (now == NO_PAGE)
			break;
		CHECK_MSG(was == now, "write to root %u va %x: %d became %d", all[at].root,
			  all[at].va, was, now);
		for (i = 0; i < nr && was == WROTE && !tap_failed(); i++) {
			struct mmu_cpu before = cpu_for(c, c->params.roots, all[i].root);
			struct mmu_cpu after = cpu_for(c, c->snap->roots, all[i].root);

			CHECK_MSG(has_mark(&old, &before, all[i].va, mark) ==
				  has_mark(&new, &after, all[i].va, mark),
				  "write to root %u va %x, seen at root %u va %x in one only",
				  all[at].root, all[at].va, all[i].root, all[i].va);
		}
	}
	machine_exit(&old);
	machine_exit(&new);
}
