/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * hlk: what an i686 guest and its host agree on. Constants only, so that
 * assembly can include it; see Documentation/guest-abi.rst.
 *
 * The layout is that of the Hyperlight i686 guest; additions are marked (+).
 */
#ifndef _UAPI_LINUX_HLK_GUEST_H
#define _UAPI_LINUX_HLK_GUEST_H

#define HLK_GUEST_PAGE_SIZE	0x1000

/* Guest-physical memory. KVM's APIC page starts where scratch ends. */
#define HLK_GUEST_MEM_BASE	0x1000
#define HLK_GUEST_SCRATCH_TOP	0xFEE00000
#define HLK_GUEST_SCRATCH_SIZE	0x48000		/* default */
#define HLK_GUEST_BUFFER_SIZE	0x4000		/* default, each */
#define HLK_GUEST_BUFFER_MIN	0x2000
#define HLK_GUEST_SCRATCH_EXTRA	0xC000		/* least scratch beside buffers */

/*
 * Scratch ends at virtual 4 GiB, so what is at guest-physical address gpa
 * in scratch is at virtual address gpa + HLK_GUEST_SCRATCH_DELTA.
 */
#define HLK_GUEST_SCRATCH_DELTA	0x01200000

/* Bookkeeping: offsets down from the top of scratch; each a little-endian u64 */
#define HLK_GUEST_OFF_SIZE	0x08	/* bytes of scratch */
#define HLK_GUEST_OFF_ALLOC	0x10	/* gpa of the first free page */
#define HLK_GUEST_OFF_PT_BASE	0x18	/* gpa of the page tables; root 0 */
#define HLK_GUEST_OFF_GENERATION 0x20	/* snapshots on the path to this state */
#define HLK_GUEST_OFF_UNIQUE	0x28	/* (+) another value at every restore */
#define HLK_GUEST_OFF_SEED	0x50	/* (+) 32 random bytes at every restore */
#define HLK_GUEST_SEED_SIZE	0x20
#define HLK_GUEST_OFF_COUNTER	0x1008	/* the host's counter */
#define HLK_GUEST_OFF_ROOTS	0x2000	/* (+) count, then the roots' gpas */
#define HLK_GUEST_MAX_ROOTS	510	/* what fits below the counter */

/*
 * (+) The exception stack of hlk's guests: it grows down from the roots page
 * and ends at a page that is never mapped.
 */
#define HLK_GUEST_OFF_EXN_STACK	0x2000
#define HLK_GUEST_EXN_STACK_SIZE 0x4000
#define HLK_GUEST_OFF_GUARD	0x7000
#define HLK_GUEST_OFF_ALLOC_END	0x7000	/* the allocator must stop here */

/* The software copy-on-write bit of a page-table entry (AVL bit 9) */
#define HLK_GUEST_PTE_COW	0x200

/* Each I/O buffer is a stack that starts with its u64 stack pointer */
#define HLK_GUEST_BUFFER_EMPTY	8

/* Ports: OUT with the value in EAX. 99 to 103 are Hyperlight's. */
#define HLK_GUEST_PORT_LOG	99
#define HLK_GUEST_PORT_CALL	101	/* call the host: see below */
#define HLK_GUEST_PORT_ABORT	102	/* EAX is the code */
#define HLK_GUEST_PORT_PUTC	103	/* AL is the character */
#define HLK_GUEST_PORT_PRINT	104	/* (+) text on top of the output buffer */
#define HLK_GUEST_PORT_AGENT	105	/* (+) all that the agent of a Linux guest says */

/*
 * Abort codes. An exception that the guest does not handle is
 * HLK_GUEST_ABORT_TRAP + vector; EBX is then the virtual address of a
 * struct hlk_guest_trap.
 */
#define HLK_GUEST_ABORT_TRAP	0x100
#define HLK_GUEST_ABORT_SCRATCH	0x200		/* out of scratch pages */
#define HLK_GUEST_ABORT_PROTOCOL 0x201		/* a buffer makes no sense */

/* Boot state: GDT selectors, control registers */
#define HLK_GUEST_CS		0x08
#define HLK_GUEST_DS		0x10
#define HLK_GUEST_CR0		0x80010011	/* PG | WP | ET | PE */

#ifndef __ASSEMBLER__
#include <linux/types.h>

/**
 * struct hlk_guest_boot - parameter block; its address is in EDI at first entry
 * @size: sizeof(struct hlk_guest_boot)
 * @mem_base: first byte of the snapshot region, identity-mapped
 * @mem_end: first byte after it
 * @heap_start: first byte not used by the image, page aligned
 * @stack_top: top of the boot stack; ESP at first entry
 * @stack_size: its size; the heap is [heap_start, stack_top - stack_size)
 * @input_gpa: the input buffer
 * @input_size: its size in bytes
 * @output_gpa: the output buffer
 * @output_size: its size in bytes
 * @scratch_gpa: first byte of scratch
 * @scratch_size: its size in bytes
 */
struct hlk_guest_boot {
	__u32 size;
	__u32 mem_base;
	__u32 mem_end;
	__u32 heap_start;
	__u32 stack_top;
	__u32 stack_size;
	__u32 input_gpa;
	__u32 input_size;
	__u32 output_gpa;
	__u32 output_size;
	__u32 scratch_gpa;
	__u32 scratch_size;
};

/**
 * struct hlk_guest_call - what a caller pushes: a call of a function by name
 * @magic: HLK_GUEST_CALL_MAGIC
 * @name_len: bytes of the name that follows, not terminated
 * @arg_len: bytes of the argument that follows the name
 *
 * The host pushes one on the input buffer before a call into the guest, the
 * guest pushes one on the output buffer before OUT to HLK_GUEST_PORT_CALL.
 */
struct hlk_guest_call {
	__u32 magic;
	__u32 name_len;
	__u32 arg_len;
};

#define HLK_GUEST_CALL_MAGIC	0x4c4c4143	/* "CALL" */

/**
 * struct hlk_guest_ret - what the callee pushes
 * @magic: HLK_GUEST_RET_MAGIC
 * @status: 0, or an errno as a positive number
 * @len: bytes of the result that follows
 */
struct hlk_guest_ret {
	__u32 magic;
	__u32 status;
	__u32 len;
};

#define HLK_GUEST_RET_MAGIC	0x21544552	/* "RET!" */

/* (+) The host function that lists files of the host, as struct hlk_guest_file */
#define HLK_GUEST_FILES		"hlk.files"

/**
 * struct hlk_guest_file - a file of the host that the guest can map, to read it
 * @gpa: where it is
 * @bytes: how long it is; what is left of its last page is zeroes, or more of the file
 * @label: what it is called, with a zero at the end
 */
struct hlk_guest_file {
	__u64 gpa;
	__u64 bytes;
	char label[64];
};

/**
 * struct hlk_guest_trap - what a guest tells of an exception before it aborts
 * @magic: HLK_GUEST_TRAP_MAGIC
 * @vector: the exception
 * @error: its error code, or 0
 * @cr2: CR2
 * @cr3: CR3
 * @eip: where it happened
 * @cs: code segment
 * @eflags: flags
 * @esp: stack pointer of the code that trapped
 * @ss: its stack segment
 * @eax: general register
 * @ecx: general register
 * @edx: general register
 * @ebx: general register
 * @ebp: general register
 * @esi: general register
 * @edi: general register
 */
struct hlk_guest_trap {
	__u32 magic;
	__u32 vector;
	__u32 error;
	__u32 cr2;
	__u32 cr3;
	__u32 eip;
	__u32 cs;
	__u32 eflags;
	__u32 esp;
	__u32 ss;
	__u32 eax;
	__u32 ecx;
	__u32 edx;
	__u32 ebx;
	__u32 ebp;
	__u32 esi;
	__u32 edi;
};

#define HLK_GUEST_TRAP_MAGIC	0x50415254	/* "TRAP" */

/**
 * struct hlk_guest_pages - pages of a buffer that follow each other
 * @gpa: guest-physical address of the first
 * @pages: how many
 * @__reserved: zero
 */
struct hlk_guest_pages {
	__aligned_u64 gpa;
	__u32 pages;
	__u32 __reserved;
};

/* of both buffers of an agent together */
#define HLK_GUEST_AGENT_MAX_RUNS	64
#define HLK_GUEST_AGENT_MAX_PAGES	1024

/**
 * struct hlk_guest_agent - where the I/O buffers of a Linux guest are
 * @magic: HLK_GUEST_AGENT_MAGIC
 * @version: HLK_GUEST_AGENT_VERSION
 * @nr_input: how many of @runs are the input buffer, in their order
 * @nr_output: how many, behind these, are the output buffer
 * @__reserved: zero
 * @runs: the pages
 *
 * A Linux guest has no scratch region. Its agent, an ordinary program, has a page with
 * this struct, of which it tells by OUT of 32 bits, the page's number, to
 * HLK_GUEST_PORT_AGENT. From then on these pages stay where they are, and the agent
 * looks whether there is a call in the input buffer. An OUT of 8 bits to the same port is
 * HLK_GUEST_AGENT_ANSWER, HLK_GUEST_PORT_CALL or HLK_GUEST_PORT_PRINT.
 */
struct hlk_guest_agent {
	__u32 magic;
	__u32 version;
	__u32 nr_input;
	__u32 nr_output;
	__aligned_u64 __reserved[2];
	struct hlk_guest_pages runs[HLK_GUEST_AGENT_MAX_RUNS];
};

#define HLK_GUEST_AGENT_MAGIC	0x544e4741	/* "AGNT" */
#define HLK_GUEST_AGENT_VERSION	1
#define HLK_GUEST_AGENT_ANSWER	0	/* the answer is on top of the output buffer */
#endif

#endif /* _UAPI_LINUX_HLK_GUEST_H */
