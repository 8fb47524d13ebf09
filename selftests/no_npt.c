// SPDX-License-Identifier: GPL-2.0-only
/*
 * Without nested paging: what is refused, and that nothing stays locked. Where there is
 * nested paging there is nothing to test; see no_npt.sh.
 */
#include "hlk_test.h"
#include "harness.h"

#define TABLES	0x40000UL
#define VA	0x00800000
#define RW	(PTE_P | PTE_W)

GUEST(halt, "	hlt\n");

static bool nested_paging(void)
{
	static const char *const params[] = {
		"/sys/module/kvm_amd/parameters/npt",
		"/sys/module/kvm_intel/parameters/ept",
	};
	char value;
	u32 i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(params); i++) {
		fd = open(params[i], O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		t_must(read(fd, &value, 1) == 1);
		close(fd);
		return value == 'Y' || value == '1';
	}
	return true;
}

/* The second of two vCPUs is the one that pages: all that were held are let go. */
TEST(vcpus_are_let_go_after_a_refusal)
{
	struct tvm_pt pt = { .next = TABLES, .flags = RW };
	struct tvm t, second;
	struct kvm_regs regs;
	u32 round, root;

	if (nested_paging())
		SKIP(return, "nested paging is on");
	t_begin();
	tvm_start(&t, 0, 0);
	tvm_vcpu(&second, &t, 1);
	pt.t = &t;
	root = tvm_pt_page(&pt);
	tvm_pt_map(&pt, root, VA, TVM_CODE, 1, RW);
	tvm_load(&t, TVM_CODE, halt);
	tvm_set_paging(&second, VA, root, 0);
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&second));
	for (round = 0; round < 3; round++) {
		FAILS(EOPNOTSUPP, HLK_WHY_NO_NPT, hlk_snapshot_flat(t.hlk));
		ASSERT_EQ(1, t_index);
	}
	/* one that is locked still was said to run by then */
	ASSERT_EQ(0, ioctl(t.vcpu, KVM_GET_REGS, &regs));
	ASSERT_EQ(0, ioctl(second.vcpu, KVM_GET_REGS, &regs));
	tvm_vcpu_close(&second);
	tvm_close(&t);
	EXPECT_EQ(0, t_end());
}

TEST_HARNESS_MAIN
