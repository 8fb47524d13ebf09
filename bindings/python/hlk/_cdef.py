# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
"""Made by bindings/generate.py of hlk.h, linux/hlk.h and linux/hlk_guest.h"""
CDEF = '''
typedef uint8_t __u8;
typedef uint16_t __u16;
typedef uint32_t __u32;
typedef uint64_t __u64;
typedef int8_t __s8;
typedef int16_t __s16;
typedef int32_t __s32;
typedef int64_t __s64;
struct kvm_regs;
struct kvm_sregs;
enum 
{
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
  HLK_CMD_SNAPSHOT_PAGES = 0x42
};
enum hlk_why
{
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
  HLK_WHY_BASE_READ
};
struct hlk_head
{
  __u32 size;
  __u32 flags;
  __u32 why;
  __u32 index;
  __u64 where;
};
struct hlk_info
{
  struct hlk_head head;
  __u32 version;
  __u32 max_windows;
  __u32 max_vcpus;
  __u32 max_roots;
  __u32 max_tables;
  __u32 max_segments;
  __u64 features;
  __u64 max_pages;
  __u64 max_private;
  __u64 live_vms;
  __u64 live_snapshots;
  __u64 live_pages;
  __u32 max_inputs;
  __u32 max_input_bytes;
  __u32 max_struct;
  __u32 vcpu_size;
};
struct hlk_vm_attach
{
  struct hlk_head head;
  __s32 vm_fd;
  __s32 out_fd;
  __u64 max_private;
  __u64 keep_private;
};
struct hlk_window
{
  __u64 gpa;
  __u64 bytes;
  __u32 flags;
  __u32 __reserved;
  __u64 __reserved2[3];
};
struct hlk_window_add
{
  struct hlk_head head;
  struct hlk_window window;
};
struct hlk_segment
{
  __u64 gpa;
  __u64 bytes;
  __u64 data;
};
struct hlk_program_header
{
  __u32 size;
  __u32 entry_size;
  __u32 nr_entries;
  __u32 flags;
  __u64 __reserved[2];
};
struct hlk_program_entry
{
  __u32 cmd;
  __u32 target;
  __u32 offset;
  __u32 bytes;
  __u32 flags;
  __u32 __reserved[3];
};
struct hlk_snapshot_build
{
  struct hlk_head head;
  __u32 nr_windows;
  __u32 window_size;
  __u32 nr_segments;
  __u32 segment_size;
  __u32 nr_vcpus;
  __u32 vcpu_size;
  __u64 windows;
  __u64 segments;
  __u64 vcpus;
  __s32 out_fd;
  __u32 __reserved;
  __u64 program;
  __u32 program_bytes;
  __u32 __reserved2;
};
struct hlk_snapshot_counts
{
  __u64 pages;
  __u64 copied;
  __u64 inherited;
  __u64 zero;
  __u64 tables;
  __u64 tables_read;
  __u64 aliased;
  __u64 large;
  __u64 leaf_not_ram;
  __u64 table_not_ram;
  __u64 duplicate;
  __u64 tables_kept;
  __u64 residue;
  __u64 __reserved[11];
};
struct hlk_snapshot
{
  struct hlk_head head;
  __s32 out_fd;
  __u32 nr_roots;
  __u64 roots;
  __u32 input_bytes;
  __u32 output_bytes;
  struct hlk_snapshot_counts counts;
  __u64 program;
  __u32 program_bytes;
  __u32 __reserved;
};
struct hlk_restore
{
  struct hlk_head head;
  __s32 snapshot_fd;
  __u32 residue;
  __u64 copied;
  __u64 cleared;
  __u64 freed;
  __u64 private_pages;
  __u64 program;
};
enum hlk_audit_reg
{
  HLK_AUDIT_REGS = 1,
  HLK_AUDIT_FPU,
  HLK_AUDIT_MP_STATE,
  HLK_AUDIT_DEBUGREGS,
  HLK_AUDIT_XCR0,
  HLK_AUDIT_PENDING,
  HLK_AUDIT_TLB
};
enum hlk_refused
{
  HLK_REFUSED_CR0 = 1,
  HLK_REFUSED_CR3,
  HLK_REFUSED_CR4,
  HLK_REFUSED_EFER,
  HLK_REFUSED_APIC_BASE,
  HLK_REFUSED_EVENTS,
  HLK_REFUSED_MP_STATE
};
struct hlk_run_call
{
  __u64 in_gpa;
  __u64 in_bytes;
  __u64 in;
  __u64 out_gpa;
  __u64 out_bytes;
  __u64 out;
  __u32 out_used;
  __u32 log_used;
  __u32 residue;
  __u32 __reserved;
};
struct hlk_run
{
  struct hlk_head head;
  __s32 vcpu_fd;
  __u32 done;
  __u64 inputs;
  __u32 nr_inputs;
  __u32 input_size;
  __u64 regs;
  __u64 log;
  __u32 log_size;
  __u32 log_used;
  __u32 log_port;
  __u32 exit_reason;
  __u32 entries;
  __u32 residue;
  __u64 copied;
  __u64 cleared;
  __u64 freed;
  __u64 private_pages;
  __u64 timeout_ns;
  __u64 deadline_ns;
  __u64 program;
  __u64 calls;
  __u32 nr_calls;
  __u32 call_size;
  __u32 calls_done;
  __u32 __reserved;
  __u64 call_timeout_ns;
  __u64 call_deadline_ns;
  __u64 turn;
};
struct hlk_kick
{
  struct hlk_head head;
  __u32 vcpu;
  __u32 kicked;
};
struct hlk_many_call
{
  __s32 vm_fd;
  __u32 __reserved;
  __u64 run;
  __s32 ret;
  __u32 why;
};
struct hlk_run_many
{
  struct hlk_head head;
  __u64 calls;
  __u32 nr_calls;
  __u32 call_size;
  __u32 nr_done;
  __u32 __reserved;
};
struct hlk_uring
{
  __u64 arg;
  __u64 __reserved;
};
struct hlk_touched
{
  __u64 gpa;
  __u64 pages;
  __u32 flags;
  __u32 __reserved;
};
struct hlk_prefault
{
  struct hlk_head head;
  __u64 runs;
  __u32 nr_runs;
  __u32 run_size;
  __u64 made;
};
struct hlk_paging
{
  __u32 flags;
  __u32 maxphyaddr;
  __u32 pkru;
  __u32 pkrs;
  __u64 pdpte[4];
  __u64 __reserved[2];
};
struct hlk_translate
{
  struct hlk_head head;
  struct hlk_paging paging;
  __u64 root;
  __u64 va;
  __u64 gpa;
  __u64 entry[5];
  __u32 map;
  __u32 page_shift;
  __u32 format;
  __u32 __reserved;
};
struct hlk_mapping
{
  __u64 va;
  __u64 gpa;
  __u64 pages;
  __u64 attributes;
  __u32 root;
  __u32 map;
  __u64 alias_va;
  __u32 alias_root;
  __u32 page_shift;
};
struct hlk_walk
{
  struct hlk_head head;
  struct hlk_paging paging;
  __u64 roots;
  __u64 mappings;
  __u32 nr_roots;
  __u32 nr_mappings;
  __u32 mapping_size;
  __u32 __reserved;
  __u64 start;
  __u64 end;
  __u64 cursor;
  __u64 tables_read;
  __u32 format;
  __u32 __reserved2;
};
struct hlk_mark_cow
{
  struct hlk_head head;
  struct hlk_paging paging;
  __u64 roots;
  __u32 nr_roots;
  __u32 __reserved;
  __u64 start;
  __u64 end;
  __u64 marked;
  __u64 already;
  __u64 read_only;
  __u64 live;
  __u64 not_ram;
  __u64 tables;
};
struct hlk_read
{
  struct hlk_head head;
  __u64 gpa;
  __u64 bytes;
  __u64 data;
  __u64 done;
};
struct hlk_vm_stats
{
  struct hlk_head head;
  __u64 private_pages;
  __u64 max_private;
  __u64 read_faults;
  __u64 write_faults;
  __u64 over_budget;
  __u64 restores;
  __u64 switches;
  __u64 pages_copied;
  __u64 pages_cleared;
  __u64 pages_freed;
  __u64 unique;
  __u64 generation;
  __u64 pages_idle;
  __u64 prefaulted;
  __u64 runs;
  __u64 audits;
  __u64 audit_mapped;
  __u64 audit_absent;
  __u64 audit_beside;
  __u64 audit_elsewhere;
  __u64 residue;
  __u64 kept;
  __u64 learned;
  __u64 unread;
  __u64 unread_gpa;
};
struct hlk_snapshot_info
{
  struct hlk_head head;
  __u32 flags;
  __u32 nr_vcpus;
  __u64 generation;
  __u64 windows;
  __u64 roots;
  __u32 nr_windows;
  __u32 window_size;
  __u32 nr_roots;
  __u32 __reserved;
  __u64 first_free;
  __u32 input_bytes;
  __u32 output_bytes;
  struct hlk_snapshot_counts counts;
  __u32 program_bytes;
  __u32 __reserved2;
  __u64 id;
  __u64 parent_id;
  __u64 file_pages;
  __u64 file_read;
};
struct hlk_vcpu_image
{
  __u64 regs;
  __u64 fpu;
  __u32 regs_bytes;
  __u32 fpu_bytes;
  __u32 flags;
  __u32 mp_state;
  __s32 ext_vector;
  __u32 pkru;
  __u64 tsc;
  __u64 db[4];
  __u64 dr6;
  __u64 dr7;
  __u64 xcr0;
  __u64 xfd;
  __u32 xsave_bytes[2];
  __u64 __reserved[2];
};
struct hlk_snapshot_export
{
  struct hlk_head head;
  __u64 vcpus;
  __u32 nr_vcpus;
  __u32 vcpu_size;
  __u64 tables;
  __u64 tables_gpa;
  __u32 nr_tables;
  __u32 touched_size;
  __u64 touched;
  __u32 nr_touched;
  __u32 __reserved;
};
struct hlk_extent
{
  __u64 gpa;
  __u64 bytes;
  __u64 offset;
  __u32 source;
  __u32 leaves;
};
struct hlk_snapshot_pages
{
  struct hlk_head head;
  __s32 other_fd;
  __u32 __reserved;
  __u64 extents;
  __u32 nr_extents;
  __u32 extent_size;
  __u64 cursor;
};
struct hlk_source
{
  __s32 fd;
  __u32 __reserved;
};
struct hlk_snapshot_import
{
  struct hlk_head head;
  __u32 flags;
  __s32 parent_fd;
  __u64 windows;
  __u64 sources;
  __u64 extents;
  __u64 vcpus;
  __u64 touched;
  __u64 program;
  __u64 roots;
  __u64 tables;
  __u64 tables_gpa;
  __u64 first_free;
  __u64 generation;
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
struct hlk_guest_boot
{
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
struct hlk_guest_call
{
  __u32 magic;
  __u32 name_len;
  __u32 arg_len;
};
struct hlk_guest_ret
{
  __u32 magic;
  __u32 status;
  __u32 len;
};
struct hlk_guest_file
{
  __u64 gpa;
  __u64 bytes;
  char label[64];
};
struct hlk_guest_trap
{
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
struct hlk_guest_pages
{
  __u64 gpa;
  __u32 pages;
  __u32 __reserved;
};
struct hlk_guest_agent
{
  __u32 magic;
  __u32 version;
  __u32 nr_input;
  __u32 nr_output;
  __u64 __reserved[2];
  struct hlk_guest_pages runs[64];
};
uint32_t hlk_version(void);
const char *hlk_version_text(void);
struct hlk_batch;
struct hlk_ctx;
struct hlk_inspect;
struct hlk_pool;
struct hlk_sandbox;
struct hlk_snap;
enum hlk_what
{
  HLK_WHAT_NONE = 0,
  HLK_WHAT_SYSTEM,
  HLK_WHAT_MODULE,
  HLK_WHAT_NO_MODULE,
  HLK_WHAT_NO_KVM,
  HLK_WHAT_PERMISSION,
  HLK_WHAT_VERSION,
  HLK_WHAT_KVM_CAP,
  HLK_WHAT_ARGUMENT,
  HLK_WHAT_FILE,
  HLK_WHAT_ELF,
  HLK_WHAT_IMAGE_SIZE,
  HLK_WHAT_SCRATCH_SIZE,
  HLK_WHAT_LAYOUT,
  HLK_WHAT_NEEDS_RESTORE,
  HLK_WHAT_NOT_READY,
  HLK_WHAT_IN_CALL,
  HLK_WHAT_INPUT,
  HLK_WHAT_OUTPUT,
  HLK_WHAT_BUDGET,
  HLK_WHAT_GUEST_STATUS,
  HLK_WHAT_GUEST_EXIT,
  HLK_WHAT_TIMEOUT,
  HLK_WHAT_KICKED,
  HLK_WHAT_EXISTS,
  HLK_WHAT_FEATURE,
  HLK_WHAT_AUDIT,
  HLK_WHAT_POOL_EMPTY,
  HLK_WHAT_POOL_IN_USE,
  HLK_WHAT_FLAGS,
  HLK_WHAT_STRUCT,
  HLK_WHAT_NEWER,
  HLK_WHAT_KERNEL,
  HLK_WHAT_SAVED
};
struct hlk_err
{
  int32_t code;
  uint32_t what;
  uint32_t why;
  uint32_t index;
  uint64_t where;
  const char *op;
  char text[112];
  uint64_t __reserved[6];
};
const char *hlk_strerror(const struct hlk_err *err, char *buf, size_t size);
int hlk_open(struct hlk_ctx **ctx, struct hlk_err *err);
void hlk_close(struct hlk_ctx *ctx);
int hlk_get_info_sized(struct hlk_ctx *ctx, struct hlk_info *info, size_t size, struct hlk_err *err);
typedef void (*hlk_print_fn)(void *arg, const char *text, size_t len);
typedef int (*hlk_host_fn)(void *arg, const void *in, size_t in_len, void *out, size_t out_size, size_t *out_len);
struct hlk_config
{
  uint32_t size;
  uint32_t flags;
  uint64_t mem_size;
  uint64_t scratch_size;
  uint32_t input_size;
  uint32_t output_size;
  uint32_t stack_size;
  uint32_t log_level;
  uint32_t seed;
  uint32_t signal;
  uint64_t max_private;
  uint64_t keep_private;
  hlk_print_fn print;
  void *print_arg;
};
int hlk_sandbox_from_image(struct hlk_ctx *ctx, const void *image, size_t size, const struct hlk_config *config, struct hlk_sandbox **sb, struct hlk_err *err);
int hlk_sandbox_from_file(struct hlk_ctx *ctx, int fd, const struct hlk_config *config, struct hlk_sandbox **sb, struct hlk_err *err);
int hlk_sandbox_from_path(struct hlk_ctx *ctx, const char *path, const struct hlk_config *config, struct hlk_sandbox **sb, struct hlk_err *err);
int hlk_sandbox_from_snapshot(struct hlk_ctx *ctx, struct hlk_snap *snap, const struct hlk_config *config, struct hlk_sandbox **sb, struct hlk_err *err);
void hlk_sandbox_close(struct hlk_sandbox *sb);
const struct hlk_err *hlk_sandbox_error(const struct hlk_sandbox *sb);
int hlk_sandbox_host_function(struct hlk_sandbox *sb, const char *name, hlk_host_fn fn, void *arg);
struct hlk_file
{
  uint32_t size;
  uint32_t flags;
  int32_t fd;
  uint32_t __reserved;
  uint64_t offset;
  uint64_t bytes;
  uint64_t gpa;
  const char *label;
};
int hlk_sandbox_map_file(struct hlk_sandbox *sb, const struct hlk_file *file);
int hlk_sandbox_unmap_file(struct hlk_sandbox *sb, const char *label);
int hlk_sandbox_boot(struct hlk_sandbox *sb, uint64_t timeout_us);
int hlk_sandbox_call(struct hlk_sandbox *sb, const char *name, const void *in, size_t in_len, void *out, size_t out_size, size_t *out_len, uint64_t timeout_us);
int hlk_sandbox_restore_call(struct hlk_sandbox *sb, const char *name, const void *in, size_t in_len, void *out, size_t out_size, size_t *out_len, uint64_t timeout_us);
struct hlk_call
{
  const char *name;
  const void *in;
  size_t in_len;
  void *out;
  size_t out_size;
  size_t out_len;
  uint64_t timeout_us;
  struct hlk_err *err;
  int32_t ret;
  uint32_t flags;
  uint64_t __reserved[2];
};
int hlk_sandbox_calls(struct hlk_sandbox *sb, struct hlk_call *calls, uint32_t nr, uint32_t flags);
int hlk_sandbox_kick(struct hlk_sandbox *sb);
struct hlk_snapshot_config
{
  uint32_t size;
  uint32_t flags;
  const uint64_t *roots;
  uint32_t nr_roots;
  uint32_t __reserved;
};
int hlk_sandbox_snapshot(struct hlk_sandbox *sb, const struct hlk_snapshot_config *config, struct hlk_snap **snap);
int hlk_sandbox_fork(struct hlk_sandbox *sb, const struct hlk_config *config, struct hlk_sandbox **child);
int hlk_sandbox_restore(struct hlk_sandbox *sb, struct hlk_snap *snap);
const struct hlk_restore *hlk_sandbox_restored(const struct hlk_sandbox *sb);
int hlk_sandbox_audit(struct hlk_sandbox *sb);
int hlk_snapshot_from_fd(int fd, struct hlk_snap **snap, struct hlk_err *err);
int hlk_snapshot_fd(const struct hlk_snap *snap);
int hlk_snapshot_get_info_sized(const struct hlk_snap *snap, struct hlk_snapshot_info *info, size_t size, struct hlk_err *err);
struct hlk_save_config
{
  uint32_t size;
  uint32_t flags;
  const char *name;
  struct hlk_snap *parent;
  uint64_t pages;
  uint64_t bytes;
  uint32_t layers;
  uint32_t __reserved;
  char digest[72];
};
int hlk_snapshot_save(struct hlk_ctx *ctx, struct hlk_snap *snap, const char *folder, struct hlk_save_config *save, struct hlk_err *err);
struct hlk_load_config
{
  uint32_t size;
  uint32_t flags;
  const char *name;
  struct hlk_snap *parent;
  uint64_t pages;
  uint64_t lazy;
  uint32_t layers;
  uint32_t __reserved;
};
int hlk_snapshot_load(struct hlk_ctx *ctx, const char *folder, struct hlk_load_config *load, struct hlk_snap **snap, struct hlk_err *err);
void hlk_snapshot_close(struct hlk_snap *snap);
enum hlk_exit_reason
{
  HLK_EXIT_NONE = 0,
  HLK_EXIT_HALT,
  HLK_EXIT_ABORT,
  HLK_EXIT_TRAP,
  HLK_EXIT_SHUTDOWN,
  HLK_EXIT_NO_MEMORY,
  HLK_EXIT_PORT,
  HLK_EXIT_PROTOCOL,
  HLK_EXIT_BUDGET,
  HLK_EXIT_FAULT,
  HLK_EXIT_TIMEOUT,
  HLK_EXIT_KICKED,
  HLK_EXIT_FAIL_ENTRY,
  HLK_EXIT_INTERNAL,
  HLK_EXIT_UNKNOWN,
  HLK_EXIT_OFF
};
struct hlk_regs
{
  uint32_t eax;
  uint32_t ebx;
  uint32_t ecx;
  uint32_t edx;
  uint32_t esi;
  uint32_t edi;
  uint32_t ebp;
  uint32_t esp;
  uint32_t eip;
  uint32_t eflags;
  uint32_t cr0;
  uint32_t cr2;
  uint32_t cr3;
  uint32_t cr4;
  uint16_t cs;
  uint16_t ss;
  uint16_t ds;
  uint16_t es;
  uint16_t fs;
  uint16_t gs;
  uint32_t __reserved[15];
};
struct hlk_exit
{
  uint32_t size;
  uint32_t __reserved;
  uint32_t reason;
  uint32_t code;
  uint32_t error_code;
  uint32_t flags;
  uint64_t fault;
  struct hlk_regs regs;
};
const struct hlk_exit *hlk_sandbox_exit(struct hlk_sandbox *sb);
int hlk_sandbox_regs(struct hlk_sandbox *sb, struct hlk_regs *regs);
const char *hlk_exit_reason_text(uint32_t reason);
int hlk_sandbox_stats_sized(struct hlk_sandbox *sb, struct hlk_vm_stats *stats, size_t size);
int hlk_sandbox_translate_sized(struct hlk_sandbox *sb, struct hlk_translate *translate, size_t size);
int hlk_sandbox_walk_sized(struct hlk_sandbox *sb, struct hlk_walk *walk, size_t size);
int hlk_sandbox_mark_cow_sized(struct hlk_sandbox *sb, struct hlk_mark_cow *mark, size_t size);
int hlk_inspect_open(struct hlk_ctx *ctx, int vm_fd, struct hlk_inspect **inspect, struct hlk_err *err);
void hlk_inspect_close(struct hlk_inspect *inspect);
int hlk_inspect_translate_sized(struct hlk_inspect *inspect, struct hlk_translate *translate, size_t size, struct hlk_err *err);
int hlk_inspect_walk_sized(struct hlk_inspect *inspect, struct hlk_walk *walk, size_t size, struct hlk_err *err);
int hlk_inspect_read(struct hlk_inspect *inspect, uint64_t gpa, void *buf, size_t *len, struct hlk_err *err);
int hlk_sandbox_roots(struct hlk_sandbox *sb, uint64_t *roots, uint32_t *nr_roots);
int hlk_sandbox_read(struct hlk_sandbox *sb, uint64_t gpa, void *buf, size_t len);
int hlk_sandbox_write(struct hlk_sandbox *sb, uint64_t gpa, const void *buf, size_t len);
int hlk_sandbox_counter_add(struct hlk_sandbox *sb, int64_t by);
uint64_t hlk_sandbox_counter(struct hlk_sandbox *sb);
enum hlk_fd
{
  HLK_FD_HLK,
  HLK_FD_VM,
  HLK_FD_VCPU
};
int hlk_sandbox_fd(const struct hlk_sandbox *sb, enum hlk_fd which);
enum hlk_debug_event
{
  HLK_DEBUG_BEGIN = 1,
  HLK_DEBUG_EXIT,
  HLK_DEBUG_KICK,
  HLK_DEBUG_FAILED
};
struct hlk_debug
{
  uint32_t size;
  uint32_t event;
  uint32_t exception;
  uint32_t dr6;
};
typedef int (*hlk_debug_fn)(void *arg, struct hlk_sandbox *sb, const struct hlk_debug *debug);
int hlk_sandbox_debug(struct hlk_sandbox *sb, hlk_debug_fn fn, void *arg);
int hlk_batch_open(struct hlk_ctx *ctx, uint32_t size, struct hlk_batch **batch, struct hlk_err *err);
void hlk_batch_close(struct hlk_batch *batch);
int hlk_batch_restore(struct hlk_batch *batch, struct hlk_sandbox *sb, struct hlk_snap *snap, uint32_t flags);
int hlk_batch_restore_call(struct hlk_batch *batch, struct hlk_sandbox *sb, const char *name, const void *in, size_t in_len, void *out, size_t out_size, size_t *out_len, uint64_t timeout_us);
int hlk_batch_submit(struct hlk_batch *batch);
int hlk_batch_result(const struct hlk_batch *batch, uint32_t index);
typedef int (*hlk_setup_fn)(void *arg, struct hlk_sandbox *sb);
struct hlk_pool_config
{
  uint32_t size;
  uint32_t flags;
  uint32_t sandboxes;
  uint32_t restorers;
  const struct hlk_config *config;
  hlk_setup_fn setup;
  void *setup_arg;
};
struct hlk_pool_stats
{
  uint32_t sandboxes;
  uint32_t ready;
  uint32_t out;
  uint32_t dirty;
  uint32_t missing;
  uint32_t refused;
  uint64_t gets;
  uint64_t waits;
  uint64_t wait_timeouts;
  uint64_t moved;
  uint64_t calls;
  uint64_t call_failures;
  uint64_t restores;
  uint64_t restore_failures;
  uint64_t replaced;
  uint64_t make_failures;
  uint64_t wait_ns;
  uint64_t restore_ns;
  uint64_t wait_hist[40];
  uint64_t restore_hist[40];
  uint64_t switches;
};
int hlk_pool_open(struct hlk_ctx *ctx, struct hlk_snap *snap, const struct hlk_pool_config *config, struct hlk_pool **pool, struct hlk_err *err);
int hlk_pool_close(struct hlk_pool *pool);
int hlk_pool_get(struct hlk_pool *pool, uint64_t wait_us, struct hlk_sandbox **sb, struct hlk_err *err);
int hlk_pool_get_from(struct hlk_pool *pool, struct hlk_snap *snap, uint64_t wait_us, struct hlk_sandbox **sb, struct hlk_err *err);
void hlk_pool_put(struct hlk_pool *pool, struct hlk_sandbox *sb);
void hlk_pool_discard(struct hlk_pool *pool, struct hlk_sandbox *sb);
int hlk_pool_call(struct hlk_pool *pool, uint64_t wait_us, const char *name, const void *in, size_t in_len, void *out, size_t out_size, size_t *out_len, uint64_t timeout_us, struct hlk_err *err);
int hlk_pool_call_from(struct hlk_pool *pool, struct hlk_snap *snap, uint64_t wait_us, const char *name, const void *in, size_t in_len, void *out, size_t out_size, size_t *out_len, uint64_t timeout_us, struct hlk_err *err);
int hlk_pool_calls(struct hlk_pool *pool, uint64_t wait_us, struct hlk_call *calls, uint32_t nr, uint32_t flags, struct hlk_err *err);
int hlk_pool_calls_from(struct hlk_pool *pool, struct hlk_snap *snap, uint64_t wait_us, struct hlk_call *calls, uint32_t nr, uint32_t flags, struct hlk_err *err);
void hlk_pool_stats_sized(struct hlk_pool *pool, struct hlk_pool_stats *stats, size_t size);
size_t hlk_pool_metrics(struct hlk_pool *pool, const char *name, char *buf, size_t size);
enum hlk_protocol
{
  HLK_PROTOCOL_AUTO = 0,
  HLK_PROTOCOL_LINUX32,
  HLK_PROTOCOL_LINUX64,
  HLK_PROTOCOL_PVH,
  HLK_PROTOCOL_MULTIBOOT,
  HLK_PROTOCOL_FLAT16,
  HLK_PROTOCOL_FLAT32,
  HLK_PROTOCOL_NANVIX
};
struct hlk_ram
{
  uint64_t gpa;
  uint64_t bytes;
  void *mem;
};
struct hlk_module
{
  const void *data;
  uint64_t size;
  const char *text;
};
struct hlk_kernel
{
  uint32_t size;
  uint32_t flags;
  uint32_t protocol;
  uint32_t nr_modules;
  const void *image;
  uint64_t image_size;
  const void *initrd;
  uint64_t initrd_size;
  const char *cmdline;
  const struct hlk_module *modules;
  uint64_t gpa;
  uint64_t rsdp;
};
struct hlk_placed
{
  uint32_t protocol;
  uint32_t __reserved;
  uint64_t entry;
  uint64_t kernel;
  uint64_t kernel_end;
  uint64_t initrd;
  uint64_t initrd_size;
  uint64_t cmdline;
  uint64_t info;
  uint64_t tables;
  uint64_t rsdp;
};
int hlk_kernel_load_sized(const struct hlk_kernel *kernel, const struct hlk_ram *ram, uint32_t nr_ram, struct kvm_regs *regs, struct kvm_sregs *sregs, struct hlk_placed *placed, size_t size, struct hlk_err *err);
const char *hlk_protocol_text(uint32_t protocol);
struct hlk_machine;
struct hlk_access
{
  uint32_t flags;
  uint32_t size;
  uint64_t addr;
  uint64_t value;
};
struct hlk_machine_device
{
  uint32_t size;
  uint32_t state_bytes;
  void *arg;
  void (*access)(void *arg, struct hlk_access *access);
  void (*save)(void *arg, void *state);
  void (*load)(void *arg, const void *state);
};
struct hlk_machine_config
{
  uint32_t size;
  uint32_t flags;
  uint32_t nr_cpus;
  uint32_t nr_ram;
  const struct hlk_ram *ram;
  uint64_t mem_size;
  uint64_t max_private;
  uint64_t keep_private;
  hlk_print_fn print;
  void *print_arg;
  const struct hlk_machine_device *device;
};
int hlk_machine_create(struct hlk_ctx *ctx, const struct hlk_machine_config *config, struct hlk_machine **machine, struct hlk_err *err);
int hlk_machine_from_snapshot(struct hlk_ctx *ctx, struct hlk_snap *snap, const struct hlk_machine_config *config, struct hlk_machine **machine, struct hlk_err *err);
void hlk_machine_close(struct hlk_machine *machine);
const struct hlk_err *hlk_machine_error(const struct hlk_machine *machine);
int hlk_machine_load_sized(struct hlk_machine *machine, const struct hlk_kernel *kernel, struct hlk_placed *placed, size_t size);
enum hlk_stop
{
  HLK_STOP_NONE = 0,
  HLK_STOP_PRINT,
  HLK_STOP_PORT,
  HLK_STOP_ADDR,
  HLK_STOP_IDLE,
  HLK_STOP_TIME,
  HLK_STOP_OFF,
  HLK_STOP_RESET,
  HLK_STOP_EXIT,
  HLK_STOP_HALT,
  HLK_STOP_SHUTDOWN,
  HLK_STOP_ENTRY,
  HLK_STOP_INTERNAL,
  HLK_STOP_UNKNOWN,
  HLK_STOP_ASKED,
  HLK_STOP_DEBUG
};
struct hlk_machine_run
{
  uint32_t size;
  uint32_t flags;
  const char *print;
  uint64_t addr;
  uint32_t port;
  uint32_t stop;
  uint64_t timeout_us;
  uint64_t value;
  uint64_t rip;
  uint64_t cr3;
  uint64_t cr0;
  uint64_t cs_base;
  uint64_t copied;
  uint64_t exits;
  uint64_t idle_us;
  uint64_t rflags;
  uint32_t ring;
  uint32_t bits;
  uint64_t cpu;
};
int hlk_machine_go(struct hlk_machine *machine, struct hlk_machine_run *run);
void hlk_machine_stop(struct hlk_machine *machine);
int hlk_machine_irq(struct hlk_machine *machine, uint32_t irq, int level);
const char *hlk_stop_text(uint32_t stop);
int hlk_machine_receive(struct hlk_machine *machine, const void *data, size_t len, size_t *taken);
int hlk_machine_fd(const struct hlk_machine *machine, enum hlk_fd which, uint32_t cpu);
int hlk_machine_rest(struct hlk_machine *machine);
int hlk_machine_read(struct hlk_machine *machine, uint64_t gpa, void *buf, size_t len);
int hlk_machine_write(struct hlk_machine *machine, uint64_t gpa, const void *buf, size_t len);
int hlk_machine_snapshot(struct hlk_machine *machine, struct hlk_snap **snap);
int hlk_machine_audit(struct hlk_machine *machine);
int hlk_machine_restore(struct hlk_machine *machine, struct hlk_snap *snap);
'''
CONSTANTS = {
    'HLK_VERSION_MAJOR': 0x0,
    'HLK_VERSION_MINOR': 0x1,
    'HLK_VERSION_PATCH': 0x0,
    'HLK_VERSION': 0x100,
    'HLK_ERR_TEXT': 0x70,
    'HLK_CONFIG_NO_PREFAULT': 0x1,
    'HLK_CONFIG_TIME_BACK': 0x2,
    'HLK_CONFIG_LEARN': 0x4,
    'HLK_CONFIG_REPRODUCIBLE': 0x8,
    'HLK_MAX_FILES': 0x20,
    'HLK_MAX_LABEL': 0x3f,
    'HLK_TIMEOUT_NONE': 0x0,
    'HLK_TIMEOUT_KICK': 0xffffffffffffffff,
    'HLK_CALLS_MOST': 0x40,
    'HLK_SNAP_FLAT': 0x1,
    'HLK_SNAP_HOST_COW': 0x2,
    'HLK_SNAP_STRICT': 0x4,
    'HLK_SNAP_CR3': 0x8,
    'HLK_SNAP_DEDUP': 0x10,
    'HLK_SAVE_COMPRESS': 0x1,
    'HLK_SAVE_NO_HOT_SET': 0x2,
    'HLK_SAVED_DIGEST': 0x48,
    'HLK_LOAD_VERIFY': 0x1,
    'HLK_LOAD_NO_HOT_SET': 0x2,
    'HLK_EXIT_WRITE': 0x1,
    'HLK_EXIT_HAS_FAULT': 0x2,
    'HLK_EXIT_REGS_LOST': 0x4,
    'HLK_BATCH_MAX': 0x1000,
    'HLK_BATCH_ASYNC': 0x1,
    'HLK_POOL_MAX': 0x1000,
    'HLK_POOL_BUCKETS': 0x28,
    'HLK_POOL_METRICS_SIZE': 0x10000,
    'HLK_KERNEL_MAX_MODULES': 0x40,
    'HLK_ACCESS_WRITE': 0x1,
    'HLK_ACCESS_MEMORY': 0x2,
    'HLK_MACHINE_IRQS': 0x18,
    'HLK_MACHINE_MAX_STATE': 0x4000,
    'HLK_MACHINE_NO_IRQCHIP': 0x1,
    'HLK_MACHINE_NO_ACPI': 0x2,
    'HLK_MACHINE_REPRODUCIBLE': 0x4,
    'HLK_MACHINE_RESTORE': 0x1,
    'HLK_MACHINE_TIME_BACK': 0x2,
    'HLK_MACHINE_PRINT': 0x4,
    'HLK_MACHINE_PORT': 0x8,
    'HLK_MACHINE_ADDR': 0x10,
    'HLK_MACHINE_IDLE': 0x20,
    'HLK_MACHINE_DEBUG': 0x40,
    'HLK_MACHINE_ONE': 0x80,
    'HLK_IOC_TYPE': 0xe9,
    'HLK_ABI_VERSION': 0x2,
    'HLK_MAX_STRUCT': 0x1000,
    'HLK_INFO': 0xe900,
    'HLK_FEATURE_FLAT': 0x1,
    'HLK_FEATURE_COMPACT': 0x2,
    'HLK_FEATURE_WALK': 0x4,
    'HLK_FEATURE_MARK_COW': 0x8,
    'HLK_FEATURE_RUN': 0x10,
    'HLK_FEATURE_URING': 0x20,
    'HLK_FEATURE_PREFAULT': 0x40,
    'HLK_FEATURE_AUDIT': 0x80,
    'HLK_FEATURE_DEDUP': 0x100,
    'HLK_FEATURE_INSPECT': 0x200,
    'HLK_FEATURE_RUN_MANY': 0x400,
    'HLK_FEATURE_DEADLINE': 0x800,
    'HLK_FEATURE_PROGRAM': 0x1000,
    'HLK_FEATURE_LEARN': 0x2000,
    'HLK_FEATURE_RUN_CALLS': 0x4000,
    'HLK_FEATURE_TURNS': 0x8000,
    'HLK_FEATURE_IMPORT': 0x10000,
    'HLK_FEATURE_READ': 0x20000,
    'HLK_ATTACH_INSPECT': 0x1,
    'HLK_ATTACH_IBPB': 0x2,
    'HLK_VM_ATTACH': 0xe901,
    'HLK_MAX_MAPPINGS': 0x80,
    'HLK_WINDOW_READONLY': 0x1,
    'HLK_WINDOW_SCRATCH': 0x2,
    'HLK_WINDOW_ADD': 0xe920,
    'HLK_MAX_PROGRAM': 0x100000,
    'HLK_MAX_PROGRAM_ENTRIES': 0x400,
    'HLK_PROGRAM_OFFSET': 0x80000000000,
    'HLK_PROGRAM_VM': 0xffffffff,
    'HLK_PROGRAM_TIME_GOES_ON': 0x1,
    'HLK_PROGRAM_TIME_BACK': 0x2,
    'HLK_PROGRAM_FRESH': 0x4,
    'HLK_SNAPSHOT_BUILD': 0xe902,
    'HLK_SNAPSHOT_COMPACT': 0x1,
    'HLK_SNAPSHOT_GUEST_ROOTS': 0x2,
    'HLK_SNAPSHOT_HOST_COW': 0x4,
    'HLK_SNAPSHOT_STRICT': 0x8,
    'HLK_SNAPSHOT_DEDUP': 0x10,
    'HLK_SNAPSHOT': 0xe921,
    'HLK_RESTORE_REPRODUCIBLE': 0x1,
    'HLK_RESTORE_AUDIT': 0x2,
    'HLK_RESTORE_TIME_BACK': 0x4,
    'HLK_RESTORE_LEARN': 0x8,
    'HLK_RESIDUE_DEBUGREGS': 0x1,
    'HLK_RESIDUE_IRQCHIP': 0x2,
    'HLK_RESIDUE_MSRS': 0x4,
    'HLK_RESIDUE_TIME': 0x8,
    'HLK_RESIDUE_MEMSLOTS': 0x10,
    'HLK_RESTORE': 0xe922,
    'HLK_RUN_CONTINUE': 0x10,
    'HLK_RUN_REGS': 0x20,
    'HLK_RUN_SIZED': 0x40,
    'HLK_RUN_LEAD': 0x100,
    'HLK_RUN_FOLLOW': 0x200,
    'HLK_DONE_RESTORED': 0x1,
    'HLK_DONE_INPUT': 0x2,
    'HLK_DONE_ENTERED': 0x4,
    'HLK_MAX_INPUTS': 0x8,
    'HLK_MAX_INPUT_BYTES': 0x100000,
    'HLK_DEADLINE_NEVER': 0xffffffffffffffff,
    'HLK_MAX_CALLS': 0x1000,
    'HLK_RUN': 0xe927,
    'HLK_KICK_ALL': 0x1,
    'HLK_KICK': 0xe929,
    'HLK_RUN_MANY_STOP': 0x1,
    'HLK_RUN_MANY': 0xe903,
    'HLK_TOUCHED_WRITE': 0x1,
    'HLK_PREFAULT': 0xe928,
    'HLK_PAGING_GIVEN': 0x1,
    'HLK_PAGING_WP': 0x2,
    'HLK_PAGING_PSE': 0x4,
    'HLK_PAGING_PAE': 0x8,
    'HLK_PAGING_LONG': 0x10,
    'HLK_PAGING_LA57': 0x20,
    'HLK_PAGING_NXE': 0x40,
    'HLK_PAGING_SMEP': 0x80,
    'HLK_PAGING_SMAP': 0x100,
    'HLK_PAGING_PKE': 0x200,
    'HLK_PAGING_PKS': 0x400,
    'HLK_PAGING_PDPTRS': 0x800,
    'HLK_PAGING_NO_1G': 0x1000,
    'HLK_PAGING_AMD': 0x2000,
    'HLK_FORMAT_32BIT': 0x1,
    'HLK_FORMAT_PAE': 0x2,
    'HLK_FORMAT_4LEVEL': 0x3,
    'HLK_FORMAT_5LEVEL': 0x4,
    'HLK_PAGING_LEVELS': 0x5,
    'HLK_MAP_WRITE': 0x1,
    'HLK_MAP_USER': 0x2,
    'HLK_MAP_COW': 0x4,
    'HLK_MAP_LARGE': 0x8,
    'HLK_MAP_NOT_RAM': 0x10,
    'HLK_MAP_ALIAS': 0x20,
    'HLK_MAP_TABLE_NOT_RAM': 0x40,
    'HLK_MAP_SUPER_WRITE': 0x80,
    'HLK_MAP_NX': 0x100,
    'HLK_MAP_SUPER_NX': 0x200,
    'HLK_MAP_SUPER_AC': 0x400,
    'HLK_MAP_KEY_NO_ACCESS': 0x800,
    'HLK_MAP_KEY_NO_WRITE': 0x1000,
    'HLK_MAP_RESERVED': 0x2000,
    'HLK_ROOT_CR3': 0xffffffffffffffff,
    'HLK_TRANSLATE': 0xe923,
    'HLK_WALK': 0xe924,
    'HLK_MARK_COW': 0xe926,
    'HLK_READ': 0xe92a,
    'HLK_VM_STATS': 0xe925,
    'HLK_SNAPSHOT_INFO': 0xe940,
    'HLK_VCPU_TSC': 0x1,
    'HLK_VCPU_FPU': 0x2,
    'HLK_MAX_FPU': 0x10000,
    'HLK_TABLE_END': 0xfff,
    'HLK_TABLE_ROOT': 0x1000,
    'HLK_SNAPSHOT_EXPORT': 0xe941,
    'HLK_EXTENT_ZERO': 0xffffffff,
    'HLK_EXTENT_MEMORY': 0xfffffffe,
    'HLK_SNAPSHOT_PAGES': 0xe942,
    'HLK_MAX_SOURCES': 0x400,
    'HLK_SNAPSHOT_IMPORT': 0xe904,
    'HLK_GUEST_PAGE_SIZE': 0x1000,
    'HLK_GUEST_MEM_BASE': 0x1000,
    'HLK_GUEST_SCRATCH_TOP': 0xfee00000,
    'HLK_GUEST_SCRATCH_SIZE': 0x48000,
    'HLK_GUEST_BUFFER_SIZE': 0x4000,
    'HLK_GUEST_BUFFER_MIN': 0x2000,
    'HLK_GUEST_SCRATCH_EXTRA': 0xc000,
    'HLK_GUEST_SCRATCH_DELTA': 0x1200000,
    'HLK_GUEST_OFF_SIZE': 0x8,
    'HLK_GUEST_OFF_ALLOC': 0x10,
    'HLK_GUEST_OFF_PT_BASE': 0x18,
    'HLK_GUEST_OFF_GENERATION': 0x20,
    'HLK_GUEST_OFF_UNIQUE': 0x28,
    'HLK_GUEST_OFF_SEED': 0x50,
    'HLK_GUEST_SEED_SIZE': 0x20,
    'HLK_GUEST_OFF_COUNTER': 0x1008,
    'HLK_GUEST_OFF_ROOTS': 0x2000,
    'HLK_GUEST_MAX_ROOTS': 0x1fe,
    'HLK_GUEST_OFF_EXN_STACK': 0x2000,
    'HLK_GUEST_EXN_STACK_SIZE': 0x4000,
    'HLK_GUEST_OFF_GUARD': 0x7000,
    'HLK_GUEST_OFF_ALLOC_END': 0x7000,
    'HLK_GUEST_PTE_COW': 0x200,
    'HLK_GUEST_BUFFER_EMPTY': 0x8,
    'HLK_GUEST_PORT_LOG': 0x63,
    'HLK_GUEST_PORT_CALL': 0x65,
    'HLK_GUEST_PORT_ABORT': 0x66,
    'HLK_GUEST_PORT_PUTC': 0x67,
    'HLK_GUEST_PORT_PRINT': 0x68,
    'HLK_GUEST_PORT_AGENT': 0x69,
    'HLK_GUEST_ABORT_TRAP': 0x100,
    'HLK_GUEST_ABORT_SCRATCH': 0x200,
    'HLK_GUEST_ABORT_PROTOCOL': 0x201,
    'HLK_GUEST_CS': 0x8,
    'HLK_GUEST_DS': 0x10,
    'HLK_GUEST_CR0': 0x80010011,
    'HLK_GUEST_CALL_MAGIC': 0x4c4c4143,
    'HLK_GUEST_RET_MAGIC': 0x21544552,
    'HLK_GUEST_FILES': 0x0,
    'HLK_GUEST_TRAP_MAGIC': 0x50415254,
    'HLK_GUEST_AGENT_MAX_RUNS': 0x40,
    'HLK_GUEST_AGENT_MAX_PAGES': 0x400,
    'HLK_GUEST_AGENT_MAGIC': 0x544e4741,
    'HLK_GUEST_AGENT_VERSION': 0x1,
    'HLK_GUEST_AGENT_ANSWER': 0x0,
}
