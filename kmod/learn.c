// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copy-on-write that learns: pages that call after call copies on write are left
 * writable for the calls to come, so that they are written where they lie, with no
 * fault in the guest and no second copy. The window protects them, as it does all.
 *
 * What the guest copied is seen in its tables, before a restore brings them back. A
 * page that was copied time and again is made private, and its leaf writable in what
 * restores bring back from then on: a copy of the snapshot's table. When the page is
 * not private any more, for calls have stopped to write it, its leaf is copy-on-write
 * again. So a leaf is writable where its page is private, and the hot set says for
 * how long.
 *
 * Only pages that one leaf maps, for who else maps one may not see what is written
 * through that leaf.
 *
 * It is all a guess that may be left undone: whatever fails, the guest copies.
 */
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "hlk.h"

/* Looks in a row that have to find a page copied; all that are kept, when few are right */
#define LEARN_SURE	2

/*
 * Pages that guests have copied from one look to the next. A look costs about what two
 * such copies do for each table. Where looks find nothing to be learned they are far apart.
 */
#define LEARN_WAIT_LEAST	8
#define LEARN_WAIT_DOUBT	64
#define LEARN_WAIT_MOST		512
#define LEARN_CALLS_MOST	16	/* so many calls, if they copy more */

/* Restores between two looks for pages that are not written any more */
#define UNLEARN_EVERY	16

/*
 * Pages that are learned in one look, each of which is made private and copied to: all
 * that is done under locks is bounded, and what is left over is found by the next look.
 */
#define LEARN_LEAVES	512

/* Tables that are learned, of a window */
#define LEARN_TABLES	256

/**
 * struct look - one look at what the last call copied
 * @vm: the VM, whose vCPUs are held
 * @window: that of scratch
 * @seen: pages that were copied
 * @learned: of these, those that will not be any more
 */
struct look {
	struct hlk_vm *vm;
	struct hlk_vm_window *window;
	u64 seen;
	u64 learned;
};

static u32 *table_of(const struct page *page)
{
	return page_address(page);
}

/* Has the guest made a copy of the page that the leaf @was maps? */
static bool look_copied(u32 was, u32 now)
{
	const u32 bits = I686_P | I686_W | I686_COW;

	return (was & bits) == (I686_P | I686_COW) && (now & bits) == (I686_P | I686_W) &&
	       i686_gfn(was) != i686_gfn(now);
}

/* Which leaves of a table; how many */
static u32 look_leaves(const u32 *was, const u32 *now, u32 end, u64 *seen)
{
	const u64 *a = (const u64 *)was;
	const u64 *b = (const u64 *)now;
	u32 nr = 0;
	u32 i;
	u32 k;

	for (i = 0; i < end; i += 8) {
		if (!((a[i / 2] ^ b[i / 2]) | (a[i / 2 + 1] ^ b[i / 2 + 1]) |
		      (a[i / 2 + 2] ^ b[i / 2 + 2]) | (a[i / 2 + 3] ^ b[i / 2 + 3])))
			continue;
		for (k = i; k < min(i + 8, end); k++) {
			if (!look_copied(was[k], READ_ONCE(now[k])))
				continue;
			seen[k / 64] |= BIT_ULL(k % 64);
			nr++;
		}
	}
	return nr;
}

static struct hlk_learned *look_begin(struct look *look, struct hlk_private *private)
{
	const gfp_t gfp = GFP_NOWAIT | __GFP_ACCOUNT | __GFP_NOWARN;
	struct hlk_vm_window *window = look->window;
	struct hlk_learned *learned;

	if (window->nr_learned >= LEARN_TABLES)
		return NULL;
	learned = kzalloc(sizeof(*learned), gfp);
	if (!learned)
		return NULL;
	learned->page = alloc_page(gfp);
	if (!learned->page)
		goto free_learned;
	hlk_count_pages(1);
	if (hlk_copy_page(learned->page, private->base) ||
	    xa_is_err(xa_store(&window->learned, private->index, learned, gfp)))
		goto free_page;
	window->nr_learned++;
	private->base = learned->page;
	return learned;

free_page:
	hlk_page_free(learned->page);
free_learned:
	kfree(learned);
	return NULL;
}

static void look_note(struct look *look, struct hlk_learned *learned, const u64 *seen)
{
	u64 now = look->vm->learn.looks;

	if (learned->look + 1 == now)
		memmove(learned->seen[1], learned->seen[0],
			(HLK_LEARN_LOOKS - 1) * sizeof(learned->seen[0]));
	else
		memset(learned->seen, 0, sizeof(learned->seen));
	memcpy(learned->seen[0], seen, sizeof(learned->seen[0]));
	learned->look = now;
}

static void look_table(struct look *look, struct hlk_private *private, u32 end)
{
	struct hlk_learned *learned;
	u64 seen[HLK_LEARN_WORDS] = {};
	u32 nr;

	if (!private->base || PageHWPoison(private->base) || PageHWPoison(private->page))
		return;
	nr = look_leaves(table_of(private->base), table_of(private->page), end, seen);
	if (!nr)
		return;
	look->seen += nr;
	learned = xa_load(&look->window->learned, private->index);
	if (!learned)
		learned = look_begin(look, private);
	if (learned)
		look_note(look, learned, seen);
}

/* The tables that calls write are among the private pages. */
static void look_tables(struct look *look)
{
	const struct hlk_tables *tables = look->vm->snap->tables;
	struct hlk_vm_window *window = look->window;
	u64 first = tables->gfn - window->range.gfn;
	u64 pos;
	u64 nr;

	mutex_lock_nest_lock(&window->lock, &look->vm->lock);
	for (pos = 0; pos < window->nr; pos++) {
		nr = window->list[pos].index - first;
		if (nr < tables->nr && !tables->info[nr].is_root)
			look_table(look, &window->list[pos], tables->info[nr].end);
		if (!(pos % 256))
			cond_resched();
	}
	mutex_unlock(&window->lock);
}

/* Where the page is that a leaf maps, if it is written where it lies for nobody else */
static struct hlk_vm_window *leaf_window(struct hlk_vm *vm, u32 leaf, u64 *index)
{
	u64 gfn = i686_gfn(leaf);
	int nr = hlk_layout_find(&vm->layout, gfn);

	if (nr < 0 || vm->windows[nr] == vm->book ||
	    vm->layout.range[nr].flags & HLK_WINDOW_READONLY ||
	    hlk_snap_leaves(vm->snap, gfn) != 1)
		return NULL;
	*index = gfn - vm->layout.range[nr].gfn;
	return vm->windows[nr];
}

static bool learn_leaf(struct look *look, struct hlk_learned *learned, u32 *leaf)
{
	struct hlk_vm_window *window;
	u64 made = 0;
	u64 index;

	window = leaf_window(look->vm, *leaf, &index);
	if (!window || hlk_prefault_page(look->vm, window, index, &made) ||
	    !hlk_window_has(window, index))
		return false;
	WRITE_ONCE(*leaf, (*leaf & ~I686_COW) | I686_W);
	learned->leaves++;
	look->vm->learn.leaves++;
	return true;
}

static void learn_table(struct look *look, struct hlk_learned *learned)
{
	u32 looks = look->vm->learn.wait > LEARN_WAIT_DOUBT ? HLK_LEARN_LOOKS : LEARN_SURE;
	u32 *table = table_of(learned->page);
	u64 all;
	u32 i;
	u32 k;

	if (PageHWPoison(learned->page))
		return;
	for (i = 0; i < I686_ENTRIES; i += 64) {
		all = U64_MAX;
		for (k = 0; k < looks; k++)
			all &= learned->seen[k][i / 64];
		for (k = i; all && look->learned < LEARN_LEAVES; all >>= 1, k++)
			if (all & 1 && learn_leaf(look, learned, &table[k]))
				look->learned++;
		if (fatal_signal_pending(current))
			return;
	}
}

/* One that lost its last leaf stays: it may have others soon. */
static void unlearn_table(struct hlk_vm *vm, u64 gfn, struct hlk_learned *learned)
{
	struct page *page = hlk_snap_page(vm->snap, gfn);
	const u32 *base = table_of(page);
	u32 *table = table_of(learned->page);
	struct hlk_vm_window *window;
	u64 index;
	u32 i;

	if (PageHWPoison(page) || PageHWPoison(learned->page))
		return;
	for (i = 0; i < I686_ENTRIES && learned->leaves; i++) {
		if (table[i] == base[i])
			continue;
		window = leaf_window(vm, base[i], &index);
		if (window && hlk_window_has(window, index))
			continue;
		WRITE_ONCE(table[i], base[i]);
		learned->leaves--;
		vm->learn.leaves--;
	}
}

static void unlearn(struct hlk_vm *vm)
{
	struct hlk_vm_window *window = vm->book;
	struct hlk_learn *learn = &vm->learn;
	struct hlk_learned *learned;
	unsigned long index;

	if (!learn->leaves || learn->freed == vm->freed ||
	    vm->restores - learn->restores < UNLEARN_EVERY)
		return;
	learn->freed = vm->freed;
	learn->restores = vm->restores;
	xa_for_each(&window->learned, index, learned) {
		unlearn_table(vm, window->range.gfn + index, learned);
		cond_resched();
	}
}

/* How many pages the guest took from scratch; it may have written there what it likes. */
static u64 learn_taken(const struct hlk_vm *vm)
{
	const u8 *top = page_address(vm->book->pinned_page) + PAGE_SIZE;
	u64 first = vm->snap->first_free;
	u64 now;

	memcpy(&now, top - HLK_GUEST_OFF_ALLOC, sizeof(now));
	return now > first && now < HLK_GUEST_SCRATCH_TOP ? (now - first) >> PAGE_SHIFT : 0;
}

static void learn_look(struct hlk_vm *vm)
{
	struct look look = { .vm = vm, .window = vm->book };
	struct hlk_learn *learn = &vm->learn;
	struct hlk_learned *learned;
	unsigned long index;
	u64 most;

	learn->looks++;
	learn->copied = 0;
	look_tables(&look);
	xa_for_each(&look.window->learned, index, learned) {
		if (learned->look == learn->looks)
			learn_table(&look, learned);
		cond_resched();
	}
	most = max_t(u64, LEARN_WAIT_MOST, LEARN_CALLS_MOST * look.seen);
	if (look.learned && look.learned >= look.seen / 2)
		learn->wait = max_t(u64, learn->wait / 2, LEARN_WAIT_LEAST);
	else
		learn->wait = min(max_t(u64, 2 * learn->wait, LEARN_WAIT_LEAST), most);
}

/**
 * hlk_learn() - leave those pages writable that calls copy on write
 * @vm: the VM, whose vCPUs are held; its lock is held
 *
 * For the restore that follows, and those after it.
 */
void hlk_learn(struct hlk_vm *vm)
{
	const struct hlk_snap *snap = vm->snap;
	struct hlk_learn *learn = &vm->learn;

	lockdep_assert_held(&vm->lock);
	if (!snap->tables || snap->flags & HLK_SNAPSHOT_HOST_COW || !vm->book || vm->half ||
	    PageHWPoison(vm->book->pinned_page))
		return;
	unlearn(vm);
	learn->copied += learn_taken(vm);
	if (learn->copied > learn->wait)
		learn_look(vm);
}

/* Where a learned table is not the snapshot's, but for leaves that may be writable; or -1 */
static int learned_differs(struct hlk_vm *vm, const u32 *was, const u32 *now)
{
	const u32 bits = I686_P | I686_W | I686_COW;
	u64 index;
	u32 i;

	for (i = 0; i < I686_ENTRIES; i++)
		if (now[i] != was[i] &&
		    ((was[i] & bits) != (I686_P | I686_COW) ||
		     now[i] != ((was[i] & ~I686_COW) | I686_W) ||
		     !leaf_window(vm, was[i], &index)))
			return i * sizeof(*now);
	return -1;
}

/**
 * hlk_learn_audit() - is what was learned the snapshot's, but for what may differ?
 * @vm: the VM; its lock is held
 * @at: where it is not
 *
 * Return: 0, -EUCLEAN, or -EHWPOISON if the memory of a page failed
 */
int hlk_learn_audit(struct hlk_vm *vm, struct hlk_why_at *at)
{
	struct hlk_vm_window *window = vm->book;
	struct hlk_learned *learned;
	unsigned long index;
	struct page *base;
	int where;
	u64 gpa;

	lockdep_assert_held(&vm->lock);
	if (!window)
		return 0;
	xa_for_each(&window->learned, index, learned) {
		gpa = (window->range.gfn + index) << PAGE_SHIFT;
		base = hlk_snap_page(vm->snap, gpa >> PAGE_SHIFT);
		if (PageHWPoison(base) || PageHWPoison(learned->page))
			return hlk_fail(at, -EHWPOISON, HLK_WHY_MEMORY_FAILED, 0, gpa);
		where = learned_differs(vm, table_of(base), table_of(learned->page));
		if (where >= 0)
			return hlk_fail(at, -EUCLEAN, HLK_WHY_AUDIT_MEMORY, 0, gpa + where);
		cond_resched();
	}
	return 0;
}
