// SPDX-License-Identifier: GPL-2.0-only
/*
 * A snapshot out of the kernel and into it again, its pages in a file. The way that a
 * VMM would go that keeps snapshots.
 */
#include "travel.h"

int travel_memfd(void)
{
	int fd = memfd_create("pages", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	t_must(fd >= 0);
	return fd;
}

void travel_seal(int fd)
{
	t_must(!fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK));
}

static void out_info(struct travel *tr, int snap)
{
	struct hlk_snapshot_info *info = &tr->info;

	*info = (struct hlk_snapshot_info)HLK_STRUCT(hlk_snapshot_info);
	info->windows = (uintptr_t)tr->windows;
	info->nr_windows = ARRAY_SIZE(tr->windows);
	info->window_size = sizeof(tr->windows[0]);
	info->roots = (uintptr_t)tr->roots;
	info->nr_roots = ARRAY_SIZE(tr->roots);
	t_must(!hlk_call(snap, HLK_SNAPSHOT_INFO, info));
	tr->in.flags = info->flags;
	tr->in.windows = info->windows;
	tr->in.nr_windows = info->nr_windows;
	tr->in.window_size = info->window_size;
	tr->in.roots = info->roots;
	tr->in.nr_roots = info->nr_roots;
	tr->in.first_free = info->first_free;
	tr->in.input_bytes = info->input_bytes;
	tr->in.output_bytes = info->output_bytes;
	tr->in.generation = info->generation;
	tr->in.counts = info->counts;
}

static void out_vcpus(struct travel *tr, int snap)
{
	struct hlk_snapshot_export x = HLK_STRUCT(hlk_snapshot_export);
	u32 i;

	for (i = 0; i < ARRAY_SIZE(tr->vcpus); i++) {
		tr->vcpus[i].regs = (uintptr_t)&tr->regs[i];
		tr->vcpus[i].regs_bytes = sizeof(tr->regs[i]);
		tr->vcpus[i].fpu = (uintptr_t)tr->fpu[i];
		tr->vcpus[i].fpu_bytes = sizeof(tr->fpu[i]);
	}
	x.vcpus = (uintptr_t)tr->vcpus;
	x.nr_vcpus = ARRAY_SIZE(tr->vcpus);
	x.vcpu_size = sizeof(tr->vcpus[0]);
	x.tables = (uintptr_t)tr->tables;
	x.nr_tables = ARRAY_SIZE(tr->tables);
	x.touched = (uintptr_t)tr->touched;
	x.nr_touched = ARRAY_SIZE(tr->touched);
	x.touched_size = sizeof(tr->touched[0]);
	t_must(!hlk_call(snap, HLK_SNAPSHOT_EXPORT, &x));
	tr->in.vcpus = x.vcpus;
	tr->in.nr_vcpus = x.nr_vcpus;
	tr->in.vcpu_size = x.vcpu_size;
	tr->in.tables = x.tables;
	tr->in.tables_gpa = x.tables_gpa;
	tr->in.nr_tables = x.nr_tables;
	tr->in.touched = x.touched;
	tr->in.nr_touched = x.nr_touched;
	tr->in.touched_size = x.touched_size;
}

static void out_program(struct travel *tr, int snap)
{
	u64 bytes = (tr->info.program_bytes + PAGE - 1) & ~(PAGE - 1);
	void *map;

	if (!bytes)
		return;
	map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, snap, HLK_PROGRAM_OFFSET);
	t_must(map != MAP_FAILED);
	tr->program = malloc(bytes);
	memcpy(tr->program, map, tr->info.program_bytes);
	munmap(map, bytes);
	tr->in.program = (uintptr_t)tr->program;
	tr->in.program_bytes = tr->info.program_bytes;
}

/* Write the pages of an extent to the end of the file. */
static void out_extent(struct travel *tr, int snap, struct hlk_extent *extent, u64 *end)
{
	u8 *map;

	if (extent->source == HLK_EXTENT_ZERO)
		return;
	map = mmap(NULL, extent->bytes, PROT_READ, MAP_SHARED, snap, extent->gpa);
	t_must(map != MAP_FAILED);
	t_must(pwrite(tr->fd, map, extent->bytes, *end) == (ssize_t)extent->bytes);
	munmap(map, extent->bytes);
	extent->source = 0;
	extent->offset = *end;
	*end += extent->bytes;
}

static void out_pages(struct travel *tr, int snap, int parent)
{
	struct hlk_snapshot_pages p = HLK_STRUCT(hlk_snapshot_pages);
	u32 nr = 0;
	u64 end = 0;
	u32 i;

	p.other_fd = parent;
	p.extent_size = sizeof(tr->extents[0]);
	do {
		t_must(nr < TRAVEL_EXTENTS);
		p.extents = (uintptr_t)&tr->extents[nr];
		/* a few at a time, so that the cursor is used */
		p.nr_extents = TRAVEL_EXTENTS - nr < 5 ? TRAVEL_EXTENTS - nr : 5;
		t_must(!hlk_call(snap, HLK_SNAPSHOT_PAGES, &p));
		nr += p.nr_extents;
	} while (p.cursor);
	for (i = 0; i < nr; i++)
		out_extent(tr, snap, &tr->extents[i], &end);
	tr->in.extents = (uintptr_t)tr->extents;
	tr->in.nr_extents = nr;
	tr->in.extent_size = sizeof(tr->extents[0]);
}

/* Take all out of a snapshot, or what differs from its parent; the file is taken over. */
void travel_out(struct travel *tr, int snap, int parent, int fd)
{
	memset(tr, 0, sizeof(*tr));
	tr->in.head.size = sizeof(tr->in);
	tr->in.parent_fd = -1;
	tr->fd = fd;
	out_info(tr, snap);
	out_vcpus(tr, snap);
	out_program(tr, snap);
	out_pages(tr, snap, parent);
	tr->source.fd = fd;
	tr->in.sources = (uintptr_t)&tr->source;
	tr->in.nr_sources = 1;
	tr->in.source_size = sizeof(tr->source);
}

/* The fd of the snapshot, or -errno */
int travel_in(struct travel *tr, int dev)
{
	long ret = hlk_call(dev, HLK_SNAPSHOT_IMPORT, &tr->in);

	return ret ? ret : tr->in.out_fd;
}

void travel_end(struct travel *tr)
{
	free(tr->program);
	close(tr->fd);
}

/* Add what is in TRAVEL_LOOK's pages, count in the first one, and halt; again and again. */
GUEST(sum, "1:	xorl %ebx, %ebx\n"
	   "	movl $0x40000, %eax\n"
	   "2:	addl 4(%eax), %ebx\n"
	   "	addl $0x1000, %eax\n"
	   "	cmpl $0x60000, %eax\n"
	   "	jne 2b\n"
	   "	incl 0x40000\n"
	   "	movl %ebx, 0x20000\n"
	   "	hlt\n"
	   "	jmp 1b\n");

void travel_guest(struct tvm *t)
{
	u32 i;

	tvm_load(t, TVM_CODE, sum);
	for (i = 0; i < TRAVEL_NR_LOOK; i++)
		*(u32 *)tvm_at(t, TRAVEL_LOOK + i * PAGE + 4) = i + 1;
}

/* One call: what the guest sums up, -errno of KVM_RUN, or -1 after another exit */
int travel_call(struct tvm *t)
{
	int ret = tvm_run(t);

	return ret == KVM_EXIT_HLT ? (int)tvm_word(t, TVM_DATA) : ret < 0 ? ret : -1;
}

/* How many pages of files a snapshot has read */
u64 travel_read(int snap)
{
	struct hlk_snapshot_info info = HLK_STRUCT(hlk_snapshot_info);
	long ret = hlk_call(snap, HLK_SNAPSHOT_INFO, &info);

	t_must(!ret || ret == -EMSGSIZE);
	return info.file_read;
}
