// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calls of the uAPI, and those of KVM that it builds on, with arguments
 * that are mostly right. Structs lie in the common buffer, so that other
 * threads change them while the kernel reads.
 */
#include "fuzz.h"

/* A struct of ours somewhere in the buffer, zeroed, with its size */
#define NEW(f, type)	((struct type *)new_struct(f, sizeof(struct type)))

static void *new_struct(struct fuzzer *f, u32 size)
{
	struct hlk_head *head = (void *)(w.buffer + rnd(f, 64) * 512);
	u64 odd = odd_number(f);
	bool wrong = one_in(f, 40);

	if (f->list)
		return head;
	memset(head, 0, size);
	head->size = wrong ? odd : size;
	return head;
}

/* An array in the buffer's other half */
static u64 array(struct fuzzer *f)
{
	u32 at = BUFFER_BYTES / 2 + rnd(f, 16) * 4096;

	if (one_in(f, 40))
		return odd_number(f);
	/* now and then the array lies in guest memory, which faults under us */
	if (one_in(f, 12))
		return (uintptr_t)w.place[rnd(f, PLACES)] + rnd(f, 64) * PAGE;
	return (uintptr_t)w.buffer + at;
}

static u64 roots(struct fuzzer *f, u32 *nr)
{
	u64 at = array(f), *root = (u64 *)at;
	u64 value[4];
	u32 i;

	*nr = one_in(f, 20) ? odd_number(f) : rnd(f, 4);
	for (i = 0; i < 4; i++)
		value[i] = one_in(f, 3) ? some_gpa(f) : 0x40000;
	if (!f->list)
		MAY_FAULT(memcpy(root, value, sizeof(value)));
	return at;
}

static struct hlk_paging paging(struct fuzzer *f)
{
	u32 flags = one_in(f, 3) ? 0 : HLK_PAGING_GIVEN | rnd(f, 8);

	return (struct hlk_paging){
		.flags = one_in(f, 30) ? odd_number(f) : flags,
		.maxphyaddr = one_in(f, 5) ? rnd(f, 50) : 0,
	};
}

/*
 * A state program of a page or two, somewhere in the buffer: mostly calls that are
 * allowed, with arguments of the right size and odd bytes in them
 */
static u64 program(struct fuzzer *f, u32 *bytes)
{
	static const struct {
		u32 cmd;
		u32 bytes;
	} calls[] = {
		{ KVM_SET_MSRS, 24 }, { KVM_SET_LAPIC, 1024 }, { KVM_SET_IRQCHIP, 520 },
		{ KVM_SET_PIT2, 112 }, { KVM_SET_CLOCK, 48 }, { KVM_SET_XCRS, 392 },
		{ KVM_SET_DEBUGREGS, 128 }, { KVM_SET_MP_STATE, 4 }, { KVM_SET_REGS, 144 },
		{ KVM_SET_VCPU_EVENTS, 64 }, { KVM_SET_SREGS, 312 }, { KVM_SET_TSC_KHZ, 8 },
		{ KVM_SET_NESTED_STATE, 128 }, { KVM_SET_FPU, 416 }, { KVM_SET_SREGS2, 320 },
		{ KVM_SET_XSAVE, sizeof(struct kvm_xsave) },
		{ KVM_IRQ_LINE, 8 }, { KVM_KVMCLOCK_CTRL, 8 },
	};
	static const u32 msrs[] = { 0xc0000082, 0xc0000102, 0x277, 0x6e0, 0x4b564d01 };
	struct hlk_program_entry *entry;
	struct hlk_program_header *head;
	u32 nr = rnd(f, 4), which, seed, i;
	u64 at = array(f);
	u8 page[2 * PAGE] = {};

	*bytes = 0;
	if (!one_in(f, 4))
		return 0;
	*bytes = one_in(f, 20) ? odd_number(f) : PAGE;
	head = (void *)page;
	*head = (struct hlk_program_header){
		.size = sizeof(*head), .entry_size = sizeof(*entry), .nr_entries = nr,
	};
	entry = (void *)(head + 1);
	for (i = 0; i < nr; i++) {
		which = rnd(f, ARRAY_SIZE(calls));
		entry[i].cmd = one_in(f, 30) ? odd_number(f) : calls[which].cmd;
		if (calls[which].cmd == KVM_SET_XSAVE && *bytes == PAGE)
			*bytes = sizeof(page);
		entry[i].bytes = one_in(f, 30) ? odd_number(f) : calls[which].bytes;
		entry[i].offset = one_in(f, 30) ? odd_number(f) : 256 + rnd(f, 300) * 8;
		entry[i].target = one_in(f, 20) ? odd_number(f) :
				  (which >= 2 && which <= 4) ||
				  calls[which].cmd == KVM_IRQ_LINE ? HLK_PROGRAM_VM : 0;
		entry[i].flags = one_in(f, 10) ? rnd(f, 8) : 0;
	}
	seed = f->seed | 1;
	for (i = 256; i < PAGE && !one_in(f, 3); i += rnd(f, 64))
		page[i] = t_rnd(&seed);
	if (nr && entry[0].cmd == KVM_SET_MSRS && entry[0].offset < 4000) {
		*(u64 *)(page + entry[0].offset) = 1;
		*(u32 *)(page + entry[0].offset + 8) = msrs[rnd(f, ARRAY_SIZE(msrs))];
	}
	if (!f->list)
		MAY_FAULT(memcpy((void *)at, page, sizeof(page)));
	return at;
}

/* Where a snapshot's program is mapped, or is not */
static u64 program_at(struct fuzzer *f, int snap)
{
	u8 *place = w.place[rnd(f, PLACES)];
	bool map = one_in(f, 2);

	if (!one_in(f, 3))
		return 0;
	if (map && snap >= 0 && !f->list)
		mmap(place, one_in(f, 4) ? 2 * PAGE : PAGE, PROT_READ,
		     MAP_SHARED | MAP_FIXED, get_fd(snap), HLK_PROGRAM_OFFSET);
	return one_in(f, 30) ? odd_number(f) : (uintptr_t)place;
}

/* ---- /dev/hlk ---- */

static void op_open(struct fuzzer *f)
{
	u32 nr = rnd(f, NR);

	if (say(f, "dev[%u] = open(/dev/hlk)", nr))
		return;
	put_fd(DEV, nr, open("/dev/hlk", O_RDWR | O_CLOEXEC));
}

static void op_info(struct fuzzer *f)
{
	int dev = slot(f, DEV);
	void *arg = NEW(f, hlk_info);

	if (say(f, "HLK_INFO(fd %d)", dev))
		return;
	ioctl(get_fd(dev), HLK_INFO, arg);
}

static void op_attach(struct fuzzer *f)
{
	int dev = slot(f, DEV), vm = slot(f, VM);
	struct hlk_vm_attach *attach = NEW(f, hlk_vm_attach);
	u32 nr = rnd(f, NR);
	u32 flags = one_in(f, 6) ? HLK_ATTACH_INSPECT : 0;
	u64 max = one_in(f, 3) ? rnd(f, 40) : 0, keep = one_in(f, 3) ? rnd(f, 20) : 0;

	if (one_in(f, 20))
		max = odd_number(f);
	if (say(f, "hlk[%u] = HLK_VM_ATTACH(fd %d, vm %d, %#x, max %llu, keep %llu)", nr,
		dev, vm, flags, (unsigned long long)max, (unsigned long long)keep))
		return;
	attach->head.flags = flags;
	attach->vm_fd = get_fd(vm);
	attach->max_private = max;
	attach->keep_private = keep;
	if (!ioctl(get_fd(dev), HLK_VM_ATTACH, attach))
		put_fd(HLK, nr, attach->out_fd);
}

static struct hlk_window window(struct fuzzer *f)
{
	static const u64 gpas[] = { 0, 0x100000, 0x200000, 0x400000, TVM_SCRATCH_GPA,
				    0xfee00000 };
	u32 which = rnd(f, ARRAY_SIZE(gpas));
	struct hlk_window window = {
		.gpa = one_in(f, 10) ? odd_number(f) : gpas[which],
		.bytes = one_in(f, 10) ? odd_number(f) :
			 gpas[which] == TVM_SCRATCH_GPA ? TVM_SCRATCH : TVM_LOW,
		.flags = gpas[which] == TVM_SCRATCH_GPA ? HLK_WINDOW_SCRATCH :
			 one_in(f, 5) ? HLK_WINDOW_READONLY : 0,
	};

	if (one_in(f, 20))
		window.flags = odd_number(f);
	return window;
}

static void op_build(struct fuzzer *f)
{
	struct hlk_snapshot_build *b = NEW(f, hlk_snapshot_build);
	u64 windows = array(f), segments = array(f), vcpus = array(f);
	struct hlk_window window_of[2] = { { .bytes = TVM_LOW },
					   { .gpa = TVM_SCRATCH_GPA, .bytes = TVM_SCRATCH,
					     .flags = HLK_WINDOW_SCRATCH } };
	struct hlk_segment segment = { .gpa = some_gpa(f), .bytes = rnd(f, 30000),
				       .data = array(f) };
	int dev = slot(f, DEV);
	u32 nr = rnd(f, NR), nr_windows = 1 + rnd(f, 2), nr_segments = rnd(f, 2);
	u32 nr_vcpus = one_in(f, 2), size = sizeof(struct kvm_sync_regs);
	u32 program_bytes;
	u64 calls = program(f, &program_bytes);
	struct kvm_sync_regs regs;

	if (one_in(f, 10))
		window_of[rnd(f, 2)] = window(f);
	if (one_in(f, 20))
		nr_windows = odd_number(f);
	if (one_in(f, 20))
		nr_segments = odd_number(f);
	if (one_in(f, 20))
		nr_vcpus = odd_number(f);
	if (one_in(f, 20))
		size = odd_number(f);
	if (say(f, "snap[%u] = HLK_SNAPSHOT_BUILD(fd %d, %u windows, %u segments, %u vcpus)",
		nr, dev, nr_windows, nr_segments, nr_vcpus))
		return;
	tvm_flat(&regs, TVM_CODE, TVM_STACK);
	MAY_FAULT(memcpy((void *)windows, window_of, sizeof(window_of)));
	MAY_FAULT(memcpy((void *)segments, &segment, sizeof(segment)));
	MAY_FAULT(memcpy((void *)vcpus, &regs, sizeof(regs)));
	b->windows = windows;
	b->window_size = sizeof(struct hlk_window);
	b->nr_windows = nr_windows;
	b->segments = segments;
	b->segment_size = sizeof(struct hlk_segment);
	b->nr_segments = nr_segments;
	b->vcpus = vcpus;
	b->nr_vcpus = nr_vcpus;
	b->vcpu_size = size;
	b->program = calls;
	b->program_bytes = program_bytes;
	if (!ioctl(get_fd(dev), HLK_SNAPSHOT_BUILD, b))
		put_fd(SNAP, nr, b->out_fd);
}

/* ---- an hlk VM ---- */

static void op_window_add(struct fuzzer *f)
{
	struct hlk_window_add *add = NEW(f, hlk_window_add);
	struct hlk_window range = window(f);
	int hlk = slot(f, HLK);

	if (say(f, "HLK_WINDOW_ADD(fd %d, %#llx + %#llx, flags %#x)", hlk,
		(unsigned long long)range.gpa, (unsigned long long)range.bytes,
		range.flags))
		return;
	add->window = range;
	ioctl(get_fd(hlk), HLK_WINDOW_ADD, add);
}

static void op_snapshot(struct fuzzer *f)
{
	struct hlk_snapshot *s = NEW(f, hlk_snapshot);
	u32 nr_roots, nr = rnd(f, NR), flags = rnd(f, 32);
	u64 at = roots(f, &nr_roots);
	u32 in = rnd(f, 4) * PAGE, out = rnd(f, 4) * PAGE;
	int hlk = slot(f, HLK);
	u32 program_bytes;
	u64 calls = program(f, &program_bytes);

	if (one_in(f, 3))
		flags = HLK_SNAPSHOT_COMPACT | (flags & HLK_SNAPSHOT_DEDUP);
	if (one_in(f, 3))
		flags &= HLK_SNAPSHOT_DEDUP;
	if (!(flags & HLK_SNAPSHOT_COMPACT))
		in = 0, out = 0, nr_roots = 0;
	if (one_in(f, 20))
		in = odd_number(f);
	if (say(f, "snap[%u] = HLK_SNAPSHOT(fd %d, flags %#x, %u roots, buffers %#x %#x)",
		nr, hlk, flags, nr_roots, in, out))
		return;
	s->head.flags = flags;
	s->roots = at;
	s->nr_roots = nr_roots;
	s->input_bytes = in;
	s->output_bytes = out;
	s->program = calls;
	s->program_bytes = program_bytes;
	if (!ioctl(get_fd(hlk), HLK_SNAPSHOT, s))
		put_fd(SNAP, nr, s->out_fd);
}

struct hlk_restore *a_restore(struct fuzzer *f, int *snap, u32 *flags)
{
	struct hlk_restore *r = NEW(f, hlk_restore);
	u64 at;

	*snap = one_in(f, 3) ? slot(f, SNAP) : -1;
	*flags = one_in(f, 4) ? rnd(f, 4) : 0;
	at = program_at(f, *snap);
	if (f->list)
		return r;
	r->head.flags = *flags;
	r->program = at;
	r->snapshot_fd = *snap < 0 ? -1 : get_fd(*snap);
	return r;
}

static void op_restore(struct fuzzer *f)
{
	int hlk = slot(f, HLK), snap;
	u32 flags;
	void *arg = a_restore(f, &snap, &flags);

	if (say(f, "HLK_RESTORE(fd %d, snapshot %d, flags %#x)", hlk, snap, flags))
		return;
	ioctl(get_fd(hlk), HLK_RESTORE, arg);
}

struct hlk_run *a_run(struct fuzzer *f, int *vcpu, u32 *flags)
{
	struct hlk_run *r = NEW(f, hlk_run);
	u64 inputs = array(f), log = array(f), regs = array(f);
	struct hlk_segment input = { .gpa = some_gpa(f), .bytes = rnd(f, 10000),
				     .data = array(f) };
	struct hlk_run_call call[2] = {
		{ .in_gpa = some_gpa(f), .in_bytes = rnd(f, 100), .in = array(f) },
		{ .out_gpa = some_gpa(f), .out_bytes = rnd(f, 10000), .out = array(f) },
	};
	u32 nr_calls = one_in(f, 30) ? odd_number(f) : one_in(f, 4) ? rnd(f, 8) : 0;
	u64 calls = array(f), each = one_in(f, 4) ? 1ULL << rnd(f, 28) : 0;
	u32 nr = one_in(f, 30) ? odd_number(f) : rnd(f, 2), size = rnd(f, 100);
	u64 timeout = one_in(f, 3) ? 1ULL << rnd(f, 28) : 0;
	u64 deadline = one_in(f, 6) ? odd_number(f) : one_in(f, 2) ? HLK_DEADLINE_NEVER : 0;
	u64 turn = rnd(f, 4);
	u64 at;

	*vcpu = slot(f, VCPU);
	*flags = one_in(f, 3) ? HLK_RUN_CONTINUE :
		 (one_in(f, 5) ? HLK_RESTORE_TIME_BACK : 0) |
		 (one_in(f, 2) ? HLK_RESTORE_LEARN : rnd(f, 2));
	if (one_in(f, 4))
		*flags |= HLK_RUN_REGS;
	if (one_in(f, 4))
		*flags |= HLK_RUN_LEAD;
	if (one_in(f, 8)) {
		*flags = HLK_RUN_CONTINUE | HLK_RUN_FOLLOW;
		nr = one_in(f, 10);
	}
	if (nr_calls && !one_in(f, 10))
		*flags = (*flags & ~HLK_RUN_CONTINUE) | (one_in(f, 2) ? HLK_RUN_SIZED : 0);
	at = program_at(f, -1);
	if (f->list)
		return r;
	MAY_FAULT(memcpy((void *)inputs, &input, sizeof(input)));
	MAY_FAULT(memset((void *)regs, 0, 128);
		  ((struct kvm_regs *)regs)->rip = TVM_CODE;
		  ((struct kvm_regs *)regs)->rflags = 2);
	r->head.flags = *flags;
	r->vcpu_fd = get_fd(*vcpu);
	r->inputs = inputs;
	r->input_size = sizeof(struct hlk_segment);
	r->nr_inputs = nr;
	r->regs = regs;
	r->log = log;
	r->log_size = size;
	r->log_port = 0xe9;
	r->timeout_ns = timeout;
	r->deadline_ns = deadline;
	r->program = at;
	MAY_FAULT(memcpy((void *)calls, call, sizeof(call)));
	r->calls = calls;
	r->nr_calls = nr_calls;
	r->call_size = sizeof(call[0]);
	r->call_timeout_ns = each;
	r->turn = turn;
	return r;
}

static void op_run(struct fuzzer *f)
{
	int hlk = slot(f, HLK), vcpu;
	u32 flags;
	void *arg = a_run(f, &vcpu, &flags);

	if (say(f, "HLK_RUN(fd %d, vcpu %d, flags %#x)", hlk, vcpu, flags))
		return;
	ioctl(get_fd(hlk), HLK_RUN, arg);
}

static void op_kick(struct fuzzer *f)
{
	struct hlk_kick *kick = NEW(f, hlk_kick);
	bool all = one_in(f, 3);
	u32 vcpu = one_in(f, 10) ? odd_number(f) : all ? 0 : rnd(f, 2);
	int hlk = slot(f, HLK);

	if (say(f, "HLK_KICK(fd %d, vcpu %u, all %d)", hlk, vcpu, all))
		return;
	kick->head.flags = all ? HLK_KICK_ALL : 0;
	kick->vcpu = vcpu;
	ioctl(get_fd(hlk), HLK_KICK, kick);
}

static void op_translate(struct fuzzer *f)
{
	struct hlk_translate *t = NEW(f, hlk_translate);
	u64 root = one_in(f, 4) ? HLK_ROOT_CR3 : one_in(f, 3) ? some_gpa(f) : 0x40000;
	u64 va = one_in(f, 10) ? odd_number(f) : rnd(f, 0x1000000);
	struct hlk_paging mode = paging(f);
	int hlk = slot(f, HLK);

	if (say(f, "HLK_TRANSLATE(fd %d, root %#llx, va %#llx)", hlk,
		(unsigned long long)root, (unsigned long long)va))
		return;
	t->paging = mode;
	t->root = root;
	t->va = va;
	ioctl(get_fd(hlk), HLK_TRANSLATE, t);
}

static void op_walk(struct fuzzer *f)
{
	struct hlk_walk *walk = NEW(f, hlk_walk);
	u32 nr_roots, nr = one_in(f, 20) ? odd_number(f) : 1 + rnd(f, 80);
	u64 at = roots(f, &nr_roots), to = array(f);
	u64 start = one_in(f, 4) ? odd_number(f) : 0, end = one_in(f, 4) ? odd_number(f) : 0;
	u64 cursor = one_in(f, 10) ? odd_number(f) : 0;
	struct hlk_paging mode = paging(f);
	int hlk = slot(f, HLK);

	if (say(f, "HLK_WALK(fd %d, %u roots, %u mappings, %#llx to %#llx)", hlk, nr_roots,
		nr, (unsigned long long)start, (unsigned long long)end))
		return;
	walk->paging = mode;
	walk->roots = at;
	walk->nr_roots = nr_roots;
	walk->mappings = to;
	walk->mapping_size = sizeof(struct hlk_mapping);
	walk->nr_mappings = nr;
	walk->start = start;
	walk->end = end;
	walk->cursor = cursor;
	if (!ioctl(get_fd(hlk), HLK_WALK, walk) && walk->cursor)
		ioctl(get_fd(hlk), HLK_WALK, walk);
}

static void op_mark_cow(struct fuzzer *f)
{
	struct hlk_mark_cow *m = NEW(f, hlk_mark_cow);
	u64 start = one_in(f, 4) ? odd_number(f) : 0, end = one_in(f, 4) ? odd_number(f) : 0;
	struct hlk_paging mode = paging(f);
	int hlk = slot(f, HLK);
	u32 nr_roots;
	u64 at = roots(f, &nr_roots);

	if (say(f, "HLK_MARK_COW(fd %d, %u roots)", hlk, nr_roots))
		return;
	m->paging = mode;
	m->roots = at;
	m->nr_roots = nr_roots;
	m->start = start;
	m->end = end;
	ioctl(get_fd(hlk), HLK_MARK_COW, m);
}

static void op_stats(struct fuzzer *f)
{
	int hlk = slot(f, HLK);
	void *arg = NEW(f, hlk_vm_stats);

	if (say(f, "HLK_VM_STATS(fd %d)", hlk))
		return;
	ioctl(get_fd(hlk), HLK_VM_STATS, arg);
}

static void op_prefault(struct fuzzer *f)
{
	struct hlk_prefault *p = NEW(f, hlk_prefault);
	u32 nr = one_in(f, 10) ? odd_number(f) : rnd(f, 40);
	int hlk = slot(f, HLK);
	u64 runs = array(f);

	if (say(f, "HLK_PREFAULT(fd %d, %u runs)", hlk, nr))
		return;
	p->runs = runs;
	p->run_size = sizeof(struct hlk_touched);
	p->nr_runs = nr;
	ioctl(get_fd(hlk), HLK_PREFAULT, p);
}

static void op_snapshot_info(struct fuzzer *f)
{
	struct hlk_snapshot_info *info = NEW(f, hlk_snapshot_info);
	u64 windows = array(f), at = array(f);
	u32 nr_windows = rnd(f, 4), nr_roots = rnd(f, 4);
	int snap = slot(f, SNAP);

	if (say(f, "HLK_SNAPSHOT_INFO(fd %d)", snap))
		return;
	info->windows = windows;
	info->window_size = sizeof(struct hlk_window);
	info->nr_windows = nr_windows;
	info->roots = at;
	info->nr_roots = nr_roots;
	ioctl(get_fd(snap), HLK_SNAPSHOT_INFO, info);
}

/* A file that an import takes; one that it does not */
static int pages_fd(struct fuzzer *f)
{
	bool sealed = !one_in(f, 10);
	int fd = memfd_create("pages", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, 64 * PAGE) || pwrite(fd, w.buffer, 4 * PAGE, 0) < 0)
		return fd;
	if (sealed)
		fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK);
	return fd;
}

static void op_import(struct fuzzer *f)
{
	struct hlk_snapshot_import *in = NEW(f, hlk_snapshot_import);
	u64 windows = array(f), extents = array(f), sources = array(f), touched = array(f);
	struct hlk_window window_of[2] = { { .bytes = TVM_LOW },
					   { .gpa = TVM_SCRATCH_GPA, .bytes = TVM_SCRATCH,
					     .flags = HLK_WINDOW_SCRATCH } };
	int dev = slot(f, DEV), parent = one_in(f, 3) ? slot(f, SNAP) : -1;
	u32 nr = rnd(f, NR), nr_extents = rnd(f, 6), i;
	struct hlk_extent extent[8] = {};
	struct hlk_touched run = { .gpa = some_gpa(f), .pages = rnd(f, 4),
				   .flags = rnd(f, 2) };
	struct hlk_source source;
	u64 gpa = 0;

	for (i = 0; i < ARRAY_SIZE(extent); i++) {
		gpa += rnd(f, 20) * PAGE;
		extent[i].gpa = gpa;
		extent[i].bytes = (1 + rnd(f, 30)) * PAGE;
		extent[i].offset = rnd(f, 34) * PAGE;
		extent[i].source = one_in(f, 5) ? HLK_EXTENT_ZERO : 0;
		if (extent[i].source)
			extent[i].offset = 0;
		gpa += extent[i].bytes;
		if (one_in(f, 60))
			((u32 *)&extent[i])[rnd(f, 8)] = odd_number(f);
	}
	if (one_in(f, 20))
		nr_extents = odd_number(f);
	source = (struct hlk_source){ .fd = pages_fd(f) };
	if (say(f, "snap[%u] = HLK_SNAPSHOT_IMPORT(fd %d, parent %d, %u extents)", nr, dev,
		parent, nr_extents)) {
		close(source.fd);
		return;
	}
	MAY_FAULT(memcpy((void *)windows, window_of, sizeof(window_of)));
	MAY_FAULT(memcpy((void *)extents, extent, sizeof(extent)));
	MAY_FAULT(memcpy((void *)sources, &source, sizeof(source)));
	MAY_FAULT(memcpy((void *)touched, &run, sizeof(run)));
	in->parent_fd = parent < 0 ? -1 : get_fd(parent);
	in->windows = windows;
	in->window_size = sizeof(struct hlk_window);
	in->nr_windows = 2;
	in->extents = extents;
	in->extent_size = sizeof(struct hlk_extent);
	in->nr_extents = nr_extents;
	in->sources = sources;
	in->source_size = sizeof(struct hlk_source);
	in->nr_sources = 1;
	in->touched = touched;
	in->touched_size = sizeof(struct hlk_touched);
	in->nr_touched = 1;
	if (!ioctl(get_fd(dev), HLK_SNAPSHOT_IMPORT, in))
		put_fd(SNAP, nr, in->out_fd);
	close(source.fd);
}

static void op_export(struct fuzzer *f)
{
	struct hlk_snapshot_export *x = NEW(f, hlk_snapshot_export);
	struct hlk_snapshot_pages *p = NEW(f, hlk_snapshot_pages);
	u64 vcpus = array(f), touched = array(f), extents = array(f);
	u32 nr_touched = rnd(f, 20), nr_extents = 1 + rnd(f, 8);
	int snap = slot(f, SNAP), other = one_in(f, 2) ? slot(f, SNAP) : -1;
	struct hlk_vcpu_image image = { .regs = array(f), .fpu = array(f),
					.regs_bytes = sizeof(struct kvm_sync_regs),
					.fpu_bytes = rnd(f, 4096) };
	u64 cursor = one_in(f, 3) ? odd_number(f) : 0;

	if (say(f, "HLK_SNAPSHOT_EXPORT and _PAGES(fd %d, other %d, %u extents)", snap, other,
		nr_extents))
		return;
	MAY_FAULT(memcpy((void *)vcpus, &image, sizeof(image)));
	x->vcpus = vcpus;
	x->nr_vcpus = 1;
	x->vcpu_size = sizeof(image);
	x->touched = touched;
	x->nr_touched = nr_touched;
	x->touched_size = sizeof(struct hlk_touched);
	ioctl(get_fd(snap), HLK_SNAPSHOT_EXPORT, x);
	p->other_fd = other < 0 ? -1 : get_fd(other);
	p->extents = extents;
	p->nr_extents = nr_extents;
	p->extent_size = sizeof(struct hlk_extent);
	p->cursor = cursor;
	ioctl(get_fd(snap), HLK_SNAPSHOT_PAGES, p);
}

/* Numbers and bytes without sense, to any file */
static void op_raw(struct fuzzer *f)
{
	u32 *words = (u32 *)(w.buffer + rnd(f, 64) * 512);
	int any = rnd(f, KINDS * NR);
	u32 cmd = _IO(HLK_IOC_TYPE, rnd(f, 0x48)), i, nr = rnd(f, 60), seed = f->seed | 1;

	if (one_in(f, 8))
		cmd = odd_number(f);
	if (say(f, "ioctl(fd %d, %#x, %u odd words)", any, cmd, nr))
		return;
	for (i = 1; i < nr; i++)
		words[i] = t_rnd(&seed) % 3 ? 0 : t_rnd(&seed);
	words[0] = nr * 4;
	ioctl(get_fd(any), cmd, words);
}

/* ---- KVM ---- */

static void op_vm(struct fuzzer *f)
{
	bool irqchip = one_in(f, 6);
	u32 nr = rnd(f, NR);
	int vm;

	if (say(f, "vm[%u] = KVM_CREATE_VM%s", nr, irqchip ? " with irqchip" : ""))
		return;
	vm = ioctl(w.kvm, KVM_CREATE_VM, 0);
	ioctl(vm, KVM_SET_TSS_ADDR, 0xfffbd000);
	if (irqchip)
		ioctl(vm, KVM_CREATE_IRQCHIP, 0);
	put_fd(VM, nr, vm);
}

static void op_vcpu(struct fuzzer *f)
{
	int vm = slot(f, VM), vcpu;
	u32 nr = rnd(f, NR), id = rnd(f, 4);
	struct kvm_run *run;

	if (say(f, "vcpu[%u] = KVM_CREATE_VCPU(fd %d, id %u)", nr, vm, id))
		return;
	vcpu = ioctl(get_fd(vm), KVM_CREATE_VCPU, id);
	if (vcpu < 0)
		return;
	run = mmap(w.run[nr], w.run_bytes, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_FIXED, vcpu, 0);
	if (run != MAP_FAILED)
		MAY_FAULT(run->kvm_valid_regs = SYNC_ALL);
	put_fd(VCPU, nr, vcpu);
}

static void op_memslot(struct fuzzer *f)
{
	struct kvm_userspace_memory_region region = {
		.slot = rnd(f, 4),
		.flags = one_in(f, 4) ? KVM_MEM_READONLY :
			 one_in(f, 16) ? KVM_MEM_LOG_DIRTY_PAGES : 0,
		.guest_phys_addr = some_gpa(f) & -PAGE,
		.memory_size = one_in(f, 3) ? 0 : rnd(f, 300) * PAGE,
	};
	u32 place = rnd(f, PLACES);
	int vm = slot(f, VM);

	region.userspace_addr = (uintptr_t)w.place[place] + rnd(f, 4) * PAGE;
	if (one_in(f, 2)) {
		region.guest_phys_addr = place == 1 ? TVM_SCRATCH_GPA : 0;
		region.memory_size = place == 1 ? TVM_SCRATCH : TVM_LOW;
		region.userspace_addr = (uintptr_t)w.place[place];
		region.slot = place & 1;
	}
	if (say(f, "KVM_SET_USER_MEMORY_REGION(fd %d, slot %u, gpa %#llx, %#llx bytes, place %u)",
		vm, region.slot, (unsigned long long)region.guest_phys_addr,
		(unsigned long long)region.memory_size, place))
		return;
	ioctl(get_fd(vm), KVM_SET_USER_MEMORY_REGION, &region);
}

static void op_kvm_run(struct fuzzer *f)
{
	bool immediate = one_in(f, 4);
	int vcpu = slot(f, VCPU);

	if (say(f, "KVM_RUN(fd %d)%s", vcpu, immediate ? " with immediate_exit" : ""))
		return;
	MAY_FAULT(((struct kvm_run *)w.run[vcpu % NR])->immediate_exit = immediate);
	ioctl(get_fd(vcpu), KVM_RUN, 0);
}

/* Registers: by ioctl, or in struct kvm_run, right or wrong */
static void op_regs(struct fuzzer *f)
{
	struct kvm_sync_regs regs;
	int vcpu = slot(f, VCPU);
	bool by_ioctl = one_in(f, 2), page = one_in(f, 2);
	u32 odd = one_in(f, 4) ? rnd(f, sizeof(regs)) : 0, value = rnd(f, 256);

	if (say(f, "registers of fd %d %s%s", vcpu, by_ioctl ? "by ioctl" : "in kvm_run",
		odd ? ", one byte odd" : ""))
		return;
	tvm_flat(&regs, TVM_CODE, TVM_STACK);
	if (page) {
		regs.sregs.cr0 = HLK_GUEST_CR0;
		regs.sregs.cr3 = 0x40000;
	}
	if (odd)
		((u8 *)&regs)[odd] = value;
	if (by_ioctl) {
		ioctl(get_fd(vcpu), KVM_SET_SREGS, &regs.sregs);
		ioctl(get_fd(vcpu), KVM_SET_REGS, &regs.regs);
	} else {
		MAY_FAULT(struct kvm_run *run = (void *)w.run[vcpu % NR];
			  run->s.regs.regs = regs.regs;
			  run->s.regs.sregs = regs.sregs;
			  run->kvm_valid_regs = SYNC_ALL;
			  run->kvm_dirty_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS);
	}
}

static void op_kvm_other(struct fuzzer *f)
{
	static const unsigned long get[] = {
		KVM_GET_REGS, KVM_GET_SREGS, KVM_GET_FPU, KVM_GET_DEBUGREGS,
		KVM_GET_MP_STATE, KVM_GET_VCPU_EVENTS,
	};
	static const unsigned long set[] = {
		KVM_SET_REGS, KVM_SET_SREGS, KVM_SET_FPU, KVM_SET_DEBUGREGS,
		KVM_SET_MP_STATE, KVM_SET_VCPU_EVENTS,
	};
	u32 which = rnd(f, ARRAY_SIZE(get));
	int vcpu = slot(f, VCPU), other = slot(f, VCPU);
	u8 state[4096];

	if (say(f, "state %u of fd %d, into fd %d", which, vcpu, other))
		return;
	if (!ioctl(get_fd(vcpu), get[which], state))
		ioctl(get_fd(other), set[which], state);
}

/* ---- many ---- */

static void op_run_many(struct fuzzer *f)
{
	struct hlk_run_many *many = NEW(f, hlk_run_many);
	u32 nr = 1 + rnd(f, 4), size = sizeof(struct hlk_many_call), flags, i;
	struct hlk_many_call calls[4] = {};
	int dev = slot(f, DEV), hlk, vcpu;
	u64 at = array(f);

	for (i = 0; i < nr; i++) {
		hlk = slot(f, HLK);
		calls[i].run = (uintptr_t)a_run(f, &vcpu, &flags);
		calls[i].vm_fd = f->list ? hlk : get_fd(hlk);
		if (one_in(f, 40))
			calls[i].run = odd_number(f);
		calls[i].__reserved = one_in(f, 60);
	}
	if (one_in(f, 30))
		size = odd_number(f);
	flags = one_in(f, 3) ? HLK_RUN_MANY_STOP : 0;
	if (one_in(f, 30))
		nr = odd_number(f);
	if (say(f, "HLK_RUN_MANY(fd %d, %u calls, flags %#x)", dev, nr, flags))
		return;
	MAY_FAULT(memcpy((void *)at, calls, sizeof(calls)));
	MAY_FAULT(many->head.flags = flags;
		  many->calls = at;
		  many->nr_calls = nr;
		  many->call_size = size);
	ioctl(get_fd(dev), HLK_RUN_MANY, many);
}

const struct op call_ops[] = {
	{ "open", 1, op_open },
	{ "info", 1, op_info },
	{ "attach", 3, op_attach },
	{ "build", 3, op_build },
	{ "window_add", 3, op_window_add },
	{ "snapshot", 8, op_snapshot },
	{ "restore", 12, op_restore },
	{ "run", 8, op_run },
	{ "kick", 3, op_kick },
	{ "translate", 3, op_translate },
	{ "walk", 5, op_walk },
	{ "mark_cow", 4, op_mark_cow },
	{ "stats", 1, op_stats },
	{ "prefault", 4, op_prefault },
	{ "snapshot_info", 2, op_snapshot_info },
	{ "import", 4, op_import },
	{ "export", 2, op_export },
	{ "raw", 4, op_raw },
	{ "vm", 1, op_vm },
	{ "vcpu", 2, op_vcpu },
	{ "memslot", 4, op_memslot },
	{ "kvm_run", 8, op_kvm_run },
	{ "regs", 4, op_regs },
	{ "kvm_other", 2, op_kvm_other },
	{ "run_many", 6, op_run_many },
	{ "uring", 8, op_uring },
	{ "enter", 4, op_enter },
};

const u32 nr_call_ops = ARRAY_SIZE(call_ops);
