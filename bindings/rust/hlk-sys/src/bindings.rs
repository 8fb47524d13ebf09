// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
//! Made by bindings/generate.py of hlk.h, linux/hlk.h and linux/hlk_guest.h

use std::os::raw::{c_char, c_int, c_uint, c_void};

macro_rules! zeroed {
    ($name:ident) => {
        impl Default for $name {
            /// All of it is zero, which each of these structs takes for "nothing of that".
            fn default() -> Self {
                // SAFETY: integers, arrays of these, and pointers that may be null
                unsafe { std::mem::zeroed() }
            }
        }
    };
}

pub const HLK_VERSION_MAJOR: u32 = 0x0;
pub const HLK_VERSION_MINOR: u32 = 0x1;
pub const HLK_VERSION_PATCH: u32 = 0x0;
pub const HLK_VERSION: u32 = 0x100;
pub const HLK_ERR_TEXT: u32 = 0x70;
pub const HLK_CONFIG_NO_PREFAULT: u32 = 0x1;
pub const HLK_CONFIG_TIME_BACK: u32 = 0x2;
pub const HLK_CONFIG_LEARN: u32 = 0x4;
pub const HLK_CONFIG_REPRODUCIBLE: u32 = 0x8;
pub const HLK_MAX_FILES: u32 = 0x20;
pub const HLK_MAX_LABEL: u32 = 0x3f;
pub const HLK_TIMEOUT_NONE: u32 = 0x0;
pub const HLK_TIMEOUT_KICK: u64 = 0xffffffffffffffff;
pub const HLK_CALLS_MOST: u32 = 0x40;
pub const HLK_SNAP_FLAT: u32 = 0x1;
pub const HLK_SNAP_HOST_COW: u32 = 0x2;
pub const HLK_SNAP_STRICT: u32 = 0x4;
pub const HLK_SNAP_CR3: u32 = 0x8;
pub const HLK_SNAP_DEDUP: u32 = 0x10;
pub const HLK_SAVE_COMPRESS: u32 = 0x1;
pub const HLK_SAVE_NO_HOT_SET: u32 = 0x2;
pub const HLK_SAVED_DIGEST: u32 = 0x48;
pub const HLK_LOAD_VERIFY: u32 = 0x1;
pub const HLK_LOAD_NO_HOT_SET: u32 = 0x2;
pub const HLK_EXIT_WRITE: u32 = 0x1;
pub const HLK_EXIT_HAS_FAULT: u32 = 0x2;
pub const HLK_EXIT_REGS_LOST: u32 = 0x4;
pub const HLK_BATCH_MAX: u32 = 0x1000;
pub const HLK_BATCH_ASYNC: u32 = 0x1;
pub const HLK_POOL_MAX: u32 = 0x1000;
pub const HLK_POOL_BUCKETS: u32 = 0x28;
pub const HLK_POOL_METRICS_SIZE: u32 = 0x10000;
pub const HLK_KERNEL_MAX_MODULES: u32 = 0x40;
pub const HLK_ACCESS_WRITE: u32 = 0x1;
pub const HLK_ACCESS_MEMORY: u32 = 0x2;
pub const HLK_MACHINE_IRQS: u32 = 0x18;
pub const HLK_MACHINE_MAX_STATE: u32 = 0x4000;
pub const HLK_MACHINE_NO_IRQCHIP: u32 = 0x1;
pub const HLK_MACHINE_NO_ACPI: u32 = 0x2;
pub const HLK_MACHINE_REPRODUCIBLE: u32 = 0x4;
pub const HLK_MACHINE_RESTORE: u32 = 0x1;
pub const HLK_MACHINE_TIME_BACK: u32 = 0x2;
pub const HLK_MACHINE_PRINT: u32 = 0x4;
pub const HLK_MACHINE_PORT: u32 = 0x8;
pub const HLK_MACHINE_ADDR: u32 = 0x10;
pub const HLK_MACHINE_IDLE: u32 = 0x20;
pub const HLK_MACHINE_DEBUG: u32 = 0x40;
pub const HLK_MACHINE_ONE: u32 = 0x80;
pub const HLK_IOC_TYPE: u32 = 0xe9;
pub const HLK_ABI_VERSION: u32 = 0x2;
pub const HLK_MAX_STRUCT: u32 = 0x1000;
pub const HLK_INFO: u32 = 0xe900;
pub const HLK_FEATURE_FLAT: u32 = 0x1;
pub const HLK_FEATURE_COMPACT: u32 = 0x2;
pub const HLK_FEATURE_WALK: u32 = 0x4;
pub const HLK_FEATURE_MARK_COW: u32 = 0x8;
pub const HLK_FEATURE_RUN: u32 = 0x10;
pub const HLK_FEATURE_URING: u32 = 0x20;
pub const HLK_FEATURE_PREFAULT: u32 = 0x40;
pub const HLK_FEATURE_AUDIT: u32 = 0x80;
pub const HLK_FEATURE_DEDUP: u32 = 0x100;
pub const HLK_FEATURE_INSPECT: u32 = 0x200;
pub const HLK_FEATURE_RUN_MANY: u32 = 0x400;
pub const HLK_FEATURE_DEADLINE: u32 = 0x800;
pub const HLK_FEATURE_PROGRAM: u32 = 0x1000;
pub const HLK_FEATURE_LEARN: u32 = 0x2000;
pub const HLK_FEATURE_RUN_CALLS: u32 = 0x4000;
pub const HLK_FEATURE_TURNS: u32 = 0x8000;
pub const HLK_FEATURE_IMPORT: u32 = 0x10000;
pub const HLK_FEATURE_READ: u32 = 0x20000;
pub const HLK_ATTACH_INSPECT: u32 = 0x1;
pub const HLK_ATTACH_IBPB: u32 = 0x2;
pub const HLK_VM_ATTACH: u32 = 0xe901;
pub const HLK_MAX_MAPPINGS: u32 = 0x80;
pub const HLK_WINDOW_READONLY: u32 = 0x1;
pub const HLK_WINDOW_SCRATCH: u32 = 0x2;
pub const HLK_WINDOW_ADD: u32 = 0xe920;
pub const HLK_MAX_PROGRAM: u32 = 0x100000;
pub const HLK_MAX_PROGRAM_ENTRIES: u32 = 0x400;
pub const HLK_PROGRAM_OFFSET: u64 = 0x80000000000;
pub const HLK_PROGRAM_VM: u32 = 0xffffffff;
pub const HLK_PROGRAM_TIME_GOES_ON: u32 = 0x1;
pub const HLK_PROGRAM_TIME_BACK: u32 = 0x2;
pub const HLK_PROGRAM_FRESH: u32 = 0x4;
pub const HLK_SNAPSHOT_BUILD: u32 = 0xe902;
pub const HLK_SNAPSHOT_COMPACT: u32 = 0x1;
pub const HLK_SNAPSHOT_GUEST_ROOTS: u32 = 0x2;
pub const HLK_SNAPSHOT_HOST_COW: u32 = 0x4;
pub const HLK_SNAPSHOT_STRICT: u32 = 0x8;
pub const HLK_SNAPSHOT_DEDUP: u32 = 0x10;
pub const HLK_SNAPSHOT: u32 = 0xe921;
pub const HLK_RESTORE_REPRODUCIBLE: u32 = 0x1;
pub const HLK_RESTORE_AUDIT: u32 = 0x2;
pub const HLK_RESTORE_TIME_BACK: u32 = 0x4;
pub const HLK_RESTORE_LEARN: u32 = 0x8;
pub const HLK_RESIDUE_DEBUGREGS: u32 = 0x1;
pub const HLK_RESIDUE_IRQCHIP: u32 = 0x2;
pub const HLK_RESIDUE_MSRS: u32 = 0x4;
pub const HLK_RESIDUE_TIME: u32 = 0x8;
pub const HLK_RESIDUE_MEMSLOTS: u32 = 0x10;
pub const HLK_RESTORE: u32 = 0xe922;
pub const HLK_RUN_CONTINUE: u32 = 0x10;
pub const HLK_RUN_REGS: u32 = 0x20;
pub const HLK_RUN_SIZED: u32 = 0x40;
pub const HLK_RUN_LEAD: u32 = 0x100;
pub const HLK_RUN_FOLLOW: u32 = 0x200;
pub const HLK_DONE_RESTORED: u32 = 0x1;
pub const HLK_DONE_INPUT: u32 = 0x2;
pub const HLK_DONE_ENTERED: u32 = 0x4;
pub const HLK_MAX_INPUTS: u32 = 0x8;
pub const HLK_MAX_INPUT_BYTES: u32 = 0x100000;
pub const HLK_DEADLINE_NEVER: u64 = 0xffffffffffffffff;
pub const HLK_MAX_CALLS: u32 = 0x1000;
pub const HLK_RUN: u32 = 0xe927;
pub const HLK_KICK_ALL: u32 = 0x1;
pub const HLK_KICK: u32 = 0xe929;
pub const HLK_RUN_MANY_STOP: u32 = 0x1;
pub const HLK_RUN_MANY: u32 = 0xe903;
pub const HLK_TOUCHED_WRITE: u32 = 0x1;
pub const HLK_PREFAULT: u32 = 0xe928;
pub const HLK_PAGING_GIVEN: u32 = 0x1;
pub const HLK_PAGING_WP: u32 = 0x2;
pub const HLK_PAGING_PSE: u32 = 0x4;
pub const HLK_PAGING_PAE: u32 = 0x8;
pub const HLK_PAGING_LONG: u32 = 0x10;
pub const HLK_PAGING_LA57: u32 = 0x20;
pub const HLK_PAGING_NXE: u32 = 0x40;
pub const HLK_PAGING_SMEP: u32 = 0x80;
pub const HLK_PAGING_SMAP: u32 = 0x100;
pub const HLK_PAGING_PKE: u32 = 0x200;
pub const HLK_PAGING_PKS: u32 = 0x400;
pub const HLK_PAGING_PDPTRS: u32 = 0x800;
pub const HLK_PAGING_NO_1G: u32 = 0x1000;
pub const HLK_PAGING_AMD: u32 = 0x2000;
pub const HLK_FORMAT_32BIT: u32 = 0x1;
pub const HLK_FORMAT_PAE: u32 = 0x2;
pub const HLK_FORMAT_4LEVEL: u32 = 0x3;
pub const HLK_FORMAT_5LEVEL: u32 = 0x4;
pub const HLK_PAGING_LEVELS: u32 = 0x5;
pub const HLK_MAP_WRITE: u32 = 0x1;
pub const HLK_MAP_USER: u32 = 0x2;
pub const HLK_MAP_COW: u32 = 0x4;
pub const HLK_MAP_LARGE: u32 = 0x8;
pub const HLK_MAP_NOT_RAM: u32 = 0x10;
pub const HLK_MAP_ALIAS: u32 = 0x20;
pub const HLK_MAP_TABLE_NOT_RAM: u32 = 0x40;
pub const HLK_MAP_SUPER_WRITE: u32 = 0x80;
pub const HLK_MAP_NX: u32 = 0x100;
pub const HLK_MAP_SUPER_NX: u32 = 0x200;
pub const HLK_MAP_SUPER_AC: u32 = 0x400;
pub const HLK_MAP_KEY_NO_ACCESS: u32 = 0x800;
pub const HLK_MAP_KEY_NO_WRITE: u32 = 0x1000;
pub const HLK_MAP_RESERVED: u32 = 0x2000;
pub const HLK_ROOT_CR3: u64 = 0xffffffffffffffff;
pub const HLK_TRANSLATE: u32 = 0xe923;
pub const HLK_WALK: u32 = 0xe924;
pub const HLK_MARK_COW: u32 = 0xe926;
pub const HLK_READ: u32 = 0xe92a;
pub const HLK_VM_STATS: u32 = 0xe925;
pub const HLK_SNAPSHOT_INFO: u32 = 0xe940;
pub const HLK_VCPU_TSC: u32 = 0x1;
pub const HLK_VCPU_FPU: u32 = 0x2;
pub const HLK_MAX_FPU: u32 = 0x10000;
pub const HLK_TABLE_END: u32 = 0xfff;
pub const HLK_TABLE_ROOT: u32 = 0x1000;
pub const HLK_SNAPSHOT_EXPORT: u32 = 0xe941;
pub const HLK_EXTENT_ZERO: u32 = 0xffffffff;
pub const HLK_EXTENT_MEMORY: u32 = 0xfffffffe;
pub const HLK_SNAPSHOT_PAGES: u32 = 0xe942;
pub const HLK_MAX_SOURCES: u32 = 0x400;
pub const HLK_SNAPSHOT_IMPORT: u32 = 0xe904;
pub const HLK_GUEST_PAGE_SIZE: u32 = 0x1000;
pub const HLK_GUEST_MEM_BASE: u32 = 0x1000;
pub const HLK_GUEST_SCRATCH_TOP: u32 = 0xfee00000;
pub const HLK_GUEST_SCRATCH_SIZE: u32 = 0x48000;
pub const HLK_GUEST_BUFFER_SIZE: u32 = 0x4000;
pub const HLK_GUEST_BUFFER_MIN: u32 = 0x2000;
pub const HLK_GUEST_SCRATCH_EXTRA: u32 = 0xc000;
pub const HLK_GUEST_SCRATCH_DELTA: u32 = 0x1200000;
pub const HLK_GUEST_OFF_SIZE: u32 = 0x8;
pub const HLK_GUEST_OFF_ALLOC: u32 = 0x10;
pub const HLK_GUEST_OFF_PT_BASE: u32 = 0x18;
pub const HLK_GUEST_OFF_GENERATION: u32 = 0x20;
pub const HLK_GUEST_OFF_UNIQUE: u32 = 0x28;
pub const HLK_GUEST_OFF_SEED: u32 = 0x50;
pub const HLK_GUEST_SEED_SIZE: u32 = 0x20;
pub const HLK_GUEST_OFF_COUNTER: u32 = 0x1008;
pub const HLK_GUEST_OFF_ROOTS: u32 = 0x2000;
pub const HLK_GUEST_MAX_ROOTS: u32 = 0x1fe;
pub const HLK_GUEST_OFF_EXN_STACK: u32 = 0x2000;
pub const HLK_GUEST_EXN_STACK_SIZE: u32 = 0x4000;
pub const HLK_GUEST_OFF_GUARD: u32 = 0x7000;
pub const HLK_GUEST_OFF_ALLOC_END: u32 = 0x7000;
pub const HLK_GUEST_PTE_COW: u32 = 0x200;
pub const HLK_GUEST_BUFFER_EMPTY: u32 = 0x8;
pub const HLK_GUEST_PORT_LOG: u32 = 0x63;
pub const HLK_GUEST_PORT_CALL: u32 = 0x65;
pub const HLK_GUEST_PORT_ABORT: u32 = 0x66;
pub const HLK_GUEST_PORT_PUTC: u32 = 0x67;
pub const HLK_GUEST_PORT_PRINT: u32 = 0x68;
pub const HLK_GUEST_PORT_AGENT: u32 = 0x69;
pub const HLK_GUEST_ABORT_TRAP: u32 = 0x100;
pub const HLK_GUEST_ABORT_SCRATCH: u32 = 0x200;
pub const HLK_GUEST_ABORT_PROTOCOL: u32 = 0x201;
pub const HLK_GUEST_CS: u32 = 0x8;
pub const HLK_GUEST_DS: u32 = 0x10;
pub const HLK_GUEST_CR0: u32 = 0x80010011;
pub const HLK_GUEST_CALL_MAGIC: u32 = 0x4c4c4143;
pub const HLK_GUEST_RET_MAGIC: u32 = 0x21544552;
pub const HLK_GUEST_FILES: u32 = 0x0;
pub const HLK_GUEST_TRAP_MAGIC: u32 = 0x50415254;
pub const HLK_GUEST_AGENT_MAX_RUNS: u32 = 0x40;
pub const HLK_GUEST_AGENT_MAX_PAGES: u32 = 0x400;
pub const HLK_GUEST_AGENT_MAGIC: u32 = 0x544e4741;
pub const HLK_GUEST_AGENT_VERSION: u32 = 0x1;
pub const HLK_GUEST_AGENT_ANSWER: u32 = 0x0;

#[repr(C)]
pub struct kvm_regs {
    _private: [u8; 0],
}

#[repr(C)]
pub struct kvm_sregs {
    _private: [u8; 0],
}

pub const HLK_CMD_INFO: c_uint = 0;
pub const HLK_CMD_VM_ATTACH: c_uint = 1;
pub const HLK_CMD_SNAPSHOT_BUILD: c_uint = 2;
pub const HLK_CMD_RUN_MANY: c_uint = 3;
pub const HLK_CMD_SNAPSHOT_IMPORT: c_uint = 4;
pub const HLK_CMD_WINDOW_ADD: c_uint = 32;
pub const HLK_CMD_SNAPSHOT: c_uint = 33;
pub const HLK_CMD_RESTORE: c_uint = 34;
pub const HLK_CMD_TRANSLATE: c_uint = 35;
pub const HLK_CMD_WALK: c_uint = 36;
pub const HLK_CMD_VM_STATS: c_uint = 37;
pub const HLK_CMD_MARK_COW: c_uint = 38;
pub const HLK_CMD_RUN: c_uint = 39;
pub const HLK_CMD_PREFAULT: c_uint = 40;
pub const HLK_CMD_KICK: c_uint = 41;
pub const HLK_CMD_READ: c_uint = 42;
pub const HLK_CMD_SNAPSHOT_INFO: c_uint = 64;
pub const HLK_CMD_SNAPSHOT_EXPORT: c_uint = 65;
pub const HLK_CMD_SNAPSHOT_PAGES: c_uint = 66;

pub const HLK_WHY_NONE: c_uint = 0;
pub const HLK_WHY_SIZE: c_uint = 1;
pub const HLK_WHY_TAIL: c_uint = 2;
pub const HLK_WHY_FLAGS: c_uint = 3;
pub const HLK_WHY_RESERVED: c_uint = 4;
pub const HLK_WHY_NOT_KVM_VM: c_uint = 5;
pub const HLK_WHY_OTHER_PROCESS: c_uint = 6;
pub const HLK_WHY_NO_NPT: c_uint = 7;
pub const HLK_WHY_GPA_ALIGN: c_uint = 8;
pub const HLK_WHY_GPA_RANGE: c_uint = 9;
pub const HLK_WHY_APIC_PAGE: c_uint = 10;
pub const HLK_WHY_OVERLAP: c_uint = 11;
pub const HLK_WHY_TOO_MANY_WINDOWS: c_uint = 12;
pub const HLK_WHY_TWO_SCRATCH: c_uint = 13;
pub const HLK_WHY_WINDOWS_FIXED: c_uint = 14;
pub const HLK_WHY_NO_SCRATCH: c_uint = 15;
pub const HLK_WHY_NOT_SNAPSHOT: c_uint = 16;
pub const HLK_WHY_LAYOUT: c_uint = 17;
pub const HLK_WHY_VCPU_COUNT: c_uint = 18;
pub const HLK_WHY_VCPU_SIZE: c_uint = 19;
pub const HLK_WHY_VCPU_RUNNING: c_uint = 20;
pub const HLK_WHY_VCPU_IO: c_uint = 21;
pub const HLK_WHY_VCPU_REGS: c_uint = 22;
pub const HLK_WHY_VCPU_FPU: c_uint = 23;
pub const HLK_WHY_TOO_MANY_VCPUS: c_uint = 24;
pub const HLK_WHY_NO_VCPU: c_uint = 25;
pub const HLK_WHY_NOT_I686: c_uint = 26;
pub const HLK_WHY_NO_SNAPSHOT: c_uint = 27;
pub const HLK_WHY_NO_ROOTS: c_uint = 28;
pub const HLK_WHY_TOO_MANY_ROOTS: c_uint = 29;
pub const HLK_WHY_TOO_MANY_TABLES: c_uint = 30;
pub const HLK_WHY_TOO_MANY_PAGES: c_uint = 31;
pub const HLK_WHY_ROOT_NOT_RAM: c_uint = 32;
pub const HLK_WHY_TABLE_NOT_RAM: c_uint = 33;
pub const HLK_WHY_LEAF_NOT_RAM: c_uint = 34;
pub const HLK_WHY_PDE_RESERVED: c_uint = 35;
pub const HLK_WHY_SNAPSHOT_FULL: c_uint = 36;
pub const HLK_WHY_SCRATCH_FULL: c_uint = 37;
pub const HLK_WHY_IO_BUFFERS: c_uint = 38;
pub const HLK_WHY_SEGMENT: c_uint = 39;
pub const HLK_WHY_NOT_PRESENT: c_uint = 40;
pub const HLK_WHY_NOT_RAM: c_uint = 41;
pub const HLK_WHY_BUDGET: c_uint = 42;
pub const HLK_WHY_NOT_VCPU: c_uint = 43;
pub const HLK_WHY_INPUT: c_uint = 44;
pub const HLK_WHY_IO_URING: c_uint = 45;
pub const HLK_WHY_PRIVILEGE: c_uint = 46;
pub const HLK_WHY_INSPECT_ONLY: c_uint = 47;
pub const HLK_WHY_NESTED: c_uint = 48;
pub const HLK_WHY_AUDIT_MEMORY: c_uint = 49;
pub const HLK_WHY_AUDIT_VCPU: c_uint = 50;
pub const HLK_WHY_READ_ONLY: c_uint = 51;
pub const HLK_WHY_ELEMENT_SIZE: c_uint = 52;
pub const HLK_WHY_TOO_MANY_SEGMENTS: c_uint = 53;
pub const HLK_WHY_NOT_HLK_VM: c_uint = 54;
pub const HLK_WHY_TOO_MANY_CALLS: c_uint = 55;
pub const HLK_WHY_MAPPINGS: c_uint = 56;
pub const HLK_WHY_MEMORY_FAILED: c_uint = 57;
pub const HLK_WHY_VCPU_XCR0: c_uint = 58;
pub const HLK_WHY_NO_IBPB: c_uint = 59;
pub const HLK_WHY_DIRTY_LOG: c_uint = 60;
pub const HLK_WHY_AUDIT_MAPPING: c_uint = 61;
pub const HLK_WHY_AUDIT_LIST: c_uint = 62;
pub const HLK_WHY_LARGE_AS_LEAF: c_uint = 63;
pub const HLK_WHY_VCPU_REFUSED: c_uint = 64;
pub const HLK_WHY_VCPU_FD: c_uint = 65;
pub const HLK_WHY_PDPTRS: c_uint = 66;
pub const HLK_WHY_HLT_IN_GUEST: c_uint = 67;
pub const HLK_WHY_KVM_PAGES: c_uint = 68;
pub const HLK_WHY_PROGRAM_SIZE: c_uint = 69;
pub const HLK_WHY_PROGRAM_HEADER: c_uint = 70;
pub const HLK_WHY_PROGRAM_ENTRY: c_uint = 71;
pub const HLK_WHY_PROGRAM_CMD: c_uint = 72;
pub const HLK_WHY_PROGRAM_COMPACT: c_uint = 73;
pub const HLK_WHY_PROGRAM_MISSING: c_uint = 74;
pub const HLK_WHY_PROGRAM_MAPPING: c_uint = 75;
pub const HLK_WHY_PROGRAM_XSAVE: c_uint = 76;
pub const HLK_WHY_PROGRAM_CALL: c_uint = 77;
pub const HLK_WHY_PROGRAM_MSR: c_uint = 78;
pub const HLK_WHY_HALF_RESTORED: c_uint = 79;
pub const HLK_WHY_OUTPUT: c_uint = 80;
pub const HLK_WHY_TOO_MANY_SOURCES: c_uint = 81;
pub const HLK_WHY_SOURCE_FD: c_uint = 82;
pub const HLK_WHY_SOURCE_MUTABLE: c_uint = 83;
pub const HLK_WHY_TOO_MANY_EXTENTS: c_uint = 84;
pub const HLK_WHY_EXTENT_ALIGN: c_uint = 85;
pub const HLK_WHY_EXTENT_RANGE: c_uint = 86;
pub const HLK_WHY_EXTENT_ORDER: c_uint = 87;
pub const HLK_WHY_EXTENT_SOURCE: c_uint = 88;
pub const HLK_WHY_EXTENT_FILE: c_uint = 89;
pub const HLK_WHY_VCPU_IMAGE: c_uint = 90;
pub const HLK_WHY_VCPU_FPU_IMAGE: c_uint = 91;
pub const HLK_WHY_TABLES: c_uint = 92;
pub const HLK_WHY_TOUCHED: c_uint = 93;
pub const HLK_WHY_BASE_READ: c_uint = 94;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_head {
    pub size: u32,
    pub flags: u32,
    pub why: u32,
    pub index: u32,
    pub r#where: u64,
}
zeroed!(hlk_head);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_info {
    pub head: hlk_head,
    pub version: u32,
    pub max_windows: u32,
    pub max_vcpus: u32,
    pub max_roots: u32,
    pub max_tables: u32,
    pub max_segments: u32,
    pub features: u64,
    pub max_pages: u64,
    pub max_private: u64,
    pub live_vms: u64,
    pub live_snapshots: u64,
    pub live_pages: u64,
    pub max_inputs: u32,
    pub max_input_bytes: u32,
    pub max_struct: u32,
    pub vcpu_size: u32,
}
zeroed!(hlk_info);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_vm_attach {
    pub head: hlk_head,
    pub vm_fd: i32,
    pub out_fd: i32,
    pub max_private: u64,
    pub keep_private: u64,
}
zeroed!(hlk_vm_attach);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_window {
    pub gpa: u64,
    pub bytes: u64,
    pub flags: u32,
    pub __reserved: u32,
    pub __reserved2: [u64; 3],
}
zeroed!(hlk_window);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_window_add {
    pub head: hlk_head,
    pub window: hlk_window,
}
zeroed!(hlk_window_add);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_segment {
    pub gpa: u64,
    pub bytes: u64,
    pub data: u64,
}
zeroed!(hlk_segment);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_program_header {
    pub size: u32,
    pub entry_size: u32,
    pub nr_entries: u32,
    pub flags: u32,
    pub __reserved: [u64; 2],
}
zeroed!(hlk_program_header);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_program_entry {
    pub cmd: u32,
    pub target: u32,
    pub offset: u32,
    pub bytes: u32,
    pub flags: u32,
    pub __reserved: [u32; 3],
}
zeroed!(hlk_program_entry);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_snapshot_build {
    pub head: hlk_head,
    pub nr_windows: u32,
    pub window_size: u32,
    pub nr_segments: u32,
    pub segment_size: u32,
    pub nr_vcpus: u32,
    pub vcpu_size: u32,
    pub windows: u64,
    pub segments: u64,
    pub vcpus: u64,
    pub out_fd: i32,
    pub __reserved: u32,
    pub program: u64,
    pub program_bytes: u32,
    pub __reserved2: u32,
}
zeroed!(hlk_snapshot_build);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_snapshot_counts {
    pub pages: u64,
    pub copied: u64,
    pub inherited: u64,
    pub zero: u64,
    pub tables: u64,
    pub tables_read: u64,
    pub aliased: u64,
    pub large: u64,
    pub leaf_not_ram: u64,
    pub table_not_ram: u64,
    pub duplicate: u64,
    pub tables_kept: u64,
    pub residue: u64,
    pub __reserved: [u64; 11],
}
zeroed!(hlk_snapshot_counts);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_snapshot {
    pub head: hlk_head,
    pub out_fd: i32,
    pub nr_roots: u32,
    pub roots: u64,
    pub input_bytes: u32,
    pub output_bytes: u32,
    pub counts: hlk_snapshot_counts,
    pub program: u64,
    pub program_bytes: u32,
    pub __reserved: u32,
}
zeroed!(hlk_snapshot);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_restore {
    pub head: hlk_head,
    pub snapshot_fd: i32,
    pub residue: u32,
    pub copied: u64,
    pub cleared: u64,
    pub freed: u64,
    pub private_pages: u64,
    pub program: u64,
}
zeroed!(hlk_restore);

pub const HLK_AUDIT_REGS: c_uint = 1;
pub const HLK_AUDIT_FPU: c_uint = 2;
pub const HLK_AUDIT_MP_STATE: c_uint = 3;
pub const HLK_AUDIT_DEBUGREGS: c_uint = 4;
pub const HLK_AUDIT_XCR0: c_uint = 5;
pub const HLK_AUDIT_PENDING: c_uint = 6;
pub const HLK_AUDIT_TLB: c_uint = 7;

pub const HLK_REFUSED_CR0: c_uint = 1;
pub const HLK_REFUSED_CR3: c_uint = 2;
pub const HLK_REFUSED_CR4: c_uint = 3;
pub const HLK_REFUSED_EFER: c_uint = 4;
pub const HLK_REFUSED_APIC_BASE: c_uint = 5;
pub const HLK_REFUSED_EVENTS: c_uint = 6;
pub const HLK_REFUSED_MP_STATE: c_uint = 7;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_run_call {
    pub in_gpa: u64,
    pub in_bytes: u64,
    pub r#in: u64,
    pub out_gpa: u64,
    pub out_bytes: u64,
    pub out: u64,
    pub out_used: u32,
    pub log_used: u32,
    pub residue: u32,
    pub __reserved: u32,
}
zeroed!(hlk_run_call);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_run {
    pub head: hlk_head,
    pub vcpu_fd: i32,
    pub done: u32,
    pub inputs: u64,
    pub nr_inputs: u32,
    pub input_size: u32,
    pub regs: u64,
    pub log: u64,
    pub log_size: u32,
    pub log_used: u32,
    pub log_port: u32,
    pub exit_reason: u32,
    pub entries: u32,
    pub residue: u32,
    pub copied: u64,
    pub cleared: u64,
    pub freed: u64,
    pub private_pages: u64,
    pub timeout_ns: u64,
    pub deadline_ns: u64,
    pub program: u64,
    pub calls: u64,
    pub nr_calls: u32,
    pub call_size: u32,
    pub calls_done: u32,
    pub __reserved: u32,
    pub call_timeout_ns: u64,
    pub call_deadline_ns: u64,
    pub turn: u64,
}
zeroed!(hlk_run);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_kick {
    pub head: hlk_head,
    pub vcpu: u32,
    pub kicked: u32,
}
zeroed!(hlk_kick);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_many_call {
    pub vm_fd: i32,
    pub __reserved: u32,
    pub run: u64,
    pub ret: i32,
    pub why: u32,
}
zeroed!(hlk_many_call);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_run_many {
    pub head: hlk_head,
    pub calls: u64,
    pub nr_calls: u32,
    pub call_size: u32,
    pub nr_done: u32,
    pub __reserved: u32,
}
zeroed!(hlk_run_many);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_uring {
    pub arg: u64,
    pub __reserved: u64,
}
zeroed!(hlk_uring);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_touched {
    pub gpa: u64,
    pub pages: u64,
    pub flags: u32,
    pub __reserved: u32,
}
zeroed!(hlk_touched);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_prefault {
    pub head: hlk_head,
    pub runs: u64,
    pub nr_runs: u32,
    pub run_size: u32,
    pub made: u64,
}
zeroed!(hlk_prefault);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_paging {
    pub flags: u32,
    pub maxphyaddr: u32,
    pub pkru: u32,
    pub pkrs: u32,
    pub pdpte: [u64; 4],
    pub __reserved: [u64; 2],
}
zeroed!(hlk_paging);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_translate {
    pub head: hlk_head,
    pub paging: hlk_paging,
    pub root: u64,
    pub va: u64,
    pub gpa: u64,
    pub entry: [u64; 5],
    pub map: u32,
    pub page_shift: u32,
    pub format: u32,
    pub __reserved: u32,
}
zeroed!(hlk_translate);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_mapping {
    pub va: u64,
    pub gpa: u64,
    pub pages: u64,
    pub attributes: u64,
    pub root: u32,
    pub map: u32,
    pub alias_va: u64,
    pub alias_root: u32,
    pub page_shift: u32,
}
zeroed!(hlk_mapping);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_walk {
    pub head: hlk_head,
    pub paging: hlk_paging,
    pub roots: u64,
    pub mappings: u64,
    pub nr_roots: u32,
    pub nr_mappings: u32,
    pub mapping_size: u32,
    pub __reserved: u32,
    pub start: u64,
    pub end: u64,
    pub cursor: u64,
    pub tables_read: u64,
    pub format: u32,
    pub __reserved2: u32,
}
zeroed!(hlk_walk);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_mark_cow {
    pub head: hlk_head,
    pub paging: hlk_paging,
    pub roots: u64,
    pub nr_roots: u32,
    pub __reserved: u32,
    pub start: u64,
    pub end: u64,
    pub marked: u64,
    pub already: u64,
    pub read_only: u64,
    pub live: u64,
    pub not_ram: u64,
    pub tables: u64,
}
zeroed!(hlk_mark_cow);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_read {
    pub head: hlk_head,
    pub gpa: u64,
    pub bytes: u64,
    pub data: u64,
    pub done: u64,
}
zeroed!(hlk_read);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_vm_stats {
    pub head: hlk_head,
    pub private_pages: u64,
    pub max_private: u64,
    pub read_faults: u64,
    pub write_faults: u64,
    pub over_budget: u64,
    pub restores: u64,
    pub switches: u64,
    pub pages_copied: u64,
    pub pages_cleared: u64,
    pub pages_freed: u64,
    pub unique: u64,
    pub generation: u64,
    pub pages_idle: u64,
    pub prefaulted: u64,
    pub runs: u64,
    pub audits: u64,
    pub audit_mapped: u64,
    pub audit_absent: u64,
    pub audit_beside: u64,
    pub audit_elsewhere: u64,
    pub residue: u64,
    pub kept: u64,
    pub learned: u64,
    pub unread: u64,
    pub unread_gpa: u64,
}
zeroed!(hlk_vm_stats);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_snapshot_info {
    pub head: hlk_head,
    pub flags: u32,
    pub nr_vcpus: u32,
    pub generation: u64,
    pub windows: u64,
    pub roots: u64,
    pub nr_windows: u32,
    pub window_size: u32,
    pub nr_roots: u32,
    pub __reserved: u32,
    pub first_free: u64,
    pub input_bytes: u32,
    pub output_bytes: u32,
    pub counts: hlk_snapshot_counts,
    pub program_bytes: u32,
    pub __reserved2: u32,
    pub id: u64,
    pub parent_id: u64,
    pub file_pages: u64,
    pub file_read: u64,
}
zeroed!(hlk_snapshot_info);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_vcpu_image {
    pub regs: u64,
    pub fpu: u64,
    pub regs_bytes: u32,
    pub fpu_bytes: u32,
    pub flags: u32,
    pub mp_state: u32,
    pub ext_vector: i32,
    pub pkru: u32,
    pub tsc: u64,
    pub db: [u64; 4],
    pub dr6: u64,
    pub dr7: u64,
    pub xcr0: u64,
    pub xfd: u64,
    pub xsave_bytes: [u32; 2],
    pub __reserved: [u64; 2],
}
zeroed!(hlk_vcpu_image);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_snapshot_export {
    pub head: hlk_head,
    pub vcpus: u64,
    pub nr_vcpus: u32,
    pub vcpu_size: u32,
    pub tables: u64,
    pub tables_gpa: u64,
    pub nr_tables: u32,
    pub touched_size: u32,
    pub touched: u64,
    pub nr_touched: u32,
    pub __reserved: u32,
}
zeroed!(hlk_snapshot_export);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_extent {
    pub gpa: u64,
    pub bytes: u64,
    pub offset: u64,
    pub source: u32,
    pub leaves: u32,
}
zeroed!(hlk_extent);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_snapshot_pages {
    pub head: hlk_head,
    pub other_fd: i32,
    pub __reserved: u32,
    pub extents: u64,
    pub nr_extents: u32,
    pub extent_size: u32,
    pub cursor: u64,
}
zeroed!(hlk_snapshot_pages);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_source {
    pub fd: i32,
    pub __reserved: u32,
}
zeroed!(hlk_source);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_snapshot_import {
    pub head: hlk_head,
    pub flags: u32,
    pub parent_fd: i32,
    pub windows: u64,
    pub sources: u64,
    pub extents: u64,
    pub vcpus: u64,
    pub touched: u64,
    pub program: u64,
    pub roots: u64,
    pub tables: u64,
    pub tables_gpa: u64,
    pub first_free: u64,
    pub generation: u64,
    pub nr_windows: u32,
    pub window_size: u32,
    pub nr_sources: u32,
    pub source_size: u32,
    pub nr_extents: u32,
    pub extent_size: u32,
    pub nr_vcpus: u32,
    pub vcpu_size: u32,
    pub nr_touched: u32,
    pub touched_size: u32,
    pub program_bytes: u32,
    pub nr_roots: u32,
    pub nr_tables: u32,
    pub input_bytes: u32,
    pub output_bytes: u32,
    pub out_fd: i32,
    pub counts: hlk_snapshot_counts,
}
zeroed!(hlk_snapshot_import);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_guest_boot {
    pub size: u32,
    pub mem_base: u32,
    pub mem_end: u32,
    pub heap_start: u32,
    pub stack_top: u32,
    pub stack_size: u32,
    pub input_gpa: u32,
    pub input_size: u32,
    pub output_gpa: u32,
    pub output_size: u32,
    pub scratch_gpa: u32,
    pub scratch_size: u32,
}
zeroed!(hlk_guest_boot);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_guest_call {
    pub magic: u32,
    pub name_len: u32,
    pub arg_len: u32,
}
zeroed!(hlk_guest_call);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_guest_ret {
    pub magic: u32,
    pub status: u32,
    pub len: u32,
}
zeroed!(hlk_guest_ret);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_guest_file {
    pub gpa: u64,
    pub bytes: u64,
    pub label: [c_char; 64],
}
zeroed!(hlk_guest_file);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_guest_trap {
    pub magic: u32,
    pub vector: u32,
    pub error: u32,
    pub cr2: u32,
    pub cr3: u32,
    pub eip: u32,
    pub cs: u32,
    pub eflags: u32,
    pub esp: u32,
    pub ss: u32,
    pub eax: u32,
    pub ecx: u32,
    pub edx: u32,
    pub ebx: u32,
    pub ebp: u32,
    pub esi: u32,
    pub edi: u32,
}
zeroed!(hlk_guest_trap);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_guest_pages {
    pub gpa: u64,
    pub pages: u32,
    pub __reserved: u32,
}
zeroed!(hlk_guest_pages);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_guest_agent {
    pub magic: u32,
    pub version: u32,
    pub nr_input: u32,
    pub nr_output: u32,
    pub __reserved: [u64; 2],
    pub runs: [hlk_guest_pages; 64],
}
zeroed!(hlk_guest_agent);

#[repr(C)]
pub struct hlk_batch {
    _private: [u8; 0],
}

#[repr(C)]
pub struct hlk_ctx {
    _private: [u8; 0],
}

#[repr(C)]
pub struct hlk_inspect {
    _private: [u8; 0],
}

#[repr(C)]
pub struct hlk_pool {
    _private: [u8; 0],
}

#[repr(C)]
pub struct hlk_sandbox {
    _private: [u8; 0],
}

#[repr(C)]
pub struct hlk_snap {
    _private: [u8; 0],
}

pub const HLK_WHAT_NONE: c_uint = 0;
pub const HLK_WHAT_SYSTEM: c_uint = 1;
pub const HLK_WHAT_MODULE: c_uint = 2;
pub const HLK_WHAT_NO_MODULE: c_uint = 3;
pub const HLK_WHAT_NO_KVM: c_uint = 4;
pub const HLK_WHAT_PERMISSION: c_uint = 5;
pub const HLK_WHAT_VERSION: c_uint = 6;
pub const HLK_WHAT_KVM_CAP: c_uint = 7;
pub const HLK_WHAT_ARGUMENT: c_uint = 8;
pub const HLK_WHAT_FILE: c_uint = 9;
pub const HLK_WHAT_ELF: c_uint = 10;
pub const HLK_WHAT_IMAGE_SIZE: c_uint = 11;
pub const HLK_WHAT_SCRATCH_SIZE: c_uint = 12;
pub const HLK_WHAT_LAYOUT: c_uint = 13;
pub const HLK_WHAT_NEEDS_RESTORE: c_uint = 14;
pub const HLK_WHAT_NOT_READY: c_uint = 15;
pub const HLK_WHAT_IN_CALL: c_uint = 16;
pub const HLK_WHAT_INPUT: c_uint = 17;
pub const HLK_WHAT_OUTPUT: c_uint = 18;
pub const HLK_WHAT_BUDGET: c_uint = 19;
pub const HLK_WHAT_GUEST_STATUS: c_uint = 20;
pub const HLK_WHAT_GUEST_EXIT: c_uint = 21;
pub const HLK_WHAT_TIMEOUT: c_uint = 22;
pub const HLK_WHAT_KICKED: c_uint = 23;
pub const HLK_WHAT_EXISTS: c_uint = 24;
pub const HLK_WHAT_FEATURE: c_uint = 25;
pub const HLK_WHAT_AUDIT: c_uint = 26;
pub const HLK_WHAT_POOL_EMPTY: c_uint = 27;
pub const HLK_WHAT_POOL_IN_USE: c_uint = 28;
pub const HLK_WHAT_FLAGS: c_uint = 29;
pub const HLK_WHAT_STRUCT: c_uint = 30;
pub const HLK_WHAT_NEWER: c_uint = 31;
pub const HLK_WHAT_KERNEL: c_uint = 32;
pub const HLK_WHAT_SAVED: c_uint = 33;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_err {
    pub code: i32,
    pub what: u32,
    pub why: u32,
    pub index: u32,
    pub r#where: u64,
    pub op: *const c_char,
    pub text: [c_char; 112],
    pub __reserved: [u64; 6],
}
zeroed!(hlk_err);

pub type hlk_print_fn = Option<unsafe extern "C" fn(arg: *mut c_void, text: *const c_char, len: usize)>;

pub type hlk_host_fn = Option<unsafe extern "C" fn(arg: *mut c_void, r#in: *const c_void, in_len: usize, out: *mut c_void, out_size: usize, out_len: *mut usize) -> c_int>;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_config {
    pub size: u32,
    pub flags: u32,
    pub mem_size: u64,
    pub scratch_size: u64,
    pub input_size: u32,
    pub output_size: u32,
    pub stack_size: u32,
    pub log_level: u32,
    pub seed: u32,
    pub signal: u32,
    pub max_private: u64,
    pub keep_private: u64,
    pub print: hlk_print_fn,
    pub print_arg: *mut c_void,
}
zeroed!(hlk_config);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_file {
    pub size: u32,
    pub flags: u32,
    pub fd: i32,
    pub __reserved: u32,
    pub offset: u64,
    pub bytes: u64,
    pub gpa: u64,
    pub label: *const c_char,
}
zeroed!(hlk_file);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_call {
    pub name: *const c_char,
    pub r#in: *const c_void,
    pub in_len: usize,
    pub out: *mut c_void,
    pub out_size: usize,
    pub out_len: usize,
    pub timeout_us: u64,
    pub err: *mut hlk_err,
    pub ret: i32,
    pub flags: u32,
    pub __reserved: [u64; 2],
}
zeroed!(hlk_call);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_snapshot_config {
    pub size: u32,
    pub flags: u32,
    pub roots: *const u64,
    pub nr_roots: u32,
    pub __reserved: u32,
}
zeroed!(hlk_snapshot_config);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_save_config {
    pub size: u32,
    pub flags: u32,
    pub name: *const c_char,
    pub parent: *mut hlk_snap,
    pub pages: u64,
    pub bytes: u64,
    pub layers: u32,
    pub __reserved: u32,
    pub digest: [c_char; 72],
}
zeroed!(hlk_save_config);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_load_config {
    pub size: u32,
    pub flags: u32,
    pub name: *const c_char,
    pub parent: *mut hlk_snap,
    pub pages: u64,
    pub lazy: u64,
    pub layers: u32,
    pub __reserved: u32,
}
zeroed!(hlk_load_config);

pub const HLK_EXIT_NONE: c_uint = 0;
pub const HLK_EXIT_HALT: c_uint = 1;
pub const HLK_EXIT_ABORT: c_uint = 2;
pub const HLK_EXIT_TRAP: c_uint = 3;
pub const HLK_EXIT_SHUTDOWN: c_uint = 4;
pub const HLK_EXIT_NO_MEMORY: c_uint = 5;
pub const HLK_EXIT_PORT: c_uint = 6;
pub const HLK_EXIT_PROTOCOL: c_uint = 7;
pub const HLK_EXIT_BUDGET: c_uint = 8;
pub const HLK_EXIT_FAULT: c_uint = 9;
pub const HLK_EXIT_TIMEOUT: c_uint = 10;
pub const HLK_EXIT_KICKED: c_uint = 11;
pub const HLK_EXIT_FAIL_ENTRY: c_uint = 12;
pub const HLK_EXIT_INTERNAL: c_uint = 13;
pub const HLK_EXIT_UNKNOWN: c_uint = 14;
pub const HLK_EXIT_OFF: c_uint = 15;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_regs {
    pub eax: u32,
    pub ebx: u32,
    pub ecx: u32,
    pub edx: u32,
    pub esi: u32,
    pub edi: u32,
    pub ebp: u32,
    pub esp: u32,
    pub eip: u32,
    pub eflags: u32,
    pub cr0: u32,
    pub cr2: u32,
    pub cr3: u32,
    pub cr4: u32,
    pub cs: u16,
    pub ss: u16,
    pub ds: u16,
    pub es: u16,
    pub fs: u16,
    pub gs: u16,
    pub __reserved: [u32; 15],
}
zeroed!(hlk_regs);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_exit {
    pub size: u32,
    pub __reserved: u32,
    pub reason: u32,
    pub code: u32,
    pub error_code: u32,
    pub flags: u32,
    pub fault: u64,
    pub regs: hlk_regs,
}
zeroed!(hlk_exit);

pub const HLK_FD_HLK: c_uint = 0;
pub const HLK_FD_VM: c_uint = 1;
pub const HLK_FD_VCPU: c_uint = 2;

pub const HLK_DEBUG_BEGIN: c_uint = 1;
pub const HLK_DEBUG_EXIT: c_uint = 2;
pub const HLK_DEBUG_KICK: c_uint = 3;
pub const HLK_DEBUG_FAILED: c_uint = 4;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_debug {
    pub size: u32,
    pub event: u32,
    pub exception: u32,
    pub dr6: u32,
}
zeroed!(hlk_debug);

pub type hlk_debug_fn = Option<unsafe extern "C" fn(arg: *mut c_void, sb: *mut hlk_sandbox, debug: *const hlk_debug) -> c_int>;

pub type hlk_setup_fn = Option<unsafe extern "C" fn(arg: *mut c_void, sb: *mut hlk_sandbox) -> c_int>;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_pool_config {
    pub size: u32,
    pub flags: u32,
    pub sandboxes: u32,
    pub restorers: u32,
    pub config: *const hlk_config,
    pub setup: hlk_setup_fn,
    pub setup_arg: *mut c_void,
}
zeroed!(hlk_pool_config);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_pool_stats {
    pub sandboxes: u32,
    pub ready: u32,
    pub out: u32,
    pub dirty: u32,
    pub missing: u32,
    pub refused: u32,
    pub gets: u64,
    pub waits: u64,
    pub wait_timeouts: u64,
    pub moved: u64,
    pub calls: u64,
    pub call_failures: u64,
    pub restores: u64,
    pub restore_failures: u64,
    pub replaced: u64,
    pub make_failures: u64,
    pub wait_ns: u64,
    pub restore_ns: u64,
    pub wait_hist: [u64; 40],
    pub restore_hist: [u64; 40],
    pub switches: u64,
}
zeroed!(hlk_pool_stats);

pub const HLK_PROTOCOL_AUTO: c_uint = 0;
pub const HLK_PROTOCOL_LINUX32: c_uint = 1;
pub const HLK_PROTOCOL_LINUX64: c_uint = 2;
pub const HLK_PROTOCOL_PVH: c_uint = 3;
pub const HLK_PROTOCOL_MULTIBOOT: c_uint = 4;
pub const HLK_PROTOCOL_FLAT16: c_uint = 5;
pub const HLK_PROTOCOL_FLAT32: c_uint = 6;
pub const HLK_PROTOCOL_NANVIX: c_uint = 7;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_ram {
    pub gpa: u64,
    pub bytes: u64,
    pub mem: *mut c_void,
}
zeroed!(hlk_ram);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_module {
    pub data: *const c_void,
    pub size: u64,
    pub text: *const c_char,
}
zeroed!(hlk_module);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_kernel {
    pub size: u32,
    pub flags: u32,
    pub protocol: u32,
    pub nr_modules: u32,
    pub image: *const c_void,
    pub image_size: u64,
    pub initrd: *const c_void,
    pub initrd_size: u64,
    pub cmdline: *const c_char,
    pub modules: *const hlk_module,
    pub gpa: u64,
    pub rsdp: u64,
}
zeroed!(hlk_kernel);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_placed {
    pub protocol: u32,
    pub __reserved: u32,
    pub entry: u64,
    pub kernel: u64,
    pub kernel_end: u64,
    pub initrd: u64,
    pub initrd_size: u64,
    pub cmdline: u64,
    pub info: u64,
    pub tables: u64,
    pub rsdp: u64,
}
zeroed!(hlk_placed);

#[repr(C)]
pub struct hlk_machine {
    _private: [u8; 0],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_access {
    pub flags: u32,
    pub size: u32,
    pub addr: u64,
    pub value: u64,
}
zeroed!(hlk_access);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_machine_device {
    pub size: u32,
    pub state_bytes: u32,
    pub arg: *mut c_void,
    pub access: Option<unsafe extern "C" fn(arg: *mut c_void, access: *mut hlk_access)>,
    pub save: Option<unsafe extern "C" fn(arg: *mut c_void, state: *mut c_void)>,
    pub load: Option<unsafe extern "C" fn(arg: *mut c_void, state: *const c_void)>,
}
zeroed!(hlk_machine_device);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_machine_config {
    pub size: u32,
    pub flags: u32,
    pub nr_cpus: u32,
    pub nr_ram: u32,
    pub ram: *const hlk_ram,
    pub mem_size: u64,
    pub max_private: u64,
    pub keep_private: u64,
    pub print: hlk_print_fn,
    pub print_arg: *mut c_void,
    pub device: *const hlk_machine_device,
}
zeroed!(hlk_machine_config);

pub const HLK_STOP_NONE: c_uint = 0;
pub const HLK_STOP_PRINT: c_uint = 1;
pub const HLK_STOP_PORT: c_uint = 2;
pub const HLK_STOP_ADDR: c_uint = 3;
pub const HLK_STOP_IDLE: c_uint = 4;
pub const HLK_STOP_TIME: c_uint = 5;
pub const HLK_STOP_OFF: c_uint = 6;
pub const HLK_STOP_RESET: c_uint = 7;
pub const HLK_STOP_EXIT: c_uint = 8;
pub const HLK_STOP_HALT: c_uint = 9;
pub const HLK_STOP_SHUTDOWN: c_uint = 10;
pub const HLK_STOP_ENTRY: c_uint = 11;
pub const HLK_STOP_INTERNAL: c_uint = 12;
pub const HLK_STOP_UNKNOWN: c_uint = 13;
pub const HLK_STOP_ASKED: c_uint = 14;
pub const HLK_STOP_DEBUG: c_uint = 15;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hlk_machine_run {
    pub size: u32,
    pub flags: u32,
    pub print: *const c_char,
    pub addr: u64,
    pub port: u32,
    pub stop: u32,
    pub timeout_us: u64,
    pub value: u64,
    pub rip: u64,
    pub cr3: u64,
    pub cr0: u64,
    pub cs_base: u64,
    pub copied: u64,
    pub exits: u64,
    pub idle_us: u64,
    pub rflags: u64,
    pub ring: u32,
    pub bits: u32,
    pub cpu: u64,
}
zeroed!(hlk_machine_run);

extern "C" {
    pub fn hlk_version() -> u32;
    pub fn hlk_version_text() -> *const c_char;
    pub fn hlk_strerror(err: *const hlk_err, buf: *mut c_char, size: usize) -> *const c_char;
    pub fn hlk_open(ctx: *mut *mut hlk_ctx, err: *mut hlk_err) -> c_int;
    pub fn hlk_close(ctx: *mut hlk_ctx);
    pub fn hlk_get_info_sized(ctx: *mut hlk_ctx, info: *mut hlk_info, size: usize, err: *mut hlk_err) -> c_int;
    pub fn hlk_sandbox_from_image(ctx: *mut hlk_ctx, image: *const c_void, size: usize, config: *const hlk_config, sb: *mut *mut hlk_sandbox, err: *mut hlk_err) -> c_int;
    pub fn hlk_sandbox_from_file(ctx: *mut hlk_ctx, fd: c_int, config: *const hlk_config, sb: *mut *mut hlk_sandbox, err: *mut hlk_err) -> c_int;
    pub fn hlk_sandbox_from_path(ctx: *mut hlk_ctx, path: *const c_char, config: *const hlk_config, sb: *mut *mut hlk_sandbox, err: *mut hlk_err) -> c_int;
    pub fn hlk_sandbox_from_snapshot(ctx: *mut hlk_ctx, snap: *mut hlk_snap, config: *const hlk_config, sb: *mut *mut hlk_sandbox, err: *mut hlk_err) -> c_int;
    pub fn hlk_sandbox_close(sb: *mut hlk_sandbox);
    pub fn hlk_sandbox_error(sb: *const hlk_sandbox) -> *const hlk_err;
    pub fn hlk_sandbox_host_function(sb: *mut hlk_sandbox, name: *const c_char, r#fn: hlk_host_fn, arg: *mut c_void) -> c_int;
    pub fn hlk_sandbox_map_file(sb: *mut hlk_sandbox, file: *const hlk_file) -> c_int;
    pub fn hlk_sandbox_unmap_file(sb: *mut hlk_sandbox, label: *const c_char) -> c_int;
    pub fn hlk_sandbox_boot(sb: *mut hlk_sandbox, timeout_us: u64) -> c_int;
    pub fn hlk_sandbox_call(sb: *mut hlk_sandbox, name: *const c_char, r#in: *const c_void, in_len: usize, out: *mut c_void, out_size: usize, out_len: *mut usize, timeout_us: u64) -> c_int;
    pub fn hlk_sandbox_restore_call(sb: *mut hlk_sandbox, name: *const c_char, r#in: *const c_void, in_len: usize, out: *mut c_void, out_size: usize, out_len: *mut usize, timeout_us: u64) -> c_int;
    pub fn hlk_sandbox_calls(sb: *mut hlk_sandbox, calls: *mut hlk_call, nr: u32, flags: u32) -> c_int;
    pub fn hlk_sandbox_kick(sb: *mut hlk_sandbox) -> c_int;
    pub fn hlk_sandbox_snapshot(sb: *mut hlk_sandbox, config: *const hlk_snapshot_config, snap: *mut *mut hlk_snap) -> c_int;
    pub fn hlk_sandbox_fork(sb: *mut hlk_sandbox, config: *const hlk_config, child: *mut *mut hlk_sandbox) -> c_int;
    pub fn hlk_sandbox_restore(sb: *mut hlk_sandbox, snap: *mut hlk_snap) -> c_int;
    pub fn hlk_sandbox_restored(sb: *const hlk_sandbox) -> *const hlk_restore;
    pub fn hlk_sandbox_audit(sb: *mut hlk_sandbox) -> c_int;
    pub fn hlk_snapshot_from_fd(fd: c_int, snap: *mut *mut hlk_snap, err: *mut hlk_err) -> c_int;
    pub fn hlk_snapshot_fd(snap: *const hlk_snap) -> c_int;
    pub fn hlk_snapshot_get_info_sized(snap: *const hlk_snap, info: *mut hlk_snapshot_info, size: usize, err: *mut hlk_err) -> c_int;
    pub fn hlk_snapshot_save(ctx: *mut hlk_ctx, snap: *mut hlk_snap, folder: *const c_char, save: *mut hlk_save_config, err: *mut hlk_err) -> c_int;
    pub fn hlk_snapshot_load(ctx: *mut hlk_ctx, folder: *const c_char, load: *mut hlk_load_config, snap: *mut *mut hlk_snap, err: *mut hlk_err) -> c_int;
    pub fn hlk_snapshot_close(snap: *mut hlk_snap);
    pub fn hlk_sandbox_exit(sb: *mut hlk_sandbox) -> *const hlk_exit;
    pub fn hlk_sandbox_regs(sb: *mut hlk_sandbox, regs: *mut hlk_regs) -> c_int;
    pub fn hlk_exit_reason_text(reason: u32) -> *const c_char;
    pub fn hlk_sandbox_stats_sized(sb: *mut hlk_sandbox, stats: *mut hlk_vm_stats, size: usize) -> c_int;
    pub fn hlk_sandbox_translate_sized(sb: *mut hlk_sandbox, translate: *mut hlk_translate, size: usize) -> c_int;
    pub fn hlk_sandbox_walk_sized(sb: *mut hlk_sandbox, walk: *mut hlk_walk, size: usize) -> c_int;
    pub fn hlk_sandbox_mark_cow_sized(sb: *mut hlk_sandbox, mark: *mut hlk_mark_cow, size: usize) -> c_int;
    pub fn hlk_inspect_open(ctx: *mut hlk_ctx, vm_fd: c_int, inspect: *mut *mut hlk_inspect, err: *mut hlk_err) -> c_int;
    pub fn hlk_inspect_close(inspect: *mut hlk_inspect);
    pub fn hlk_inspect_translate_sized(inspect: *mut hlk_inspect, translate: *mut hlk_translate, size: usize, err: *mut hlk_err) -> c_int;
    pub fn hlk_inspect_walk_sized(inspect: *mut hlk_inspect, walk: *mut hlk_walk, size: usize, err: *mut hlk_err) -> c_int;
    pub fn hlk_inspect_read(inspect: *mut hlk_inspect, gpa: u64, buf: *mut c_void, len: *mut usize, err: *mut hlk_err) -> c_int;
    pub fn hlk_sandbox_roots(sb: *mut hlk_sandbox, roots: *mut u64, nr_roots: *mut u32) -> c_int;
    pub fn hlk_sandbox_read(sb: *mut hlk_sandbox, gpa: u64, buf: *mut c_void, len: usize) -> c_int;
    pub fn hlk_sandbox_write(sb: *mut hlk_sandbox, gpa: u64, buf: *const c_void, len: usize) -> c_int;
    pub fn hlk_sandbox_counter_add(sb: *mut hlk_sandbox, by: i64) -> c_int;
    pub fn hlk_sandbox_counter(sb: *mut hlk_sandbox) -> u64;
    pub fn hlk_sandbox_fd(sb: *const hlk_sandbox, which: c_uint) -> c_int;
    pub fn hlk_sandbox_debug(sb: *mut hlk_sandbox, r#fn: hlk_debug_fn, arg: *mut c_void) -> c_int;
    pub fn hlk_batch_open(ctx: *mut hlk_ctx, size: u32, batch: *mut *mut hlk_batch, err: *mut hlk_err) -> c_int;
    pub fn hlk_batch_close(batch: *mut hlk_batch);
    pub fn hlk_batch_restore(batch: *mut hlk_batch, sb: *mut hlk_sandbox, snap: *mut hlk_snap, flags: u32) -> c_int;
    pub fn hlk_batch_restore_call(batch: *mut hlk_batch, sb: *mut hlk_sandbox, name: *const c_char, r#in: *const c_void, in_len: usize, out: *mut c_void, out_size: usize, out_len: *mut usize, timeout_us: u64) -> c_int;
    pub fn hlk_batch_submit(batch: *mut hlk_batch) -> c_int;
    pub fn hlk_batch_result(batch: *const hlk_batch, index: u32) -> c_int;
    pub fn hlk_pool_open(ctx: *mut hlk_ctx, snap: *mut hlk_snap, config: *const hlk_pool_config, pool: *mut *mut hlk_pool, err: *mut hlk_err) -> c_int;
    pub fn hlk_pool_close(pool: *mut hlk_pool) -> c_int;
    pub fn hlk_pool_get(pool: *mut hlk_pool, wait_us: u64, sb: *mut *mut hlk_sandbox, err: *mut hlk_err) -> c_int;
    pub fn hlk_pool_get_from(pool: *mut hlk_pool, snap: *mut hlk_snap, wait_us: u64, sb: *mut *mut hlk_sandbox, err: *mut hlk_err) -> c_int;
    pub fn hlk_pool_put(pool: *mut hlk_pool, sb: *mut hlk_sandbox);
    pub fn hlk_pool_discard(pool: *mut hlk_pool, sb: *mut hlk_sandbox);
    pub fn hlk_pool_call(pool: *mut hlk_pool, wait_us: u64, name: *const c_char, r#in: *const c_void, in_len: usize, out: *mut c_void, out_size: usize, out_len: *mut usize, timeout_us: u64, err: *mut hlk_err) -> c_int;
    pub fn hlk_pool_call_from(pool: *mut hlk_pool, snap: *mut hlk_snap, wait_us: u64, name: *const c_char, r#in: *const c_void, in_len: usize, out: *mut c_void, out_size: usize, out_len: *mut usize, timeout_us: u64, err: *mut hlk_err) -> c_int;
    pub fn hlk_pool_calls(pool: *mut hlk_pool, wait_us: u64, calls: *mut hlk_call, nr: u32, flags: u32, err: *mut hlk_err) -> c_int;
    pub fn hlk_pool_calls_from(pool: *mut hlk_pool, snap: *mut hlk_snap, wait_us: u64, calls: *mut hlk_call, nr: u32, flags: u32, err: *mut hlk_err) -> c_int;
    pub fn hlk_pool_stats_sized(pool: *mut hlk_pool, stats: *mut hlk_pool_stats, size: usize);
    pub fn hlk_pool_metrics(pool: *mut hlk_pool, name: *const c_char, buf: *mut c_char, size: usize) -> usize;
    pub fn hlk_kernel_load_sized(kernel: *const hlk_kernel, ram: *const hlk_ram, nr_ram: u32, regs: *mut kvm_regs, sregs: *mut kvm_sregs, placed: *mut hlk_placed, size: usize, err: *mut hlk_err) -> c_int;
    pub fn hlk_protocol_text(protocol: u32) -> *const c_char;
    pub fn hlk_machine_create(ctx: *mut hlk_ctx, config: *const hlk_machine_config, machine: *mut *mut hlk_machine, err: *mut hlk_err) -> c_int;
    pub fn hlk_machine_from_snapshot(ctx: *mut hlk_ctx, snap: *mut hlk_snap, config: *const hlk_machine_config, machine: *mut *mut hlk_machine, err: *mut hlk_err) -> c_int;
    pub fn hlk_machine_close(machine: *mut hlk_machine);
    pub fn hlk_machine_error(machine: *const hlk_machine) -> *const hlk_err;
    pub fn hlk_machine_load_sized(machine: *mut hlk_machine, kernel: *const hlk_kernel, placed: *mut hlk_placed, size: usize) -> c_int;
    pub fn hlk_machine_go(machine: *mut hlk_machine, run: *mut hlk_machine_run) -> c_int;
    pub fn hlk_machine_stop(machine: *mut hlk_machine);
    pub fn hlk_machine_irq(machine: *mut hlk_machine, irq: u32, level: c_int) -> c_int;
    pub fn hlk_stop_text(stop: u32) -> *const c_char;
    pub fn hlk_machine_receive(machine: *mut hlk_machine, data: *const c_void, len: usize, taken: *mut usize) -> c_int;
    pub fn hlk_machine_fd(machine: *const hlk_machine, which: c_uint, cpu: u32) -> c_int;
    pub fn hlk_machine_rest(machine: *mut hlk_machine) -> c_int;
    pub fn hlk_machine_read(machine: *mut hlk_machine, gpa: u64, buf: *mut c_void, len: usize) -> c_int;
    pub fn hlk_machine_write(machine: *mut hlk_machine, gpa: u64, buf: *const c_void, len: usize) -> c_int;
    pub fn hlk_machine_snapshot(machine: *mut hlk_machine, snap: *mut *mut hlk_snap) -> c_int;
    pub fn hlk_machine_audit(machine: *mut hlk_machine) -> c_int;
    pub fn hlk_machine_restore(machine: *mut hlk_machine, snap: *mut hlk_snap) -> c_int;
}

#[cfg(test)]
mod layout {
    use super::*;

    macro_rules! offset {
        ($name:ident, $member:ident) => {{
            let one = $name::default();
            std::ptr::addr_of!(one.$member) as usize - std::ptr::addr_of!(one) as usize
        }};
    }

    /// As the C compiler has them
    #[test]
    fn as_in_c() {
        assert_eq!(std::mem::size_of::<hlk_head>(), 24);
        assert_eq!(offset!(hlk_head, size), 0);
        assert_eq!(offset!(hlk_head, flags), 4);
        assert_eq!(offset!(hlk_head, why), 8);
        assert_eq!(offset!(hlk_head, index), 12);
        assert_eq!(offset!(hlk_head, r#where), 16);
        assert_eq!(std::mem::size_of::<hlk_info>(), 112);
        assert_eq!(offset!(hlk_info, head), 0);
        assert_eq!(offset!(hlk_info, version), 24);
        assert_eq!(offset!(hlk_info, max_windows), 28);
        assert_eq!(offset!(hlk_info, max_vcpus), 32);
        assert_eq!(offset!(hlk_info, max_roots), 36);
        assert_eq!(offset!(hlk_info, max_tables), 40);
        assert_eq!(offset!(hlk_info, max_segments), 44);
        assert_eq!(offset!(hlk_info, features), 48);
        assert_eq!(offset!(hlk_info, max_pages), 56);
        assert_eq!(offset!(hlk_info, max_private), 64);
        assert_eq!(offset!(hlk_info, live_vms), 72);
        assert_eq!(offset!(hlk_info, live_snapshots), 80);
        assert_eq!(offset!(hlk_info, live_pages), 88);
        assert_eq!(offset!(hlk_info, max_inputs), 96);
        assert_eq!(offset!(hlk_info, max_input_bytes), 100);
        assert_eq!(offset!(hlk_info, max_struct), 104);
        assert_eq!(offset!(hlk_info, vcpu_size), 108);
        assert_eq!(std::mem::size_of::<hlk_vm_attach>(), 48);
        assert_eq!(offset!(hlk_vm_attach, head), 0);
        assert_eq!(offset!(hlk_vm_attach, vm_fd), 24);
        assert_eq!(offset!(hlk_vm_attach, out_fd), 28);
        assert_eq!(offset!(hlk_vm_attach, max_private), 32);
        assert_eq!(offset!(hlk_vm_attach, keep_private), 40);
        assert_eq!(std::mem::size_of::<hlk_window>(), 48);
        assert_eq!(offset!(hlk_window, gpa), 0);
        assert_eq!(offset!(hlk_window, bytes), 8);
        assert_eq!(offset!(hlk_window, flags), 16);
        assert_eq!(offset!(hlk_window, __reserved), 20);
        assert_eq!(offset!(hlk_window, __reserved2), 24);
        assert_eq!(std::mem::size_of::<hlk_window_add>(), 72);
        assert_eq!(offset!(hlk_window_add, head), 0);
        assert_eq!(offset!(hlk_window_add, window), 24);
        assert_eq!(std::mem::size_of::<hlk_segment>(), 24);
        assert_eq!(offset!(hlk_segment, gpa), 0);
        assert_eq!(offset!(hlk_segment, bytes), 8);
        assert_eq!(offset!(hlk_segment, data), 16);
        assert_eq!(std::mem::size_of::<hlk_program_header>(), 32);
        assert_eq!(offset!(hlk_program_header, size), 0);
        assert_eq!(offset!(hlk_program_header, entry_size), 4);
        assert_eq!(offset!(hlk_program_header, nr_entries), 8);
        assert_eq!(offset!(hlk_program_header, flags), 12);
        assert_eq!(offset!(hlk_program_header, __reserved), 16);
        assert_eq!(std::mem::size_of::<hlk_program_entry>(), 32);
        assert_eq!(offset!(hlk_program_entry, cmd), 0);
        assert_eq!(offset!(hlk_program_entry, target), 4);
        assert_eq!(offset!(hlk_program_entry, offset), 8);
        assert_eq!(offset!(hlk_program_entry, bytes), 12);
        assert_eq!(offset!(hlk_program_entry, flags), 16);
        assert_eq!(offset!(hlk_program_entry, __reserved), 20);
        assert_eq!(std::mem::size_of::<hlk_snapshot_build>(), 96);
        assert_eq!(offset!(hlk_snapshot_build, head), 0);
        assert_eq!(offset!(hlk_snapshot_build, nr_windows), 24);
        assert_eq!(offset!(hlk_snapshot_build, window_size), 28);
        assert_eq!(offset!(hlk_snapshot_build, nr_segments), 32);
        assert_eq!(offset!(hlk_snapshot_build, segment_size), 36);
        assert_eq!(offset!(hlk_snapshot_build, nr_vcpus), 40);
        assert_eq!(offset!(hlk_snapshot_build, vcpu_size), 44);
        assert_eq!(offset!(hlk_snapshot_build, windows), 48);
        assert_eq!(offset!(hlk_snapshot_build, segments), 56);
        assert_eq!(offset!(hlk_snapshot_build, vcpus), 64);
        assert_eq!(offset!(hlk_snapshot_build, out_fd), 72);
        assert_eq!(offset!(hlk_snapshot_build, __reserved), 76);
        assert_eq!(offset!(hlk_snapshot_build, program), 80);
        assert_eq!(offset!(hlk_snapshot_build, program_bytes), 88);
        assert_eq!(offset!(hlk_snapshot_build, __reserved2), 92);
        assert_eq!(std::mem::size_of::<hlk_snapshot_counts>(), 192);
        assert_eq!(offset!(hlk_snapshot_counts, pages), 0);
        assert_eq!(offset!(hlk_snapshot_counts, copied), 8);
        assert_eq!(offset!(hlk_snapshot_counts, inherited), 16);
        assert_eq!(offset!(hlk_snapshot_counts, zero), 24);
        assert_eq!(offset!(hlk_snapshot_counts, tables), 32);
        assert_eq!(offset!(hlk_snapshot_counts, tables_read), 40);
        assert_eq!(offset!(hlk_snapshot_counts, aliased), 48);
        assert_eq!(offset!(hlk_snapshot_counts, large), 56);
        assert_eq!(offset!(hlk_snapshot_counts, leaf_not_ram), 64);
        assert_eq!(offset!(hlk_snapshot_counts, table_not_ram), 72);
        assert_eq!(offset!(hlk_snapshot_counts, duplicate), 80);
        assert_eq!(offset!(hlk_snapshot_counts, tables_kept), 88);
        assert_eq!(offset!(hlk_snapshot_counts, residue), 96);
        assert_eq!(offset!(hlk_snapshot_counts, __reserved), 104);
        assert_eq!(std::mem::size_of::<hlk_snapshot>(), 256);
        assert_eq!(offset!(hlk_snapshot, head), 0);
        assert_eq!(offset!(hlk_snapshot, out_fd), 24);
        assert_eq!(offset!(hlk_snapshot, nr_roots), 28);
        assert_eq!(offset!(hlk_snapshot, roots), 32);
        assert_eq!(offset!(hlk_snapshot, input_bytes), 40);
        assert_eq!(offset!(hlk_snapshot, output_bytes), 44);
        assert_eq!(offset!(hlk_snapshot, counts), 48);
        assert_eq!(offset!(hlk_snapshot, program), 240);
        assert_eq!(offset!(hlk_snapshot, program_bytes), 248);
        assert_eq!(offset!(hlk_snapshot, __reserved), 252);
        assert_eq!(std::mem::size_of::<hlk_restore>(), 72);
        assert_eq!(offset!(hlk_restore, head), 0);
        assert_eq!(offset!(hlk_restore, snapshot_fd), 24);
        assert_eq!(offset!(hlk_restore, residue), 28);
        assert_eq!(offset!(hlk_restore, copied), 32);
        assert_eq!(offset!(hlk_restore, cleared), 40);
        assert_eq!(offset!(hlk_restore, freed), 48);
        assert_eq!(offset!(hlk_restore, private_pages), 56);
        assert_eq!(offset!(hlk_restore, program), 64);
        assert_eq!(std::mem::size_of::<hlk_run_call>(), 64);
        assert_eq!(offset!(hlk_run_call, in_gpa), 0);
        assert_eq!(offset!(hlk_run_call, in_bytes), 8);
        assert_eq!(offset!(hlk_run_call, r#in), 16);
        assert_eq!(offset!(hlk_run_call, out_gpa), 24);
        assert_eq!(offset!(hlk_run_call, out_bytes), 32);
        assert_eq!(offset!(hlk_run_call, out), 40);
        assert_eq!(offset!(hlk_run_call, out_used), 48);
        assert_eq!(offset!(hlk_run_call, log_used), 52);
        assert_eq!(offset!(hlk_run_call, residue), 56);
        assert_eq!(offset!(hlk_run_call, __reserved), 60);
        assert_eq!(std::mem::size_of::<hlk_run>(), 192);
        assert_eq!(offset!(hlk_run, head), 0);
        assert_eq!(offset!(hlk_run, vcpu_fd), 24);
        assert_eq!(offset!(hlk_run, done), 28);
        assert_eq!(offset!(hlk_run, inputs), 32);
        assert_eq!(offset!(hlk_run, nr_inputs), 40);
        assert_eq!(offset!(hlk_run, input_size), 44);
        assert_eq!(offset!(hlk_run, regs), 48);
        assert_eq!(offset!(hlk_run, log), 56);
        assert_eq!(offset!(hlk_run, log_size), 64);
        assert_eq!(offset!(hlk_run, log_used), 68);
        assert_eq!(offset!(hlk_run, log_port), 72);
        assert_eq!(offset!(hlk_run, exit_reason), 76);
        assert_eq!(offset!(hlk_run, entries), 80);
        assert_eq!(offset!(hlk_run, residue), 84);
        assert_eq!(offset!(hlk_run, copied), 88);
        assert_eq!(offset!(hlk_run, cleared), 96);
        assert_eq!(offset!(hlk_run, freed), 104);
        assert_eq!(offset!(hlk_run, private_pages), 112);
        assert_eq!(offset!(hlk_run, timeout_ns), 120);
        assert_eq!(offset!(hlk_run, deadline_ns), 128);
        assert_eq!(offset!(hlk_run, program), 136);
        assert_eq!(offset!(hlk_run, calls), 144);
        assert_eq!(offset!(hlk_run, nr_calls), 152);
        assert_eq!(offset!(hlk_run, call_size), 156);
        assert_eq!(offset!(hlk_run, calls_done), 160);
        assert_eq!(offset!(hlk_run, __reserved), 164);
        assert_eq!(offset!(hlk_run, call_timeout_ns), 168);
        assert_eq!(offset!(hlk_run, call_deadline_ns), 176);
        assert_eq!(offset!(hlk_run, turn), 184);
        assert_eq!(std::mem::size_of::<hlk_kick>(), 32);
        assert_eq!(offset!(hlk_kick, head), 0);
        assert_eq!(offset!(hlk_kick, vcpu), 24);
        assert_eq!(offset!(hlk_kick, kicked), 28);
        assert_eq!(std::mem::size_of::<hlk_many_call>(), 24);
        assert_eq!(offset!(hlk_many_call, vm_fd), 0);
        assert_eq!(offset!(hlk_many_call, __reserved), 4);
        assert_eq!(offset!(hlk_many_call, run), 8);
        assert_eq!(offset!(hlk_many_call, ret), 16);
        assert_eq!(offset!(hlk_many_call, why), 20);
        assert_eq!(std::mem::size_of::<hlk_run_many>(), 48);
        assert_eq!(offset!(hlk_run_many, head), 0);
        assert_eq!(offset!(hlk_run_many, calls), 24);
        assert_eq!(offset!(hlk_run_many, nr_calls), 32);
        assert_eq!(offset!(hlk_run_many, call_size), 36);
        assert_eq!(offset!(hlk_run_many, nr_done), 40);
        assert_eq!(offset!(hlk_run_many, __reserved), 44);
        assert_eq!(std::mem::size_of::<hlk_uring>(), 16);
        assert_eq!(offset!(hlk_uring, arg), 0);
        assert_eq!(offset!(hlk_uring, __reserved), 8);
        assert_eq!(std::mem::size_of::<hlk_touched>(), 24);
        assert_eq!(offset!(hlk_touched, gpa), 0);
        assert_eq!(offset!(hlk_touched, pages), 8);
        assert_eq!(offset!(hlk_touched, flags), 16);
        assert_eq!(offset!(hlk_touched, __reserved), 20);
        assert_eq!(std::mem::size_of::<hlk_prefault>(), 48);
        assert_eq!(offset!(hlk_prefault, head), 0);
        assert_eq!(offset!(hlk_prefault, runs), 24);
        assert_eq!(offset!(hlk_prefault, nr_runs), 32);
        assert_eq!(offset!(hlk_prefault, run_size), 36);
        assert_eq!(offset!(hlk_prefault, made), 40);
        assert_eq!(std::mem::size_of::<hlk_paging>(), 64);
        assert_eq!(offset!(hlk_paging, flags), 0);
        assert_eq!(offset!(hlk_paging, maxphyaddr), 4);
        assert_eq!(offset!(hlk_paging, pkru), 8);
        assert_eq!(offset!(hlk_paging, pkrs), 12);
        assert_eq!(offset!(hlk_paging, pdpte), 16);
        assert_eq!(offset!(hlk_paging, __reserved), 48);
        assert_eq!(std::mem::size_of::<hlk_translate>(), 168);
        assert_eq!(offset!(hlk_translate, head), 0);
        assert_eq!(offset!(hlk_translate, paging), 24);
        assert_eq!(offset!(hlk_translate, root), 88);
        assert_eq!(offset!(hlk_translate, va), 96);
        assert_eq!(offset!(hlk_translate, gpa), 104);
        assert_eq!(offset!(hlk_translate, entry), 112);
        assert_eq!(offset!(hlk_translate, map), 152);
        assert_eq!(offset!(hlk_translate, page_shift), 156);
        assert_eq!(offset!(hlk_translate, format), 160);
        assert_eq!(offset!(hlk_translate, __reserved), 164);
        assert_eq!(std::mem::size_of::<hlk_mapping>(), 56);
        assert_eq!(offset!(hlk_mapping, va), 0);
        assert_eq!(offset!(hlk_mapping, gpa), 8);
        assert_eq!(offset!(hlk_mapping, pages), 16);
        assert_eq!(offset!(hlk_mapping, attributes), 24);
        assert_eq!(offset!(hlk_mapping, root), 32);
        assert_eq!(offset!(hlk_mapping, map), 36);
        assert_eq!(offset!(hlk_mapping, alias_va), 40);
        assert_eq!(offset!(hlk_mapping, alias_root), 48);
        assert_eq!(offset!(hlk_mapping, page_shift), 52);
        assert_eq!(std::mem::size_of::<hlk_walk>(), 160);
        assert_eq!(offset!(hlk_walk, head), 0);
        assert_eq!(offset!(hlk_walk, paging), 24);
        assert_eq!(offset!(hlk_walk, roots), 88);
        assert_eq!(offset!(hlk_walk, mappings), 96);
        assert_eq!(offset!(hlk_walk, nr_roots), 104);
        assert_eq!(offset!(hlk_walk, nr_mappings), 108);
        assert_eq!(offset!(hlk_walk, mapping_size), 112);
        assert_eq!(offset!(hlk_walk, __reserved), 116);
        assert_eq!(offset!(hlk_walk, start), 120);
        assert_eq!(offset!(hlk_walk, end), 128);
        assert_eq!(offset!(hlk_walk, cursor), 136);
        assert_eq!(offset!(hlk_walk, tables_read), 144);
        assert_eq!(offset!(hlk_walk, format), 152);
        assert_eq!(offset!(hlk_walk, __reserved2), 156);
        assert_eq!(std::mem::size_of::<hlk_mark_cow>(), 168);
        assert_eq!(offset!(hlk_mark_cow, head), 0);
        assert_eq!(offset!(hlk_mark_cow, paging), 24);
        assert_eq!(offset!(hlk_mark_cow, roots), 88);
        assert_eq!(offset!(hlk_mark_cow, nr_roots), 96);
        assert_eq!(offset!(hlk_mark_cow, __reserved), 100);
        assert_eq!(offset!(hlk_mark_cow, start), 104);
        assert_eq!(offset!(hlk_mark_cow, end), 112);
        assert_eq!(offset!(hlk_mark_cow, marked), 120);
        assert_eq!(offset!(hlk_mark_cow, already), 128);
        assert_eq!(offset!(hlk_mark_cow, read_only), 136);
        assert_eq!(offset!(hlk_mark_cow, live), 144);
        assert_eq!(offset!(hlk_mark_cow, not_ram), 152);
        assert_eq!(offset!(hlk_mark_cow, tables), 160);
        assert_eq!(std::mem::size_of::<hlk_read>(), 56);
        assert_eq!(offset!(hlk_read, head), 0);
        assert_eq!(offset!(hlk_read, gpa), 24);
        assert_eq!(offset!(hlk_read, bytes), 32);
        assert_eq!(offset!(hlk_read, data), 40);
        assert_eq!(offset!(hlk_read, done), 48);
        assert_eq!(std::mem::size_of::<hlk_vm_stats>(), 224);
        assert_eq!(offset!(hlk_vm_stats, head), 0);
        assert_eq!(offset!(hlk_vm_stats, private_pages), 24);
        assert_eq!(offset!(hlk_vm_stats, max_private), 32);
        assert_eq!(offset!(hlk_vm_stats, read_faults), 40);
        assert_eq!(offset!(hlk_vm_stats, write_faults), 48);
        assert_eq!(offset!(hlk_vm_stats, over_budget), 56);
        assert_eq!(offset!(hlk_vm_stats, restores), 64);
        assert_eq!(offset!(hlk_vm_stats, switches), 72);
        assert_eq!(offset!(hlk_vm_stats, pages_copied), 80);
        assert_eq!(offset!(hlk_vm_stats, pages_cleared), 88);
        assert_eq!(offset!(hlk_vm_stats, pages_freed), 96);
        assert_eq!(offset!(hlk_vm_stats, unique), 104);
        assert_eq!(offset!(hlk_vm_stats, generation), 112);
        assert_eq!(offset!(hlk_vm_stats, pages_idle), 120);
        assert_eq!(offset!(hlk_vm_stats, prefaulted), 128);
        assert_eq!(offset!(hlk_vm_stats, runs), 136);
        assert_eq!(offset!(hlk_vm_stats, audits), 144);
        assert_eq!(offset!(hlk_vm_stats, audit_mapped), 152);
        assert_eq!(offset!(hlk_vm_stats, audit_absent), 160);
        assert_eq!(offset!(hlk_vm_stats, audit_beside), 168);
        assert_eq!(offset!(hlk_vm_stats, audit_elsewhere), 176);
        assert_eq!(offset!(hlk_vm_stats, residue), 184);
        assert_eq!(offset!(hlk_vm_stats, kept), 192);
        assert_eq!(offset!(hlk_vm_stats, learned), 200);
        assert_eq!(offset!(hlk_vm_stats, unread), 208);
        assert_eq!(offset!(hlk_vm_stats, unread_gpa), 216);
        assert_eq!(std::mem::size_of::<hlk_snapshot_info>(), 320);
        assert_eq!(offset!(hlk_snapshot_info, head), 0);
        assert_eq!(offset!(hlk_snapshot_info, flags), 24);
        assert_eq!(offset!(hlk_snapshot_info, nr_vcpus), 28);
        assert_eq!(offset!(hlk_snapshot_info, generation), 32);
        assert_eq!(offset!(hlk_snapshot_info, windows), 40);
        assert_eq!(offset!(hlk_snapshot_info, roots), 48);
        assert_eq!(offset!(hlk_snapshot_info, nr_windows), 56);
        assert_eq!(offset!(hlk_snapshot_info, window_size), 60);
        assert_eq!(offset!(hlk_snapshot_info, nr_roots), 64);
        assert_eq!(offset!(hlk_snapshot_info, __reserved), 68);
        assert_eq!(offset!(hlk_snapshot_info, first_free), 72);
        assert_eq!(offset!(hlk_snapshot_info, input_bytes), 80);
        assert_eq!(offset!(hlk_snapshot_info, output_bytes), 84);
        assert_eq!(offset!(hlk_snapshot_info, counts), 88);
        assert_eq!(offset!(hlk_snapshot_info, program_bytes), 280);
        assert_eq!(offset!(hlk_snapshot_info, __reserved2), 284);
        assert_eq!(offset!(hlk_snapshot_info, id), 288);
        assert_eq!(offset!(hlk_snapshot_info, parent_id), 296);
        assert_eq!(offset!(hlk_snapshot_info, file_pages), 304);
        assert_eq!(offset!(hlk_snapshot_info, file_read), 312);
        assert_eq!(std::mem::size_of::<hlk_vcpu_image>(), 136);
        assert_eq!(offset!(hlk_vcpu_image, regs), 0);
        assert_eq!(offset!(hlk_vcpu_image, fpu), 8);
        assert_eq!(offset!(hlk_vcpu_image, regs_bytes), 16);
        assert_eq!(offset!(hlk_vcpu_image, fpu_bytes), 20);
        assert_eq!(offset!(hlk_vcpu_image, flags), 24);
        assert_eq!(offset!(hlk_vcpu_image, mp_state), 28);
        assert_eq!(offset!(hlk_vcpu_image, ext_vector), 32);
        assert_eq!(offset!(hlk_vcpu_image, pkru), 36);
        assert_eq!(offset!(hlk_vcpu_image, tsc), 40);
        assert_eq!(offset!(hlk_vcpu_image, db), 48);
        assert_eq!(offset!(hlk_vcpu_image, dr6), 80);
        assert_eq!(offset!(hlk_vcpu_image, dr7), 88);
        assert_eq!(offset!(hlk_vcpu_image, xcr0), 96);
        assert_eq!(offset!(hlk_vcpu_image, xfd), 104);
        assert_eq!(offset!(hlk_vcpu_image, xsave_bytes), 112);
        assert_eq!(offset!(hlk_vcpu_image, __reserved), 120);
        assert_eq!(std::mem::size_of::<hlk_snapshot_export>(), 80);
        assert_eq!(offset!(hlk_snapshot_export, head), 0);
        assert_eq!(offset!(hlk_snapshot_export, vcpus), 24);
        assert_eq!(offset!(hlk_snapshot_export, nr_vcpus), 32);
        assert_eq!(offset!(hlk_snapshot_export, vcpu_size), 36);
        assert_eq!(offset!(hlk_snapshot_export, tables), 40);
        assert_eq!(offset!(hlk_snapshot_export, tables_gpa), 48);
        assert_eq!(offset!(hlk_snapshot_export, nr_tables), 56);
        assert_eq!(offset!(hlk_snapshot_export, touched_size), 60);
        assert_eq!(offset!(hlk_snapshot_export, touched), 64);
        assert_eq!(offset!(hlk_snapshot_export, nr_touched), 72);
        assert_eq!(offset!(hlk_snapshot_export, __reserved), 76);
        assert_eq!(std::mem::size_of::<hlk_extent>(), 32);
        assert_eq!(offset!(hlk_extent, gpa), 0);
        assert_eq!(offset!(hlk_extent, bytes), 8);
        assert_eq!(offset!(hlk_extent, offset), 16);
        assert_eq!(offset!(hlk_extent, source), 24);
        assert_eq!(offset!(hlk_extent, leaves), 28);
        assert_eq!(std::mem::size_of::<hlk_snapshot_pages>(), 56);
        assert_eq!(offset!(hlk_snapshot_pages, head), 0);
        assert_eq!(offset!(hlk_snapshot_pages, other_fd), 24);
        assert_eq!(offset!(hlk_snapshot_pages, __reserved), 28);
        assert_eq!(offset!(hlk_snapshot_pages, extents), 32);
        assert_eq!(offset!(hlk_snapshot_pages, nr_extents), 40);
        assert_eq!(offset!(hlk_snapshot_pages, extent_size), 44);
        assert_eq!(offset!(hlk_snapshot_pages, cursor), 48);
        assert_eq!(std::mem::size_of::<hlk_source>(), 8);
        assert_eq!(offset!(hlk_source, fd), 0);
        assert_eq!(offset!(hlk_source, __reserved), 4);
        assert_eq!(std::mem::size_of::<hlk_snapshot_import>(), 376);
        assert_eq!(offset!(hlk_snapshot_import, head), 0);
        assert_eq!(offset!(hlk_snapshot_import, flags), 24);
        assert_eq!(offset!(hlk_snapshot_import, parent_fd), 28);
        assert_eq!(offset!(hlk_snapshot_import, windows), 32);
        assert_eq!(offset!(hlk_snapshot_import, sources), 40);
        assert_eq!(offset!(hlk_snapshot_import, extents), 48);
        assert_eq!(offset!(hlk_snapshot_import, vcpus), 56);
        assert_eq!(offset!(hlk_snapshot_import, touched), 64);
        assert_eq!(offset!(hlk_snapshot_import, program), 72);
        assert_eq!(offset!(hlk_snapshot_import, roots), 80);
        assert_eq!(offset!(hlk_snapshot_import, tables), 88);
        assert_eq!(offset!(hlk_snapshot_import, tables_gpa), 96);
        assert_eq!(offset!(hlk_snapshot_import, first_free), 104);
        assert_eq!(offset!(hlk_snapshot_import, generation), 112);
        assert_eq!(offset!(hlk_snapshot_import, nr_windows), 120);
        assert_eq!(offset!(hlk_snapshot_import, window_size), 124);
        assert_eq!(offset!(hlk_snapshot_import, nr_sources), 128);
        assert_eq!(offset!(hlk_snapshot_import, source_size), 132);
        assert_eq!(offset!(hlk_snapshot_import, nr_extents), 136);
        assert_eq!(offset!(hlk_snapshot_import, extent_size), 140);
        assert_eq!(offset!(hlk_snapshot_import, nr_vcpus), 144);
        assert_eq!(offset!(hlk_snapshot_import, vcpu_size), 148);
        assert_eq!(offset!(hlk_snapshot_import, nr_touched), 152);
        assert_eq!(offset!(hlk_snapshot_import, touched_size), 156);
        assert_eq!(offset!(hlk_snapshot_import, program_bytes), 160);
        assert_eq!(offset!(hlk_snapshot_import, nr_roots), 164);
        assert_eq!(offset!(hlk_snapshot_import, nr_tables), 168);
        assert_eq!(offset!(hlk_snapshot_import, input_bytes), 172);
        assert_eq!(offset!(hlk_snapshot_import, output_bytes), 176);
        assert_eq!(offset!(hlk_snapshot_import, out_fd), 180);
        assert_eq!(offset!(hlk_snapshot_import, counts), 184);
        assert_eq!(std::mem::size_of::<hlk_guest_boot>(), 48);
        assert_eq!(offset!(hlk_guest_boot, size), 0);
        assert_eq!(offset!(hlk_guest_boot, mem_base), 4);
        assert_eq!(offset!(hlk_guest_boot, mem_end), 8);
        assert_eq!(offset!(hlk_guest_boot, heap_start), 12);
        assert_eq!(offset!(hlk_guest_boot, stack_top), 16);
        assert_eq!(offset!(hlk_guest_boot, stack_size), 20);
        assert_eq!(offset!(hlk_guest_boot, input_gpa), 24);
        assert_eq!(offset!(hlk_guest_boot, input_size), 28);
        assert_eq!(offset!(hlk_guest_boot, output_gpa), 32);
        assert_eq!(offset!(hlk_guest_boot, output_size), 36);
        assert_eq!(offset!(hlk_guest_boot, scratch_gpa), 40);
        assert_eq!(offset!(hlk_guest_boot, scratch_size), 44);
        assert_eq!(std::mem::size_of::<hlk_guest_call>(), 12);
        assert_eq!(offset!(hlk_guest_call, magic), 0);
        assert_eq!(offset!(hlk_guest_call, name_len), 4);
        assert_eq!(offset!(hlk_guest_call, arg_len), 8);
        assert_eq!(std::mem::size_of::<hlk_guest_ret>(), 12);
        assert_eq!(offset!(hlk_guest_ret, magic), 0);
        assert_eq!(offset!(hlk_guest_ret, status), 4);
        assert_eq!(offset!(hlk_guest_ret, len), 8);
        assert_eq!(std::mem::size_of::<hlk_guest_file>(), 80);
        assert_eq!(offset!(hlk_guest_file, gpa), 0);
        assert_eq!(offset!(hlk_guest_file, bytes), 8);
        assert_eq!(offset!(hlk_guest_file, label), 16);
        assert_eq!(std::mem::size_of::<hlk_guest_trap>(), 68);
        assert_eq!(offset!(hlk_guest_trap, magic), 0);
        assert_eq!(offset!(hlk_guest_trap, vector), 4);
        assert_eq!(offset!(hlk_guest_trap, error), 8);
        assert_eq!(offset!(hlk_guest_trap, cr2), 12);
        assert_eq!(offset!(hlk_guest_trap, cr3), 16);
        assert_eq!(offset!(hlk_guest_trap, eip), 20);
        assert_eq!(offset!(hlk_guest_trap, cs), 24);
        assert_eq!(offset!(hlk_guest_trap, eflags), 28);
        assert_eq!(offset!(hlk_guest_trap, esp), 32);
        assert_eq!(offset!(hlk_guest_trap, ss), 36);
        assert_eq!(offset!(hlk_guest_trap, eax), 40);
        assert_eq!(offset!(hlk_guest_trap, ecx), 44);
        assert_eq!(offset!(hlk_guest_trap, edx), 48);
        assert_eq!(offset!(hlk_guest_trap, ebx), 52);
        assert_eq!(offset!(hlk_guest_trap, ebp), 56);
        assert_eq!(offset!(hlk_guest_trap, esi), 60);
        assert_eq!(offset!(hlk_guest_trap, edi), 64);
        assert_eq!(std::mem::size_of::<hlk_guest_pages>(), 16);
        assert_eq!(offset!(hlk_guest_pages, gpa), 0);
        assert_eq!(offset!(hlk_guest_pages, pages), 8);
        assert_eq!(offset!(hlk_guest_pages, __reserved), 12);
        assert_eq!(std::mem::size_of::<hlk_guest_agent>(), 1056);
        assert_eq!(offset!(hlk_guest_agent, magic), 0);
        assert_eq!(offset!(hlk_guest_agent, version), 4);
        assert_eq!(offset!(hlk_guest_agent, nr_input), 8);
        assert_eq!(offset!(hlk_guest_agent, nr_output), 12);
        assert_eq!(offset!(hlk_guest_agent, __reserved), 16);
        assert_eq!(offset!(hlk_guest_agent, runs), 32);
        assert_eq!(std::mem::size_of::<hlk_err>(), 192);
        assert_eq!(offset!(hlk_err, code), 0);
        assert_eq!(offset!(hlk_err, what), 4);
        assert_eq!(offset!(hlk_err, why), 8);
        assert_eq!(offset!(hlk_err, index), 12);
        assert_eq!(offset!(hlk_err, r#where), 16);
        assert_eq!(offset!(hlk_err, op), 24);
        assert_eq!(offset!(hlk_err, text), 32);
        assert_eq!(offset!(hlk_err, __reserved), 144);
        assert_eq!(std::mem::size_of::<hlk_config>(), 80);
        assert_eq!(offset!(hlk_config, size), 0);
        assert_eq!(offset!(hlk_config, flags), 4);
        assert_eq!(offset!(hlk_config, mem_size), 8);
        assert_eq!(offset!(hlk_config, scratch_size), 16);
        assert_eq!(offset!(hlk_config, input_size), 24);
        assert_eq!(offset!(hlk_config, output_size), 28);
        assert_eq!(offset!(hlk_config, stack_size), 32);
        assert_eq!(offset!(hlk_config, log_level), 36);
        assert_eq!(offset!(hlk_config, seed), 40);
        assert_eq!(offset!(hlk_config, signal), 44);
        assert_eq!(offset!(hlk_config, max_private), 48);
        assert_eq!(offset!(hlk_config, keep_private), 56);
        assert_eq!(offset!(hlk_config, print), 64);
        assert_eq!(offset!(hlk_config, print_arg), 72);
        assert_eq!(std::mem::size_of::<hlk_file>(), 48);
        assert_eq!(offset!(hlk_file, size), 0);
        assert_eq!(offset!(hlk_file, flags), 4);
        assert_eq!(offset!(hlk_file, fd), 8);
        assert_eq!(offset!(hlk_file, __reserved), 12);
        assert_eq!(offset!(hlk_file, offset), 16);
        assert_eq!(offset!(hlk_file, bytes), 24);
        assert_eq!(offset!(hlk_file, gpa), 32);
        assert_eq!(offset!(hlk_file, label), 40);
        assert_eq!(std::mem::size_of::<hlk_call>(), 88);
        assert_eq!(offset!(hlk_call, name), 0);
        assert_eq!(offset!(hlk_call, r#in), 8);
        assert_eq!(offset!(hlk_call, in_len), 16);
        assert_eq!(offset!(hlk_call, out), 24);
        assert_eq!(offset!(hlk_call, out_size), 32);
        assert_eq!(offset!(hlk_call, out_len), 40);
        assert_eq!(offset!(hlk_call, timeout_us), 48);
        assert_eq!(offset!(hlk_call, err), 56);
        assert_eq!(offset!(hlk_call, ret), 64);
        assert_eq!(offset!(hlk_call, flags), 68);
        assert_eq!(offset!(hlk_call, __reserved), 72);
        assert_eq!(std::mem::size_of::<hlk_snapshot_config>(), 24);
        assert_eq!(offset!(hlk_snapshot_config, size), 0);
        assert_eq!(offset!(hlk_snapshot_config, flags), 4);
        assert_eq!(offset!(hlk_snapshot_config, roots), 8);
        assert_eq!(offset!(hlk_snapshot_config, nr_roots), 16);
        assert_eq!(offset!(hlk_snapshot_config, __reserved), 20);
        assert_eq!(std::mem::size_of::<hlk_save_config>(), 120);
        assert_eq!(offset!(hlk_save_config, size), 0);
        assert_eq!(offset!(hlk_save_config, flags), 4);
        assert_eq!(offset!(hlk_save_config, name), 8);
        assert_eq!(offset!(hlk_save_config, parent), 16);
        assert_eq!(offset!(hlk_save_config, pages), 24);
        assert_eq!(offset!(hlk_save_config, bytes), 32);
        assert_eq!(offset!(hlk_save_config, layers), 40);
        assert_eq!(offset!(hlk_save_config, __reserved), 44);
        assert_eq!(offset!(hlk_save_config, digest), 48);
        assert_eq!(std::mem::size_of::<hlk_load_config>(), 48);
        assert_eq!(offset!(hlk_load_config, size), 0);
        assert_eq!(offset!(hlk_load_config, flags), 4);
        assert_eq!(offset!(hlk_load_config, name), 8);
        assert_eq!(offset!(hlk_load_config, parent), 16);
        assert_eq!(offset!(hlk_load_config, pages), 24);
        assert_eq!(offset!(hlk_load_config, lazy), 32);
        assert_eq!(offset!(hlk_load_config, layers), 40);
        assert_eq!(offset!(hlk_load_config, __reserved), 44);
        assert_eq!(std::mem::size_of::<hlk_regs>(), 128);
        assert_eq!(offset!(hlk_regs, eax), 0);
        assert_eq!(offset!(hlk_regs, ebx), 4);
        assert_eq!(offset!(hlk_regs, ecx), 8);
        assert_eq!(offset!(hlk_regs, edx), 12);
        assert_eq!(offset!(hlk_regs, esi), 16);
        assert_eq!(offset!(hlk_regs, edi), 20);
        assert_eq!(offset!(hlk_regs, ebp), 24);
        assert_eq!(offset!(hlk_regs, esp), 28);
        assert_eq!(offset!(hlk_regs, eip), 32);
        assert_eq!(offset!(hlk_regs, eflags), 36);
        assert_eq!(offset!(hlk_regs, cr0), 40);
        assert_eq!(offset!(hlk_regs, cr2), 44);
        assert_eq!(offset!(hlk_regs, cr3), 48);
        assert_eq!(offset!(hlk_regs, cr4), 52);
        assert_eq!(offset!(hlk_regs, cs), 56);
        assert_eq!(offset!(hlk_regs, ss), 58);
        assert_eq!(offset!(hlk_regs, ds), 60);
        assert_eq!(offset!(hlk_regs, es), 62);
        assert_eq!(offset!(hlk_regs, fs), 64);
        assert_eq!(offset!(hlk_regs, gs), 66);
        assert_eq!(offset!(hlk_regs, __reserved), 68);
        assert_eq!(std::mem::size_of::<hlk_exit>(), 160);
        assert_eq!(offset!(hlk_exit, size), 0);
        assert_eq!(offset!(hlk_exit, __reserved), 4);
        assert_eq!(offset!(hlk_exit, reason), 8);
        assert_eq!(offset!(hlk_exit, code), 12);
        assert_eq!(offset!(hlk_exit, error_code), 16);
        assert_eq!(offset!(hlk_exit, flags), 20);
        assert_eq!(offset!(hlk_exit, fault), 24);
        assert_eq!(offset!(hlk_exit, regs), 32);
        assert_eq!(std::mem::size_of::<hlk_debug>(), 16);
        assert_eq!(offset!(hlk_debug, size), 0);
        assert_eq!(offset!(hlk_debug, event), 4);
        assert_eq!(offset!(hlk_debug, exception), 8);
        assert_eq!(offset!(hlk_debug, dr6), 12);
        assert_eq!(std::mem::size_of::<hlk_pool_config>(), 40);
        assert_eq!(offset!(hlk_pool_config, size), 0);
        assert_eq!(offset!(hlk_pool_config, flags), 4);
        assert_eq!(offset!(hlk_pool_config, sandboxes), 8);
        assert_eq!(offset!(hlk_pool_config, restorers), 12);
        assert_eq!(offset!(hlk_pool_config, config), 16);
        assert_eq!(offset!(hlk_pool_config, setup), 24);
        assert_eq!(offset!(hlk_pool_config, setup_arg), 32);
        assert_eq!(std::mem::size_of::<hlk_pool_stats>(), 768);
        assert_eq!(offset!(hlk_pool_stats, sandboxes), 0);
        assert_eq!(offset!(hlk_pool_stats, ready), 4);
        assert_eq!(offset!(hlk_pool_stats, out), 8);
        assert_eq!(offset!(hlk_pool_stats, dirty), 12);
        assert_eq!(offset!(hlk_pool_stats, missing), 16);
        assert_eq!(offset!(hlk_pool_stats, refused), 20);
        assert_eq!(offset!(hlk_pool_stats, gets), 24);
        assert_eq!(offset!(hlk_pool_stats, waits), 32);
        assert_eq!(offset!(hlk_pool_stats, wait_timeouts), 40);
        assert_eq!(offset!(hlk_pool_stats, moved), 48);
        assert_eq!(offset!(hlk_pool_stats, calls), 56);
        assert_eq!(offset!(hlk_pool_stats, call_failures), 64);
        assert_eq!(offset!(hlk_pool_stats, restores), 72);
        assert_eq!(offset!(hlk_pool_stats, restore_failures), 80);
        assert_eq!(offset!(hlk_pool_stats, replaced), 88);
        assert_eq!(offset!(hlk_pool_stats, make_failures), 96);
        assert_eq!(offset!(hlk_pool_stats, wait_ns), 104);
        assert_eq!(offset!(hlk_pool_stats, restore_ns), 112);
        assert_eq!(offset!(hlk_pool_stats, wait_hist), 120);
        assert_eq!(offset!(hlk_pool_stats, restore_hist), 440);
        assert_eq!(offset!(hlk_pool_stats, switches), 760);
        assert_eq!(std::mem::size_of::<hlk_ram>(), 24);
        assert_eq!(offset!(hlk_ram, gpa), 0);
        assert_eq!(offset!(hlk_ram, bytes), 8);
        assert_eq!(offset!(hlk_ram, mem), 16);
        assert_eq!(std::mem::size_of::<hlk_module>(), 24);
        assert_eq!(offset!(hlk_module, data), 0);
        assert_eq!(offset!(hlk_module, size), 8);
        assert_eq!(offset!(hlk_module, text), 16);
        assert_eq!(std::mem::size_of::<hlk_kernel>(), 80);
        assert_eq!(offset!(hlk_kernel, size), 0);
        assert_eq!(offset!(hlk_kernel, flags), 4);
        assert_eq!(offset!(hlk_kernel, protocol), 8);
        assert_eq!(offset!(hlk_kernel, nr_modules), 12);
        assert_eq!(offset!(hlk_kernel, image), 16);
        assert_eq!(offset!(hlk_kernel, image_size), 24);
        assert_eq!(offset!(hlk_kernel, initrd), 32);
        assert_eq!(offset!(hlk_kernel, initrd_size), 40);
        assert_eq!(offset!(hlk_kernel, cmdline), 48);
        assert_eq!(offset!(hlk_kernel, modules), 56);
        assert_eq!(offset!(hlk_kernel, gpa), 64);
        assert_eq!(offset!(hlk_kernel, rsdp), 72);
        assert_eq!(std::mem::size_of::<hlk_placed>(), 80);
        assert_eq!(offset!(hlk_placed, protocol), 0);
        assert_eq!(offset!(hlk_placed, __reserved), 4);
        assert_eq!(offset!(hlk_placed, entry), 8);
        assert_eq!(offset!(hlk_placed, kernel), 16);
        assert_eq!(offset!(hlk_placed, kernel_end), 24);
        assert_eq!(offset!(hlk_placed, initrd), 32);
        assert_eq!(offset!(hlk_placed, initrd_size), 40);
        assert_eq!(offset!(hlk_placed, cmdline), 48);
        assert_eq!(offset!(hlk_placed, info), 56);
        assert_eq!(offset!(hlk_placed, tables), 64);
        assert_eq!(offset!(hlk_placed, rsdp), 72);
        assert_eq!(std::mem::size_of::<hlk_access>(), 24);
        assert_eq!(offset!(hlk_access, flags), 0);
        assert_eq!(offset!(hlk_access, size), 4);
        assert_eq!(offset!(hlk_access, addr), 8);
        assert_eq!(offset!(hlk_access, value), 16);
        assert_eq!(std::mem::size_of::<hlk_machine_device>(), 40);
        assert_eq!(offset!(hlk_machine_device, size), 0);
        assert_eq!(offset!(hlk_machine_device, state_bytes), 4);
        assert_eq!(offset!(hlk_machine_device, arg), 8);
        assert_eq!(offset!(hlk_machine_device, access), 16);
        assert_eq!(offset!(hlk_machine_device, save), 24);
        assert_eq!(offset!(hlk_machine_device, load), 32);
        assert_eq!(std::mem::size_of::<hlk_machine_config>(), 72);
        assert_eq!(offset!(hlk_machine_config, size), 0);
        assert_eq!(offset!(hlk_machine_config, flags), 4);
        assert_eq!(offset!(hlk_machine_config, nr_cpus), 8);
        assert_eq!(offset!(hlk_machine_config, nr_ram), 12);
        assert_eq!(offset!(hlk_machine_config, ram), 16);
        assert_eq!(offset!(hlk_machine_config, mem_size), 24);
        assert_eq!(offset!(hlk_machine_config, max_private), 32);
        assert_eq!(offset!(hlk_machine_config, keep_private), 40);
        assert_eq!(offset!(hlk_machine_config, print), 48);
        assert_eq!(offset!(hlk_machine_config, print_arg), 56);
        assert_eq!(offset!(hlk_machine_config, device), 64);
        assert_eq!(std::mem::size_of::<hlk_machine_run>(), 128);
        assert_eq!(offset!(hlk_machine_run, size), 0);
        assert_eq!(offset!(hlk_machine_run, flags), 4);
        assert_eq!(offset!(hlk_machine_run, print), 8);
        assert_eq!(offset!(hlk_machine_run, addr), 16);
        assert_eq!(offset!(hlk_machine_run, port), 24);
        assert_eq!(offset!(hlk_machine_run, stop), 28);
        assert_eq!(offset!(hlk_machine_run, timeout_us), 32);
        assert_eq!(offset!(hlk_machine_run, value), 40);
        assert_eq!(offset!(hlk_machine_run, rip), 48);
        assert_eq!(offset!(hlk_machine_run, cr3), 56);
        assert_eq!(offset!(hlk_machine_run, cr0), 64);
        assert_eq!(offset!(hlk_machine_run, cs_base), 72);
        assert_eq!(offset!(hlk_machine_run, copied), 80);
        assert_eq!(offset!(hlk_machine_run, exits), 88);
        assert_eq!(offset!(hlk_machine_run, idle_us), 96);
        assert_eq!(offset!(hlk_machine_run, rflags), 104);
        assert_eq!(offset!(hlk_machine_run, ring), 112);
        assert_eq!(offset!(hlk_machine_run, bits), 116);
        assert_eq!(offset!(hlk_machine_run, cpu), 120);
    }
}
