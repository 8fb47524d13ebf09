/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The first program of a Linux guest, i386, without a C library: it says that it is ready,
 * sleeps ten times, so that timers have to work, looks whether the monotonic clock went
 * on meanwhile, and says so.
 */
#define SYS_EXIT		1
#define SYS_WRITE		4
#define SYS_REBOOT		88
#define SYS_NANOSLEEP		162
#define SYS_CLOCK_GETTIME	265
#define CLOCK_MONOTONIC		1
#define MAGIC1			0xfee1dead
#define MAGIC2			672274793
#define HALT			0xcdef0123

	.text
	.globl _start
_start:
	mov	$ready, %ecx
	mov	$ready_len, %edx
	call	write
	mov	$before, %ecx
	call	clock
	mov	$10, %esi
1:	mov	$SYS_NANOSLEEP, %eax
	mov	$nap, %ebx
	xor	%ecx, %ecx
	int	$0x80
	test	%eax, %eax
	jnz	bad
	mov	$dot, %ecx
	mov	$1, %edx
	call	write
	dec	%esi
	jnz	1b
	mov	$after, %ecx
	call	clock
	mov	after, %eax		/* seconds, or nanoseconds of the same one */
	cmp	before, %eax
	jl	bad
	jg	2f
	mov	after + 4, %eax
	cmp	before + 4, %eax
	jle	bad
2:	mov	$done, %ecx
	mov	$done_len, %edx
	call	write
	jmp	halt
bad:	mov	$wrong, %ecx
	mov	$wrong_len, %edx
	call	write
halt:	mov	$SYS_REBOOT, %eax
	mov	$MAGIC1, %ebx
	mov	$MAGIC2, %ecx
	mov	$HALT, %edx
	int	$0x80
	jmp	halt

	/* %ecx, %edx: what, and how much */
write:	mov	$SYS_WRITE, %eax
	mov	$1, %ebx
	int	$0x80
	ret
	/* %ecx: where to */
clock:	mov	$SYS_CLOCK_GETTIME, %eax
	mov	$CLOCK_MONOTONIC, %ebx
	int	$0x80
	ret

	.data
nap:	.long	0, 5000000
dot:	.ascii	"."
ready:	.ascii	"init: ready\n"
	.set	ready_len, . - ready
done:	.ascii	"init: done\n"
	.set	done_len, . - done
wrong:	.ascii	"init: WRONG\n"
	.set	wrong_len, . - wrong

	.bss
before:	.skip	8
after:	.skip	8
