// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's side of env.h, but for memory: that is in alloc.c, which is
 * strict, or in pool.c, which is fast.
 */
#include <stdio.h>

struct shim shim;

void shim_die(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	abort();
}

void cond_resched(void)
{
	shim.rescheds++;
}

bool shim_fatal_signal(void)
{
	shim.checks++;
	return shim.signal_at && shim.checks >= shim.signal_at;
}

void kref_init(struct kref *ref)
{
	ref->refs = 1;
}

unsigned int kref_read(const struct kref *ref)
{
	return ref->refs;
}

void kref_get(struct kref *ref)
{
	SHIM_ASSERT(ref->refs > 0);
	ref->refs++;
}

int kref_put(struct kref *ref, void (*release)(struct kref *ref))
{
	SHIM_ASSERT(ref->refs > 0);
	if (--ref->refs)
		return 0;
	release(ref);
	return 1;
}

void INIT_LIST_HEAD(struct list_head *head)
{
	head->next = head;
	head->prev = head;
}

void list_add_tail(struct list_head *node, struct list_head *head)
{
	struct list_head *last = head->prev;

	node->prev = last;
	node->next = head;
	last->next = node;
	head->prev = node;
}

/* Not SipHash: FNV-1a, keyed. No more is asked of it here than to spread. */
u64 siphash(const void *data, size_t bytes, const siphash_key_t *key)
{
	u64 hash = 0xcbf29ce484222325ULL ^ key->key[0];
	const u64 *word = data;

	SHIM_ASSERT(bytes % sizeof(*word) == 0);
	for (; bytes; bytes -= sizeof(*word))
		hash = (hash ^ *word++) * 0x100000001b3ULL;
	return hash ^ hash >> 29 ^ key->key[1];
}

unsigned long roundup_pow_of_two(unsigned long n)
{
	unsigned long p = 1;

	while (p < n)
		p <<= 1;
	return p;
}

void hlk_count_pages(long by)
{
	shim.counted_pages += by;
	SHIM_ASSERT(shim.counted_pages >= 0);
}

void hlk_count_snaps(long by)
{
	shim.counted_snaps += by;
	SHIM_ASSERT(shim.counted_snaps >= 0);
}

int hlk_copy_to(void *to, struct page *from)
{
	if (from->failed)
		return -EHWPOISON;
	if (++shim.copies == shim.fail_copy_at) {
		memcpy(to, page_address(from), PAGE_SIZE / 2);
		return -EHWPOISON;
	}
	memcpy(to, page_address(from), PAGE_SIZE);
	return 0;
}

int hlk_copy_page(struct page *to, struct page *from)
{
	return hlk_copy_to(page_address(to), from);
}

/* XArray */
#define FAN_SHIFT	6
#define FAN		(1UL << FAN_SHIFT)

struct shim_node {
	void *slot[FAN];
};

void xa_init(struct xarray *xa)
{
	xa->top = NULL;
	xa->shift = 0;
}

/* Of ours each is charged, or its nodes would be nobody's. */
void xa_init_flags(struct xarray *xa, gfp_t flags)
{
	SHIM_ASSERT(flags == XA_FLAGS_ACCOUNT);
	xa_init(xa);
}

static void node_free(struct shim_node *node, unsigned int shift)
{
	unsigned long i;

	for (i = 0; i < FAN && shift; i++)
		if (node->slot[i])
			node_free(node->slot[i], shift - FAN_SHIFT);
	shim_free(node);
}

void xa_destroy(struct xarray *xa)
{
	if (xa->top)
		node_free(xa->top, xa->shift);
	xa_init(xa);
}

static bool xa_covers(const struct xarray *xa, unsigned long index)
{
	return xa->shift + FAN_SHIFT >= 64 || !(index >> (xa->shift + FAN_SHIFT));
}

/* The slot of @index, made if there is none and @make is set. */
static void **xa_slot(struct xarray *xa, unsigned long index, gfp_t make)
{
	struct shim_node *node;
	unsigned int shift;
	void **slot;

	while (make && (!xa->top || !xa_covers(xa, index))) {
		node = shim_alloc(sizeof(*node), make | __GFP_ZERO);
		if (!node)
			return NULL;
		node->slot[0] = xa->top;
		xa->shift += xa->top ? FAN_SHIFT : 0;
		xa->top = node;
	}
	if (!xa->top || !xa_covers(xa, index))
		return NULL;
	node = xa->top;
	for (shift = xa->shift;; shift -= FAN_SHIFT) {
		slot = &node->slot[(index >> shift) % FAN];
		if (!shift)
			return slot;
		if (!*slot && make)
			*slot = shim_alloc(sizeof(*node), make | __GFP_ZERO);
		if (!*slot)
			return NULL;
		node = *slot;
	}
}

void *xa_load(struct xarray *xa, unsigned long index)
{
	void **slot = xa_slot(xa, index, 0);

	return slot ? *slot : NULL;
}

/* Errors are told apart from pointers by 2 in the low bits, as values by 1. */
static void *xa_mk_err(int err)
{
	return (void *)((unsigned long)err << 2 | 2);
}

void *xa_store(struct xarray *xa, unsigned long index, void *entry, gfp_t flags)
{
	void **slot;
	void *old;

	SHIM_ASSERT(entry);
	SHIM_ASSERT(((unsigned long)entry & 3) != 2);
	slot = xa_slot(xa, index, flags);
	if (!slot)
		return xa_mk_err(-ENOMEM);
	old = *slot;
	*slot = entry;
	return old;
}

void *xa_erase(struct xarray *xa, unsigned long index)
{
	void **slot = xa_slot(xa, index, 0);
	void *old = slot ? *slot : NULL;

	if (slot)
		*slot = NULL;
	return old;
}

void *xa_mk_value(unsigned long value)
{
	SHIM_ASSERT((long)value >= 0);
	return (void *)(value << 1 | 1);
}

unsigned long xa_to_value(const void *entry)
{
	SHIM_ASSERT(xa_is_value(entry));
	return (unsigned long)entry >> 1;
}

bool xa_is_value(const void *entry)
{
	return (unsigned long)entry & 1;
}

bool xa_is_err(const void *entry)
{
	return ((unsigned long)entry & 3) == 2;
}

int xa_err(const void *entry)
{
	return xa_is_err(entry) ? (long)entry >> 2 : 0;
}

static void *node_next(struct shim_node *node, unsigned int shift,
		       unsigned long base, unsigned long *index)
{
	unsigned long first = *index > base ? (*index - base) >> shift : 0;
	unsigned long i;
	void *found;

	for (i = first; i < FAN; i++) {
		unsigned long at = base + (i << shift);

		if (!node->slot[i])
			continue;
		if (!shift) {
			*index = at;
			return node->slot[i];
		}
		found = node_next(node->slot[i], shift - FAN_SHIFT, at, index);
		if (found)
			return found;
	}
	return NULL;
}

/* The first entry at or after @index, which is set to its place. */
void *shim_xa_next(struct xarray *xa, unsigned long *index)
{
	void **slot;

	if (!xa->top || !xa_covers(xa, *index))
		return NULL;
	slot = xa_slot(xa, *index, 0);
	return slot && *slot ? *slot : node_next(xa->top, xa->shift, 0, index);
}
