// SPDX-License-Identifier: GPL-2.0-only
/*
 * State that a restore does not bring back, and which a guest of libhlk
 * therefore cannot change: each way to it ends in an exception, and all MSRs are
 * afterwards what they were before.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <fcntl.h>
#include <unistd.h>

#include <hlk.h>

#include "harness.h"

#define TIMEOUT_US	2000000
#define MAX_MSRS	1024

#define VECTOR_UD	6
#define VECTOR_GP	13
#define MSR_TSC_DEADLINE 0x6e0	/* Intel SDM volume 4 */

static const struct {
	const char *name;
	uint32_t nr;
} msrs[] = {
	{ "TSC", 0x10 },
	{ "KVM_WALL_CLOCK", 0x11 },
	{ "KVM_SYSTEM_TIME", 0x12 },
	{ "APIC_BASE", 0x1b },
	{ "FEAT_CTL", 0x3a },
	{ "TSC_ADJUST", 0x3b },
	{ "SPEC_CTRL", 0x48 },
	{ "PRED_CMD", 0x49 },
	{ "UCODE_REV", 0x8b },
	{ "PERFCTR0", 0xc1 },
	{ "ARCH_CAPABILITIES", 0x10a },
	{ "SYSENTER_CS", 0x174 },
	{ "SYSENTER_ESP", 0x175 },
	{ "SYSENTER_EIP", 0x176 },
	{ "MCG_CAP", 0x179 },
	{ "MCG_STATUS", 0x17a },
	{ "MCG_CTL", 0x17b },
	{ "EVENTSEL0", 0x186 },
	{ "MISC_ENABLE", 0x1a0 },
	{ "DEBUGCTL", 0x1d9 },
	{ "MTRR_PHYSBASE0", 0x200 },
	{ "PAT", 0x277 },
	{ "MTRR_DEF_TYPE", 0x2ff },
	{ "PERF_GLOBAL_CTRL", 0x38f },
	{ "MC0_CTL", 0x400 },
	{ "TSC_DEADLINE", MSR_TSC_DEADLINE },
	{ "X2APIC_TPR", 0x808 },
	{ "XSS", 0xda0 },
	{ "HV_GUEST_OS_ID", 0x40000000 },
	{ "HV_REFERENCE_TSC", 0x40000021 },
	{ "KVM_WALL_CLOCK_NEW", 0x4b564d00 },
	{ "KVM_SYSTEM_TIME_NEW", 0x4b564d01 },
	{ "KVM_ASYNC_PF_EN", 0x4b564d02 },
	{ "KVM_STEAL_TIME", 0x4b564d03 },
	{ "KVM_PV_EOI_EN", 0x4b564d04 },
	{ "KVM_POLL_CONTROL", 0x4b564d05 },
	{ "EFER", 0xc0000080 },
	{ "STAR", 0xc0000081 },
	{ "LSTAR", 0xc0000082 },
	{ "FS_BASE", 0xc0000100 },
	{ "KERNEL_GS_BASE", 0xc0000102 },
	{ "TSC_AUX", 0xc0000103 },
	{ "K7_EVNTSEL0", 0xc0010000 },
	{ "HWCR", 0xc0010015 },
	{ "VM_CR", 0xc0010114 },
	{ "VM_HSAVE_PA", 0xc0010117 },
	{ "VIRT_SPEC_CTRL", 0xc001011f },
	{ "OSVW_ID_LENGTH", 0xc0010140 },
	{ "no MSR", 0xdeadbeef },
};

/* What fn_other() of the guest does, and how it has to end */
static const struct {
	const char *name;
	uint32_t vector;
} others[] = {
	{ "XSETBV", VECTOR_UD },
	{ "CR4.OSXSAVE", VECTOR_GP },
	{ "VMRUN", VECTOR_UD },
	{ "CR4.PKE", VECTOR_GP },
	{ "CR4.FSGSBASE", VECTOR_GP },
	{ "XRSTORS", VECTOR_UD },
};

struct all_msrs {
	struct kvm_msrs head;
	struct kvm_msr_entry entry[MAX_MSRS];
};

FIXTURE(msr) {
	struct hlk_ctx *ctx;
	struct hlk_sandbox *sb;
	struct hlk_snap *snap;
	struct all_msrs *before, *after;
};

FIXTURE_SETUP(msr)
{
	struct hlk_config config = HLK_CONFIG_INIT;
	struct hlk_err err;
	char why[256];

	config.mem_size = 2 << 20;
	ASSERT_EQ(0, hlk_open(&self->ctx, &err));
	ASSERT_EQ(0, hlk_sandbox_from_path(self->ctx, "msr.elf", &config,
					   &self->sb, &err)) {
		TH_LOG("%s", hlk_strerror(&err, why, sizeof(why)));
	}
	ASSERT_EQ(0, hlk_sandbox_boot(self->sb, TIMEOUT_US));
	ASSERT_EQ(0, hlk_sandbox_snapshot(self->sb, NULL, &self->snap));
	ASSERT_EQ(0, hlk_sandbox_restore(self->sb, self->snap));
	self->before = calloc(2, sizeof(*self->before));
	ASSERT_NE(NULL, self->before);
	self->after = self->before + 1;
}

FIXTURE_TEARDOWN(msr)
{
	free(self->before);
	hlk_snapshot_close(self->snap);
	hlk_sandbox_close(self->sb);
	hlk_close(self->ctx);
}

/* The TSC, and the clocks that Hyper-V's guests have */
static bool is_time(uint32_t msr)
{
	return msr == 0x10 || msr == 0x40000010 || msr == 0x40000020;
}

/* All MSRs that KVM saves, but for the time */
static int read_all(struct hlk_sandbox *sb, struct all_msrs *all)
{
	struct {
		struct kvm_msr_list head;
		uint32_t index[MAX_MSRS];
	} list = { .head.nmsrs = MAX_MSRS };
	int vcpu = hlk_sandbox_fd(sb, HLK_FD_VCPU);
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	struct all_msrs one = { .head.nmsrs = 1 };
	uint32_t i;
	int ret;

	ret = ioctl(kvm, KVM_GET_MSR_INDEX_LIST, &list);
	close(kvm);
	if (ret)
		return -1;
	all->head.nmsrs = 0;
	for (i = 0; i < list.head.nmsrs; i++) {
		if (is_time(list.index[i]))
			continue;
		/* some are listed, but not for such a vCPU */
		one.entry[0].index = list.index[i];
		if (ioctl(vcpu, KVM_GET_MSRS, &one) != 1)
			continue;
		all->entry[all->head.nmsrs++] = one.entry[0];
	}
	return all->head.nmsrs;
}

/* Call with a number; the vector of the exception that it ended with, 0 if there
 * was none, or less
 */
static int vector_of(struct hlk_sandbox *sb, const char *function, uint32_t nr)
{
	const struct hlk_exit *exit;
	char arg[16], answer[64];
	int ret;

	snprintf(arg, sizeof(arg), "0x%x", nr);
	if (hlk_sandbox_restore(sb, NULL))
		return -2;
	ret = hlk_sandbox_call(sb, function, arg, strlen(arg), answer,
			       sizeof(answer), NULL, TIMEOUT_US);
	if (!ret)
		return 0;
	exit = hlk_sandbox_exit(sb);
	if (ret != -ENOTRECOVERABLE || exit->reason != HLK_EXIT_TRAP)
		return -1;
	return exit->code;
}

static uint32_t first_different(const struct all_msrs *a, const struct all_msrs *b)
{
	uint32_t i;

	if (a->head.nmsrs != b->head.nmsrs)
		return ~0U;
	for (i = 0; i < a->head.nmsrs; i++)
		if (memcmp(&a->entry[i], &b->entry[i], sizeof(a->entry[i])))
			return a->entry[i].index;
	return 0;
}

/*
 * kvm-intel takes a WRMSR of this one before it asks the filter, and without an
 * in-kernel APIC forgets it: neither a #GP nor a change.
 */
static bool forgotten(uint32_t nr, int vector)
{
	return nr == MSR_TSC_DEADLINE && !vector;
}

TEST_F(msr, none_can_be_read_or_written)
{
	size_t i;
	int vector;

	ASSERT_LT(10, read_all(self->sb, self->before));
	for (i = 0; i < sizeof(msrs) / sizeof(*msrs); i++) {
		ASSERT_EQ(VECTOR_GP, vector_of(self->sb, "rdmsr", msrs[i].nr)) {
			TH_LOG("RDMSR %s", msrs[i].name);
		}
		vector = vector_of(self->sb, "wrmsr", msrs[i].nr);
		ASSERT_TRUE(vector == VECTOR_GP || forgotten(msrs[i].nr, vector)) {
			TH_LOG("WRMSR %s: %d", msrs[i].name, vector);
		}
	}
	ASSERT_LT(10, read_all(self->sb, self->after));
	ASSERT_EQ(0, first_different(self->before, self->after));
}

TEST_F(msr, nor_changed_in_another_way)
{
	size_t i;

	ASSERT_LT(10, read_all(self->sb, self->before));
	for (i = 0; i < sizeof(others) / sizeof(*others); i++)
		ASSERT_EQ(others[i].vector, vector_of(self->sb, "other", i)) {
			TH_LOG("%zu, %s", i, others[i].name ?: "");
		}
	ASSERT_LT(10, read_all(self->sb, self->after));
	ASSERT_EQ(0, first_different(self->before, self->after));
}

/* And the guest is well: what failed above was not something else. */
TEST_F(msr, the_guest_is_well_otherwise)
{
	ASSERT_EQ(0, hlk_sandbox_restore(self->sb, NULL));
	ASSERT_EQ(-EREMOTEIO, hlk_sandbox_call(self->sb, "other", "99", 2, NULL, 0,
					       NULL, TIMEOUT_US));
}

TEST_HARNESS_MAIN
