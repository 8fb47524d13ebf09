// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accesses: of the guest and of threads, by page tables or by references.
 */
#include "model.h"
#include "tap.h"

/* What an access should lead to: 0, or an errno that ends as VM_FAULT_SIGBUS */
static int want_touch(struct mvm *m, u32 s, const pte_t *pte, bool write)
{
	struct page *page;
	int err = 0;

	if (pte->page && (!write || pte->write))
		return 0;
	if (write)
		err = model_private(m, s);
	if (err)
		return err;
	if (!m->page[s].private) {
		m->stats.read_faults++;
		model_touch(m->snap, s, HLK_TOUCHED_READ_BIT);
	}
	page = real_private(m, s) ?: real_base(m, s);
	if (page && page->failed)
		return -EHWPOISON;
	return pte->marker ? -EFAULT : 0;
}

/* An access that comes to its end; whether it was allowed */
static bool touch(struct mmap *map, pte_t *pte, bool write)
{
	struct mm_access access = { .user = chance(50) };
	bool mapped = pte->page;
	struct mvm *m = map->vm;
	vm_fault_t ret;
	int want;

	want = want_touch(m, site_of(pte->place), pte, write);
	act_somebody(m);
	ret = mm_touch(map->vma, pte, write, &access);
	kernel_act(&m->mm, &m->mm);
	if (failed_any()) {
		/* who is killed does not care whom it is told */
		CHECK(!!ret == !!kernel.refused || (ret && excused(-EINTR)));
		if (ret == VM_FAULT_OOM)
			CHECK(failed_alloc() && !access.user);
		if (ret && !want && failed_alloc() && !access.user && !mapped)
			CHECK(ret == VM_FAULT_OOM);
		CHECK(ret || !want);
		return !ret;
	}
	CHECK_MSG(!ret == !want, "an access returns %x, not %d", ret, want);
	CHECK(ret != VM_FAULT_OOM);
	CHECK_EQ(kernel.refused, !!ret);
	return !ret;
}

void store(struct mvm *m, u32 s, struct page *page, u32 nr, u64 value)
{
	memcpy(page_address(page) + word_at[nr], &value, sizeof(value));
	m->page[s].c.word[nr] = value;
}

/* Reads, and writes that write */
static void access_page(struct mmap *map, pte_t *pte, bool write)
{
	u32 s = site_of(pte->place);

	if (write && !(map->vma->vm_flags & VM_WRITE))
		return;
	if (!touch(map, pte, write))
		return;
	if (failed_any())
		model_hear(map->vm);
	if (!write) {
		CHECK(page_shows(pte->page, model_shows(map->vm, s)));
		return;
	}
	if (CHECK(map->vm->page[s].private))
		store(map->vm, s, pte->page, below(WORDS), any_value());
}

void op_read(void)
{
	struct mmap *map = any_map();

	if (map)
		access_page(map, any_pte(map), false);
}

void op_write(void)
{
	struct mmap *map = any_map();

	if (map)
		access_page(map, any_pte(map), true);
}

/* Pages side by side, of which a window's list becomes long */
void op_write_run(void)
{
	struct mmap *map = any_map();
	u32 first, nr, i;

	if (!map || world.nr_sites < 100)
		return;
	first = below(map->vma->nr_ptes);
	nr = min(map->vma->nr_ptes - first, 1 + below(300));
	for (i = 0; i < nr && !tap_failed(); i++) {
		inject_none();
		access_page(map, &map->vma->ptes[first + i], true);
		world.ops++;
	}
}

/* The other thread was faster. */
void op_spurious(void)
{
	struct mm_access access = { .user = chance(50) };
	struct mmap *map = any_map();
	struct page *page;
	vm_fault_t ret;
	bool write;
	pte_t *pte;
	int err = 0;
	u32 s;

	inject_none();
	if (!map)
		return;
	act_somebody(map->vm);
	pte = any_pte(map);
	s = site_of(pte->place);
	write = map->vma->vm_flags & VM_WRITE && chance(50);
	if (!pte->page)
		return;
	if (write) {
		err = model_private(map->vm, s);
	} else if (!map->vm->page[s].private) {
		map->vm->stats.read_faults++;
		model_touch(map->vm->snap, s, HLK_TOUCHED_READ_BIT);
	}
	page = real_private(map->vm, s) ?: real_base(map->vm, s);
	if (page && page->failed)
		err = -EHWPOISON;
	ret = mm_fault(map->vma, pte, write, &access);
	CHECK(ret == (err ? VM_FAULT_SIGBUS : VM_FAULT_NOPAGE));
}

/* Writes to what is mapped read-only take three steps, and much happens in between. */
static void pending_end(struct pending *p)
{
	p->map->pending--;
	p->map = NULL;
}

void pending_finish(struct pending *p)
{
	struct page *page = p->w.page;
	pte_t *pte = p->w.pte;

	page->held--;
	if (mm_write_finish(&p->w)) {
		if (CHECK(p->map->vm->page[p->site].private &&
			  real_private(p->map->vm, p->site) == page))
			store(p->map->vm, p->site, pte->page, below(WORDS), any_value());
	}
	pending_end(p);
}

void unlock_for(struct page *page)
{
	u32 i;

	for (i = 0; i < MAX_PENDING; i++)
		if (world.pending[i].map && world.pending[i].w.locked &&
		    world.pending[i].w.page == page)
			pending_finish(&world.pending[i]);
}

static void pending_begin(struct pending *p)
{
	struct mmap *map = any_map();
	pte_t *pte;

	if (!map || !(map->vma->vm_flags & VM_WRITE))
		return;
	pte = any_pte(map);
	if (!pte->page || pte->write)
		return;
	p->map = map;
	p->site = site_of(pte->place);
	map->pending++;
	mm_write_begin(map->vma, pte, &p->w);
	p->w.page->held++;
}

void pending_ask(struct pending *p)
{
	struct mvm *m = p->map->vm;
	struct page *page = p->w.page;
	struct page *private = real_private(m, p->site);
	vm_fault_t want;
	vm_fault_t ret;
	int err = 0;

	if (private) {
		want = private == page ? 0 : VM_FAULT_NOPAGE;
	} else {
		err = model_private(m, p->site);
		want = err ? VM_FAULT_SIGBUS : VM_FAULT_NOPAGE;
	}
	act_somebody(m);
	page->held--;
	ret = mm_write_ask(&p->w);
	kernel_act(&m->mm, &m->mm);
	if (!ret)
		page->held++;
	CHECK_MSG(ret == want || (ret == VM_FAULT_SIGBUS && failed_any()),
		  "page_mkwrite returns %x, not %x", ret, want);
	CHECK(!!(ret & VM_FAULT_ERROR) == !!kernel.refused ||
	      (ret && excused(-EINTR)));
	if (ret)
		pending_end(p);
}

void op_pending(void)
{
	struct pending *p = &world.pending[below(MAX_PENDING)];

	if (!p->map)
		pending_begin(p);
	else if (p->w.locked)
		pending_finish(p);
	else
		pending_ask(p);
}

void op_pin(void)
{
	struct mpin *pin = &world.pin[below(MAX_PINS)];
	struct mmap *map = any_map();
	bool write = chance(70);
	pte_t *pte;

	if (pin->page) {
		if (chance(50) && pin->write) {
			/* the device writes; whether anybody sees it or not */
			u32 nr = below(WORDS);
			u64 value = any_value();

			if (pin->vm && CHECK(real_private(pin->vm, pin->site) == pin->page))
				store(pin->vm, pin->site, pin->page, nr, value);
			else
				memcpy(page_address(pin->page) + word_at[nr], &value,
				       sizeof(value));
			return;
		}
		unpin_page(pin);
		return;
	}
	if (!map || (write && !(map->vma->vm_flags & VM_WRITE)))
		return;
	pte = any_pte(map);
	if (!touch(map, pte, write))
		return;
	if (failed_any())
		model_hear(map->vm);
	/* another thread may have been faster */
	if (pin->page)
		return;
	pin_page(pin, map->vm, site_of(pte->place), pte->page, chance(70), write);
}

void op_read_snap(void)
{
	struct mm_access access = { .user = chance(50) };
	struct mmap *map = any_map_of(true);
	struct page *page;
	vm_fault_t ret;
	pte_t *pte;
	u32 s;

	if (!map)
		return;
	pte = any_pte(map);
	s = site_of(pte->place);
	page = hlk_snap_page(map->snap->snap, pte->place);
	kernel_act(NULL, NULL);
	ret = mm_touch(map->vma, pte, false, &access);
	if (ret && failed_alloc()) {
		CHECK(ret == (access.user ? VM_FAULT_SIGBUS : VM_FAULT_OOM));
		return;
	}
	CHECK(ret == (page && page->failed ? VM_FAULT_SIGBUS : 0));
	if (!ret)
		CHECK(page_shows(pte->page, model_base(map->snap, s)));
}

/* userfaultfd's mark, where nothing is mapped */
void op_marker(void)
{
	struct mmap *map = any_map();
	pte_t *pte;

	if (!map || map->pending)
		return;
	pte = any_pte(map);
	if (!pte->page)
		pte->marker = !pte->marker;
}

/* Memory fails: nobody has the page mapped any more, and nobody may read it. */
void op_poison(void)
{
	struct mvm *m = any_vm(false);
	u32 s = below(world.nr_sites);
	struct page *page;
	u32 i, j;

	if (!world.poison || !m)
		return;
	page = chance(60) ? real_private(m, s) : real_base(m, s);
	if (!page || page->locked)
		return;
	page->failed = true;
	for (i = 0; i < MAX_MAPS; i++)
		for (j = 0; world.map[i].vma && j < world.map[i].vma->nr_ptes; j++)
			if (world.map[i].vma->ptes[j].page == page)
				mm_zap(&world.map[i].vma->ptes[j]);
}
