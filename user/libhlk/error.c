// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Errors: noted as numbers where they happen, turned into a line of text only
 * when somebody asks.
 *
 * All setters take NULL for "nobody wants to know" and return the negative
 * errno, so that a caller can return what they return.
 */
#include "error.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

int hlk_err_clear(struct hlk_err *err)
{
	if (err)
		memset(err, 0, sizeof(*err));
	return 0;
}

int hlk_err_where(struct hlk_err *err, int code, enum hlk_what what,
		  uint64_t where, const char *op)
{
	if (err) {
		memset(err, 0, sizeof(*err));
		err->code = code;
		err->what = what;
		err->where = where;
		err->op = op;
	}
	return -code;
}

int hlk_err_set(struct hlk_err *err, int code, enum hlk_what what,
		const char *op)
{
	return hlk_err_where(err, code, what, 0, op);
}

/* Something failed, so it is an error, even where errno does not say so */
static int failure(void)
{
	return errno > 0 ? errno : EIO;
}

int hlk_err_system(struct hlk_err *err, const char *op)
{
	return hlk_err_set(err, failure(), HLK_WHAT_SYSTEM, op);
}

int hlk_err_module(struct hlk_err *err, const struct hlk_head *head,
		   const char *op)
{
	int code = failure();

	hlk_err_where(err, code, HLK_WHAT_MODULE, head->where, op);
	if (err) {
		err->why = head->why;
		err->index = head->index;
	}
	return -code;
}

int hlk_err_text(struct hlk_err *err, int code, enum hlk_what what,
		 const char *op, const char *fmt, ...)
{
	va_list args;
	int len;

	hlk_err_set(err, code, what, op);
	if (err) {
		va_start(args, fmt);
		len = vsnprintf(err->text, sizeof(err->text), fmt, args);
		va_end(args);
		if (len >= (int)sizeof(err->text))
			hlk_text_cut(err->text);
	}
	return -code;
}

/* After hlk_populate() returned @ret */
int hlk_err_populate(struct hlk_err *err, int ret, const char *op)
{
	hlk_err_set(err, -ret, HLK_WHAT_MODULE, op);
	if (err && ret == -EDQUOT)
		err->why = HLK_WHY_BUDGET;
	return ret;
}

/* After open(@path) failed: is it not there (@missing), not allowed, or what? */
int hlk_err_open(struct hlk_err *err, enum hlk_what missing, const char *path)
{
	int code = failure();

	switch (code) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return hlk_err_text(err, code, missing, NULL, "%s", path);
	case EACCES:
	case EPERM:
		return hlk_err_text(err, code, HLK_WHAT_PERMISSION, NULL, "%s",
				    path);
	default:
		return hlk_err_text(err, code, HLK_WHAT_FILE, NULL, "%s", path);
	}
}

/*
 * Of struct hlk_err: %w and %d are @where as address and as number, %i is
 * @index, %t is @text, %e is @code as errno, %s
 * @where as errno, and %a @where as enum hlk_audit_reg.
 */
static const char * const why_text[] = {
	[HLK_WHY_SIZE] = "a struct has another size than the module takes: the bound is %d bytes",
	[HLK_WHY_TAIL] = "this libhlk asks for something newer than the module",
	[HLK_WHY_FLAGS] = "the module does not know a flag that was asked for",
	[HLK_WHY_RESERVED] = "a reserved field is not zero",
	[HLK_WHY_NOT_KVM_VM] = "the file descriptor is not that of a KVM VM",
	[HLK_WHY_OTHER_PROCESS] = "the VM belongs to another process (it cannot be used after a fork)",
	[HLK_WHY_NO_NPT] = "KVM runs without nested paging (load kvm-amd with npt=1 or kvm-intel with ept=1)",
	[HLK_WHY_GPA_ALIGN] = "address or size %w is zero or not a multiple of 4 KiB",
	[HLK_WHY_GPA_RANGE] = "the range at %w leaves the guest-physical address space",
	[HLK_WHY_APIC_PAGE] = "window at %w covers the page that KVM keeps for the APIC (0xfee00000)",
	[HLK_WHY_OVERLAP] = "window overlaps another one at %w",
	[HLK_WHY_TOO_MANY_WINDOWS] = "more windows than the module's limit",
	[HLK_WHY_TWO_SCRATCH] = "a second scratch window, at %w",
	[HLK_WHY_WINDOWS_FIXED] = "a window cannot be added after the first snapshot or restore",
	[HLK_WHY_NO_SCRATCH] = "a compact snapshot wants a scratch window that ends at 0xfee00000 and is large enough",
	[HLK_WHY_NOT_SNAPSHOT] = "the file descriptor is not that of a snapshot",
	[HLK_WHY_LAYOUT] = "the snapshot was taken from another layout: the window at %w differs",
	[HLK_WHY_VCPU_COUNT] = "the snapshot has another number of vCPUs",
	[HLK_WHY_VCPU_SIZE] = "the register blocks have %i bytes, beyond the bound of %d",
	[HLK_WHY_VCPU_RUNNING] = "vCPU %i is running",
	[HLK_WHY_VCPU_IO] = "vCPU %i has an I/O exit that was not completed",
	[HLK_WHY_VCPU_REGS] = "the control registers of vCPU %i are neither in its kvm_run nor known to KVM: set kvm_valid_regs before it runs",
	[HLK_WHY_VCPU_FPU] = "the FPU image of the snapshot has another size than that of vCPU %i (another kind of machine)",
	[HLK_WHY_TOO_MANY_VCPUS] = "more vCPUs than the module's limit",
	[HLK_WHY_NO_VCPU] = "the VM has no vCPU %i",
	[HLK_WHY_NOT_I686] = "vCPU %i uses PAE or long mode, or no paging at all",
	[HLK_WHY_NO_SNAPSHOT] = "nothing was restored yet, so there is nothing to go back to",
	[HLK_WHY_NO_ROOTS] = "the guest published no page-directory roots",
	[HLK_WHY_TOO_MANY_ROOTS] = "more page-directory roots than the limit",
	[HLK_WHY_TOO_MANY_TABLES] = "more page tables than the limit",
	[HLK_WHY_TOO_MANY_PAGES] = "more pages than the limit",
	[HLK_WHY_ROOT_NOT_RAM] = "page directory %i, at %w, is not in memory",
	[HLK_WHY_TABLE_NOT_RAM] = "the page table for address %w in root %i is not in memory",
	[HLK_WHY_LEAF_NOT_RAM] = "the page at address %w in root %i is not in memory",
	[HLK_WHY_PDE_RESERVED] = "the 4 MiB entry for address %w in root %i has reserved bits set, or leads beyond physical memory",
	[HLK_WHY_SNAPSHOT_FULL] = "the pages do not fit the windows",
	[HLK_WHY_SCRATCH_FULL] = "scratch is too small: page tables and shared pages need %w bytes",
	[HLK_WHY_IO_BUFFERS] = "the I/O buffers are not multiples of 4 KiB, are too small, or do not fit scratch",
	[HLK_WHY_SEGMENT] = "segment %i, at %w, lies outside memory",
	[HLK_WHY_NOT_PRESENT] = "not mapped: the entry at %w is not present",
	[HLK_WHY_NOT_RAM] = "the page at %w is not in memory",
	[HLK_WHY_BUDGET] = "the sandbox has used up its private pages",
	[HLK_WHY_NOT_VCPU] = "the file descriptor is not that of a vCPU of this VM",
	[HLK_WHY_INPUT] = "input %i lies outside memory or there is too much of it (%w)",
	[HLK_WHY_IO_URING] = "a guest is not run by io_uring (use HLK_RUN or HLK_RUN_MANY)",
	[HLK_WHY_PRIVILEGE] = "CAP_SYS_PTRACE is needed to look at another process's VM",
	[HLK_WHY_INSPECT_ONLY] = "the VM was attached only to look at its page tables",
	[HLK_WHY_NESTED] = "vCPU %i is in a guest of its own, may begin one (CR4.VMXE), or KVM keeps tables of one",
	[HLK_WHY_AUDIT_MEMORY] = "audit: the byte at %w is not that of the snapshot",
	[HLK_WHY_AUDIT_VCPU] = "audit: vCPU %i is not that of the snapshot: %a",
	[HLK_WHY_READ_ONLY] = "the memory at %w cannot be written",
	[HLK_WHY_ELEMENT_SIZE] = "the elements of an array have %i bytes, beyond the bound of %d",
	[HLK_WHY_TOO_MANY_SEGMENTS] = "%i segments, more than the module's limit of %d",
	[HLK_WHY_NOT_HLK_VM] = "the fd is not that of an hlk VM",
	[HLK_WHY_TOO_MANY_CALLS] = "more than %d calls at once",
	[HLK_WHY_MAPPINGS] = "the window at %w has too many mappings",
	[HLK_WHY_MEMORY_FAILED] = "the memory of the page at %w failed",
	[HLK_WHY_VCPU_XCR0] = "vCPU %i lacks a feature of XCR0 that the snapshot has (another CPUID)",
	[HLK_WHY_NO_IBPB] = "the processor has no indirect branch prediction barrier",
	[HLK_WHY_DIRTY_LOG] = "the memslot at %w logs dirty pages (KVM_MEM_LOG_DIRTY_PAGES), and would miss what hlk writes",
	[HLK_WHY_AUDIT_MAPPING] = "audit: a mapping does not show the page at %w as it has to",
	[HLK_WHY_AUDIT_LIST] = "audit: what the module knows of the page at %w is wrong",
	[HLK_WHY_LARGE_AS_LEAF] = "root %i is used as a table, and its entry for %w means something else there",
	[HLK_WHY_VCPU_REFUSED] = "KVM would refuse to enter vCPU %i with what the snapshot has (another CPUID, or no processor could have it): register kind %d",
	[HLK_WHY_VCPU_FD] = "the registers of vCPU %i are known to KVM alone, and this process has no file descriptor of it",
	[HLK_WHY_PDPTRS] = "vCPU %i goes by page directory pointers (PAE) that are not those in memory at %w",
	[HLK_WHY_HLT_IN_GUEST] = "HLT does not leave the guest (KVM_CAP_X86_DISABLE_EXITS), and nothing could wake it",
	[HLK_WHY_KVM_PAGES] = "the guest can write memory of KVM's own at %w (load kvm-intel with unrestricted_guest=1)",
	[HLK_WHY_PROGRAM_SIZE] = "the size of the state program is beyond the bound of %d bytes, or no multiple of 8",
	[HLK_WHY_PROGRAM_HEADER] = "the header of the state program is wrong at offset %d",
	[HLK_WHY_PROGRAM_ENTRY] = "entry %i of the state program is wrong at offset %d",
	[HLK_WHY_PROGRAM_CMD] = "entry %i of the state program is a call that it may not make (%w)",
	[HLK_WHY_PROGRAM_COMPACT] = "entry %i of the state program sets control registers, which a compact snapshot has of its own",
	[HLK_WHY_PROGRAM_MISSING] = "the snapshot has a state program, and the call does not say where it is mapped",
	[HLK_WHY_PROGRAM_MAPPING] = "there is no mapping of this snapshot's whole state program at %w",
	[HLK_WHY_PROGRAM_XSAVE] = "the state program has fewer bytes than the %d that KVM_SET_XSAVE of vCPU %i takes",
	[HLK_WHY_PROGRAM_CALL] = "KVM refused the call %w of entry %i of the state program; the VM must be restored",
	[HLK_WHY_PROGRAM_MSR] = "KVM did not take MSR %w of entry %i of the state program; the VM must be restored",
	[HLK_WHY_HALF_RESTORED] = "the last restore came to no end, and the VM must be restored",
	[HLK_WHY_OUTPUT] = "the output of call %i at %a is too large, not at a multiple of eight, or in no window that the guest can write",
	[HLK_WHY_TOO_MANY_SOURCES] = "more than %d files for one snapshot, those of its parent counted",
	[HLK_WHY_SOURCE_FD] = "source %i cannot be read, or is no regular file",
	[HLK_WHY_SOURCE_MUTABLE] = "source %i could change: it has no fs-verity and is no sealed memfd",
	[HLK_WHY_TOO_MANY_EXTENTS] = "%i extents, more than the module's limit of %d",
	[HLK_WHY_EXTENT_ALIGN] = "extent %i has an address, an offset or a size (%w) that is zero or no multiple of 4 KiB",
	[HLK_WHY_EXTENT_RANGE] = "extent %i, at %w, does not lie in one window",
	[HLK_WHY_EXTENT_ORDER] = "extent %i, at %w, begins before the one before it ends",
	[HLK_WHY_EXTENT_SOURCE] = "extent %i is of source %d, which is none",
	[HLK_WHY_EXTENT_FILE] = "extent %i ends behind the end of its file of %d bytes",
	[HLK_WHY_VCPU_IMAGE] = "the image of vCPU %i has what no processor could have, at offset %d",
	[HLK_WHY_VCPU_FPU_IMAGE] = "the FPU image of vCPU %i could not be loaded: offset or size %d",
	[HLK_WHY_TABLES] = "what the compact snapshot has beside pages is wrong: element %i of the field at offset %d",
	[HLK_WHY_TOUCHED] = "run %i of touched pages, at %w, does not lie in one window, or there are too many",
	[HLK_WHY_BASE_READ] = "the page at %w cannot be read from its file",
};

static const char * const audit_text[] = {
	[HLK_AUDIT_REGS] = "registers",
	[HLK_AUDIT_FPU] = "FPU",
	[HLK_AUDIT_MP_STATE] = "halted or not",
	[HLK_AUDIT_DEBUGREGS] = "debug registers",
	[HLK_AUDIT_XCR0] = "XCR0",
	[HLK_AUDIT_PENDING] = "an I/O or a shutdown is pending",
	[HLK_AUDIT_TLB] = "no flush of the TLB is pending",
};

#define AUDIT_TEXTS	(sizeof(audit_text) / sizeof(*audit_text))

static const char * const what_text[] = {
	[HLK_WHAT_NO_MODULE] = "kernel module is not loaded: %t does not exist (modprobe hlk)",
	[HLK_WHAT_NO_KVM] = "KVM is not available: %t does not exist (modprobe kvm-amd or kvm-intel; is virtualisation enabled in the firmware?)",
	[HLK_WHAT_PERMISSION] = "no permission on %t (as root, or in the file's group: hlk is that of /dev/hlk, kvm that of /dev/kvm; see hlk(4))",
	[HLK_WHAT_VERSION] = "the kernel module speaks version %d, this libhlk another one",
	[HLK_WHAT_KVM_CAP] = "this kernel's KVM lacks %t",
	[HLK_WHAT_ARGUMENT] = "%t",
	[HLK_WHAT_FILE] = "%t: %e",
	[HLK_WHAT_ELF] = "%t",
	[HLK_WHAT_IMAGE_SIZE] = "the guest does not fit its memory: image and stack want %d bytes (give it more)",
	[HLK_WHAT_SCRATCH_SIZE] = "scratch is too small: it must have %d bytes at least",
	[HLK_WHAT_LAYOUT] = "the snapshot is not one of a libhlk sandbox: %t",
	[HLK_WHAT_NEEDS_RESTORE] = "the guest failed before; restore it first",
	[HLK_WHAT_NOT_READY] = "the guest is not booted",
	[HLK_WHAT_IN_CALL] = "the sandbox is in a call",
	[HLK_WHAT_INPUT] = "the input does not fit the guest's input buffer, which takes %d bytes",
	[HLK_WHAT_OUTPUT] = "the guest's answer has %d bytes, more than the caller's buffer",
	[HLK_WHAT_BUDGET] = "the guest used up its budget of %d private pages",
	[HLK_WHAT_GUEST_STATUS] = "guest function %t gave an error: %s",
	[HLK_WHAT_GUEST_EXIT] = "the guest failed: %t",
	[HLK_WHAT_TIMEOUT] = "the guest ran longer than allowed and was stopped",
	[HLK_WHAT_KICKED] = "the call was ended from outside",
	[HLK_WHAT_EXISTS] = "there is a host function %t already",
	[HLK_WHAT_FEATURE] = "this kernel module does not offer %t",
	[HLK_WHAT_AUDIT] = "vCPU register %t is not that of the snapshot",
	[HLK_WHAT_POOL_EMPTY] = "no sandbox of the pool became free in time",
	[HLK_WHAT_POOL_IN_USE] = "%d sandboxes of the pool were not given back",
	[HLK_WHAT_FLAGS] = "%t has flags that this libhlk does not know: %w",
	[HLK_WHAT_STRUCT] = "%t is not initialised: it says that it has %d bytes",
	[HLK_WHAT_NEWER] = "%t has something in byte %d that this libhlk does not know",
	[HLK_WHAT_KERNEL] = "%t",
	[HLK_WHAT_SAVED] = "%t",
};

struct line {
	char *buf;
	size_t size;
	size_t len;
};

static void __attribute__((format(printf, 2, 3)))
line_add(struct line *line, const char *fmt, ...)
{
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(line->buf + line->len, line->size - line->len, fmt,
			args);
	va_end(args);
	if (len > 0)
		line->len += len;
	if (line->len >= line->size)
		line->len = line->size - 1;
}

/* Names may come from a guest or a file */
static void line_text(struct line *line, const char *from)
{
	struct hlk_text text = {};
	char out[HLK_TEXT_MAX];
	size_t len;

	for (; *from; from++) {
		len = hlk_text_add(&text, *from, 0, out);
		line_add(line, "%.*s", (int)len, out);
	}
	len = hlk_text_end(&text, 0, out);
	line_add(line, "%.*s", (int)len, out);
}

static void line_errno(struct line *line, uint64_t code)
{
	const char *text = code > INT32_MAX ? NULL : strerrordesc_np(code);

	if (text)
		line_add(line, "%s", text);
	else
		line_add(line, "error %" PRIu64, code);
}

static void line_field(struct line *line, const struct hlk_err *err, char field)
{
	switch (field) {
	case 'w':
		line_add(line, "0x%" PRIx64, err->where);
		break;
	case 'd':
		line_add(line, "%" PRIu64, err->where);
		break;
	case 'i':
		line_add(line, "%" PRIu32, err->index);
		break;
	case 't':
		line_text(line, err->text);
		break;
	case 'e':
		line_errno(line, err->code);
		break;
	case 's':
		line_errno(line, err->where);
		break;
	case 'a':
		line_add(line, "%s", err->where < AUDIT_TEXTS &&
			 audit_text[err->where] ? audit_text[err->where] :
			 "something");
		break;
	}
}

static void line_fill(struct line *line, const struct hlk_err *err,
		      const char *text)
{
	for (; *text; text++) {
		if (*text == '%')
			line_field(line, err, *++text);
		else
			line_add(line, "%c", *text);
	}
}

static const char *find_text(const struct hlk_err *err)
{
	const char * const *table = what_text;
	size_t nr = sizeof(what_text) / sizeof(*what_text);
	size_t at = err->what;

	if (err->what == HLK_WHAT_MODULE) {
		table = why_text;
		nr = sizeof(why_text) / sizeof(*why_text);
		at = err->why;
	}
	return at < nr ? table[at] : NULL;
}

EXPORT const char *hlk_strerror(const struct hlk_err *err, char *buf,
				size_t size)
{
	struct line line = { .buf = buf, .size = size };
	const char *text;

	if (!size)
		return buf;
	*buf = '\0';
	if (!err->code) {
		line_add(&line, "no error");
		return buf;
	}
	if (err->op)
		line_add(&line, "%s: ", err->op);
	text = find_text(err);
	if (text)
		line_fill(&line, err, text);
	else
		line_errno(&line, err->code);
	hlk_text_cut(buf);
	return buf;
}
