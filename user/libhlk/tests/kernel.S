/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A Multiboot kernel that knows nothing of hlk. It sets up a serial port, interrupt
 * controllers, a timer and an MSR, says "ready", and then looks whether all that is as it
 * was: the ticks of the PIT come, and one of the local APIC's timer; the MSR is what it set,
 * until it sets it to something else. Ends itself with 0x2a.
 *
 * The first letter of the command line makes it do something else when it is ready.
 */
#define COM		0x3f8
#define DEBUG		0xe9
#define END		0xf4
#define PIC1		0x20
#define PIC2		0xa0
#define PIT		0x40
#define EOI		0x20
#define LAPIC		0xfee00000
#define SYSENTER_CS	0x174
#define CS		0x08
#define DS		0x10
#define VECTOR_PIT	0x20
#define VECTOR_COM	0x24
#define VECTOR_LAPIC	0x30
#define TICKS		3
#define DIVISOR		11932		/* 100 Hz */
#define MAGIC		0x1badb002
#define FLAGS		3

	.code32
	.section .text
	.balign	4
	.long	MAGIC, FLAGS, -(MAGIC + FLAGS)

	.globl	_start
_start:
	cmp	$0x2badb002, %eax
	jne	bad
	mov	$stack_top, %esp
	lgdt	gdt_pointer
	ljmp	$CS, $1f
1:	mov	$DS, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	16(%ebx), %eax
	mov	(%eax), %al
	mov	%al, mode
	mov	$hello, %esi
	call	debug
	call	set_idt
	call	set_serial
	call	set_pic
	call	set_pit
	call	set_lapic
	mov	$SYSENTER_CS, %ecx
	mov	$0x1238, %eax
	xor	%edx, %edx
	wrmsr
	sti
	mov	$ready, %esi
	call	print
	mov	mode, %al
	cmp	$'h', %al
	je	halt
	cmp	$'i', %al
	je	idle
	cmp	$'l', %al
	je	loop
	cmp	$'o', %al
	je	off
	cmp	$'r', %al
	je	reset
	cmp	$'t', %al
	je	triple
	cmp	$'e', %al
	je	echo

	/* What was set before is what it was: */
	mov	$SYSENTER_CS, %ecx
	rdmsr
	cmp	$0x1238, %eax
	jne	bad
	mov	$0x4320, %eax
	wrmsr
	cmpl	$0x1ff, LAPIC + 0xf0
	jne	bad
	cmpl	$0x10000 + VECTOR_LAPIC, LAPIC + 0x320
	jne	bad
	/* The local APIC's timer, once */
	movl	$VECTOR_LAPIC, LAPIC + 0x320
	movl	$100000, LAPIC + 0x380
1:	cmpb	$0, fired
	jne	2f
	hlt
	jmp	1b
2:	mov	$apic, %esi
	call	print
	/* And ticks of the PIT, from the moment on when it was ready */
1:	cmpl	$TICKS, ticks
	jae	2f
	hlt
	jmp	1b
2:	cli
	mov	$tick, %esi
	call	print
	mov	$0x2a, %eax
	mov	$END, %edx
	out	%eax, %dx
halt:	cli
	hlt
	jmp	halt

idle:	mov	$0xff, %al		/* nothing comes any more */
	out	%al, $PIC1 + 1
1:	hlt
	jmp	1b
loop:	jmp	loop
off:	mov	$0x604, %edx
	mov	$0x2000, %eax
	out	%ax, %dx
	jmp	halt
reset:	mov	$0xfe, %al
	out	%al, $0x64
	jmp	halt
triple:	lidt	no_idt
	int3
	jmp	halt
bad:	mov	$wrong, %esi
	call	debug
	mov	$1, %eax
	mov	$END, %edx
	out	%eax, %dx
	jmp	halt

/* What comes in goes out, by interrupts */
echo:	mov	$COM + 1, %edx
	mov	$1, %al
	out	%al, %dx
	mov	$0xef, %al
	out	%al, $PIC1 + 1
1:	hlt
	jmp	1b

	/* %esi: a text */
debug:	mov	$DEBUG, %edx
	jmp	1f
print:	mov	$COM, %edx
1:	lodsb
	test	%al, %al
	jz	2f
	out	%al, %dx
	jmp	1b
2:	ret

set_idt:
	mov	$(idt + VECTOR_PIT * 8), %edi
	mov	$on_pit, %eax
	call	gate
	mov	$(idt + VECTOR_COM * 8), %edi
	mov	$on_com, %eax
	call	gate
	mov	$(idt + VECTOR_LAPIC * 8), %edi
	mov	$on_lapic, %eax
	call	gate
	lidt	idt_pointer
	ret

	/* %edi: the gate, %eax: where it leads */
gate:	mov	%ax, (%edi)
	movw	$CS, 2(%edi)
	movw	$0x8e00, 4(%edi)
	shr	$16, %eax
	mov	%ax, 6(%edi)
	ret

set_serial:
	mov	$COM + 2, %edx
	mov	$0x07, %al
	out	%al, %dx
	mov	$COM + 3, %edx
	mov	$0x03, %al
	out	%al, %dx
	mov	$COM + 4, %edx
	mov	$0x0b, %al
	out	%al, %dx
	ret

set_pic:
	mov	$0x11, %al
	out	%al, $PIC1
	out	%al, $PIC2
	mov	$VECTOR_PIT, %al
	out	%al, $PIC1 + 1
	mov	$VECTOR_PIT + 8, %al
	out	%al, $PIC2 + 1
	mov	$4, %al
	out	%al, $PIC1 + 1
	mov	$2, %al
	out	%al, $PIC2 + 1
	mov	$1, %al
	out	%al, $PIC1 + 1
	out	%al, $PIC2 + 1
	mov	$0xfe, %al
	out	%al, $PIC1 + 1
	mov	$0xff, %al
	out	%al, $PIC2 + 1
	ret

set_pit:
	mov	$0x34, %al
	out	%al, $PIT + 3
	mov	$DIVISOR & 255, %al
	out	%al, $PIT
	mov	$DIVISOR >> 8, %al
	out	%al, $PIT
	ret

	/* The PIC's interrupts come through LINT0. */
set_lapic:
	movl	$0x1ff, LAPIC + 0xf0
	movl	$0x700, LAPIC + 0x350
	movl	$0xb, LAPIC + 0x3e0
	movl	$0x10000 + VECTOR_LAPIC, LAPIC + 0x320
	ret

on_pit:	push	%eax
	incl	ticks
	mov	$EOI, %al
	out	%al, $PIC1
	pop	%eax
	iret

on_com:	push	%eax
	push	%edx
1:	mov	$COM + 5, %edx
	in	%dx, %al
	test	$1, %al
	jz	2f
	mov	$COM, %edx
	in	%dx, %al
	out	%al, %dx
	jmp	1b
2:	mov	$EOI, %al
	out	%al, $PIC1
	pop	%edx
	pop	%eax
	iret

on_lapic:
	movb	$1, fired
	movl	$0, LAPIC + 0xb0
	iret

	.section .data
gdt:	.quad	0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
	.word	. - gdt - 1
	.long	gdt
idt_pointer:
	.word	0x31 * 8 - 1
	.long	idt
no_idt:	.word	0
	.long	0
ticks:	.long	0
fired:	.byte	0
mode:	.byte	0
hello:	.asciz	"hello\n"
ready:	.asciz	"ready\n"
apic:	.asciz	"apic\n"
tick:	.asciz	"ticks\n"
wrong:	.asciz	"WRONG\n"

	.section .bss
	.balign	16
idt:	.skip	0x31 * 8
	.balign	16
	.skip	4096
stack_top:
