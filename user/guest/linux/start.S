/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* Where the kernel begins: start() gets the stack as it left it. */
	.text
	.globl _start
_start:
#if __SIZEOF_POINTER__ == 4
	xor	%ebp, %ebp
	mov	%esp, %eax
	and	$-16, %esp
	sub	$12, %esp
	push	%eax
	call	start
#else
	xor	%ebp, %ebp
	mov	%rsp, %rdi
	and	$-16, %rsp
	call	start
#endif
	hlt

	.section .note.GNU-stack, "", @progbits
