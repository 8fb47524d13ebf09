/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * First entry, descriptor tables, exceptions, and the way to ring 3 and back.
 */
#define __ASSEMBLER__ 1
#include <linux/hlk_guest.h>

#define CALL_STACK (HLK_GUEST_SCRATCH_TOP - HLK_GUEST_OFF_EXN_STACK + \
		    HLK_GUEST_SCRATCH_DELTA)

	.section .text
	.globl	_start
_start:
	cld
	pushl	%edi			/* the parameter block */
	lgdt	gdt_pointer
	ljmp	$HLK_GUEST_CS, $1f
1:	movw	$HLK_GUEST_DS, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movw	%ax, %fs
	movw	%ax, %gs
	movl	%cr4, %eax
	orl	$0x600, %eax		/* OSFXSR, OSXMMEXCPT */
	movl	%eax, %cr4
	fninit
	call	rt_boot			/* loads IDT and TR, then hlk_init() */

	/*
	 * Ready. The stack of calls is in scratch: a page fault pushes on the
	 * stack that it meets, so that must never be copy-on-write itself.
	 */
	movl	$CALL_STACK, %esp
	xorl	%ebp, %ebp
	movl	$rt_dispatch, %eax
2:	hlt
	jmp	2b

	/* Exceptions: all 32 vectors, 16 bytes each; some push an error code. */
	.balign	16
	.globl	rt_vectors
rt_vectors:
	vector = 0
	.rept	32
	.balign	16
	.if	!(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21)
	pushl	$0
	.endif
	pushl	$vector
	jmp	common
	vector = vector + 1
	.endr
	.balign	16
	.globl	rt_vector_syscall
rt_vector_syscall:
	pushl	$0
	pushl	$0x80
common:
	pusha
	movw	$HLK_GUEST_DS, %ax
	movw	%ax, %ds
	movw	%ax, %es
	cld
	pushl	%esp
	call	rt_trap
	addl	$4, %esp
	testl	$3, 44(%esp)		/* back to ring 3? */
	jz	1f
	movw	$0x23, %ax
	movw	%ax, %ds
	movw	%ax, %es
1:	popa
	addl	$8, %esp
	iret

	/* int hlk_enter_user(uint32_t eip, uint32_t esp) */
	.globl	hlk_enter_user
hlk_enter_user:
	movl	4(%esp), %ecx
	movl	8(%esp), %edx
	pushl	%ebx
	pushl	%esi
	pushl	%edi
	pushl	%ebp
	/*
	 * Load TR anew: QEMU's emulation of SVM keeps the busy bit of a
	 * restored TR, which its traps from ring 3 then do not take. Costs no
	 * page: the task state in the same one is written anyway.
	 */
	movw	$0x28, %ax
	andb	$0xfd, rt_gdt_tss + 5
	ltr	%ax
	movl	%esp, rt_kernel_esp
	movl	%esp, rt_tss + 4	/* traps come in below us */
	movw	$0x23, %ax
	movw	%ax, %ds
	movw	%ax, %es
	pushl	$0x23
	pushl	%edx
	pushl	$2
	pushl	$0x1b
	pushl	%ecx
	xorl	%eax, %eax
	xorl	%ebx, %ebx
	xorl	%ecx, %ecx
	xorl	%edx, %edx
	xorl	%esi, %esi
	xorl	%edi, %edi
	xorl	%ebp, %ebp
	iret

	/* void hlk_leave_user(int status) */
	.globl	hlk_leave_user
hlk_leave_user:
	movl	4(%esp), %eax
	movl	rt_kernel_esp, %esp
	popl	%ebp
	popl	%edi
	popl	%esi
	popl	%ebx
	ret

	/*
	 * Accessed bits are set beforehand: after a snapshot this page is
	 * read-only, and the processor must not want to write it.
	 */
	.section .data
	.balign	16
gdt:
	.quad	0
	.quad	0x00cf9b000000ffff	/* ring 0 code */
	.quad	0x00cf93000000ffff	/* ring 0 data */
	.quad	0x00cffb000000ffff	/* ring 3 code */
	.quad	0x00cff3000000ffff	/* ring 3 data */
	.globl	rt_gdt_tss
rt_gdt_tss:
	.quad	0
gdt_end:
gdt_pointer:
	.word	gdt_end - gdt - 1
	.long	gdt
	.balign	4
	.globl	rt_kernel_esp
rt_kernel_esp:
	.long	0
	.balign	128
	.globl	rt_tss
rt_tss:
	.long	0
	.long	CALL_STACK		/* esp0 */
	.long	HLK_GUEST_DS		/* ss0 */
	.fill	22, 4, 0
	.word	0, 104			/* no I/O bitmap */

	.section .note.GNU-stack, "", @progbits
