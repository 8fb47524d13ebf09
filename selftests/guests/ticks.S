/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The first program of a Linux guest, i386, without a C library: it counts, a line for each
 * number and a nap after each line, and never ends.
 */
#define SYS_WRITE		4
#define SYS_NANOSLEEP		162

	.text
	.globl _start
_start:
	mov	$digits, %edi
1:	mov	$SYS_WRITE, %eax
	mov	$1, %ebx
	mov	$line, %ecx
	mov	$line_len, %edx
	int	$0x80
	mov	$SYS_NANOSLEEP, %eax
	mov	$nap, %ebx
	xor	%ecx, %ecx
	int	$0x80
	/* the next number, in decimal */
	mov	$digits_len - 1, %esi
2:	incb	(%edi, %esi)
	cmpb	$'9', (%edi, %esi)
	jle	1b
	movb	$'0', (%edi, %esi)
	dec	%esi
	jns	2b
	jmp	1b

	.data
nap:	.long	0, 20000000
line:	.ascii	"tick "
digits:	.ascii	"0000000"
	.set	digits_len, . - digits
	.ascii	"\n"
	.set	line_len, . - line
