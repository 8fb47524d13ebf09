// SPDX-License-Identifier: GPL-2.0-only
#include <linux/hlk_guest.h>

#include "guest.h"

const u8 guest_zero[PAGE_SIZE];

static int guest_get(struct hlk_gmem *gmem, u64 gfn, struct hlk_gpage *gpage)
{
	struct guest *guest = container_of(gmem, struct guest, gmem);

	if (!guest_is_ram(guest, gfn))
		return -ENODEV;
	if (++guest->gets == guest->fail_get)
		return -EFAULT;
	gpage->page = xa_load(&guest->pages, gfn);
	gpage->frozen = xa_load(&guest->frozen, gfn);
	if (gpage->page)
		get_page(gpage->page);
	if (guest->meddle)
		guest->meddle(guest, gfn);
	return 0;
}

static bool gmem_is_ram(struct hlk_gmem *gmem, u64 gfn)
{
	return guest_is_ram(container_of(gmem, struct guest, gmem), gfn);
}

static u64 gmem_alike(struct hlk_gmem *gmem, u64 gfn, u64 pages, bool *is_ram)
{
	struct guest *guest = container_of(gmem, struct guest, gmem);
	u64 end = gfn + pages;
	u64 first;
	u64 last;
	u32 i;

	*is_ram = guest_is_ram(guest, gfn);
	for (i = 0; i < guest->nr_ram; i++) {
		first = guest->ram[i].first;
		last = first + guest->ram[i].pages;
		if (gfn >= first && gfn < last)
			return min_t(u64, end, last) - gfn;
		if (first > gfn)
			end = min_t(u64, end, first);
	}
	return end - gfn;
}

/* As the windows know it: pages that are not the snapshot's */
static int guest_changed(struct hlk_gmem *gmem, u64 *gfn)
{
	struct guest *guest = container_of(gmem, struct guest, gmem);
	unsigned long at = *gfn;

	if (!guest->restored)
		return -EOPNOTSUPP;
	if (!xa_find(&guest->written, &at, ULONG_MAX, XA_PRESENT))
		return 0;
	*gfn = at;
	return 1;
}

static int guest_hold(struct hlk_gmem *gmem, u64 gfn, struct page **page)
{
	struct guest *guest = container_of(gmem, struct guest, gmem);
	long fail_at;

	if (!guest_is_ram(guest, gfn))
		return -ENODEV;
	if (++guest->holds == guest->fail_hold)
		return guest->hold_error;
	/* what the model takes for itself does not fail */
	fail_at = shim.fail_at;
	shim.fail_at = 0;
	guest_bytes(guest, gfn);
	shim.fail_at = fail_at;
	*page = xa_load(&guest->pages, gfn);
	get_page(*page);
	guest->held++;
	return 0;
}

static void guest_unhold(struct hlk_gmem *gmem, u64 gfn, struct page *page)
{
	struct guest *guest = container_of(gmem, struct guest, gmem);

	SHIM_ASSERT(guest->held > 0 && page == xa_load(&guest->pages, gfn));
	guest->held--;
	put_page(page);
}

static const struct hlk_gmem_ops guest_ops = {
	.is_ram = gmem_is_ram,
	.alike = gmem_alike,
	.get = guest_get,
	.changed = guest_changed,
	.hold = guest_hold,
	.unhold = guest_unhold,
};

static const __u8 *oracle_page(const struct physmem *mem, __u64 frame)
{
	const struct guest *guest =
		(const void *)((const char *)mem - offsetof(struct guest, mem));

	return guest_is_ram(guest, frame) ? guest_peek(guest, frame) : NULL;
}

void guest_init(struct guest *guest)
{
	memset(guest, 0, sizeof(*guest));
	guest->gmem.ops = &guest_ops;
	guest->mem.page = oracle_page;
	xa_init(&guest->pages);
	xa_init(&guest->frozen);
	xa_init(&guest->written);
	guest->seed = 1;
}

void guest_exit(struct guest *guest)
{
	unsigned long gfn;
	struct page *page;

	SHIM_ASSERT(!guest->held);
	xa_for_each(&guest->pages, gfn, page)
		put_page(page);
	xa_destroy(&guest->pages);
	xa_destroy(&guest->frozen);
	xa_destroy(&guest->written);
}

void guest_ram(struct guest *guest, u64 first, u64 pages)
{
	if (guest->nr_ram == GUEST_MAX_RAM)
		abort();
	guest->ram[guest->nr_ram].first = first;
	guest->ram[guest->nr_ram].pages = pages;
	guest->nr_ram++;
}

void guest_window(struct guest *guest, u64 first, u64 pages, u32 flags)
{
	struct hlk_range range = { first, pages, flags };
	struct hlk_why_at at = {};

	if (hlk_layout_add(&guest->layout, &range, &at))
		abort();
	guest_ram(guest, first, pages);
}

void guest_usual(struct guest *guest, u64 scratch_pages)
{
	guest_init(guest);
	guest_window(guest, 1, 0x3ff, 0);
	guest_window(guest, (HLK_GUEST_SCRATCH_TOP >> 12) - scratch_pages,
		     scratch_pages, HLK_WINDOW_SCRATCH);
	guest->next = 1;
}

struct pt_mode guest_mode(const struct i686_mode *mode)
{
	struct hlk_paging paging = {
		.flags = HLK_PAGING_GIVEN | (mode->wp ? HLK_PAGING_WP : 0) |
			 (mode->pse ? HLK_PAGING_PSE : 0),
		.maxphyaddr = mode->maxphyaddr,
	};
	struct hlk_why_at at;
	struct pt_mode made;

	SHIM_ASSERT(!pt_mode_init(&made, &paging, &at));
	return made;
}

bool guest_is_ram(const struct guest *guest, u64 gfn)
{
	u32 i;

	for (i = 0; i < guest->nr_ram; i++)
		if (gfn >= guest->ram[i].first &&
		    gfn < guest->ram[i].first + guest->ram[i].pages)
			return true;
	return false;
}

/* The bytes of a frame, to be written; a frozen page is copied first */
u8 *guest_bytes(struct guest *guest, u64 gfn)
{
	struct page *old = xa_load(&guest->pages, gfn);
	struct page *page = old;

	if (!guest_is_ram(guest, gfn))
		abort();
	if (!old || guest_is_frozen(guest, gfn)) {
		page = alloc_page(HLK_GFP | __GFP_ZERO);
		if (!page || xa_is_err(xa_store(&guest->pages, gfn, page,
						HLK_GFP)))
			abort();
		xa_erase(&guest->frozen, gfn);
		if (guest->restored &&
		    xa_is_err(xa_store(&guest->written, gfn, xa_mk_value(1),
				       HLK_GFP)))
			abort();
		if (old) {
			memcpy(page->bytes, old->bytes, PAGE_SIZE);
			put_page(old);
		}
	}
	return page->bytes;
}

const u8 *guest_peek(const struct guest *guest, u64 gfn)
{
	struct page *page = xa_load((struct xarray *)&guest->pages, gfn);

	return page ? page->bytes : guest_zero;
}

u64 guest_hash(const struct guest *guest)
{
	u64 hash = 0xcbf29ce484222325;
	unsigned long gfn;
	struct page *page;
	u32 i;

	xa_for_each((struct xarray *)&guest->pages, gfn, page) {
		const u64 *word = page->bytes;

		hash = (hash ^ gfn ^ (u64)page->refs << 40) * 0x100000001b3;
		for (i = 0; i < PAGE_SIZE / 8; i++)
			hash = (hash ^ word[i]) * 0x100000001b3;
	}
	return hash;
}

void guest_freeze(struct guest *guest, u64 gfn)
{
	if (xa_is_err(xa_store(&guest->frozen, gfn, xa_mk_value(1),
			       HLK_GFP)))
		abort();
}

bool guest_is_frozen(const struct guest *guest, u64 gfn)
{
	return xa_load((struct xarray *)&guest->frozen, gfn);
}

u64 guest_frame(struct guest *guest)
{
	return guest->next++;
}

u64 guest_data(struct guest *guest)
{
	u64 gfn = guest_frame(guest);
	u8 *to = guest_bytes(guest, gfn);
	u32 i;

	for (i = 0; i < PAGE_SIZE; i++)
		to[i] = gfn * 37 + i * 11 + (i >> 8) + 1;
	return gfn;
}

u32 guest_entry(const struct guest *guest, u64 table, u32 nr)
{
	u32 entry;

	memcpy(&entry, guest_peek(guest, table) + 4 * nr, 4);
	return entry;
}

void guest_set(struct guest *guest, u64 table, u32 nr, u32 entry)
{
	memcpy(guest_bytes(guest, table) + 4 * nr, &entry, 4);
}

u64 guest_map(struct guest *guest, u64 pd, u32 va, u64 gfn, u32 flags, u32 pde_flags)
{
	u32 slot = va >> 22;
	u64 table;

	if (!(guest_entry(guest, pd, slot) & 1)) {
		table = guest_frame(guest);
		guest_bytes(guest, table);
		guest_set(guest, pd, slot, table << 12 | pde_flags);
	}
	table = guest_entry(guest, pd, slot) >> 12;
	guest_set(guest, table, (va >> 12) % 1024, gfn << 12 | flags);
	return table;
}

/* A 4 MiB entry; frames beyond 4 GiB by PSE-36 */
u32 guest_large(u64 gfn, u32 flags)
{
	return (u32)(gfn << 12) | (u32)(gfn >> 20) << 13 | 0x80 | flags;
}

/* @bytes from the fuzzer, if it gave as many */
static bool guest_fed(struct guest *guest, size_t bytes, u64 *value)
{
	if (guest->feed_left < bytes)
		return false;
	*value = 0;
	memcpy(value, guest->feed, bytes);
	guest->feed += bytes;
	guest->feed_left -= bytes;
	return true;
}

u64 guest_random(struct guest *guest)
{
	u64 z;

	if (guest_fed(guest, 8, &z))
		return z;
	z = guest->seed += 0x9e3779b97f4a7c15;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* A fuzzer learns sooner which byte matters if small choices take one. */
u32 guest_below(struct guest *guest, u32 limit)
{
	u64 z;

	if (!guest_fed(guest, limit <= 256 ? 1 : limit <= 65536 ? 2 : 4, &z))
		z = guest_random(guest);
	return z % limit;
}

bool guest_chance(struct guest *guest, u32 percent)
{
	return guest_below(guest, 100) < percent;
}
