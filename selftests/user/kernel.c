// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's side of kernel.h, but for mappings, which are in mm.c.
 */
#include "kernel.h"

struct kernel kernel;

/* Locks: the order is that of kmod/hlk.h. */
void shim_mutex_init(struct mutex *lock, const char *name)
{
	static const char *const order[] = { "&vm->lock", "&window->lock" };
	u32 i;

	memset(lock, 0, sizeof(*lock));
	for (i = 0; i < ARRAY_SIZE(order); i++)
		if (!strcmp(name, order[i]))
			lock->rank = i + 1;
	SHIM_ASSERT(lock->rank);
}

static int held[8];	/* how many locks of each rank */

static void lock_take(struct mutex *lock, const struct mutex *nest)
{
	int rank;

	SHIM_ASSERT(!lock->held);
	SHIM_ASSERT(!nest || nest->held);
	for (rank = lock->rank + !!nest; rank < (int)ARRAY_SIZE(held); rank++)
		SHIM_ASSERT(!held[rank]);
	lock->held = true;
	held[lock->rank]++;
}

void shim_mutex_lock(struct mutex *lock, const struct mutex *nest)
{
	might_sleep();
	lock_take(lock, nest);
}

/* Who need not wait for it does not look at signals: each second time it is free. */
int mutex_lock_killable(struct mutex *lock)
{
	might_sleep();
	if (++kernel.locks % 2 && shim_fatal_signal())
		return -EINTR;
	lock_take(lock, NULL);
	return 0;
}

bool shim_mutex_trylock(struct mutex *lock, const struct mutex *nest)
{
	if (++kernel.tries == kernel.fail_try_at)
		return false;
	lock_take(lock, nest);
	return true;
}

void mutex_unlock(struct mutex *lock)
{
	SHIM_ASSERT(lock->held);
	lock->held = false;
	held[lock->rank]--;
}

/* No lock of the module is left behind by a call. */
bool kernel_holds(void)
{
	u32 rank;

	for (rank = 0; rank < ARRAY_SIZE(held); rank++)
		if (held[rank])
			return true;
	return false;
}

/* Memory, and who pays */
void *kmemdup(const void *from, size_t bytes, gfp_t flags)
{
	void *to = shim_alloc(bytes, flags);

	return to ? memcpy(to, from, bytes) : NULL;
}

struct mem_cgroup *get_mem_cgroup_from_mm(struct mm_struct *mm)
{
	mm->memcg.refs++;
	return &mm->memcg;
}

void mem_cgroup_put(struct mem_cgroup *memcg)
{
	SHIM_ASSERT(memcg->refs > 0);
	memcg->refs--;
}

static void who_pays(void)
{
	shim.unpaid = kernel.payer && kernel.task.mm != kernel.payer &&
		      kernel.active != &kernel.payer->memcg;
}

struct mem_cgroup *set_active_memcg(struct mem_cgroup *memcg)
{
	struct mem_cgroup *before = kernel.active;

	kernel.active = memcg;
	who_pays();
	return before;
}

/**
 * kernel_act() - who acts from now on
 * @mm: the memory of the task, NULL for a kernel thread
 * @payer: who has to pay for what is made
 */
void kernel_act(struct mm_struct *mm, struct mm_struct *payer)
{
	kernel.task.mm = mm;
	kernel.payer = payer;
	who_pays();
}

/* Pages */
bool page_is_pinned(const struct page *page)
{
	return page->refs >= GUP_PIN_COUNTING_BIAS;
}

bool trylock_page(struct page *page)
{
	SHIM_ASSERT(page->refs > 0);
	if (page->locked)
		return false;
	page->locked = true;
	return true;
}

void lock_page(struct page *page)
{
	might_sleep();
	if (page->locked && kernel.unlock_for)
		kernel.unlock_for(page);
	SHIM_ASSERT(trylock_page(page));
}

void unlock_page(struct page *page)
{
	SHIM_ASSERT(page->locked);
	page->locked = false;
}

/* Files */
struct file *kernel_file(const struct file_operations *fops, void *obj)
{
	struct file *file = calloc(1, sizeof(*file));

	SHIM_ASSERT(file);
	file->refs = 1;
	file->f_op = fops;
	file->private_data = obj;
	file->f_mapping = &file->inode.i_data;
	kernel.files++;
	return file;
}

void fput(struct file *file)
{
	SHIM_ASSERT(file->refs > 0);
	if (--file->refs)
		return;
	SHIM_ASSERT(!file->f_mapping->first);
	if (file->f_op->release)
		file->f_op->release(&file->inode, file);
	kernel.files--;
	free(file);
}

struct file *fget(int fd)
{
	struct file *file;

	file = fd >= 0 && fd < (int)ARRAY_SIZE(kernel.fds) ? kernel.fds[fd] : NULL;
	if (file)
		file->refs++;
	return file;
}

int get_unused_fd_flags(int flags)
{
	u32 fd;

	SHIM_ASSERT(flags == O_CLOEXEC);
	if (++shim.tries == shim.fail_at)
		return -EMFILE;
	for (fd = 0; kernel.fds[fd]; fd++)
		SHIM_ASSERT(fd + 1 < ARRAY_SIZE(kernel.fds));
	return fd;
}

void put_unused_fd(int fd)
{
	SHIM_ASSERT(!kernel.fds[fd]);
}

void fd_install(int fd, struct file *file)
{
	SHIM_ASSERT(!kernel.fds[fd]);
	kernel.fds[fd] = file;
}

int kernel_fd(struct file *file)
{
	int fd;

	for (fd = 0; kernel.fds[fd]; fd++)
		SHIM_ASSERT(fd + 1 < (int)ARRAY_SIZE(kernel.fds));
	fd_install(fd, file);
	return fd;
}

void kernel_close(int fd)
{
	struct file *file = kernel.fds[fd];

	kernel.fds[fd] = NULL;
	fput(file);
}

/* User space; a page fault may take locks of the module. */
static bool user_fails(void)
{
	might_sleep();
	SHIM_ASSERT(!held[2]);
	return ++kernel.users == kernel.fail_user_at;
}

unsigned long copy_from_user(void *to, const void *from, size_t bytes)
{
	if (user_fails())
		return bytes;
	memcpy(to, from, bytes);
	return 0;
}

unsigned long copy_to_user(void *to, const void *from, size_t bytes)
{
	return copy_from_user(to, from, bytes);
}

unsigned long clear_user(void *to, size_t bytes)
{
	if (user_fails())
		return bytes;
	memset(to, 0, bytes);
	return 0;
}

int copy_struct_from_user(void *to, size_t known, const void *from, size_t size)
{
	size_t both = size < known ? size : known;

	if (size > known && memchr_inv(from + known, 0, size - known))
		return -E2BIG;
	if (copy_from_user(to, from, both))
		return -EFAULT;
	memset(to + both, 0, known - both);
	return 0;
}

/* KVM */
static const struct file_operations kvm_fops;

struct file *kernel_kvm_file(struct kvm *kvm)
{
	return kernel_file(&kvm_fops, kvm);
}

bool hlk_file_is_kvm(struct file *file)
{
	return file->f_op == &kvm_fops;
}

bool kvm_get_kvm_safe(struct kvm *kvm)
{
	kvm->refs++;
	return true;
}

void kvm_put_kvm(struct kvm *kvm)
{
	SHIM_ASSERT(kvm->refs > 0);
	kvm->refs--;
}
