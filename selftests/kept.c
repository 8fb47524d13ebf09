// SPDX-License-Identifier: GPL-2.0-only
/*
 * Segment and control registers that a restore leaves out, because the vCPU has them
 * already: whatever changed them, the next call has those of the snapshot. Each call
 * says what it found, then changes something.
 *
 * KEPT_TURNS= is how many calls there are while another thread has the vCPU, too.
 */
#include <pthread.h>
#include <sched.h>
#include <time.h>

#include "state.h"
#include "harness.h"

#define WHAT	0x21000U	/* what the call changes at its end */
#define REPORT	0x30000U
#define WORDS	0x31000U	/* each word says where it is */
#define GDT	0x32000U
#define TSS	0x33000U
#define MOVED	0x40U		/* base of the segments that are moved */

#define MSR_FS_BASE	0xc0000100
#define MSR_GS_BASE	0xc0000101

GUEST(look, "	mov $0x30000, %edi\n"
	    "	cld\n"
	    "	xor %eax, %eax\n"
	    "	mov %ds, %ax\n	stosl\n"
	    "	mov %es, %ax\n	stosl\n"
	    "	mov %fs, %ax\n	stosl\n"
	    "	mov %gs, %ax\n	stosl\n"
	    "	mov %ss, %ax\n	stosl\n"
	    "	mov %cs, %ax\n	stosl\n"
	    "	str %ax\n	stosl\n"
	    "	sldt %ax\n	stosl\n"
	    "	mov %cr0, %eax\n	stosl\n"
	    "	mov %cr2, %eax\n	stosl\n"
	    "	mov %cr3, %eax\n	stosl\n"
	    "	mov %cr4, %eax\n	stosl\n"
	    "	movl $0, 4(%edi)\n"
	    "	sgdt (%edi)\n	add $8, %edi\n"
	    "	movl $0, 4(%edi)\n"
	    "	sidt (%edi)\n	add $8, %edi\n"
	    "	mov %fs:0x31000, %eax\n	stosl\n"
	    "	mov %gs:0x31000, %eax\n	stosl\n"
	    "	mov %ss:0x31000, %eax\n	stosl\n"
	    "	mov 0x31000, %eax\n	stosl\n"
	    "	mov 0x21000, %ecx\n"
	    "	mov $0x18, %eax\n"
	    "	cmp $1, %ecx\n	jne 1f\n	mov %eax, %ds\n"
	    "1:	cmp $2, %ecx\n	jne 1f\n	mov %eax, %es\n"
	    "1:	cmp $3, %ecx\n	jne 1f\n	mov %eax, %fs\n"
	    "1:	cmp $4, %ecx\n	jne 1f\n	mov %eax, %gs\n"
	    "1:	cmp $5, %ecx\n	jne 1f\n	mov %eax, %ss\n"
	    "1:	cmp $6, %ecx\n	jne 1f\n	lgdt 0x32100\n"
	    "1:	cmp $7, %ecx\n	jne 1f\n	lidt 0x32100\n"
	    "1:	cmp $8, %ecx\n	jne 1f\n	mov %eax, %cr2\n"
	    "1:	cmp $9, %ecx\n	jne 1f\n	mov %cr0, %eax\n	or $8, %eax\n	mov %eax, %cr0\n"
	    "1:	cmp $10, %ecx\n	jne 1f\n	mov $0x10, %eax\n	mov %eax, %cr4\n"
	    "1:	cmp $11, %ecx\n	jne 1f\n	mov $0x20, %eax\n	ltr %ax\n"
	    "1:	cmp $12, %ecx\n	jne 1f\n	mov $0x28, %eax\n	lldt %ax\n"
	    "1:	cmp $13, %ecx\n	jne 1f\n	mov $0x5000, %eax\n	mov %eax, %cr3\n"
	    "1:	cmp $14, %ecx\n	jne 1f\n	push $0x30\n	call 2f\n"
	    "2:	addl $(1f - 2b), (%esp)\n	lret\n"
	    "1:	cmp $15, %ecx\n	jne 1f\n	mov $20000, %ecx\n"
	    "2:	dec %ecx\n	jnz 2b\n"
	    "1:	hlt\n	jmp 1b\n");

#define CHANGES	15	/* the last takes its time, and changes nothing */
#define FOUND	20	/* words of a report */

static const u64 gdt[] = {
	0,
	0x00cf9b000000ffffULL,		/* 0x08: code */
	0x00cf93000000ffffULL,		/* 0x10: data */
	0x00cf93000040ffffULL,		/* 0x18: data at MOVED */
	0x0000890330000067ULL,		/* 0x20: a TSS at TSS */
	0x0000820330400007ULL,		/* 0x28: an LDT */
	0x00cf9b000000ffffULL,		/* 0x30: code, too */
};

struct found {
	u32 word[FOUND];
};

FIXTURE(kept) {
	struct tvm t;
	int snap;
	struct found good;
	struct kvm_sregs sregs;
	u32 what;
	struct hlk_segment in;
	struct hlk_run run;
};

typedef FIXTURE_DATA(kept) fixture;

static long call(struct __test_metadata *_metadata, fixture *self, u32 what)
{
	self->what = what;
	self->run.head.flags = 0;
	return hlk_call(self->t.hlk, HLK_RUN, &self->run);
}

static struct found found(struct tvm *t)
{
	struct found f;

	memcpy(&f, tvm_at(t, REPORT), sizeof(f));
	return f;
}

static u64 nr_kept(struct tvm *t)
{
	struct hlk_vm_stats stats = HLK_STRUCT(hlk_vm_stats);

	t_must(!hlk_stats(t->hlk, &stats));
	return stats.kept;
}

static void same_as(struct __test_metadata *_metadata, fixture *self,
		    const struct found *good, u32 after)
{
	struct found f = found(&self->t);
	u32 w;

	for (w = 0; w < FOUND; w++)
		ASSERT_EQ(good->word[w], f.word[w]) {
			TH_LOG("word %u after %u", w, after);
		}
}

/*
 * A call that finds the snapshot's registers, and was or was not spared their load. It is not
 * where the task was away from its CPU in the call before, so that is tried again.
 */
static void finds(struct __test_metadata *_metadata, fixture *self,
		  const struct found *good, u64 kept, u32 after)
{
	u64 before, now;
	int tries = 20;

	do {
		before = nr_kept(&self->t);
		memset(tvm_at(&self->t, REPORT), 0, sizeof(struct found));
		OK(call(_metadata, self, 0));
		ASSERT_EQ(KVM_EXIT_HLT, self->run.exit_reason);
		same_as(_metadata, self, good, after);
		now = nr_kept(&self->t) - before;
	} while (kept && !now && --tries);
	ASSERT_EQ(kept, now) {
		TH_LOG("after %u", after);
	}
}

#define CALL_FINDS(good, kept, after)	finds(_metadata, self, &(good), kept, after)

static void start(fixture *self)
{
	struct kvm_sync_regs regs;
	u32 i;

	tvm_start(&self->t, 0, 0);
	tvm_load(&self->t, TVM_CODE, look);
	memcpy(tvm_at(&self->t, GDT), gdt, sizeof(gdt));
	memcpy(tvm_at(&self->t, GDT + 0x100), "\x37\0\0\x21\3\0", 6);
	for (i = 0; i < PAGE; i += 4)
		*(u32 *)tvm_at(&self->t, WORDS + i) = WORDS + i;
	tvm_flat(&regs, TVM_CODE, TVM_STACK);
	regs.sregs.gdt.base = GDT;
	regs.sregs.gdt.limit = sizeof(gdt) - 1;
	tvm_set_regs(&self->t, &regs);
}

FIXTURE_SETUP(kept)
{
	t_begin();
	start(self);
	self->snap = OK(hlk_snapshot_flat(self->t.hlk));
	OK(hlk_restore(self->t.hlk, self->snap, NULL));
	self->in = (struct hlk_segment){
		.gpa = WHAT, .bytes = 4, .data = (uintptr_t)&self->what,
	};
	self->run = (struct hlk_run)HLK_STRUCT(hlk_run);
	self->run.vcpu_fd = self->t.vcpu;
	self->run.inputs = (uintptr_t)&self->in;
	self->run.nr_inputs = 1;
	self->run.input_size = sizeof(self->in);
	OK(call(_metadata, self, 0));
	self->good = found(&self->t);
	ASSERT_EQ(WORDS, self->good.word[18]);
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_GET_SREGS, &self->sregs));
}

FIXTURE_TEARDOWN(kept)
{
	close(self->snap);
	tvm_close(&self->t);
	EXPECT_EQ(0, t_end());
}

TEST_F(kept, registers_that_nobody_changed)
{
	u32 i;

	CALL_FINDS(self->good, 0, 0);
	for (i = 0; i < 10; i++)
		CALL_FINDS(self->good, 1, 0);
	/* who restores by itself may set registers before it enters */
	OK(hlk_restore(self->t.hlk, -1, NULL));
	ASSERT_EQ(SYNC_ALL, self->t.run->kvm_dirty_regs);
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
	same_as(_metadata, self, &self->good, 0);
	CALL_FINDS(self->good, 0, 0);
	CALL_FINDS(self->good, 1, 0);
}

static void changes(struct __test_metadata *_metadata, fixture *self, u64 kept)
{
	struct kvm_sregs sregs;
	u32 what;

	for (what = 1; what <= CHANGES; what++) {
		CALL_FINDS(self->good, 0, what);
		CALL_FINDS(self->good, kept, what);
		OK(call(_metadata, self, what));
		ASSERT_EQ(KVM_EXIT_HLT, self->run.exit_reason);
		if (what == CHANGES)
			break;
		CALL_FINDS(self->good, 0, what);
		ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_GET_SREGS, &sregs));
	}
}

TEST_F(kept, what_the_guest_changes_comes_back)
{
	changes(_metadata, self, 1);
}

/* An AMD processor leaves them in memory, where the module looks itself. */
static u64 svm(void)
{
	return !access("/sys/module/kvm_amd", F_OK);
}

TEST_F(kept, where_kvm_stores_none)
{
	self->t.run->kvm_valid_regs = 0;
	changes(_metadata, self, svm());
}

/* It is enough that the first calls say how they are when they are right. */
TEST_F(kept, a_guest_that_seldom_leaves_them)
{
	u32 i;

	self->t.run->kvm_valid_regs = 0;
	OK(hlk_restore(self->t.hlk, self->snap, NULL));
	for (i = 0; i < 40; i++)
		OK(call(_metadata, self, i % CHANGES + 1));
	for (i = 0; i < 40; i++)
		OK(call(_metadata, self, 0));
	CALL_FINDS(self->good, svm(), 0);
	OK(call(_metadata, self, 3));
	CALL_FINDS(self->good, 0, 3);
}

static int set_msr(struct tvm *t, u32 index, u64 data)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msrs = { .head.nmsrs = 1, .entry = { .index = index, .data = data } };

	return ioctl(t->vcpu, KVM_SET_MSRS, &msrs) == 1 ? 0 : -1;
}

static int set_sregs(struct tvm *t, const struct kvm_sregs *good, u32 which)
{
	struct kvm_sregs sregs = *good;

	switch (which) {
	case 0:
		sregs.fs.base = MOVED;
		break;
	case 1:
		sregs.gs.selector = 0x18;
		break;
	case 2:
		sregs.cr2 = 0x1234;
		break;
	case 3:
		sregs.cr4 |= 0x10;
		break;
	case 4:
		sregs.idt.base = 0x7000;
		break;
	}
	return ioctl(t->vcpu, KVM_SET_SREGS, &sregs);
}

/* All that sets something of a vCPU, and some of what only looks. -1: there is none. */
static int by_ioctl(struct tvm *t, const struct kvm_sregs *good, struct state *s, u32 nr)
{
	struct kvm_guest_debug debug = {};
	struct kvm_sregs2 sregs2;
	int ret;

	switch (nr) {
	case 0 ... 4:
		return set_sregs(t, good, nr);
	case 5:
		return set_msr(t, MSR_FS_BASE, MOVED);
	case 6:
		return set_msr(t, MSR_GS_BASE, MOVED);
	case 7:
		if (ioctl(t->vcpu, KVM_GET_SREGS2, &sregs2))
			return -1;
		sregs2.fs.base = MOVED;
		return ioctl(t->vcpu, KVM_SET_SREGS2, &sregs2);
	case 8:
		return ioctl(t->vcpu, KVM_SET_REGS, &s->regs);
	case 9:
		return ioctl(t->vcpu, KVM_SET_VCPU_EVENTS, &s->events);
	case 10:
		return ioctl(t->vcpu, KVM_SET_DEBUGREGS, &s->debug);
	case 11:
		return ioctl(t->vcpu, KVM_SET_MP_STATE, &s->mp);
	case 12:
		return ioctl(t->vcpu, KVM_SET_XCRS, &s->xcrs);
	case 13:
		return ioctl(t->vcpu, KVM_SET_FPU, &s->fpu);
	case 14:
		return ioctl(t->vcpu, KVM_SET_XSAVE, &s->xsave);
	case 15:
		return ioctl(t->vcpu, KVM_SET_GUEST_DEBUG, &debug);
	case 16:
		t->run->s.regs.sregs = *good;
		t->run->s.regs.sregs.fs.base = MOVED;
		t->run->kvm_dirty_regs = KVM_SYNC_X86_SREGS;
		ret = tvm_complete_io(t);
		return ret;
	case 17:
		return ioctl(t->vcpu, KVM_GET_REGS, &s->regs);
	}
	return -1;
}

#define IOCTLS	18

TEST_F(kept, what_an_ioctl_changes_comes_back)
{
	static struct state s;
	u32 i;

	get_state(&self->t, &s);
	for (i = 0; i < IOCTLS; i++) {
		CALL_FINDS(self->good, 0, i);
		CALL_FINDS(self->good, 1, i);
		ASSERT_EQ(0, by_ioctl(&self->t, &self->sregs, &s, i)) {
			TH_LOG("%u: %s", i, strerror(errno));
		}
		CALL_FINDS(self->good, 0, i);
		ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_GET_REGS, &s.regs));
	}
}

/* struct kvm_run is memory of user space. */
TEST_F(kept, what_is_written_to_kvm_run_is_not_believed)
{
	struct kvm_run *run = self->t.run;

	/* as if the guest had changed nothing */
	OK(call(_metadata, self, 3));
	run->s.regs.sregs = self->sregs;
	run->kvm_dirty_regs = 0;
	CALL_FINDS(self->good, 0, 3);
	/* as if it had, and is to be loaded or not */
	CALL_FINDS(self->good, 1, 0);
	memset(&run->s.regs.sregs, 0xff, sizeof(run->s.regs.sregs));
	run->kvm_dirty_regs = 0;
	CALL_FINDS(self->good, 1, 0);
	memset(&run->s.regs.sregs, 0xff, sizeof(run->s.regs.sregs));
	run->kvm_dirty_regs = SYNC_ALL;
	CALL_FINDS(self->good, 1, 0);
	ASSERT_EQ(0, memcmp(&run->s.regs.sregs, &self->sregs, sizeof(self->sregs)));
	/* what KVM did not store is what the restore left there */
	run->kvm_valid_regs = KVM_SYNC_X86_REGS;
	OK(call(_metadata, self, 3));
	CALL_FINDS(self->good, 0, 3);
	CALL_FINDS(self->good, svm(), 0);
	OK(call(_metadata, self, 3));
	run->kvm_valid_regs = SYNC_ALL;
	CALL_FINDS(self->good, 0, 3);
	CALL_FINDS(self->good, 1, 0);
}

TEST_F(kept, another_snapshot_is_loaded)
{
	struct found other;
	int snap;

	ASSERT_EQ(0, set_sregs(&self->t, &self->sregs, 0));
	self->t.run->kvm_dirty_regs = 0;
	ASSERT_EQ(0, tvm_complete_io(&self->t));
	OK(hlk_restore(self->t.hlk, self->snap, NULL));
	ASSERT_EQ(0, tvm_complete_io(&self->t));
	ASSERT_EQ(0, set_sregs(&self->t, &self->sregs, 0));
	snap = OK(hlk_snapshot_flat(self->t.hlk));
	OK(hlk_restore(self->t.hlk, snap, NULL));
	OK(call(_metadata, self, 0));
	other = found(&self->t);
	ASSERT_EQ(WORDS + MOVED, other.word[16]);

	CALL_FINDS(other, 1, 0);
	OK(hlk_restore(self->t.hlk, self->snap, NULL));
	CALL_FINDS(self->good, 0, 0);
	CALL_FINDS(self->good, 1, 0);
	OK(hlk_restore(self->t.hlk, snap, NULL));
	CALL_FINDS(other, 0, 0);
	CALL_FINDS(other, 1, 0);
	close(snap);
}

/* Each of the hlk VMs of one KVM VM has its own snapshot. */
TEST_F(kept, two_of_one_kvm_vm)
{
	struct hlk_run run = self->run;
	struct kvm_sync_regs regs;
	int hlk, snap;

	hlk = OK(hlk_attach(self->t.dev, self->t.vm, 0, 0));
	tvm_flat(&regs, TVM_CODE, TVM_STACK);
	regs.sregs = self->sregs;
	regs.sregs.fs.base = MOVED;
	tvm_set_regs(&self->t, &regs);
	snap = OK(hlk_snapshot_flat(hlk));
	OK(hlk_restore(hlk, snap, NULL));
	CALL_FINDS(self->good, 0, 0);
	CALL_FINDS(self->good, 1, 0);
	/* its snapshot has registers alone, and it leaves the memory as it is */
	run.nr_inputs = 0;
	OK(hlk_call(hlk, HLK_RUN, &run));
	ASSERT_EQ(KVM_EXIT_HLT, run.exit_reason);
	ASSERT_EQ(WORDS + MOVED, found(&self->t).word[16]);
	CALL_FINDS(self->good, 0, 0);
	CALL_FINDS(self->good, 1, 0);
	OK(hlk_call(hlk, HLK_RUN, &run));
	ASSERT_EQ(WORDS + MOVED, found(&self->t).word[16]);
	CALL_FINDS(self->good, 0, 0);
	close(snap);
	close(hlk);
}

/* Goes over to what the vCPU has now. */
static int over(fixture *self)
{
	int snap = hlk_snapshot_flat(self->t.hlk);

	t_must(snap >= 0);
	t_must(!hlk_restore(self->t.hlk, snap, NULL));
	return snap;
}

#define PDPT	0x40000U
#define PD	0x41000U

/* The processor may have more than the registers say: a table that CR3 loaded. */
TEST_F(kept, not_with_pae)
{
	struct kvm_sync_regs regs;
	struct found pae;
	u64 *pd = (void *)tvm_at(&self->t, PD);
	int snap;
	u32 i;

	*(u64 *)tvm_at(&self->t, PDPT) = PD | 1;
	for (i = 0; i < 512; i++)
		pd[i] = (u64)i << 21 | 0xe3;
	tvm_flat(&regs, TVM_CODE, TVM_STACK);
	regs.sregs = self->sregs;
	regs.sregs.cr3 = PDPT;
	regs.sregs.cr4 |= 0x20;
	regs.sregs.cr0 |= 0x80000000;
	tvm_set_regs(&self->t, &regs);
	snap = over(self);
	OK(call(_metadata, self, 0));
	ASSERT_EQ(KVM_EXIT_HLT, self->run.exit_reason);
	pae = found(&self->t);
	ASSERT_EQ(PDPT, pae.word[10]);
	for (i = 0; i < 10; i++)
		CALL_FINDS(pae, 0, 0);
	close(snap);
}

/* ---- two roots ---- */

/* Say what CR3 is and what it leads to, then go over to another, if there is one. */
GUEST(roots, "1:	mov %cr3, %eax\n"
	     "	mov %eax, 0x30000\n"
	     "	mov 0x400000, %eax\n"
	     "	mov %eax, 0x30004\n"
	     "	mov 0x21000, %eax\n"
	     "	test %eax, %eax\n"
	     "	jz 2f\n"
	     "	mov %eax, %cr3\n"
	     "2:	hlt\n"
	     "	jmp 1b\n");

#define ROOT_VA		0x400000U	/* differs between the roots */
#define ROOT_TABLES	0x40000U
#define ROOT_PAGE(r)	(0x50000U + (r) * PAGE)

/* Goes over to a vCPU that begins with the first of them. */
static int with_roots(fixture *self, u32 root[2])
{
	struct tvm_pt pt = { &self->t, ROOT_TABLES, PTE_P | PTE_W };
	struct kvm_sync_regs regs;
	u32 r;

	for (r = 0; r < 2; r++) {
		root[r] = tvm_pt_page(&pt);
		tvm_pt_map(&pt, root[r], 0, 0, TVM_LOW / PAGE, PTE_P | PTE_W);
		tvm_pt_map(&pt, root[r], ROOT_VA, ROOT_PAGE(r), 1, PTE_P | PTE_W);
		*(u32 *)tvm_at(&self->t, ROOT_PAGE(r)) = 0xabc0 + r;
	}
	tvm_load(&self->t, TVM_CODE, roots);
	tvm_flat(&regs, TVM_CODE, TVM_STACK);
	regs.sregs = self->sregs;
	regs.sregs.cr3 = root[0];
	regs.sregs.cr0 |= 0x80000000;
	tvm_set_regs(&self->t, &regs);
	return over(self);
}

static void finds_root(struct __test_metadata *_metadata, fixture *self, const u32 *root, u32 r)
{
	ASSERT_EQ(root[r], tvm_word(&self->t, REPORT));
	ASSERT_EQ(0xabc0 + r, tvm_word(&self->t, REPORT + 4));
}

#define FINDS_ROOT(root, r)	finds_root(_metadata, self, root, r)

/* HLT goes to user space the short way, on which KVM may not look at what CR3 is now. */
TEST_F(kept, another_root_before_hlt)
{
	u32 root[2], i;
	int snap;

	snap = with_roots(self, root);
	for (i = 0; i < 20; i++) {
		OK(call(_metadata, self, root[1]));
		ASSERT_EQ(KVM_EXIT_HLT, self->run.exit_reason);
		FINDS_ROOT(root, 0);
		if (i % 3)
			OK(call(_metadata, self, 0));
	}
	/* and by calls of their own */
	OK(call(_metadata, self, root[1]));
	OK(hlk_restore(self->t.hlk, -1, NULL));
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
	FINDS_ROOT(root, 0);
	close(snap);
}

TEST_F(kept, a_snapshot_with_another_root)
{
	struct hlk_translate tr = {};
	u32 root[2];
	int snap, child;

	snap = with_roots(self, root);
	OK(call(_metadata, self, root[1]));
	ASSERT_EQ(KVM_EXIT_HLT, self->run.exit_reason);
	OK(hlk_translate(self->t.hlk, HLK_ROOT_CR3, ROOT_VA, &tr));
	ASSERT_EQ(ROOT_PAGE(1), tr.gpa);
	child = over(self);
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
	FINDS_ROOT(root, 1);
	OK(call(_metadata, self, root[0]));
	FINDS_ROOT(root, 1);
	OK(call(_metadata, self, 0));
	FINDS_ROOT(root, 1);
	/* KVM_RUN, not HLK_RUN; and what is set is newer than what was run with */
	OK(hlk_restore(self->t.hlk, snap, NULL));
	*(u32 *)tvm_at(&self->t, WHAT) = root[1];
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_GET_SREGS, &self->sregs));
	self->sregs.cr3 = root[0];
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_SET_SREGS, &self->sregs));
	memset(&tr, 0, sizeof(tr));
	OK(hlk_translate(self->t.hlk, HLK_ROOT_CR3, ROOT_VA, &tr));
	ASSERT_EQ(ROOT_PAGE(0), tr.gpa);
	close(child);
	child = over(self);
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
	FINDS_ROOT(root, 0);
	close(child);
	close(snap);
}

/* Nor where KVM has yet another mode of its own */
TEST_F(kept, not_in_smm)
{
	struct kvm_userspace_memory_region slot = {
		.slot = 1 << 16 | 7, .memory_size = TVM_LOW,
		.userspace_addr = (uintptr_t)tvm_at(&self->t, 0),
	};
	struct kvm_vcpu_events smm = {
		.flags = KVM_VCPUEVENT_VALID_SMM, .smi.smm = 1,
	};
	struct kvm_sync_regs regs;
	int snap;
	u32 i;

	if (ioctl(self->t.vm, KVM_CHECK_EXTENSION, KVM_CAP_X86_SMM) <= 0)
		SKIP(return, "no SMM");
	ASSERT_EQ(0, ioctl(self->t.vm, KVM_SET_USER_MEMORY_REGION, &slot));
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_SET_VCPU_EVENTS, &smm));
	tvm_flat(&regs, TVM_CODE, TVM_STACK);
	regs.sregs = self->sregs;
	tvm_set_regs(&self->t, &regs);
	if (!svm()) {
		/* it may have been in VMX operation */
		FAILS(EOPNOTSUPP, HLK_WHY_NESTED, hlk_snapshot_flat(self->t.hlk));
		return;
	}
	snap = over(self);
	for (i = 0; i < 10; i++)
		CALL_FINDS(self->good, 0, 0);
	ASSERT_EQ(1, self->t.run->s.regs.events.smi.smm);
	close(snap);
}

/* Who enters then does it by other calls, and may set registers before. */
TEST_F(kept, a_run_that_ends_before_the_guest)
{
	CALL_FINDS(self->good, 0, 0);
	self->run.deadline_ns = 1;
	ASSERT_EQ(-ETIMEDOUT, call(_metadata, self, 0));
	ASSERT_EQ(HLK_DONE_RESTORED | HLK_DONE_INPUT, self->run.done);
	ASSERT_EQ(SYNC_ALL, self->t.run->kvm_dirty_regs);
	self->run.deadline_ns = 0;
	self->t.run->s.regs.sregs.fs.base = MOVED;
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
	ASSERT_EQ(WORDS + MOVED, found(&self->t).word[16]);
	CALL_FINDS(self->good, 0, 0);

	self->in.data = 0;
	ASSERT_EQ(-EFAULT, call(_metadata, self, 0));
	ASSERT_EQ(HLK_DONE_RESTORED, self->run.done);
	ASSERT_EQ(SYNC_ALL, self->t.run->kvm_dirty_regs);
	self->in.data = (uintptr_t)&self->what;
	CALL_FINDS(self->good, 1, 0);
}

/* ---- another thread has the vCPU, too ---- */

struct other {
	struct tvm *t;
	const struct kvm_sregs *good;
	int cpu;
	bool first;
	bool stop;
	u32 seq;	/* odd: it is at the vCPU */
	u32 calls;
};

static void on_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	t_must(!sched_setaffinity(0, sizeof(set), &set));
}

static void *meddle(void *arg)
{
	struct sched_param param = { .sched_priority = 10 };
	struct timespec rest = {};
	struct other *o = arg;
	static struct state s;
	u32 seed = t_seed();

	on_cpu(o->cpu);
	if (o->first)
		t_must(!sched_setscheduler(0, SCHED_FIFO, &param));
	while (!__atomic_load_n(&o->stop, __ATOMIC_SEQ_CST)) {
		__atomic_add_fetch(&o->seq, 1, __ATOMIC_SEQ_CST);
		/* runs, sets, looks: not what depends on the state that it finds */
		switch (t_rnd(&seed) % 8) {
		case 0:
			ioctl(o->t->vcpu, KVM_RUN, 0);
			break;
		case 1:
			ioctl(o->t->vcpu, KVM_GET_SREGS, &s.sregs);
			break;
		case 2:
			ioctl(o->t->vcpu, KVM_GET_REGS, &s.regs);
			break;
		case 3:
			set_msr(o->t, MSR_GS_BASE, MOVED);
			break;
		default:
			set_sregs(o->t, o->good, t_rnd(&seed) % 5);
		}
		__atomic_add_fetch(&o->seq, 1, __ATOMIC_SEQ_CST);
		o->calls++;
		rest.tv_nsec = t_rnd(&seed) % 300000;
		nanosleep(&rest, NULL);
	}
	return NULL;
}

/*
 * What the thread sets while a call is under way may be there in that call, as its FPU
 * would be. A call that it did not come into has nothing of it.
 */
static void turns(struct __test_metadata *_metadata, fixture *self,
		  int cpu, bool first)
{
	const char *text = getenv("KEPT_TURNS");
	struct other o = { .t = &self->t, .good = &self->sregs, .cpu = cpu, .first = first };
	u32 nr = text ? strtoul(text, NULL, 0) : 3000;
	u32 alone = 0, i, before;
	u32 seed = t_seed();
	pthread_t thread;
	u64 kept;
	long ret;

	on_cpu(0);
	kept = nr_kept(&self->t);
	t_must(!pthread_create(&thread, NULL, meddle, &o));
	/* on a busy machine the other may be in the middle of a call for long */
	for (i = 0; i < nr || (!alone && i < 20 * nr); i++) {
		before = __atomic_load_n(&o.seq, __ATOMIC_SEQ_CST);
		ret = call(_metadata, self, t_rnd(&seed) % 4 ? CHANGES * (t_rnd(&seed) % 2) :
					    t_rnd(&seed) % CHANGES);
		/* the other runs it */
		if (ret == -EBUSY)
			continue;
		OK(ret);
		if (before % 2 || before != __atomic_load_n(&o.seq, __ATOMIC_SEQ_CST))
			continue;
		alone++;
		same_as(_metadata, self, &self->good, self->what);
		/* all of it, as an audit looks at it */
		if (i % 64)
			continue;
		ret = hlk_restore_flags(self->t.hlk, -1, HLK_RESTORE_AUDIT, NULL);
		if (ret != -EBUSY)
			OK(ret);
	}
	__atomic_store_n(&o.stop, true, __ATOMIC_SEQ_CST);
	pthread_join(thread, NULL);
	kept = nr_kept(&self->t) - kept;
	TH_LOG("%u calls, %u alone, %llu restores left registers out; %u calls of the other",
	       i, alone, (unsigned long long)kept, o.calls);
	ASSERT_LT(0, alone);
	ASSERT_LT(0, kept);
	ASSERT_LT(0, o.calls);
}

/* It takes the CPU from who runs the vCPU, as soon as it gets the vCPU. */
TEST_F_TIMEOUT(kept, with_a_thread_that_preempts, 7200)
{
	turns(_metadata, self, 0, true);
}

TEST_F_TIMEOUT(kept, with_a_thread_on_another_cpu, 7200)
{
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "one CPU");
	turns(_metadata, self, 1, false);
}

TEST_HARNESS_MAIN
