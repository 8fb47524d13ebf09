/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The first program of a Linux guest, i386, without a C library, for `hlk-run bench --kernel`:
 * it says by a port that it is ready, and then, again and again, adds one to a number, writes
 * a word to each of 64 pages, and says the number.
 */
#define SYS_IOPL	110
#define PORT		0xf4
#define PAGES		64

	.text
	.globl _start
_start:
	mov	$SYS_IOPL, %eax
	mov	$3, %ebx
	int	$0x80
	test	%eax, %eax
	jnz	bad
	call	touch			/* all of its memory is there */
	xor	%eax, %eax
	out	%al, $PORT
1:	incl	number
	call	touch
	mov	number, %eax
	out	%al, $PORT
	jmp	1b
	/* the end of the first program is the end of the kernel */
bad:	ud2

touch:	mov	$pages, %edi
	mov	$PAGES, %ecx
2:	mov	%ecx, (%edi)
	add	$4096, %edi
	loop	2b
	ret

	.bss
	.balign	4096
number:	.skip	4096
pages:	.skip	4096 * PAGES
