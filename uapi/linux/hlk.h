/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * hlk: snapshot and restore of i686 KVM guests.
 */
#ifndef _UAPI_LINUX_HLK_H
#define _UAPI_LINUX_HLK_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * DOC: General ioctl format
 *
 * Every ioctl takes a pointer to a struct that starts with struct hlk_head,
 * whose @size is the size of the struct as the caller was compiled. The
 * ioctl numbers are made with _IO(), so they stay the same when a struct
 * grows. A kernel that knows a longer struct takes the missing tail as zero;
 * a kernel that knows a shorter one refuses a tail that is not zero. All
 * structs have the same layout for 32- and 64-bit callers.
 *
 * Arrays of structs come with the size of one element as the caller was
 * compiled, and the same holds for each element. In an array for a reply the
 * kernel clears what it does not know of an element, and leaves out what the
 * caller has no room for. The size is not looked at when the array is empty. No
 * struct and no element may be larger than HLK_MAX_STRUCT.
 *
 * Structs inside of others never change their size; they have reserved fields
 * to grow into.
 *
 * Bits of @flags that are not known and reserved fields that are not zero are
 * refused, never dropped. Fields marked out are ignored on input.
 *
 * Each errno has one meaning wherever it is returned:
 *
 *  - ENOTTY: the ioctl number is not one of this fd, or no command of io_uring
 *  - E2BIG: the struct, or an element of an array, is longer than the kernel
 *    knows and its tail is not zero, or longer than HLK_MAX_STRUCT; or an array
 *    is longer than one call takes
 *  - EOPNOTSUPP: an unknown flag, a reserved field that is not zero, or
 *    something that this machine or this VM cannot do
 *  - EINVAL: a size too small, a value out of range, or values that do not
 *    fit each other
 *  - EFAULT: a user pointer cannot be read or written
 *  - EBADF: an fd that is closed or of the wrong kind
 *  - EPERM: the VM belongs to another process
 *  - EACCES: memory that would have to be written is read-only
 *  - EBUSY: a vCPU is running, or has an I/O exit that was not completed
 *  - EEXIST: what is to be added overlaps something that is there
 *  - ENODEV: the address is not backed by memory
 *  - ENXIO: no translation: an entry on the way is not present
 *  - EMEDIUMTYPE: the snapshot was taken from another layout
 *  - EMSGSIZE: the array given for a reply is too short; the count needed was
 *    written
 *  - ENOSPC: what is to be built does not fit the guest's memory
 *  - EDQUOT: a limit of the module (of windows, vCPUs, tables, pages) or a budget
 *    of the sandbox is reached
 *  - EMLINK: a window has more mappings than the limit, see struct hlk_vm_attach
 *  - ENOMEM: out of memory, or out of the caller's memory cgroup; a guest whose
 *    write finds none ends KVM_RUN with EFAULT
 *  - EINTR: a fatal signal came during long work; nothing was changed.
 *    HLK_RUN: a signal or immediate_exit ended the guest's run, as with KVM_RUN,
 *    or HLK_KICK did.
 *    HLK_RUN_MANY: a signal came; what was not begun says ECANCELED
 *  - ETIMEDOUT: the deadline of HLK_RUN came before the guest's exit
 *  - EUCLEAN: an audit found a difference
 *  - EHWPOISON: the memory of a page failed
 *  - ETXTBSY: a file that must not change any more can be changed
 *  - EIO: a page cannot be read from its file
 *
 * Where one errno can have several reasons, @why of the head tells which.
 */

#define HLK_IOC_TYPE	0xE9
#define HLK_ABI_VERSION	2

/* the largest struct, and the largest element of an array */
#define HLK_MAX_STRUCT	4096

enum {
	HLK_CMD_INFO = 0x00,
	HLK_CMD_VM_ATTACH = 0x01,
	HLK_CMD_SNAPSHOT_BUILD = 0x02,
	HLK_CMD_RUN_MANY = 0x03,
	HLK_CMD_SNAPSHOT_IMPORT = 0x04,

	HLK_CMD_WINDOW_ADD = 0x20,
	HLK_CMD_SNAPSHOT = 0x21,
	HLK_CMD_RESTORE = 0x22,
	HLK_CMD_TRANSLATE = 0x23,
	HLK_CMD_WALK = 0x24,
	HLK_CMD_VM_STATS = 0x25,
	HLK_CMD_MARK_COW = 0x26,
	HLK_CMD_RUN = 0x27,
	HLK_CMD_PREFAULT = 0x28,
	HLK_CMD_KICK = 0x29,
	HLK_CMD_READ = 0x2a,

	HLK_CMD_SNAPSHOT_INFO = 0x40,
	HLK_CMD_SNAPSHOT_EXPORT = 0x41,
	HLK_CMD_SNAPSHOT_PAGES = 0x42,
};

/* ---- what went wrong ---- */

/**
 * enum hlk_why - which of the reasons behind an errno it was
 * @HLK_WHY_NONE: nothing more is known than the errno
 * @HLK_WHY_SIZE: @size is smaller than the first version of the struct, or
 *	larger than HLK_MAX_STRUCT; @where is the bound
 * @HLK_WHY_TAIL: the struct, or element @index of an array of structs, has a
 *	tail that is not known and not zero; @where is the size that is known
 * @HLK_WHY_FLAGS: an unknown bit in @flags
 * @HLK_WHY_RESERVED: a reserved field is not zero
 * @HLK_WHY_NOT_KVM_VM: the fd is not that of a KVM VM
 * @HLK_WHY_OTHER_PROCESS: the VM belongs to another process
 * @HLK_WHY_NO_NPT: KVM runs without nested paging
 * @HLK_WHY_GPA_ALIGN: an address or a size is not a multiple of 4 KiB, or zero
 * @HLK_WHY_GPA_RANGE: a range leaves the guest-physical address space
 * @HLK_WHY_APIC_PAGE: a range covers the page that KVM keeps for the APIC
 * @HLK_WHY_OVERLAP: a window overlaps another one; @where is the other's gpa
 * @HLK_WHY_TOO_MANY_WINDOWS: more windows than the limit
 * @HLK_WHY_TWO_SCRATCH: a second scratch window
 * @HLK_WHY_WINDOWS_FIXED: a window cannot be added after the first snapshot
 * @HLK_WHY_NO_SCRATCH: a compact snapshot wants a scratch window that ends
 *	at HLK_GUEST_SCRATCH_TOP and is large enough
 * @HLK_WHY_NOT_SNAPSHOT: the fd is not that of a snapshot
 * @HLK_WHY_LAYOUT: the windows of the snapshot are not those of this VM;
 *	@where is the gpa of the first that differs
 * @HLK_WHY_VCPU_COUNT: the snapshot has another number of vCPUs
 * @HLK_WHY_VCPU_SIZE: the register blocks are smaller than struct kvm_sync_regs
 *	or larger than HLK_MAX_STRUCT; @where is the bound
 * @HLK_WHY_VCPU_RUNNING: the vCPU @index is running
 * @HLK_WHY_VCPU_IO: the vCPU @index left KVM_RUN with an I/O that KVM
 *	completes at the next entry; enter once with immediate_exit set
 * @HLK_WHY_VCPU_REGS: the control registers of vCPU @index, which page tables are
 *	read by, are neither in its kvm_run nor known to KVM: set kvm_valid_regs
 * @HLK_WHY_VCPU_FPU: the FPU images differ in size or format
 * @HLK_WHY_TOO_MANY_VCPUS: more vCPUs than the limit
 * @HLK_WHY_NO_VCPU: the VM has no such vCPU
 * @HLK_WHY_NOT_I686: the vCPU uses PAE or long mode, or no paging at all
 * @HLK_WHY_NO_SNAPSHOT: nothing was restored yet, so there is nothing to go
 *	back to
 * @HLK_WHY_NO_ROOTS: no page-directory root was given or published
 * @HLK_WHY_TOO_MANY_ROOTS: more roots than the limit
 * @HLK_WHY_TOO_MANY_TABLES: more distinct tables than the limit
 * @HLK_WHY_TOO_MANY_PAGES: more pages than the limit
 * @HLK_WHY_ROOT_NOT_RAM: root @index, at @where, is not in memory
 * @HLK_WHY_TABLE_NOT_RAM: strict: the table for address @where in root
 *	@index is not in memory
 * @HLK_WHY_LEAF_NOT_RAM: strict: the page at address @where in root @index
 *	is not in memory
 * @HLK_WHY_PDE_RESERVED: the 4 MiB entry for address @where in root @index
 *	has reserved bits set, or leads beyond MAXPHYADDR
 * @HLK_WHY_SNAPSHOT_FULL: the pages do not fit the windows
 * @HLK_WHY_SCRATCH_FULL: the new tables and shared pages do not fit scratch;
 *	@where is how many bytes are needed
 * @HLK_WHY_IO_BUFFERS: the buffers are not a multiple of 4 KiB, are too small,
 *	do not fit scratch, or are not those of the compact snapshot that the
 *	guest runs from
 * @HLK_WHY_SEGMENT: segment @index lies outside the windows, at @where
 * @HLK_WHY_NOT_PRESENT: the entry that stops the walk is at @where
 * @HLK_WHY_NOT_RAM: the page at @where is not in memory
 * @HLK_WHY_BUDGET: the sandbox has used up its private pages
 * @HLK_WHY_NOT_VCPU: the fd is not that of a vCPU of this VM
 * @HLK_WHY_INPUT: input @index lies outside the windows, or there are too
 *	many, or they are too long; @where is its address or the limit
 * @HLK_WHY_IO_URING: a guest is not run by io_uring: use the ioctl, or
 *	HLK_RUN_MANY for many
 * @HLK_WHY_PRIVILEGE: CAP_SYS_PTRACE is needed to look at another process's VM
 * @HLK_WHY_INSPECT_ONLY: this hlk VM was attached to look at page tables
 * @HLK_WHY_NESTED: the vCPU @index is in a guest of its own; VMX: or has CR4.VMXE, and
 *	so may be in VMX operation. Or, where @where is not 0, KVM keeps as many tables
 *	for guests of the guest that had nested paging of their own
 * @HLK_WHY_AUDIT_MEMORY: audit: the byte at guest-physical address @where is
 *	not that of the snapshot
 * @HLK_WHY_AUDIT_VCPU: audit: of vCPU @index, @where (enum hlk_audit_reg) is not
 *	that of the snapshot
 * @HLK_WHY_READ_ONLY: the memory at @where cannot be written
 * @HLK_WHY_ELEMENT_SIZE: the elements of an array, @index bytes each, are smaller
 *	than the first version of their struct or larger than HLK_MAX_STRUCT;
 *	@where is the bound
 * @HLK_WHY_TOO_MANY_SEGMENTS: more segments than the limit, @where
 * @HLK_WHY_NOT_HLK_VM: the fd is not that of an hlk VM
 * @HLK_WHY_TOO_MANY_CALLS: more calls than the limit, @where
 * @HLK_WHY_MAPPINGS: the window at @where has too many mappings
 * @HLK_WHY_MEMORY_FAILED: the memory of the page at guest-physical address @where
 *	failed (an uncorrected error). A restore that ends so left the guest between
 *	two states: it must not run before it is restored to another snapshot
 * @HLK_WHY_VCPU_XCR0: the snapshot has XCR0 bits that KVM does not support for
 *	vCPU @index, by its CPUID
 * @HLK_WHY_NO_IBPB: the processor has no indirect branch prediction barrier
 * @HLK_WHY_DIRTY_LOG: the memslot at @where has KVM_MEM_LOG_DIRTY_PAGES, and
 *	neither the log nor the dirty ring would learn of what hlk writes. EUCLEAN: an
 *	audit found that it was so all the same
 * @HLK_WHY_AUDIT_MAPPING: audit: a mapping shows another page than the window's at
 *	guest-physical address @where, or one to be written that is shared
 * @HLK_WHY_AUDIT_LIST: audit: the module would restore the page at @where from
 *	somewhere else, or counts private pages wrong (@where is 0)
 * @HLK_WHY_LARGE_AS_LEAF: an entry of root @index, for address @where, would become
 *	another one, or more than it was, for user code that sees it through a
 *	directory which uses the root as a table
 * @HLK_WHY_VCPU_REFUSED: what the snapshot has in @where (enum hlk_refused) KVM
 *	would refuse at the entry of vCPU @index: another CPUID, or no processor
 *	could have it
 * @HLK_WHY_VCPU_FD: the registers of vCPU @index are known to KVM alone, and the
 *	caller has no fd of it by which KVM could be asked
 * @HLK_WHY_PDPTRS: PAE: the page directory pointers that vCPU @index goes by are not
 *	those in memory, at @where: nothing could load them
 * @HLK_WHY_HLT_IN_GUEST: VMX: HLT does not leave the guest (KVM_CAP_X86_DISABLE_EXITS),
 *	and nothing could wake one that a call left halted
 * @HLK_WHY_KVM_PAGES: the guest can write memory that KVM made for itself, at @where:
 *	VMX without unrestricted guests
 * @HLK_WHY_PROGRAM_SIZE: a state program is shorter than its header and entries, not a
 *	multiple of 8 bytes, or longer than the limit; @where is the bound
 * @HLK_WHY_PROGRAM_HEADER: a state program's header; @where is the offset of the field
 *	in struct hlk_program_header
 * @HLK_WHY_PROGRAM_ENTRY: entry @index of a state program; @where is the offset of the
 *	field in struct hlk_program_entry
 * @HLK_WHY_PROGRAM_CMD: entry @index of a state program is a call, @where, that a
 *	program may not make
 * @HLK_WHY_PROGRAM_COMPACT: entry @index of a state program sets control registers,
 *	and a compact snapshot has page directories of its own
 * @HLK_WHY_PROGRAM_MISSING: the snapshot has a state program, and the call does not
 *	say where it is mapped
 * @HLK_WHY_PROGRAM_MAPPING: at @where there is no mapping of the whole state program of
 *	this snapshot
 * @HLK_WHY_PROGRAM_XSAVE: KVM_SET_XSAVE of vCPU @index takes @where bytes, and the
 *	state program has fewer
 * @HLK_WHY_PROGRAM_CALL: KVM refused the call, @where, of entry @index of a state
 *	program; the errno is KVM's. The VM must be restored before it runs
 * @HLK_WHY_PROGRAM_MSR: KVM_SET_MSRS of entry @index of a state program did not
 *	take the MSR @where. The VM must be restored before it runs
 * @HLK_WHY_HALF_RESTORED: the last restore came to no end: the VM is in no state, and
 *	wants to be restored
 * @HLK_WHY_OUTPUT: an output of a call lies in no window that the guest can write, is too
 *	large, or does not lie at a multiple of eight. @index is the call
 * @HLK_WHY_TOO_MANY_SOURCES: more sources than the limit, @where, those of the parent
 *	counted
 * @HLK_WHY_SOURCE_FD: the fd of source @index is closed, cannot be read by, or is that of
 *	no regular file
 * @HLK_WHY_SOURCE_MUTABLE: source @index may change: it has no fs-verity, and is no memfd
 *	with F_SEAL_WRITE and F_SEAL_SHRINK
 * @HLK_WHY_TOO_MANY_EXTENTS: more extents than the limit, @where
 * @HLK_WHY_EXTENT_ALIGN: address, offset or size of extent @index, @where, is not a
 *	multiple of 4 KiB, or the size is zero
 * @HLK_WHY_EXTENT_RANGE: extent @index, at @where, does not lie in one window
 * @HLK_WHY_EXTENT_ORDER: extent @index, at @where, begins before the end of the one before
 * @HLK_WHY_EXTENT_SOURCE: extent @index is of source @where, which is none
 * @HLK_WHY_EXTENT_FILE: extent @index ends behind the end of its file, which has @where
 *	bytes
 * @HLK_WHY_VCPU_IMAGE: no processor, or no KVM, could have what the field at offset @where
 *	of the struct hlk_vcpu_image of vCPU @index says
 * @HLK_WHY_VCPU_FPU_IMAGE: the FPU image of vCPU @index could not be loaded; @where is the
 *	offset in it of what is wrong, or its size
 * @HLK_WHY_TABLES: of what a compact snapshot has beside pages, the field at offset
 *	@where of struct hlk_snapshot_import is wrong, in element @index if it is an array
 * @HLK_WHY_TOUCHED: run @index of touched pages, at @where, does not lie in one window, or
 *	there are more pages than are remembered of a window
 * @HLK_WHY_BASE_READ: the base page at @where cannot be read from its file
 */
enum hlk_why {
	HLK_WHY_NONE = 0,
	HLK_WHY_SIZE,
	HLK_WHY_TAIL,
	HLK_WHY_FLAGS,
	HLK_WHY_RESERVED,
	HLK_WHY_NOT_KVM_VM,
	HLK_WHY_OTHER_PROCESS,
	HLK_WHY_NO_NPT,
	HLK_WHY_GPA_ALIGN,
	HLK_WHY_GPA_RANGE,
	HLK_WHY_APIC_PAGE,
	HLK_WHY_OVERLAP,
	HLK_WHY_TOO_MANY_WINDOWS,
	HLK_WHY_TWO_SCRATCH,
	HLK_WHY_WINDOWS_FIXED,
	HLK_WHY_NO_SCRATCH,
	HLK_WHY_NOT_SNAPSHOT,
	HLK_WHY_LAYOUT,
	HLK_WHY_VCPU_COUNT,
	HLK_WHY_VCPU_SIZE,
	HLK_WHY_VCPU_RUNNING,
	HLK_WHY_VCPU_IO,
	HLK_WHY_VCPU_REGS,
	HLK_WHY_VCPU_FPU,
	HLK_WHY_TOO_MANY_VCPUS,
	HLK_WHY_NO_VCPU,
	HLK_WHY_NOT_I686,
	HLK_WHY_NO_SNAPSHOT,
	HLK_WHY_NO_ROOTS,
	HLK_WHY_TOO_MANY_ROOTS,
	HLK_WHY_TOO_MANY_TABLES,
	HLK_WHY_TOO_MANY_PAGES,
	HLK_WHY_ROOT_NOT_RAM,
	HLK_WHY_TABLE_NOT_RAM,
	HLK_WHY_LEAF_NOT_RAM,
	HLK_WHY_PDE_RESERVED,
	HLK_WHY_SNAPSHOT_FULL,
	HLK_WHY_SCRATCH_FULL,
	HLK_WHY_IO_BUFFERS,
	HLK_WHY_SEGMENT,
	HLK_WHY_NOT_PRESENT,
	HLK_WHY_NOT_RAM,
	HLK_WHY_BUDGET,
	HLK_WHY_NOT_VCPU,
	HLK_WHY_INPUT,
	HLK_WHY_IO_URING,
	HLK_WHY_PRIVILEGE,
	HLK_WHY_INSPECT_ONLY,
	HLK_WHY_NESTED,
	HLK_WHY_AUDIT_MEMORY,
	HLK_WHY_AUDIT_VCPU,
	HLK_WHY_READ_ONLY,
	HLK_WHY_ELEMENT_SIZE,
	HLK_WHY_TOO_MANY_SEGMENTS,
	HLK_WHY_NOT_HLK_VM,
	HLK_WHY_TOO_MANY_CALLS,
	HLK_WHY_MAPPINGS,
	HLK_WHY_MEMORY_FAILED,
	HLK_WHY_VCPU_XCR0,
	HLK_WHY_NO_IBPB,
	HLK_WHY_DIRTY_LOG,
	HLK_WHY_AUDIT_MAPPING,
	HLK_WHY_AUDIT_LIST,
	HLK_WHY_LARGE_AS_LEAF,
	HLK_WHY_VCPU_REFUSED,
	HLK_WHY_VCPU_FD,
	HLK_WHY_PDPTRS,
	HLK_WHY_HLT_IN_GUEST,
	HLK_WHY_KVM_PAGES,
	HLK_WHY_PROGRAM_SIZE,
	HLK_WHY_PROGRAM_HEADER,
	HLK_WHY_PROGRAM_ENTRY,
	HLK_WHY_PROGRAM_CMD,
	HLK_WHY_PROGRAM_COMPACT,
	HLK_WHY_PROGRAM_MISSING,
	HLK_WHY_PROGRAM_MAPPING,
	HLK_WHY_PROGRAM_XSAVE,
	HLK_WHY_PROGRAM_CALL,
	HLK_WHY_PROGRAM_MSR,
	HLK_WHY_HALF_RESTORED,
	HLK_WHY_OUTPUT,
	HLK_WHY_TOO_MANY_SOURCES,
	HLK_WHY_SOURCE_FD,
	HLK_WHY_SOURCE_MUTABLE,
	HLK_WHY_TOO_MANY_EXTENTS,
	HLK_WHY_EXTENT_ALIGN,
	HLK_WHY_EXTENT_RANGE,
	HLK_WHY_EXTENT_ORDER,
	HLK_WHY_EXTENT_SOURCE,
	HLK_WHY_EXTENT_FILE,
	HLK_WHY_VCPU_IMAGE,
	HLK_WHY_VCPU_FPU_IMAGE,
	HLK_WHY_TABLES,
	HLK_WHY_TOUCHED,
	HLK_WHY_BASE_READ,
};

/**
 * struct hlk_head - start of every ioctl struct, the same for ever
 * @size: in: size of the whole struct, in bytes
 * @flags: in: flags of the ioctl
 * @why: out: after a failure, one of enum hlk_why; 0 after success
 * @index: out: which array element, vCPU or root @why speaks of
 * @where: out: which address @why speaks of
 */
struct hlk_head {
	__u32 size;
	__u32 flags;
	__u32 why;
	__u32 index;
	__aligned_u64 where;
};

/* ---- the module, VMs and their memory ---- */

/**
 * struct hlk_info - ioctl(HLK_INFO) on /dev/hlk
 * @head: no flags
 * @version: out: HLK_ABI_VERSION
 * @max_windows: out: windows per VM
 * @max_vcpus: out: vCPUs per VM
 * @max_roots: out: page-directory roots per snapshot or walk
 * @max_tables: out: distinct tables per snapshot or walk
 * @max_segments: out: segments of one HLK_SNAPSHOT_BUILD
 * @features: out: HLK_FEATURE_* bits
 * @max_pages: out: pages per snapshot
 * @max_private: out: the largest budget of private pages per VM
 * @live_vms: out: attached VMs in the whole system; as the next two, 0 for a
 *	caller without CAP_SYS_ADMIN in the first user namespace
 * @live_snapshots: out: snapshots in the whole system
 * @live_pages: out: guest pages that the module holds in the whole system
 * @max_inputs: out: inputs of one HLK_RUN
 * @max_input_bytes: out: bytes of them together
 * @max_struct: out: HLK_MAX_STRUCT
 * @vcpu_size: out: what the kernel knows of struct kvm_sync_regs, in bytes
 */
struct hlk_info {
	struct hlk_head head;
	__u32 version;
	__u32 max_windows;
	__u32 max_vcpus;
	__u32 max_roots;
	__u32 max_tables;
	__u32 max_segments;
	__aligned_u64 features;
	__aligned_u64 max_pages;
	__aligned_u64 max_private;
	__aligned_u64 live_vms;
	__aligned_u64 live_snapshots;
	__aligned_u64 live_pages;
	__u32 max_inputs;
	__u32 max_input_bytes;
	__u32 max_struct;
	__u32 vcpu_size;
};

#define HLK_INFO _IO(HLK_IOC_TYPE, HLK_CMD_INFO)

/* features */
#define HLK_FEATURE_FLAT	0x1ULL
#define HLK_FEATURE_COMPACT	0x2ULL
#define HLK_FEATURE_WALK	0x4ULL
#define HLK_FEATURE_MARK_COW	0x8ULL
#define HLK_FEATURE_RUN		0x10ULL
#define HLK_FEATURE_URING	0x20ULL
#define HLK_FEATURE_PREFAULT	0x40ULL
#define HLK_FEATURE_AUDIT	0x80ULL
#define HLK_FEATURE_DEDUP	0x100ULL
#define HLK_FEATURE_INSPECT	0x200ULL
#define HLK_FEATURE_RUN_MANY	0x400ULL
#define HLK_FEATURE_DEADLINE	0x800ULL
#define HLK_FEATURE_PROGRAM	0x1000ULL
#define HLK_FEATURE_LEARN	0x2000ULL
#define HLK_FEATURE_RUN_CALLS	0x4000ULL
#define HLK_FEATURE_TURNS	0x8000ULL
#define HLK_FEATURE_IMPORT	0x10000ULL
#define HLK_FEATURE_READ	0x20000ULL

/* attach flags */
#define HLK_ATTACH_INSPECT	0x1
#define HLK_ATTACH_IBPB		0x2

/**
 * struct hlk_vm_attach - ioctl(HLK_VM_ATTACH) on /dev/hlk
 * @head: HLK_ATTACH_INSPECT: only to translate, walk and read; the VM may then
 *	belong to another process, if the caller has CAP_SYS_PTRACE. HLK_ATTACH_IBPB: each
 *	restore draws an indirect branch prediction barrier on the CPU that each
 *	vCPU ran on last, for VMs whose calls belong to tenants that do not trust
 *	each other; on AMD a vCPU's thread has to stay on one CPU for that
 * @vm_fd: in: fd of a KVM VM that the calling process created
 * @out_fd: out: fd of the hlk VM, close-on-exec
 * @max_private: in: budget of pages that become private from one restore to the
 *	next; 0 takes the module's limit. A write of the guest that would need one
 *	more makes KVM_RUN fail with EFAULT, and @over_budget of struct
 *	hlk_vm_stats counts it, up to three times for each run. What a restore
 *	keeps, and what HLK_PREFAULT makes, does not count
 * @keep_private: in: how many private pages a restore may leave mapped; the
 *	rest is given back. 0, or more than @max_private, keeps as many as that: so
 *	there are never more than @max_private and @keep_private together. The
 *	bookkeeping page of a scratch window that ends at HLK_GUEST_SCRATCH_TOP is
 *	always private and always kept
 *
 * The hlk VM holds the KVM VM. Its fd's address space is the guest-physical
 * one: mmap() at offset gpa maps the window there, MAP_SHARED, to be given to
 * KVM with KVM_SET_USER_MEMORY_REGION at the same gpa.
 *
 * KVM's dirty log and dirty ring do not learn of what hlk writes. So for as long as
 * any memslot has KVM_MEM_LOG_DIRTY_PAGES, snapshots, restores, HLK_MARK_COW and
 * inputs of HLK_RUN fail with EOPNOTSUPP, HLK_WHY_DIRTY_LOG, and change nothing.
 *
 * So they do, HLK_WHY_KVM_PAGES, once KVM has made memory for itself that the guest can
 * write, by KVM_SET_TSS_ADDR or with a vCPU, and for good: where kvm-intel has or
 * uses no unrestricted guests (its parameter unrestricted_guest).
 *
 * A window has at most HLK_MAX_MAPPINGS mappings, and a part of one that is
 * protected otherwise counts as one: mmap(), and what would split a mapping, fail
 * with EMLINK then. A fork after MADV_DOFORK is not refused; but with more than twice
 * as many, pages are neither made private (a write is SIGBUS, or EFAULT) nor given
 * back, and a restore of another snapshot fails with EMLINK.
 */
struct hlk_vm_attach {
	struct hlk_head head;
	__s32 vm_fd;
	__s32 out_fd;
	__aligned_u64 max_private;
	__aligned_u64 keep_private;
};

#define HLK_VM_ATTACH _IO(HLK_IOC_TYPE, HLK_CMD_VM_ATTACH)

#define HLK_MAX_MAPPINGS	128

/* window flags */
#define HLK_WINDOW_READONLY	0x1
#define HLK_WINDOW_SCRATCH	0x2

/**
 * struct hlk_window - a range of guest-physical memory
 * @gpa: where it starts, a multiple of 4 KiB
 * @bytes: its size, a multiple of 4 KiB
 * @flags: HLK_WINDOW_READONLY: cannot be mapped writable, so a write of the
 *	guest is an exit. HLK_WINDOW_SCRATCH: the guest's scratch region, which
 *	compact snapshots rebuild; at most one
 * @__reserved: zero
 * @__reserved2: zero
 */
struct hlk_window {
	__aligned_u64 gpa;
	__aligned_u64 bytes;
	__u32 flags;
	__u32 __reserved;
	__aligned_u64 __reserved2[3];
};

/**
 * struct hlk_window_add - ioctl(HLK_WINDOW_ADD) on an hlk VM
 * @head: no flags
 * @window: in: the range
 *
 * Only before the first restore or snapshot of the VM. The memory is zero.
 */
struct hlk_window_add {
	struct hlk_head head;
	struct hlk_window window;
};

#define HLK_WINDOW_ADD _IO(HLK_IOC_TYPE, HLK_CMD_WINDOW_ADD)

/* ---- snapshots ---- */

/**
 * struct hlk_segment - bytes of an image
 * @gpa: where they go; need not be aligned
 * @bytes: how many
 * @data: user pointer to them
 */
struct hlk_segment {
	__aligned_u64 gpa;
	__aligned_u64 bytes;
	__aligned_u64 data;
};

/* of one state program */
#define HLK_MAX_PROGRAM		0x100000
#define HLK_MAX_PROGRAM_ENTRIES	1024

/* where a snapshot's fd has its program, for mmap() */
#define HLK_PROGRAM_OFFSET	0x80000000000ULL

/* target of an entry: the VM itself */
#define HLK_PROGRAM_VM		0xffffffffU

/* flags of an entry */
#define HLK_PROGRAM_TIME_GOES_ON	0x1
#define HLK_PROGRAM_TIME_BACK		0x2
#define HLK_PROGRAM_FRESH		0x4

/**
 * struct hlk_program_header - start of a snapshot's state program
 * @size: of this struct
 * @entry_size: of struct hlk_program_entry
 * @nr_entries: how many follow this struct, at most HLK_MAX_PROGRAM_ENTRIES
 * @flags: zero
 * @__reserved: zero
 *
 * A state program is the calls of KVM that put back what the module cannot reach
 * itself, with their arguments. It is copied when the snapshot is made, checked
 * then, and as immutable as the snapshot. Each restore makes its calls, in their
 * order, when memory and registers are back and before the guest is entered.
 *
 * KVM takes arguments from user memory alone. So who restores has the program mapped:
 * mmap() of the snapshot's fd at HLK_PROGRAM_OFFSET, MAP_SHARED, PROT_READ, of
 * its size rounded up to pages, and gives the address. Each call looks whether that is
 * what lies there (EFAULT, HLK_WHY_PROGRAM_MAPPING).
 *
 * Calls: of a vCPU KVM_SET_REGS, KVM_SET_SREGS, KVM_SET_SREGS2, KVM_SET_FPU, KVM_SET_XSAVE,
 * KVM_SET_XCRS, KVM_SET_DEBUGREGS, KVM_SET_VCPU_EVENTS, KVM_SET_MP_STATE, KVM_SET_LAPIC,
 * KVM_SET_MSRS, KVM_SET_NESTED_STATE, KVM_SET_TSC_KHZ; of the VM KVM_SET_IRQCHIP,
 * KVM_SET_PIT2, KVM_SET_CLOCK, and KVM_IRQ_LINE, by which a guest is told that it was
 * restored. KVM_GET_MP_STATE of a vCPU is made before all else of a restore, without flags,
 * and its answer is dropped: KVM takes INIT and SIPI that the call before left under way,
 * so that none of them starts a vCPU that waits. KVM_KVMCLOCK_CTRL of a vCPU, behind the
 * KVM_SET_MSRS that gives it a kvmclock, tells its guest that it did not run, so that no
 * watchdog takes the time between for its own. Registers, control registers or events that
 * the program sets do not come by struct kvm_run: KVM has them before the entry. The offset
 * of the TSC needs no call, see struct hlk_restore.
 */
struct hlk_program_header {
	__u32 size;
	__u32 entry_size;
	__u32 nr_entries;
	__u32 flags;
	__aligned_u64 __reserved[2];
};

/**
 * struct hlk_program_entry - one call of a state program
 * @cmd: number of KVM's ioctl
 * @target: number of the vCPU, in the order in which they were made, or HLK_PROGRAM_VM
 * @offset: where the argument is in the program, a multiple of 8, behind the entries
 * @bytes: its size: that of the ioctl's struct. With KVM_SET_MSRS the entries too; with
 *	KVM_SET_XSAVE at least what the vCPU takes (KVM_CAP_XSAVE2); with
 *	KVM_SET_NESTED_STATE at least its @size. KVM_SET_TSC_KHZ and KVM_KVMCLOCK_CTRL:
 *	8, the argument itself, a __u64
 * @flags: HLK_PROGRAM_TIME_GOES_ON: only in restores without HLK_RESTORE_TIME_BACK;
 *	HLK_PROGRAM_TIME_BACK: only in restores with it; HLK_PROGRAM_FRESH: only in
 *	restores without HLK_RESTORE_REPRODUCIBLE
 * @__reserved: zero
 */
struct hlk_program_entry {
	__u32 cmd;
	__u32 target;
	__u32 offset;
	__u32 bytes;
	__u32 flags;
	__u32 __reserved[3];
};

/**
 * struct hlk_snapshot_build - ioctl(HLK_SNAPSHOT_BUILD) on /dev/hlk
 * @head: no flags
 * @nr_windows: in: length of @windows
 * @window_size: in: size of one element of @windows
 * @nr_segments: in: length of @segments
 * @segment_size: in: size of one element of @segments
 * @nr_vcpus: in: length of @vcpus; 0 leaves vCPUs alone at restore
 * @vcpu_size: in: size of one element of @vcpus, that of struct kvm_sync_regs
 * @windows: in: pointer to an array of struct hlk_window
 * @segments: in: pointer to an array of struct hlk_segment; later ones win
 *	where they overlap; what none covers is zero
 * @vcpus: in: pointer to an array of struct kvm_sync_regs (see asm/kvm.h), as
 *	in the @s.regs of struct kvm_run. FPU, debug registers and MP state are
 *	those after reset
 * @out_fd: out: fd of the snapshot, close-on-exec
 * @__reserved: in: zero
 * @program: in: pointer to a state program, see struct hlk_program_header
 * @program_bytes: in: its size, a multiple of 8, at most HLK_MAX_PROGRAM; 0: there
 *	is none
 * @__reserved2: in: zero
 */
struct hlk_snapshot_build {
	struct hlk_head head;
	__u32 nr_windows;
	__u32 window_size;
	__u32 nr_segments;
	__u32 segment_size;
	__u32 nr_vcpus;
	__u32 vcpu_size;
	__aligned_u64 windows;
	__aligned_u64 segments;
	__aligned_u64 vcpus;
	__s32 out_fd;
	__u32 __reserved;
	__aligned_u64 program;
	__u32 program_bytes;
	__u32 __reserved2;
};

#define HLK_SNAPSHOT_BUILD _IO(HLK_IOC_TYPE, HLK_CMD_SNAPSHOT_BUILD)

/**
 * struct hlk_snapshot_counts - what a snapshot holds
 * @pages: pages with bytes of their own or shared, without page tables
 * @copied: of these, pages that were copied
 * @inherited: of these, pages shared with the snapshot that was restored last
 * @zero: mapped pages that are all zero and cost nothing
 * @tables: page-table pages built
 * @tables_read: distinct tables of the guest that were read
 * @aliased: writable pages with several mappings, kept in scratch
 * @large: 4 MiB mappings that were split
 * @leaf_not_ram: leaves that lead outside memory, kept as they are
 * @table_not_ram: directory entries that lead outside memory, now not present
 * @duplicate: pages and tables equal to another one, and kept once with it
 * @tables_kept: of @tables, those that are as in the snapshot that was restored
 *	last, and were not read
 * @residue: HLK_RESIDUE_IRQCHIP, HLK_RESIDUE_MSRS, HLK_RESIDUE_MEMSLOTS: what the
 *	VM has and the snapshot does not hold, see struct hlk_restore
 * @__reserved: zero
 */
struct hlk_snapshot_counts {
	__aligned_u64 pages;
	__aligned_u64 copied;
	__aligned_u64 inherited;
	__aligned_u64 zero;
	__aligned_u64 tables;
	__aligned_u64 tables_read;
	__aligned_u64 aliased;
	__aligned_u64 large;
	__aligned_u64 leaf_not_ram;
	__aligned_u64 table_not_ram;
	__aligned_u64 duplicate;
	__aligned_u64 tables_kept;
	__aligned_u64 residue;
	__aligned_u64 __reserved[11];
};

/* snapshot flags */
#define HLK_SNAPSHOT_COMPACT	0x1
#define HLK_SNAPSHOT_GUEST_ROOTS 0x2
#define HLK_SNAPSHOT_HOST_COW	0x4
#define HLK_SNAPSHOT_STRICT	0x8
#define HLK_SNAPSHOT_DEDUP	0x10

/**
 * struct hlk_snapshot - ioctl(HLK_SNAPSHOT) on an hlk VM
 * @head: flags, see below
 * @out_fd: out: fd of the snapshot, close-on-exec
 * @nr_roots: in: length of @roots; zero without HLK_SNAPSHOT_COMPACT. With it,
 *	zero takes the roots that the guest published if
 *	HLK_SNAPSHOT_GUEST_ROOTS is set, else CR3 of vCPU 0
 * @roots: in: pointer to an array of __u64: guest-physical addresses of page
 *	directories, as in CR3
 * @input_bytes: in: compact: size of the input buffer, at the start of scratch
 * @output_bytes: in: compact: size of the output buffer that follows it
 * @counts: out: what the snapshot holds
 * @program: in: pointer to a state program, see struct hlk_program_header
 * @program_bytes: in: its size, a multiple of 8, at most HLK_MAX_PROGRAM; 0: there
 *	is none
 * @__reserved: in: zero
 *
 * Without HLK_SNAPSHOT_COMPACT each page keeps its guest-physical address.
 * With it, the pages that the roots map are laid out densely from the lowest
 * window on, and new tables in scratch give each root the same virtual
 * layout; see Documentation/design.rst.
 *
 * The guest finds its new roots where it publishes them, in the same order, if
 * they are at most HLK_GUEST_MAX_ROOTS; HLK_SNAPSHOT_INFO gives them in any
 * case. HLK_SNAPSHOT_HOST_COW leaves writable leaves writable: the windows alone
 * copy on write. HLK_SNAPSHOT_STRICT refuses a guest with an entry that leads
 * outside memory.
 *
 * HLK_SNAPSHOT_DEDUP, with either layout, keeps equal pages once. Who shares a
 * page by its content can be told so by timing: not for guests that must not
 * learn of each other.
 *
 * The VM goes on as it was. All vCPUs have to be at rest, with no I/O pending.
 * Registers are those that the next KVM_RUN would start with: what is marked in
 * kvm_dirty_regs of struct kvm_run, and all else from KVM, by the fds of the vCPUs,
 * which the caller must have open.
 */
struct hlk_snapshot {
	struct hlk_head head;
	__s32 out_fd;
	__u32 nr_roots;
	__aligned_u64 roots;
	__u32 input_bytes;
	__u32 output_bytes;
	struct hlk_snapshot_counts counts;
	__aligned_u64 program;
	__u32 program_bytes;
	__u32 __reserved;
};

#define HLK_SNAPSHOT _IO(HLK_IOC_TYPE, HLK_CMD_SNAPSHOT)

/* restore flags */
#define HLK_RESTORE_REPRODUCIBLE	0x1
#define HLK_RESTORE_AUDIT		0x2
#define HLK_RESTORE_TIME_BACK		0x4
#define HLK_RESTORE_LEARN		0x8

/* what a restore could not bring back by itself */
#define HLK_RESIDUE_DEBUGREGS	0x1
#define HLK_RESIDUE_IRQCHIP	0x2
#define HLK_RESIDUE_MSRS	0x4
#define HLK_RESIDUE_TIME	0x8
#define HLK_RESIDUE_MEMSLOTS	0x10

/* ---- restores ---- */

/**
 * struct hlk_restore - ioctl(HLK_RESTORE) on an hlk VM
 * @head: HLK_RESTORE_REPRODUCIBLE: do not write the unique number and the
 *	random seed into the guest's bookkeeping page, and leave out the program's
 *	entries of HLK_PROGRAM_FRESH. HLK_RESTORE_AUDIT: compare
 *	all that the guest can reach with the snapshot afterwards, that is, when the
 *	program was run, but for what that sets; slow.
 *	HLK_RESTORE_TIME_BACK: the TSC reads what it read when the snapshot was taken,
 *	and the program's entries are those of HLK_PROGRAM_TIME_BACK; without it time
 *	goes on. HLK_RESTORE_LEARN: if the snapshot is compact and without
 *	HLK_SNAPSHOT_HOST_COW, what the calls since the last restores copied on write
 *	again and again is left writable in the tables that this restore and those
 *	after it bring back; a restore to another snapshot forgets it. The guest can
 *	see it, so not with HLK_RESTORE_REPRODUCIBLE (EINVAL, HLK_WHY_FLAGS)
 * @snapshot_fd: in: the snapshot, or -1 for the one restored last, which is
 *	the fast way
 * @residue: out: what was not brought back and may not be as in the snapshot, nor
 *	looked at by an audit: HLK_RESIDUE_*, see below
 * @copied: out: private pages copied back
 * @cleared: out: private pages cleared
 * @freed: out: private pages given back
 * @private_pages: out: private pages left
 * @program: in: address at which the snapshot's state program is mapped; 0 if it has
 *	none
 *
 * The registers of each vCPU are put into its struct kvm_run and marked dirty,
 * so KVM loads them at the next KVM_RUN; they override a KVM_SET_REGS made in
 * between. The caller may change them there first. What else it may do between
 * the two, Documentation/restore.rst says call by call.
 *
 * HLK_RESIDUE_DEBUGREGS: DR7 in the hardware is that of another call, until
 * KVM_SET_DEBUGREGS loads what KVM_GET_DEBUGREGS gives; told at each restore until
 * that was done, and always if the snapshot's has breakpoints. HLK_RESIDUE_IRQCHIP:
 * the VM has an interrupt controller in the kernel (KVM_SET_LAPIC,
 * KVM_SET_IRQCHIP). HLK_RESIDUE_MSRS: the guest can change MSRs whatever the VM's MSR
 * filter says: it is in long mode, where SWAPGS does, or has shadow stacks
 * (KVM_SET_MSRS). A VM without a filter is told of by its snapshots' @counts and by
 * HLK_VM_STATS. HLK_RESIDUE_TIME: the TSC is not the one that the snapshot was
 * taken with, and its offset could not be put back: the guest's TSC does not run as
 * the host's does. HLK_RESIDUE_MEMSLOTS: the guest can write memory that lies in no
 * window. What the snapshot's program brings back is not told: HLK_RESIDUE_IRQCHIP if
 * it sets all controllers that the VM has, HLK_RESIDUE_DEBUGREGS if it sets those of each
 * vCPU, HLK_RESIDUE_MSRS if it sets MSRs of each vCPU with KERNEL_GS_BASE among them,
 * which no filter closes, and none has shadow stacks. That all others are among them that
 * the guest can write is up to who made the program.
 *
 * A call of the program that fails ends the restore with KVM's errno and
 * HLK_WHY_PROGRAM_CALL or HLK_WHY_PROGRAM_MSR. Memory and registers are back then, and
 * not all else: until a restore succeeds HLK_RUN_CONTINUE and HLK_SNAPSHOT fail with
 * EINVAL, HLK_WHY_HALF_RESTORED. A vCPU must not run during the call: the program
 * waits for it.
 */
struct hlk_restore {
	struct hlk_head head;
	__s32 snapshot_fd;
	__u32 residue;
	__aligned_u64 copied;
	__aligned_u64 cleared;
	__aligned_u64 freed;
	__aligned_u64 private_pages;
	__aligned_u64 program;
};

#define HLK_RESTORE _IO(HLK_IOC_TYPE, HLK_CMD_RESTORE)

/**
 * enum hlk_audit_reg - what of a vCPU an audit found to differ
 * @HLK_AUDIT_REGS: registers in struct kvm_run
 * @HLK_AUDIT_FPU: the FPU's register image
 * @HLK_AUDIT_MP_STATE: halted or not
 * @HLK_AUDIT_DEBUGREGS: debug registers
 * @HLK_AUDIT_XCR0: XCR0
 * @HLK_AUDIT_PENDING: an I/O, an MMIO or a shutdown is still pending
 * @HLK_AUDIT_TLB: no flush of the guest's TLB is pending
 */
enum hlk_audit_reg {
	HLK_AUDIT_REGS = 1,
	HLK_AUDIT_FPU,
	HLK_AUDIT_MP_STATE,
	HLK_AUDIT_DEBUGREGS,
	HLK_AUDIT_XCR0,
	HLK_AUDIT_PENDING,
	HLK_AUDIT_TLB,
};

/**
 * enum hlk_refused - what of a snapshot's vCPU KVM would refuse
 * @HLK_REFUSED_CR0: CR0
 * @HLK_REFUSED_CR3: CR3
 * @HLK_REFUSED_CR4: CR4
 * @HLK_REFUSED_EFER: EFER, or a 64-bit code segment without it
 * @HLK_REFUSED_APIC_BASE: IA32_APIC_BASE
 * @HLK_REFUSED_EVENTS: events
 * @HLK_REFUSED_MP_STATE: a vCPU that waits, and has no APIC in the kernel
 */
enum hlk_refused {
	HLK_REFUSED_CR0 = 1,
	HLK_REFUSED_CR3,
	HLK_REFUSED_CR4,
	HLK_REFUSED_EFER,
	HLK_REFUSED_APIC_BASE,
	HLK_REFUSED_EVENTS,
	HLK_REFUSED_MP_STATE,
};

/* run flags; those of a restore are valid too, but for HLK_RESTORE_AUDIT */
#define HLK_RUN_CONTINUE	0x10
#define HLK_RUN_REGS		0x20
#define HLK_RUN_SIZED		0x40
#define HLK_RUN_LEAD		0x100
#define HLK_RUN_FOLLOW		0x200

/* what a run has done */
#define HLK_DONE_RESTORED	0x1
#define HLK_DONE_INPUT		0x2
#define HLK_DONE_ENTERED	0x4

#define HLK_MAX_INPUTS		8
#define HLK_MAX_INPUT_BYTES	0x100000

/* a deadline that does not come; but HLK_KICK ends the run */
#define HLK_DEADLINE_NEVER	(~0ULL)

/* of one system call, be it HLK_RUN or HLK_RUN_MANY */
#define HLK_MAX_CALLS		4096

/* ---- runs ---- */

/**
 * struct hlk_run_call - one of the calls of a struct hlk_run
 * @in_gpa: in: where this call's input goes, after those of @inputs
 * @in_bytes: in: how many bytes; 0: none
 * @in: in: user pointer to them
 * @out_gpa: in: the guest's memory that is copied out when it has halted. These pages count
 *	as written by the call
 * @out_bytes: in: how many bytes, at most HLK_MAX_INPUT_BYTES; 0: none
 * @out: in: user pointer to where they go
 * @out_used: out: how many were copied
 * @log_used: out: bytes in @log of struct hlk_run behind this call
 * @residue: out: see struct hlk_restore
 * @__reserved: in: zero
 *
 * What is out is written when the call is done.
 */
struct hlk_run_call {
	__aligned_u64 in_gpa;
	__aligned_u64 in_bytes;
	__aligned_u64 in;
	__aligned_u64 out_gpa;
	__aligned_u64 out_bytes;
	__aligned_u64 out;
	__u32 out_used;
	__u32 log_used;
	__u32 residue;
	__u32 __reserved;
};

/**
 * struct hlk_run - ioctl(HLK_RUN) on an hlk VM: restore, give input, run
 * @head: HLK_RESTORE_REPRODUCIBLE, HLK_RESTORE_TIME_BACK, HLK_RESTORE_LEARN: as in
 *	HLK_RESTORE. HLK_RUN_CONTINUE: do not restore; go on after an exit or a signal.
 *	HLK_RUN_REGS: @regs is given. HLK_RUN_SIZED: the first eight bytes of an output
 *	of @calls say how many bytes of it there are, these included. HLK_RUN_LEAD: begins
 *	a turn, in which other vCPUs run too. HLK_RUN_FOLLOW, with HLK_RUN_CONTINUE and no
 *	input or registers: waits for the next turn, and runs then. Neither with @calls
 * @vcpu_fd: in: the vCPU that runs, an fd of KVM_CREATE_VCPU
 * @done: out: HLK_DONE_* bits, also when the call fails
 * @inputs: in: pointer to an array of struct hlk_segment: bytes that are written
 *	to guest memory after the restore. They must lie in windows
 * @nr_inputs: in: length of @inputs, at most HLK_MAX_INPUTS, with at most
 *	HLK_MAX_INPUT_BYTES together
 * @input_size: in: size of one element of @inputs
 * @regs: in: with HLK_RUN_REGS: pointer to a struct kvm_regs that the vCPU
 *	starts with instead of the snapshot's
 * @log: in: pointer to a buffer for what the guest writes to @log_port
 * @log_size: in: size of @log; 0 takes no port
 * @log_used: out: bytes in @log
 * @log_port: in: an OUT of one byte to this port goes to @log and the guest goes
 *	on; when @log is full, it is an exit like any other
 * @exit_reason: out: that of struct kvm_run
 * @entries: out: how often KVM_RUN was entered
 * @residue: out: see struct hlk_restore
 * @copied: out: private pages copied back
 * @cleared: out: private pages cleared
 * @freed: out: private pages given back
 * @private_pages: out: private pages left by the restore
 * @timeout_ns: in: if not 0, the guest has to be out so many nanoseconds from the
 *	begin of the call on; @deadline_ns is not read then
 * @deadline_ns: in: when the guest has to be out, in nanoseconds of
 *	CLOCK_MONOTONIC (of the first time namespace), or HLK_DEADLINE_NEVER; 0:
 *	there is no deadline, and HLK_KICK does not end the run. out: the deadline,
 *	also if it was given as @timeout_ns: with that 0, the next call with
 *	HLK_RUN_CONTINUE is held to the same
 * @program: in: see struct hlk_restore; not read with HLK_RUN_CONTINUE
 * @calls: in: pointer to an array of struct hlk_run_call
 * @nr_calls: in: length of @calls, at most HLK_MAX_CALLS; 0: one call, as without
 * @call_size: in: size of one element of @calls
 * @calls_done: out: how many of them are done, from the first one on
 * @__reserved: in: zero
 * @call_timeout_ns: in: if not 0, each of @calls has so much time, and no more than is
 *	left until the deadline of all
 * @call_deadline_ns: out: with @call_timeout_ns, the deadline of the call that was begun
 *	last; given as @deadline_ns it holds HLK_RUN_CONTINUE to it
 * @turn: in: with HLK_RUN_FOLLOW: the turn in which the vCPU ran last, 0 for none.
 *	out: the turn that it ran in, or as given if it did not run; with
 *	HLK_RUN_LEAD the turn that it began, or 0 if it began none; else 0
 *
 * The restore is that of HLK_RESTORE to the snapshot restored last; but segment and
 * control registers that the call before did not change are not loaded anew: on AMD's
 * processors without an APIC in the kernel always, on others with KVM_SYNC_X86_SREGS in
 * kvm_valid_regs. Signals
 * and immediate_exit end it as they end KVM_RUN, with EINTR; the restore
 * has been done then (see @done), so go on with HLK_RUN_CONTINUE. The guest's
 * exit is in struct kvm_run, as always.
 *
 * With HLK_RESIDUE_DEBUGREGS in @residue the guest ran with the debug registers
 * of the call before still in the hardware: throw the run away, restore, set
 * them, and enter with HLK_RUN_CONTINUE.
 *
 * At its deadline the guest is stopped where it is, as by a signal, and the call
 * fails with ETIMEDOUT. No signal is sent, and one that comes at that time gets
 * its handler all the same. What comes before the guest is not cut short (it is
 * bounded); when that took until the deadline, the guest is not entered. With a
 * deadline a vCPU has one thread at a time: for another one HLK_RUN fails with
 * EBUSY, HLK_WHY_VCPU_RUNNING. It waits for one that is in KVM_RUN without.
 *
 * With @calls, calls are made one after the other, each with a restore before it, its input
 * and what is the same for all. A call is done when the guest has halted (KVM_EXIT_HLT)
 * and its output was copied; the element says so, and @calls_done. The first thing that
 * user space has to see ends it all: another exit, a failure, a signal or immediate_exit
 * (also between two calls), a deadline, HLK_KICK, an output of more bytes than its element
 * has room for, or HLK_RESIDUE_DEBUGREGS of a restore, for which the guest is not
 * entered. All else in the struct is then of the call number @calls_done, as without
 * @calls: @done says how far that one came, and the guest is as it left it. 0 with
 * @calls_done below @nr_calls is such an end, too. Go on with HLK_RUN_CONTINUE until that
 * call is over, then with the rest of the array.
 *
 * For a VM of several vCPUs each has a thread in HLK_RUN. All but one follow: they
 * wait in the kernel until that one leads a turn, which is when the restore and the input
 * are done, and enter their guests then, with nothing in between. A turn that was
 * led is not missed: who comes later and names an older one does not wait. What keeps
 * the leader from its restore begins no turn and wakes nobody; but where it left the
 * VM in no state followers fail with EINVAL, HLK_WHY_HALF_RESTORED, in a turn of its own.
 * Followers wait and run until @deadline_ns; without one it is as with HLK_DEADLINE_NEVER, so
 * HLK_KICK ends their waiting too, and so do signals and immediate_exit. Before the
 * next restore all vCPUs have to be out of KVM_RUN: set their immediate_exit, and kick
 * them. And the calls of all who follow have to have returned: one whose turn has come may
 * not have entered its guest yet, and would enter it after that restore, ahead of its
 * leader. @timeout_ns counts the waiting as well.
 */
struct hlk_run {
	struct hlk_head head;
	__s32 vcpu_fd;
	__u32 done;
	__aligned_u64 inputs;
	__u32 nr_inputs;
	__u32 input_size;
	__aligned_u64 regs;
	__aligned_u64 log;
	__u32 log_size;
	__u32 log_used;
	__u32 log_port;
	__u32 exit_reason;
	__u32 entries;
	__u32 residue;
	__aligned_u64 copied;
	__aligned_u64 cleared;
	__aligned_u64 freed;
	__aligned_u64 private_pages;
	__aligned_u64 timeout_ns;
	__aligned_u64 deadline_ns;
	__aligned_u64 program;
	__aligned_u64 calls;
	__u32 nr_calls;
	__u32 call_size;
	__u32 calls_done;
	__u32 __reserved;
	__aligned_u64 call_timeout_ns;
	__aligned_u64 call_deadline_ns;
	__aligned_u64 turn;
};

#define HLK_RUN _IO(HLK_IOC_TYPE, HLK_CMD_RUN)

/* kick flags */
#define HLK_KICK_ALL		0x1

/**
 * struct hlk_kick - ioctl(HLK_KICK) on an hlk VM: end a run that is under way
 * @head: HLK_KICK_ALL: those of all vCPUs; @vcpu is 0 then
 * @vcpu: in: number of the vCPU, in the order in which they were made
 * @kicked: out: how many were in an HLK_RUN with a deadline, which fails with
 *	EINTR now unless the guest had come out by itself
 *
 * Waits for nothing and sends no signal. What is not under way is not kept in mind:
 * set immediate_exit of struct kvm_run first, so that a run that begins
 * meanwhile ends as well. An HLK_RUN with @calls and @call_timeout_ns is under way from
 * its first call to its last, between two of them too.
 */
struct hlk_kick {
	struct hlk_head head;
	__u32 vcpu;
	__u32 kicked;
};

#define HLK_KICK _IO(HLK_IOC_TYPE, HLK_CMD_KICK)

/**
 * struct hlk_many_call - one HLK_RUN of many
 * @vm_fd: in: the hlk VM
 * @__reserved: in: zero
 * @run: in: pointer to its struct hlk_run, which is read when its turn comes and
 *	written as by HLK_RUN
 * @ret: out: what HLK_RUN returned: 0 or a negative errno; ECANCELED if it was
 *	not begun
 * @why: out: one of enum hlk_why where @ret speaks of this struct. Where it
 *	speaks of @run, its head says why
 */
struct hlk_many_call {
	__s32 vm_fd;
	__u32 __reserved;
	__aligned_u64 run;
	__s32 ret;
	__u32 why;
};

/* flags */
#define HLK_RUN_MANY_STOP	0x1

/**
 * struct hlk_run_many - ioctl(HLK_RUN_MANY) on /dev/hlk: many HLK_RUN, in turn
 * @head: HLK_RUN_MANY_STOP: the first that fails is the last that is begun
 * @calls: in: pointer to an array of struct hlk_many_call
 * @nr_calls: in: length of @calls, at most HLK_MAX_CALLS
 * @call_size: in: size of one element of @calls
 * @nr_done: out: how many were begun; these are the first of @calls
 * @__reserved: in: zero
 *
 * Each is what HLK_RUN on its VM would be, for this task, one after the other,
 * and one that fails does not keep the others from their turn. The call returns
 * 0 when as many were begun as should be, whatever came of them: their @ret says
 * that. A signal that is not blocked ends the guest that runs, as it ends
 * HLK_RUN, and then the call, with EINTR; so at least one was begun, and the
 * rest is a call of its own. EFAULT: element @index cannot be read or
 * written; it was begun if @nr_done says so.
 */
struct hlk_run_many {
	struct hlk_head head;
	__aligned_u64 calls;
	__u32 nr_calls;
	__u32 call_size;
	__u32 nr_done;
	__u32 __reserved;
};

#define HLK_RUN_MANY _IO(HLK_IOC_TYPE, HLK_CMD_RUN_MANY)

/**
 * struct hlk_uring - the command area of an io_uring SQE (IORING_OP_URING_CMD)
 * @arg: pointer to the struct that the ioctl takes
 * @__reserved: zero
 *
 * On an hlk VM's fd; cmd_op is HLK_RESTORE. The struct is written as by the
 * ioctl, and cqe->res is 0 or the negative errno. It is done inline if it need
 * not wait and the task is not in the middle of KVM_RUN, else by a worker;
 * IOSQE_ASYNC asks for a worker at once, so that several cores restore.
 *
 * HLK_RUN is refused, EOPNOTSUPP with HLK_WHY_IO_URING, and all else is ENOTTY.
 * A guest may run for ever, and io_uring issues commands under its ring's lock;
 * and it issues them from task work, which KVM does in the middle of KVM_RUN.
 */
struct hlk_uring {
	__aligned_u64 arg;
	__aligned_u64 __reserved;
};

/* kinds of a run of touched pages */
#define HLK_TOUCHED_WRITE	0x1

/* ---- what calls touch ---- */

/**
 * struct hlk_touched - a run of pages that calls touch
 * @gpa: where it starts
 * @pages: its length in 4 KiB pages
 * @flags: HLK_TOUCHED_WRITE: written, so private; else read
 * @__reserved: zero
 */
struct hlk_touched {
	__aligned_u64 gpa;
	__aligned_u64 pages;
	__u32 flags;
	__u32 __reserved;
};

/**
 * struct hlk_prefault - ioctl(HLK_PREFAULT) on an hlk VM
 * @head: no flags
 * @runs: in: pointer to an array of struct hlk_touched
 * @nr_runs: in: length of @runs. out: how many there are
 * @run_size: in: size of one element of @runs
 * @made: out: pages that this call made private
 *
 * What sandboxes that run from one snapshot touch is remembered in the snapshot.
 * For a new sandbox this makes private what they write, as far as its budget
 * and its watermark allow, and says what they touch, by address, so that
 * user space can populate its mapping (MADV_POPULATE_WRITE, MADV_POPULATE_READ)
 * and the VM's nested page tables (KVM_PRE_FAULT_MEMORY, from Linux 6.11).
 * EMSGSIZE when @runs is too short; what fits was written and the pages are
 * private.
 */
struct hlk_prefault {
	struct hlk_head head;
	__aligned_u64 runs;
	__u32 nr_runs;
	__u32 run_size;
	__aligned_u64 made;
};

#define HLK_PREFAULT _IO(HLK_IOC_TYPE, HLK_CMD_PREFAULT)

/* paging modes */
#define HLK_PAGING_GIVEN	0x1
#define HLK_PAGING_WP		0x2	/* CR0.WP */
#define HLK_PAGING_PSE		0x4	/* CR4.PSE */
#define HLK_PAGING_PAE		0x8	/* CR4.PAE */
#define HLK_PAGING_LONG		0x10	/* EFER.LMA */
#define HLK_PAGING_LA57		0x20	/* CR4.LA57 */
#define HLK_PAGING_NXE		0x40	/* EFER.NXE */
#define HLK_PAGING_SMEP		0x80	/* CR4.SMEP */
#define HLK_PAGING_SMAP		0x100	/* CR4.SMAP */
#define HLK_PAGING_PKE		0x200	/* CR4.PKE */
#define HLK_PAGING_PKS		0x400	/* CR4.PKS */
#define HLK_PAGING_PDPTRS	0x800	/* @pdpte, not what memory has */
#define HLK_PAGING_NO_1G	0x1000	/* there are no pages of 1 GiB */
#define HLK_PAGING_AMD		0x2000	/* bit 8 of PML4 and PML5 entries is reserved */

/* formats of page tables */
#define HLK_FORMAT_32BIT	1	/* 2 levels, entries of 32 bits */
#define HLK_FORMAT_PAE		2	/* 3 levels; the highest has 4 entries */
#define HLK_FORMAT_4LEVEL	3
#define HLK_FORMAT_5LEVEL	4

/* ---- page tables and memory ---- */

/**
 * struct hlk_paging - how the guest's tables are to be read
 * @flags: in: 0 takes the modes from the registers of vCPU 0, which must be in
 *	its kvm_run. HLK_PAGING_GIVEN takes them from here. HLK_PAGING_PAE,
 *	HLK_PAGING_LONG and HLK_PAGING_LA57 say which format the tables have; without
 *	them it is that of 32 bits
 * @maxphyaddr: in: with HLK_PAGING_GIVEN: physical-address bits, 32 to 52; 0 is 52.
 *	With tables of 32 bits at most 40, which 0 is then: the most that PSE-36 can
 *	express
 * @pkru: in: with HLK_PAGING_PKE: the register PKRU, keys of pages for users
 * @pkrs: in: with HLK_PAGING_PKS: the register PKRS, keys of other pages
 * @pdpte: in: with HLK_PAGING_PDPTRS: the four page directory pointers of PAE paging as
 *	the processor holds them, which KVM_GET_SREGS2 knows. There may be one root then.
 *	Without they are read from memory, as AMD's processors do with nested paging; and
 *	with @flags 0 they are those that KVM has at hand on Intel's
 * @__reserved: in: zero
 */
struct hlk_paging {
	__u32 flags;
	__u32 maxphyaddr;
	__u32 pkru;
	__u32 pkrs;
	__aligned_u64 pdpte[4];
	__aligned_u64 __reserved[2];
};

/* levels of tables, at most */
#define HLK_PAGING_LEVELS	5

/* effective rights and kind of a mapping */
#define HLK_MAP_WRITE		0x1	/* by a supervisor, with CR0.WP */
#define HLK_MAP_USER		0x2
#define HLK_MAP_COW		0x4	/* AVL bit 9 of the leaf */
#define HLK_MAP_LARGE		0x8	/* one entry for more than 4 KiB */
#define HLK_MAP_NOT_RAM		0x10	/* the page is not in memory */
#define HLK_MAP_ALIAS		0x20	/* a table that was met before */
#define HLK_MAP_TABLE_NOT_RAM	0x40	/* the table is not in memory */
#define HLK_MAP_SUPER_WRITE	0x80	/* writable because CR0.WP is clear */
#define HLK_MAP_NX		0x100	/* not to be executed: XD of an entry */
#define HLK_MAP_SUPER_NX	0x200	/* not by a supervisor: SMEP */
#define HLK_MAP_SUPER_AC	0x400	/* data of users: a supervisor needs EFLAGS.AC */
#define HLK_MAP_KEY_NO_ACCESS	0x800	/* its protection key denies data accesses */
#define HLK_MAP_KEY_NO_WRITE	0x1000	/* and writes, a supervisor's with CR0.WP */
#define HLK_MAP_RESERVED	0x2000	/* an entry has reserved bits set: all faults */

/* root: take CR3 of vCPU 0 */
#define HLK_ROOT_CR3		(~0ULL)

/**
 * struct hlk_translate - ioctl(HLK_TRANSLATE) on an hlk VM
 * @head: no flags
 * @paging: in: how to read the tables
 * @root: in: guest-physical address of the highest table, as in CR3 (PCID and other
 *	flags do not matter), or HLK_ROOT_CR3
 * @va: in: virtual address; below 4 GiB, or of 64 bits and canonical
 * @gpa: out: guest-physical address
 * @entry: out: the entries on the way, also when the walk ends there: of the
 *	table at 0, of the directory at 1, and so on up; 0 if there is none. Entries of
 *	32 bits are extended by zeroes
 * @map: out: HLK_MAP_* bits
 * @page_shift: out: what one entry maps: 12 or 22; 21 or 30
 * @format: out: HLK_FORMAT_*
 * @__reserved: out: zero
 *
 * Accessed and dirty bits are not set. ENXIO with HLK_WHY_NOT_PRESENT or
 * ENODEV with HLK_WHY_NOT_RAM tell where the walk ended; @entry is
 * written then too. A page that is not memory is no error here: @map says
 * HLK_MAP_NOT_RAM.
 */
struct hlk_translate {
	struct hlk_head head;
	struct hlk_paging paging;
	__aligned_u64 root;
	__aligned_u64 va;
	__aligned_u64 gpa;
	__aligned_u64 entry[HLK_PAGING_LEVELS];
	__u32 map;
	__u32 page_shift;
	__u32 format;
	__u32 __reserved;
};

#define HLK_TRANSLATE _IO(HLK_IOC_TYPE, HLK_CMD_TRANSLATE)

/**
 * struct hlk_mapping - a run of pages with equal rights and attributes
 * @va: first virtual address
 * @gpa: first guest-physical address; for HLK_MAP_ALIAS and
 *	HLK_MAP_TABLE_NOT_RAM, that of the table
 * @pages: length in 4 KiB pages
 * @attributes: bits 3 to 11 of the leaf, as bits 3 to 11: PWT, PCD, A, D, PAT, G
 *	and AVL (for a large leaf PAT is moved to bit 7); and bits 52 to 63 of a leaf of 64
 *	bits: AVL, the protection key at 59 to 62, XD
 * @root: index of the root
 * @map: HLK_MAP_* bits; WRITE and USER are the effective rights
 * @alias_va: for HLK_MAP_ALIAS: the address at which the table was met first
 * @alias_root: for HLK_MAP_ALIAS: index of the root in which it was
 * @page_shift: size of the pages: 12; for HLK_MAP_LARGE 22, or 21 or 30; 0 for
 *	HLK_MAP_ALIAS, HLK_MAP_TABLE_NOT_RAM and HLK_MAP_RESERVED
 */
struct hlk_mapping {
	__aligned_u64 va;
	__aligned_u64 gpa;
	__aligned_u64 pages;
	__aligned_u64 attributes;
	__u32 root;
	__u32 map;
	__aligned_u64 alias_va;
	__u32 alias_root;
	__u32 page_shift;
};

/**
 * struct hlk_walk - ioctl(HLK_WALK) on an hlk VM
 * @head: no flags
 * @paging: in: how to read the tables
 * @roots: in: pointer to an array of __u64; 0 takes CR3 of vCPU 0
 * @mappings: in: pointer to an array of struct hlk_mapping
 * @nr_roots: in: length of @roots
 * @nr_mappings: in: length of @mappings. out: how many were written
 * @mapping_size: in: size of one element of @mappings
 * @__reserved: in: zero
 * @start: in: first virtual address
 * @end: in: first virtual address not to be walked; 0 is the end of the address space.
 *	Both may lie in the gap of what is canonical
 * @cursor: in: 0 to begin, or what the last call left. out: where to go on; 0
 *	when the walk is done. A number that means something to the module alone;
 *	stable as long as the guest is stopped
 * @tables_read: out: distinct tables read in this call
 * @format: out: HLK_FORMAT_*
 * @__reserved2: out: zero
 *
 * Roots are walked in order. A table that was met before at the same level, in any
 * root, is reported once for each further slot, as one HLK_MAP_ALIAS mapping. An entry
 * with reserved bits is one HLK_MAP_RESERVED mapping of what it would lead to; but it
 * ends the walk of tables of 32 bits, EINVAL with HLK_WHY_PDE_RESERVED.
 */
struct hlk_walk {
	struct hlk_head head;
	struct hlk_paging paging;
	__aligned_u64 roots;
	__aligned_u64 mappings;
	__u32 nr_roots;
	__u32 nr_mappings;
	__u32 mapping_size;
	__u32 __reserved;
	__aligned_u64 start;
	__aligned_u64 end;
	__aligned_u64 cursor;
	__aligned_u64 tables_read;
	__u32 format;
	__u32 __reserved2;
};

#define HLK_WALK _IO(HLK_IOC_TYPE, HLK_CMD_WALK)

/**
 * struct hlk_mark_cow - ioctl(HLK_MARK_COW) on an hlk VM
 * @head: no flags
 * @paging: in: how to read the tables
 * @roots: in: pointer to an array of __u64; 0 takes CR3 of vCPU 0
 * @nr_roots: in: length of @roots
 * @__reserved: in: zero
 * @start: in: first virtual address
 * @end: in: first virtual address not to be marked; 0 is the end of the address space
 * @marked: out: leaves that were writable and are copy-on-write now; a large page's
 *	entry is one leaf
 * @already: out: leaves that were copy-on-write before
 * @read_only: out: leaves that are read-only and stay so
 * @live: out: writable leaves that map a page table or a directory, left alone
 * @not_ram: out: writable leaves that lead outside memory, left alone
 * @tables: out: distinct tables and directories read
 *
 * Marks in place: a leaf that is writable becomes read-only with the CoW bit, 9 in
 * every format; all else stays. A leaf in a table that several slots or roots share is marked
 * and counted once. All vCPUs must be at rest, and their TLBs are flushed
 * before they run again. A call that fails has changed no entry.
 */
struct hlk_mark_cow {
	struct hlk_head head;
	struct hlk_paging paging;
	__aligned_u64 roots;
	__u32 nr_roots;
	__u32 __reserved;
	__aligned_u64 start;
	__aligned_u64 end;
	__aligned_u64 marked;
	__aligned_u64 already;
	__aligned_u64 read_only;
	__aligned_u64 live;
	__aligned_u64 not_ram;
	__aligned_u64 tables;
};

#define HLK_MARK_COW _IO(HLK_IOC_TYPE, HLK_CMD_MARK_COW)

/**
 * struct hlk_read - ioctl(HLK_READ) on an hlk VM
 * @head: no flags
 * @gpa: in: first guest-physical address
 * @bytes: in: how many
 * @data: in: pointer to where they go
 * @done: out: how many were read; all of them if the call succeeds
 *
 * A call that fails says in @done how far it came: ENODEV with HLK_WHY_NOT_RAM where no
 * memory follows, or none that can be had; EIO with HLK_WHY_BASE_READ; EHWPOISON with
 * HLK_WHY_MEMORY_FAILED. EFAULT is @data's. What is read is there afterwards, as if its
 * process had read it. The guest may run, and write what is read meanwhile.
 */
struct hlk_read {
	struct hlk_head head;
	__aligned_u64 gpa;
	__aligned_u64 bytes;
	__aligned_u64 data;
	__aligned_u64 done;
};

#define HLK_READ _IO(HLK_IOC_TYPE, HLK_CMD_READ)

/* ---- what is told of VMs and snapshots ---- */

/**
 * struct hlk_vm_stats - ioctl(HLK_VM_STATS) on an hlk VM
 * @head: no flags
 * @private_pages: out: private pages now
 * @max_private: out: the budget
 * @read_faults: out: shared pages mapped
 * @write_faults: out: private pages made
 * @over_budget: out: writes refused because the budget of a call was used up
 * @restores: out: restores that succeeded
 * @switches: out: of these, to another snapshot than the one before
 * @pages_copied: out: private pages copied back, in all restores
 * @pages_cleared: out: private pages cleared, in all restores
 * @pages_freed: out: private pages given back, in all restores
 * @unique: out: the number that the last restore gave the guest
 * @generation: out: the generation of the snapshot restored last
 * @pages_idle: out: of @pages_freed, those that calls did not write any more
 * @prefaulted: out: pages made private by HLK_PREFAULT
 * @runs: out: times that HLK_RUN entered the guest
 * @audits: out: restores with HLK_RESTORE_AUDIT. The rest is of the last one, as
 *	far as it came:
 * @audit_mapped: out: pages that the process's mappings of windows show; each was
 *	looked at, once for each mapping
 * @audit_absent: out: pages of these mappings that show nothing until somebody
 *	asks for them
 * @audit_beside: out: pages of memslots that are no window. They are not looked at,
 *	and not restored
 * @audit_elsewhere: out: mappings of windows in other processes, as after
 *	MADV_DOFORK, which are not looked at
 * @residue: out: HLK_RESIDUE_IRQCHIP, HLK_RESIDUE_MSRS if the VM has no MSR filter,
 *	HLK_RESIDUE_MEMSLOTS: what no restore brings back, whatever the guest does,
 *	and no audit looks at
 * @kept: out: of @restores, those after which KVM had not to load segment and control
 *	registers, since the call before had not changed them
 * @learned: out: leaves that restores leave writable, by HLK_RESTORE_LEARN
 * @unread: out: times that a guest, or who touched its memory, was refused a base page
 *	that could not be read from its file: KVM_RUN failed with EFAULT, up to three times
 *	for each run
 * @unread_gpa: out: guest-physical address of the last one
 */
struct hlk_vm_stats {
	struct hlk_head head;
	__aligned_u64 private_pages;
	__aligned_u64 max_private;
	__aligned_u64 read_faults;
	__aligned_u64 write_faults;
	__aligned_u64 over_budget;
	__aligned_u64 restores;
	__aligned_u64 switches;
	__aligned_u64 pages_copied;
	__aligned_u64 pages_cleared;
	__aligned_u64 pages_freed;
	__aligned_u64 unique;
	__aligned_u64 generation;
	__aligned_u64 pages_idle;
	__aligned_u64 prefaulted;
	__aligned_u64 runs;
	__aligned_u64 audits;
	__aligned_u64 audit_mapped;
	__aligned_u64 audit_absent;
	__aligned_u64 audit_beside;
	__aligned_u64 audit_elsewhere;
	__aligned_u64 residue;
	__aligned_u64 kept;
	__aligned_u64 learned;
	__aligned_u64 unread;
	__aligned_u64 unread_gpa;
};

#define HLK_VM_STATS _IO(HLK_IOC_TYPE, HLK_CMD_VM_STATS)

/**
 * struct hlk_snapshot_info - ioctl(HLK_SNAPSHOT_INFO) on a snapshot
 * @head: no flags
 * @flags: out: the HLK_SNAPSHOT_* flags it was made with
 * @nr_vcpus: out: vCPUs in it
 * @generation: out: snapshots on the path from an image to this one
 * @windows: in: pointer to an array of struct hlk_window
 * @roots: in: pointer to an array of __u64, for the new addresses of the roots
 *	in the order in which they were given
 * @nr_windows: in: length of @windows. out: windows in the snapshot
 * @window_size: in: size of one element of @windows
 * @nr_roots: in: length of @roots. out: roots in the snapshot
 * @__reserved: in: zero
 * @first_free: out: compact: guest-physical address of the first free page of
 *	scratch
 * @input_bytes: out: compact: size of the input buffer
 * @output_bytes: out: compact: size of the output buffer
 * @counts: out: what it holds
 * @program_bytes: out: size of its state program, or 0
 * @__reserved2: out: zero
 * @id: out: its number, which no other snapshot has until the module is loaded anew
 * @parent_id: out: that of the snapshot that it was made over, which may be gone; 0 if
 *	it is from an image or from an import without a parent
 * @file_pages: out: of its pages, those that are of files
 * @file_read: out: pages of its files that were read so far and are held, for it and for
 *	those that have the files from it or it from them
 *
 * EMSGSIZE when an array is too short; all else is written then too. The
 * pages can be seen by mmap(), read-only, at the offset of their
 * guest-physical address, and the state program at HLK_PROGRAM_OFFSET.
 */
struct hlk_snapshot_info {
	struct hlk_head head;
	__u32 flags;
	__u32 nr_vcpus;
	__aligned_u64 generation;
	__aligned_u64 windows;
	__aligned_u64 roots;
	__u32 nr_windows;
	__u32 window_size;
	__u32 nr_roots;
	__u32 __reserved;
	__aligned_u64 first_free;
	__u32 input_bytes;
	__u32 output_bytes;
	struct hlk_snapshot_counts counts;
	__u32 program_bytes;
	__u32 __reserved2;
	__aligned_u64 id;
	__aligned_u64 parent_id;
	__aligned_u64 file_pages;
	__aligned_u64 file_read;
};

#define HLK_SNAPSHOT_INFO _IO(HLK_IOC_TYPE, HLK_CMD_SNAPSHOT_INFO)

/* flags of a vCPU's image */
#define HLK_VCPU_TSC		0x1
#define HLK_VCPU_FPU		0x2

#define HLK_MAX_FPU		0x10000

/* ---- snapshots that travel ---- */

/**
 * struct hlk_vcpu_image - a vCPU of a snapshot, out of it and into another one
 * @regs: user pointer to a struct kvm_sync_regs (see asm/kvm.h)
 * @fpu: user pointer to the FPU's image
 * @regs_bytes: in: size of what @regs leads to, at least that of the first struct
 *	kvm_sync_regs. What the kernel knows beyond that is zero on import, and left out
 *	on export
 * @fpu_bytes: size of what @fpu leads to. Export, in: room. out: size of the image; if that
 *	is more than the room, no byte of it was written. At most HLK_MAX_FPU
 * @flags: HLK_VCPU_TSC: @tsc is known. HLK_VCPU_FPU: there is an image; without it the
 *	FPU is that after reset, and @fpu_bytes is 0
 * @mp_state: KVM_MP_STATE_RUNNABLE, KVM_MP_STATE_UNINITIALIZED, KVM_MP_STATE_INIT_RECEIVED,
 *	KVM_MP_STATE_HALTED or KVM_MP_STATE_AP_RESET_HOLD
 * @ext_vector: the vector that a VMM with a PIC of its own gave by KVM_INTERRUPT, and
 *	that was not delivered yet; -1: none
 * @pkru: protection keys of user pages
 * @tsc: what the guest's TSC read when the snapshot was taken. Of one that was imported it
 *	is taken to have read so at the import: from then on time goes on
 * @db: DR0 to DR3
 * @dr6: DR6
 * @dr7: DR7
 * @xcr0: XCR0
 * @xfd: IA32_XFD
 * @xsave_bytes: what CPUID says that XSAVE takes with @xcr0, plain and compacted; 0: CPUID
 *	stays as it is
 * @__reserved: zero
 *
 * The image is what the host's XSAVE has made, or FXSAVE if it has no XSAVE: the first 512
 * bytes are those of FXSAVE, then come XSTATE_BV and XCOMP_BV. A VM takes one of the size
 * and with the XCOMP_BV that its own has, else restores fail with EMEDIUMTYPE,
 * HLK_WHY_VCPU_FPU. Who moves between hosts that differ in that leaves the FPU to a
 * state program (KVM_SET_XSAVE), and imports without an image.
 */
struct hlk_vcpu_image {
	__aligned_u64 regs;
	__aligned_u64 fpu;
	__u32 regs_bytes;
	__u32 fpu_bytes;
	__u32 flags;
	__u32 mp_state;
	__s32 ext_vector;
	__u32 pkru;
	__aligned_u64 tsc;
	__aligned_u64 db[4];
	__aligned_u64 dr6;
	__aligned_u64 dr7;
	__aligned_u64 xcr0;
	__aligned_u64 xfd;
	__u32 xsave_bytes[2];
	__aligned_u64 __reserved[2];
};

/* a table of a compact snapshot: entries from this one on map scratch; a directory */
#define HLK_TABLE_END		0xfff
#define HLK_TABLE_ROOT		0x1000

/**
 * struct hlk_snapshot_export - ioctl(HLK_SNAPSHOT_EXPORT) on a snapshot: all but its pages
 * @head: no flags
 * @vcpus: in: pointer to an array of struct hlk_vcpu_image, of which the pointers, sizes and
 *	rooms are read. out: the vCPUs
 * @nr_vcpus: in: length of @vcpus. out: vCPUs in the snapshot
 * @vcpu_size: in: size of one element of @vcpus
 * @tables: in: pointer to an array of __u32. out: compact: for each page from @tables_gpa on
 *	the HLK_TABLE_* of the page table in it
 * @tables_gpa: out: compact: where the tables are
 * @nr_tables: in: length of @tables. out: how many there are
 * @touched_size: in: size of one element of @touched
 * @touched: in: pointer to an array of struct hlk_touched. out: what guests that run from the
 *	snapshot touched so far, in order: its hot set
 * @nr_touched: in: length of @touched. out: how many runs there are now
 * @__reserved: in: zero
 *
 * EMSGSIZE when an array, or the room for an FPU, is too short; all else is written then
 * too. With arrays of no length it says how much is needed. Layout, roots and flags:
 * HLK_SNAPSHOT_INFO; pages: HLK_SNAPSHOT_PAGES; state program: mmap() at HLK_PROGRAM_OFFSET.
 */
struct hlk_snapshot_export {
	struct hlk_head head;
	__aligned_u64 vcpus;
	__u32 nr_vcpus;
	__u32 vcpu_size;
	__aligned_u64 tables;
	__aligned_u64 tables_gpa;
	__u32 nr_tables;
	__u32 touched_size;
	__aligned_u64 touched;
	__u32 nr_touched;
	__u32 __reserved;
};

#define HLK_SNAPSHOT_EXPORT _IO(HLK_IOC_TYPE, HLK_CMD_SNAPSHOT_EXPORT)

/* sources of an extent that are no file */
#define HLK_EXTENT_ZERO		0xffffffffU
#define HLK_EXTENT_MEMORY	0xfffffffeU

/**
 * struct hlk_extent - pages in a row of a snapshot
 * @gpa: where they begin, a multiple of 4 KiB
 * @bytes: how many bytes, a multiple of 4 KiB; all in one window
 * @offset: where they begin in the file, a multiple of 4 KiB; 0 if they are of none
 * @source: number of the file. HLK_EXTENT_ZERO: they are zero, whatever the parent has.
 *	HLK_EXTENT_MEMORY, out: they are in the snapshot's own memory
 * @leaves: compact: how many leaves map each of them; 65,535 is that many or more. Else 0
 */
struct hlk_extent {
	__aligned_u64 gpa;
	__aligned_u64 bytes;
	__aligned_u64 offset;
	__u32 source;
	__u32 leaves;
};

/**
 * struct hlk_snapshot_pages - ioctl(HLK_SNAPSHOT_PAGES) on a snapshot: which it has
 * @head: no flags
 * @other_fd: in: a snapshot with the same windows to compare with, or -1
 * @__reserved: in: zero
 * @extents: in: pointer to an array of struct hlk_extent. out: what the snapshot has, in order
 * @nr_extents: in: length of @extents, at least 1. out: how many were written
 * @extent_size: in: size of one element of @extents
 * @cursor: in: 0 to begin, or what the last call left. out: where to go on; 0 when there
 *	are no more. A number that means something to the module alone; good for as long as
 *	the snapshot lives, for snapshots never change
 *
 * What no extent has is zero and mapped by no leaf, or, with @other_fd, as in that
 * snapshot: the same page or the same one of a file. Pages that are only equal are
 * not found out here. So with what has been read by mmap() of the snapshot's fd, at the
 * offset of their guest-physical address, extents are those that make
 * HLK_SNAPSHOT_IMPORT make the same snapshot again.
 *
 * Nothing is read of a file for it. Sources are numbered as they were given, those of the
 * parent of an import first.
 */
struct hlk_snapshot_pages {
	struct hlk_head head;
	__s32 other_fd;
	__u32 __reserved;
	__aligned_u64 extents;
	__u32 nr_extents;
	__u32 extent_size;
	__aligned_u64 cursor;
};

#define HLK_SNAPSHOT_PAGES _IO(HLK_IOC_TYPE, HLK_CMD_SNAPSHOT_PAGES)

/* files of one snapshot, those that it has from its parent among them */
#define HLK_MAX_SOURCES		1024

/**
 * struct hlk_source - a file with pages
 * @fd: open to be read. A regular file that has fs-verity, or a memfd with
 *	F_SEAL_WRITE and F_SEAL_SHRINK. It may be closed after the call
 * @__reserved: zero
 */
struct hlk_source {
	__s32 fd;
	__u32 __reserved;
};

/**
 * struct hlk_snapshot_import - ioctl(HLK_SNAPSHOT_IMPORT) on /dev/hlk: a snapshot from files
 * @head: no flags
 * @flags: in: the HLK_SNAPSHOT_* flags that it says of itself
 * @parent_fd: in: a snapshot with the same windows that has what @extents leave out, or -1:
 *	that is zero
 * @windows: in: pointer to an array of struct hlk_window
 * @sources: in: pointer to an array of struct hlk_source
 * @extents: in: pointer to an array of struct hlk_extent, in order of their addresses and
 *	without overlap. Those of a file name it by its place in @sources
 * @vcpus: in: pointer to an array of struct hlk_vcpu_image
 * @touched: in: pointer to an array of struct hlk_touched: a hot set, for HLK_PREFAULT
 * @program: in: pointer to a state program, see struct hlk_program_header
 * @roots: in: compact: pointer to an array of __u64, see struct hlk_snapshot_info
 * @tables: in: compact: pointer to an array of __u32, see struct hlk_snapshot_export
 * @tables_gpa: in: compact: where the tables are, in scratch
 * @first_free: in: compact: see struct hlk_snapshot_info
 * @generation: in: see there; 0: that of the parent and 1
 * @nr_windows: in: length of @windows
 * @window_size: in: size of one element of @windows
 * @nr_sources: in: length of @sources
 * @source_size: in: size of one element of @sources
 * @nr_extents: in: length of @extents, at most @max_segments of struct hlk_info
 * @extent_size: in: size of one element of @extents
 * @nr_vcpus: in: length of @vcpus; 0 leaves vCPUs alone at restore
 * @vcpu_size: in: size of one element of @vcpus
 * @nr_touched: in: length of @touched
 * @touched_size: in: size of one element of @touched
 * @program_bytes: in: size of @program, 0 if there is none
 * @nr_roots: in: length of @roots
 * @nr_tables: in: length of @tables
 * @input_bytes: in: compact: size of the input buffer
 * @output_bytes: in: compact: size of the output buffer
 * @out_fd: out: fd of the snapshot, close-on-exec
 * @counts: in: what it says of itself
 *
 * No page is read: that is done when it is touched first, by a guest, by a restore that
 * copies it, or by who looks. From then on it is held until the last snapshot that has
 * it is gone. It is the file's page in the page cache, so all who use the file share
 * it; Documentation/design.rst says who pays. A page that cannot be read then is a
 * refusal: KVM_RUN fails with EFAULT, and @unread of struct hlk_vm_stats counts it; a
 * thread of user space has SIGBUS; an ioctl fails with EIO, HLK_WHY_BASE_READ.
 *
 * Only files that nobody can change are taken, which the kernel enforces
 * (ETXTBSY, HLK_WHY_SOURCE_MUTABLE). They are not parsed.
 *
 * A compact snapshot that was imported is one to restore, to learn from, and to make
 * snapshots over. A compact one made over it reads all of the guest's tables.
 */
struct hlk_snapshot_import {
	struct hlk_head head;
	__u32 flags;
	__s32 parent_fd;
	__aligned_u64 windows;
	__aligned_u64 sources;
	__aligned_u64 extents;
	__aligned_u64 vcpus;
	__aligned_u64 touched;
	__aligned_u64 program;
	__aligned_u64 roots;
	__aligned_u64 tables;
	__aligned_u64 tables_gpa;
	__aligned_u64 first_free;
	__aligned_u64 generation;
	__u32 nr_windows;
	__u32 window_size;
	__u32 nr_sources;
	__u32 source_size;
	__u32 nr_extents;
	__u32 extent_size;
	__u32 nr_vcpus;
	__u32 vcpu_size;
	__u32 nr_touched;
	__u32 touched_size;
	__u32 program_bytes;
	__u32 nr_roots;
	__u32 nr_tables;
	__u32 input_bytes;
	__u32 output_bytes;
	__s32 out_fd;
	struct hlk_snapshot_counts counts;
};

#define HLK_SNAPSHOT_IMPORT _IO(HLK_IOC_TYPE, HLK_CMD_SNAPSHOT_IMPORT)

#endif /* _UAPI_LINUX_HLK_H */
