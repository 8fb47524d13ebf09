// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest of the guest, of SVM's kind: taken while it runs, and while its host does,
 * restored by programs from wherever the call before was, both go on as they were.
 */
#include "machine.h"
#include "harness.h"

#define EFER_SVME	0x1000U
#define VM_HSAVE_PA	0xc0010117U
#define VMCB		0x40000UL	/* where the guest has that of its guest */
#define INNER		0x43000UL	/* the guest of the guest */
#define TABLES		0x50000UL
#define INNER_COUNT	0x24000U
#define OUTER_COUNT	0x24004U
#define INNER_PORT	0xea
#define OUTER_PORT	0xe9

/* Runs its guest, which says VMMCALL, counts, says so, and goes on with it behind that */
GUEST(outer, "1:	movl $0x40000, %eax\n"
	     "	vmrun\n"
	     "	stgi\n"
	     "	incl 0x24004\n"
	     "	movl 0x24004, %eax\n"
	     "	outl %eax, $0xe9\n"
	     "	addl $3, 0x40578\n"
	     "	jmp 1b\n");
/* Counts, says so by a port that its host leaves to whoever is beneath, and leaves */
GUEST(inner, "1:	incl 0x24000\n"
	     "	movl 0x24000, %eax\n"
	     "	outl %eax, $0xea\n"
	     "	vmmcall\n"
	     "	jmp 1b\n");

/* As KVM_GET_NESTED_STATE gives it, and as it is put back */
struct nested {
	struct kvm_nested_state head;
	u8 vmcb[0x2000];
};

FIXTURE(nested) {
	struct tvm t;
	struct prog *p;
};

static void vmcb_segment(u8 *vmcb, u32 at, u32 selector, u32 attributes)
{
	*(u16 *)(vmcb + at) = selector;
	*(u16 *)(vmcb + at + 2) = attributes;
	*(u32 *)(vmcb + at + 4) = ~0U;
}

/* AMD manual volume 2, "VMCB Layout": flat segments, no paging */
static void set_vmcb(struct tvm *t)
{
	u8 *vmcb = tvm_at(t, VMCB);
	u32 at;

	*(u32 *)(vmcb + 0x10) = 3;		/* intercept VMRUN, VMMCALL */
	*(u64 *)(vmcb + 0x40) = 0x48000;	/* I/O permissions */
	*(u64 *)(vmcb + 0x48) = 0x4b000;	/* MSR permissions */
	*(u32 *)(vmcb + 0x58) = 1;		/* ASID */
	for (at = 0x400; at < 0x460; at += 0x10)
		vmcb_segment(vmcb, at, 0x10, 0xc93);
	vmcb_segment(vmcb, 0x410, 0x8, 0xc9b);	/* CS */
	*(u64 *)(vmcb + 0x4d0) = EFER_SVME;
	*(u64 *)(vmcb + 0x558) = 0x11;		/* CR0 */
	*(u64 *)(vmcb + 0x560) = 0x400;		/* DR7 */
	*(u64 *)(vmcb + 0x568) = 0xffff0ff0;	/* DR6 */
	*(u64 *)(vmcb + 0x570) = 2;		/* RFLAGS */
	*(u64 *)(vmcb + 0x578) = INNER;		/* RIP */
	*(u64 *)(vmcb + 0x668) = 0x0007040600070406;	/* PAT */
}

static bool has_svm(struct tvm *t)
{
	static struct nested n;

	if (ioctl(t->kvm, KVM_CHECK_EXTENSION, KVM_CAP_NESTED_STATE) <= 0)
		return false;
	n.head.size = sizeof(n);
	t_must(!ioctl(t->vcpu, KVM_GET_NESTED_STATE, &n.head));
	return n.head.format == KVM_STATE_NESTED_FORMAT_SVM;
}

FIXTURE_SETUP(nested)
{
	struct tvm *t = &self->t;
	struct tvm_pt pt = { .t = t, .next = TABLES, .flags = PTE_P | PTE_W };
	struct kvm_sync_regs regs;

	t_begin();
	tvm_open_msrs(t);
	tvm_machine(t, 0, 0);
	self->p = calloc(1, sizeof(*self->p));
	t_must(self->p);
	if (!has_svm(t))
		return;
	tvm_load(t, TVM_CODE, outer);
	tvm_load(t, INNER, inner);
	set_vmcb(t);
	tvm_flat(&regs, TVM_CODE, TVM_STACK);
	/* KVM takes VMRUN with paging alone */
	regs.sregs.cr0 = HLK_GUEST_CR0;
	regs.sregs.cr3 = tvm_pt_page(&pt);
	regs.sregs.efer = EFER_SVME;
	tvm_pt_map(&pt, regs.sregs.cr3, 0, 0, TVM_LOW / PAGE, PTE_P | PTE_W);
	tvm_set_regs(t, &regs);
	msr_set(t, VM_HSAVE_PA, 0x4e000);
}

FIXTURE_TEARDOWN(nested)
{
	free(self->p);
	tvm_close(&self->t);
	EXPECT_EQ(0, t_end());
}

/* What is said next, if it is said by that port; the I/O is done then */
static u32 says(struct tvm *t, u32 port)
{
	u32 value;

	if (tvm_run(t) != KVM_EXIT_IO || t->run->io.port != port)
		return 0;
	memcpy(&value, (u8 *)t->run + t->run->io.data_offset, sizeof(value));
	return tvm_complete_io(t) ? 0 : value;
}

static bool inside(struct tvm *t)
{
	static struct nested n;

	n.head.size = sizeof(n);
	t_must(!ioctl(t->vcpu, KVM_GET_NESTED_STATE, &n.head));
	return n.head.flags & KVM_STATE_NESTED_GUEST_MODE;
}

/*
 * The order of restore.rst. Events come first, for KVM takes no guest of the guest in SMM,
 * and at the end, for the shadow of an instruction goes with the guest that is left;
 * that is left before registers are set, else they would be those of the guest that goes.
 */
static void prog_nested(struct prog *p, struct tvm *t, bool events)
{
	static struct nested n;
	struct kvm_nested_state none = {
		.format = KVM_STATE_NESTED_FORMAT_SVM,
		.flags = KVM_STATE_NESTED_GIF_SET,
		.size = sizeof(none),
	};
	struct kvm_vcpu_events now;
	struct kvm_sregs2 sregs;

	n.head.size = sizeof(n);
	t_must(!ioctl(t->vcpu, KVM_GET_VCPU_EVENTS, &now));
	t_must(!ioctl(t->vcpu, KVM_GET_SREGS2, &sregs));
	t_must(!ioctl(t->vcpu, KVM_GET_NESTED_STATE, &n.head));
	prog_begin(p);
	if (events)
		prog_add(p, KVM_SET_VCPU_EVENTS, 0, &now, sizeof(now));
	prog_add(p, KVM_SET_NESTED_STATE, 0, &none, sizeof(none));
	prog_add(p, KVM_SET_SREGS2, 0, &sregs, sizeof(sregs));
	prog_add(p, KVM_SET_NESTED_STATE, 0, &n.head, n.head.size);
	if (events)
		prog_add(p, KVM_SET_VCPU_EVENTS, 0, &now, sizeof(now));
}

/**
 * struct moment - a snapshot
 * @snap: its fd
 * @at: where its program is mapped
 * @inside: it was taken while the guest of the guest ran
 * @count: how often that had counted
 */
struct moment {
	int snap;
	u8 *at;
	bool inside;
	u32 count;
};

static void moment_take(struct moment *m, struct tvm *t, struct prog *p, u32 count)
{
	m->inside = inside(t);
	m->count = count;
	prog_nested(p, t, true);
	m->snap = prog_snapshot(t->hlk, p);
	t_must(m->snap >= 0);
	m->at = prog_map(m->snap);
	t_must(m->at != MAP_FAILED);
}

static void moment_close(struct moment *m)
{
	munmap(m->at, prog_size(m->snap));
	close(m->snap);
}

/* Both go on from there, for so many words; false at the first that is wrong */
static bool goes_on(struct tvm *t, const struct moment *m, u32 words)
{
	bool in = m->inside;
	u32 inner_count = m->count;
	u32 outer_count = m->inside ? m->count - 1 : m->count;

	for (; words--; in = !in)
		if (in ? says(t, OUTER_PORT) != ++outer_count :
			 says(t, INNER_PORT) != ++inner_count)
			return false;
	return true;
}

TEST_F(nested, both_go_on_from_where_they_were)
{
	struct moment m[4];
	u32 i, round;

	if (!has_svm(&self->t))
		SKIP(return, "no nested guests, or not those of SVM");
	for (i = 0; i < ARRAY_SIZE(m); i++) {
		ASSERT_EQ(i / 2 + 1, says(&self->t, i % 2 ? OUTER_PORT : INNER_PORT));
		moment_take(&m[i], &self->t, self->p, i / 2 + 1);
		ASSERT_EQ(!(i % 2), m[i].inside);
	}
	/* from each to each, left in either of the two */
	for (round = 0; round < 64; round++) {
		i = (round ^ round >> 2) % ARRAY_SIZE(m);
		OK(prog_restore(self->t.hlk, m[i].snap, m[i].at,
				round % 8 ? 0 : HLK_RESTORE_AUDIT, NULL));
		ASSERT_EQ(m[i].inside, inside(&self->t));
		ASSERT_TRUE(goes_on(&self->t, &m[i], round % 5)) {
			TH_LOG("round %u, moment %u", round, i);
		}
		OK(prog_restore(self->t.hlk, -1, m[i].at, 0, NULL));
		ASSERT_TRUE(goes_on(&self->t, &m[i], 1 + round % 3)) {
			TH_LOG("round %u, moment %u", round, i);
		}
	}
	for (i = 0; i < ARRAY_SIZE(m); i++)
		moment_close(&m[i]);
}

/* In SMM, where a guest of the VMM's may have left itself */
static void enter_smm(struct tvm *t)
{
	struct kvm_vcpu_events events;

	t_must(!tvm_complete_io(t));
	t_must(!ioctl(t->vcpu, KVM_GET_VCPU_EVENTS, &events));
	events.flags |= KVM_VCPUEVENT_VALID_SMM;
	events.smi.smm = 1;
	t_must(!ioctl(t->vcpu, KVM_SET_VCPU_EVENTS, &events));
}

/* KVM refuses it in SMM, and ends it when SMM is left: so events come first. */
TEST_F(nested, from_system_management_mode)
{
	struct moment m;
	int late;
	u8 *at;
	int round;

	if (!has_svm(&self->t))
		SKIP(return, "no nested guests, or not those of SVM");
	if (ioctl(self->t.kvm, KVM_CHECK_EXTENSION, KVM_CAP_X86_SMM) <= 0)
		SKIP(return, "no system management mode");
	ASSERT_EQ(1, says(&self->t, INNER_PORT));
	moment_take(&m, &self->t, self->p, 1);
	prog_nested(self->p, &self->t, false);
	late = OK(prog_snapshot(self->t.hlk, self->p));
	at = prog_map(late);
	for (round = 0; round < 3; round++) {
		enter_smm(&self->t);
		ASSERT_FALSE(inside(&self->t));
		FAILS(EINVAL, HLK_WHY_PROGRAM_CALL,
		      prog_restore(self->t.hlk, late, at, 0, NULL));
		ASSERT_EQ(2, t_index);
		ASSERT_EQ(KVM_SET_NESTED_STATE, t_where);
		OK(prog_restore(self->t.hlk, m.snap, m.at, 0, NULL));
		ASSERT_TRUE(inside(&self->t));
		ASSERT_TRUE(goes_on(&self->t, &m, 3));
	}
	munmap(at, prog_size(late));
	close(late);
	moment_close(&m);
}

/* With VMX, what SMM hides of the guest nobody can bring back; with SVM it hides nothing. */
TEST_F(nested, a_snapshot_in_system_management_mode)
{
	bool svm = has_svm(&self->t);
	struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entries[256];
	} cpuid = { .head.nent = 256 };
	bool vmx = false;
	int snap;
	u32 i;

	if (ioctl(self->t.kvm, KVM_CHECK_EXTENSION, KVM_CAP_X86_SMM) <= 0)
		SKIP(return, "no system management mode");
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_GET_CPUID2, &cpuid));
	for (i = 0; i < cpuid.head.nent; i++)
		vmx |= cpuid.entries[i].function == 1 && cpuid.entries[i].ecx & 0x20;
	enter_smm(&self->t);
	if (svm || !vmx) {
		snap = OK(hlk_snapshot_flat(self->t.hlk));
		OK(hlk_restore(self->t.hlk, snap, NULL));
		close(snap);
		return;
	}
	FAILS(EOPNOTSUPP, HLK_WHY_NESTED, hlk_snapshot_flat(self->t.hlk));
}

TEST_HARNESS_MAIN
