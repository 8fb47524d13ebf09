/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * libhlk: snapshot and restore of i686 guests, thousands of times a second.
 *
 * A context holds /dev/kvm and /dev/hlk. A sandbox is one guest: a KVM VM with
 * one vCPU, whose memory hlk.ko backs. A snapshot is what a sandbox can be
 * restored to. Each holds what it needs of the others, so they can be closed
 * in any order.
 *
 * Calls return 0 or a negative errno. What is more to be known stands in a
 * struct hlk_err, which hlk_strerror() turns into one line for a person: calls
 * that make an object take a pointer to one (NULL if it is not wanted), the
 * others leave it in the sandbox, see hlk_sandbox_error().
 *
 * The library has no global state. Who may use what:
 *
 *  - a context and a snapshot: any thread, and children, too
 *  - a sandbox: one thread at a time, always of the process that made it. A function
 *    that finds it in use says EBUSY at once, and leaves hlk_sandbox_error() to the call
 *    that uses it. It is in use during a call, for callbacks of that as well; from when
 *    it is put into a batch until that was submitted; and when it was given back to a
 *    pool. hlk_sandbox_kick() and the counter may be used from any thread at any time
 *  - a batch: one thread at a time, not functions that its guests call
 *  - a pool: any thread
 *
 * In a child process sandboxes, batches and pools are refused, with EPERM; to close them
 * there gives back what was inherited, and does nothing to the parent's. Callbacks have
 * to return: not by longjmp(), nor by the end of their thread. No function may be called
 * in a signal handler. A thread that waits for a sandbox of a pool may be cancelled,
 * one in a call may not.
 *
 * Programs and libraries of different age go together. A struct that the caller
 * fills in begins with its size, and what an older caller does not have of
 * it is as if it were 0; what a newer one has, and the library not, must be 0. A
 * struct that the library fills in comes with its size, too: functions that end in
 * _sized take it, and are called by inline ones without. Structs that have
 * no size keep theirs for ever.
 */
#ifndef HLK_H
#define HLK_H

#include <stddef.h>
#include <stdint.h>

#include <linux/hlk.h>
#include <linux/hlk_guest.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A struct that has its size, and is 0 else; in C++ there was no such notation before C++20 */
#ifdef __cplusplus
extern "C++" {
	template < typename type > inline type hlk_struct_init()
	{
		type init = type();

		init.size = sizeof(type);
		return init;
	}
}

#define HLK_STRUCT_INIT(name)	hlk_struct_init < struct name > ()
#else
#define HLK_STRUCT_INIT(name)	{ .size = sizeof(struct name) }
#endif

#define HLK_VERSION_MAJOR	0
#define HLK_VERSION_MINOR	1
#define HLK_VERSION_PATCH	0
#define HLK_VERSION_NUMBER(major, minor, patch) \
	((uint32_t)(major) << 16 | (uint32_t)(minor) << 8 | (uint32_t)(patch))
/* the version that a program is compiled with */
#define HLK_VERSION \
	HLK_VERSION_NUMBER(HLK_VERSION_MAJOR, HLK_VERSION_MINOR, HLK_VERSION_PATCH)

/**
 * hlk_version() - the version of the library that a program runs with
 *
 * Return: a number as HLK_VERSION
 */
uint32_t hlk_version(void);

/**
 * hlk_version_text() - the same as text
 *
 * Return: a constant string such as "1.2.3"
 */
const char *hlk_version_text(void);

struct hlk_batch;
struct hlk_ctx;
struct hlk_inspect;
struct hlk_pool;
struct hlk_sandbox;
struct hlk_snap;

/* ---- what went wrong ---- */

/**
 * enum hlk_what - what an error is about
 * @HLK_WHAT_NONE: nothing more is known than the errno
 * @HLK_WHAT_SYSTEM: a system call failed; @op says what for
 * @HLK_WHAT_MODULE: hlk.ko refused; @why, @index and @where say why
 * @HLK_WHAT_NO_MODULE: /dev/hlk does not exist
 * @HLK_WHAT_NO_KVM: /dev/kvm does not exist
 * @HLK_WHAT_PERMISSION: no permission on the file @text
 * @HLK_WHAT_VERSION: the module speaks another version, @where
 * @HLK_WHAT_KVM_CAP: KVM lacks something that is needed, @text
 * @HLK_WHAT_ARGUMENT: an argument is out of range: @text
 * @HLK_WHAT_FILE: the file @text cannot be read
 * @HLK_WHAT_ELF: the ELF file cannot be used: @text, segment @index, @where
 * @HLK_WHAT_IMAGE_SIZE: the image, its stack and heap want @where bytes of
 *	memory
 * @HLK_WHAT_SCRATCH_SIZE: scratch must have @where bytes at least
 * @HLK_WHAT_LAYOUT: the snapshot is not one of a libhlk sandbox: @text
 * @HLK_WHAT_NEEDS_RESTORE: the guest failed; restore it first
 * @HLK_WHAT_NOT_READY: the guest was not booted
 * @HLK_WHAT_IN_CALL: the sandbox is in a call
 * @HLK_WHAT_INPUT: the input does not fit the input buffer, which takes
 *	@where bytes
 * @HLK_WHAT_OUTPUT: the answer has @where bytes, the caller's buffer less
 * @HLK_WHAT_BUDGET: the sandbox has used up its @where private pages
 * @HLK_WHAT_GUEST_STATUS: the guest's function @text gave error @where
 * @HLK_WHAT_GUEST_EXIT: the guest failed; see hlk_sandbox_exit()
 * @HLK_WHAT_TIMEOUT: the call took longer than allowed
 * @HLK_WHAT_KICKED: hlk_sandbox_kick() ended the call
 * @HLK_WHAT_EXISTS: a host function @text is there already
 * @HLK_WHAT_FEATURE: the module cannot do @text
 * @HLK_WHAT_AUDIT: register @text is not that of the snapshot
 * @HLK_WHAT_POOL_EMPTY: no sandbox of the pool became free in time
 * @HLK_WHAT_POOL_IN_USE: @where sandboxes of the pool were not given back
 * @HLK_WHAT_FLAGS: @text has the flags @where, which the library does not know
 * @HLK_WHAT_STRUCT: @text is not initialised: its size is @where
 * @HLK_WHAT_NEWER: @text has something in byte @where, of which the library does
 *	not know what it is
 * @HLK_WHAT_KERNEL: the kernel, or what goes with it, cannot be loaded: @text
 * @HLK_WHAT_SAVED: a snapshot cannot be saved or loaded: @text says which file, where in
 *	it, and why
 */
enum hlk_what {
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
	HLK_WHAT_SAVED,
};

#define HLK_ERR_TEXT	112

/**
 * struct hlk_err - why a call failed
 * @code: the errno, positive; 0 if nothing failed
 * @what: one of enum hlk_what
 * @why: one of enum hlk_why, for HLK_WHAT_MODULE
 * @index: which segment, vCPU, root or array element
 * @where: an address or a number, see enum hlk_what and enum hlk_why
 * @op: what was to be done, a constant string, or NULL
 * @text: a name, see enum hlk_what
 * @__reserved: 0
 */
struct hlk_err {
	int32_t code;
	uint32_t what;
	uint32_t why;
	uint32_t index;
	uint64_t where;
	const char *op;
	char text[HLK_ERR_TEXT];
	uint64_t __reserved[6];
};

/**
 * hlk_strerror() - an error as one line of text
 * @err: the error
 * @buf: where the line goes, without a line feed
 * @size: size of @buf; 256 is enough for every message
 *
 * Return: @buf
 */
const char *hlk_strerror(const struct hlk_err *err, char *buf, size_t size);

/* ---- contexts ---- */

/**
 * hlk_open() - open a context
 * @ctx: out: the context
 * @err: out: why it failed, or NULL
 *
 * Return: 0 or a negative errno
 */
int hlk_open(struct hlk_ctx **ctx, struct hlk_err *err);

/**
 * hlk_close() - close a context
 * @ctx: the context, or NULL; sandboxes made with it live on
 */
void hlk_close(struct hlk_ctx *ctx);

/**
 * hlk_get_info() - version, limits and live objects of the module
 * @ctx: the context
 * @info: out: see struct hlk_info; @head need not be set
 * @err: out: why it failed, or NULL
 *
 * Return: 0 or a negative errno
 */
int hlk_get_info_sized(struct hlk_ctx *ctx, struct hlk_info *info, size_t size,
		       struct hlk_err *err);

static inline int hlk_get_info(struct hlk_ctx *ctx, struct hlk_info *info,
			       struct hlk_err *err)
{
	return hlk_get_info_sized(ctx, info, sizeof(*info), err);
}

/**
 * typedef hlk_print_fn - the guest printed something
 * @arg: as given in struct hlk_config
 * @text: bytes of the guest, not terminated, of any content
 * @len: how many
 */
typedef void (*hlk_print_fn)(void *arg, const char *text, size_t len);

/**
 * typedef hlk_host_fn - a function that the guest can call
 * @arg: as given to hlk_sandbox_host_function()
 * @in: the guest's argument, a private copy
 * @in_len: its length
 * @out: where the answer goes
 * @out_size: how long it can be
 * @out_len: out: how long it is; 0 before the call. What the function did not write of
 *	that is zero, or of an earlier host call since the last restore
 *
 * The sandbox that calls cannot be used in it, apart from the counter,
 * hlk_sandbox_kick() and hlk_sandbox_stats().
 *
 * Return: 0 or a negative errno, which the guest gets as a positive number
 */
typedef int (*hlk_host_fn)(void *arg, const void *in, size_t in_len,
			   void *out, size_t out_size, size_t *out_len);

/* flags of struct hlk_config */
#define HLK_CONFIG_NO_PREFAULT	(1U << 0)
#define HLK_CONFIG_TIME_BACK	(1U << 1)
#define HLK_CONFIG_LEARN	(1U << 2)
#define HLK_CONFIG_REPRODUCIBLE	(1U << 3)

/* ---- sandboxes, and what they are made of ---- */

/**
 * struct hlk_config - how a sandbox is to be
 * @size: sizeof(struct hlk_config), see HLK_CONFIG_INIT
 * @flags: HLK_CONFIG_NO_PREFAULT: a sandbox that is made from a snapshot does
 *	not get ahead of its first call the pages that calls of others touched.
 *	HLK_CONFIG_TIME_BACK: of a snapshot of a machine: time comes back with each
 *	restore, see struct hlk_restore; HLK_CONFIG_REPRODUCIBLE: of such a one, too:
 *	as HLK_MACHINE_REPRODUCIBLE; for others they have no meaning.
 *	HLK_CONFIG_LEARN: pages that calls copied on write again and again are left
 *	writable in the page tables that restores bring back, which the guest can see;
 *	without it these come back to the byte
 * @mem_size: end of the guest's low memory, in bytes; 0 is 16 MiB
 * @scratch_size: bytes of scratch; 0 is HLK_GUEST_SCRATCH_SIZE, or more if the
 *	first page tables want more
 * @input_size: bytes of the input buffer; 0 is HLK_GUEST_BUFFER_SIZE
 * @output_size: bytes of the output buffer; 0 is HLK_GUEST_BUFFER_SIZE
 * @stack_size: bytes of the boot stack; 0 is 64 KiB
 * @log_level: in ECX at the guest's first entry
 * @seed: in ESI at the guest's first entry; 0 takes a random one
 * @signal: not used any more, since no signal is needed for a timeout: 0, or a
 *	real-time signal
 * @max_private: budget of pages that each call may write, whatever those before it
 *	did; see struct hlk_vm_attach. The memory for private pages is up to twice that
 * @keep_private: private pages kept at a restore, see struct hlk_vm_attach
 * @print: called with what the guest prints, or NULL
 * @print_arg: its first argument
 *
 * For a sandbox that is made from a snapshot all sizes are the snapshot's, and
 * those given here must be 0 or the same.
 */
struct hlk_config {
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

#define HLK_CONFIG_INIT	HLK_STRUCT_INIT(hlk_config)

/**
 * hlk_sandbox_from_image() - a sandbox from an ELF image in memory
 * @ctx: the context
 * @image: the image; not needed any more after the call
 * @size: its size
 * @config: how the sandbox is to be; NULL takes the defaults
 * @sb: out: the sandbox, not booted
 * @err: out: why it failed, or NULL
 *
 * Return: 0 or a negative errno
 */
int hlk_sandbox_from_image(struct hlk_ctx *ctx, const void *image, size_t size,
			   const struct hlk_config *config,
			   struct hlk_sandbox **sb, struct hlk_err *err);

/**
 * hlk_sandbox_from_file() - a sandbox from an open ELF file
 * @ctx: the context
 * @fd: the file, a regular one; its position is not used
 * @config: how the sandbox is to be; NULL takes the defaults
 * @sb: out: the sandbox, not booted
 * @err: out: why it failed, or NULL
 *
 * Return: 0 or a negative errno
 */
int hlk_sandbox_from_file(struct hlk_ctx *ctx, int fd,
			  const struct hlk_config *config,
			  struct hlk_sandbox **sb, struct hlk_err *err);

/**
 * hlk_sandbox_from_path() - a sandbox from an ELF file
 * @ctx: the context
 * @path: name of the file
 * @config: how the sandbox is to be; NULL takes the defaults
 * @sb: out: the sandbox, not booted
 * @err: out: why it failed, or NULL
 *
 * Return: 0 or a negative errno
 */
int hlk_sandbox_from_path(struct hlk_ctx *ctx, const char *path,
			  const struct hlk_config *config,
			  struct hlk_sandbox **sb, struct hlk_err *err);

/**
 * hlk_sandbox_from_snapshot() - a sandbox from a snapshot of another one
 * @ctx: the context
 * @snap: the snapshot; the sandbox is restored to it
 * @config: how the sandbox is to be; NULL takes the defaults
 * @sb: out: the sandbox, ready if the snapshot is of a sandbox that was
 * @err: out: why it failed, or NULL
 *
 * Return: 0 or a negative errno
 */
int hlk_sandbox_from_snapshot(struct hlk_ctx *ctx, struct hlk_snap *snap,
			      const struct hlk_config *config,
			      struct hlk_sandbox **sb, struct hlk_err *err);

/**
 * hlk_sandbox_close() - close a sandbox
 * @sb: the sandbox, or NULL; one that is in use, or a pool's, is not closed
 */
void hlk_sandbox_close(struct hlk_sandbox *sb);

/**
 * hlk_sandbox_error() - why the last call with a sandbox failed
 * @sb: the sandbox
 *
 * After a success there is none: its @code is 0. EBUSY is not noted.
 *
 * Return: the error; valid until the next call with the sandbox
 */
const struct hlk_err *hlk_sandbox_error(const struct hlk_sandbox *sb);

/**
 * hlk_sandbox_host_function() - let the guest call a function, or not any more
 * @sb: the sandbox, not in a call
 * @name: the function's name, at most 63 bytes
 * @fn: the function; NULL removes the one that has the name
 * @arg: its first argument
 *
 * Return: 0, -EEXIST or -ENOENT, or another negative errno
 */
int hlk_sandbox_host_function(struct hlk_sandbox *sb, const char *name,
			      hlk_host_fn fn, void *arg);

#define HLK_MAX_FILES	32U	/* that are mapped at a time */
#define HLK_MAX_LABEL	63U	/* bytes of a label */

/**
 * struct hlk_file - a file of the host for a guest to read
 * @size: sizeof(struct hlk_file), see HLK_FILE_INIT
 * @flags: 0
 * @fd: a regular file, open for reading; the library does not keep this fd
 * @__reserved: 0
 * @offset: where in the file it begins, a multiple of 4 KiB
 * @bytes: how much of it; 0 is all to its end. What is left of the last page is zeroes, or
 *	what the file has there
 * @gpa: guest-physical address for it, a multiple of 4 KiB: where there is no memory, below
 *	HLK_GUEST_SCRATCH_TOP
 * @label: what it is called, 1 to 63 bytes
 */
struct hlk_file {
	uint32_t size;
	uint32_t flags;
	int32_t fd;
	uint32_t __reserved;
	uint64_t offset;
	uint64_t bytes;
	uint64_t gpa;
	const char *label;
};

#ifdef __cplusplus
extern "C++" {
	template < > inline struct hlk_file hlk_struct_init < struct hlk_file > ()
	{
		struct hlk_file init = hlk_file();

		init.size = sizeof(init);
		init.fd = -1;
		return init;
	}
}

#define HLK_FILE_INIT	HLK_STRUCT_INIT(hlk_file)
#else
#define HLK_FILE_INIT	{ .size = sizeof(struct hlk_file), .fd = -1 }
#endif

/**
 * hlk_sandbox_map_file() - let the guest read a file where it has no memory
 * @sb: the sandbox, not in a call; not one of a Linux guest
 * @file: which file, and where
 *
 * The guest asks for what is mapped by calling the host function HLK_GUEST_FILES, maps it in its
 * page tables, and reads what is in the file at that time. It cannot write it: a write of a
 * page that its tables have copy-on-write gives a copy, any other write ends the call. Where the
 * file has become shorter, a read ends the call, and a snapshot fails with EFAULT.
 *
 * A restore changes nothing about it; in a pool, what is mapped after the set-up is not mapped
 * any more for who has the sandbox next. A compact snapshot takes in the pages that the
 * guest's tables map, as they are then, and needs the file no longer; which files are mapped is
 * no part of it. A flat one is refused with EOPNOTSUPP, and so is hlk_sandbox_fork().
 *
 * Return: 0; -EEXIST if there is something else, or the label is used; -ENAMETOOLONG,
 * -ENOSPC beyond HLK_MAX_FILES, or another negative errno
 */
int hlk_sandbox_map_file(struct hlk_sandbox *sb, const struct hlk_file *file);

/**
 * hlk_sandbox_unmap_file() - take a file away from the guest
 * @sb: the sandbox, not in a call
 * @label: what it is called
 *
 * A pool whose set-up mapped it makes the sandbox anew for who has it next.
 *
 * Return: 0, -ENOENT, or another negative errno
 */
int hlk_sandbox_unmap_file(struct hlk_sandbox *sb, const char *label);

/* timeouts that are none */
#define HLK_TIMEOUT_NONE	0ULL
#define HLK_TIMEOUT_KICK	(~0ULL)

/* ---- calls ---- */

/**
 * hlk_sandbox_boot() - run the guest until it is ready for calls
 * @sb: the sandbox, fresh or restored to what it was
 * @timeout_us: see hlk_sandbox_call()
 *
 * Return: 0 or a negative errno, see hlk_sandbox_call()
 */
int hlk_sandbox_boot(struct hlk_sandbox *sb, uint64_t timeout_us);

/**
 * hlk_sandbox_call() - call a function of the guest
 * @sb: the sandbox, ready
 * @name: the function's name
 * @in: its argument
 * @in_len: length of that
 * @out: where the answer goes
 * @out_size: how long it can be
 * @out_len: out: how long the answer is, also if it did not fit; or NULL
 * @timeout_us: how long it may take, in microseconds. HLK_TIMEOUT_NONE sets no
 *	limit and is the fastest; HLK_TIMEOUT_KICK sets none either, but lets
 *	hlk_sandbox_kick() end the call. With a module that cannot do that
 *	(HLK_FEATURE_DEADLINE), anything but HLK_TIMEOUT_NONE is EOPNOTSUPP
 *
 * After ENOTRECOVERABLE, EDQUOT, EPROTO, ETIMEDOUT and EINTR the guest
 * has to be restored before it can be called again. hlk_sandbox_exit() tells
 * then what it did.
 *
 * Return: 0 or a negative errno:
 *
 *  - ENOTRECOVERABLE: the guest failed
 *  - EPROTO: what the guest left in its buffers makes no sense
 *  - EDQUOT: the guest used up the sandbox's private pages
 *  - ETIMEDOUT: the call took too long
 *  - EINTR: hlk_sandbox_kick() ended the call
 *  - EREMOTEIO: the function gave an error; the guest is well
 *  - EMSGSIZE: the answer is longer than @out_size; the start was written
 *  - ENOBUFS: name and argument do not fit the input buffer
 *  - ESTALE: the guest failed before and was not restored, or was not booted
 *  - EBUSY: the sandbox is in a call
 */
int hlk_sandbox_call(struct hlk_sandbox *sb, const char *name,
		     const void *in, size_t in_len,
		     void *out, size_t out_size, size_t *out_len,
		     uint64_t timeout_us);

/**
 * hlk_sandbox_restore_call() - restore, then call a function of the guest
 * @sb: the sandbox, not in a call
 * @name: see hlk_sandbox_call()
 * @in: see hlk_sandbox_call()
 * @in_len: see hlk_sandbox_call()
 * @out: see hlk_sandbox_call()
 * @out_size: see hlk_sandbox_call()
 * @out_len: see hlk_sandbox_call()
 * @timeout_us: see hlk_sandbox_call(); the time of the restore counts
 *
 * As hlk_sandbox_restore() to the snapshot restored last and
 * hlk_sandbox_call() after it, in one system call.
 * hlk_sandbox_restored() tells of the restore. When name and argument do not
 * fit the input buffer, nothing was done. What the guest prints byte by byte
 * may come in larger pieces.
 *
 * A guest that changes debug registers costs more: what a restore leaves to be
 * loaded by user space (HLK_RESIDUE_DEBUGREGS) is known only when the guest
 * has run with it. That run is then thrown away before anything of it has left
 * the guest, and is made again from a second restore, with the registers
 * loaded; as long as it goes on so, restore and call are made one after
 * the other.
 *
 * A thread that counts with hlk_sandbox_counter_add() in the moment in which
 * the guest is entered may be seen by the guest only after its next exit.
 *
 * Return: 0 or a negative errno, see hlk_sandbox_call(), and those of a restore
 */
int hlk_sandbox_restore_call(struct hlk_sandbox *sb, const char *name,
			     const void *in, size_t in_len,
			     void *out, size_t out_size, size_t *out_len,
			     uint64_t timeout_us);

/* so many calls at most are one system call */
#define HLK_CALLS_MOST	64U

/**
 * struct hlk_call - one of many calls
 * @name: see hlk_sandbox_call()
 * @in: see there
 * @in_len: see there
 * @out: see there
 * @out_size: see there
 * @out_len: out: how long the answer is, also if it did not fit
 * @timeout_us: see there; it runs from this call's turn on, its restore included
 * @err: out: why it failed, or NULL if that is not wanted
 * @ret: out: what hlk_sandbox_restore_call() would have returned; -ECANCELED: it was
 *	not made
 * @flags: 0
 * @__reserved: 0
 */
struct hlk_call {
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

/**
 * hlk_sandbox_calls() - many calls, each on a guest that is restored before it
 * @sb: the sandbox, not in a call
 * @calls: in and out: the calls, in their order
 * @nr: how many
 * @flags: 0
 *
 * As hlk_sandbox_restore_call() for each of them, and what one of them does is nothing to
 * the others: a guest that fails or takes too long is one call that failed. But it
 * takes less time: up to HLK_CALLS_MOST of them are one system call, as long as their
 * guests ask for nothing on their way, and their timeouts are the same. (A guest
 * in which an agent answers always asks.) Functions of the host are called in between.
 *
 * hlk_sandbox_kick() ends the call that is under way, and no other is made after it, if
 * any of them has a timeout or HLK_TIMEOUT_KICK; HLK_TIMEOUT_NONE is the latter
 * then. Nor is one made after KVM failed.
 *
 * hlk_sandbox_restored() and hlk_sandbox_exit() tell of the last one that was made,
 * hlk_sandbox_error() why the first failed.
 *
 * Return: 0 if all went well, @ret of the first that failed, or another negative
 * errno if none was made
 */
int hlk_sandbox_calls(struct hlk_sandbox *sb, struct hlk_call *calls, uint32_t nr,
		      uint32_t flags);

/**
 * hlk_sandbox_kick() - end a call that another thread has under way
 * @sb: the sandbox
 *
 * The call returns EINTR, if it was made with a timeout or HLK_TIMEOUT_KICK; a
 * call that comes to its end at that moment may still succeed. Neither a signal
 * nor anything else of the thread that makes the call is used. A kick that finds no
 * call is forgotten. The sandbox must not go away meanwhile, nor from a pool to
 * somebody else, whose call it would be then.
 *
 * Return: 0; -ESRCH if no such call is under way; -EPERM in a child process
 */
int hlk_sandbox_kick(struct hlk_sandbox *sb);

/* flags of struct hlk_snapshot_config */
#define HLK_SNAP_FLAT		(1U << 0)
#define HLK_SNAP_HOST_COW	(1U << 1)
#define HLK_SNAP_STRICT		(1U << 2)
#define HLK_SNAP_CR3		(1U << 3)
#define HLK_SNAP_DEDUP		(1U << 4)

/* ---- snapshots and restores ---- */

/**
 * struct hlk_snapshot_config - how a snapshot is to be made
 * @size: sizeof(struct hlk_snapshot_config)
 * @flags: HLK_SNAP_FLAT: each page keeps its guest-physical address.
 *	HLK_SNAP_HOST_COW: the guest does not copy on write, the host does.
 *	HLK_SNAP_STRICT: refuse a guest with mappings that lead outside memory.
 *	HLK_SNAP_CR3: CR3 is the only page directory. HLK_SNAP_DEDUP, with
 *	each layout: equal pages are kept once, which who shares them can be
 *	told by timing
 * @roots: guest-physical addresses of the page directories. Without these
 *	and HLK_SNAP_CR3, those that the guest published
 * @nr_roots: how many
 * @__reserved: 0
 */
struct hlk_snapshot_config {
	uint32_t size;
	uint32_t flags;
	const uint64_t *roots;
	uint32_t nr_roots;
	uint32_t __reserved;
};

#define HLK_SNAPSHOT_CONFIG_INIT	HLK_STRUCT_INIT(hlk_snapshot_config)

/**
 * hlk_sandbox_snapshot() - make a snapshot
 * @sb: the sandbox, ready
 * @config: how; NULL is compact, with the roots that the guest published
 * @snap: out: the snapshot
 *
 * The sandbox goes on as it was; it is not restored to the snapshot.
 *
 * Return: 0 or a negative errno
 */
int hlk_sandbox_snapshot(struct hlk_sandbox *sb,
			 const struct hlk_snapshot_config *config,
			 struct hlk_snap **snap);

/**
 * hlk_sandbox_fork() - a second sandbox that goes on from where the first one is
 * @sb: the sandbox, ready
 * @config: how the second one is to be; NULL: as the first one
 * @child: out: it. Its snapshot, to which hlk_sandbox_restore() without one goes back, is the
 *	moment of the fork
 *
 * Time is that of the pages which the first one has private, memory of those that it has
 * written since its last restore; all else they share. The second one has its host
 * functions, with the same arguments, and its counter; unique number and seed are its own.
 * @sb goes on as it was. When it fails, hlk_sandbox_error() of @sb says why.
 *
 * Return: 0 or a negative errno
 */
int hlk_sandbox_fork(struct hlk_sandbox *sb, const struct hlk_config *config,
		     struct hlk_sandbox **child);

/**
 * hlk_sandbox_restore() - go back to a snapshot
 * @sb: the sandbox, not in a call
 * @snap: the snapshot, of this or another sandbox with the same layout; NULL
 *	is the one restored last
 *
 * A new sandbox counts as restored to the state before its boot.
 *
 * Return: 0 or a negative errno
 */
int hlk_sandbox_restore(struct hlk_sandbox *sb, struct hlk_snap *snap);

/**
 * hlk_sandbox_restored() - what the last restore did
 * @sb: the sandbox
 *
 * Return: the reply of HLK_RESTORE, valid until the next restore; its @head.size
 * says how much of the struct there is
 */
const struct hlk_restore *hlk_sandbox_restored(const struct hlk_sandbox *sb);

/**
 * hlk_sandbox_audit() - restore, and compare all with the snapshot
 * @sb: the sandbox, not in a call
 *
 * Restores to the snapshot restored last. Memory is compared by the module.
 * Then KVM is made to load the registers, without running the guest, and all
 * that it says of the vCPU is compared with what it said when the snapshot was
 * made; for a snapshot that came as an fd, and for the state before the boot,
 * with what it said after the first audit. Slow.
 *
 * The error names the first address, or the first register, that differs. The
 * sandbox has to be restored then.
 *
 * Return: 0, -EUCLEAN if there is a difference, or another negative errno
 */
int hlk_sandbox_audit(struct hlk_sandbox *sb);

/**
 * hlk_snapshot_from_fd() - a snapshot from a file descriptor
 * @fd: fd of a snapshot, as from hlk_snapshot_fd() in this or another process;
 *	the library makes a duplicate
 * @snap: out: the snapshot
 * @err: out: why it failed, or NULL
 *
 * Return: 0 or a negative errno
 */
int hlk_snapshot_from_fd(int fd, struct hlk_snap **snap, struct hlk_err *err);

/**
 * hlk_snapshot_fd() - the file descriptor of a snapshot
 * @snap: the snapshot, which goes on to own it
 *
 * Return: the fd
 */
int hlk_snapshot_fd(const struct hlk_snap *snap);

/**
 * hlk_snapshot_get_info() - what a snapshot holds
 * @snap: the snapshot
 * @info: in: @windows, @nr_windows, @roots, @nr_roots, or zero. out: see
 *	struct hlk_snapshot_info; @head need not be set. Arrays that are not
 *	given are no error
 * @err: out: why it failed, or NULL
 *
 * Return: 0 or a negative errno
 */
int hlk_snapshot_get_info_sized(const struct hlk_snap *snap,
				struct hlk_snapshot_info *info, size_t size,
				struct hlk_err *err);

static inline int hlk_snapshot_get_info(const struct hlk_snap *snap,
					struct hlk_snapshot_info *info,
					struct hlk_err *err)
{
	return hlk_snapshot_get_info_sized(snap, info, sizeof(*info), err);
}

/* flags of struct hlk_save_config */
#define HLK_SAVE_COMPRESS	(1U << 0)
#define HLK_SAVE_NO_HOT_SET	(1U << 1)

#define HLK_SAVED_DIGEST	72

/* ---- snapshots in files ---- */

/**
 * struct hlk_save_config - how a snapshot is to be saved
 * @size: sizeof(struct hlk_save_config), see HLK_SAVE_CONFIG_INIT
 * @flags: HLK_SAVE_COMPRESS: pages are compressed by zstd: for a file that travels. To load
 *	it all of them are unpacked to memory. HLK_SAVE_NO_HOT_SET: without what guests that
 *	ran from it touched
 * @name: its name among those in the folder, of letters, digits, '.', '_' and '-'; NULL is
 *	"latest". One that has the name is replaced
 * @parent: a snapshot of the same memory that was saved to this folder, or loaded from it:
 *	only what differs from it is written; or NULL
 * @pages: out: pages that were written
 * @bytes: out: bytes of them, as they are in the file
 * @layers: out: snapshots of which it is one on top of the other, itself among them
 * @__reserved: 0
 * @digest: out: that of its manifest, as text
 */
struct hlk_save_config {
	uint32_t size;
	uint32_t flags;
	const char *name;
	struct hlk_snap *parent;
	uint64_t pages;
	uint64_t bytes;
	uint32_t layers;
	uint32_t __reserved;
	char digest[HLK_SAVED_DIGEST];
};

#define HLK_SAVE_CONFIG_INIT	HLK_STRUCT_INIT(hlk_save_config)

/**
 * hlk_snapshot_save() - save a snapshot
 * @ctx: the context
 * @snap: the snapshot, of a sandbox or of a machine
 * @folder: a folder with an OCI image layout; it is made if it is not there
 * @save: how; out: what was written. NULL takes the defaults
 * @err: out: why it cannot be
 *
 * What the folder had before, it has until all of the new one is on the disk; so whenever
 * this is ended there is the one of before, or the new one. Others who save to the folder
 * wait. What else is there stays: files that no snapshot needs any more are removed by
 * tools for OCI images. Documentation/format.rst says what is in them.
 *
 * What it saves of the processor is what this host's KVM offers.
 *
 * Return: 0 or a negative errno
 */
int hlk_snapshot_save(struct hlk_ctx *ctx, struct hlk_snap *snap, const char *folder,
		      struct hlk_save_config *save, struct hlk_err *err);

/* flags of struct hlk_load_config */
#define HLK_LOAD_VERIFY		(1U << 0)
#define HLK_LOAD_NO_HOT_SET	(1U << 1)

/**
 * struct hlk_load_config - how a snapshot is to be loaded
 * @size: sizeof(struct hlk_load_config), see HLK_LOAD_CONFIG_INIT
 * @flags: HLK_LOAD_VERIFY: pages are read and compared with their digest, also where
 *	fs-verity answers for them. HLK_LOAD_NO_HOT_SET: without what guests that ran from it
 *	touched
 * @name: its name among those in the folder; NULL takes the only one
 * @parent: one of its ancestors, loaded before or saved, with which it shares what does
 *	not differ; or NULL
 * @pages: out: pages in its files
 * @lazy: out: of these, pages that are read when they are touched; the others are in memory
 * @layers: out: see struct hlk_save_config
 * @__reserved: 0
 */
struct hlk_load_config {
	uint32_t size;
	uint32_t flags;
	const char *name;
	struct hlk_snap *parent;
	uint64_t pages;
	uint64_t lazy;
	uint32_t layers;
	uint32_t __reserved;
};

#define HLK_LOAD_CONFIG_INIT	HLK_STRUCT_INIT(hlk_load_config)

/**
 * hlk_snapshot_load() - load a snapshot
 * @ctx: the context
 * @folder: the folder that it was saved to, or a copy; it may be anybody's
 * @load: how; out: what there was. NULL takes the defaults
 * @snap: out: the snapshot
 * @err: out: why it cannot be
 *
 * Everything is looked at before anything is built. Pages in files that fs-verity keeps are
 * not read before they are touched; others are read into a memfd, which is sealed. That is as
 * large as the files say, and charged to the caller's cgroup.
 *
 * Return: 0 or a negative errno: EBADMSG if something is not what its digest or its size
 * says, EOPNOTSUPP for a newer version, another endianness or a processor that lacks
 * something, EFBIG if it is larger than it may be, EINVAL if it makes no sense
 */
int hlk_snapshot_load(struct hlk_ctx *ctx, const char *folder, struct hlk_load_config *load,
		      struct hlk_snap **snap, struct hlk_err *err);

/**
 * hlk_snapshot_close() - close a snapshot
 * @snap: the snapshot, or NULL; sandboxes that were restored to it live on
 */
void hlk_snapshot_close(struct hlk_snap *snap);

/* ---- how a call ended ---- */

/**
 * enum hlk_exit_reason - how the guest's last run ended
 * @HLK_EXIT_NONE: it did not run yet
 * @HLK_EXIT_HALT: it halted, as it should
 * @HLK_EXIT_ABORT: it gave up; @code is its reason
 * @HLK_EXIT_TRAP: it met an exception that it does not handle; @code is the
 *	vector, @error_code the processor's error code, @fault CR2
 * @HLK_EXIT_SHUTDOWN: triple fault
 * @HLK_EXIT_NO_MEMORY: it touched guest-physical address @fault, where there
 *	is no memory
 * @HLK_EXIT_PORT: it used I/O port @code, which means nothing
 * @HLK_EXIT_PROTOCOL: what it left in its buffers makes no sense
 * @HLK_EXIT_BUDGET: it used up its private pages
 * @HLK_EXIT_FAULT: the host could not provide its memory
 * @HLK_EXIT_TIMEOUT: it ran too long
 * @HLK_EXIT_KICKED: hlk_sandbox_kick()
 * @HLK_EXIT_FAIL_ENTRY: the processor refused its state; @code is the hardware
 *	reason
 * @HLK_EXIT_INTERNAL: KVM gave up; @code is its suberror
 * @HLK_EXIT_UNKNOWN: another reason of KVM, @code
 * @HLK_EXIT_OFF: a machine's guest came to its end; @code is one of enum hlk_stop
 */
enum hlk_exit_reason {
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
	HLK_EXIT_OFF,
};

/**
 * struct hlk_regs - registers of the guest, and selectors of its segments
 * @eax: EAX; the others are called as the processor's manuals do
 * @ebx: EBX
 * @ecx: ECX
 * @edx: EDX
 * @esi: ESI
 * @edi: EDI
 * @ebp: EBP
 * @esp: ESP
 * @eip: EIP
 * @eflags: EFLAGS
 * @cr0: CR0
 * @cr2: CR2
 * @cr3: CR3
 * @cr4: CR4
 * @cs: selector of the code segment
 * @ss: of the stack
 * @ds: of data
 * @es: of ES
 * @fs: of FS
 * @gs: of GS
 * @__reserved: 0
 */
struct hlk_regs {
	uint32_t eax, ebx, ecx, edx, esi, edi, ebp, esp, eip, eflags;
	uint32_t cr0, cr2, cr3, cr4;
	uint16_t cs, ss, ds, es, fs, gs;
	uint32_t __reserved[15];
};

/* flags of struct hlk_exit */
#define HLK_EXIT_WRITE		(1U << 0)	/* the access was a write */
#define HLK_EXIT_HAS_FAULT	(1U << 1)	/* @fault is valid */
#define HLK_EXIT_REGS_LOST	(1U << 2)	/* the processor was reset */

/**
 * struct hlk_exit - how the guest's last run ended
 * @reason: one of enum hlk_exit_reason
 * @code: see there
 * @error_code: see there
 * @flags: HLK_EXIT_* bits
 * @fault: the address that the guest could not use: virtual for
 *	HLK_EXIT_TRAP, guest-physical for HLK_EXIT_NO_MEMORY
 * @regs: the registers; for HLK_EXIT_TRAP those of the code that trapped
 * @size: how much of the struct there is; fields behind it are not
 * @__reserved: 0
 */
struct hlk_exit {
	uint32_t size;
	uint32_t __reserved;
	uint32_t reason;
	uint32_t code;
	uint32_t error_code;
	uint32_t flags;
	uint64_t fault;
	struct hlk_regs regs;
};

/**
 * hlk_sandbox_exit() - how the guest's last run ended
 * @sb: the sandbox
 *
 * Return: the report; valid until the guest runs again
 */
const struct hlk_exit *hlk_sandbox_exit(struct hlk_sandbox *sb);

/**
 * hlk_sandbox_regs() - the registers of the guest
 * @sb: the sandbox, not in a call
 * @regs: out: the registers, as they are when it runs again
 *
 * Return: 0 or a negative errno
 */
int hlk_sandbox_regs(struct hlk_sandbox *sb, struct hlk_regs *regs);

/**
 * hlk_exit_reason_text() - one of enum hlk_exit_reason in words
 * @reason: the reason
 *
 * Return: a constant string
 */
const char *hlk_exit_reason_text(uint32_t reason);

/**
 * hlk_sandbox_stats() - statistics of a sandbox
 * @sb: the sandbox
 * @stats: out: see struct hlk_vm_stats; @head need not be set
 *
 * Return: 0 or a negative errno
 */
int hlk_sandbox_stats_sized(struct hlk_sandbox *sb, struct hlk_vm_stats *stats,
			    size_t size);

static inline int hlk_sandbox_stats(struct hlk_sandbox *sb,
				    struct hlk_vm_stats *stats)
{
	return hlk_sandbox_stats_sized(sb, stats, sizeof(*stats));
}

/* ---- page tables and memory, of sandboxes and of other programs' VMs ---- */

/**
 * hlk_sandbox_translate() - translate an address of the guest
 * @sb: the sandbox, not in a call
 * @translate: in and out: see struct hlk_translate; @head need not be set
 *
 * Return: 0 or a negative errno
 */
int hlk_sandbox_translate_sized(struct hlk_sandbox *sb,
				struct hlk_translate *translate, size_t size);

static inline int hlk_sandbox_translate(struct hlk_sandbox *sb,
					struct hlk_translate *translate)
{
	return hlk_sandbox_translate_sized(sb, translate, sizeof(*translate));
}

/**
 * hlk_sandbox_walk() - list the guest's mappings
 * @sb: the sandbox, not in a call
 * @walk: in and out: see struct hlk_walk, with @mapping_size; @head
 *	need not be set
 *
 * Return: 0 or a negative errno
 */
int hlk_sandbox_walk_sized(struct hlk_sandbox *sb, struct hlk_walk *walk,
			   size_t size);

static inline int hlk_sandbox_walk(struct hlk_sandbox *sb,
				   struct hlk_walk *walk)
{
	return hlk_sandbox_walk_sized(sb, walk, sizeof(*walk));
}

/**
 * hlk_sandbox_mark_cow() - make the guest's writable pages copy-on-write
 * @sb: the sandbox, not in a call
 * @mark: in and out: see struct hlk_mark_cow; @head need not be set
 *
 * Return: 0 or a negative errno
 */
int hlk_sandbox_mark_cow_sized(struct hlk_sandbox *sb,
			       struct hlk_mark_cow *mark, size_t size);

static inline int hlk_sandbox_mark_cow(struct hlk_sandbox *sb,
				       struct hlk_mark_cow *mark)
{
	return hlk_sandbox_mark_cow_sized(sb, mark, sizeof(*mark));
}

/**
 * hlk_inspect_open() - look at the page tables of a VM that is not a sandbox
 * @ctx: the context
 * @vm_fd: fd of the KVM VM, as from pidfd_getfd(2) if it is another process's,
 *	which takes CAP_SYS_PTRACE; the library does not keep it
 * @inspect: out: the view
 * @err: out: why it failed, or NULL
 *
 * The VM lives for as long as the view.
 *
 * Return: 0 or a negative errno
 */
int hlk_inspect_open(struct hlk_ctx *ctx, int vm_fd,
		     struct hlk_inspect **inspect, struct hlk_err *err);

/**
 * hlk_inspect_close() - end a view
 * @inspect: the view, or NULL
 */
void hlk_inspect_close(struct hlk_inspect *inspect);

/**
 * hlk_inspect_translate() - translate an address of the VM
 * @inspect: the view
 * @translate: in and out: see struct hlk_translate; @head need not be set
 * @err: out: why it failed, or NULL
 *
 * The vCPUs have to rest if CR3 or the paging modes are to be those of vCPU 0.
 *
 * Return: 0 or a negative errno
 */
int hlk_inspect_translate_sized(struct hlk_inspect *inspect,
				struct hlk_translate *translate, size_t size,
				struct hlk_err *err);

static inline int hlk_inspect_translate(struct hlk_inspect *inspect,
					struct hlk_translate *translate,
					struct hlk_err *err)
{
	return hlk_inspect_translate_sized(inspect, translate, sizeof(*translate), err);
}

/**
 * hlk_inspect_walk() - list the VM's mappings
 * @inspect: the view
 * @walk: in and out: see struct hlk_walk, with @mapping_size; @head
 *	need not be set
 * @err: out: why it failed, or NULL
 *
 * As for hlk_inspect_translate(). Tables that change while they are read give a
 * list that never was true as a whole.
 *
 * Return: 0 or a negative errno
 */
int hlk_inspect_walk_sized(struct hlk_inspect *inspect, struct hlk_walk *walk,
			   size_t size, struct hlk_err *err);

static inline int hlk_inspect_walk(struct hlk_inspect *inspect,
				   struct hlk_walk *walk, struct hlk_err *err)
{
	return hlk_inspect_walk_sized(inspect, walk, sizeof(*walk), err);
}

/**
 * hlk_inspect_read() - read the VM's guest-physical memory
 * @inspect: the view
 * @gpa: where from
 * @buf: out: the bytes
 * @len: in: how many are wanted. out: how many were read, all of them if it succeeds
 * @err: out: why it failed, or NULL
 *
 * The guest may run. Where no memory follows it fails with ENODEV, after what there was.
 *
 * Return: 0 or a negative errno
 */
int hlk_inspect_read(struct hlk_inspect *inspect, uint64_t gpa, void *buf, size_t *len,
		     struct hlk_err *err);

/**
 * hlk_sandbox_roots() - the page directories that the guest published
 * @sb: the sandbox, not in a call
 * @roots: out: their guest-physical addresses; not checked in any way
 * @nr_roots: in: length of @roots. out: how many the guest has, at most
 *	HLK_GUEST_MAX_ROOTS
 *
 * Return: 0, -EMSGSIZE if @roots is too short, or another negative errno
 */
int hlk_sandbox_roots(struct hlk_sandbox *sb, uint64_t *roots,
		      uint32_t *nr_roots);

/**
 * hlk_sandbox_read() - read guest-physical memory
 * @sb: the sandbox, not in a call
 * @gpa: where
 * @buf: where it goes
 * @len: how much
 *
 * Return: 0, -ENODEV if it is not all memory, or another negative errno
 */
int hlk_sandbox_read(struct hlk_sandbox *sb, uint64_t gpa, void *buf,
		     size_t len);

/**
 * hlk_sandbox_write() - write guest-physical memory
 * @sb: the sandbox, not in a call
 * @gpa: where
 * @buf: what
 * @len: how much
 *
 * Return: 0, -ENODEV if it is not all memory, or another negative errno
 */
int hlk_sandbox_write(struct hlk_sandbox *sb, uint64_t gpa, const void *buf,
		      size_t len);

/**
 * hlk_sandbox_counter_add() - count up or down for the guest
 * @sb: the sandbox; any thread may do this, also while it is in a call
 * @by: how far
 *
 * The counter lies in the guest's memory at HLK_GUEST_OFF_COUNTER. It starts
 * at 0, belongs to the sandbox and not to a snapshot, and so keeps its value
 * over a restore. What the guest writes there is never read.
 *
 * Return: 0, -EOVERFLOW if it would leave the range of a 64-bit number, -EDQUOT if the
 * guest has used up its private pages and the counter has none, or another negative
 * errno; it is unchanged then
 */
int hlk_sandbox_counter_add(struct hlk_sandbox *sb, int64_t by);

/**
 * hlk_sandbox_counter() - the counter's value
 * @sb: the sandbox
 *
 * Return: the value, the host's own; in a child process what it was at the fork
 */
uint64_t hlk_sandbox_counter(struct hlk_sandbox *sb);

/* ---- what is below, and debuggers ---- */

/**
 * enum hlk_fd - the file descriptors of a sandbox
 * @HLK_FD_HLK: the hlk VM
 * @HLK_FD_VM: the KVM VM
 * @HLK_FD_VCPU: its vCPU
 */
enum hlk_fd {
	HLK_FD_HLK,
	HLK_FD_VM,
	HLK_FD_VCPU,
};

/**
 * hlk_sandbox_fd() - a file descriptor of a sandbox, for inspection
 * @sb: the sandbox, which goes on to own it
 * @which: which one
 *
 * A restore by other means than the library's is not seen by the library.
 *
 * Return: the fd, or -EINVAL
 */
int hlk_sandbox_fd(const struct hlk_sandbox *sb, enum hlk_fd which);

/**
 * enum hlk_debug_event - why a debugger is called
 * @HLK_DEBUG_BEGIN: the guest is about to run, with its registers set: the begin of a call, or of
 *	its boot
 * @HLK_DEBUG_EXIT: KVM_EXIT_DEBUG came
 * @HLK_DEBUG_KICK: hlk_sandbox_kick() was called, in a call that can be kicked
 * @HLK_DEBUG_FAILED: the guest failed, see hlk_sandbox_exit(); it does not go on
 */
enum hlk_debug_event {
	HLK_DEBUG_BEGIN = 1,
	HLK_DEBUG_EXIT,
	HLK_DEBUG_KICK,
	HLK_DEBUG_FAILED,
};

/**
 * struct hlk_debug - why a debugger is called
 * @size: how much of the struct there is
 * @event: one of enum hlk_debug_event
 * @exception: of HLK_DEBUG_EXIT: the exception, 1 or 3
 * @dr6: with it
 */
struct hlk_debug {
	uint32_t size;
	uint32_t event;
	uint32_t exception;
	uint32_t dr6;
};

/**
 * typedef hlk_debug_fn - the guest of a sandbox is at rest in the middle of a call
 * @arg: as given to hlk_sandbox_debug()
 * @sb: the sandbox. Of its functions hlk_sandbox_read(), _write(), _regs(), _translate(),
 *	_walk(), _fd() and _exit() can be used, from this thread
 * @debug: why
 *
 * KVM has all registers, and gives and takes them by HLK_FD_VCPU.
 *
 * Return: 0: the guest is to go on; a negative errno: the call ends with ECANCELED, and the guest
 * has to be restored. After HLK_DEBUG_FAILED it makes no difference
 */
typedef int (*hlk_debug_fn)(void *arg, struct hlk_sandbox *sb,
			    const struct hlk_debug *debug);

/**
 * hlk_sandbox_debug() - be called where the guest stops for a debugger
 * @sb: the sandbox, not in a call, and not one of a machine's guest
 * @fn: what is called in the thread of each call, or NULL: nothing
 * @arg: its first argument
 *
 * Where it stops KVM_SET_GUEST_DEBUG of HLK_FD_VCPU says. hlk_sandbox_restore_call() makes two
 * system calls then. Not for sandboxes in batches, nor for hlk_sandbox_calls().
 *
 * Return: 0 or a negative errno
 */
int hlk_sandbox_debug(struct hlk_sandbox *sb, hlk_debug_fn fn, void *arg);

#define HLK_BATCH_MAX	4096U

/* flags of hlk_batch_restore() */
#define HLK_BATCH_ASYNC	(1U << 0)

/* ---- batches ---- */

/**
 * hlk_batch_open() - many sandboxes in one or two system calls
 * @ctx: the context
 * @size: how many at most, up to HLK_BATCH_MAX
 * @batch: out: the batch; it belongs to one thread at a time
 * @err: out: why it failed, or NULL
 *
 * It is an io_uring, which the system may forbid.
 *
 * Return: 0 or a negative errno
 */
int hlk_batch_open(struct hlk_ctx *ctx, uint32_t size, struct hlk_batch **batch,
		   struct hlk_err *err);

/**
 * hlk_batch_close() - close a batch
 * @batch: the batch, or NULL; what was not submitted is not done. One that is being
 *	submitted is not closed
 */
void hlk_batch_close(struct hlk_batch *batch);

/**
 * hlk_batch_restore() - put a restore into a batch
 * @batch: the batch
 * @sb: the sandbox; it counts as in a call until the batch is submitted
 * @snap: see hlk_sandbox_restore(); the batch holds it until then
 * @flags: HLK_BATCH_ASYNC: not by the thread that submits, but by workers of
 *	the kernel, so that several cores restore
 *
 * Return: 0, or a negative errno: it was not put there, -ENOSPC when it is full
 */
int hlk_batch_restore(struct hlk_batch *batch, struct hlk_sandbox *sb,
		      struct hlk_snap *snap, uint32_t flags);

/**
 * hlk_batch_restore_call() - put a restore and a call into a batch
 * @batch: the batch
 * @sb: the sandbox; it counts as in a call until the batch is submitted
 * @name: see hlk_sandbox_restore_call(); not needed any more after this call
 * @in: see there; neither
 * @in_len: see there
 * @out: see there; the answer is written when the batch is submitted
 * @out_size: see there
 * @out_len: see there
 * @timeout_us: see there; it runs from the call's turn on, whatever the ones
 *	before it took
 *
 * Guests run in the thread that submits, one after the other, after all plain
 * restores of the batch. What they ask of the host is done when all of them have
 * come out once.
 *
 * Return: 0, or a negative errno: it was not put there, -ENOSPC when it is full
 */
int hlk_batch_restore_call(struct hlk_batch *batch, struct hlk_sandbox *sb,
			   const char *name, const void *in, size_t in_len,
			   void *out, size_t out_size, size_t *out_len,
			   uint64_t timeout_us);

/**
 * hlk_batch_submit() - do what is in a batch
 * @batch: the batch, empty again for the next call that puts something there. Until
 *	this returns it is EBUSY for functions that its guests call
 *
 * Of each sandbox hlk_batch_result(), hlk_sandbox_restored(),
 * hlk_sandbox_error() and hlk_sandbox_exit() say afterwards what came of it.
 *
 * Return: 0 if all went well, or the first negative errno
 */
int hlk_batch_submit(struct hlk_batch *batch);

/**
 * hlk_batch_result() - what came of one sandbox in a batch
 * @batch: the batch, submitted
 * @index: which one, in the order in which they were put there
 *
 * Return: what hlk_sandbox_restore() or hlk_sandbox_restore_call() would have
 * returned, or -EINVAL if there is no such one
 */
int hlk_batch_result(const struct hlk_batch *batch, uint32_t index);

/**
 * typedef hlk_setup_fn - a pool made a sandbox
 * @arg: as given in struct hlk_pool_config
 * @sb: the sandbox, restored to the pool's snapshot
 *
 * For hlk_sandbox_host_function() and the like: what is there afterwards is there for
 * each who takes the sandbox, and what he adds or removes is taken back. The guest may
 * be called, too; it is restored afterwards. It may run in a thread of the pool.
 *
 * Return: 0, or a negative errno: the sandbox is not used
 */
typedef int (*hlk_setup_fn)(void *arg, struct hlk_sandbox *sb);

#define HLK_POOL_MAX	4096U

/* ---- pools ---- */

/**
 * struct hlk_pool_config - how a pool is to be
 * @size: sizeof(struct hlk_pool_config), see HLK_POOL_CONFIG_INIT
 * @flags: 0
 * @sandboxes: how many; 0 is one for each core
 * @restorers: threads that restore what was given back; 0 is 1
 * @config: how each sandbox is to be, or NULL; not needed after the call
 * @setup: called for each new sandbox, or NULL
 * @setup_arg: its first argument
 */
struct hlk_pool_config {
	uint32_t size;
	uint32_t flags;
	uint32_t sandboxes;
	uint32_t restorers;
	const struct hlk_config *config;
	hlk_setup_fn setup;
	void *setup_arg;
};

#define HLK_POOL_CONFIG_INIT	HLK_STRUCT_INIT(hlk_pool_config)

#define HLK_POOL_BUCKETS	40

/**
 * struct hlk_pool_stats - what a pool did
 * @sandboxes: how many it is to have
 * @ready: of these, restored and free
 * @out: of these, taken
 * @dirty: of these, given back and not restored yet
 * @missing: of these, broken and not made anew yet
 * @refused: sandboxes that were given back and were not taken from this pool, or
 *	twice, or in a call: nothing was done with them
 * @gets: sandboxes taken
 * @waits: times that none was there at once
 * @wait_timeouts: times that none became free in time
 * @moved: of @gets, those that ran last in another thread, which KVM lets wait
 * @calls: calls by hlk_pool_call() and hlk_pool_calls()
 * @call_failures: of these, how many failed
 * @restores: restores in the background
 * @restore_failures: of these, how many failed
 * @replaced: sandboxes made in place of broken ones
 * @make_failures: times that one could not be made
 * @wait_ns: nanoseconds waited for sandboxes, together
 * @restore_ns: nanoseconds spent in restores, together
 * @wait_hist: waits, by time: bucket n counts those of at least 2^n and less
 *	than 2^(n+1) nanoseconds, the last one longer ones too; sandboxes that
 *	were there at once are in bucket 0, and waits in vain count as well
 * @restore_hist: restores, in the same way
 * @switches: of @gets, those for which a sandbox went over to another snapshot
 */
struct hlk_pool_stats {
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
	uint64_t wait_hist[HLK_POOL_BUCKETS];
	uint64_t restore_hist[HLK_POOL_BUCKETS];
	uint64_t switches;
};

/**
 * hlk_pool_open() - a pool of warm sandboxes of one snapshot
 * @ctx: the context
 * @snap: the snapshot, of a guest that is ready; the pool holds it
 * @config: how the pool is to be; NULL takes the defaults
 * @pool: out: the pool; any thread may use it
 * @err: out: why it failed, or NULL
 *
 * All sandboxes are there when this returns.
 *
 * Return: 0 or a negative errno
 */
int hlk_pool_open(struct hlk_ctx *ctx, struct hlk_snap *snap,
		  const struct hlk_pool_config *config, struct hlk_pool **pool,
		  struct hlk_err *err);

/**
 * hlk_pool_close() - end a pool
 * @pool: the pool, or NULL; no thread may be in a call for it. In a child process
 *	what was inherited is given back
 *
 * Return: 0, or -EBUSY when sandboxes were not given back: nothing was done
 */
int hlk_pool_close(struct hlk_pool *pool);

/**
 * hlk_pool_get() - take a sandbox
 * @pool: the pool
 * @wait_us: how long to wait, in microseconds; HLK_TIMEOUT_NONE sets no limit
 * @sb: out: a sandbox that is restored; it belongs to the caller
 * @err: out: why there is none, or NULL
 *
 * Preferred are sandboxes that ran last in the same thread, and of these the last one: KVM
 * lets a vCPU wait that changes the thread, and a core that changes the vCPU.
 *
 * Return: 0, -ETIMEDOUT, or, when the pool has no sandbox any more and cannot
 * make one, why not
 */
int hlk_pool_get(struct hlk_pool *pool, uint64_t wait_us,
		 struct hlk_sandbox **sb, struct hlk_err *err);

/**
 * hlk_pool_get_from() - take a sandbox of one of several snapshots
 * @pool: the pool
 * @snap: what it is to be restored to: any snapshot with the same memory as the one that the pool
 *	was opened with, which NULL is. The pool holds it as long as a sandbox is restored to it
 * @wait_us: see hlk_pool_get()
 * @sb: see there
 * @err: see there
 *
 * Each sandbox stays with the snapshot that it was taken from last. Of those that are free the
 * one is taken whose snapshot is nearest: the same, of these as with hlk_pool_get(), or one that
 * differs in the fewest pages, and if that are about as many, the one that was not used for the
 * longest time. It goes over to @snap in this call, which takes as long as what differs.
 * Nobody is waited for who has a nearer one.
 *
 * Return: see hlk_pool_get(), and as hlk_sandbox_restore()
 */
int hlk_pool_get_from(struct hlk_pool *pool, struct hlk_snap *snap, uint64_t wait_us,
		      struct hlk_sandbox **sb, struct hlk_err *err);

/**
 * hlk_pool_put() - give a sandbox back
 * @pool: the pool
 * @sb: the sandbox, not in a call, in whatever state
 *
 * It is restored in the background; if that fails, or KVM failed in a call of
 * it, another one is made in its place. Host functions and the counter are again what
 * the set-up left, report and error are empty. A sandbox that is not taken from this
 * pool, or in a call, is left alone, and counted as @refused.
 */
void hlk_pool_put(struct hlk_pool *pool, struct hlk_sandbox *sb);

/**
 * hlk_pool_discard() - give a sandbox back that is not to be used again
 * @pool: the pool
 * @sb: the sandbox, not in a call; another one is made in its place
 */
void hlk_pool_discard(struct hlk_pool *pool, struct hlk_sandbox *sb);

/**
 * hlk_pool_call() - take a sandbox, call it, give it back
 * @pool: the pool
 * @wait_us: see hlk_pool_get()
 * @name: see hlk_sandbox_call()
 * @in: see there
 * @in_len: see there
 * @out: see there
 * @out_size: see there
 * @out_len: see there
 * @timeout_us: see there
 * @err: out: why it failed, or NULL
 *
 * Return: 0 or a negative errno, see hlk_pool_get() and hlk_sandbox_call()
 */
int hlk_pool_call(struct hlk_pool *pool, uint64_t wait_us, const char *name,
		  const void *in, size_t in_len, void *out, size_t out_size,
		  size_t *out_len, uint64_t timeout_us, struct hlk_err *err);

/**
 * hlk_pool_call_from() - the same with a sandbox of one of several snapshots
 * @pool: the pool
 * @snap: see hlk_pool_get_from()
 * @wait_us: see there
 * @name: see hlk_sandbox_call()
 * @in: see there
 * @in_len: see there
 * @out: see there
 * @out_size: see there
 * @out_len: see there
 * @timeout_us: see there
 * @err: out: why it failed, or NULL
 *
 * Return: 0 or a negative errno, see hlk_pool_get_from() and hlk_sandbox_call()
 */
int hlk_pool_call_from(struct hlk_pool *pool, struct hlk_snap *snap, uint64_t wait_us,
		       const char *name, const void *in, size_t in_len, void *out,
		       size_t out_size, size_t *out_len, uint64_t timeout_us,
		       struct hlk_err *err);

/**
 * hlk_pool_calls() - take a sandbox, make many calls in it, give it back
 * @pool: the pool
 * @wait_us: see hlk_pool_get()
 * @calls: see hlk_sandbox_calls()
 * @nr: see there
 * @flags: see there
 * @err: out: why the first that failed did, or NULL
 *
 * While others wait for a sandbox, it is given back after HLK_CALLS_MOST calls, and this
 * one waits for its turn, too. Where KVM failed, the rest is made in another one.
 *
 * Return: 0, @ret of the first that failed, or why there is no sandbox, see
 * hlk_pool_get(); calls that were not made then say -ECANCELED
 */
int hlk_pool_calls(struct hlk_pool *pool, uint64_t wait_us, struct hlk_call *calls,
		   uint32_t nr, uint32_t flags, struct hlk_err *err);

/**
 * hlk_pool_calls_from() - the same with sandboxes of one of several snapshots
 * @pool: the pool
 * @snap: see hlk_pool_get_from()
 * @wait_us: see there
 * @calls: see hlk_sandbox_calls()
 * @nr: see there
 * @flags: see there
 * @err: see hlk_pool_calls()
 *
 * Return: as hlk_pool_calls() and hlk_pool_get_from()
 */
int hlk_pool_calls_from(struct hlk_pool *pool, struct hlk_snap *snap, uint64_t wait_us,
			struct hlk_call *calls, uint32_t nr, uint32_t flags,
			struct hlk_err *err);

/**
 * hlk_pool_stats() - what a pool did
 * @pool: the pool
 * @stats: out: see struct hlk_pool_stats
 */
void hlk_pool_stats_sized(struct hlk_pool *pool, struct hlk_pool_stats *stats,
			  size_t size);

static inline void hlk_pool_stats(struct hlk_pool *pool,
				  struct hlk_pool_stats *stats)
{
	hlk_pool_stats_sized(pool, stats, sizeof(*stats));
}

/* enough for all that hlk_pool_metrics() writes, with a name of any length */
#define HLK_POOL_METRICS_SIZE	65536

/**
 * hlk_pool_metrics() - what a pool did, for programs that watch
 * @pool: the pool
 * @name: what its samples have as their label "pool", at most 140 bytes of it; NULL gives them
 *	none. Of one process only one pool can go without
 * @buf: out: a text of OpenMetrics 1.0, with the line that ends it: what is in struct
 *	hlk_pool_stats, restores and waits as histograms, in seconds, and hlk_private_bytes, the
 *	memory that the sandboxes have for themselves
 * @size: size of @buf, such as HLK_POOL_METRICS_SIZE
 *
 * From any thread, at any time: it is not in the way of calls.
 *
 * Return: how long the text is without the byte that ends it; if that is not less than @size,
 * it did not fit
 */
size_t hlk_pool_metrics(struct hlk_pool *pool, const char *name, char *buf, size_t size);

/* ---- kernels ---- */

/**
 * enum hlk_protocol - how a kernel is started
 * @HLK_PROTOCOL_AUTO: as the image says. A bzImage is Linux's, by its 64-bit entry if
 *	it has one; a file with a Multiboot header is a Multiboot kernel; an ELF file with a
 *	note of Linux's is a vmlinux; one with Xen's note of a PVH entry is started by that.
 *	Nothing else is guessed
 * @HLK_PROTOCOL_LINUX32: Linux/x86, a bzImage or an ELF32 vmlinux: 32-bit entry
 * @HLK_PROTOCOL_LINUX64: Linux/x86, a bzImage or an ELF64 vmlinux: 64-bit entry
 * @HLK_PROTOCOL_PVH: an ELF file with XEN_ELFNOTE_PHYS32_ENTRY
 * @HLK_PROTOCOL_MULTIBOOT: Multiboot 1, by the header's address fields or an ELF32 file
 * @HLK_PROTOCOL_FLAT16: any bytes, started in real mode at their first
 * @HLK_PROTOCOL_FLAT32: any bytes, started in protected mode at their first
 * @HLK_PROTOCOL_NANVIX: an ELF32 file, started in real mode as Nanvix's microvm does
 */
enum hlk_protocol {
	HLK_PROTOCOL_AUTO = 0,
	HLK_PROTOCOL_LINUX32,
	HLK_PROTOCOL_LINUX64,
	HLK_PROTOCOL_PVH,
	HLK_PROTOCOL_MULTIBOOT,
	HLK_PROTOCOL_FLAT16,
	HLK_PROTOCOL_FLAT32,
	HLK_PROTOCOL_NANVIX,
};

#define HLK_KERNEL_MAX_MODULES	64

/**
 * struct hlk_ram - a piece of guest-physical memory, where the caller has it
 * @gpa: where it starts in the guest
 * @bytes: its size
 * @mem: where it is mapped, to be written
 */
struct hlk_ram {
	uint64_t gpa;
	uint64_t bytes;
	void *mem;
};

/**
 * struct hlk_module - a file that goes with a kernel
 * @data: its content
 * @size: its size; not 0
 * @text: its command line, or NULL for none
 */
struct hlk_module {
	const void *data;
	uint64_t size;
	const char *text;
};

/**
 * struct hlk_kernel - a kernel that is to be started
 * @size: sizeof(struct hlk_kernel), see HLK_KERNEL_INIT
 * @flags: 0
 * @protocol: one of enum hlk_protocol
 * @nr_modules: length of @modules, at most HLK_KERNEL_MAX_MODULES
 * @image: the kernel's file
 * @image_size: its size
 * @initrd: Linux, PVH (its first module) and Nanvix: the initial RAM disk, or NULL
 * @initrd_size: its size
 * @cmdline: Linux, PVH and Multiboot: the command line; NULL is an empty one
 * @modules: PVH and Multiboot: files that go with the kernel
 * @gpa: flat binaries: where the image goes and starts; in real mode below 1 MiB
 * @rsdp: Linux and PVH: where the caller put ACPI's RSDP; 0 for no ACPI
 *
 * What a protocol does not have must be NULL or 0. Nothing of it is needed any more
 * after the call.
 */
struct hlk_kernel {
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

#define HLK_KERNEL_INIT	HLK_STRUCT_INIT(hlk_kernel)

/**
 * struct hlk_placed - what was put where
 * @protocol: the one that was taken
 * @__reserved: 0
 * @entry: where the kernel starts
 * @kernel: its first byte; of several segments, the lowest
 * @kernel_end: the byte after its last
 * @initrd: the initial RAM disk, if there is one
 * @initrd_size: its size
 * @cmdline: the command line, if it was put anywhere
 * @info: what the kernel is told: Linux's boot_params, Multiboot's or PVH's information
 * @tables: the first page tables, for a 64-bit entry
 * @rsdp: where ACPI's RSDP is; 0: there is no ACPI
 */
struct hlk_placed {
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

struct kvm_regs;
struct kvm_sregs;

/**
 * hlk_kernel_load() - put a kernel into a machine's memory, ready to start
 * @kernel: the kernel; of any content
 * @ram: the machine's memory, all zero; pieces in any order, without overlap
 * @nr_ram: length of @ram, at most 64
 * @regs: out: general registers of the first vCPU at its start
 * @sregs: in: after reset, from KVM_GET_SREGS. out: at its start
 * @placed: out: what was put where
 * @err: out: why it failed, or NULL
 *
 * The guest is told of @ram as its memory, but for what is between 640 KiB and 1 MiB. For
 * any VMM: neither a context nor the module is needed. Other vCPUs stay as after reset.
 * After a failure @ram may hold part of it, and the registers are as before.
 *
 * Return: 0; -ENOEXEC for an image that is not what the protocol asks for; -ENOSPC if
 * something does not fit @ram; -EINVAL, -E2BIG, -EOPNOTSUPP for what is wrong with
 * @kernel or @ram
 */
int hlk_kernel_load_sized(const struct hlk_kernel *kernel,
			  const struct hlk_ram *ram, uint32_t nr_ram,
			  struct kvm_regs *regs, struct kvm_sregs *sregs,
			  struct hlk_placed *placed, size_t size,
			  struct hlk_err *err);

static inline int hlk_kernel_load(const struct hlk_kernel *kernel,
				  const struct hlk_ram *ram, uint32_t nr_ram,
				  struct kvm_regs *regs, struct kvm_sregs *sregs,
				  struct hlk_placed *placed, struct hlk_err *err)
{
	return hlk_kernel_load_sized(kernel, ram, nr_ram, regs, sregs, placed,
				     sizeof(*placed), err);
}

/**
 * hlk_protocol_text() - the name of a protocol
 * @protocol: one of enum hlk_protocol
 *
 * Return: a constant string such as "linux64", or NULL
 */
const char *hlk_protocol_text(uint32_t protocol);

struct hlk_machine;

/* flags of struct hlk_access */
#define HLK_ACCESS_WRITE	(1U << 0)
#define HLK_ACCESS_MEMORY	(1U << 1)

/* ---- machines, and what they are made of ---- */

/**
 * struct hlk_access - an access of the guest to a port or to an address without memory
 * @flags: HLK_ACCESS_WRITE: it writes, else it reads; HLK_ACCESS_MEMORY: @addr is an
 *	address, else a port
 * @size: bytes: 1, 2 or 4, and 8 for memory
 * @addr: the address, as the machine sees it, or the port
 * @value: what is written; or out: what is read, all ones before
 */
struct hlk_access {
	uint32_t flags;
	uint32_t size;
	uint64_t addr;
	uint64_t value;
};

#define HLK_MACHINE_IRQS	24U
#define HLK_MACHINE_MAX_STATE	16384U

/**
 * struct hlk_machine_device - a device of the embedder's own
 * @size: sizeof(struct hlk_machine_device), see HLK_MACHINE_DEVICE_INIT
 * @state_bytes: how many bytes of it are part of each snapshot, at most
 *	HLK_MACHINE_MAX_STATE
 * @arg: first argument of the others
 * @access: called with each access that no device of libhlk takes, or NULL
 * @save: called for each snapshot: write @state_bytes bytes. They are 0 before
 * @load: called before each restore, with the @state_bytes bytes of the snapshot, which
 *	may be from anybody who gave the caller its fd
 *
 * The functions are called while the machine is in use: of its functions they may call
 * hlk_machine_irq() and hlk_machine_stop() alone.
 */
struct hlk_machine_device {
	uint32_t size;
	uint32_t state_bytes;
	void *arg;
	void (*access)(void *arg, struct hlk_access *access);
	void (*save)(void *arg, void *state);
	void (*load)(void *arg, const void *state);
};

#define HLK_MACHINE_DEVICE_INIT	HLK_STRUCT_INIT(hlk_machine_device)

/* flags of struct hlk_machine_config */
#define HLK_MACHINE_NO_IRQCHIP	(1U << 0)
#define HLK_MACHINE_NO_ACPI	(1U << 1)
#define HLK_MACHINE_REPRODUCIBLE	(1U << 2)

/**
 * struct hlk_machine_config - how a machine is to be
 * @size: sizeof(struct hlk_machine_config), see HLK_MACHINE_CONFIG_INIT
 * @flags: HLK_MACHINE_NO_IRQCHIP: without interrupt controllers and timer. Nothing
 *	interrupts the guest then, and HLT is its end; nor is there ACPI.
 *	HLK_MACHINE_NO_ACPI: without ACPI, which kernels for a PC get else, from
 *	0xE0000 on, if there is memory. HLK_MACHINE_REPRODUCIBLE: no restore gives the
 *	guest a new VM generation ID, nor tells it that it was restored
 * @nr_cpus: processors, up to 16; 0 is one. More than one want interrupt controllers
 * @nr_ram: length of @ram, at most 64
 * @ram: its memory: where each piece is and its size; @mem must be NULL
 * @mem_size: without @ram: bytes of memory, as a PC has it: up to 3 GiB from 0 on,
 *	the rest from 4 GiB on; 0 is 128 MiB
 * @max_private: see struct hlk_config; 0 is no limit
 * @keep_private: see struct hlk_config
 * @print: called with what the guest writes to its serial port and to port 0xE9, or NULL; of
 *	several processors on any of their threads, one at a time
 * @print_arg: its first argument
 * @device: a device of the caller's own, or NULL; it is copied
 *
 * Sizes and addresses are multiples of 4 KiB. Memory that the guest did not touch costs
 * nothing.
 */
struct hlk_machine_config {
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

#define HLK_MACHINE_CONFIG_INIT	HLK_STRUCT_INIT(hlk_machine_config)

/**
 * hlk_machine_create() - make a machine for a guest that is not written for hlk
 * @ctx: the context
 * @config: how it is to be; NULL takes the defaults
 * @machine: out: the machine, without a kernel
 * @err: out: why it failed, or NULL
 *
 * A KVM VM whose memory is windows of hlk. Its processor is what KVM offers, but for guests
 * of its own and what KVM would write to the guest's memory at any time. It has a 16550A at
 * 0x3f8 with interrupt 4, a CMOS clock, port 0xE9, an end with a value at 0xf4, power off by a
 * 16-bit write of 0x2000 to 0x604, a reset by 0xfe to 0x64. Where there is no device, a port or
 * an address reads as ones.
 *
 * As a sandbox it is used by one thread at a time, of the process that made it; a
 * function that finds it in use says EBUSY. With several processors it has threads of its
 * own from its first run on, which take no signals.
 *
 * Return: 0 or a negative errno
 */
int hlk_machine_create(struct hlk_ctx *ctx, const struct hlk_machine_config *config,
		       struct hlk_machine **machine, struct hlk_err *err);

/**
 * hlk_machine_from_snapshot() - make a machine as a snapshot's was, restored to it
 * @ctx: the context
 * @snap: the snapshot, of a machine
 * @config: how it is to be, but for memory and processors, which must be 0; or NULL
 * @machine: out: the machine
 * @err: out: why it failed, or NULL
 *
 * Return: 0 or a negative errno
 */
int hlk_machine_from_snapshot(struct hlk_ctx *ctx, struct hlk_snap *snap,
			      const struct hlk_machine_config *config,
			      struct hlk_machine **machine, struct hlk_err *err);

/**
 * hlk_machine_close() - close a machine
 * @machine: the machine, or NULL; one that is in use is not closed
 */
void hlk_machine_close(struct hlk_machine *machine);

/**
 * hlk_machine_error() - why the last call with a machine failed
 * @machine: the machine
 *
 * Return: as hlk_sandbox_error()
 */
const struct hlk_err *hlk_machine_error(const struct hlk_machine *machine);

/**
 * hlk_machine_load() - put a kernel into a machine
 * @machine: the machine, which has none
 * @kernel: see hlk_kernel_load()
 * @placed: out: what was put where, or NULL
 *
 * After a failure the machine can only be closed.
 *
 * Return: 0 or a negative errno, see hlk_kernel_load()
 */
int hlk_machine_load_sized(struct hlk_machine *machine,
			   const struct hlk_kernel *kernel,
			   struct hlk_placed *placed, size_t size);

static inline int hlk_machine_load(struct hlk_machine *machine,
				   const struct hlk_kernel *kernel,
				   struct hlk_placed *placed)
{
	return hlk_machine_load_sized(machine, kernel, placed, sizeof(*placed));
}

/* flags of struct hlk_machine_run */
#define HLK_MACHINE_RESTORE	(1U << 0)
#define HLK_MACHINE_TIME_BACK	(1U << 1)
#define HLK_MACHINE_PRINT	(1U << 2)
#define HLK_MACHINE_PORT	(1U << 3)
#define HLK_MACHINE_ADDR	(1U << 4)
#define HLK_MACHINE_IDLE	(1U << 5)
#define HLK_MACHINE_DEBUG	(1U << 6)
#define HLK_MACHINE_ONE		(1U << 7)

/* ---- machines that run ---- */

/**
 * enum hlk_stop - why a machine stopped
 * @HLK_STOP_NONE: it did not run
 * @HLK_STOP_PRINT: it printed the text
 * @HLK_STOP_PORT: it wrote to the port
 * @HLK_STOP_ADDR: it came to the address
 * @HLK_STOP_IDLE: it waits in HLT for something that did not come
 * @HLK_STOP_TIME: the time is over
 * @HLK_STOP_OFF: it switched itself off
 * @HLK_STOP_RESET: it wants to be reset
 * @HLK_STOP_EXIT: it ended itself, with @value
 * @HLK_STOP_HALT: it halted for good: HLT with interrupts off, or without controllers
 * @HLK_STOP_SHUTDOWN: triple fault
 * @HLK_STOP_ENTRY: the processor refused its state, for @value
 * @HLK_STOP_INTERNAL: KVM gave up, for @value
 * @HLK_STOP_UNKNOWN: an exit that is not known, @value
 * @HLK_STOP_ASKED: hlk_machine_stop() was called
 * @HLK_STOP_DEBUG: HLK_MACHINE_DEBUG: KVM_EXIT_DEBUG came, with the exception in the upper
 *	half of @value and DR6 in the lower
 *
 * After the first six and the last two it can go on; after the others it is over, until it is restored.
 */
enum hlk_stop {
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
	HLK_STOP_DEBUG,
};

/**
 * struct hlk_machine_run - until when a machine is to run, and why it stopped
 * @size: sizeof(struct hlk_machine_run), see HLK_MACHINE_RUN_INIT
 * @flags: HLK_MACHINE_RESTORE: restore it first to the snapshot restored last, in the
 *	same system call; HLK_MACHINE_TIME_BACK: with the time of the snapshot.
 *	HLK_MACHINE_DEBUG: the caller has set KVM_SET_GUEST_DEBUG of its processors, and finds
 *	all registers in KVM afterwards; HLK_MACHINE_ONE, with that: @cpu alone runs. Any of
 *	the others: stop there
 * @print: HLK_MACHINE_PRINT: a text; at most 255 bytes
 * @addr: HLK_MACHINE_ADDR: an address in the guest, as the guest sees it
 * @port: HLK_MACHINE_PORT: a port that is written to
 * @stop: out: one of enum hlk_stop
 * @timeout_us: how long it may run, in microseconds; 0 sets no limit
 * @value: out: see enum hlk_stop; with HLK_STOP_PORT what was written
 * @rip: out: where it is
 * @cr3: out: CR3
 * @cr0: out: CR0
 * @cs_base: out: base of the code segment
 * @copied: out: with HLK_MACHINE_RESTORE: private pages copied back
 * @exits: out: how often it came out
 * @idle_us: HLK_MACHINE_IDLE: how long it has to wait, in microseconds; 0 is 100 ms
 * @rflags: out: RFLAGS
 * @ring: out: its privilege level; 0 is that of a kernel
 * @bits: out: of the code that it is in: 16, 32 or 64; 0 if that is not known
 * @cpu: in: see HLK_MACHINE_ONE. out: the processor that stopped it, and whose @rip and control registers these are
 */
struct hlk_machine_run {
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

#define HLK_MACHINE_RUN_INIT	HLK_STRUCT_INIT(hlk_machine_run)

/**
 * hlk_machine_go() - run a machine until it stops
 * @machine: the machine
 * @run: until when; out: why it stopped
 *
 * It always stops at its own end. That it is idle is looked for every 10 ms: it is, when it
 * was in HLT each time for as long as @idle_us says, and had nothing printed meanwhile.
 * After HLK_STOP_ASKED what it printed and how long it waited counts on. Of several processors
 * the first is run by the caller, each of the others by a thread that the machine has; what
 * stops one stops all, and when the function returns all are at rest.
 *
 * Return: 0, or a negative errno: EDQUOT if it used up its private pages, ESTALE if it is over
 */
int hlk_machine_go(struct hlk_machine *machine, struct hlk_machine_run *run);

/**
 * hlk_machine_stop() - have hlk_machine_go() stop
 * @machine: the machine
 *
 * From any thread, and from a signal handler. It stops at the next look, 100 ms later at the
 * latest, or at once if a signal interrupts the thread that runs it; the next run does if
 * there is none, or if this one came to what it waits for meanwhile.
 */
void hlk_machine_stop(struct hlk_machine *machine);

/**
 * hlk_machine_irq() - drive an interrupt line
 * @machine: the machine
 * @irq: which line, below HLK_MACHINE_IRQS; not 4, which is the serial port's, nor 16, by
 *	which ACPI tells of restores
 * @level: whether it interrupts
 *
 * From any thread of the process that made the machine, at any time. How it is driven is part
 * of each snapshot, and comes back with each restore, before struct hlk_machine_device's
 * @load is called.
 *
 * Return: 0; -EOPNOTSUPP: there are no interrupt controllers; -EINVAL: no such line; or
 * another negative errno. hlk_machine_error() says nothing of it
 */
int hlk_machine_irq(struct hlk_machine *machine, uint32_t irq, int level);

/**
 * hlk_stop_text() - words for why a machine stopped
 * @stop: one of enum hlk_stop
 *
 * Return: a constant string
 */
const char *hlk_stop_text(uint32_t stop);

/**
 * hlk_machine_receive() - give a machine input, on its serial port
 * @machine: the machine
 * @data: the bytes
 * @len: how many
 * @taken: out: how many of these it had room for
 *
 * Return: 0 or a negative errno
 */
int hlk_machine_receive(struct hlk_machine *machine, const void *data, size_t len,
			size_t *taken);

/**
 * hlk_machine_fd() - a file descriptor of a machine, for inspection
 * @machine: the machine, which goes on to own it
 * @which: which one
 * @cpu: of HLK_FD_VCPU: which processor's
 *
 * KVM has the registers after hlk_machine_rest(), and after hlk_machine_go() with
 * HLK_MACHINE_DEBUG.
 *
 * Return: the fd, or -EINVAL
 */
int hlk_machine_fd(const struct hlk_machine *machine, enum hlk_fd which, uint32_t cpu);

/**
 * hlk_machine_rest() - have KVM complete what is under way, and load all registers
 * @machine: the machine, not running
 *
 * Return: 0 or a negative errno
 */
int hlk_machine_rest(struct hlk_machine *machine);

/* ---- what machines have, and restores ---- */

/**
 * hlk_machine_read() - read a machine's memory
 * @machine: the machine, not running
 * @gpa: where
 * @buf: where it goes
 * @len: how much
 *
 * Return: 0, -ENODEV if it is not all in one piece of memory, or another negative errno
 */
int hlk_machine_read(struct hlk_machine *machine, uint64_t gpa, void *buf, size_t len);

/**
 * hlk_machine_write() - write a machine's memory
 * @machine: the machine, not running
 * @gpa: where
 * @buf: what
 * @len: how much
 *
 * Return: 0, -ENODEV if it is not all in one piece of memory, or another negative errno
 */
int hlk_machine_write(struct hlk_machine *machine, uint64_t gpa, const void *buf,
		      size_t len);

/**
 * hlk_machine_snapshot() - make a snapshot of a machine
 * @machine: the machine; it goes on as it was
 * @snap: out: the snapshot: memory, the processor, interrupt controllers, timer, MSRs, devices
 *
 * Return: 0 or a negative errno
 */
int hlk_machine_snapshot(struct hlk_machine *machine, struct hlk_snap **snap);

/**
 * hlk_machine_audit() - restore a machine, and look whether it is what the snapshot says
 * @machine: the machine
 *
 * As hlk_machine_restore() of the snapshot restored last, with each byte of memory compared.
 *
 * Return: 0, or a negative errno: EUCLEAN if it is not
 */
int hlk_machine_audit(struct hlk_machine *machine);

/**
 * hlk_machine_restore() - bring a machine back to a snapshot
 * @machine: a machine with the memory that the snapshot's had, the one itself or another
 * @snap: the snapshot; NULL takes the one restored last
 *
 * After a failure the machine does not run until a restore succeeds.
 *
 * Return: 0 or a negative errno
 */
int hlk_machine_restore(struct hlk_machine *machine, struct hlk_snap *snap);

#ifdef __cplusplus
}
#endif

#endif /* HLK_H */
