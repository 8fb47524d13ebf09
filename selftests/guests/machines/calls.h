/* SPDX-License-Identifier: GPL-2.0-only */
/* What the processes ask of their kernel, and where they have what. */
#ifndef GUEST_CALLS_H
#define GUEST_CALLS_H

#define INTERRUPT	0x80
#define CALL_MEET	0	/* wait until all processes are here */
#define CALL_PREEMPTED	1	/* return: how often the timer took the processor away */
#define CALL_SUM	2	/* ebx: the sum; return in turn */
#define CALL_END	3

#define PROGRAM		0x40000000U
#define HEAP		0x50000000U	/* pages that are there when they are touched */
#define HEAP_END	0x50040000U
#define STACK		0x60000000U	/* its end */
#define KERNEL_PAGE	0x00100000U

#define PROCESSES	3U
#define PAGE		4096U
#define WORDS		(PAGE / 4)
#define BEFORE		12U	/* pages of the heap that are written before the meeting */
#define AFTER		8U	/* and after it */

#ifdef PAE
#define IS_PAE		1
#else
#define IS_PAE		0
#endif

#endif /* GUEST_CALLS_H */
