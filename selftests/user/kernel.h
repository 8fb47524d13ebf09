/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the module that know of files, locks and mappings use of the
 * kernel, for user space: the rest of env.h. It is included by force, after env.h;
 * the headers that those files ask for are empty.
 *
 * One thread plays all: a lock that is taken already is a deadlock, and what
 * happens at the same time elsewhere happens in hooks.
 */
#ifndef _KERNEL_H
#define _KERNEL_H

#include <linux/ioctl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <sys/types.h>

#define likely(x)		(x)
#define unlikely(x)		(x)
#define __user
#define __uninitialized
#define noinline
#define U32_MAX			((u32)~0U)
#define WRITE_ONCE(x, value)	(*(volatile typeof(x) *)&(x) = (value))
#define smp_load_acquire(p)	__atomic_load_n(p, __ATOMIC_ACQUIRE)
#define smp_store_release(p, v)	__atomic_store_n(p, v, __ATOMIC_RELEASE)
#define BUILD_BUG_ON_ZERO(e)	((int)(0 * sizeof(char[1 - 2 * !!(e)])))
#define offsetofend(type, member) \
	(offsetof(type, member) + sizeof(((type *)0)->member))
#define array_index_nospec(index, size) (index)
#define rcu_access_pointer(p)	(p)
#define might_sleep()		SHIM_ASSERT(!kernel.atomic)
#define memzero_explicit(p, n)	memset(p, 0, n)

/* Pointers that are errors */
#define ERR_PTR(err)		((void *)(long)(err))
#define PTR_ERR(p)		((long)(p))
#define IS_ERR(p)		((unsigned long)(p) >= -4095UL)
#define ERR_CAST(p)		((void *)(p))

/* Numbers that only one thread changes */
typedef struct {
	s64 counter;
} atomic64_t;

#define ATOMIC_INIT(i)		{ (i) }
#define atomic_read(v)		((v)->counter)
#define atomic_inc(v)		((void)((v)->counter += 1))
#define atomic_dec(v)		((void)((v)->counter -= 1))
#define atomic_inc_return(v)	((v)->counter += 1)
#define atomic_add_unless(v, n, not)	((v)->counter == (not) ? 0 : ((v)->counter += (n), 1))
#define atomic64_read(v)	((v)->counter)
#define atomic64_inc(v)		((void)((v)->counter += 1))
#define atomic64_dec(v)		((void)((v)->counter -= 1))
#define atomic64_inc_return(v)	((v)->counter += 1)

/**
 * struct mutex - a lock that knows its place in the order
 * @rank: the place, by its name; from 1
 * @held: somebody has it
 */
struct mutex {
	int rank;
	bool held;
};

void shim_mutex_init(struct mutex *lock, const char *name);
void shim_mutex_lock(struct mutex *lock, const struct mutex *nest);
int mutex_lock_killable(struct mutex *lock);
bool shim_mutex_trylock(struct mutex *lock, const struct mutex *nest);
void mutex_unlock(struct mutex *lock);

/* Nobody waits here. */
typedef struct { int nr; } wait_queue_head_t;

#define init_waitqueue_head(q)	((q)->nr = 0)
#define mutex_init(lock)	shim_mutex_init(lock, #lock)
#define mutex_lock(lock)	shim_mutex_lock(lock, NULL)
#define mutex_trylock(lock)	shim_mutex_trylock(lock, NULL)
#define mutex_lock_nest_lock(lock, nest) shim_mutex_lock(lock, nest)
#define mutex_trylock_nest_lock(lock, nest) shim_mutex_trylock(lock, nest)
#define lockdep_assert_held(lock) SHIM_ASSERT((lock)->held)

/* A walk through an XArray */
struct xa_state {
	struct xarray *xa;
	unsigned long xa_index;
};

#define XA_STATE(name, array, index) struct xa_state name = { array, index }
#define xas_for_each(xas, entry, max)					\
	for (entry = xa_find((xas)->xa, &(xas)->xa_index, max, XA_PRESENT); entry; \
	     entry = ++(xas)->xa_index ?				\
		     xa_find((xas)->xa, &(xas)->xa_index, max, XA_PRESENT) : NULL)
#define rcu_read_lock()		(kernel.atomic = true)
#define rcu_read_unlock()	(kernel.atomic = false)

/* Memory */
#define kvmalloc_array(n, bytes, flags) shim_alloc((n) * (bytes), flags)
void *kmemdup(const void *from, size_t bytes, gfp_t flags);

/* Who pays */
#define CONFIG_MEMCG
struct mem_cgroup {
	int refs;
};

struct mem_cgroup *get_mem_cgroup_from_mm(struct mm_struct *mm);
struct mem_cgroup *set_active_memcg(struct mem_cgroup *memcg);
void mem_cgroup_put(struct mem_cgroup *memcg);

/* Tasks */
struct mm_struct {
	void *owner;
	struct mem_cgroup memcg;
};

struct task_struct {
	struct mm_struct *mm;
};

#undef current
#define current			(&kernel.task)
#define TASK_SIZE_MAX		((1UL << 47) - 4096)
#define MSR_KERNEL_GS_BASE	0xc0000102U	/* AMD APM volume 2, "MSR Cross-Reference" */
#define CAP_SYS_PTRACE		19
#define capable(cap)		((void)(cap), false)

/* A folio is one page here. */
struct folio {
	struct page;
};

#define page_folio(page)	((struct folio *)(page))
#define folio_page(folio)	((struct page *)(folio))
#define folio_maybe_dma_pinned(folio) page_is_pinned(folio_page(folio))
#define folio_lock(folio)	lock_page(folio_page(folio))
#define folio_unlock(folio)	unlock_page(folio_page(folio))
#define folio_trylock(folio)	trylock_page(folio_page(folio))
#define page_count(page)	((page)->refs)
#define clear_page(at)		memset(at, 0, PAGE_SIZE)

/* References that a pin of get_user_pages() takes */
#define GUP_PIN_COUNTING_BIAS	1024

bool page_is_pinned(const struct page *page);
void lock_page(struct page *page);
void unlock_page(struct page *page);
bool trylock_page(struct page *page);

/* Mappings */
typedef unsigned int vm_fault_t;

#define VM_FAULT_OOM		0x1
#define VM_FAULT_SIGBUS		0x2
#define VM_FAULT_NOPAGE		0x100
#define VM_FAULT_LOCKED		0x200
#define VM_FAULT_RETRY		0x400
#define VM_FAULT_ERROR		(VM_FAULT_OOM | VM_FAULT_SIGBUS)

#define FAULT_FLAG_WRITE	0x1
#define FAULT_FLAG_MKWRITE	0x2
#define FAULT_FLAG_RETRY_NOWAIT	0x8
#define FAULT_FLAG_USER		0x40
#define FAULT_FLAG_ORIG_PTE_VALID 0x1000

#define VM_READ			0x1UL
#define VM_WRITE		0x2UL
#define VM_SHARED		0x8UL
#define VM_MAYWRITE		0x20UL
#define VM_MAYSHARE		0x80UL
#define VM_DONTCOPY		0x20000UL
#define VM_DONTEXPAND		0x40000UL
#define VM_DONTDUMP		0x4000000UL
#define VM_MIXEDMAP		0x10000000UL

/**
 * struct pte - a page-table entry that is used
 * @place: page offset in the file
 * @page: what is mapped, with a reference, or NULL
 * @write: it may be written
 * @marker: no page, and not nothing either: as of userfaultfd
 */
typedef struct pte {
	u64 place;
	struct page *page;
	bool write;
	bool marker;
} pte_t;

#define pte_none(pte)		(!(pte).page && !(pte).marker)

struct vm_area_struct {
	unsigned long vm_start;
	unsigned long vm_end;
	unsigned long vm_pgoff;
	unsigned long vm_flags;
	void *vm_private_data;
	const struct vm_operations_struct *vm_ops;
	struct mm_struct *vm_mm;
	struct file *vm_file;
	struct vm_area_struct *next;	/* of the same address space */
	u32 nr_ptes;
	pte_t *ptes;
};

struct vm_fault {
	struct vm_area_struct *vma;
	unsigned int flags;
	unsigned long pgoff;
	unsigned long address;
	struct page *page;
	pte_t orig_pte;
};

struct vm_operations_struct {
	void (*open)(struct vm_area_struct *vma);
	void (*close)(struct vm_area_struct *vma);
	int (*may_split)(struct vm_area_struct *vma, unsigned long at);
	vm_fault_t (*fault)(struct vm_fault *vmf);
	vm_fault_t (*page_mkwrite)(struct vm_fault *vmf);
};

#define vma_pages(vma)		(((vma)->vm_end - (vma)->vm_start) >> PAGE_SHIFT)
#define vm_flags_set(vma, flags) ((void)((vma)->vm_flags |= (flags)))
#define vm_flags_clear(vma, flags) ((void)((vma)->vm_flags &= ~(flags)))

int vm_insert_page(struct vm_area_struct *vma, unsigned long at, struct page *page);
void unmap_mapping_pages(struct address_space *mapping, u64 start, u64 nr,
			 bool even_cows);

/* The caller's memory map */
#define mmap_read_lock_killable(mm) ((void)(mm), shim_fatal_signal() ? -EINTR : 0)
#define mmap_read_unlock(mm)	((void)(mm))
#define vma_lookup(mm, at)	((void)(mm), (kernel.vma && (at) >= kernel.vma->vm_start && \
				  (at) < kernel.vma->vm_end) ? kernel.vma : NULL)

/* Files */
struct hlk_vm;
struct address_space {
	struct vm_area_struct *first;
};

struct inode {
	struct address_space i_data;
};

struct file_operations;

struct file {
	int refs;
	const struct file_operations *f_op;
	void *private_data;
	struct address_space *f_mapping;
	struct inode inode;
};

#define IO_URING_F_NONBLOCK	0x80000000U
struct io_uring_cmd {
	struct file *file;
	const void *payload;
	u32 cmd_op;
};

#define hlk_uring_payload(cmd)	((cmd)->payload)

struct file_operations {
	void *owner;
	int (*release)(struct inode *inode, struct file *file);
	int (*mmap)(struct file *file, struct vm_area_struct *vma);
	long (*unlocked_ioctl)(struct file *file, unsigned int cmd, unsigned long arg);
	long (*compat_ioctl)(struct file *file, unsigned int cmd, unsigned long arg);
	int (*uring_cmd)(struct io_uring_cmd *cmd, unsigned int issue_flags);
	long (*llseek)(struct file *file, long offset, int whence);
};

#define THIS_MODULE		NULL
#define compat_ptr_ioctl	NULL
#define noop_llseek		NULL
#define O_RDONLY		0
#define O_RDWR			2
#define O_CLOEXEC		02000000
#define module_param_named(name, value, type, perm) _Static_assert(1, "")
#define MODULE_PARM_DESC(name, text) _Static_assert(1, "")

struct file *fget(int fd);
void fput(struct file *file);
int get_unused_fd_flags(int flags);
void put_unused_fd(int fd);
void fd_install(int fd, struct file *file);

#define IS_ALIGNED(x, a)	(!((x) & ((a) - 1)))
#define round_up(x, a)		(((x) + (a) - 1) & ~((typeof(x))(a) - 1))
#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))
#define offset_in_page(p)	((unsigned long)(p) & ~PAGE_MASK)

#ifndef PTR_ERR_OR_ZERO
#define PTR_ERR_OR_ZERO(p)	(IS_ERR(p) ? (int)PTR_ERR(p) : 0)
#endif
#ifndef swap
#define swap(a, b)		\
	do { __typeof__(a) was_ = (a); (a) = (b); (b) = was_; } while (0)
#endif

/* Copies from and to user space, which are plain copies that may fail */
#define u64_to_user_ptr(x)	((void *)(unsigned long)(x))
unsigned long copy_from_user(void *to, const void *from, size_t bytes);
unsigned long copy_to_user(void *to, const void *from, size_t bytes);
unsigned long clear_user(void *to, size_t bytes);
int copy_struct_from_user(void *to, size_t known, const void *from, size_t size);
#define get_user(x, p)		(copy_from_user(&(x), p, sizeof(x)) ? -EFAULT : 0)

/* Chance and time */
void get_random_bytes(void *to, size_t bytes);

struct notifier_block {
	int (*notifier_call)(struct notifier_block *nb, unsigned long action, void *data);
};

#define NOTIFY_DONE		0
#define register_random_vmfork_notifier(nb)	(kernel.vmfork = (nb), 0)
#define unregister_random_vmfork_notifier(nb)	(kernel.vmfork = NULL)
#define ktime_get_ns()		0ULL
#define HZ			250UL
#define jiffies			kernel.ticks
#define time_after(a, b)	((long)((b) - (a)) < 0)

/* KVM */
#define KVM_MAX_NR_ADDRESS_SPACES 2
#define X86_FEATURE_IBPB	0
#define boot_cpu_has(feature)	((void)(feature), false)
enum {
	KVM_IRQCHIP_NONE,
	KVM_IRQCHIP_KERNEL,
	KVM_IRQCHIP_SPLIT,
};

struct kvm_vcpu {
	struct {
		struct {
			u32 uabi_size;
		} guest_fpu;
	} arch;
};

/* Runs end in time elsewhere. */
struct hrtimer {
	int unused;
};

typedef struct {
	int unused;
} spinlock_t;

#define spin_lock_init(lock)	((void)(lock))

#define KVM_USER_MEM_SLOTS	32764
#define APIC_ACCESS_PAGE_PRIVATE_MEMSLOT (KVM_USER_MEM_SLOTS + 1)
struct kvm_memory_slot {
	u64 base_gfn;
	u64 npages;
	u32 flags;
	u16 id;
};

struct kvm_memslots {
	u64 generation;
	int nr;
	struct kvm_memory_slot *slot;
};

struct kvm {
	struct mm_struct *mm;
	struct kvm_memslots *memslots[KVM_MAX_NR_ADDRESS_SPACES];
	int srcu;
	int refs;
	struct {
		int irqchip_mode;
		void *vpit;
		void *msr_filter;
		bool apic_access_memslot_enabled;
	} arch;
};

#define kvm_for_each_memslot(s, bkt, slots)				\
	for (bkt = 0; bkt < (slots)->nr && ((s) = &(slots)->slot[bkt]); bkt++)
#define srcu_read_lock(srcu)	(++*(srcu))
#define srcu_read_unlock(srcu, idx) ((void)(idx), (void)--*(srcu))
#define srcu_dereference(p, srcu) (p)
#define rcu_dereference_raw(p)	(p)

bool hlk_file_is_kvm(struct file *file);
bool kvm_get_kvm_safe(struct kvm *kvm);
void kvm_put_kvm(struct kvm *kvm);

/* Tracepoints: all are off */
#define _HLK_TRACE_H
static inline void shim_trace(u32 vm, ...)
{
	(void)vm;
}

#define trace_hlk_cow_fault	shim_trace
#define trace_hlk_over_budget	shim_trace
#define trace_hlk_restore	shim_trace
#define trace_hlk_snapshot	shim_trace
#define trace_hlk_restore_enabled() false
#define trace_hlk_snapshot_enabled() false

/**
 * struct kernel - what tests see and set, beside struct shim
 * @task: who calls
 * @active: whom allocations are charged to
 * @payer: who has to pay, whoever acts; see kernel_act()
 * @files: files alive
 * @fds: their numbers
 * @atomic: nobody may sleep
 * @users: copies from and to user space since it was set to 0
 * @fail_user_at: which of them fails, counted from 1; 0 for none
 * @locks: locks that were waited for, or would have been
 * @tries: locks tried since it was set to 0
 * @fail_try_at: which of them is somebody else's, counted from 1; 0 for none
 * @refused: calls of hlk_vcpu_refused() since it was set to 0
 * @busy: vCPUs run
 * @vcpus_held: they rest
 * @vcpus_restored: calls of hlk_vcpus_restore() since it was set to 0
 * @race: what happens at the same time, in the moment before pages are unmapped
 * @unlock_for: have who holds a page's lock come to the end
 * @vma: what vma_lookup() finds, for any address in it
 * @vmfork: is told that the host was cloned
 * @find_files: finds the files of vCPUs
 * @ticks: the time
 */
struct kernel {
	struct task_struct task;
	struct mem_cgroup *active;
	struct mm_struct *payer;
	long files;
	struct file *fds[64];
	bool atomic;
	long users;
	long fail_user_at;
	unsigned long locks;
	long tries;
	long fail_try_at;
	long refused;
	bool busy;
	bool vcpus_held;
	long vcpus_restored;
	void (*race)(void);
	void (*unlock_for)(struct page *page);
	struct vm_area_struct *vma;
	void (*find_files)(struct hlk_vm *vm);
	struct notifier_block *vmfork;
	unsigned long ticks;
};

extern struct kernel kernel;

/* For tests */
bool kernel_holds(void);
void kernel_act(struct mm_struct *mm, struct mm_struct *payer);
struct file *kernel_file(const struct file_operations *fops, void *obj);
struct file *kernel_kvm_file(struct kvm *kvm);
int kernel_fd(struct file *file);
void kernel_close(int fd);

#endif /* _KERNEL_H */
