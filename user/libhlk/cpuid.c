// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The guest's processor: an i686 with SSE2, and nothing whose state a restore
 * would not bring back.
 *
 * Without XSAVE there is no XCR0, without PAE and long mode no other paging,
 * without the hypervisor's leaves no paravirtual interfaces.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "machine.h"

#define MAX_LEAVES	256

/* leaf 1, ECX */
#define VMX		(1U << 5)
#define X2APIC		(1U << 21)
#define DEADLINE	(1U << 24)
#define HYPERVISOR	(1U << 31)
/* and EDX */
#define APIC		(1U << 9)
#define HTT		(1U << 28)
/* leaf 7, ECX and EDX; and components of XSAVE */
#define SHSTK		(1U << 7)
#define IBT		(1U << 20)
#define CET_USER	11
#define CET_KERNEL	12
/* leaf 0x80000001, ECX */
#define SVM		(1U << 2)
/* KVM's features that a machine has: clocks, and no delays for I/O */
#define PARAVIRT	(1U << 0 | 1U << 1 | 1U << 3 | 1U << 24)

/* leaf 1, EDX */
#define FPU		(1U << 0)
#define PSE		(1U << 3)
#define TSC		(1U << 4)
#define CX8		(1U << 8)
#define PGE		(1U << 13)
#define CMOV		(1U << 15)
#define FXSR		(1U << 24)
#define SSE		(1U << 25)
#define SSE2		(1U << 26)
#define I686		(FPU | PSE | TSC | CX8 | PGE | CMOV | FXSR | SSE | SSE2)

static struct kvm_cpuid2 *read_supported(struct hlk_ctx *ctx)
{
	struct kvm_cpuid2 *all;

	all = calloc(1, sizeof(*all) + MAX_LEAVES * sizeof(*all->entries));
	if (!all)
		return NULL;
	all->nent = MAX_LEAVES;
	if (!ioctl(ctx->kvm_fd, KVM_GET_SUPPORTED_CPUID, all))
		return all;
	free(all);
	return NULL;
}

static struct kvm_cpuid_entry2 find(const struct kvm_cpuid2 *all, uint32_t leaf)
{
	uint32_t i;

	for (i = 0; i < all->nent; i++)
		if (all->entries[i].function == leaf && !all->entries[i].index)
			return all->entries[i];
	return (struct kvm_cpuid_entry2) { .function = leaf };
}

static void fill(struct kvm_cpuid2 *out, const struct kvm_cpuid2 *all)
{
	struct kvm_cpuid_entry2 *entry = out->entries;
	struct kvm_cpuid_entry2 from;

	entry[0] = find(all, 0);
	entry[0].eax = 1;

	/* Family and model as they are; CLFLUSH size, APIC id: none */
	from = find(all, 1);
	entry[1] = (struct kvm_cpuid_entry2) {
		.function = 1,
		.eax = from.eax,
		.edx = from.edx & I686,
	};

	/*
	 * The width of physical addresses is the host's: KVM on Intel takes
	 * each page fault of a guest that has fewer bits as an exit.
	 */
	entry[2] = (struct kvm_cpuid_entry2) {
		.function = 0x80000000,
		.eax = 0x80000008,
	};
	from = find(all, 0x80000008);
	entry[3] = (struct kvm_cpuid_entry2) {
		.function = 0x80000008,
		.eax = from.eax & 0xffff,
	};
	out->nent = 4;
}

/**
 * hlk_cpuid_make() - decide what the guests' processor is
 * @ctx: the context; its @cpuid is set
 * @err: out: why it cannot be
 *
 * Return: 0 or a negative errno
 */
int hlk_cpuid_make(struct hlk_ctx *ctx, struct hlk_err *err)
{
	struct kvm_cpuid2 *all = read_supported(ctx);

	if (!all)
		return hlk_err_system(err, "cannot read KVM's CPUID");
	ctx->cpuid = calloc(1, sizeof(*all) + 4 * sizeof(*all->entries));
	if (!ctx->cpuid) {
		free(all);
		return hlk_err_system(err, "cannot open hlk");
	}
	fill(ctx->cpuid, all);
	free(all);
	if ((ctx->cpuid->entries[1].edx & I686) != I686)
		return hlk_err_text(err, EOPNOTSUPP, HLK_WHAT_KVM_CAP,
				    "cannot open hlk",
				    "a processor with SSE2");
	return 0;
}

/* Numbers of processors are of so many bits. */
static uint32_t number_bits(uint32_t nr_cpus)
{
	uint32_t bits = 0;

	while (1U << bits < nr_cpus)
		bits++;
	return bits;
}

/* Threads and cores: each processor is a core of one package, and shares no caches. */
static void topology_leaf(struct kvm_cpuid_entry2 *entry, uint32_t nr_cpus)
{
	uint32_t bits = number_bits(nr_cpus);

	switch (entry->function) {
	case 4:
		entry->eax = (entry->eax & 0x3fff) | ((1U << bits) - 1) << 26;
		break;
	case 0x8000001d:
		entry->eax &= 0xfc003fff;
		break;
	case 0xb:
	case 0x1f:
		entry->eax = entry->index == 1 ? bits : 0;
		entry->ebx = entry->index == 1 ? nr_cpus : !entry->index;
		entry->ecx = entry->index < 2 ?
			     entry->index | (entry->index + 1) << 8 : entry->index;
		break;
	case 0x80000008:
		entry->ecx = bits << 12 | (nr_cpus - 1);
		break;
	}
}

/* Without what belongs to shadow stacks */
static void xsave_leaf(struct kvm_cpuid_entry2 *entry)
{
	if (entry->index == 1) {
		entry->ecx &= ~(1U << CET_USER | 1U << CET_KERNEL);
	} else if (entry->index == CET_USER || entry->index == CET_KERNEL) {
		entry->eax = 0;
		entry->ebx = 0;
		entry->ecx = 0;
		entry->edx = 0;
	}
}

static void machine_leaf(struct kvm_cpuid_entry2 *entry, uint32_t nr_cpus,
			 bool irqchip, bool deadline)
{
	switch (entry->function) {
	case 1:
		entry->ebx = (entry->ebx & 0xffff) | nr_cpus << 16;
		entry->ecx = (entry->ecx | HYPERVISOR) & ~(VMX | X2APIC | DEADLINE);
		entry->edx &= ~HTT;
		if (nr_cpus > 1)
			entry->edx |= HTT;
		if (deadline)
			entry->ecx |= DEADLINE;
		if (irqchip)
			break;
		entry->edx &= ~APIC;
		break;
	case 7:
		if (entry->index)
			break;
		entry->ecx &= ~SHSTK;
		entry->edx &= ~IBT;
		break;
	case 0xd:
		xsave_leaf(entry);
		break;
	case 0x40000001:
		entry->eax &= PARAVIRT;
		break;
	case 0x80000001:
		entry->ecx &= ~SVM;
		break;
	case 0x8000000a:
		entry->eax = 0;
		entry->ebx = 0;
		entry->ecx = 0;
		entry->edx = 0;
		break;
	default:
		topology_leaf(entry, nr_cpus);
		break;
	}
}

/**
 * hlk_cpuid_number() - say which of a machine's processors it is
 * @cpuid: from hlk_cpuid_machine()
 * @cpu: its number, which is that of its local APIC
 */
void hlk_cpuid_number(struct kvm_cpuid2 *cpuid, uint32_t cpu)
{
	struct kvm_cpuid_entry2 *entry;
	uint32_t i;

	for (i = 0; i < cpuid->nent; i++) {
		entry = &cpuid->entries[i];
		switch (entry->function) {
		case 1:
			entry->ebx = (entry->ebx & 0xffffff) | cpu << 24;
			break;
		case 0xb:
		case 0x1f:
			entry->edx = cpu;
			break;
		case 0x8000001e:
			entry->eax = cpu;
			entry->ebx = cpu;
			entry->ecx = 0;
			entry->edx = 0;
			break;
		}
	}
}

/**
 * hlk_cpuid_machine() - decide what the processors of a machine are
 * @ctx: the context
 * @nr_cpus: how many there are
 * @irqchip: it has interrupt controllers
 * @cpuid: out: what KVM_SET_CPUID2 takes, after hlk_cpuid_number(); the caller frees it
 * @err: out: why it cannot be
 *
 * What KVM offers, but for guests of the guest and shadow stacks, whose state a restore
 * does not bring back, for x2APIC, since hlk_vm_machine() closes what switches to it, and
 * for what has KVM write to memory while the guest does not run.
 *
 * Return: 0 or a negative errno
 */
int hlk_cpuid_machine(struct hlk_ctx *ctx, uint32_t nr_cpus, bool irqchip,
		      struct kvm_cpuid2 **cpuid, struct hlk_err *err)
{
	struct kvm_cpuid2 *all = read_supported(ctx);
	bool deadline = irqchip && ioctl(ctx->kvm_fd, KVM_CHECK_EXTENSION,
					 KVM_CAP_TSC_DEADLINE_TIMER) > 0;
	uint32_t i;

	if (!all)
		return hlk_err_system(err, "cannot read KVM's CPUID");
	for (i = 0; i < all->nent; i++)
		machine_leaf(&all->entries[i], nr_cpus, irqchip, deadline);
	*cpuid = all;
	return 0;
}
