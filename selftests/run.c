// SPDX-License-Identifier: GPL-2.0-only
/*
 * Restore, give input, run in one call: what it does, what it says that it has
 * done when it ends early, and what it refuses.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

#include "state.h"
#include "harness.h"

#define PORT	0xe9
#define DONE_ALL (HLK_DONE_RESTORED | HLK_DONE_INPUT | HLK_DONE_ENTERED)

/* Adds the words at 0x21000 and 0x21ffc to EAX, counts at 0x22000 */
GUEST(sum, "	add 0x21000, %eax\n"
	   "	add 0x21ffc, %eax\n"
	   "	incl 0x22000\n"
	   "	mov 0x22000, %ebx\n"
	   "	hlt\n");

/* Prints "abcde", then one byte to another port, then stops */
GUEST(print, "	mov $0xe9, %edx\n"
	     "	mov $'a', %al\n"
	     "1:	outb %al, %dx\n"
	     "	inc %al\n"
	     "	cmp $'f', %al\n"
	     "	jne 1b\n"
	     "	outb %al, $0x80\n"
	     "	hlt\n");

/* To the log's port, but not a byte at a time */
GUEST(words, "	mov $0xe9, %edx\n"
	     "	mov $0x64636261, %eax\n"
	     "	outw %ax, %dx\n"
	     "	outl %eax, %dx\n"
	     "	inb %dx, %al\n"
	     "	mov $0x21000, %esi\n"
	     "	mov $3, %ecx\n"
	     "	rep outsb\n"
	     "	hlt\n");

GUEST(spin, "1:	incl 0x20000\n"
	    "	jmp 1b\n");

GUEST(mmio, "	mov 0xd0000000, %eax\n"
	    "	mov %eax, 0x22000\n"
	    "	hlt\n");

GUEST(triple, "	ud2\n");
GUEST(halt, "	hlt\n");

FIXTURE(run) {
	struct tvm t;
	int snap;
	struct hlk_run run;
};

/* A snapshot of the guest as it is now, restored once */
static void begin(struct tvm *t, int *snap, const u8 *code, const u8 *end)
{
	if (*snap >= 0)
		close(*snap);
	tvm_load_(t, TVM_CODE, code, end);
	tvm_set(t, TVM_CODE);
	*snap = hlk_snapshot_flat(t->hlk);
	t_must(*snap >= 0);
	t_must(!hlk_restore(t->hlk, *snap, NULL));
}

#define BEGIN(code) begin(&self->t, &self->snap, code, code##_end)

FIXTURE_SETUP(run)
{
	t_begin();
	self->snap = -1;
	tvm_start(&self->t, 0, 0);
	BEGIN(sum);
	self->run = (struct hlk_run)HLK_STRUCT(hlk_run);
	self->run.input_size = sizeof(struct hlk_segment);
	self->run.vcpu_fd = self->t.vcpu;
}

FIXTURE_TEARDOWN(run)
{
	close(self->snap);
	tvm_close(&self->t);
	EXPECT_EQ(0, t_end());
}

static long call(struct tvm *t, struct hlk_run *run)
{
	return hlk_call(t->hlk, HLK_RUN, run);
}

static u32 word(struct tvm *t, u32 gpa)
{
	return *(volatile u32 *)tvm_at(t, gpa);
}

/* ---- what it does ---- */

TEST_F(run, restores_gives_input_and_enters)
{
	u32 first, last;
	struct hlk_segment in[] = {
		{ .gpa = 0x21000, .bytes = 4, .data = (uintptr_t)&first },
		{ .gpa = 0x21ffc, .bytes = 4, .data = (uintptr_t)&last },
	};
	struct hlk_vm_stats stats;
	int round;

	self->run.inputs = (uintptr_t)in;
	self->run.nr_inputs = 2;
	for (round = 0; round < 20; round++) {
		first = round * 3;
		last = 1000;
		OK(call(&self->t, &self->run));
		ASSERT_EQ(DONE_ALL, self->run.done);
		ASSERT_EQ(KVM_EXIT_HLT, self->run.exit_reason);
		ASSERT_EQ(KVM_EXIT_HLT, self->t.run->exit_reason);
		ASSERT_EQ(1, self->run.entries);
		ASSERT_EQ(round * 3 + 1000, self->t.run->s.regs.regs.rax);
		/* the counter of a call before is gone */
		ASSERT_EQ(1, self->t.run->s.regs.regs.rbx);
	}
	/* two pages of data, and the page with the bookkeeping */
	ASSERT_EQ(3, self->run.copied + self->run.cleared);
	ASSERT_EQ(3, self->run.private_pages);
	OK(hlk_stats(self->t.hlk, &stats));
	ASSERT_EQ(20, stats.runs);
	ASSERT_EQ(21, stats.restores);
}

TEST_F(run, without_input)
{
	OK(call(&self->t, &self->run));
	ASSERT_EQ(DONE_ALL, self->run.done);
	ASSERT_EQ(0, self->t.run->s.regs.regs.rax);
	ASSERT_EQ(1, self->t.run->s.regs.regs.rbx);
}

TEST_F(run, input_over_pages_and_windows)
{
	static u8 bytes[5 * PAGE];
	struct hlk_segment in[HLK_MAX_INPUTS];
	u32 i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = i * 7 + i / PAGE;
	for (i = 0; i < HLK_MAX_INPUTS; i++)
		in[i] = (struct hlk_segment){
			.gpa = TVM_SCRATCH_GPA + 5 * PAGE * i + i,
			.bytes = sizeof(bytes) - 2 * i,
			.data = (uintptr_t)bytes + i,
		};
	/* later ones win where they overlap, and none is none */
	in[0].gpa = in[1].gpa - 100;
	in[7].bytes = 0;
	in[7].gpa = ~0ULL;
	self->run.inputs = (uintptr_t)in;
	self->run.nr_inputs = HLK_MAX_INPUTS;
	OK(call(&self->t, &self->run));
	for (i = 1; i < 7; i++)
		ASSERT_EQ(0, memcmp(tvm_at(&self->t, in[i].gpa), bytes + i,
				    in[i].bytes)) {
			TH_LOG("%u", i);
		}
	ASSERT_EQ(0, memcmp(tvm_at(&self->t, in[0].gpa), bytes, 100));
	/* and a restore takes it away */
	OK(hlk_restore(self->t.hlk, -1, NULL));
	for (i = 1; i < 7; i++)
		ASSERT_EQ(0, *tvm_at(&self->t, in[i].gpa + 8));
}

TEST_F(run, registers_that_are_given)
{
	struct kvm_regs regs = {
		.rip = TVM_CODE, .rsp = TVM_STACK, .rflags = 2, .rax = 77,
	};
	u32 i;

	self->run.head.flags = HLK_RUN_REGS;
	self->run.regs = (uintptr_t)&regs;
	for (i = 0; i < 3; i++) {
		OK(call(&self->t, &self->run));
		ASSERT_EQ(77, self->t.run->s.regs.regs.rax);
		ASSERT_EQ(1, self->t.run->s.regs.regs.rbx);
	}
	/* without the flag the pointer means nothing */
	self->run.head.flags = 0;
	self->run.regs = 8;
	OK(call(&self->t, &self->run));
	ASSERT_EQ(0, self->t.run->s.regs.regs.rax);
}

TEST_F(run, what_the_guest_left_in_the_vcpu_is_gone)
{
	struct state *before = calloc(2, sizeof(*before));
	struct state *after = before + 1;
	struct kvm_sync_regs regs;

	ASSERT_NE(NULL, before);
	get_state(&self->t, before);
	tvm_flat(&regs, TVM_CODE, 0x7777);
	regs.regs.rbp = 0x1234;
	regs.sregs.cr2 = 0x5000;
	regs.sregs.cr4 = 0x200;
	tvm_set_regs(&self->t, &regs);
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_SET_FPU,
			   &(struct kvm_fpu){ .fcw = 0x27f, .mxcsr = 0x3f80 }));
	self->t.run->immediate_exit = 1;
	FAILS(EINTR, HLK_WHY_NONE, call(&self->t, &self->run));
	self->t.run->immediate_exit = 0;
	get_state(&self->t, after);
	SAME_STATE(*before, *after);
	free(before);
}

/* ---- the log ---- */

TEST_F(run, the_log_takes_bytes_of_its_port)
{
	char log[16];

	BEGIN(print);
	memset(log, '#', sizeof(log));
	self->run.log = (uintptr_t)log;
	self->run.log_size = sizeof(log);
	self->run.log_port = PORT;
	OK(call(&self->t, &self->run));
	ASSERT_EQ(5, self->run.log_used);
	ASSERT_EQ(0, memcmp(log, "abcde####", 9));
	ASSERT_EQ(6, self->run.entries);
	ASSERT_EQ(KVM_EXIT_IO, self->run.exit_reason);
	ASSERT_EQ(0x80, self->t.run->io.port);
	/* and it begins anew */
	self->run.head.flags = HLK_RUN_CONTINUE;
	OK(call(&self->t, &self->run));
	ASSERT_EQ(0, self->run.log_used);
	ASSERT_EQ(KVM_EXIT_HLT, self->run.exit_reason);
}

TEST_F(run, a_full_log_is_an_exit)
{
	char log[8];

	BEGIN(print);
	memset(log, '#', sizeof(log));
	self->run.log = (uintptr_t)log;
	self->run.log_size = 3;
	self->run.log_port = PORT;
	OK(call(&self->t, &self->run));
	ASSERT_EQ(3, self->run.log_used);
	ASSERT_EQ(4, self->run.entries);
	ASSERT_EQ(0, memcmp(log, "abc#####", 8));
	ASSERT_EQ(KVM_EXIT_IO, self->run.exit_reason);
	ASSERT_EQ(PORT, self->t.run->io.port);
	ASSERT_EQ('d', ((u8 *)self->t.run)[self->t.run->io.data_offset]);
	/* the byte was told; what follows goes to the log */
	self->run.head.flags = HLK_RUN_CONTINUE;
	OK(call(&self->t, &self->run));
	ASSERT_EQ(1, self->run.log_used);
	ASSERT_EQ('e', log[0]);
	ASSERT_EQ(0x80, self->t.run->io.port);
}

TEST_F(run, no_log_is_an_exit)
{
	BEGIN(print);
	self->run.log_port = PORT;
	OK(call(&self->t, &self->run));
	ASSERT_EQ(1, self->run.entries);
	ASSERT_EQ(0, self->run.log_used);
	ASSERT_EQ(PORT, self->t.run->io.port);
}

/* A log that cannot be written loses nothing */
TEST_F(run, a_bad_log_is_an_exit)
{
	BEGIN(print);
	self->run.log = 8;
	self->run.log_size = 100;
	self->run.log_port = PORT;
	OK(call(&self->t, &self->run));
	ASSERT_EQ(0, self->run.log_used);
	ASSERT_EQ(PORT, self->t.run->io.port);
	ASSERT_EQ('a', ((u8 *)self->t.run)[self->t.run->io.data_offset]);
	/* nor does one that ends in the kernel's half or wraps */
	self->run.log = ~0ULL - 2;
	OK(call(&self->t, &self->run));
	ASSERT_EQ(0, self->run.log_used);
	self->run.log = 1ULL << 63;
	OK(call(&self->t, &self->run));
	ASSERT_EQ(0, self->run.log_used);
}

TEST_F(run, only_single_bytes_go_to_the_log)
{
	char log[16];
	u32 exits;

	BEGIN(words);
	self->run.log = (uintptr_t)log;
	self->run.log_size = sizeof(log);
	self->run.log_port = PORT;
	OK(call(&self->t, &self->run));
	ASSERT_EQ(2, self->t.run->io.size);
	self->run.head.flags = HLK_RUN_CONTINUE;
	OK(call(&self->t, &self->run));
	ASSERT_EQ(4, self->t.run->io.size);
	OK(call(&self->t, &self->run));
	ASSERT_EQ(KVM_EXIT_IO_IN, self->t.run->io.direction);
	/* string I/O of several is an exit; KVM may give it one at a time */
	for (exits = 0; exits < 5; exits++) {
		OK(call(&self->t, &self->run));
		if (self->run.exit_reason == KVM_EXIT_HLT)
			break;
		ASSERT_EQ(KVM_EXIT_IO, self->run.exit_reason);
		ASSERT_LT(1, self->t.run->io.count);
	}
	ASSERT_EQ(KVM_EXIT_HLT, self->run.exit_reason);
}

/* ---- going on ---- */

TEST_F(run, goes_on_after_an_exit)
{
	u32 answer = 0x12345678;

	BEGIN(mmio);
	OK(call(&self->t, &self->run));
	ASSERT_EQ(KVM_EXIT_MMIO, self->run.exit_reason);
	memcpy(self->t.run->mmio.data, &answer, 4);
	self->run.head.flags = HLK_RUN_CONTINUE;
	OK(call(&self->t, &self->run));
	ASSERT_EQ(KVM_EXIT_HLT, self->run.exit_reason);
	ASSERT_EQ(HLK_DONE_INPUT | HLK_DONE_ENTERED, self->run.done);
	ASSERT_EQ(0, self->run.copied);
	ASSERT_EQ(answer, word(&self->t, 0x22000));
	/* a restore with the read half done forgets it */
	self->run.head.flags = 0;
	OK(call(&self->t, &self->run));
	ASSERT_EQ(KVM_EXIT_MMIO, self->run.exit_reason);
	OK(call(&self->t, &self->run));
	ASSERT_EQ(KVM_EXIT_MMIO, self->run.exit_reason);
	ASSERT_EQ(TVM_CODE, self->t.run->s.regs.regs.rip);
	ASSERT_EQ(0, word(&self->t, 0x22000));
}

TEST_F(run, input_and_registers_without_a_restore)
{
	u32 value = 5;
	struct hlk_segment in = { 0x21000, 4, (uintptr_t)&value };
	struct kvm_regs regs = { .rip = TVM_CODE, .rflags = 2 };

	self->run.inputs = (uintptr_t)&in;
	self->run.nr_inputs = 1;
	self->run.regs = (uintptr_t)&regs;
	OK(call(&self->t, &self->run));
	self->run.head.flags = HLK_RUN_CONTINUE | HLK_RUN_REGS;
	value = 6;
	OK(call(&self->t, &self->run));
	ASSERT_EQ(6, self->t.run->s.regs.regs.rax);
	ASSERT_EQ(2, self->t.run->s.regs.regs.rbx);
}

TEST_F(run, a_guest_that_crashed_is_restored)
{
	struct hlk_segment in = { TVM_CODE, halt_end - halt, (uintptr_t)halt };
	int round;

	BEGIN(triple);
	for (round = 0; round < 3; round++) {
		OK(call(&self->t, &self->run));
		ASSERT_EQ(KVM_EXIT_SHUTDOWN, self->run.exit_reason);
	}
	self->run.inputs = (uintptr_t)&in;
	self->run.nr_inputs = 1;
	OK(call(&self->t, &self->run));
	ASSERT_EQ(KVM_EXIT_HLT, self->run.exit_reason);
}

/* ---- uniqueness ---- */

static u64 unique(struct tvm *t)
{
	return *(u64 *)tvm_at(t, HLK_GUEST_SCRATCH_TOP - HLK_GUEST_OFF_UNIQUE);
}

TEST_F(run, each_restore_is_another_one)
{
	u8 seed[HLK_GUEST_SEED_SIZE];
	u8 *book = tvm_at(&self->t, HLK_GUEST_SCRATCH_TOP - HLK_GUEST_OFF_SEED);
	u64 before;

	OK(call(&self->t, &self->run));
	before = unique(&self->t);
	memcpy(seed, book, sizeof(seed));
	OK(call(&self->t, &self->run));
	ASSERT_EQ(before + 1, unique(&self->t));
	ASSERT_NE(0, memcmp(seed, book, sizeof(seed)));
	self->run.head.flags = HLK_RUN_CONTINUE;
	OK(call(&self->t, &self->run));
	ASSERT_EQ(before + 1, unique(&self->t));
	self->run.head.flags = HLK_RESTORE_REPRODUCIBLE;
	OK(call(&self->t, &self->run));
	ASSERT_EQ(0, unique(&self->t));
	memset(seed, 0, sizeof(seed));
	ASSERT_EQ(0, memcmp(seed, book, sizeof(seed)));
}

/* ---- signals ---- */

TEST_F(run, immediate_exit)
{
	self->t.run->immediate_exit = 1;
	FAILS(EINTR, HLK_WHY_NONE, call(&self->t, &self->run));
	ASSERT_EQ(DONE_ALL, self->run.done);
	ASSERT_EQ(1, self->run.entries);
	self->t.run->immediate_exit = 0;
	ASSERT_EQ(0, word(&self->t, 0x22000));
	self->run.head.flags = HLK_RUN_CONTINUE;
	OK(call(&self->t, &self->run));
	ASSERT_EQ(1, word(&self->t, 0x22000));
}

static void no_op(int sig)
{
}

static void alarm_in(u32 us, int flags)
{
	struct sigaction action = { .sa_handler = no_op, .sa_flags = flags };
	/* again and again, lest the first come too early */
	struct itimerval timer = {
		.it_value.tv_usec = us,
		.it_interval.tv_usec = us,
	};

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

static void alarm_off(void)
{
	setitimer(ITIMER_REAL, &(struct itimerval){}, NULL);
}

/* A call that began anew by itself would run for ever. */
TEST_F(run, a_signal_ends_it_with_sa_restart_too)
{
	u32 before;
	int flags;

	BEGIN(spin);
	for (flags = 0; flags < 2; flags++) {
		self->run.head.flags = 0;
		alarm_in(200000, flags ? SA_RESTART : 0);
		FAILS(EINTR, HLK_WHY_NONE, call(&self->t, &self->run));
		ASSERT_EQ(DONE_ALL, self->run.done);
		before = word(&self->t, TVM_DATA);
		ASSERT_LT(0, before);
		/* on from there, not from the start */
		self->run.head.flags = HLK_RUN_CONTINUE;
		FAILS(EINTR, HLK_WHY_NONE, call(&self->t, &self->run));
		ASSERT_EQ(HLK_DONE_INPUT | HLK_DONE_ENTERED, self->run.done);
		ASSERT_LT(before, word(&self->t, TVM_DATA));
		alarm_off();
	}
}

/* ---- what it refuses ---- */

TEST_F(run, only_a_vcpu_of_this_vm)
{
	struct tvm other;
	int fd;

	tvm_open(&other);
	self->run.vcpu_fd = other.vcpu;
	FAILS(EBADF, HLK_WHY_NOT_VCPU, call(&self->t, &self->run));
	ASSERT_EQ(0, self->run.done);
	tvm_close(&other);

	self->run.vcpu_fd = -1;
	FAILS(EBADF, HLK_WHY_NOT_VCPU, call(&self->t, &self->run));
	self->run.vcpu_fd = self->t.vm;
	FAILS(EBADF, HLK_WHY_NOT_VCPU, call(&self->t, &self->run));
	self->run.vcpu_fd = self->t.hlk;
	FAILS(EBADF, HLK_WHY_NOT_VCPU, call(&self->t, &self->run));
	self->run.vcpu_fd = self->snap;
	FAILS(EBADF, HLK_WHY_NOT_VCPU, call(&self->t, &self->run));

	/* it has the same private data in the kernel */
	fd = ioctl(self->t.vcpu, KVM_GET_STATS_FD, 0);
	ASSERT_LE(0, fd);
	self->run.vcpu_fd = fd;
	FAILS(EBADF, HLK_WHY_NOT_VCPU, call(&self->t, &self->run));
	close(fd);
	fd = memfd_create("kvm-vcpu:0", 0);
	ASSERT_LE(0, fd);
	self->run.vcpu_fd = fd;
	FAILS(EBADF, HLK_WHY_NOT_VCPU, call(&self->t, &self->run));
	close(fd);

	/* and nothing was restored for them */
	ASSERT_EQ(0, self->run.done);
	self->run.vcpu_fd = self->t.vcpu;
	OK(call(&self->t, &self->run));
	fd = dup(self->t.vcpu);
	self->run.vcpu_fd = fd;
	OK(call(&self->t, &self->run));
	close(fd);
}

TEST_F(run, flags_and_reserved_fields)
{
	u32 known = HLK_RESTORE_REPRODUCIBLE | HLK_RESTORE_TIME_BACK | HLK_RESTORE_LEARN |
		    HLK_RUN_CONTINUE | HLK_RUN_REGS | HLK_RUN_SIZED | HLK_RUN_LEAD |
		    HLK_RUN_FOLLOW;
	u32 bit;

	for (bit = 0; bit < 32; bit++) {
		if (known & 1U << bit)
			continue;
		self->run.head.flags = 1U << bit;
		FAILS(EOPNOTSUPP, HLK_WHY_FLAGS, call(&self->t, &self->run));
	}
	self->run.head.flags = HLK_RUN_CONTINUE | HLK_RESTORE_REPRODUCIBLE;
	FAILS(EINVAL, HLK_WHY_FLAGS, call(&self->t, &self->run));
	self->run.head.flags = HLK_RUN_CONTINUE | HLK_RESTORE_TIME_BACK;
	FAILS(EINVAL, HLK_WHY_FLAGS, call(&self->t, &self->run));
	self->run.head.flags = HLK_RUN_CONTINUE | HLK_RESTORE_LEARN;
	FAILS(EINVAL, HLK_WHY_FLAGS, call(&self->t, &self->run));
	self->run.head.flags = HLK_RESTORE_REPRODUCIBLE | HLK_RESTORE_LEARN;
	FAILS(EINVAL, HLK_WHY_FLAGS, call(&self->t, &self->run));
	FAILS(EINVAL, HLK_WHY_FLAGS,
	      hlk_restore_flags(self->t.hlk, -1, self->run.head.flags, NULL));
	self->run.head.flags = 0;
	ASSERT_EQ(0, self->run.done);
}

static const struct {
	u64 gpa;
	u64 bytes;
} outside[] = {
	{ TVM_LOW, 1 },
	{ TVM_LOW - 1, 2 },
	{ TVM_SCRATCH_GPA - 1, 2 },
	{ HLK_GUEST_SCRATCH_TOP, 1 },
	{ HLK_GUEST_SCRATCH_TOP - 4, 8 },
	{ 0xfee00000, 4 },
	{ 1ULL << 32, 1 },
	{ 1ULL << 52, 1 },
	{ ~0ULL, 1 },
	{ ~0ULL - 4095, 4097 },
	{ 0, HLK_MAX_INPUT_BYTES },
};

TEST_F(run, inputs_lie_in_windows)
{
	struct hlk_segment in[2] = { { 0x21000, 4, (uintptr_t)"abc" } };
	static u8 bytes[HLK_MAX_INPUT_BYTES];
	u32 i;

	self->run.inputs = (uintptr_t)in;
	self->run.nr_inputs = 2;
	for (i = 0; i < ARRAY_SIZE(outside); i++) {
		in[1].gpa = outside[i].gpa;
		in[1].bytes = outside[i].bytes;
		in[1].data = (uintptr_t)bytes;
		if (!in[1].gpa) {
			/* all of low memory and four bytes more in all */
			FAILS(E2BIG, HLK_WHY_INPUT, call(&self->t, &self->run));
			ASSERT_EQ(HLK_MAX_INPUT_BYTES, t_where);
		} else {
			FAILS(EINVAL, HLK_WHY_INPUT, call(&self->t, &self->run));
			ASSERT_EQ(outside[i].gpa, t_where);
		}
		ASSERT_EQ(1, t_index);
		/* before anything is restored or written */
		ASSERT_EQ(0, self->run.done);
		ASSERT_EQ(0, word(&self->t, 0x21000));
	}
}

TEST_F(run, inputs_are_few_and_short)
{
	struct hlk_segment in[HLK_MAX_INPUTS + 1] = {};

	self->run.inputs = (uintptr_t)in;
	self->run.nr_inputs = HLK_MAX_INPUTS + 1;
	FAILS(E2BIG, HLK_WHY_INPUT, call(&self->t, &self->run));
	ASSERT_EQ(HLK_MAX_INPUTS, t_where);
	self->run.nr_inputs = ~0;
	FAILS(E2BIG, HLK_WHY_INPUT, call(&self->t, &self->run));
	self->run.nr_inputs = 2;
	in[0].bytes = ~0ULL;
	FAILS(E2BIG, HLK_WHY_INPUT, call(&self->t, &self->run));
	ASSERT_EQ(0, t_index);
	in[0].bytes = 0;
	in[1].bytes = HLK_MAX_INPUT_BYTES + 1;
	FAILS(E2BIG, HLK_WHY_INPUT, call(&self->t, &self->run));
	ASSERT_EQ(1, t_index);
}

TEST_F(run, pointers_that_lead_nowhere)
{
	struct hlk_segment in = { 0x21ff0, 0x20, 8 };

	self->run.nr_inputs = 1;
	self->run.inputs = 8;
	FAILS(EFAULT, HLK_WHY_NONE, call(&self->t, &self->run));
	ASSERT_EQ(0, self->run.done);
	self->run.inputs = (uintptr_t)&in;
	FAILS(EFAULT, HLK_WHY_NONE, call(&self->t, &self->run));
	ASSERT_EQ(HLK_DONE_RESTORED, self->run.done);
	in.data = 1ULL << 63;
	FAILS(EFAULT, HLK_WHY_NONE, call(&self->t, &self->run));
	self->run.nr_inputs = 0;
	self->run.head.flags = HLK_RUN_REGS;
	self->run.regs = 8;
	FAILS(EFAULT, HLK_WHY_NONE, call(&self->t, &self->run));
	ASSERT_EQ(0, self->run.done);
}

TEST_F(run, a_window_that_is_read_only_takes_no_input)
{
	struct hlk_segment in = { 0x200000, 4, (uintptr_t)"abc" };
	struct tvm t;
	int snap;

	tvm_open(&t);
	tvm_attach(&t, 0, 0);
	tvm_window(&t, 0, TVM_LOW, 0);
	tvm_window(&t, 0x200000, PAGE, HLK_WINDOW_READONLY);
	tvm_set(&t, TVM_CODE);
	snap = OK(hlk_snapshot_flat(t.hlk));
	OK(hlk_restore(t.hlk, snap, NULL));
	self->run.vcpu_fd = t.vcpu;
	self->run.inputs = (uintptr_t)&in;
	self->run.nr_inputs = 1;
	FAILS(EINVAL, HLK_WHY_INPUT, call(&t, &self->run));
	ASSERT_EQ(0x200000, t_where);
	close(snap);
	tvm_close(&t);
}

TEST_F(run, nothing_to_go_back_to)
{
	struct tvm t;

	tvm_start(&t, 0, 0);
	tvm_load(&t, TVM_CODE, halt);
	self->run.vcpu_fd = t.vcpu;
	FAILS(EINVAL, HLK_WHY_NO_SNAPSHOT, call(&t, &self->run));
	ASSERT_EQ(0, self->run.done);
	/* without a restore there is no need of one */
	self->run.head.flags = HLK_RUN_CONTINUE;
	OK(call(&t, &self->run));
	ASSERT_EQ(KVM_EXIT_HLT, self->run.exit_reason);
	tvm_close(&t);
}

TEST_F(run, input_is_under_the_budget)
{
	static u8 bytes[5 * PAGE];
	struct hlk_segment in = { 0x21000, sizeof(bytes), (uintptr_t)bytes };
	struct tvm t;
	int snap;

	tvm_start(&t, 4, 0);
	tvm_load(&t, TVM_CODE, halt);
	snap = OK(hlk_snapshot_flat(t.hlk));
	OK(hlk_restore(t.hlk, snap, NULL));
	self->run.vcpu_fd = t.vcpu;
	self->run.inputs = (uintptr_t)&in;
	self->run.nr_inputs = 1;
	/* what a restore kept, the page with the code, is not the call's */
	FAILS(EDQUOT, HLK_WHY_BUDGET, call(&t, &self->run));
	ASSERT_EQ(0, t_index);
	ASSERT_EQ(HLK_DONE_RESTORED, self->run.done);
	in.bytes = PAGE;
	OK(call(&t, &self->run));
	close(snap);
	tvm_close(&t);
}

TEST_F(run, a_vcpu_that_runs_is_busy)
{
	struct tvm_runner runner;

	BEGIN(spin);
	tvm_runner_start(&runner, &self->t);
	FAILS(EBUSY, HLK_WHY_VCPU_RUNNING, call(&self->t, &self->run));
	ASSERT_EQ(0, self->run.done);
	ASSERT_EQ(-EINTR, tvm_runner_kick(&runner));
	self->t.run->immediate_exit = 1;
	FAILS(EINTR, HLK_WHY_NONE, call(&self->t, &self->run));
}

/* Two threads that call at once: one at a time, each a whole call */
struct caller {
	struct tvm *t;
	pthread_t thread;
	u32 bad;
	u32 done;
};

static void *caller(void *arg)
{
	struct caller *c = arg;
	struct hlk_run run;
	int round;
	long ret;

	for (round = 0; round < 200; round++) {
		run = (struct hlk_run)HLK_STRUCT(hlk_run);
		run.vcpu_fd = c->t->vcpu;
		ret = ioctl(c->t->hlk, HLK_RUN, &run) ? -errno : 0;
		c->done += !ret;
		c->bad += ret && ret != -EBUSY;
	}
	return NULL;
}

TEST_F(run, from_several_threads)
{
	struct caller c[2] = { { .t = &self->t }, { .t = &self->t } };
	int i;

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&c[i].thread, NULL, caller, &c[i]));
	for (i = 0; i < 2; i++)
		pthread_join(c[i].thread, NULL);
	ASSERT_EQ(0, c[0].bad + c[1].bad);
	ASSERT_LT(0, c[0].done + c[1].done);
}

TEST_HARNESS_MAIN
