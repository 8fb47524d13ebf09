// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a restore and a call cost once a sandbox is warm: one entry into the guest
 * and no nested fault, whatever state of the processor the call left behind.
 * Counted by KVM.
 */
#include "hlk_test.h"
#include "harness.h"

#define WRITTEN		8	/* pages that a call writes */
#define WARM		200
#define COUNTED		200

/* Page tables: two address spaces that map the same */
#define ROOTS		0x80000UL
#define ROOT_B		0x90000UL

#define WRITE_ALL(end)							\
	"	mov $0x20000, %eax\n"					\
	"	mov $8, %ecx\n"						\
	"1:	movl $0x600dda7a, (%eax)\n"				\
	"	add $4096, %eax\n"					\
	"	dec %ecx\n"						\
	"	jnz 1b\n"						\
	end								\
	"	hlt\n"

GUEST(t_plain, WRITE_ALL(""));
GUEST(t_cr3, WRITE_ALL("	mov $0x90000, %eax\n"
		       "	mov %eax, %cr3\n"));
GUEST(t_cr3_first, "	mov $0x90000, %eax\n"
		   "	mov %eax, %cr3\n"
		   WRITE_ALL(""));
GUEST(t_wp, WRITE_ALL("	mov %cr0, %eax\n"
		      "	and $0xfffeffff, %eax\n"
		      "	mov %eax, %cr0\n"));
GUEST(t_pg, WRITE_ALL("	mov %cr0, %eax\n"
		      "	and $0x7fffffff, %eax\n"
		      "	mov %eax, %cr0\n"));
GUEST(t_pge, WRITE_ALL("	mov %cr4, %eax\n"
		       "	or $0x80, %eax\n"
		       "	mov %eax, %cr4\n"));
GUEST(t_fpu, WRITE_ALL("	fninit\n"
		       "	fldpi\n"));

FIXTURE(steady) {
	struct tvm t;
	struct hlk_run run;
	int snap;
};

FIXTURE_VARIANT(steady) {
	const u8 *code;
	const u8 *end;
	u32 more;
	u32 more_vmx;
};

/* What KVM itself has to see of the call, beside its end, on SVM and on VMX */
#define VARIANT(name, exits, exits_vmx)					\
	FIXTURE_VARIANT_ADD(steady, name) {				\
		.code = t_##name, .end = t_##name##_end,		\
		.more = exits, .more_vmx = exits_vmx,			\
	}

VARIANT(plain, 0, 0);
/* ends in another address space than it began */
VARIANT(cr3, 0, 0);
VARIANT(cr3_first, 0, 0);
/* ends with another meaning of page tables; VMX gives guests some bits to keep */
VARIANT(wp, 1, 0);
VARIANT(pg, 1, 1);
VARIANT(pge, 2, 0);
VARIANT(fpu, 0, 0);

FIXTURE_SETUP(steady)
{
	struct tvm_pt pt = {
		.t = &self->t, .next = ROOTS, .flags = PTE_P | PTE_W,
	};
	u32 root;

	t_begin();
	tvm_start(&self->t, 0, 0);
	root = tvm_pt_page(&pt);
	t_must(root == ROOTS);
	tvm_pt_map(&pt, root, 0, 0, TVM_LOW / PAGE, PTE_P | PTE_W);
	pt.next = ROOT_B;
	t_must(tvm_pt_page(&pt) == ROOT_B);
	tvm_pt_map(&pt, ROOT_B, 0, 0, TVM_LOW / PAGE, PTE_P | PTE_W);
	tvm_load_(&self->t, TVM_CODE, variant->code, variant->end);
	tvm_set_paging(&self->t, TVM_CODE, root, 0);
	self->snap = hlk_snapshot_flat(self->t.hlk);
	t_must(self->snap >= 0);
	t_must(!hlk_restore(self->t.hlk, self->snap, NULL));
	self->run = (struct hlk_run)HLK_STRUCT(hlk_run);
	self->run.vcpu_fd = self->t.vcpu;
}

FIXTURE_TEARDOWN(steady)
{
	close(self->snap);
	tvm_close(&self->t);
	EXPECT_EQ(0, t_end());
}

static u64 entries(struct tvm *t)
{
	return tvm_stat(t, "exits") - tvm_stat(t, "irq_exits");
}

static u64 faults_of(struct tvm *t)
{
	struct hlk_vm_stats stats = HLK_STRUCT(hlk_vm_stats);

	t_must(!hlk_stats(t->hlk, &stats));
	return stats.read_faults + stats.write_faults;
}

typedef FIXTURE_DATA(steady) fixture;

static bool call(fixture *self)
{
	return !hlk_call(self->t.hlk, HLK_RUN, &self->run) &&
	       self->run.exit_reason == KVM_EXIT_HLT;
}

TEST_F(steady, one_entry_and_no_nested_fault)
{
	struct tvm *t = &self->t;
	bool vmx = !access("/sys/module/kvm_intel", F_OK);
	u32 more = vmx ? variant->more_vmx : variant->more;
	u64 entered, nested, faulted;
	u32 i;

	for (i = 0; i < WARM; i++)
		ASSERT_TRUE(call(self));
	entered = entries(t);
	nested = tvm_stat(t, "pf_taken");
	faulted = faults_of(t);
	for (i = 0; i < COUNTED; i++)
		ASSERT_TRUE(call(self));
	entered = entries(t) - entered;
	nested = tvm_stat(t, "pf_taken") - nested;
	faulted = faults_of(t) - faulted;
	/* a page that was taken for idle comes back, more and more seldom */
	ASSERT_EQ(faulted, nested);
	ASSERT_GE(COUNTED / 20, faulted);
	ASSERT_EQ(COUNTED * (1 + more) + nested, entered);
}

/* A page for a page: what the call wrote, bookkeeping, tables that were walked */
TEST_F(steady, no_more_pages_than_were_touched)
{
	u32 i;

	for (i = 0; i < WARM; i++)
		ASSERT_TRUE(call(self));
	ASSERT_LE(WRITTEN, self->run.copied + self->run.cleared);
	ASSERT_GE(WRITTEN + 1 + 4, self->run.copied + self->run.cleared);
}

TEST_HARNESS_MAIN
