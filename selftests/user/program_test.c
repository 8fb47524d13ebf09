// SPDX-License-Identifier: GPL-2.0-only
/*
 * What becomes of a state program: each call that it may make, and random bytes in its
 * header, entries and arguments. What is taken lies inside, all of it.
 */
#include "hlk.h"
#include "program.h"
#include "tap.h"

#define ENTRIES	8
#define ROUNDS	200000

/* A program that is being made, in memory that ends with it */
struct made {
	u8 *bytes;
	u32 size;
	u32 nr;
	u32 used;
};

static const struct {
	u32 cmd;
	u32 bytes;
} calls[] = {
	{ KVM_SET_REGS, sizeof(struct kvm_regs) },
	{ KVM_SET_SREGS, sizeof(struct kvm_sregs) },
	{ KVM_SET_SREGS2, sizeof(struct kvm_sregs2) },
	{ KVM_SET_FPU, sizeof(struct kvm_fpu) },
	{ KVM_SET_XSAVE, sizeof(struct kvm_xsave) },
	{ KVM_SET_XCRS, sizeof(struct kvm_xcrs) },
	{ KVM_SET_DEBUGREGS, sizeof(struct kvm_debugregs) },
	{ KVM_SET_VCPU_EVENTS, sizeof(struct kvm_vcpu_events) },
	{ KVM_SET_MP_STATE, sizeof(struct kvm_mp_state) },
	{ KVM_SET_LAPIC, sizeof(struct kvm_lapic_state) },
	{ KVM_SET_MSRS, sizeof(struct kvm_msrs) },
	{ KVM_SET_NESTED_STATE, sizeof(struct kvm_nested_state) },
	{ KVM_SET_TSC_KHZ, sizeof(u64) },
	{ KVM_SET_IRQCHIP, sizeof(struct kvm_irqchip) },
	{ KVM_SET_PIT2, sizeof(struct kvm_pit_state2) },
	{ KVM_SET_CLOCK, sizeof(struct kvm_clock_data) },
	{ KVM_IRQ_LINE, sizeof(struct kvm_irq_level) },
	{ KVM_KVMCLOCK_CTRL, sizeof(u64) },
};

static u32 seed = 1;

static u32 draw(u32 below)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed % below;
}

static bool by_value(u32 cmd)
{
	return cmd == KVM_SET_TSC_KHZ || cmd == KVM_KVMCLOCK_CTRL;
}

static bool of_vm(u32 cmd)
{
	return cmd == KVM_SET_IRQCHIP || cmd == KVM_SET_PIT2 ||
	       cmd == KVM_SET_CLOCK || cmd == KVM_IRQ_LINE;
}

static void made_begin(struct made *made, u32 args)
{
	struct hlk_program_header *header;

	made->size = sizeof(*header) + ENTRIES * sizeof(struct hlk_program_entry) + args;
	made->bytes = calloc(1, made->size);
	made->nr = 0;
	made->used = made->size - args;
	header = (void *)made->bytes;
	header->size = sizeof(*header);
	header->entry_size = sizeof(struct hlk_program_entry);
}

static struct hlk_program_entry *made_entry(struct made *made, u32 nr)
{
	return (void *)(made->bytes + sizeof(struct hlk_program_header) +
			nr * sizeof(struct hlk_program_entry));
}

static void made_add(struct made *made, u32 call)
{
	struct hlk_program_entry *entry = made_entry(made, made->nr++);
	struct hlk_program_header *header = (void *)made->bytes;

	header->nr_entries = made->nr;
	entry->cmd = calls[call].cmd;
	entry->target = of_vm(entry->cmd) ? HLK_PROGRAM_VM : draw(3);
	entry->offset = made->used;
	entry->bytes = calls[call].bytes;
	made->used += round_up(entry->bytes, 8U);
}

static struct hlk_program *take(const struct made *made, bool compact,
				struct hlk_why_at *at)
{
	memset(at, 0, sizeof(*at));
	return hlk_program_new((unsigned long)made->bytes, made->size, compact, at);
}

/* What replay.c and KVM go by */
static void inside(const struct hlk_program *program)
{
	const struct hlk_program_call *call;
	struct kvm_msrs msrs;
	u32 i, bytes;

	for (i = 0; i < program->nr_calls; i++) {
		call = &program->calls[i];
		bytes = _IOC_SIZE(call->cmd);
		CHECK(call->offset >= sizeof(struct hlk_program_header) +
				      program->nr_calls * sizeof(struct hlk_program_entry));
		CHECK_EQ(call->offset % 8, 0);
		if (call->cmd == KVM_SET_MSRS) {
			hlk_program_read(program, call->offset, &msrs, sizeof(msrs));
			CHECK_EQ(call->success, msrs.nmsrs);
			bytes += call->success * sizeof(struct kvm_msr_entry);
		} else {
			CHECK_EQ(call->success, 0);
		}
		CHECK((u64)call->offset + bytes <= program->bytes);
		CHECK_EQ(call->by_value, by_value(call->cmd));
		if (of_vm(call->cmd))
			CHECK_EQ(call->target, HLK_PROGRAM_VM);
		else
			CHECK(call->target < HLK_MAX_VCPUS &&
			      program->vcpus & BIT(call->target));
	}
}

static void each_call(void)
{
	struct hlk_program *program;
	struct hlk_why_at at;
	struct made made;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		made_begin(&made, round_up(calls[i].bytes, 8U));
		made_add(&made, i);
		program = take(&made, false, &at);
		if (CHECK_MSG(!IS_ERR(program), "call %u: why %u at %llu", i, at.why,
			      (unsigned long long)at.where)) {
			CHECK_EQ(program->nr_calls, 1);
			inside(program);
			hlk_program_free(program);
		}
		/* without its last bytes */
		made.size -= 8;
		CHECK_EQ(PTR_ERR(take(&made, false, &at)), -EINVAL);
		CHECK_EQ(at.why, HLK_WHY_PROGRAM_ENTRY);
		free(made.bytes);
	}
	CHECK(!hlk_program_new(0, 0, false, &at));
}

static void at_random(void)
{
	u32 round, i, good = 0, piece;
	struct hlk_program *program;
	struct hlk_why_at at;
	struct made made;
	u8 *byte;

	for (round = 0; round < ROUNDS && !tap_failed(); round++) {
		made_begin(&made, 4096 + draw(64) * 8);
		for (i = draw(ENTRIES); i--;)
			made_add(&made, draw(ARRAY_SIZE(calls)));
		for (i = draw(4); i--;) {
			piece = draw(3) ? made.size :
				sizeof(struct hlk_program_header) +
				made.nr * sizeof(struct hlk_program_entry);
			byte = made.bytes + draw(piece);
			*byte = draw(2) ? draw(256) : *byte ^ 1 << draw(8);
		}
		if (!draw(4))
			made.size = round_up(draw(made.size) + 1, 8U);
		program = take(&made, draw(4) == 0, &at);
		if (IS_ERR(program)) {
			CHECK(at.why);
		} else {
			CHECK(program);
			inside(program);
			hlk_program_free(program);
			good++;
		}
		free(made.bytes);
	}
	printf("# %u of %u were taken\n", good, round);
	CHECK(good > round / 20);
}

/* Each allocation and each copy fails once. */
static void failures(void)
{
	struct hlk_program *program;
	struct hlk_why_at at;
	struct made made;
	u32 i;

	made_begin(&made, 16384);
	for (i = 0; i < 4; i++)
		made_add(&made, i);
	for (i = 1; ; i++) {
		shim.tries = 0;
		shim.fail_at = i;
		program = take(&made, false, &at);
		shim.fail_at = 0;
		if (!IS_ERR(program))
			break;
		CHECK_EQ(PTR_ERR(program), -ENOMEM);
	}
	CHECK_EQ(i, 1 + 5 + 1 + 1);
	hlk_program_free(program);
	for (i = 1; ; i++) {
		kernel.users = 0;
		kernel.fail_user_at = i;
		program = take(&made, false, &at);
		kernel.fail_user_at = 0;
		if (!IS_ERR(program))
			break;
		CHECK_EQ(PTR_ERR(program), -EFAULT);
	}
	CHECK_EQ(i, 5 + 1);
	hlk_program_free(program);
	free(made.bytes);
}

/* ---- its calls ---- */

#define AT	0x7f0000000000UL

/**
 * struct machine - a VM whose files note what they are asked for
 * @kvm_file: the VM's
 * @vcpu_file: those of the vCPUs
 * @vcpu: the vCPUs
 * @nr: calls until now
 * @call: what they were: command, argument, and which file
 * @fail_at: which of them fails, counted from 1
 * @ret: how
 */
static struct machine {
	struct hlk_vm vm;
	struct kvm kvm;
	struct file kvm_file;
	struct file vcpu_file[2];
	struct kvm_vcpu vcpu[2];
	struct hlk_snap snap;
	struct vm_area_struct vma;
	u32 nr;
	struct {
		unsigned int cmd;
		unsigned long arg;
		struct file *file;
	} call[64];
	u32 fail_at;
	long ret;
} m;

static long note(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct kvm_msrs msrs;

	CHECK(m.vm.lock.held);
	CHECK(!kernel.vcpus_held);
	m.call[m.nr].cmd = cmd;
	m.call[m.nr].arg = arg;
	m.call[m.nr++].file = file;
	if (m.nr == m.fail_at)
		return m.ret;
	if (cmd != KVM_SET_MSRS)
		return 0;
	hlk_program_read(m.snap.program, arg - AT, &msrs, sizeof(msrs));
	return msrs.nmsrs;
}

static const struct file_operations note_ops = { .unlocked_ioctl = note };

static void find_files(struct hlk_vm *vm)
{
	vm->vcpu_files[0] = &m.vcpu_file[0];
	vm->vcpu_files[1] = &m.vcpu_file[1];
}

/* Two MSRs of one vCPU, chips, an MSR of the other, and something for each time */
static bool machine_begin(void)
{
	struct hlk_vm *vm = &m.vm;
	struct hlk_why_at at;
	struct kvm_msrs *msrs;
	struct made made;
	u32 i, *index;

	memset(&m, 0, sizeof(m));
	made_begin(&made, 8192);
	made_add(&made, 10);
	made_entry(&made, 0)->bytes += 2 * sizeof(struct kvm_msr_entry);
	made_entry(&made, 0)->target = 0;
	msrs = (void *)(made.bytes + made_entry(&made, 0)->offset);
	msrs->nmsrs = 2;
	index = (u32 *)(msrs + 1);
	index[0] = 0x11111111;
	index[sizeof(struct kvm_msr_entry) / sizeof(u32)] = 0xc0000082;
	made.used += 2 * sizeof(struct kvm_msr_entry);
	made_add(&made, 13);
	made_add(&made, 12);
	made_entry(&made, 2)->target = 1;
	*(u64 *)(made.bytes + made_entry(&made, 2)->offset) = 2000000;
	made_add(&made, 15);
	made_entry(&made, 3)->flags = HLK_PROGRAM_TIME_GOES_ON;
	made_add(&made, 14);
	made_entry(&made, 4)->flags = HLK_PROGRAM_TIME_BACK;
	made_add(&made, 4);
	made_entry(&made, 5)->target = 1;
	made_add(&made, 16);
	made_entry(&made, 6)->flags = HLK_PROGRAM_FRESH;
	made_add(&made, 16);
	made_entry(&made, 7)->flags = HLK_PROGRAM_FRESH | HLK_PROGRAM_TIME_BACK;
	m.snap.program = take(&made, false, &at);
	free(made.bytes);
	if (!CHECK_MSG(!IS_ERR(m.snap.program), "why %u", at.why))
		return false;
	m.snap.nr_vcpus = 2;
	m.kvm_file.f_op = &note_ops;
	m.vm.kvm_file = &m.kvm_file;
	m.vm.kvm = &m.kvm;
	m.vm.nr_vcpus = 2;
	for (i = 0; i < 2; i++) {
		m.vcpu_file[i].f_op = &note_ops;
		m.vcpu[i].arch.guest_fpu.uabi_size = sizeof(struct kvm_xsave);
		m.vm.vcpus[i] = &m.vcpu[i];
	}
	kernel.find_files = find_files;
	/* as mmap() does */
	m.vma.vm_start = AT;
	m.vma.vm_end = AT + m.snap.program->nr_pages * PAGE_SIZE;
	m.vma.vm_pgoff = HLK_PROGRAM_OFFSET >> PAGE_SHIFT;
	m.vma.vm_flags = VM_MAYSHARE | VM_MAYWRITE;
	CHECK_EQ(hlk_program_mmap(&m.snap, &m.vma), 0);
	CHECK(!(m.vma.vm_flags & VM_MAYWRITE));
	kernel.vma = &m.vma;
	mutex_init(&vm->lock);
	mutex_lock(&vm->lock);
	return true;
}

static void machine_end(void)
{
	mutex_unlock(&m.vm.lock);
	kernel.vma = NULL;
	kernel.find_files = NULL;
	hlk_program_free(m.snap.program);
}

static int ready(u64 address, struct hlk_why_at *at)
{
	memset(at, 0, sizeof(*at));
	return hlk_program_ready(&m.vm, &m.snap, address, at);
}

static int play(u32 flags, struct hlk_why_at *at)
{
	m.nr = 0;
	memset(at, 0, sizeof(*at));
	return hlk_program_run(&m.vm, &m.snap, AT, flags, at);
}

static void mappings(void)
{
	struct vm_area_struct good;
	struct hlk_snap other = {};
	struct hlk_why_at at;

	if (!machine_begin())
		return;
	good = m.vma;
	CHECK_EQ(ready(AT, &at), 0);
	CHECK_EQ(ready(0, &at), -EINVAL);
	CHECK_EQ(at.why, HLK_WHY_PROGRAM_MISSING);
	CHECK_EQ(ready(AT + PAGE_SIZE, &at), -EFAULT);
	CHECK_EQ(ready(AT + 8, &at), -EFAULT);
	CHECK_EQ(at.why, HLK_WHY_PROGRAM_MAPPING);
	CHECK_EQ(at.where, AT + 8);
	m.vma.vm_end -= PAGE_SIZE;
	CHECK_EQ(ready(AT, &at), -EFAULT);
	m.vma = good;
	m.vma.vm_private_data = &other;
	CHECK_EQ(ready(AT, &at), -EFAULT);
	m.vma = good;
	m.vma.vm_pgoff++;
	CHECK_EQ(ready(AT, &at), -EFAULT);
	m.vma = good;
	m.vma.vm_ops = &hlk_window_vm_ops;
	CHECK_EQ(ready(AT, &at), -EFAULT);
	m.vma = good;
	kernel.vma = NULL;
	CHECK_EQ(ready(AT, &at), -EFAULT);
	kernel.vma = &m.vma;
	/* a page more than KVM_SET_XSAVE has here */
	m.vcpu[1].arch.guest_fpu.uabi_size += PAGE_SIZE;
	CHECK_EQ(ready(AT, &at), -EMEDIUMTYPE);
	CHECK_EQ(at.index, 1);
	CHECK_EQ(at.where, sizeof(struct kvm_xsave) + PAGE_SIZE);
	m.vcpu[1].arch.guest_fpu.uabi_size -= PAGE_SIZE;
	/* and no file of the second vCPU */
	kernel.find_files = NULL;
	m.vm.vcpu_files[1] = NULL;
	CHECK_EQ(ready(AT, &at), -EINVAL);
	CHECK_EQ(at.why, HLK_WHY_VCPU_FD);
	CHECK_EQ(at.index, 1);
	/* none of these called anybody */
	CHECK_EQ(m.nr, 0);
	machine_end();
	CHECK_EQ(hlk_program_mmap(&other, &good), -ENXIO);
}

static void in_order(void)
{
	struct hlk_why_at at;
	u32 i;

	if (!machine_begin())
		return;
	CHECK_EQ(ready(AT, &at), 0);
	CHECK_EQ(play(0, &at), 0);
	CHECK_EQ(m.nr, 6);
	CHECK_EQ(m.call[0].cmd, KVM_SET_MSRS);
	CHECK(m.call[0].file == &m.vcpu_file[0]);
	CHECK_EQ(m.call[1].cmd, KVM_SET_IRQCHIP);
	CHECK(m.call[1].file == &m.kvm_file);
	CHECK_EQ(m.call[2].cmd, KVM_SET_TSC_KHZ);
	CHECK_EQ(m.call[2].arg, 2000000);
	CHECK(m.call[2].file == &m.vcpu_file[1]);
	CHECK_EQ(m.call[3].cmd, KVM_SET_CLOCK);
	CHECK_EQ(m.call[4].cmd, KVM_SET_XSAVE);
	CHECK_EQ(m.call[5].cmd, KVM_IRQ_LINE);
	CHECK(m.call[5].file == &m.kvm_file);
	for (i = 0; i < m.nr; i++)
		CHECK(m.call[i].cmd == KVM_SET_TSC_KHZ ||
		      (m.call[i].arg > AT && m.call[i].arg < m.vma.vm_end));
	CHECK_EQ(play(HLK_RESTORE_TIME_BACK, &at), 0);
	CHECK_EQ(m.nr, 7);
	CHECK_EQ(m.call[3].cmd, KVM_SET_PIT2);
	CHECK_EQ(m.call[6].cmd, KVM_IRQ_LINE);
	CHECK_EQ(play(HLK_RESTORE_REPRODUCIBLE, &at), 0);
	CHECK_EQ(m.nr, 5);
	CHECK_EQ(play(HLK_RESTORE_REPRODUCIBLE | HLK_RESTORE_TIME_BACK, &at), 0);
	CHECK_EQ(m.nr, 5);
	CHECK_EQ(m.call[4].cmd, KVM_SET_XSAVE);
	machine_end();
}

static void refused(void)
{
	struct hlk_why_at at;
	u32 i;

	if (!machine_begin())
		return;
	CHECK_EQ(ready(AT, &at), 0);
	for (i = 1; i <= 5; i++) {
		m.fail_at = i;
		m.ret = -EPERM;
		CHECK_EQ(play(0, &at), -EPERM);
		CHECK_EQ(m.nr, i);
		CHECK_EQ(at.why, HLK_WHY_PROGRAM_CALL);
		CHECK_EQ(at.index, i - 1 + (i == 5));
		CHECK_EQ(at.where, m.call[i - 1].cmd);
		/* what no KVM returns */
		m.ret = 5;
		CHECK_EQ(play(0, &at), -EINVAL);
		CHECK_EQ(at.why, HLK_WHY_PROGRAM_CALL);
	}
	m.fail_at = 1;
	for (m.ret = 0; m.ret < 2; m.ret++) {
		CHECK_EQ(play(0, &at), -EOPNOTSUPP);
		CHECK_EQ(at.why, HLK_WHY_PROGRAM_MSR);
		CHECK_EQ(at.index, 0);
		CHECK_EQ(at.where, m.ret ? 0xc0000082 : 0x11111111);
	}
	m.fail_at = 0;
	shim.checks = 0;
	shim.signal_at = 1;
	CHECK_EQ(play(0, &at), -EINTR);
	CHECK_EQ(m.nr, 1);
	shim.signal_at = 0;
	machine_end();
}

int main(int argc, char **argv)
{
	const struct tap_test tests[] = {
		TAP_TEST(each_call),
		TAP_TEST(at_random),
		TAP_TEST(failures),
		TAP_TEST(mappings),
		TAP_TEST(in_order),
		TAP_TEST(refused),
	};

	return tap_main(argc, argv, tests, ARRAY_SIZE(tests));
}
