/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * The objects of libhlk.
 *
 * A context is held by its user and by each sandbox; a snapshot by its user and
 * by the sandboxes that were restored to it last. So each can be closed at any
 * time. What one thread alone uses has no lock; see struct hlk_sandbox.
 */
#ifndef LIBHLK_INTERNAL_H
#define LIBHLK_INTERNAL_H

#include <linux/kvm.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

#include "boot.h"
#include "buffer.h"
#include "grow.h"

#define EXPORT __attribute__((visibility("default")))

#define HLK_LIB_MAX_WINDOWS	64
#define HLK_LIB_MAX_CPUS	16

/**
 * struct hlk_ctx - see hlk_open()
 * @refs: holders
 * @hlk_fd: /dev/hlk
 * @kvm_fd: /dev/kvm
 * @run_size: bytes of a vCPU's struct kvm_run
 * @enforce_pv: KVM can hide its own interfaces from the guest
 * @pre_fault: KVM can make nested page tables ahead of the guest's access
 * @features: HLK_FEATURE_* of the module
 * @home: a word that is 0 again in a child process, see hlk_home(); NULL has none
 * @cpuid: what the guest's processor is, in the form that KVM_SET_CPUID2 takes
 */
struct hlk_ctx {
	atomic_uint refs;
	int hlk_fd;
	int kvm_fd;
	int run_size;
	bool enforce_pv;
	bool pre_fault;
	uint64_t features;
	uint64_t *home;
	struct kvm_cpuid2 *cpuid;
};

struct hlk_ctx *hlk_ctx_get(struct hlk_ctx *ctx);
uint64_t hlk_home(struct hlk_ctx *ctx);

/* Was it in this process that an object noted @home? None did in one that has none yet. */
static inline bool hlk_at_home(const struct hlk_ctx *ctx, uint64_t home)
{
	return home == (ctx->home ? __atomic_load_n(ctx->home, __ATOMIC_ACQUIRE) : 0);
}

/* cpuid.c */
int hlk_cpuid_make(struct hlk_ctx *ctx, struct hlk_err *err);

/* features.c */
struct hlk_index;
struct hlk_index_cpuid;
struct hlk_saved;
int hlk_features_read(struct hlk_ctx *ctx, struct hlk_snap *snap, uint32_t nr_cpus,
		      struct hlk_index_cpuid **leaves, uint32_t *nr, struct hlk_err *err);
int hlk_features_check(struct hlk_ctx *ctx, const struct hlk_index *index,
		       struct hlk_err *err);

/* remember.c */
void hlk_saved_free(struct hlk_saved *saved);

/**
 * struct hlk_snap - see hlk_sandbox_snapshot()
 * @refs: holders
 * @fd: the snapshot
 * @id: its number, which no other one ever has
 * @generation: 0 is the state before the guest's boot
 * @flat: it is not compact
 * @input_size: bytes of the input buffer
 * @output_size: bytes of the output buffer
 * @program_bytes: size of its state program; 0: it has none
 * @vcpu: what a restored vCPU is compared with; NULL until it is known
 * @program: where its program is mapped, or NULL: see hlk_program_map()
 * @saved: where it was saved to or loaded from, the last one first; only added to
 */
struct hlk_snap {
	atomic_uint refs;
	int fd;
	uint64_t id;
	uint64_t generation;
	bool flat;
	uint32_t input_size;
	uint32_t output_size;
	uint32_t program_bytes;
	struct hlk_vcpu_state *_Atomic vcpu;
	const unsigned char *_Atomic program;
	struct hlk_saved *_Atomic saved;
};

int hlk_snap_new(int fd, struct hlk_snap **snap, struct hlk_err *err);
int hlk_snap_make(struct hlk_sandbox *sb, const struct hlk_snapshot_config *config,
		  struct hlk_snap **snap);
struct hlk_snap *hlk_snap_get(struct hlk_snap *snap);
int hlk_snap_read_info(int fd, struct hlk_snapshot_info *info, size_t size,
		       struct hlk_err *err);

/**
 * struct hlk_vcpu_state - all that KVM says of a vCPU
 * @regs: general registers
 * @sregs: segments and control registers
 * @events: what is pending
 * @debug: debug registers
 * @mp: halted or not
 * @xcrs: XCR0
 * @fpu: FPU and SSE
 * @xsave: the same, and what else XSAVE keeps
 */
struct hlk_vcpu_state {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_vcpu_events events;
	struct kvm_debugregs debug;
	struct kvm_mp_state mp;
	struct kvm_xcrs xcrs;
	struct kvm_fpu fpu;
	struct kvm_xsave xsave;
};

/**
 * struct hlk_host_entry - a function that the guest can call
 * @next: the next one, or NULL
 * @fn: the function
 * @arg: its first argument
 * @set_up: a pool's set-up added it: it comes back when the sandbox does
 * @removed: until then it is not there
 * @name_len: length of @name
 * @name: its name, not terminated
 */
struct hlk_host_entry {
	struct hlk_host_entry *next;
	hlk_host_fn fn;
	void *arg;
	bool set_up;
	bool removed;
	size_t name_len;
	char name[];
};

/**
 * enum hlk_state - what a sandbox is good for
 * @HLK_STATE_NEW: for a boot
 * @HLK_STATE_READY: for calls
 * @HLK_STATE_BROKEN: for a restore
 */
enum hlk_state {
	HLK_STATE_NEW,
	HLK_STATE_READY,
	HLK_STATE_BROKEN,
};

#define HLK_LIB_LOG	1024

/**
 * struct hlk_fused - a restore and a call in one system call, or a call in time
 * @arg: what the module gets
 * @inputs: the image of the input buffer, in one or more parts, and the counter
 * @nr_parts: how many parts
 * @regs: the registers that the call starts with
 * @log: what the guest printed byte by byte
 */
struct hlk_fused {
	struct hlk_run arg;
	struct hlk_segment inputs[HLK_MAX_INPUTS];
	uint32_t nr_parts;
	struct kvm_regs regs;
	char log[HLK_LIB_LOG];
};

/**
 * struct hlk_answer - where the answer of a call goes
 * @name: the function
 * @out: see hlk_sandbox_call()
 * @out_size: see hlk_sandbox_call()
 * @out_len: see hlk_sandbox_call()
 */
struct hlk_answer {
	const char *name;
	void *out;
	size_t out_size;
	size_t *out_len;
};

/**
 * struct hlk_sandbox - see hlk_sandbox_from_image()
 *
 * All but what the locks protect belongs to who has it entered.
 *
 * @ctx: the context
 * @slot: its place in a pool, or NULL
 * @agent: its guest is one of a machine, in which an agent answers; else NULL
 * @hlk_fd: the hlk VM
 * @vm_fd: the KVM VM
 * @vcpu_fd: its vCPU
 * @run: the vCPU's shared page
 * @nr_windows: length of @window
 * @window: the guest's memory
 * @scratch: its last window
 * @input: the input buffer
 * @output: the output buffer
 * @bounce: copies of what the guest pushed, and answers to it
 * @print: see struct hlk_config
 * @print_arg: see struct hlk_config
 * @config: how it was to be, but for sizes, which its snapshots have
 * @functions: what the guest can call
 * @last: the snapshot restored last
 * @switched: what depends on @last was not read from it yet
 * @restored: what that restore did
 * @learn: HLK_RESTORE_LEARN, or 0
 * @cr8: CR8 of that snapshot
 * @debug_residue: the last restore found that the guest changed its debug
 *	registers; it may do so again
 * @doubtful: KVM failed in a way that a restore need not cure
 * @changed: of what a pool set up something was taken away
 * @state: what the sandbox is good for
 * @fresh: restored, and no call since
 * @dispatch: EIP of a call
 * @stack: ESP of a call
 * @over_budget: writes refused so far, as last seen
 * @exit: how the last run ended
 * @err: why the last call failed
 * @home: hlk_home() of the process that made it
 * @in_call: somebody uses it, see hlk_enter(): the thread whose call is under way, the
 *	batch that it was put into, or the pool that it is not taken from
 * @stale: @bounce has of calls before the last restore
 * @fused: the request of the call under way, or of the last one
 * @many: room for many calls in one, or NULL
 * @lock: protects what follows
 * @queued: calls of hlk_sandbox_calls() are under way: a kick is for all of them; written
 *	by their thread alone
 * @can_kick: a call is under way that can be kicked; written by its thread alone
 * @kicked: it was
 * @count_lock: protects what follows
 * @counter: the guest's counter
 * @counter_set: it is not 0 all the time
 * @counter_there: @last has something in its place
 * @counter_ready: its page can be written without a fault that could fail
 * @restoring: a restore may be under way: no page is sure to be there
 * @waiting: not under @count_lock: the sandbox's own thread wants that, so who counts
 *	lets it go first
 * @debug: as what follows, of who has it entered: called where the guest stops, or NULL; see hlk_sandbox_debug()
 * @debug_arg: its first argument
 * @at_debugger: it is called, by @debugger
 * @debugger: the thread of the call
 * @fpu: not under a lock: the FPU of a call. Last, because it has no fixed size
 */
struct hlk_sandbox {
	struct hlk_ctx *ctx;
	struct hlk_slot *slot;
	struct hlk_agent *agent;
	int hlk_fd;
	int vm_fd;
	int vcpu_fd;
	struct kvm_run *run;
	uint32_t nr_windows;
	struct hlk_ram window[HLK_LIB_MAX_WINDOWS];
	struct hlk_ram *scratch;
	struct hlk_buffer input;
	struct hlk_buffer output;
	unsigned char *bounce;
	hlk_print_fn print;
	void *print_arg;
	struct hlk_config config;
	struct hlk_host_entry *functions;
	struct hlk_files *files;
	struct hlk_snap *last;
	bool switched;
	struct hlk_restore restored;
	uint32_t learn;
	uint8_t cr8;
	bool debug_residue;
	bool doubtful;
	bool changed;
	enum hlk_state state;
	bool fresh;
	uint32_t dispatch;
	uint32_t stack;
	uint64_t over_budget;
	struct hlk_exit exit;
	struct hlk_err err;
	uint64_t home;
	atomic_bool in_call;
	bool stale;
	struct hlk_fused fused;
	struct hlk_many *many;

	pthread_mutex_t lock;
	bool queued;
	bool can_kick;
	bool kicked;

	pthread_mutex_t count_lock;
	uint64_t counter;
	bool counter_set;
	bool counter_there;
	bool counter_ready;
	bool restoring;
	atomic_uint waiting;

	hlk_debug_fn debug;
	void *debug_arg;
	bool at_debugger;
	pthread_t debugger;

	struct kvm_xsave fpu;
};

/* vm.c */
int hlk_vm_machine(int vm_fd, struct hlk_err *err);
int hlk_vm_kvm(struct hlk_ctx *ctx, int *vm_fd, struct hlk_err *err);
int hlk_vm_attach(struct hlk_ctx *ctx, int vm_fd, uint64_t max_private,
		  uint64_t keep_private, int *hlk_fd, struct hlk_err *err);
int hlk_vm_window(int hlk_fd, int vm_fd, uint32_t slot,
		  const struct hlk_window *window, void **mem,
		  struct hlk_err *err);
int hlk_vm_create(struct hlk_sandbox *sb, const struct hlk_config *config,
		  const struct hlk_window *windows, uint32_t nr,
		  struct hlk_err *err);
void hlk_vm_destroy(struct hlk_sandbox *sb);
unsigned char *hlk_vm_at(const struct hlk_sandbox *sb, uint64_t gpa,
			 uint64_t bytes);

/* timeout.c */
void hlk_timeout_queue(struct hlk_sandbox *sb, bool can_kick);
void hlk_timeout_queue_end(struct hlk_sandbox *sb);
void hlk_timeout_nudge(struct hlk_sandbox *sb);
int hlk_timeout_begin(struct hlk_sandbox *sb, uint64_t timeout_us);
void hlk_timeout_end(struct hlk_sandbox *sb);
int hlk_timeout_woken(struct hlk_sandbox *sb);
int hlk_timeout_over(struct hlk_sandbox *sb);

/* run.c */
int hlk_run(struct hlk_sandbox *sb, uint64_t timeout_us);
int hlk_run_on(struct hlk_sandbox *sb, int ret,
	       int (*enter)(struct hlk_sandbox *sb));
int hlk_settle(struct hlk_sandbox *sb);

/* restore.c */
int hlk_restore_now(struct hlk_sandbox *sb, struct hlk_snap *snap);
int hlk_restore_prepare(struct hlk_sandbox *sb, struct hlk_snap *snap,
			uint32_t flags);
int hlk_restore_finish(struct hlk_sandbox *sb, struct hlk_snap *snap, int ret);
int hlk_restore_again(struct hlk_sandbox *sb);
int hlk_restore_ready(struct hlk_sandbox *sb);

/* fused.c */
bool hlk_fused_can(const struct hlk_sandbox *sb, const char *name,
		   size_t in_len);
void hlk_fused_request(struct hlk_sandbox *sb, uint32_t flags);
uint64_t hlk_fused_bytes(const char *name, size_t in_len);
int hlk_fused_image(struct hlk_sandbox *sb, unsigned char *mem, uint64_t size,
		    const char *name, const void *in, size_t in_len,
		    uint64_t *bytes);
void hlk_fused_fill(struct hlk_sandbox *sb);
int hlk_fused_submit(struct hlk_sandbox *sb);
void hlk_fused_print(struct hlk_sandbox *sb);
void hlk_fused_restored(struct hlk_sandbox *sb);
int hlk_fused_call(struct hlk_sandbox *sb, const struct hlk_answer *answer,
		   const void *in, size_t in_len, uint64_t timeout_us);
int hlk_fused_prepare(struct hlk_sandbox *sb, const char *name, const void *in,
		      size_t in_len);
void hlk_fused_go(struct hlk_sandbox *sb);
int hlk_fused_finish(struct hlk_sandbox *sb, int ret,
		     const struct hlk_answer *answer);
int hlk_fused_on(struct hlk_sandbox *sb);

/* calls.c */
int hlk_calls_now(struct hlk_sandbox *sb, struct hlk_call *calls, uint32_t nr);
int hlk_calls_check(struct hlk_call *calls, uint32_t nr, uint32_t flags,
		    struct hlk_err *err);

/* audit.c */
int hlk_vcpu_note(struct hlk_sandbox *sb, struct hlk_snap *snap);
int hlk_vcpu_compare(struct hlk_sandbox *sb, const struct hlk_vcpu_state *is,
		     const struct hlk_vcpu_state *want);

/* prefault.c */
void hlk_prefault(struct hlk_sandbox *sb);

/* exit.c */
void hlk_exit_none(struct hlk_sandbox *sb);
int hlk_exit_set(struct hlk_sandbox *sb, enum hlk_exit_reason reason,
		 uint32_t code);
int hlk_exit_abort(struct hlk_sandbox *sb, uint32_t code);
int hlk_exit_no_memory(struct hlk_sandbox *sb);
int hlk_exit_fault(struct hlk_sandbox *sb);
int hlk_exit_host(struct hlk_sandbox *sb, int ret, const char *op);
int hlk_exit_buffer(struct hlk_sandbox *sb, int ret);

/* debug.c */
int hlk_debug_enter(struct hlk_sandbox *sb, const char *op);
int hlk_debug_call(struct hlk_sandbox *sb, enum hlk_debug_event event);
int hlk_debug_over(struct hlk_sandbox *sb, enum hlk_debug_event event);
int hlk_debug_begin(struct hlk_sandbox *sb);

/* hostcall.c */
int hlk_host_call(struct hlk_sandbox *sb);
int hlk_host_print(struct hlk_sandbox *sb);
void hlk_host_free(struct hlk_sandbox *sb);

/* files.c */
bool hlk_files_any(const struct hlk_sandbox *sb);
const char *hlk_files_short(const struct hlk_sandbox *sb);
int hlk_files_list(const struct hlk_sandbox *sb, void *out, size_t size, size_t *len);
void hlk_files_set_up(struct hlk_sandbox *sb);
void hlk_files_reset(struct hlk_sandbox *sb);
void hlk_files_free(struct hlk_sandbox *sb);
void hlk_host_set_up(struct hlk_sandbox *sb);
void hlk_host_reset(struct hlk_sandbox *sb);
int hlk_host_copy(struct hlk_sandbox *sb, const struct hlk_sandbox *from);

/* counter.c */
bool hlk_counter_lose(struct hlk_sandbox *sb);
int hlk_counter_look(struct hlk_sandbox *sb);
int hlk_counter_refresh(struct hlk_sandbox *sb);
int hlk_counter_restore(struct hlk_sandbox *sb);
void hlk_counter_forget(struct hlk_sandbox *sb);
bool hlk_counter_used(struct hlk_sandbox *sb);
void hlk_counter_reset(struct hlk_sandbox *sb, uint64_t value);

/* sandbox.c */
int hlk_enter(struct hlk_sandbox *sb, const char *op);

/* Undo hlk_enter(), or hlk_debug_enter(): then the call goes on. Returns @ret */
static inline int hlk_leave(struct hlk_sandbox *sb, int ret)
{
	atomic_store(&sb->in_call, sb->at_debugger);
	return ret;
}

int hlk_elsewhere(struct hlk_err *err, const char *op);
void hlk_sandbox_free(struct hlk_sandbox *sb);
int hlk_place_buffers(struct hlk_sandbox *sb, unsigned char *mem,
		      uint32_t input_size, uint32_t output_size);
int hlk_set_buffers(struct hlk_sandbox *sb, uint32_t input_size,
		    uint32_t output_size);
void hlk_forget_pages(struct hlk_sandbox *sb);

/* call.c */
int hlk_call_now(struct hlk_sandbox *sb, const struct hlk_answer *answer,
		 const void *in, size_t in_len, uint64_t timeout_us);
int hlk_check_ready(struct hlk_sandbox *sb, const char *op);
int hlk_push_call(struct hlk_sandbox *sb, struct hlk_buffer *buf,
		  const char *name, const void *in, size_t in_len);
int hlk_pop_answer(struct hlk_sandbox *sb, struct hlk_buffer *from,
		   const struct hlk_answer *answer);
void hlk_call_regs(const struct hlk_sandbox *sb, struct kvm_regs *regs);
int hlk_get_fpu(struct hlk_sandbox *sb);
int hlk_set_fpu(struct hlk_sandbox *sb);

#endif /* LIBHLK_INTERNAL_H */
