// SPDX-License-Identifier: GPL-2.0-only
#include "model.h"
#include "tap.h"

struct world world;

const u32 word_at[WORDS] = {
	0, 2040,
	PAGE_SIZE - HLK_GUEST_OFF_SEED,
	PAGE_SIZE - HLK_GUEST_OFF_SEED + 8,
	PAGE_SIZE - HLK_GUEST_OFF_SEED + 16,
	PAGE_SIZE - HLK_GUEST_OFF_SEED + 24,
	PAGE_SIZE - HLK_GUEST_OFF_UNIQUE,
	PAGE_SIZE - 8,
};

static const struct content zeroes;

u64 random_u64(void)
{
	u64 x = world.random;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	world.random = x;
	return x * 0x2545f4914f6cdd1dULL;
}

u32 below(u32 n)
{
	return (random_u64() >> 32) * n >> 32;
}

bool chance(u32 percent)
{
	return below(100) < percent;
}

/* What the kernel draws for guests */
void get_random_bytes(void *to, size_t bytes)
{
	u8 *at = to;

	while (bytes--)
		*at++ = random_u64() >> 56;
}

struct mvm *any_vm(bool open)
{
	u32 first = below(MAX_VMS);
	struct mvm *m;
	u32 i;

	for (i = 0; i < MAX_VMS; i++) {
		m = &world.vm[(first + i) % MAX_VMS];
		if (m->used && (!open || m->fd >= 0))
			return m;
	}
	return NULL;
}

struct msnap *any_snap(void)
{
	u32 first = below(MAX_SNAPS);
	struct msnap *snap;
	u32 i;

	for (i = 0; i < MAX_SNAPS; i++) {
		snap = &world.snap[(first + i) % MAX_SNAPS];
		if (snap->used && snap->fd >= 0)
			return snap;
	}
	return NULL;
}

/* A mapping with pages, of a VM or of a snapshot */
struct mmap *any_map_of(bool snap)
{
	u32 first = below(MAX_MAPS);
	struct mmap *map;
	u32 i;

	for (i = 0; i < MAX_MAPS; i++) {
		map = &world.map[(first + i) % MAX_MAPS];
		if (map->vma && !map->snap == !snap && map->vma->nr_ptes)
			return map;
	}
	return NULL;
}

struct mmap *any_map(void)
{
	return any_map_of(false);
}

pte_t *any_pte(struct mmap *map)
{
	return &map->vma->ptes[below(map->vma->nr_ptes)];
}

/* Few values, so that pages are often as they were */
u64 any_value(void)
{
	return below(3);
}

/* Somebody who works for the VM: its threads, KVM's worker, another process */
void act_somebody(struct mvm *m)
{
	kernel_act(chance(60) ? &m->mm : NULL, &m->mm);
}

void content_load(struct content *c, const struct page *page)
{
	const u8 *at = page_address(page);
	u32 i;

	for (i = 0; i < WORDS; i++)
		memcpy(&c->word[i], at + word_at[i], sizeof(u64));
}

bool content_same(const struct content *a, const struct content *b)
{
	return !memcmp(a, b, sizeof(*a));
}

bool content_zero(const struct content *c)
{
	return content_same(c, &zeroes);
}

/* All of it is looked at now and then. */
bool page_shows(const struct page *page, const struct content *c)
{
	static u8 image[PAGE_SIZE];
	struct content have;
	u32 i;

	content_load(&have, page);
	if (!content_same(&have, c))
		return false;
	if (!chance(2))
		return true;
	for (i = 0; i < WORDS; i++)
		memcpy(image + word_at[i], &c->word[i], sizeof(u64));
	return !memcmp(image, page_address(page), PAGE_SIZE);
}

int site_of(u64 gfn)
{
	u32 high = world.nr_sites;
	static u32 last;
	u32 low = 0;
	u32 mid;

	/* most are asked for one after the other */
	if (++last < high && world.site[last].gfn == gfn)
		return last;
	while (low < high) {
		mid = (low + high) / 2;
		if (world.site[mid].gfn < gfn)
			low = mid + 1;
		else
			high = mid;
	}
	last = low;
	return low < world.nr_sites && world.site[low].gfn == gfn ? (int)low : -1;
}

const struct content *model_base(const struct msnap *snap, u32 s)
{
	return snap && snap->base[s].present ? &snap->base[s].c : &zeroes;
}

const struct content *model_shows(const struct mvm *m, u32 s)
{
	return m->page[s].private ? &m->page[s].c : model_base(m->snap, s);
}

/* Of the module, since memory fails by pages */
static struct page *snap_base(const struct msnap *snap, u32 s)
{
	const struct site *site = &world.site[s];

	return hlk_base_page(&snap->snap->base[site->window], site->index);
}

struct page *real_base(const struct mvm *m, u32 s)
{
	return m->snap ? snap_base(m->snap, s) : NULL;
}

struct page *real_private(const struct mvm *m, u32 s)
{
	struct hlk_vm_window *window = m->window[world.site[s].window];
	void *pos = xa_load(&window->index, world.site[s].index);

	if (!pos || xa_to_value(pos) >= window->nr)
		return NULL;
	return window->list[xa_to_value(pos)].page;
}

bool model_crowded(const struct mvm *m, u32 window)
{
	return m->mappings[window] > 2 * HLK_MAX_MAPPINGS;
}

void model_touch(struct msnap *snap, u32 s, unsigned long bits)
{
	if (snap)
		snap->base[s].touched |= bits;
}

static void became_private(struct mvm *m, u32 s)
{
	unsigned long known = m->snap ? m->snap->base[s].touched : 0;

	m->page[s] = (struct mpage){
		.private = true,
		.told = true,
		.every = 1U << (known >> 2),
		.c = *model_base(m->snap, s),
	};
	m->nr_private++;
	m->stats.write_faults++;
	model_touch(m->snap, s, HLK_TOUCHED_WRITE_BIT);
}

/* What earlier calls left is not this one's. */
bool model_budget(const struct mvm *m, u64 pages)
{
	return pages <= m->kept || pages - m->kept <= m->max_private;
}

/* The guest writes a page, or who acts for it; or may not. */
int model_private(struct mvm *m, u32 s)
{
	struct page *base = real_base(m, s);

	if (m->page[s].private)
		return 0;
	if (!m->mm.owner)
		return -ESRCH;
	if (model_crowded(m, world.site[s].window))
		return -EMLINK;
	if (!model_budget(m, m->nr_private + 1)) {
		m->stats.over_budget++;
		return -EDQUOT;
	}
	if (base && base->failed)
		return -EHWPOISON;
	became_private(m, s);
	return 0;
}

void model_drop(struct mvm *m, u32 s)
{
	struct mpage *page = &m->page[s];
	unsigned long *known = m->snap ? &m->snap->base[s].touched : NULL;
	unsigned long back;

	CHECK(!page->writers);
	if (page->idle && known && *known) {
		back = min((*known >> 2) + 1, 10UL);
		*known = HLK_TOUCHED_READ_BIT | back << 2;
	}
	memset(page, 0, sizeof(*page));
	m->nr_private--;
}

/* Where something failed on the way, hear how far the module got. */
void model_hear(struct mvm *m)
{
	struct hlk_touched_set *set;
	unsigned long known;
	bool private;
	void *entry;
	u32 s;

	m->stats.read_faults = 0;
	m->stats.write_faults = 0;
	for (s = 0; s < world.nr_windows; s++) {
		m->stats.read_faults += m->window[s]->read_faults;
		m->stats.write_faults += m->window[s]->write_faults;
	}
	m->stats.over_budget = atomic64_read(&m->vm->over_budget);
	for (s = 0; s < world.nr_sites; s++) {
		private = real_private(m, s);
		if (private && !m->page[s].private) {
			became_private(m, s);
			m->stats.write_faults--;
		} else if (!private && m->page[s].private) {
			/* only what a page has just become is taken back */
			CHECK(content_same(&m->page[s].c, model_base(m->snap, s)));
			CHECK(!m->page[s].writers);
			memset(&m->page[s], 0, sizeof(m->page[s]));
			m->nr_private--;
		}
		if (!m->snap)
			continue;
		set = &m->snap->snap->touched[world.site[s].window];
		entry = xa_load(&set->pages, world.site[s].index);
		known = entry ? xa_to_value(entry) : 0;
		CHECK(!(known & 3 & ~m->snap->base[s].touched));
		m->snap->base[s].touched = known;
	}
}

/**
 * pin_page() - somebody else gets a reference
 * @pin: where it is noted
 * @m: the VM that shows the page
 * @s: its site
 * @page: the page
 * @dma: a device is to use it
 * @write: and to write it
 */
void pin_page(struct mpin *pin, struct mvm *m, u32 s, struct page *page, bool dma,
	      bool write)
{
	int refs = dma ? GUP_PIN_COUNTING_BIAS : 1;

	*pin = (struct mpin){ .page = page, .vm = m, .site = s, .pin = dma };
	page->refs += refs;
	page->held += refs;
	if (dma && write) {
		pin->write = true;
		m->page[s].writers++;
	}
}

/* A device that wrote marks the page dirty, and goes to the mapping that it names. */
void unpin_page(struct mpin *pin)
{
	struct page *page = pin->page;
	int refs = pin->pin ? GUP_PIN_COUNTING_BIAS : 1;

	if (pin->write && pin->vm)
		pin->vm->page[pin->site].writers--;
	if (pin->write) {
		lock_page(page);
		/* whoever it names is there */
		SHIM_ASSERT(!page->mapping || page->mapping->first != (void *)-1UL);
		unlock_page(page);
	}
	page->held -= refs;
	page->refs -= refs - 1;
	put_page(page);
	pin->page = NULL;
}

static void check_list(struct mvm *m, u32 w)
{
	struct hlk_vm_window *window = m->window[w];
	const struct hlk_private *private;
	const struct mpage *page;
	u64 pos;
	int s;

	for (pos = 0; pos < window->nr; pos++) {
		private = &window->list[pos];
		s = site_of(window->range.gfn + private->index);
		if (!CHECK(s >= 0))
			return;
		page = &m->page[s];
		CHECK_MSG(page->private, "site %d is private", s);
		CHECK(xa_load(&window->index, private->index) == xa_mk_value(pos));
		CHECK(private->base == real_base(m, s));
		CHECK(private->page->mapping == m->vm->mapping);
		CHECK_EQ(private->page->index, window->range.gfn + private->index);
		CHECK_EQ(private->page->refs,
			 1 + private->page->maps + private->page->held);
		CHECK_EQ(private->idle, page->idle);
		CHECK_EQ(private->every, page->every);
		CHECK_EQ(private->told, page->told);
		if (!private->page->failed)
			CHECK_MSG(page_shows(private->page, &page->c),
				  "site %d does not show what was written", s);
	}
}

static void check_window(struct mvm *m, u32 w)
{
	struct hlk_vm_window *window = m->window[w];
	u64 privates = 0;
	u32 s;

	CHECK(window->nr <= window->room);
	CHECK_EQ(window->pinned, world.book >= 0 && world.site[world.book].window == w);
	CHECK_EQ(atomic_read(&window->mappings), m->mappings[w]);
	CHECK(window->base == (m->snap ? &m->snap->snap->base[w] : NULL));
	CHECK(window->touched == (m->snap ? &m->snap->snap->touched[w] : NULL));
	for (s = world.first_site[w]; s < world.first_site[w + 1]; s++) {
		privates += m->page[s].private;
		if (!m->page[s].private)
			CHECK_MSG(!xa_load(&window->index, world.site[s].index),
				  "site %u is private", s);
	}
	CHECK_EQ(window->nr, privates);
	check_list(m, w);
}

void check_vm(struct mvm *m)
{
	struct hlk_vm *vm = m->vm;
	u64 privates = 0;
	u32 w;

	for (w = 0; w < world.nr_windows && !tap_failed(); w++) {
		check_window(m, w);
		privates += m->window[w]->nr;
	}
	CHECK_EQ(atomic64_read(&vm->nr_private), privates);
	CHECK_EQ(privates, m->nr_private);
	CHECK(vm->snap == (m->snap ? m->snap->snap : NULL));
	CHECK_EQ(vm->trim, m->trim);
	CHECK_EQ(vm->nr_kept, m->kept);
	CHECK_EQ(vm->unique, m->stats.unique);
}

static void check_pte(const struct mmap *map, const pte_t *pte)
{
	int s = site_of(pte->place);
	struct page *page;

	if (!pte->page) {
		CHECK(!pte->write);
		return;
	}
	if (map->snap) {
		page = snap_base(map->snap, s) ?: map->snap->snap->zero_page;
		CHECK(!pte->write);
		CHECK(pte->page == page);
		CHECK(page_shows(pte->page, model_base(map->snap, s)));
		return;
	}
	page = map->vm->page[s].private ? real_private(map->vm, s) :
	       real_base(map->vm, s) ?: map->vm->vm->zero_page;
	CHECK_MSG(pte->page == page, "site %d maps another page", s);
	CHECK(!pte->write || (map->vm->page[s].private && map->vma->vm_flags & VM_WRITE));
	if (!pte->page->failed)
		CHECK_MSG(page_shows(pte->page, model_shows(map->vm, s)),
			  "site %d shows something else", s);
}

void check_map(struct mmap *map)
{
	u32 i;

	for (i = 0; i < map->vma->nr_ptes && !tap_failed(); i++)
		check_pte(map, &map->vma->ptes[i]);
}

void check_snap(struct msnap *snap)
{
	struct page *page;
	long touched = 0;
	void *entry;
	u32 s, w;

	if (snap->misfit)
		return;
	for (s = 0; s < world.nr_sites && !tap_failed(); s++) {
		page = snap_base(snap, s);
		CHECK_MSG(!page == !snap->base[s].present, "site %u of a snapshot", s);
		if (page && !page->failed)
			CHECK_MSG(page_shows(page, &snap->base[s].c),
				  "site %u of a snapshot has changed", s);
		entry = xa_load(&snap->snap->touched[world.site[s].window].pages,
				world.site[s].index);
		CHECK_EQ(entry ? xa_to_value(entry) : 0, snap->base[s].touched);
		touched += !!entry;
	}
	for (w = 0; w < world.nr_windows; w++)
		touched -= atomic_read(&snap->snap->touched[w].nr);
	if (!tap_failed())
		CHECK_EQ(touched, 0);
}

void check_counts(void)
{
	long snaps = 0;
	long vms = 0;
	u32 i;

	for (i = 0; i < MAX_SNAPS; i++)
		snaps += world.snap[i].used;
	for (i = 0; i < MAX_VMS; i++)
		vms += world.vm[i].used;
	CHECK_EQ(shim.counted_snaps, snaps);
	CHECK_EQ(shim.counted_vms, vms);
	CHECK(!kernel_holds());
	CHECK(!kernel.active);
	CHECK(!kernel.vcpus_held);
	for (i = 0; i < MAX_VMS; i++)
		CHECK_EQ(world.vm[i].mm.memcg.refs, 0);
}

/* Failures */
void inject_none(void)
{
	shim.fail_at = 0;
	shim.fail_copy_at = 0;
	shim.signal_at = 0;
	shim.tries = 0;
	shim.copies = 0;
	shim.checks = 0;
	kernel.fail_user_at = 0;
	kernel.fail_try_at = 0;
	kernel.users = 0;
	kernel.tries = 0;
	kernel.refused = 0;
	kernel.busy = false;
	kernel.race = NULL;
	world.raced = false;
}

static void race(void);

void inject_some(void)
{
	inject_none();
	switch (below(32)) {
	case 0 ... 3:
		shim.fail_at = 1 + below(4);
		break;
	case 4:
		shim.fail_copy_at = 1 + below(3);
		break;
	case 5 ... 6:
		shim.signal_at = 1 + below(6);
		break;
	case 7:
		kernel.fail_user_at = 1 + below(4);
		break;
	case 8:
		kernel.fail_try_at = 1 + below(4);
		break;
	case 9:
		kernel.busy = true;
		break;
	case 10 ... 12:
		kernel.race = race;
		break;
	}
}

static bool hit(long count, long at)
{
	return at && count >= at;
}

bool failed_alloc(void)
{
	return hit(shim.tries, shim.fail_at);
}

bool failed_any(void)
{
	return failed_alloc() || hit(shim.copies, shim.fail_copy_at) ||
	       hit(shim.checks, shim.signal_at) || hit(kernel.users, kernel.fail_user_at);
}

/* Is this an answer to what was made to fail? */
bool excused(int err)
{
	return (err == -ENOMEM && failed_alloc()) || (err == -EMFILE && failed_alloc()) ||
	       (err == -EHWPOISON && hit(shim.copies, shim.fail_copy_at)) ||
	       (err == -EINTR && hit(shim.checks, shim.signal_at)) ||
	       (err == -EFAULT && hit(kernel.users, kernel.fail_user_at)) ||
	       (err == -EAGAIN && hit(kernel.tries, kernel.fail_try_at)) ||
	       (err == -EBUSY && kernel.busy);
}

/* In the moment before pages are unmapped another thread pins one, or lets one go. */
static void race(void)
{
	struct mmap *map = &world.map[below(MAX_MAPS)];
	struct mpin *pin = &world.pin[below(MAX_PINS)];
	pte_t *pte;

	world.raced = true;
	if (chance(10)) {
		/* one that came does not go */
		if (!hit(shim.checks, shim.signal_at))
			shim.signal_at = shim.checks + 1;
		return;
	}
	if (pin->page || !map->vma || !map->vm || !map->vma->nr_ptes)
		return;
	pte = &map->vma->ptes[below(map->vma->nr_ptes)];
	if (!pte->page)
		return;
	pin_page(pin, map->vm, site_of(pte->place), pte->page, true, pte->write);
}
