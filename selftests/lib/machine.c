// SPDX-License-Identifier: GPL-2.0-only
/* All that KVM tells of a machine, and the program that puts it back. */
#include "machine.h"

/* Registers of the local APIC, and the modes of its timer: neither again nor by a deadline */
#define APIC_LVTT	0x320
#define APIC_LVTT_MODE	0x60000
#define APIC_TMICT	0x380
#define APIC_TMCCT	0x390

u32 msrs_bytes(const struct msrs *msrs)
{
	return sizeof(msrs->head) + msrs->head.nmsrs * sizeof(msrs->entry[0]);
}

void prog_msrs(struct prog *p, u32 vcpu, const struct msrs *msrs)
{
	prog_add(p, KVM_SET_MSRS, vcpu, msrs, msrs_bytes(msrs));
}

/* MSRs that are not what they were are no more in the list. */
static void msrs_that_stay(struct tvm *t, struct msrs *msrs)
{
	struct msrs one = { .head.nmsrs = 1 };
	u32 i, nr = 0;

	t_must(ioctl(t->vcpu, KVM_GET_MSRS, msrs) == (int)msrs->head.nmsrs);
	usleep(100000);
	for (i = 0; i < msrs->head.nmsrs; i++) {
		one.entry[0].index = msrs->entry[i].index;
		t_must(ioctl(t->vcpu, KVM_GET_MSRS, &one) == 1);
		if (one.entry[0].data == msrs->entry[i].data)
			msrs->entry[nr++] = msrs->entry[i];
		else
			printf("# MSR %#x changes by itself\n", msrs->entry[i].index);
	}
	msrs->head.nmsrs = nr;
}

/* KVM does not list them: MTRRs, and the first bank of machine checks */
static const u32 unlisted[] = { 0x200, 0x201, 0x250, 0x2ff, 0x400, 0x401, 0x402, 0x403 };

/* MSRs that KVM takes as it gives them, and that stay so. Those of time do not. */
static void msrs_list(struct tvm *t, struct msrs *msrs)
{
	static struct {
		struct kvm_msr_list head;
		u32 index[1024];
	} list;
	struct msrs one = { .head.nmsrs = 1 };
	u32 i;

	list.head.nmsrs = ARRAY_SIZE(list.index);
	t_must(!ioctl(t->kvm, KVM_GET_MSR_INDEX_LIST, &list));
	t_must(list.head.nmsrs + ARRAY_SIZE(unlisted) <= ARRAY_SIZE(list.index));
	memcpy(list.index + list.head.nmsrs, unlisted, sizeof(unlisted));
	list.head.nmsrs += ARRAY_SIZE(unlisted);
	memset(msrs, 0, sizeof(*msrs));
	for (i = 0; i < list.head.nmsrs && msrs->head.nmsrs < MAX_MSRS; i++) {
		one.entry[0].index = list.index[i];
		if (list.index[i] == MSR_TSC ||
		    ioctl(t->vcpu, KVM_GET_MSRS, &one) != 1 ||
		    ioctl(t->vcpu, KVM_SET_MSRS, &one) != 1)
			continue;
		msrs->entry[msrs->head.nmsrs++].index = list.index[i];
	}
	msrs_that_stay(t, msrs);
	t_must(msrs->head.nmsrs > 10);
}

/* What a vCPU has beside the VM's own; with a local APIC or without */
static void vcpu_get(struct tvm *t, struct machine *m)
{
	/* registers that wait in kvm_run are loaded first */
	t_must(!tvm_complete_io(t));
	t_must(!ioctl(t->vcpu, KVM_GET_SREGS2, &m->sregs));
	t_must(!ioctl(t->vcpu, KVM_GET_XCRS, &m->xcrs));
	t_must(!ioctl(t->vcpu, KVM_GET_DEBUGREGS, &m->debug));
	if (!m->msrs.head.nmsrs)
		msrs_list(t, &m->msrs);
	t_must(ioctl(t->vcpu, KVM_GET_MSRS, &m->msrs) == (int)m->msrs.head.nmsrs);
}

/* An APIC's timer that came once KVM starts again when it is set, if it has anything to count. */
static void lapic_done(struct machine *m)
{
	u32 *mode = (u32 *)(m->lapic.regs + APIC_LVTT);
	u32 *left = (u32 *)(m->lapic.regs + APIC_TMCCT);

	if (!(*mode & APIC_LVTT_MODE) && !*left)
		memset(m->lapic.regs + APIC_TMICT, 0, sizeof(u32));
}

void machine_get(struct tvm *t, struct machine *m)
{
	u32 i;

	vcpu_get(t, m);
	if (ioctl(t->vm, KVM_GET_PIT2, &m->pit))
		return;
	t_must(!ioctl(t->vcpu, KVM_GET_LAPIC, &m->lapic));
	for (i = 0; i < KVM_NR_IRQCHIPS; i++) {
		m->chip[i].chip_id = i;
		t_must(!ioctl(t->vm, KVM_GET_IRQCHIP, &m->chip[i]));
	}
	lapic_done(m);
	/* when it was loaded, by the host's clock */
	for (i = 0; i < 3; i++)
		m->pit.channels[i].count_load_time = 0;
}

/* Another vCPU of a VM with interrupt controllers: @m's of the VM are left alone */
void machine_get_vcpu(struct tvm *t, struct machine *m)
{
	vcpu_get(t, m);
	t_must(!ioctl(t->vcpu, KVM_GET_LAPIC, &m->lapic));
	lapic_done(m);
}

static void prog_before(struct prog *p, u32 vcpu, const struct machine *m)
{
	prog_add(p, KVM_SET_SREGS2, vcpu, &m->sregs, sizeof(m->sregs));
	prog_add(p, KVM_SET_XCRS, vcpu, &m->xcrs, sizeof(m->xcrs));
	prog_add(p, KVM_SET_DEBUGREGS, vcpu, &m->debug, sizeof(m->debug));
}

/* In the order of restore.rst */
void prog_machine(struct prog *p, const struct machine *m, bool irqchip)
{
	u32 i;

	prog_begin(p);
	prog_before(p, 0, m);
	if (irqchip)
		prog_add(p, KVM_SET_PIT2, HLK_PROGRAM_VM, &m->pit, sizeof(m->pit));
	for (i = 0; irqchip && i < KVM_NR_IRQCHIPS; i++)
		prog_add(p, KVM_SET_IRQCHIP, HLK_PROGRAM_VM, &m->chip[i],
			 sizeof(m->chip[i]));
	if (irqchip)
		prog_add(p, KVM_SET_LAPIC, 0, &m->lapic, sizeof(m->lapic));
	prog_msrs(p, 0, &m->msrs);
}

/* To the program of a VM with interrupt controllers, one more vCPU */
void prog_machine_vcpu(struct prog *p, u32 vcpu, const struct machine *m)
{
	prog_before(p, vcpu, m);
	prog_add(p, KVM_SET_LAPIC, vcpu, &m->lapic, sizeof(m->lapic));
	prog_msrs(p, vcpu, &m->msrs);
}

u64 msr_get(struct tvm *t, u32 index)
{
	struct msrs one = { .head.nmsrs = 1, .entry[0].index = index };

	t_must(ioctl(t->vcpu, KVM_GET_MSRS, &one) == 1);
	return one.entry[0].data;
}

void msr_set(struct tvm *t, u32 index, u64 data)
{
	struct msrs one = { .head.nmsrs = 1, .entry[0] = { index, 0, data } };

	t_must(ioctl(t->vcpu, KVM_SET_MSRS, &one) == 1);
}
