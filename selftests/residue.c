// SPDX-License-Identifier: GPL-2.0-only
/*
 * A machine of libhlk leaves none: no restore says that anything was not brought back, and
 * each MSR that its guest can write, whether KVM lists it or not, is as it was, as the
 * guest sees it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/hlk.h>

#include <hlk.h>

#include "harness.h"

#define IMAGE		0x10000U
#define PORT_READY	0x700U
#define PORT_DONE	0x701U
#define RECORD		12U		/* index, low, high */
#define RECORDS		4096U

/*
 * #GP skips the instruction, of two bytes, and says so in %ebp. Each round reads all MSRs of
 * the ranges and prints those that can be read; then writes to them what differs a little.
 */
asm(".pushsection .rodata\n.code32\n"
	"sweep:\n"
	"	movl $0x90000, %esp\n"
	"	lgdt 0x10000 + gdt_pointer - sweep\n"
	"	ljmp $8, $0x10000 + 1f - sweep\n"
	"1:	movl $16, %eax\n"
	"	movl %eax, %ds\n"
	"	movl %eax, %es\n"
	"	movl %eax, %ss\n"
	"	movl $0x10000 + handler - sweep, %eax\n"
	"	movw %ax, 0x20068\n"
	"	movw $8, 0x2006a\n"
	"	movw $0x8e00, 0x2006c\n"
	"	shrl $16, %eax\n"
	"	movw %ax, 0x2006e\n"
	"	lidt 0x10000 + idt_pointer - sweep\n"
	"	movw $0x700, %dx\n"
	"	outb %al, %dx\n"
	/* read */
	"	movl $0x30000, %edi\n"
	"	movl $0x10000 + ranges - sweep, %esi\n"
	"2:	movl (%esi), %ecx\n"
	"3:	xorl %ebp, %ebp\n"
	"	rdmsr\n"
	"	testl %ebp, %ebp\n"
	"	jnz 4f\n"
	"	movl %ecx, (%edi)\n"
	"	movl %eax, 4(%edi)\n"
	"	movl %edx, 8(%edi)\n"
	"	addl $12, %edi\n"
	"4:	incl %ecx\n"
	"	cmpl 4(%esi), %ecx\n"
	"	jb 3b\n"
	"	addl $8, %esi\n"
	"	cmpl $0, 4(%esi)\n"
	"	jne 2b\n"
	/* print */
	"	movl %edi, %ecx\n"
	"	movl $0x30000, %esi\n"
	"	subl %esi, %ecx\n"
	"	movw $0xe9, %dx\n"
	"	cld\n"
	"	rep outsb\n"
	/* spoil: each of these bits alone */
	"	movl $0x30000, %esi\n"
	"5:	movl (%esi), %ecx\n"
	"	movl $1, %ebx\n"
	"6:	movl 4(%esi), %eax\n"
	"	movl 8(%esi), %edx\n"
	"	xorl %ebx, %eax\n"
	"	wrmsr\n"
	"	shll $3, %ebx\n"
	"	jnz 6b\n"
	"	movl 4(%esi), %eax\n"
	"	xorl $0x10, %eax\n"
	"	wrmsr\n"
	"	addl $12, %esi\n"
	"	cmpl %edi, %esi\n"
	"	jb 5b\n"
	"	movw $0x701, %dx\n"
	"	outb %al, %dx\n"
	"7:	jmp 7b\n"
	"handler:\n"
	"	incl %ebp\n"
	"	addl $4, %esp\n"
	"	addl $2, (%esp)\n"
	"	iret\n"
	".balign 8\n"
	"gdt: .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff\n"
	"gdt_pointer: .word 23\n"
	"	.long 0x10000 + gdt - sweep\n"
	"idt_pointer: .word 0x7f\n"
	"	.long 0x20000\n"
	".balign 4\n"
	"ranges: .long 0, 0x800, 0xc00, 0xe00, 0x40000000, 0x40000120\n"
	"	.long 0x4b564d00, 0x4b564d10, 0xc0000080, 0xc0000110\n"
	"	.long 0xc0000300, 0xc0000310, 0xc0010000, 0xc0010300\n"
	"	.long 0xc0011000, 0xc0011030, 0, 0\n"
	"sweep_end: .byte 0\n"
	".code64\n.popsection\n");
extern const unsigned char sweep[], sweep_end[];

/* What the restores of libhlk say, which it keeps to itself */
static uint32_t residue;
static unsigned int restores;

int ioctl(int fd, unsigned long cmd, ...)
{
	struct hlk_run *run;
	va_list args;
	void *arg;
	long ret;

	va_start(args, cmd);
	arg = va_arg(args, void *);
	va_end(args);
	ret = syscall(SYS_ioctl, fd, cmd, arg);
	if (cmd == HLK_RESTORE && !ret) {
		residue |= ((struct hlk_restore *)arg)->residue;
		restores++;
	}
	run = arg;
	if (cmd == HLK_RUN && run->done & HLK_DONE_RESTORED) {
		residue |= run->residue;
		restores++;
	}
	return ret;
}

FIXTURE(residue) {
	struct hlk_ctx *ctx;
	struct hlk_machine *machine;
	unsigned char said[2][RECORDS * RECORD];
	size_t len;
	int round;
};

FIXTURE_VARIANT(residue) {
	uint32_t flags;
};

FIXTURE_VARIANT_ADD(residue, irqchip) { 0 };
FIXTURE_VARIANT_ADD(residue, none) { HLK_MACHINE_NO_IRQCHIP };

static void print(void *arg, const char *text, size_t len)
{
	struct _test_data_residue *self = arg;

	if (self->len + len > sizeof(self->said[0]))
		exit(1);
	memcpy(self->said[!!self->round] + self->len, text, len);
	self->len += len;
}

FIXTURE_SETUP(residue)
{
	struct hlk_machine_config config = HLK_MACHINE_CONFIG_INIT;
	struct hlk_err err;

	residue = 0;
	restores = 0;
	ASSERT_EQ(0, hlk_open(&self->ctx, &err));
	config.flags = variant->flags;
	config.mem_size = 1 << 21;
	config.print = print;
	config.print_arg = self;
	ASSERT_EQ(0, hlk_machine_create(self->ctx, &config, &self->machine, &err)) {
		TH_LOG("%s", err.text);
	}
}

FIXTURE_TEARDOWN(residue)
{
	hlk_machine_close(self->machine);
	hlk_close(self->ctx);
}

static void load(struct hlk_machine *machine, const void *image, size_t bytes)
{
	struct hlk_kernel kernel = HLK_KERNEL_INIT;

	kernel.protocol = HLK_PROTOCOL_FLAT32;
	kernel.gpa = IMAGE;
	kernel.image = image;
	kernel.image_size = bytes;
	if (hlk_machine_load(machine, &kernel, NULL)) {
		printf("# %s\n", hlk_machine_error(machine)->text);
		exit(1);
	}
}

static bool goes_to(struct hlk_machine *machine, uint32_t port, uint32_t flags)
{
	struct hlk_machine_run run = HLK_MACHINE_RUN_INIT;

	run.flags = flags | HLK_MACHINE_PORT;
	run.port = port;
	run.timeout_us = 60000000;
	if (!hlk_machine_go(machine, &run) && run.stop == HLK_STOP_PORT)
		return true;
	printf("# %s at %#llx, %s\n", hlk_stop_text(run.stop),
	       (unsigned long long)run.rip, hlk_machine_error(machine)->text);
	return false;
}

/* Those that count time, or what is run */
static bool goes_on(uint32_t index)
{
	return index == 0x10 || index == 0xe7 || index == 0xe8 || index == 0x40000020 ||
	       index == 0x40000010;
}

TEST_F(residue, each_msr_that_a_guest_can_write)
{
	uint32_t was[3], is[3];
	struct hlk_snap *snap;
	size_t len = 0, at;

	load(self->machine, sweep, sweep_end - sweep);
	ASSERT_TRUE(goes_to(self->machine, PORT_READY, 0));
	ASSERT_EQ(0, hlk_machine_snapshot(self->machine, &snap)) {
		TH_LOG("%s", hlk_machine_error(self->machine)->text);
	}
	ASSERT_EQ(0, hlk_machine_restore(self->machine, snap)) {
		TH_LOG("%s", hlk_machine_error(self->machine)->text);
	}
	for (self->round = 0; self->round < 3; self->round++) {
		self->len = 0;
		ASSERT_TRUE(goes_to(self->machine, PORT_DONE,
				    self->round ? HLK_MACHINE_RESTORE : 0));
		if (!self->round)
			len = self->len;
		ASSERT_EQ(len, self->len);
		ASSERT_LT(20 * RECORD, len);
		for (at = 0; at < len; at += RECORD) {
			memcpy(was, self->said[0] + at, RECORD);
			memcpy(is, self->said[!!self->round] + at, RECORD);
			ASSERT_EQ(was[0], is[0]);
			EXPECT_TRUE(goes_on(was[0]) || !memcmp(was, is, RECORD)) {
				TH_LOG("MSR %#x: %#x%08x, was %#x%08x", was[0], is[2],
				       is[1], was[2], was[1]);
			}
		}
	}
	ASSERT_EQ(0, residue);
	ASSERT_EQ(3, restores);
	TH_LOG("%zu MSRs", len / RECORD);
	hlk_snapshot_close(snap);
}

/* Says that it is ready, then asks its APIC for an SMI, and sees what comes of it */
asm(".pushsection .rodata\n.code32\n"
	"smi:\n"
	"	movl $0xfee00000, %ebx\n"
	"	movl $0x1ff, 0xf0(%ebx)\n"
	"	movw $0x700, %dx\n"
	"	outb %al, %dx\n"
	"	movl $0x44200, 0x300(%ebx)\n"
	"	movw $0x701, %dx\n"
	"1:	outb %al, %dx\n"
	"	jmp 1b\n"
	"smi_end: .byte 0\n"
	".code64\n.popsection\n");
extern const unsigned char smi[], smi_end[];

/*
 * There is no handler for it, and KVM gives a VM up for good where there is no memory; where there
 * is no APIC nothing comes. However it ends, a restore has the machine back.
 */
TEST_F(residue, an_smi_that_the_guest_sends_itself)
{
	struct hlk_machine_run run = HLK_MACHINE_RUN_INIT;
	struct hlk_snap *snap;
	int round;

	load(self->machine, smi, smi_end - smi);
	ASSERT_TRUE(goes_to(self->machine, PORT_READY, 0));
	ASSERT_EQ(0, hlk_machine_snapshot(self->machine, &snap)) {
		TH_LOG("%s", hlk_machine_error(self->machine)->text);
	}
	for (round = 0; round < 3; round++) {
		ASSERT_EQ(0, hlk_machine_restore(self->machine, snap)) {
			TH_LOG("round %d: %s", round,
			       hlk_machine_error(self->machine)->text);
		}
		run.flags = HLK_MACHINE_PORT;
		run.port = PORT_DONE;
		run.timeout_us = 300000;
		hlk_machine_go(self->machine, &run);
		TH_LOG("%s", hlk_stop_text(run.stop));
	}
	ASSERT_EQ(0, residue);
	hlk_snapshot_close(snap);
}

TEST_HARNESS_MAIN
