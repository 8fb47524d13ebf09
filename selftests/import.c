// SPDX-License-Identifier: GPL-2.0-only
/*
 * Snapshots out of the kernel and into it again: one that is made of files is the one that
 * they were made of, for guests that run from it, for who looks at it, and for
 * who takes it out once more. Its pages are read when they are touched, and what cannot
 * be read ends a guest and nothing else.
 */
#include <sys/stat.h>
#include <sys/wait.h>

#include "travel.h"
#include "harness.h"

#define LOOK	TRAVEL_LOOK
#define NR_LOOK	TRAVEL_NR_LOOK
#define SUM	TRAVEL_SUM
#define SPARSE	0x80000UL	/* each second page is zero */

FIXTURE(import) {
	struct tvm t;
	struct travel tr;
	struct travel again;
	int snap;
};

typedef FIXTURE_DATA(import) fixture;

FIXTURE_SETUP(import)
{
	struct tvm *t = &self->t;
	u32 i;

	t_begin();
	tvm_start(t, 0, 0);
	travel_guest(t);
	for (i = 0; i < NR_LOOK; i += 2)
		memset(tvm_at(t, SPARSE + i * PAGE), i + 1, PAGE);
	self->snap = hlk_snapshot_flat(t->hlk);
	t_must(self->snap >= 0);
	self->again.fd = -1;
	travel_out(&self->tr, self->snap, -1, travel_memfd());
	travel_seal(self->tr.fd);
}

FIXTURE_TEARDOWN(import)
{
	travel_end(&self->tr);
	travel_end(&self->again);
	close(self->snap);
	tvm_close(&self->t);
	EXPECT_EQ(0, t_end());
}

static void open_again(struct tvm *t)
{
	tvm_start(t, 0, 0);
}

TEST_F(import, runs_from_files_as_from_memory)
{
	struct tvm t;
	int snap;
	u32 i;

	snap = OK(travel_in(&self->tr, self->t.dev));
	EXPECT_EQ(0, travel_read(snap));
	/* who it was taken from is gone */
	close(self->snap);
	self->snap = -1;
	close(self->tr.fd);
	self->tr.fd = -1;
	open_again(&t);
	OK(hlk_restore(t.hlk, snap, NULL));
	for (i = 0; i < 1000; i++) {
		ASSERT_EQ(SUM, travel_call(&t));
		ASSERT_EQ(1, tvm_word(&t, LOOK));
		OK(hlk_restore_flags(t.hlk, -1, HLK_RESTORE_AUDIT, NULL));
	}
	EXPECT_LT(NR_LOOK, travel_read(snap));
	close(snap);
	ASSERT_EQ(SUM, travel_call(&t));
	tvm_close(&t);
}

TEST_F(import, nothing_is_read_that_nobody_touches)
{
	struct tvm t;
	int snap;

	snap = OK(travel_in(&self->tr, self->t.dev));
	open_again(&t);
	OK(hlk_restore(t.hlk, snap, NULL));
	/* the page that is always private, if it is in the file */
	EXPECT_GE(1, travel_read(snap));
	ASSERT_EQ(SUM, travel_call(&t));
	EXPECT_GE(NR_LOOK + 4, travel_read(snap));
	EXPECT_LE(NR_LOOK, travel_read(snap));
	tvm_close(&t);
	close(snap);
}

static bool same_extents(const struct travel *a, const struct travel *b)
{
	u32 i;

	if (a->in.nr_extents != b->in.nr_extents)
		return false;
	for (i = 0; i < a->in.nr_extents; i++)
		if (a->extents[i].gpa != b->extents[i].gpa ||
		    a->extents[i].bytes != b->extents[i].bytes ||
		    a->extents[i].source != b->extents[i].source ||
		    a->extents[i].leaves != b->extents[i].leaves)
			return false;
	return true;
}

static bool same_file(int a, int b)
{
	struct stat one, other;
	u8 *x, *y;
	bool same;

	t_must(!fstat(a, &one) && !fstat(b, &other));
	if (one.st_size != other.st_size)
		return false;
	x = mmap(NULL, one.st_size, PROT_READ, MAP_SHARED, a, 0);
	y = mmap(NULL, one.st_size, PROT_READ, MAP_SHARED, b, 0);
	t_must(x != MAP_FAILED && y != MAP_FAILED);
	same = !memcmp(x, y, one.st_size);
	munmap(x, one.st_size);
	munmap(y, one.st_size);
	return same;
}

TEST_F(import, what_comes_out_again_is_what_went_in)
{
	struct hlk_vcpu_image *a = self->tr.vcpus, *b = self->again.vcpus;
	int snap;

	snap = OK(travel_in(&self->tr, self->t.dev));
	travel_out(&self->again, snap, -1, travel_memfd());
	EXPECT_TRUE(same_extents(&self->tr, &self->again));
	EXPECT_TRUE(same_file(self->tr.fd, self->again.fd));
	EXPECT_EQ(self->tr.info.nr_windows, self->again.info.nr_windows);
	EXPECT_EQ(0, memcmp(self->tr.windows, self->again.windows, sizeof(self->tr.windows)));
	EXPECT_EQ(0, memcmp(self->tr.regs, self->again.regs, sizeof(self->tr.regs)));
	EXPECT_EQ(0, memcmp(self->tr.fpu, self->again.fpu, sizeof(self->tr.fpu)));
	b->regs = a->regs;
	b->fpu = a->fpu;
	EXPECT_EQ(0, memcmp(a, b, sizeof(*a)));
	EXPECT_NE(self->tr.info.id, self->again.info.id);
	EXPECT_EQ(0, self->again.info.parent_id);
	EXPECT_EQ(self->again.info.counts.pages, self->again.info.file_pages);
	close(snap);
}

TEST_F(import, a_layer_is_what_differs_from_its_parent)
{
	struct tvm *t = &self->t;
	int layer, base, snap;
	u32 i, own = 0, zero = 0;

	OK(hlk_restore(t->hlk, self->snap, NULL));
	ASSERT_EQ(SUM, travel_call(t));
	memset(tvm_at(t, SPARSE), 0, PAGE);
	layer = OK(hlk_snapshot_flat(t->hlk));
	travel_out(&self->again, layer, self->snap, travel_memfd());
	travel_seal(self->again.fd);
	EXPECT_EQ(self->tr.info.id, self->again.info.parent_id);
	for (i = 0; i < self->again.in.nr_extents; i++) {
		own += self->again.extents[i].source == HLK_EXTENT_ZERO ? 0 :
		       self->again.extents[i].bytes / PAGE;
		zero += self->again.extents[i].source == HLK_EXTENT_ZERO;
	}
	EXPECT_EQ(1, zero);
	EXPECT_GE(4, own);
	EXPECT_LE(2, own);
	base = OK(travel_in(&self->tr, t->dev));
	self->again.in.parent_fd = base;
	snap = OK(travel_in(&self->again, t->dev));
	close(base);
	OK(hlk_restore_flags(t->hlk, snap, HLK_RESTORE_AUDIT, NULL));
	EXPECT_EQ(1, tvm_word(t, LOOK));
	EXPECT_EQ(0, tvm_word(t, SPARSE));
	EXPECT_EQ(0x03030303, tvm_word(t, SPARSE + 2 * PAGE));
	ASSERT_EQ(SUM + 0, travel_call(t));
	EXPECT_EQ(2, tvm_word(t, LOOK));
	OK(hlk_restore_flags(t->hlk, layer, HLK_RESTORE_AUDIT, NULL));
	close(snap);
	close(layer);
}

/* Snapshots that are taken of who runs from files */
TEST_F(import, a_child_in_memory_of_one_in_files)
{
	struct hlk_snapshot_pages p = HLK_STRUCT(hlk_snapshot_pages);
	struct hlk_extent extent[8];
	int snap, child;
	struct tvm t;
	u32 i;

	snap = OK(travel_in(&self->tr, self->t.dev));
	open_again(&t);
	OK(hlk_restore(t.hlk, snap, NULL));
	ASSERT_EQ(SUM, travel_call(&t));
	child = OK(hlk_snapshot_flat(t.hlk));
	/* what it has of its parent's files is the same page, read or not */
	p.other_fd = snap;
	p.extents = (uintptr_t)extent;
	p.nr_extents = ARRAY_SIZE(extent);
	p.extent_size = sizeof(extent[0]);
	OK(hlk_call(child, HLK_SNAPSHOT_PAGES, &p));
	EXPECT_EQ(0, p.cursor);
	for (i = 0; i < p.nr_extents; i++)
		EXPECT_EQ(HLK_EXTENT_MEMORY, extent[i].source);
	EXPECT_LE(1, p.nr_extents);
	close(snap);
	OK(hlk_restore_flags(t.hlk, child, HLK_RESTORE_AUDIT, NULL));
	EXPECT_EQ(1, tvm_word(&t, LOOK));
	ASSERT_EQ(SUM, travel_call(&t));
	EXPECT_EQ(2, tvm_word(&t, LOOK));
	EXPECT_EQ(0x0f0f0f0f, tvm_word(&t, SPARSE + 14 * PAGE));
	close(child);
	tvm_close(&t);
}

#define TABLES	0xb0000UL

/*
 * A compact snapshot makes all anew but for pages that its guest only read: these are its
 * parent's, and the file's. They stay as long as it does, whoever else lets go of the file.
 */
TEST_F(import, a_compact_child_has_the_file_too)
{
	struct hlk_snapshot s = HLK_STRUCT(hlk_snapshot);
	const u32 rw = PTE_P | PTE_W;
	struct tvm_pt pt;
	struct tvm t;
	int snap;
	u32 i, root;

	snap = OK(travel_in(&self->tr, self->t.dev));
	open_again(&t);
	OK(hlk_restore(t.hlk, snap, NULL));
	ASSERT_EQ(0, tvm_complete_io(&t));
	pt = (struct tvm_pt){ &t, TABLES, rw };
	root = tvm_pt_page(&pt);
	tvm_pt_map(&pt, root, 0, 0, TABLES / PAGE, rw);
	tvm_pt_map(&pt, root, 0U - (u32)TVM_SCRATCH, TVM_SCRATCH_GPA, TVM_SCRATCH / PAGE, rw);
	tvm_set_paging(&t, TVM_CODE, root, 0);
	s.head.flags = HLK_SNAPSHOT_COMPACT | HLK_SNAPSHOT_HOST_COW;
	s.input_bytes = 0x4000;
	s.output_bytes = 0x4000;
	OK(hlk_snapshot(t.hlk, &s));
	OK(hlk_restore(t.hlk, s.out_fd, NULL));
	for (i = 0; i < 20; i++) {
		/* with its pages mapped the file would go, if nobody else had it */
		if (i == 5) {
			close(snap);
			close(self->tr.fd);
			self->tr.fd = -1;
		}
		ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&t));
		ASSERT_EQ(SUM, tvm_word(&t, tvm_gpa(&t, TVM_DATA)));
		OK(hlk_restore_flags(t.hlk, -1, HLK_RESTORE_AUDIT, NULL));
	}
	close(s.out_fd);
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&t));
	ASSERT_EQ(SUM, tvm_word(&t, tvm_gpa(&t, TVM_DATA)));
	tvm_close(&t);
}

static int import(fixture *self)
{
	int fd = travel_in(&self->tr, self->t.dev);

	if (fd >= 0)
		close(fd);
	return fd;
}

TEST_F(import, only_what_cannot_change_is_taken)
{
	struct hlk_source *source = &self->tr.source;
	int open_fd = source->fd;
	int pipes[2];

	source->fd = 1234;
	FAILS(EBADF, HLK_WHY_SOURCE_FD, import(self));
	source->fd = -1;
	FAILS(EBADF, HLK_WHY_SOURCE_FD, import(self));
	ASSERT_EQ(0, pipe(pipes));
	source->fd = pipes[0];
	FAILS(EBADF, HLK_WHY_SOURCE_FD, import(self));
	close(pipes[0]);
	close(pipes[1]);
	source->fd = open("/dev/zero", O_RDONLY);
	FAILS(EBADF, HLK_WHY_SOURCE_FD, import(self));
	close(source->fd);
	source->fd = open("/proc/self/mem", O_RDONLY);
	FAILS(ETXTBSY, HLK_WHY_SOURCE_MUTABLE, import(self));
	close(source->fd);
	source->fd = open("/", O_RDONLY | O_DIRECTORY);
	FAILS(EBADF, HLK_WHY_SOURCE_FD, import(self));
	close(source->fd);
	source->fd = open("/", O_PATH);
	FAILS(EBADF, HLK_WHY_SOURCE_FD, import(self));
	close(source->fd);
	source->fd = self->snap;
	FAILS(EBADF, HLK_WHY_SOURCE_FD, import(self));
	source->fd = open("/proc/self/exe", O_RDONLY);
	FAILS(ETXTBSY, HLK_WHY_SOURCE_MUTABLE, import(self));
	close(source->fd);
	source->fd = travel_memfd();
	FAILS(ETXTBSY, HLK_WHY_SOURCE_MUTABLE, import(self));
	ASSERT_EQ(0, fcntl(source->fd, F_ADD_SEALS, F_SEAL_WRITE));
	FAILS(ETXTBSY, HLK_WHY_SOURCE_MUTABLE, import(self));
	close(source->fd);
	source->fd = travel_memfd();
	ASSERT_EQ(0, fcntl(source->fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK));
	FAILS(ETXTBSY, HLK_WHY_SOURCE_MUTABLE, import(self));
	close(source->fd);
	source->fd = open_fd;
	source->__reserved = 1;
	FAILS(EOPNOTSUPP, HLK_WHY_RESERVED, import(self));
	source->__reserved = 0;
	self->tr.in.nr_sources = HLK_MAX_SOURCES + 1;
	FAILS(E2BIG, HLK_WHY_TOO_MANY_SOURCES, import(self));
	self->tr.in.nr_sources = 0;
	FAILS(EINVAL, HLK_WHY_EXTENT_SOURCE, import(self));
	self->tr.in.nr_sources = 1;
	OK(import(self));
}

TEST_F(import, extents_that_are_wrong)
{
	struct hlk_extent *e = self->tr.extents, was = *e;
	struct hlk_snapshot_import *in = &self->tr.in;
	struct hlk_info info;
	u64 size;

	ASSERT_LE(2, in->nr_extents);
	OK(hlk_info(self->t.dev, &info));
	e->gpa++;
	FAILS(EINVAL, HLK_WHY_EXTENT_ALIGN, import(self));
	*e = was;
	e->bytes = 0;
	FAILS(EINVAL, HLK_WHY_EXTENT_ALIGN, import(self));
	e->bytes = PAGE + 1;
	FAILS(EINVAL, HLK_WHY_EXTENT_ALIGN, import(self));
	e->bytes = 0ULL - PAGE;
	FAILS(EINVAL, HLK_WHY_EXTENT_RANGE, import(self));
	e->bytes = TVM_LOW + PAGE;
	FAILS(EINVAL, HLK_WHY_EXTENT_RANGE, import(self));
	*e = was;
	e->gpa = TVM_LOW;
	FAILS(EINVAL, HLK_WHY_EXTENT_RANGE, import(self));
	e->gpa = 0ULL - PAGE;
	FAILS(EINVAL, HLK_WHY_EXTENT_RANGE, import(self));
	*e = was;
	e->offset = 1;
	FAILS(EINVAL, HLK_WHY_EXTENT_ALIGN, import(self));
	size = lseek(self->tr.fd, 0, SEEK_END);
	e->offset = size;
	FAILS(EINVAL, HLK_WHY_EXTENT_FILE, import(self));
	EXPECT_EQ(size, t_where);
	e->offset = size - was.bytes + PAGE;
	FAILS(EINVAL, HLK_WHY_EXTENT_FILE, import(self));
	e->offset = 0ULL - PAGE;
	FAILS(EINVAL, HLK_WHY_EXTENT_FILE, import(self));
	*e = was;
	e->source = 1;
	FAILS(EINVAL, HLK_WHY_EXTENT_SOURCE, import(self));
	e->source = HLK_EXTENT_MEMORY;
	FAILS(EINVAL, HLK_WHY_EXTENT_SOURCE, import(self));
	*e = was;
	e->leaves = 1;
	FAILS(EINVAL, HLK_WHY_TABLES, import(self));
	*e = was;
	e[1].gpa = was.gpa;
	FAILS(EINVAL, HLK_WHY_EXTENT_ORDER, import(self));
	EXPECT_EQ(1, t_index);
	e[1] = was;
	e[1].gpa = was.gpa + was.bytes - PAGE;
	FAILS(EINVAL, HLK_WHY_EXTENT_ORDER, import(self));
	in->nr_extents = info.max_segments + 1;
	FAILS(E2BIG, HLK_WHY_TOO_MANY_EXTENTS, import(self));
	EXPECT_EQ(info.max_segments, t_where);
}

/* A window of a terabyte, and as many pages: of a hole in a file, of which nothing is read */
TEST_F(import, too_many_pages)
{
	struct hlk_window window = { .gpa = 1ULL << 32, .bytes = 1ULL << 39 };
	struct hlk_snapshot_import in = HLK_STRUCT(hlk_snapshot_import);
	struct hlk_extent extent = { .gpa = window.gpa, .bytes = window.bytes };
	struct hlk_source source = { .fd = travel_memfd() };

	ASSERT_EQ(0, ftruncate(source.fd, window.bytes));
	travel_seal(source.fd);
	in.parent_fd = -1;
	in.windows = (uintptr_t)&window;
	in.nr_windows = 1;
	in.window_size = sizeof(window);
	in.sources = (uintptr_t)&source;
	in.nr_sources = 1;
	in.source_size = sizeof(source);
	in.extents = (uintptr_t)&extent;
	in.nr_extents = 1;
	in.extent_size = sizeof(extent);
	FAILS(EDQUOT, HLK_WHY_TOO_MANY_PAGES, hlk_call(self->t.dev, HLK_SNAPSHOT_IMPORT, &in));
	extent.source = HLK_EXTENT_ZERO;
	OK(hlk_call(self->t.dev, HLK_SNAPSHOT_IMPORT, &in));
	close(in.out_fd);
	close(source.fd);
}

static int vcpu(fixture *self, const struct hlk_vcpu_image *good)
{
	int ret = import(self);

	self->tr.vcpus[0] = *good;
	return ret;
}

TEST_F(import, vcpus_that_no_processor_could_be)
{
	struct hlk_vcpu_image *v = self->tr.vcpus, was = *v;
	u32 *mxcsr = (u32 *)(self->tr.fpu[0] + 24), good;
	u64 *header = (u64 *)(self->tr.fpu[0] + 512);

	v->flags |= 0x80;
	FAILS(EOPNOTSUPP, HLK_WHY_FLAGS, vcpu(self, &was));
	v->__reserved[1] = 1;
	FAILS(EOPNOTSUPP, HLK_WHY_RESERVED, vcpu(self, &was));
	v->mp_state = 77;
	FAILS(EINVAL, HLK_WHY_VCPU_IMAGE, vcpu(self, &was));
	EXPECT_EQ(offsetof(struct hlk_vcpu_image, mp_state), t_where);
	v->ext_vector = 256;
	FAILS(EINVAL, HLK_WHY_VCPU_IMAGE, vcpu(self, &was));
	v->dr6 = 1ULL << 32;
	FAILS(EINVAL, HLK_WHY_VCPU_IMAGE, vcpu(self, &was));
	v->dr7 = 1ULL << 32;
	FAILS(EINVAL, HLK_WHY_VCPU_IMAGE, vcpu(self, &was));
	v->xcr0 = 0;
	FAILS(EINVAL, HLK_WHY_VCPU_IMAGE, vcpu(self, &was));
	v->xcr0 = 0x5;
	FAILS(EINVAL, HLK_WHY_VCPU_IMAGE, vcpu(self, &was));
	v->xcr0 = 0x27;
	FAILS(EINVAL, HLK_WHY_VCPU_IMAGE, vcpu(self, &was));
	v->xfd = 1;
	FAILS(EINVAL, HLK_WHY_VCPU_IMAGE, vcpu(self, &was));
	v->regs_bytes = 100;
	FAILS(EINVAL, HLK_WHY_VCPU_SIZE, vcpu(self, &was));
	v->regs = 1;
	FAILS_ERRNO(EFAULT, vcpu(self, &was) == -EFAULT ? (errno = EFAULT, -1) : 0);
	v->flags &= ~HLK_VCPU_FPU;
	FAILS(EINVAL, HLK_WHY_VCPU_IMAGE, vcpu(self, &was));
	v->flags &= ~HLK_VCPU_FPU;
	v->fpu_bytes = 0;
	OK(vcpu(self, &was));
	v->fpu_bytes = HLK_MAX_FPU + 1;
	FAILS(EINVAL, HLK_WHY_VCPU_FPU_IMAGE, vcpu(self, &was));
	v->fpu_bytes = 100;
	FAILS(EINVAL, HLK_WHY_VCPU_FPU_IMAGE, vcpu(self, &was));
	good = *mxcsr;
	*mxcsr |= 0x10000;
	FAILS(EINVAL, HLK_WHY_VCPU_FPU_IMAGE, vcpu(self, &was));
	EXPECT_EQ(24, t_where);
	*mxcsr = good;
	if (was.fpu_bytes > 576) {
		header[0] |= 1ULL << 62;
		FAILS(EINVAL, HLK_WHY_VCPU_FPU_IMAGE, vcpu(self, &was));
		header[0] &= ~(1ULL << 62);
		header[2] = 1;
		FAILS(EINVAL, HLK_WHY_VCPU_FPU_IMAGE, vcpu(self, &was));
		header[2] = 0;
		header[1] ^= 1;
		FAILS(EINVAL, HLK_WHY_VCPU_FPU_IMAGE, vcpu(self, &was));
		header[1] ^= 1;
	}
	OK(vcpu(self, &was));
}

/* Only an APIC in the kernel wakes who waits: without one a guest would wait for ever. */
TEST_F(import, who_waits_has_an_apic)
{
	static const u32 states[] = {
		KVM_MP_STATE_HALTED, KVM_MP_STATE_UNINITIALIZED, KVM_MP_STATE_INIT_RECEIVED,
		KVM_MP_STATE_AP_RESET_HOLD,
	};
	struct kvm_mp_state now;
	struct tvm apic;
	int snap;
	u32 i;

	tvm_open_irqchip(&apic);
	tvm_machine(&apic, 0, 0);
	for (i = 0; i < ARRAY_SIZE(states); i++) {
		self->tr.vcpus[0].mp_state = states[i];
		snap = OK(travel_in(&self->tr, self->t.dev));
		FAILS(EMEDIUMTYPE, HLK_WHY_VCPU_REFUSED, hlk_restore(self->t.hlk, snap, NULL));
		EXPECT_EQ(HLK_REFUSED_MP_STATE, t_where);
		OK(hlk_restore(apic.hlk, snap, NULL));
		ASSERT_EQ(0, ioctl(apic.vcpu, KVM_GET_MP_STATE, &now));
		EXPECT_EQ(states[i], now.mp_state);
		close(snap);
	}
	ASSERT_EQ(SUM, travel_call(&self->t));
	tvm_close(&apic);
}

/* The hot set comes along, and a new sandbox is ready for it, pages read too. */
TEST_F(import, a_hot_set_comes_along)
{
	struct hlk_prefault p = HLK_STRUCT(hlk_prefault);
	struct hlk_touched runs[64];
	struct travel *tr = &self->again;
	struct hlk_vm_stats stats;
	struct tvm *t = &self->t;
	int snap;
	u64 read;
	u32 i;

	OK(hlk_restore(t->hlk, self->snap, NULL));
	ASSERT_EQ(SUM, travel_call(t));
	travel_out(tr, self->snap, -1, travel_memfd());
	travel_seal(tr->fd);
	ASSERT_LE(2, tr->in.nr_touched);
	snap = OK(travel_in(tr, t->dev));
	OK(hlk_restore(t->hlk, snap, NULL));
	p.runs = (uintptr_t)runs;
	p.nr_runs = ARRAY_SIZE(runs);
	p.run_size = sizeof(runs[0]);
	OK(hlk_call(t->hlk, HLK_PREFAULT, &p));
	EXPECT_EQ(tr->in.nr_touched, p.nr_runs);
	for (i = 0; i < p.nr_runs; i++)
		EXPECT_EQ(tr->touched[i].gpa, runs[i].gpa);
	read = travel_read(snap);
	EXPECT_LE(2, read);
	ASSERT_EQ(SUM, travel_call(t));
	OK(hlk_stats(t->hlk, &stats));
	EXPECT_EQ(read, travel_read(snap));
	close(snap);
	/* wrong ones */
	tr->touched[0].gpa++;
	FAILS(EINVAL, HLK_WHY_TOUCHED, travel_in(tr, t->dev));
	tr->touched[0].gpa = TVM_LOW - PAGE;
	tr->touched[0].pages = 2;
	FAILS(EINVAL, HLK_WHY_TOUCHED, travel_in(tr, t->dev));
	tr->touched[0].gpa = 0;
	tr->touched[0].pages = 1ULL << 52;
	FAILS(EINVAL, HLK_WHY_TOUCHED, travel_in(tr, t->dev));
}

TEST_HARNESS_MAIN
