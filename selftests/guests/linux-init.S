/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The first program of a Linux guest, i386 or x86-64, without a C library: it says that it is
 * ready, sleeps ten times, so that timers have to work, looks whether the monotonic clock
 * went on meanwhile, and says so.
 */
#ifdef __x86_64__
# define SYS_WRITE		1
# define SYS_NANOSLEEP		35
# define SYS_REBOOT		169
# define SYS_CLOCK_GETTIME	228
# define A			%rax
# define ARG1			%rdi
# define ARG2			%rsi
# define ARG3			%rdx
# define COUNT			%rbx
# define INTO_KERNEL		syscall
# define WORD			.quad
# define BYTES			8
#else
# define SYS_WRITE		4
# define SYS_NANOSLEEP		162
# define SYS_REBOOT		88
# define SYS_CLOCK_GETTIME	265
# define A			%eax
# define ARG1			%ebx
# define ARG2			%ecx
# define ARG3			%edx
# define COUNT			%edi
# define INTO_KERNEL		int $0x80
# define WORD			.long
# define BYTES			4
#endif
#define STDOUT			1
#define CLOCK_MONOTONIC		1
#define MAGIC1			0xfee1dead
#define MAGIC2			672274793
#define HALT			0xcdef0123

	.text
	.globl _start
_start:
	mov	$ready, ARG2
	mov	$ready_len, ARG3
	call	write
	mov	$before, ARG2
	call	clock
	mov	$10, COUNT
1:	mov	$SYS_NANOSLEEP, A
	mov	$nap, ARG1
	xor	ARG2, ARG2
	INTO_KERNEL
	test	A, A
	jnz	bad
	mov	$dot, ARG2
	mov	$1, ARG3
	call	write
	dec	COUNT
	jnz	1b
	mov	$after, ARG2
	call	clock
	mov	after, A		/* seconds, or nanoseconds of the same one */
	cmp	before, A
	jl	bad
	jg	2f
	mov	after + BYTES, A
	cmp	before + BYTES, A
	jle	bad
2:	mov	$done, ARG2
	mov	$done_len, ARG3
	call	write
	jmp	halt
bad:	mov	$wrong, ARG2
	mov	$wrong_len, ARG3
	call	write
halt:	mov	$SYS_REBOOT, A
	mov	$MAGIC1, ARG1
	mov	$MAGIC2, ARG2
	mov	$HALT, ARG3
	INTO_KERNEL
	jmp	halt

	/* ARG2, ARG3: what, and how much */
write:	mov	$SYS_WRITE, A
	mov	$STDOUT, ARG1
	INTO_KERNEL
	ret
	/* ARG2: where to */
clock:	mov	$SYS_CLOCK_GETTIME, A
	mov	$CLOCK_MONOTONIC, ARG1
	INTO_KERNEL
	ret

	.data
	.balign	8
nap:	WORD	0, 5000000
dot:	.ascii	"."
ready:	.ascii	"init: ready\n"
	.set	ready_len, . - ready
done:	.ascii	"init: done\n"
	.set	done_len, . - done
wrong:	.ascii	"init: WRONG\n"
	.set	wrong_len, . - wrong

	.bss
	.balign	8
before:	.skip	2 * BYTES
after:	.skip	2 * BYTES
