/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kselftests share: raw ioctls, a KVM VM with one vCPU and 32-bit
 * code in three lines, and the checks that surround every test.
 *
 * A wrapper named hlk_*() makes one call and returns what it returned, or
 * -errno; t_why, t_index and t_where say then what the head of the struct said.
 * OK() asserts that such a call succeeds, FAILS() that it fails so and not
 * otherwise. What only has to work (KVM, mmap) ends the test by itself.
 */
#ifndef _HLK_TEST_H
#define _HLK_TEST_H

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/hlk.h>
#include <linux/hlk_guest.h>

#define PAGE		4096UL
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

/* ---- calls ---- */

extern __thread u32 t_why;
extern __thread u32 t_index;
extern __thread u64 t_where;

#define OK(call)							\
	({								\
		long ret_ = (call);					\
		ASSERT_LE(0, ret_) {					\
			TH_LOG("%s: %s, why %u index %u where %#llx",	\
			       #call, strerror(-ret_), t_why, t_index,	\
			       (unsigned long long)t_where);		\
		}							\
		ret_;							\
	})

#define FAILS(errno_, why_, call)					\
	do {								\
		t_why = ~0;						\
		ASSERT_EQ(-(errno_), (long)(call)) {			\
			TH_LOG("%s: why %u", #call, t_why);		\
		}							\
		ASSERT_EQ((u32)(why_), t_why) {				\
			TH_LOG("%s", #call);				\
		}							\
	} while (0)

/* For calls without a struct of ours: mmap and the like */
#define FAILS_ERRNO(errno_, call)					\
	do {								\
		errno = 0;						\
		ASSERT_EQ(-1, (long)(call)) {				\
			TH_LOG("%s", #call);				\
		}							\
		ASSERT_EQ(errno_, errno) {				\
			TH_LOG("%s", #call);				\
		}							\
	} while (0)

#define HLK_STRUCT(type) { .head.size = sizeof(struct type) }

long hlk_call(int fd, unsigned long cmd, void *arg);
int hlk_open(void);
int hlk_info(int dev, struct hlk_info *info);
int hlk_attach(int dev, int vm_fd, u64 max_private, u64 keep_private);
int hlk_window_add(int vm, u64 gpa, u64 bytes, u32 flags);
int hlk_snapshot(int vm, struct hlk_snapshot *s);
int hlk_snapshot_flat(int vm);
int hlk_restore(int vm, int snap, struct hlk_restore *r);
int hlk_restore_flags(int vm, int snap, u32 flags, struct hlk_restore *r);
int hlk_translate(int vm, u64 root, u64 va, struct hlk_translate *t);
int hlk_stats(int vm, struct hlk_vm_stats *stats);
int hlk_snapshot_info(int snap, struct hlk_snapshot_info *info);

/* ---- around each test ---- */

#define t_must(cond)	t_must_(cond, #cond, __FILE__, __LINE__)
void t_must_(bool ok, const char *what, const char *file, int line);

void t_begin(void);
int t_end(void);
u32 t_seed(void);
u32 t_rnd(u32 *state);
u64 t_now(void);
const char *t_module(void);

/* ---- a VM ---- */

/* Code for the guest: 32-bit assembly that does not care where it is. */
#ifdef __x86_64__
#define GUEST_CODE_BACK	".code64\n"
#else
#define GUEST_CODE_BACK	".code32\n"
#endif
#define GUEST(name, text)						\
	asm(".pushsection .rodata\n.code32\n" #name ":\n" text "\n"	\
	    #name "_end:\n.byte 0\n" GUEST_CODE_BACK ".popsection\n");	\
	extern const u8 name[], name##_end[]

struct tvm_map {
	u64 gpa;
	u64 bytes;
	u8 *at;
};

/**
 * struct tvm - a KVM VM with one vCPU, attached to hlk or not
 * @kvm: /dev/kvm
 * @vm: the KVM VM
 * @vcpu: its vCPU
 * @run: the vCPU's struct kvm_run
 * @run_bytes: its size
 * @dev: /dev/hlk
 * @hlk: the hlk VM, or -1
 * @nr_maps: length of @maps
 * @maps: memslots
 */
struct tvm {
	int kvm;
	int vm;
	int vcpu;
	struct kvm_run *run;
	size_t run_bytes;
	int dev;
	int hlk;
	u32 nr_maps;
	struct tvm_map maps[16];
};

#define SYNC_ALL	(KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS | \
			 KVM_SYNC_X86_EVENTS)

/* The usual machine: low memory with code at TVM_CODE, scratch on top */
#define TVM_LOW		0x100000UL
#define TVM_CODE	0x1000UL
#define TVM_STACK	0x10000UL
#define TVM_DATA	0x20000UL	/* free from here up to TVM_LOW */
#define TVM_IDT		0x22000U	/* 64 gates, for who wants to have them */
#define TVM_GDT		0x22400U
#define TVM_HANDLER	0x23000U
#define TVM_SCRATCH	0x48000UL
#define TVM_SCRATCH_GPA	(HLK_GUEST_SCRATCH_TOP - TVM_SCRATCH)

void tvm_open(struct tvm *t);
void tvm_open_irqchip(struct tvm *t);
void tvm_open_msrs(struct tvm *t);
void tvm_open_pc(struct tvm *t);
void tvm_open_deadline(struct tvm *t);
void tvm_attach(struct tvm *t, u64 max_private, u64 keep_private);
u8 *tvm_memslot(struct tvm *t, u64 gpa, u64 bytes, void *at, u32 flags);
u8 *tvm_ram(struct tvm *t, u64 gpa, u64 bytes);
u8 *tvm_map(struct tvm *t, u64 gpa, u64 bytes, int prot);
u8 *tvm_window(struct tvm *t, u64 gpa, u64 bytes, u32 flags);
u8 *tvm_at(struct tvm *t, u64 gpa);
void tvm_close(struct tvm *t);
void tvm_vcpu(struct tvm *other, const struct tvm *t, u32 id);
void tvm_vcpu_close(struct tvm *other);

/* All of the above with the usual machine; registers are set to run TVM_CODE */
void tvm_machine(struct tvm *t, u64 max_private, u64 keep_private);
void tvm_start(struct tvm *t, u64 max_private, u64 keep_private);
#define tvm_load(t, gpa, code)	tvm_load_(t, gpa, code, code##_end)
void tvm_load_(struct tvm *t, u64 gpa, const u8 *code, const u8 *end);
#define tvm_handler(t, vector, code) tvm_handler_(t, vector, code, code##_end)
void tvm_handler_(struct tvm *t, u32 vector, const u8 *code, const u8 *end);
u64 tvm_gpa(struct tvm *t, u64 va);
u32 tvm_word(struct tvm *t, u32 gpa);
int tvm_build(struct tvm *t, struct kvm_sync_regs *regs);

void tvm_flat(struct kvm_sync_regs *regs, u32 eip, u32 esp);
void tvm_tables(struct kvm_sync_regs *regs);
void tvm_set_regs(struct tvm *t, struct kvm_sync_regs *regs);
void tvm_set(struct tvm *t, u32 eip);
void tvm_set_paging(struct tvm *t, u32 eip, u32 cr3, u32 cr4);
int tvm_run(struct tvm *t);
int tvm_complete_io(struct tvm *t);
u64 tvm_stat(struct tvm *t, const char *name);

/* A function in another thread, with the vCPU running all the while */
struct tvm_runner {
	struct tvm *t;
	unsigned long thread;
	volatile int ret;
	volatile bool done;
};

void tvm_runner_start(struct tvm_runner *r, struct tvm *t);
int tvm_runner_kick(struct tvm_runner *r);

/* ---- page tables in guest memory ---- */

#define PTE_P	0x1
#define PTE_W	0x2
#define PTE_U	0x4
#define PTE_A	0x20
#define PTE_D	0x40
#define PTE_PS	0x80
#define PTE_G	0x100
#define PTE_COW	0x200

/**
 * struct tvm_pt - an allocator of page tables
 * @t: the VM
 * @next: guest-physical address of the next free page
 * @flags: of the directory entries that it makes
 */
struct tvm_pt {
	struct tvm *t;
	u64 next;
	u32 flags;
};

u32 tvm_pt_page(struct tvm_pt *pt);
u32 *tvm_pt_entry(struct tvm_pt *pt, u32 root, u32 va);
void tvm_pt_map(struct tvm_pt *pt, u32 root, u32 va, u32 gpa, u32 pages, u32 flags);

#endif /* _HLK_TEST_H */
