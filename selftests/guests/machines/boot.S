/* SPDX-License-Identifier: GPL-2.0-only */
/* Where a Multiboot loader starts the kernel of three processes, and what interrupts lead to. */
#define MAGIC		0x1badb002
#define FLAGS		3		/* modules at pages, memory */
#define KERNEL_DS	0x10

	.code32
	.section .multiboot, "a"
	.balign	4
	.long	MAGIC, FLAGS, -(MAGIC + FLAGS)

	.text
	.globl	start
start:	mov	$stack_top, %esp
	push	%ebx			/* C's first argument is in EAX */
	call	kernel
1:	cli
	hlt
	jmp	1b

	/* Each pushes a number, and 0 where the processor pushes no error code. */
	.balign	16
	.globl	entries
entries:
	.set	i, 0
	.rept	0x30
	.if	i <> 8 && (i < 10 || i > 14) && i <> 17
	push	$0
	.endif
	push	$i
	jmp	common
	.balign	16
	.set	i, i + 1
	.endr
	.globl	entry_call
entry_call:
	push	$0
	push	$0x80
	jmp	common

common:	pusha
	push	%ds
	push	%es
	mov	$KERNEL_DS, %eax
	mov	%eax, %ds
	mov	%eax, %es
	cld
	mov	%esp, %eax
	call	interrupt
	.globl	leave
leave:	pop	%es
	pop	%ds
	popa
	add	$8, %esp
	iret

	.bss
	.balign	16
	.skip	8192
	.globl	stack_top
stack_top:
