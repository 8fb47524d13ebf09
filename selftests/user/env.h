/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What kmod/pt.c and kmod/snap.c use of the kernel, for user space. This
 * is included by force, before kmod/env.h, and takes its guard.
 *
 * The shim is stricter than the kernel where that finds mistakes: allocations
 * have to be charged to a cgroup, a page that was not asked to be zero is not,
 * what is taken is counted, and a WARN aborts.
 */
#ifndef _HLK_ENV_H
#define _HLK_ENV_H

#include <errno.h>
#include <limits.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;
typedef unsigned int gfp_t;

#define BIT(nr)			(1UL << (nr))
#define BIT_ULL(nr)		(1ULL << (nr))
#define GENMASK(high, low)	((~0UL >> (63 - (high))) & (~0UL << (low)))
#define GENMASK_ULL(high, low)	((~0ULL >> (63 - (high))) & (~0ULL << (low)))

#define U16_MAX			((u16)~0U)
#define U64_MAX			((u64)~0ULL)

#define PAGE_SHIFT		12
#define PAGE_SIZE		(1UL << PAGE_SHIFT)
#define PAGE_MASK		(~(PAGE_SIZE - 1))
#define PAGE_ALIGNED(x)		(!((x) & (PAGE_SIZE - 1)))

#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#define __ffs64(word)		((unsigned int)__builtin_ctzll(word))
#define prefetch(at)		__builtin_prefetch(at)
#define cmpxchg(p, old, new)	__sync_val_compare_and_swap(p, old, new)
#define READ_ONCE(x)		(*(const volatile typeof(x) *)&(x))

#undef static_assert
#define static_assert(expr)	_Static_assert(expr, #expr)

#define container_of(ptr, type, member) ({				\
	void *_member = (ptr);						\
									\
	_Static_assert(__builtin_types_compatible_p(typeof(*(ptr)),	\
		       typeof(((type *)0)->member)), "not that member"); \
	(type *)(_member - offsetof(type, member));			\
})

/* Both sides signed or both unsigned, as the kernel's since 6.7 */
#define SHIM_IS_SIGNED(x)	((typeof(x))-1 < (typeof(x))1)
#define max(x, y) ({							\
	typeof(x) _x = (x);						\
	typeof(y) _y = (y);						\
									\
	_Static_assert(SHIM_IS_SIGNED(_x) == SHIM_IS_SIGNED(_y),	\
		       "signed and unsigned");				\
	_x > _y ? _x : _y;						\
})
#define max_t(type, x, y)	max((type)(x), (type)(y))
#define clamp(x, low, high) ({						\
	typeof(x) _x = (x);						\
									\
	_Static_assert(SHIM_IS_SIGNED(_x) == SHIM_IS_SIGNED(low) &&	\
		       SHIM_IS_SIGNED(_x) == SHIM_IS_SIGNED(high),	\
		       "signed and unsigned");				\
	_x < (low) ? (low) : _x > (high) ? (high) : _x;			\
})
#define min(x, y)	min_t(typeof(x), x, y)
#define min_t(type, x, y) ({						\
	type _x = (x);							\
	type _y = (y);							\
									\
	_x < _y ? _x : _y;						\
})

#define WARN_ON_ONCE(cond) ({						\
	bool _cond = (cond);						\
									\
	if (_cond)							\
		shim_die(__FILE__, __LINE__, #cond);			\
	_cond;								\
})

void shim_die(const char *file, int line, const char *what)
	__attribute__((noreturn));
#define SHIM_ASSERT(cond) ((cond) ? (void)0 : shim_die(__FILE__, __LINE__, #cond))

/* Memory */
#define __GFP_ZERO		0x100U
#define __GFP_NOWARN		0x2000U
#define __GFP_RETRY_MAYFAIL	0x4000U
#define __GFP_ACCOUNT		0x400000U
#define GFP_KERNEL		0xcc0U
#define GFP_KERNEL_ACCOUNT	(GFP_KERNEL | __GFP_ACCOUNT)
#define GFP_NOWAIT		0x2000000U
/* For what is a hint only, and may be lost */
#define SHIM_GFP_HINT		(GFP_NOWAIT | __GFP_ACCOUNT)

void *shim_alloc(size_t bytes, gfp_t flags);
void shim_free(const void *p);

#define kmalloc(bytes, flags)	shim_alloc(bytes, flags)
#define kzalloc(bytes, flags)	shim_alloc(bytes, (flags) | __GFP_ZERO)
#define kvcalloc(n, bytes, flags) shim_alloc((n) * (bytes), (flags) | __GFP_ZERO)
#define kvzalloc(bytes, flags)	shim_alloc(bytes, (flags) | __GFP_ZERO)
#define struct_size(p, member, n) \
	(offsetof(typeof(*(p)), member) + (n) * sizeof((p)->member[0]))
#define kfree(p)		shim_free(p)
#define kvfree(p)		shim_free(p)

struct address_space;
struct mm_struct;
struct inode;

/**
 * struct page - its bytes are an allocation of their own, so that ASan sees ends
 * @refs: references
 * @maps: of these, entries of page tables
 * @held: of these, those of a test
 * @bytes: what it holds
 * @failed: the memory is broken
 * @locked: somebody has its lock
 * @mapping: whose it says it is
 * @index: its place there
 */
struct page {
	int refs;
	int maps;
	int held;
	void *bytes;
	bool failed;
	bool locked;
	struct address_space *mapping;
	u64 index;
};

struct page *alloc_page(gfp_t flags);
void get_page(struct page *page);
void put_page(struct page *page);
void *page_address(const struct page *page);
#define PageHWPoison(page)	((page)->failed)
int hlk_copy_to(void *to, struct page *from);
int hlk_copy_page(struct page *to, struct page *from);
void *kmap_local_page(struct page *page);
void kunmap_local(const void *at);
const void *memchr_inv(const void *from, int c, size_t bytes);

/* Scheduling */
#define current			NULL

void cond_resched(void);
bool shim_fatal_signal(void);
#define fatal_signal_pending(task) ((void)(task), shim_fatal_signal())

typedef struct {
	int counter;
} atomic_t;

/* References */
struct kref {
	int refs;
};

void kref_init(struct kref *ref);
unsigned int kref_read(const struct kref *ref);
void kref_get(struct kref *ref);
int kref_put(struct kref *ref, void (*release)(struct kref *ref));

/* Lists: a ring through the head */
struct list_head {
	struct list_head *next;
	struct list_head *prev;
};

void INIT_LIST_HEAD(struct list_head *head);
void list_add_tail(struct list_head *node, struct list_head *head);

#define shim_entry(node, pos, member) \
	((typeof(pos))((char *)(node) - offsetof(typeof(*(pos)), member)))
#define list_is_last(node, head)	((node)->next == (head))
#define list_next_entry(pos, member)	shim_entry((pos)->member.next, pos, member)
#define list_for_each_entry(pos, head, member)				\
	for (pos = shim_entry((head)->next, pos, member);		\
	     &pos->member != (head);					\
	     pos = shim_entry(pos->member.next, pos, member))
#define list_for_each_entry_safe(pos, after, head, member)		\
	for (pos = shim_entry((head)->next, pos, member),		\
	     after = shim_entry(pos->member.next, pos, member);		\
	     &pos->member != (head);					\
	     pos = after, after = shim_entry(after->member.next, after, member))

/* XArray: a radix tree of 6 bits a level */
struct shim_node;

struct xarray {
	struct shim_node *top;
	unsigned int shift;
};

#define XA_FLAGS_ACCOUNT	0x20
void xa_init(struct xarray *xa);
void xa_init_flags(struct xarray *xa, gfp_t flags);
void xa_destroy(struct xarray *xa);
void *xa_load(struct xarray *xa, unsigned long index);
void *xa_store(struct xarray *xa, unsigned long index, void *entry, gfp_t flags);
void *xa_erase(struct xarray *xa, unsigned long index);
void *xa_mk_value(unsigned long value);
unsigned long xa_to_value(const void *entry);
bool xa_is_value(const void *entry);
bool xa_is_err(const void *entry);
int xa_err(const void *entry);
void *shim_xa_next(struct xarray *xa, unsigned long *index);

#define XA_PRESENT		0
#define xa_find(xa, index, max, filter) ({				\
	unsigned long _at = *(index);					\
	void *_entry = shim_xa_next(xa, &_at);				\
									\
	(void)(filter);							\
	_entry = _entry && _at <= (max) ? _entry : NULL;		\
	if (_entry)							\
		*(index) = _at;						\
	_entry;								\
})

#define xa_for_each(xa, index, entry)					\
	for (index = 0, entry = shim_xa_next(xa, &index); entry;	\
	     entry = ++index ? shim_xa_next(xa, &index) : NULL)

/* Hashes */
typedef struct {
	u64 key[2];
} siphash_key_t;

u64 siphash(const void *data, size_t bytes, const siphash_key_t *key);
unsigned long roundup_pow_of_two(unsigned long n);

/**
 * struct shim - what tests see and set
 * @allocs: allocations alive: kmalloc, xarray nodes
 * @pages: pages alive
 * @maps: pages mapped by kmap_local_page()
 * @counted_pages: sum of hlk_count_pages()
 * @counted_snaps: sum of hlk_count_snaps()
 * @counted_vms: sum of hlk_count_vms()
 * @tries: allocations tried since it was set to 0
 * @fail_at: which try fails, counted from 1; 0 for none
 * @copies: pages copied since it was set to 0
 * @fail_copy_at: which copy meets memory that fails, counted from 1; 0 for none
 * @checks: questions for a fatal signal since it was set to 0
 * @signal_at: from which question on the answer is yes; 0 for never
 * @rescheds: calls of cond_resched() since it was set to 0
 * @no_alloc: nobody may allocate, but for a hint
 * @unpaid: allocations would be charged to the wrong one
 */
struct shim {
	long allocs;
	long pages;
	long maps;
	long counted_pages;
	long counted_snaps;
	long counted_vms;
	long tries;
	long fail_at;
	long copies;
	long fail_copy_at;
	long checks;
	long signal_at;
	long rescheds;
	bool no_alloc;
	bool unpaid;
};

extern struct shim shim;

void hlk_count_pages(long by);
void hlk_count_snaps(long by);
void hlk_count_vms(long by);

#endif /* _HLK_ENV_H */
