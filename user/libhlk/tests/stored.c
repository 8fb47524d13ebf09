// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Snapshots of a module that is played: each is a memfd with its pages where they are in
 * the guest, its program where that can be mapped, and a struct with the rest. An import
 * takes from its sources what its extents say, and only from files that nobody can change.
 *
 * Of KVM there is as much as machines that are asked for their MSRs want: each has a digit of its
 * index in it at first, a byte of room, and what is KVM's own an address in a page.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "stored.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL	8U
#endif

#define PAGE		4096U
#define SNAPS		64	/* that a test made, and as many that were imported */
#define REGS		520U	/* of the first struct kvm_sync_regs */
#define MAX_REGS	1024U
#define TABLES		3U
#define TOUCHED		2U
#define PROGRAM		64U

int ioctl(int fd, unsigned long cmd, ...);
int memfd_create(const char *name, unsigned int flags);

/* What is not for the module goes to the kernel. */
extern long syscall(long number, ...);

struct snap {
	ino_t ino;
	struct hlk_snapshot_info info;
	uint64_t roots[2];
	struct hlk_window windows[2];
	struct hlk_vcpu_image image;
	unsigned char regs[MAX_REGS];
	unsigned char fpu[STORED_FPU];
	uint32_t tables[TABLES];
	uint64_t tables_gpa;
	struct hlk_touched touched[TOUCHED];
	uint32_t nr_touched;
};

struct stored stored = { .per_call = 2 };

static struct snap snaps[2 * SNAPS];
static unsigned int nr_made, nr_imported;
static struct hlk_ctx *context;

static const struct hlk_window layout[2] = {
	{ .bytes = LOW_PAGES * PAGE },
	{ .gpa = HIGH_GPA, .bytes = HIGH_PAGES * PAGE, .flags = HLK_WINDOW_SCRATCH },
};

static struct snap *snap_of(int fd)
{
	struct stat st;
	unsigned int i;

	if (fstat(fd, &st))
		return NULL;
	for (i = 0; i < 2 * SNAPS; i++)
		if (snaps[i].ino == st.st_ino)
			return &snaps[i];
	return NULL;
}

static int new_fd(struct snap **snap, bool imported)
{
	int fd = syscall(SYS_memfd_create, "snapshot", MFD_CLOEXEC);
	struct stat st;

	if (fd < 0 || ftruncate(fd, HLK_PROGRAM_OFFSET + HLK_MAX_PROGRAM) || fstat(fd, &st))
		abort();
	*snap = imported ? &snaps[SNAPS + nr_imported++ % SNAPS] :
			   &snaps[nr_made++ % SNAPS];
	memset(*snap, 0, sizeof(**snap));
	(*snap)->ino = st.st_ino;
	return fd;
}

static bool read_page(int fd, uint64_t gpa, unsigned char *page)
{
	static const unsigned char none[PAGE];

	memset(page, 0, PAGE);
	if (fd >= 0 && pread(fd, page, PAGE, gpa) != PAGE)
		abort();
	return memcmp(page, none, PAGE);
}

static uint64_t page_gpa(uint64_t nr)
{
	return nr < LOW_PAGES ? nr * PAGE : HIGH_GPA + (nr - LOW_PAGES) * PAGE;
}

/* ---- calls ---- */

static int info_of(const struct snap *snap, struct hlk_snapshot_info *info)
{
	struct hlk_snapshot_info out = snap->info;
	bool fits = info->nr_windows >= 2 && info->nr_roots >= snap->info.nr_roots;

	out.head = info->head;
	out.windows = info->windows;
	out.roots = info->roots;
	if (fits) {
		memcpy((void *)(uintptr_t)info->windows, snap->windows,
		       sizeof(snap->windows));
		memcpy((void *)(uintptr_t)info->roots, snap->roots,
		       out.nr_roots * sizeof(*snap->roots));
	}
	out.nr_windows = 2;
	*info = out;
	errno = EMSGSIZE;
	return fits ? 0 : -1;
}

static int export(const struct snap *snap, struct hlk_snapshot_export *arg)
{
	struct hlk_vcpu_image *image = (void *)(uintptr_t)arg->vcpus, given;
	uint32_t nr_touched = stored.nr_touched ? stored.nr_touched : snap->nr_touched, i;
	bool fits = arg->nr_vcpus >= 1 && arg->nr_tables >= TABLES &&
		    arg->nr_touched >= nr_touched;
	struct hlk_touched *touched = (void *)(uintptr_t)arg->touched;

	if (fits) {
		given = *image;
		*image = snap->image;
		image->regs = given.regs;
		image->fpu = given.fpu;
		image->regs_bytes = given.regs_bytes;
		memcpy((void *)(uintptr_t)given.regs, snap->regs, given.regs_bytes);
		memcpy((void *)(uintptr_t)given.fpu, snap->fpu, STORED_FPU);
		memcpy((void *)(uintptr_t)arg->tables, snap->tables, sizeof(snap->tables));
		/* more than the module has, all of them in the first window */
		for (i = 0; i < stored.nr_touched; i++)
			touched[i] = (struct hlk_touched) { .pages = 1,
				.gpa = (uint64_t)i * LOW_PAGES / nr_touched * PAGE };
		if (!stored.nr_touched)
			memcpy(touched, snap->touched, nr_touched * sizeof(*touched));
	}
	arg->tables_gpa = snap->tables_gpa;
	arg->nr_vcpus = 1;
	arg->nr_tables = TABLES;
	arg->nr_touched = nr_touched;
	errno = EMSGSIZE;
	return fits ? 0 : -1;
}

static int pages(int fd, struct hlk_snapshot_pages *arg)
{
	struct hlk_extent *extents = (void *)(uintptr_t)arg->extents;
	unsigned char is[PAGE], was[PAGE];
	uint64_t at = arg->cursor;
	uint32_t nr = 0;
	bool there, old;

	for (; at < LOW_PAGES + HIGH_PAGES && nr < arg->nr_extents && nr < stored.per_call;
	     at++) {
		there = read_page(fd, page_gpa(at), is);
		old = read_page(arg->other_fd, page_gpa(at), was);
		if (there == old && !memcmp(is, was, PAGE))
			continue;
		extents[nr++] = (struct hlk_extent) {
			.gpa = page_gpa(at),
			.bytes = PAGE,
			.source = there ? HLK_EXTENT_MEMORY : HLK_EXTENT_ZERO,
		};
	}
	arg->nr_extents = nr;
	arg->cursor = at < LOW_PAGES + HIGH_PAGES ? at : 0;
	return 0;
}

static bool is_fixed(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS), flags = 0;

	if (seals >= 0)
		return seals & F_SEAL_WRITE && seals & F_SEAL_SHRINK;
	stored.lazy++;
	return !ioctl(fd, FS_IOC_GETFLAGS, &flags) && flags & FS_VERITY_FL;
}

static int import_pages(const struct hlk_snapshot_import *arg, int fd)
{
	const struct hlk_extent *extent = (void *)(uintptr_t)arg->extents;
	const struct hlk_source *source = (void *)(uintptr_t)arg->sources;
	unsigned char page[PAGE];
	uint64_t at;
	uint32_t i;

	for (at = 0; arg->parent_fd >= 0 && at < LOW_PAGES + HIGH_PAGES; at++)
		if (read_page(arg->parent_fd, page_gpa(at), page) &&
		    pwrite(fd, page, PAGE, page_gpa(at)) != PAGE)
			abort();
	if (arg->nr_sources && !is_fixed(source->fd)) {
		errno = ETXTBSY;
		return -1;
	}
	for (i = 0; i < arg->nr_extents; i++, extent++)
		for (at = 0; at < extent->bytes; at += PAGE) {
			memset(page, 0, PAGE);
			if (extent->source != HLK_EXTENT_ZERO &&
			    pread(source->fd, page, PAGE, extent->offset + at) != PAGE)
				abort();
			if (pwrite(fd, page, PAGE, extent->gpa + at) != PAGE)
				abort();
		}
	return 0;
}

static int import(struct hlk_snapshot_import *arg)
{
	struct hlk_vcpu_image *image = (void *)(uintptr_t)arg->vcpus;
	struct snap *snap;
	int fd = new_fd(&snap, true);

	stored.imports++;
	arg->out_fd = -1;
	if (arg->nr_windows != 2 || arg->nr_vcpus != 1 || arg->nr_tables != TABLES ||
	    image->regs_bytes < REGS || image->regs_bytes > MAX_REGS || image->fpu_bytes != STORED_FPU ||
	    arg->nr_touched > TOUCHED || arg->nr_roots > 2 || import_pages(arg, fd)) {
		close(fd);
		errno = errno ? errno : EINVAL;
		return -1;
	}
	memcpy(snap->windows, (void *)(uintptr_t)arg->windows, sizeof(snap->windows));
	memcpy(snap->roots, (void *)(uintptr_t)arg->roots,
	       arg->nr_roots * sizeof(*snap->roots));
	memcpy(snap->tables, (void *)(uintptr_t)arg->tables, sizeof(snap->tables));
	if (arg->nr_touched)
		memcpy(snap->touched, (void *)(uintptr_t)arg->touched,
		       arg->nr_touched * sizeof(*snap->touched));
	memcpy(snap->regs, (void *)(uintptr_t)image->regs, image->regs_bytes);
	memcpy(snap->fpu, (void *)(uintptr_t)image->fpu, STORED_FPU);
	snap->image = *image;
	snap->tables_gpa = arg->tables_gpa;
	snap->nr_touched = arg->nr_touched;
	snap->info = (struct hlk_snapshot_info) {
		.flags = arg->flags,
		.nr_vcpus = 1,
		.generation = arg->generation,
		.nr_windows = 2,
		.nr_roots = arg->nr_roots,
		.first_free = arg->first_free,
		.input_bytes = arg->input_bytes,
		.output_bytes = arg->output_bytes,
		.counts = arg->counts,
		.program_bytes = arg->program_bytes,
	};
	if (arg->program_bytes &&
	    pwrite(fd, (void *)(uintptr_t)arg->program, arg->program_bytes,
		   HLK_PROGRAM_OFFSET) != (ssize_t)arg->program_bytes)
		abort();
	arg->out_fd = fd;
	return 0;
}

static int cpuid(struct kvm_cpuid2 *all)
{
	all->nent = 3;
	all->entries[0] = (struct kvm_cpuid_entry2) { .function = 0, .ebx = 0x68747541,
		.edx = 0x69746e65, .ecx = 0x444d4163 };
	all->entries[1] = (struct kvm_cpuid_entry2) { .function = 1, .edx = ~0U,
		.ecx = ~stored.lost_ecx };
	all->entries[2] = (struct kvm_cpuid_entry2) { .function = 0xd, .index = 1, .eax = 7 };
	return 0;
}

static bool lists(uint32_t index)
{
	unsigned int i;

	for (i = 0; i < STORED_MSRS; i++)
		if (stored.lists[i] && stored.lists[i] == index)
			return true;
	return false;
}

static int get_msr(struct kvm_msr_entry *entry)
{
	entry->data = lists(entry->index) ? entry->index % 16 : 0;
	return stored.ignores || lists(entry->index);
}

static int set_msr(const struct kvm_msr_entry *entry)
{
	if (!lists(entry->index))
		return stored.ignores;
	return entry->data < (entry->index >= 0x4b564d00 ? PAGE : 256);
}

static int list_msrs(struct kvm_msr_list *list)
{
	unsigned int i;

	list->nmsrs = 0;
	for (i = 0; i < STORED_MSRS; i++)
		if (stored.lists[i])
			list->indices[list->nmsrs++] = stored.lists[i];
	return 0;
}

/* A machine of which nothing runs: what it is told is nobody's, its files are empty. */
static int make_machine(unsigned long cmd, void *arg)
{
	int fd;

	switch (cmd) {
	case KVM_CREATE_VM:
	case KVM_CREATE_VCPU:
	case HLK_VM_ATTACH:
		fd = syscall(SYS_memfd_create, "machine", MFD_CLOEXEC);
		if (fd < 0 || ftruncate(fd, PAGE))
			abort();
		if (cmd != HLK_VM_ATTACH)
			return fd;
		((struct hlk_vm_attach *)arg)->out_fd = fd;
		return 0;
	case KVM_GET_SREGS:
		memset(arg, 0, sizeof(struct kvm_sregs));
		return 0;
	default:
		return 0;
	}
}

int memfd_create(const char *name, unsigned int flags)
{
	bool noexec = flags & MFD_NOEXEC_SEAL;

	if (stored.noexec == STORED_NOEXEC_UNKNOWN && noexec)
		errno = EINVAL;
	else if (stored.noexec == STORED_NOEXEC_DEMANDED && !noexec)
		errno = EACCES;
	else
		return syscall(SYS_memfd_create, name, flags & ~MFD_NOEXEC_SEAL);
	return -1;
}

int ioctl(int fd, unsigned long cmd, ...)
{
	va_list args;
	void *arg;

	va_start(args, cmd);
	arg = va_arg(args, void *);
	va_end(args);
	errno = 0;
	switch (cmd) {
	case HLK_SNAPSHOT_INFO:
		return info_of(snap_of(fd), arg);
	case HLK_SNAPSHOT_EXPORT:
		return export(snap_of(fd), arg);
	case HLK_SNAPSHOT_PAGES:
		return pages(fd, arg);
	case HLK_SNAPSHOT_IMPORT:
		return import(arg);
	case KVM_GET_SUPPORTED_CPUID:
		return cpuid(arg);
	case KVM_CHECK_EXTENSION:
		return 0;
	case KVM_GET_MSR_INDEX_LIST:
		return list_msrs(arg);
	case KVM_GET_MSRS:
		return get_msr(((struct kvm_msrs *)arg)->entries);
	case KVM_SET_MSRS:
		return set_msr(((struct kvm_msrs *)arg)->entries);
	case KVM_CREATE_VM:
	case KVM_CREATE_VCPU:
	case KVM_GET_SREGS:
	case KVM_SET_CPUID2:
	case KVM_SET_IDENTITY_MAP_ADDR:
	case KVM_SET_USER_MEMORY_REGION:
	case KVM_X86_SETUP_MCE:
	case KVM_X86_SET_MSR_FILTER:
	case HLK_VM_ATTACH:
	case HLK_WINDOW_ADD:
		return make_machine(cmd, arg);
	default:
		return syscall(16, fd, cmd, arg);
	}
}

/* ---- for tests ---- */

struct hlk_ctx *stored_ctx(void)
{
	static struct hlk_ctx ctx = { .refs = 1, .hlk_fd = -1, .kvm_fd = -1,
		.run_size = PAGE, .features = ~0ULL };

	if (!context && hlk_cpuid_make(&ctx, NULL))
		abort();
	context = &ctx;
	return &ctx;
}

struct hlk_snap *stored_new(bool machine)
{
	struct hlk_snap *new;
	struct snap *snap;
	int fd = new_fd(&snap, false);
	unsigned int i;

	memcpy(snap->windows, layout, sizeof(layout));
	snap->info = (struct hlk_snapshot_info) {
		.flags = machine ? 0 : HLK_SNAPSHOT_COMPACT,
		.nr_vcpus = 1,
		.generation = 1,
		.nr_windows = 2,
		.nr_roots = 2,
		.first_free = HIGH_GPA + 7 * PAGE,
		.input_bytes = machine ? 0 : 0x4000,
		.output_bytes = machine ? 0 : 0x8000,
		.counts.pages = 5,
		.program_bytes = machine ? PROGRAM : 0,
	};
	snap->roots[0] = HIGH_GPA;
	snap->roots[1] = HIGH_GPA + PAGE;
	snap->tables[1] = HLK_TABLE_ROOT;
	snap->tables_gpa = HIGH_GPA + 3 * PAGE;
	snap->nr_touched = 1;
	snap->touched[0] = (struct hlk_touched) { .gpa = 8 * PAGE, .pages = 3, .flags = 1 };
	snap->image = (struct hlk_vcpu_image) {
		.regs_bytes = REGS,
		.fpu_bytes = STORED_FPU,
		.flags = HLK_VCPU_TSC | HLK_VCPU_FPU,
		.ext_vector = -1,
		.tsc = 77,
		.db = { 1, 2, 3, 4 },
		.dr6 = 5,
		.dr7 = 0x400,
		.xcr0 = 3,
	};
	for (i = 0; i < REGS; i++)
		snap->regs[i] = i;
	memset(snap->fpu, 0x5a, STORED_FPU);
	if (machine && pwrite(fd, snap->regs, PROGRAM, HLK_PROGRAM_OFFSET) != PROGRAM)
		abort();
	if (hlk_snap_new(fd, &new, NULL))
		abort();
	return new;
}

/* It becomes a machine's, with this program. */
void stored_program(struct hlk_snap *snap, const void *program, uint32_t bytes)
{
	snap_of(snap->fd)->info.program_bytes = bytes;
	snap->program_bytes = bytes;
	if (pwrite(snap->fd, program, bytes, HLK_PROGRAM_OFFSET) != (ssize_t)bytes)
		abort();
}

/* A page of this value; 0 is none */
void stored_put(const struct hlk_snap *snap, uint64_t gpa, unsigned char value)
{
	unsigned char page[PAGE];

	memset(page, value, PAGE);
	if (value)
		memcpy(page + 16, &gpa, sizeof(gpa));
	if (pwrite(snap->fd, page, PAGE, gpa) != PAGE)
		abort();
}

/* All but the hot set */
bool stored_same(const struct hlk_snap *a, const struct hlk_snap *b)
{
	struct snap left = *snap_of(a->fd), right = *snap_of(b->fd);
	unsigned char is[PAGE], was[PAGE];
	uint64_t at;

	for (at = 0; at < LOW_PAGES + HIGH_PAGES; at++) {
		read_page(a->fd, page_gpa(at), is);
		read_page(b->fd, page_gpa(at), was);
		if (memcmp(is, was, PAGE))
			return false;
	}
	if (pread(a->fd, is, PROGRAM, HLK_PROGRAM_OFFSET) != PROGRAM ||
	    pread(b->fd, was, PROGRAM, HLK_PROGRAM_OFFSET) != PROGRAM ||
	    memcmp(is, was, PROGRAM))
		return false;
	left.ino = right.ino;
	left.image.regs = right.image.regs;
	left.image.fpu = right.image.fpu;
	left.image.regs_bytes = right.image.regs_bytes;
	left.nr_touched = right.nr_touched;
	memcpy(left.touched, right.touched, sizeof(left.touched));
	return !memcmp(&left, &right, sizeof(left)) && a->input_size == b->input_size &&
	       a->output_size == b->output_size && a->flat == b->flat;
}

/* Tells two apart */
uint64_t stored_sum(const struct hlk_snap *snap)
{
	unsigned char is[PAGE];
	uint64_t at, sum = 0;

	for (at = 0; at < LOW_PAGES + HIGH_PAGES; at++) {
		read_page(snap->fd, page_gpa(at), is);
		sum = sum * 31 + is[0];
	}
	return sum;
}
