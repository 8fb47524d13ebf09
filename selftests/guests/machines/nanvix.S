/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest to the protocol of Nanvix's microvm, which knows nothing of hlk: started in real
 * mode with EAX = 0x0C00FFEE and EBX = 0x00800000 with the pages of the initrd, it prints
 * the first line and the sum of all bytes of the initrd, on port 0xE9, writes to each page
 * of it and to the last of 128 MiB, and switches itself off by port 0x604. If the initrd
 * begins with an "h" it halts with interrupts off instead.
 */
#define MAGIC		0x0c00ffee
#define INITRD		0x00800000
#define PAGES		0xfff
#define LAST_PAGE	(0x08000000 - 0x1000)
#define DEBUG		0xe9
#define POWER		0x604
#define OFF		0x2000
#define CS		0x08
#define DS		0x10

	.section .text, "ax"
	.code16
	.globl	_start
_start:
	cli
	cmp	$MAGIC, %eax
	jne	bad16
	lgdtl	gdt_pointer
	mov	%cr0, %eax
	or	$1, %al
	mov	%eax, %cr0
	ljmpl	$CS, $protected
bad16:	mov	$'?', %al
	out	%al, $DEBUG
	hlt
	jmp	bad16

	.code32
protected:
	mov	$DS, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	$stack_top, %esp
	mov	%ebx, %eax
	and	$~PAGES, %eax
	cmp	$INITRD, %eax
	jne	bad
	and	$PAGES, %ebx
	mov	$hello, %esi
	call	print
	call	sum
	mov	%eax, before
	mov	$ready, %esi
	call	print

	/* From here on again and again, if there is a snapshot: */
	mov	$INITRD, %esi
1:	lodsb
	out	%al, $DEBUG
	cmp	$'\n', %al
	jne	1b
	call	sum
	cmp	before, %eax
	jne	bad
	mov	$text, %esi
	call	print
	mov	before, %eax
	call	hex
	/* One more in each page; the first was none yet */
	mov	$INITRD, %esi
	mov	%ebx, %ecx
2:	incb	4095(%esi)
	add	$4096, %esi
	loop	2b
	call	sum
	sub	before, %eax
	cmp	%ebx, %eax
	jne	bad
	cmpl	$0, LAST_PAGE
	jne	bad
	incl	LAST_PAGE
	mov	$done, %esi
	call	print
	cmpb	$'h', INITRD
	je	halt
	mov	$POWER, %edx
	mov	$OFF, %eax
	out	%ax, %dx
bad:	mov	$wrong, %esi
	call	print
halt:	cli
	hlt
	jmp	halt

	/* %esi: a text */
print:	lodsb
	test	%al, %al
	jz	1f
	out	%al, $DEBUG
	jmp	print
1:	ret

	/* %ebx: pages; out: %eax */
sum:	mov	$INITRD, %esi
	mov	%ebx, %ecx
	shl	$12, %ecx
	xor	%edx, %edx
	xor	%eax, %eax
1:	lodsb
	add	%eax, %edx
	loop	1b
	mov	%edx, %eax
	ret

	/* %eax: a number */
hex:	mov	%eax, %edx
	mov	$8, %ecx
1:	rol	$4, %edx
	mov	%edx, %eax
	and	$15, %eax
	mov	digits(%eax), %al
	out	%al, $DEBUG
	loop	1b
	ret

	.section .data, "aw"
	.balign	8
gdt:	.quad	0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
	.word	. - gdt - 1
	.long	gdt
before:	.long	0
digits:	.ascii	"0123456789abcdef"
hello:	.asciz	"nanvix: hello\n"
ready:	.asciz	"nanvix: ready\n"
text:	.asciz	"nanvix: sum "
done:	.asciz	"\nnanvix: done\n"
wrong:	.asciz	"nanvix: WRONG\n"

	.section .bss
	.balign	16
	.skip	1024
stack_top:
