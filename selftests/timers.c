// SPDX-License-Identifier: GPL-2.0-only
/*
 * An interrupt that was under way at the moment of a snapshot comes once after each
 * restore by a program, no more and no less: pending, in service, of a timer whose time had not
 * come, of one that comes again and again, from one vCPU to another. What a timer's time
 * is then, when time goes on and when it comes back.
 */
#include <pthread.h>
#include <signal.h>

#include "machine.h"
#include "harness.h"

#define COUNT		0x24000U	/* interrupts, and when the first one came */
#define VECTOR_APIC	0x31
#define VECTOR_PIC	0x28		/* of IRQ 0 */
#define HANDLER_APIC	0x23000U
#define HANDLER_PIC	0x23100U
#define PORT_READY	0xe8
#define PORT_DONE	0xe9
#define PORT_HANDLER	0xea

/*
 * Each gets something under way with interrupts off, says that it is ready, and goes on at
 * TVM_CODE + 0x800: interrupts on, until as many came as %ebp has, and then for so many
 * ticks of the TSC as %ecx has; what came by then is told. %esi is when it was set up, %edi
 * how far the timer goes.
 */
#define READY	"	outl %eax, $0xe8\n" \
		"	movl $0x1800, %eax\n" \
		"	jmp *%eax\n"
#define APIC_ON	"	movl $0x1ff, 0xfee000f0\n"
#define NOW	"	rdtsc\n" \
		"	movl %eax, %esi\n"

GUEST(wait_here, "	sti\n"
		 "1:	cmpl %ebp, 0x24000\n"
		 "	jb 1b\n"
		 "	rdtsc\n"
		 "	movl %eax, %ebx\n"
		 "1:	rdtsc\n"
		 "	subl %ebx, %eax\n"
		 "	cmpl %ecx, %eax\n"
		 "	jb 1b\n"
		 "	cli\n"
		 "	movl 0x24000, %eax\n"
		 "	outl %eax, $0xe9\n"
		 "	movl 0x24004, %eax\n"
		 "	subl %esi, %eax\n"
		 "	outl %eax, $0xe9\n"
		 "1:	jmp 1b\n");
GUEST(halt_here, "1:	sti\n"
		 "	hlt\n"
		 "	cli\n"
		 "	movl 0x24000, %eax\n"
		 "	testl %eax, %eax\n"
		 "	jz 1b\n"
		 "	outl %eax, $0xe9\n"
		 "1:	jmp 1b\n");

/*
 * QEMU 7.2's SVM gives one interrupt in a thousand or so to its guest a second time, before the
 * first instruction of its handler, with interrupts off: see testing.rst. No processor does that,
 * so such a one is none.
 */
#define COUNTED	"	testl $0x200, 8(%esp)\n" \
		"	jnz 1f\n" \
		"	iret\n" \
		"1:	pushl %eax\n" \
		"	pushl %edx\n" \
		"	cmpl $0, 0x24000\n" \
		"	jne 1f\n" \
		"	rdtsc\n" \
		"	movl %eax, 0x24004\n" \
		"1:	incl 0x24000\n"
GUEST(handler_apic, COUNTED
		    "	movl $0, 0xfee000b0\n"
		    "	popl %edx\n"
		    "	popl %eax\n"
		    "	iret\n");
GUEST(handler_pic, COUNTED
		   "	movb $0x20, %al\n"
		   "	outb %al, $0x20\n"
		   "	popl %edx\n"
		   "	popl %eax\n"
		   "	iret\n");
/* Says that it is there, before it is done */
GUEST(handler_says, COUNTED
		    "	outl %eax, $0xea\n"
		    "	movl $0, 0xfee000b0\n"
		    "	popl %edx\n"
		    "	popl %eax\n"
		    "	iret\n");

/* The APIC's timer, once; it has come, and nobody took it */
GUEST(set_pending, APIC_ON
		   "	movl $0x31, 0xfee00320\n"
		   "	movl $0xb, 0xfee003e0\n" NOW
		   "	movl $0x1000, 0xfee00380\n"
		   "1:	testl $0x20000, 0xfee00210\n"
		   "	jz 1b\n" READY);
GUEST(set_once, APIC_ON
		"	movl $0x31, 0xfee00320\n"
		"	movl $0xb, 0xfee003e0\n" NOW
		"	movl %edi, 0xfee00380\n" READY);
GUEST(set_again, APIC_ON
		 "	movl $0x20031, 0xfee00320\n"
		 "	movl $0xb, 0xfee003e0\n" NOW
		 "	movl %edi, 0xfee00380\n" READY);
GUEST(set_deadline, APIC_ON
		    "	movl $0x40031, 0xfee00320\n"
		    "	movl %ecx, %ebx\n" NOW
		    "	addl %edi, %eax\n"
		    "	adcl $0, %edx\n"
		    "	movl $0x6e0, %ecx\n"
		    "	wrmsr\n"
		    "	movl %ebx, %ecx\n" READY);
GUEST(set_ipi, APIC_ON NOW
	       "	movl $0x44031, 0xfee00300\n" READY);

/* To the other vCPU: an interrupt; what starts it; the second half of that */
GUEST(send_ipi, APIC_ON
		"	movl $0x1000000, 0xfee00310\n"
		"	outl %eax, $0xe8\n"
		"	movl $0x4031, 0xfee00300\n"
		"	outl %eax, $0xe9\n");
GUEST(send_init, APIC_ON
		 "	movl $0x1000000, 0xfee00310\n"
		 "	outl %eax, $0xe8\n"
		 "	movl $0x4500, 0xfee00300\n"
		 "	movl $0x4603, 0xfee00300\n"
		 "	outl %eax, $0xe9\n");
GUEST(send_sipi, APIC_ON
		 "	movl $0x1000000, 0xfee00310\n"
		 "	movl $0x4500, 0xfee00300\n"
		 "	outl %eax, $0xe8\n"
		 "	movl $0x4603, 0xfee00300\n"
		 "	outl %eax, $0xe9\n");
GUEST(apic_on, APIC_ON
	       "	outl %eax, $0xe8\n");
/* In real mode, at 0x3000 */
GUEST(started, "	.code16\n"
	       "	movw $0x2400, %ax\n"
	       "	movw %ax, %ds\n"
	       "	incl 0\n"
	       "	movl 0, %eax\n"
	       "	outl %eax, $0xe9\n"
	       "1:	jmp 1b\n"
	       "	.code32\n");

#define PIC	"	movb $0x11, %al\n" \
		"	outb %al, $0x20\n" \
		"	movb $0x28, %al\n" \
		"	outb %al, $0x21\n" \
		"	movb $4, %al\n" \
		"	outb %al, $0x21\n" \
		"	movb $1, %al\n" \
		"	outb %al, $0x21\n" \
		"	movb $0xfe, %al\n" \
		"	outb %al, $0x21\n"
#define PIT(mode) "	movb $" mode ", %al\n" \
		"	outb %al, $0x43\n" NOW \
		"	movl %edi, %eax\n" \
		"	outb %al, $0x40\n" \
		"	movb %ah, %al\n" \
		"	outb %al, $0x40\n"
GUEST(set_pit_once, PIC PIT("0x30") READY);
GUEST(set_pit_again, PIC PIT("0x34") READY);

FIXTURE(timers) {
	struct tvm t;
	struct prog *p;
	struct machine *m;
	u8 *at;
	int snap;
	u32 khz;
};

static void set_gate(struct tvm *t, u32 vector, u32 eip)
{
	u64 gate = (eip & 0xffff) | (u64)HLK_GUEST_CS << 16 | 0x8e00ULL << 32 |
		   (u64)(eip >> 16) << 48;

	memcpy(tvm_at(t, TVM_IDT + 8 * vector), &gate, sizeof(gate));
}

static void no_op(int sig)
{
}

FIXTURE_SETUP(timers)
{
	struct sigaction action = { .sa_handler = no_op };
	struct tvm *t = &self->t;
	struct kvm_sync_regs regs;

	t_begin();
	sigaction(SIGALRM, &action, NULL);
	alarm(600);
	tvm_open_deadline(t);
	tvm_machine(t, 0, 0);
	self->p = calloc(1, sizeof(*self->p));
	self->m = calloc(1, sizeof(*self->m));
	t_must(self->p && self->m);
	self->khz = ioctl(t->vcpu, KVM_GET_TSC_KHZ, 0);
	self->snap = -1;
	/* which MSRs there are takes its time */
	machine_get(t, self->m);
	/* for the GDT */
	tvm_handler(t, VECTOR_APIC, handler_apic);
	set_gate(t, VECTOR_APIC, HANDLER_APIC);
	set_gate(t, VECTOR_PIC, HANDLER_PIC);
	tvm_load(t, HANDLER_PIC, handler_pic);
	tvm_load(t, TVM_CODE + 0x800, wait_here);
	tvm_tables(&regs);
	regs.regs.rflags = 2;
	tvm_set_regs(t, &regs);
}

FIXTURE_TEARDOWN(timers)
{
	if (self->snap >= 0) {
		munmap(self->at, prog_size(self->snap));
		close(self->snap);
	}
	alarm(0);
	tvm_close(&self->t);
	free(self->p);
	free(self->m);
	EXPECT_EQ(0, t_end());
}

static u32 said(struct tvm *t)
{
	u32 value;

	memcpy(&value, (u8 *)t->run + t->run->io.data_offset, sizeof(value));
	return value;
}

static bool ran_to(struct tvm *t, u32 port)
{
	return tvm_run(t) == KVM_EXIT_IO && t->run->io.port == port;
}

/* How long nothing more may come */
#define AFTER_MS	2

/*
 * Run the guest until it is ready; what is under way is in the snapshot then. One that does
 * not come would be waited for without end, so there is one.
 */
static void take(struct __test_metadata *_metadata, struct _test_data_timers *self,
		 const u8 *code, const u8 *end, u32 timer, u32 wanted)
{
	struct kvm_regs regs;

	tvm_load_(&self->t, TVM_CODE, code, end);
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_GET_REGS, &regs));
	regs.rcx = wanted > 1 ? 0 : self->khz * AFTER_MS;
	regs.rdi = timer;
	regs.rbp = wanted;
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_SET_REGS, &regs));
	ASSERT_TRUE(ran_to(&self->t, PORT_READY));
	ASSERT_EQ(0, tvm_complete_io(&self->t));
	machine_get(&self->t, self->m);
	prog_machine(self->p, self->m, true);
	self->snap = OK(prog_snapshot(self->t.hlk, self->p));
	self->at = prog_map(self->snap);
	ASSERT_NE(MAP_FAILED, self->at);
}

/**
 * struct came - what the guest saw in its time
 * @count: interrupts
 * @after: ticks from when they were set up to the first
 */
struct came {
	u32 count;
	u32 after;
};

static struct came comes(struct __test_metadata *_metadata, struct _test_data_timers *self,
			 u32 flags)
{
	struct came came = {};
	struct hlk_restore r;

	OK(prog_restore(self->t.hlk, self->snap, self->at, flags, &r));
	ASSERT_EQ(prog_residue(true), r.residue);
	ASSERT_TRUE(ran_to(&self->t, PORT_DONE));
	came.count = said(&self->t);
	ASSERT_TRUE(ran_to(&self->t, PORT_DONE));
	came.after = said(&self->t);
	return came;
}

#define TAKE(code, timer, wanted) \
	take(_metadata, self, code, code##_end, timer, wanted)

TEST_F(timers, one_that_was_pending)
{
	int round;

	TAKE(set_pending, 0, 1);
	ASSERT_EQ(0x20000, *(u32 *)(self->m->lapic.regs + 0x210) & 0x20000);
	for (round = 0; round < 1000; round++) {
		ASSERT_EQ(1, comes(_metadata, self, 0).count) {
			TH_LOG("round %d", round);
		}
	}
}

TEST_F(timers, an_ipi_to_itself_that_was_pending)
{
	int round;

	TAKE(set_ipi, 0, 1);
	for (round = 0; round < 300; round++) {
		ASSERT_EQ(1, comes(_metadata, self, 0).count) {
			TH_LOG("round %d", round);
		}
	}
}

TEST_F(timers, one_that_was_in_service)
{
	struct hlk_restore r;
	int round;

	/* the snapshot is of the handler */
	TAKE(set_pending, 0, 1);
	munmap(self->at, prog_size(self->snap));
	close(self->snap);
	tvm_load(&self->t, HANDLER_APIC, handler_says);
	ASSERT_TRUE(ran_to(&self->t, PORT_HANDLER));
	ASSERT_EQ(0, tvm_complete_io(&self->t));
	machine_get(&self->t, self->m);
	ASSERT_EQ(0x20000, *(u32 *)(self->m->lapic.regs + 0x110) & 0x20000);
	prog_machine(self->p, self->m, true);
	self->snap = OK(prog_snapshot(self->t.hlk, self->p));
	self->at = prog_map(self->snap);
	for (round = 0; round < 300; round++) {
		OK(prog_restore(self->t.hlk, self->snap, self->at, 0, &r));
		ASSERT_EQ(prog_residue(true), r.residue);
		ASSERT_TRUE(ran_to(&self->t, PORT_DONE));
		ASSERT_EQ(1, said(&self->t));
	}
}

#define ROUNDS	12

/* A deadline is a time of the TSC: past, where that went on; else it is waited for. */
TEST_F(timers, a_deadline_that_had_not_come)
{
	u32 timer = self->khz * 50;
	struct came came;
	int round;

	TAKE(set_deadline, timer, 1);
	ASSERT_EQ(0, *(u32 *)(self->m->lapic.regs + 0x210));
	for (round = 0; round < ROUNDS; round++) {
		came = comes(_metadata, self, round % 2 ? HLK_RESTORE_TIME_BACK : 0);
		ASSERT_EQ(1, came.count);
		ASSERT_LE(timer, came.after);
	}
}

/* What was left of it is left after each restore, whatever the time. */
TEST_F(timers, the_apic_s_timer_in_the_middle_of_its_time)
{
	const u32 timer = 50000000;	/* of KVM's bus clock of 1 GHz */
	struct came came;
	int round;

	TAKE(set_once, timer, 1);
	for (round = 0; round < ROUNDS; round++) {
		came = comes(_metadata, self, round % 2 ? HLK_RESTORE_TIME_BACK : 0);
		ASSERT_EQ(1, came.count);
		ASSERT_TRUE(!(round % 2) || self->khz * 49 <= came.after);
	}
}

TEST_F(timers, the_apic_s_timer_again_and_again)
{
	const u32 timer = 5000000;
	struct came came;
	int round;

	TAKE(set_again, timer, 3);
	for (round = 0; round < ROUNDS; round++) {
		came = comes(_metadata, self, 0);
		ASSERT_LE(3, came.count);
	}
}

/* KVM starts it anew: its whole time is before it. */
TEST_F(timers, the_pit_in_the_middle_of_its_time)
{
	int round;

	TAKE(set_pit_once, 59660, 1);	/* of 1.193 MHz: 50 ms */
	for (round = 0; round < ROUNDS; round++) {
		ASSERT_EQ(1, comes(_metadata, self, 0).count) {
			TH_LOG("round %d", round);
		}
	}
}

TEST_F(timers, the_pit_again_and_again)
{
	struct came came;
	int round;

	TAKE(set_pit_again, 6000, 3);	/* 5 ms */
	for (round = 0; round < ROUNDS; round++) {
		came = comes(_metadata, self, 0);
		ASSERT_LE(3, came.count);
	}
}

/* ---- two vCPUs ---- */

#define SECOND_CODE	0x2000U
#define SECOND_WAITS	0x2800U
#define SIPI_CODE	0x3000U

FIXTURE(pair) {
	struct tvm t, second;
	struct prog *p;
	struct machine *m[2];
	u8 *at;
	int snap;
};

FIXTURE_SETUP(pair)
{
	struct sigaction action = { .sa_handler = no_op };
	struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entries[256];
	} cpuid = { .head.nent = 256 };
	struct kvm_sync_regs regs;
	u32 i;

	t_begin();
	sigaction(SIGUSR1, &action, NULL);
	tvm_open_deadline(&self->t);
	tvm_machine(&self->t, 0, 0);
	tvm_vcpu(&self->second, &self->t, 1);
	t_must(!ioctl(self->t.vcpu, KVM_GET_CPUID2, &cpuid));
	t_must(!ioctl(self->second.vcpu, KVM_SET_CPUID2, &cpuid));
	self->p = calloc(1, sizeof(*self->p));
	t_must(self->p);
	for (i = 0; i < 2; i++) {
		self->m[i] = calloc(1, sizeof(*self->m[i]));
		t_must(self->m[i]);
	}
	tvm_handler(&self->t, VECTOR_APIC, handler_apic);
	set_gate(&self->t, VECTOR_APIC, HANDLER_APIC);
	tvm_load(&self->t, SECOND_CODE, apic_on);
	tvm_load(&self->t, SECOND_WAITS, halt_here);
	tvm_load(&self->t, SIPI_CODE, started);
	tvm_tables(&regs);
	regs.regs.rflags = 2;
	tvm_set_regs(&self->t, &regs);
	machine_get(&self->t, self->m[0]);
	self->m[1]->msrs = self->m[0]->msrs;
}

FIXTURE_TEARDOWN(pair)
{
	munmap(self->at, prog_size(self->snap));
	close(self->snap);
	tvm_vcpu_close(&self->second);
	tvm_close(&self->t);
	free(self->p);
	free(self->m[0]);
	free(self->m[1]);
	EXPECT_EQ(0, t_end());
}

/**
 * struct runner - the second vCPU, in a thread
 * @t: it
 * @thread: its thread
 * @stop: it is to come out
 * @said: what it said by PORT_DONE, or 0
 */
struct runner {
	struct tvm *t;
	pthread_t thread;
	volatile bool stop;
	volatile bool done;
	u32 said;
};

static void *run_second(void *arg)
{
	struct runner *r = arg;
	int ret;

	do
		ret = tvm_run(r->t);
	while ((ret == -EINTR || ret == -EAGAIN) && !r->stop);
	if (ret == KVM_EXIT_IO && r->t->run->io.port == PORT_DONE)
		r->said = said(r->t);
	r->done = true;
	return NULL;
}

/* Both run until the second has said something; what. One that was lost is waited for so long. */
#define BOTH_SECONDS	60

static u32 both_run(struct __test_metadata *_metadata, struct _test_data_pair *self,
		    bool first)
{
	const struct timespec tick = { .tv_nsec = 200000 };
	struct runner r = { .t = &self->second };
	u64 end = t_now() + BOTH_SECONDS * 1000000000ULL;

	ASSERT_EQ(0, pthread_create(&r.thread, NULL, run_second, &r));
	if (first)
		ASSERT_TRUE(ran_to(&self->t, PORT_DONE));
	while (!r.done && t_now() < end)
		nanosleep(&tick, NULL);
	r.stop = true;
	while (!r.done) {
		pthread_kill(r.thread, SIGUSR1);
		nanosleep(&tick, NULL);
	}
	pthread_join(r.thread, NULL);
	return r.said;
}

static void take_pair(struct __test_metadata *_metadata, struct _test_data_pair *self,
		      bool waits)
{
	struct kvm_vcpu_events events;
	struct kvm_regs regs;

	machine_get(&self->t, self->m[0]);
	prog_machine(self->p, self->m[0], true);
	if (waits) {
		/* such a vCPU loads nothing from kvm_run */
		ASSERT_EQ(0, ioctl(self->second.vcpu, KVM_GET_SREGS2, &self->m[1]->sregs));
		ASSERT_EQ(0, ioctl(self->second.vcpu, KVM_GET_XCRS, &self->m[1]->xcrs));
		ASSERT_EQ(0, ioctl(self->second.vcpu, KVM_GET_DEBUGREGS,
				   &self->m[1]->debug));
		ASSERT_EQ(0, ioctl(self->second.vcpu, KVM_GET_LAPIC, &self->m[1]->lapic));
		ASSERT_EQ(self->m[1]->msrs.head.nmsrs,
			  ioctl(self->second.vcpu, KVM_GET_MSRS, &self->m[1]->msrs));
		ASSERT_EQ(0, ioctl(self->second.vcpu, KVM_GET_REGS, &regs));
		ASSERT_EQ(0, ioctl(self->second.vcpu, KVM_GET_VCPU_EVENTS, &events));
		prog_add(self->p, KVM_SET_VCPU_EVENTS, 1, &events, sizeof(events));
		prog_add(self->p, KVM_SET_REGS, 1, &regs, sizeof(regs));
	} else {
		machine_get_vcpu(&self->second, self->m[1]);
	}
	prog_machine_vcpu(self->p, 1, self->m[1]);
	self->snap = OK(prog_snapshot(self->t.hlk, self->p));
	self->at = prog_map(self->snap);
	ASSERT_NE(MAP_FAILED, self->at);
}

/* The second vCPU, with its APIC on, about to halt; the first is ready to send */
static void get_ready(struct __test_metadata *_metadata, struct _test_data_pair *self)
{
	struct kvm_mp_state mp = { .mp_state = KVM_MP_STATE_RUNNABLE };
	struct kvm_sync_regs regs;

	tvm_load(&self->t, TVM_CODE, send_ipi);
	tvm_tables(&regs);
	regs.regs.rflags = 2;
	regs.regs.rip = SECOND_CODE;
	regs.regs.rsp = TVM_STACK - 0x1000;
	regs.sregs.apic_base = 0xfee00800;
	ASSERT_EQ(0, ioctl(self->second.vcpu, KVM_SET_MP_STATE, &mp));
	tvm_set_regs(&self->second, &regs);
	ASSERT_TRUE(ran_to(&self->second, PORT_READY));
	ASSERT_EQ(0, tvm_complete_io(&self->second));
	regs.regs.rip = SECOND_WAITS;
	ASSERT_EQ(0, ioctl(self->second.vcpu, KVM_SET_REGS, &regs.regs));
	ASSERT_TRUE(ran_to(&self->t, PORT_READY));
	ASSERT_EQ(0, tvm_complete_io(&self->t));
}

#define PAIR_ROUNDS	60

/* It was sent, and is in the other's APIC. */
TEST_F(pair, an_ipi_that_was_on_its_way)
{
	struct hlk_restore r;
	int round;

	get_ready(_metadata, self);
	ASSERT_TRUE(ran_to(&self->t, PORT_DONE));
	ASSERT_EQ(0, tvm_complete_io(&self->t));
	take_pair(_metadata, self, false);
	for (round = 0; round < PAIR_ROUNDS; round++) {
		OK(prog_restore(self->t.hlk, self->snap, self->at, 0, &r));
		ASSERT_EQ(prog_residue(true), r.residue);
		ASSERT_EQ(1, both_run(_metadata, self, false));
	}
}

/* It is sent after the restore; that of the call before, which nobody took, is not there. */
TEST_F(pair, an_ipi_of_the_call)
{
	struct hlk_restore r;
	int round;

	get_ready(_metadata, self);
	take_pair(_metadata, self, false);
	for (round = 0; round < PAIR_ROUNDS; round++) {
		OK(prog_restore(self->t.hlk, self->snap, self->at, 0, &r));
		ASSERT_EQ(prog_residue(true), r.residue);
		ASSERT_EQ(1, round % 2 ? ran_to(&self->t, PORT_DONE) :
			     both_run(_metadata, self, true));
	}
}

/* Never started: INIT and SIPI start it, after each restore anew. */
TEST_F(pair, a_vcpu_that_was_never_started)
{
	struct kvm_mp_state mp;
	struct hlk_restore r;
	int round;

	tvm_load(&self->t, TVM_CODE, send_init);
	ASSERT_TRUE(ran_to(&self->t, PORT_READY));
	ASSERT_EQ(0, tvm_complete_io(&self->t));
	ASSERT_EQ(0, ioctl(self->second.vcpu, KVM_GET_MP_STATE, &mp));
	ASSERT_EQ(KVM_MP_STATE_UNINITIALIZED, mp.mp_state);
	take_pair(_metadata, self, true);
	for (round = 0; round < PAIR_ROUNDS; round++) {
		OK(prog_restore(self->t.hlk, self->snap, self->at, 0, &r));
		ASSERT_EQ(prog_residue(true), r.residue);
		ASSERT_EQ(0, ioctl(self->second.vcpu, KVM_GET_MP_STATE, &mp));
		ASSERT_EQ(KVM_MP_STATE_UNINITIALIZED, mp.mp_state);
		ASSERT_EQ(1, round % 4 == 3 ? ran_to(&self->t, PORT_DONE) :
			     both_run(_metadata, self, true));
	}
}

/* It had INIT; SIPI starts it, after each restore anew. */
TEST_F(pair, a_vcpu_that_waited_for_sipi)
{
	struct kvm_mp_state mp;
	struct hlk_restore r;
	int round;

	tvm_load(&self->t, TVM_CODE, send_sipi);
	ASSERT_TRUE(ran_to(&self->t, PORT_READY));
	ASSERT_EQ(0, tvm_complete_io(&self->t));
	/* which has KVM take what was sent */
	ASSERT_EQ(0, ioctl(self->second.vcpu, KVM_GET_MP_STATE, &mp));
	ASSERT_EQ(KVM_MP_STATE_INIT_RECEIVED, mp.mp_state);
	take_pair(_metadata, self, true);
	for (round = 0; round < PAIR_ROUNDS; round++) {
		OK(prog_restore(self->t.hlk, self->snap, self->at, 0, &r));
		/* a SIPI that the call before left would start it */
		ASSERT_EQ(HLK_RESIDUE_IRQCHIP, r.residue);
		ASSERT_EQ(1, both_run(_metadata, self, true));
	}
}

TEST_HARNESS_MAIN
