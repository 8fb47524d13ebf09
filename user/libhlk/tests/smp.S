/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A Multiboot kernel for several processors, which knows nothing of hlk: the first starts
 * the others by INIT and SIPI, and sends them interrupts. It says "ready" at the point that
 * the first letter of the command line chooses; the second is how many others there are.
 * What has to come once is counted, and looked at again when something else might have come.
 * Ends itself with 0x2a, or with 1 and "WRONG".
 */
#define DEBUG		0xe9
#define END		0xf4
#define LAPIC		0xfee00000
#define ID		0x20
#define EOI		0xb0
#define SVR		0xf0
#define ICR		0x300
#define ICR_TO		0x310
#define CS		0x08
#define DS		0x10
#define VECTOR_CALL	0x40
#define VECTOR_REPLY	0x41
#define NMI		2
#define START		0x8000		/* where SIPI has them begin */
#define ALL_BUT_ME	0x000c0000
#define INIT		0x00004500
#define SIPI		(0x00004600 | START >> 12)
#define SEND_NMI	0x00004400
#define STACK		1024
#define DELAY		100000
#define CALLS		20
#define MAGIC		0x1badb002
#define FLAGS		3

	.code32
	.section .text
	.balign	4
	.long	MAGIC, FLAGS, -(MAGIC + FLAGS)

	.globl	_start
_start:
	mov	$(stacks + STACK), %esp
	lgdt	gdt_pointer
	ljmp	$CS, $1f
1:	mov	$DS, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	16(%ebx), %esi
	mov	(%esi), %al
	mov	%al, mode
	movzbl	1(%esi), %eax
	sub	$'0', %eax
	mov	%eax, others
	mov	$hello, %esi
	call	print
	mov	$start, %esi
	mov	$START, %edi
	mov	$(start_end - start), %ecx
	rep movsb
	call	set_idt
	lidt	idt_pointer
	movl	$0x1ff, LAPIC + SVR
	mov	mode, %al
	cmp	$'u', %al		/* nobody was started */
	je	unstarted
	cmp	$'s', %al		/* they wait for SIPI */
	je	waiting
	cmp	$'w', %al		/* SIPI is on its way */
	je	sent
	call	start_all
	call	wait_all
	mov	mode, %al
	cmp	$'i', %al		/* an interrupt, where they are off */
	je	pending
	cmp	$'n', %al		/* an NMI in a handler of NMIs */
	je	nmi
	cmp	$'f', %al		/* an interrupt that was just sent */
	je	flying
	cmp	$'c', %al		/* nobody goes on */
	je	halt
	cmp	$'d', %al		/* all wait */
	je	idle
	cmp	$'b', %al		/* one does not */
	je	idle
	cmp	$'p', %al		/* another one says so, or ends it */
	je	spin
	cmp	$'o', %al
	je	spin
	cmp	$'t', %al
	je	spin
	call	say_ready
	mov	$CALLS, %ebp
	/* Calls all, and waits for their replies: QEMU delivers one in some thousands twice */
1:	movl	$0, replies
	mov	$(ALL_BUT_ME | VECTOR_CALL), %eax
	call	send
	mov	others, %eax
	/* Not in HLT: emulated VMRUN forgets what STI holds off, and one would sleep. */
	sti
2:	pause
	cmp	%eax, replies
	jb	2b
	cli
	dec	%ebp
	jnz	1b
	mov	others, %eax
	imul	$CALLS, %eax
	cmp	%eax, calls
	jb	bad
	jmp	done

unstarted:
	call	say_ready
	cmpl	$0, started
	jne	bad
	call	start_all
	jmp	once

waiting:
	mov	$(ALL_BUT_ME | INIT), %eax
	call	send
	call	delay
	call	say_ready
	call	delay
	cmpl	$0, started
	jne	bad
	mov	$(ALL_BUT_ME | SIPI), %eax
	call	send
	jmp	once

sent:	mov	$(ALL_BUT_ME | INIT), %eax
	call	send
	mov	$(ALL_BUT_ME | SIPI), %eax
	call	send
	call	say_ready
	/* Each comes once */
once:	call	wait_all
	call	delay
	mov	others, %eax
	cmp	started, %eax
	jne	bad
	mov	$(ALL_BUT_ME | SIPI), %eax	/* and does not care for another one */
	call	send
	call	delay
	mov	others, %eax
	cmp	started, %eax
	jne	bad
	/* Those under way belong to this call. */
	call	start_all
	jmp	done

pending:
	mov	$(ALL_BUT_ME | VECTOR_CALL), %eax
	call	send
	call	say_ready
	cmpl	$0, calls
	jne	bad
	movl	$1, may_go
	jmp	once_called

flying:	mov	$(ALL_BUT_ME | VECTOR_CALL), %eax
	call	send
	call	say_ready
once_called:
	mov	others, %eax
1:	pause
	cmp	calls, %eax
	jne	1b
	call	delay
	cmp	calls, %eax
	jne	bad
	/* One that this call leaves behind */
	mov	$(ALL_BUT_ME | VECTOR_CALL), %eax
	call	send
	jmp	done

nmi:	mov	$(ALL_BUT_ME | SEND_NMI), %eax
	call	send
	mov	others, %eax
1:	pause
	cmp	calls, %eax
	jne	1b
	mov	$(ALL_BUT_ME | SEND_NMI), %eax
	call	send
	call	say_ready
	mov	others, %eax
	cmp	calls, %eax
	jne	bad
	movl	$1, may_go
	add	%eax, %eax
1:	pause
	cmp	calls, %eax
	jne	1b
	call	delay
	cmp	calls, %eax
	jne	bad
done:	cli
	mov	$well, %esi
	call	print
	mov	$0x2a, %eax
end:	mov	$END, %edx
	out	%eax, %dx
halt:	cli
	hlt
	jmp	halt
bad:	mov	$wrong, %esi
	call	print
	mov	$1, %eax
	jmp	end
idle:	call	say_ready
1:	sti
	hlt
	jmp	1b
spin:	pause
	jmp	spin

start_all:
	mov	$(ALL_BUT_ME | INIT), %eax
	call	send
	mov	$(ALL_BUT_ME | SIPI), %eax
send:	movl	$0, LAPIC + ICR_TO
	mov	%eax, LAPIC + ICR
	ret

wait_all:
	mov	others, %eax
1:	pause
	cmp	started, %eax
	jne	1b
	ret

delay:	mov	$DELAY, %ecx
1:	pause
	loop	1b
	ret

say_ready:
	mov	$ready, %esi
print:	mov	$DEBUG, %edx
1:	lodsb
	test	%al, %al
	jz	2f
	out	%al, %dx
	jmp	1b
2:	ret

set_idt:
	mov	$(idt + NMI * 8), %edi
	mov	$on_nmi, %eax
	call	gate
	mov	$(idt + VECTOR_CALL * 8), %edi
	mov	$on_call, %eax
	call	gate
	mov	$(idt + VECTOR_REPLY * 8), %edi
	mov	$on_reply, %eax
gate:	mov	%ax, (%edi)
	movw	$CS, 2(%edi)
	movw	$0x8e00, 4(%edi)
	shr	$16, %eax
	mov	%ax, 6(%edi)
	ret

	/* A called one says so to the first, or to the world, too. */
on_call:
	push	%eax
	push	%edx
	lock incl calls
	cmpb	$'r', mode
	je	2f
	cmpb	$'x', mode
	jne	1f
	mov	$DEBUG, %edx
	mov	$'.', %al
	out	%al, %dx
2:	lock incl replies		/* interrupts of several may be one */
	movl	$0, LAPIC + ICR_TO
	movl	$VECTOR_REPLY, LAPIC + ICR
1:	movl	$0, LAPIC + EOI
	pop	%edx
	pop	%eax
	iret

on_reply:
	movl	$0, LAPIC + EOI
	iret

on_nmi:	lock incl calls
1:	pause
	cmpl	$0, may_go
	je	1b
	iret

	/* Another processor, with a stack of its own */
another:
	mov	$DS, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	LAPIC + ID, %eax
	shr	$24, %eax
	inc	%eax
	imul	$STACK, %eax
	lea	stacks(%eax), %esp
	lidt	idt_pointer
	movl	$0x1ff, LAPIC + SVR
	lock incl started
	mov	mode, %al
	cmp	$'i', %al
	je	deaf
	cmp	$'c', %al
	je	halt
	cmp	$'n', %al
	je	halt
	cmp	$'b', %al
	je	spin
	cmp	$'p', %al
	je	says
	cmp	$'o', %al
	je	off
	cmp	$'t', %al
	je	triple
	jmp	rest
deaf:	pause
	cmpl	$0, may_go
	je	deaf
rest:	sti
	hlt
	jmp	rest
says:	call	say_ready
	jmp	rest
off:	call	say_ready
	mov	$0x604, %edx
	mov	$0x2000, %eax
	out	%ax, %dx
	jmp	rest
triple:	call	say_ready
	lidt	no_idt
	int3
	jmp	rest

	.code16
start:	cli
	xor	%ax, %ax
	mov	%ax, %ds
	lgdtl	START + 1f - start
	mov	$1, %eax
	mov	%eax, %cr0
	ljmpl	$CS, $another
1:	.word	23
	.long	gdt
start_end:

	.section .data
	.balign	8
gdt:	.quad	0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
	.word	. - gdt - 1
	.long	gdt
idt_pointer:
	.word	0x42 * 8 - 1
	.long	idt
no_idt:	.word	0
	.long	0
	.balign	4
others:	.long	0
started:
	.long	0
calls:	.long	0
replies:
	.long	0
may_go:	.long	0
mode:	.byte	0
hello:	.asciz	"hello\n"
ready:	.asciz	"ready\n"
well:	.asciz	"well\n"
wrong:	.asciz	"WRONG\n"

	.section .bss
	.balign	16
idt:	.skip	0x42 * 8
	.balign	16
stacks:	.skip	17 * STACK
