// SPDX-License-Identifier: GPL-2.0-only
/*
 * A program of somebody else, compiled with the headers beside it, in which all of
 * the module's calls and arrays occur, and most of libhlk's. It goes on to work
 * with every later module and library.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/kvm.h>

#include <hlk.h>

#define PAGE	4096UL
#define LOW	0x100000UL
#define CODE	0x1000
#define ROOT	0x2000
#define TABLE	0x3000
#define DATA	0x5000
#define SCRATCH	0x48000UL
#define PORT	0xe9

extern const unsigned char guest_elf[];
extern const unsigned char guest_elf_end[];

__asm__(".section .rodata\n"
	".globl guest_elf, guest_elf_end\n"
	"guest_elf: .incbin \"" GUEST_ELF "\"\n"
	"guest_elf_end: .previous\n");

static unsigned int nr, failed;

__attribute__((format(printf, 2, 3)))
static bool tap(bool good, const char *fmt, ...)
{
	va_list args;

	failed += !good;
	printf("%sok %u ", good ? "" : "not ", ++nr);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
	return good;
}

static bool call(const char *name, int fd, unsigned long cmd, void *arg)
{
	struct hlk_head *head = arg;
	int ret = ioctl(fd, cmd, arg);

	return tap(!ret && !head->why, "%s: %s, why %u, %llu", name,
		   ret ? strerror(errno) : "good", head->why,
		   (unsigned long long)head->where);
}

#define HEAD(type)	.head = { .size = sizeof(struct type) }
#define CALL(fd, cmd, arg)	call(#cmd, fd, cmd, arg)

/* mov dword [DATA + 8], 1; mov al, 'x'; out PORT, al; hlt */
static const unsigned char code[] = {
	0xc7, 0x05, (DATA + 8) & 0xff, DATA >> 8, 0, 0, 1, 0, 0, 0,
	0xb0, 'x', 0xe6, PORT, 0xf4,
};

/* ---- the module, by its own calls ---- */

struct raw {
	int kvm;
	int vm;
	int vcpu;
	struct kvm_run *run;
	int dev;
	int hlk;
	int snap;
	unsigned char *low;
	unsigned char *scratch;
};

static void guest_regs(struct kvm_sync_regs *regs, int vcpu)
{
	struct kvm_segment flat = {
		.limit = ~0U, .selector = 8, .type = 11, .present = 1, .db = 1,
		.s = 1, .g = 1,
	};

	memset(regs, 0, sizeof(*regs));
	ioctl(vcpu, KVM_GET_SREGS, &regs->sregs);
	ioctl(vcpu, KVM_GET_VCPU_EVENTS, &regs->events);
	regs->sregs.cs = flat;
	flat.type = 3;
	flat.selector = 16;
	regs->sregs.ds = flat;
	regs->sregs.es = flat;
	regs->sregs.ss = flat;
	regs->sregs.fs = flat;
	regs->sregs.gs = flat;
	regs->sregs.cr0 |= 0x80010001;
	regs->sregs.cr3 = ROOT;
	regs->regs.rip = CODE;
	regs->regs.rsp = 0x8000;
	regs->regs.rflags = 2;
}

static unsigned char *memory(struct raw *r, int slot, __u64 gpa, __u64 bytes)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot, .guest_phys_addr = gpa, .memory_size = bytes,
	};
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, r->hlk, gpa);

	region.userspace_addr = (uintptr_t)at;
	tap(at != MAP_FAILED && !ioctl(r->vm, KVM_SET_USER_MEMORY_REGION, &region),
	    "memory at %llx", (unsigned long long)gpa);
	return at;
}

static bool raw_info(struct raw *r)
{
	struct hlk_info info = { HEAD(hlk_info) };

	return CALL(r->dev, HLK_INFO, &info) &&
	       tap(info.version == HLK_ABI_VERSION && info.max_windows >= 8 &&
		   info.max_vcpus && info.max_roots && info.max_tables &&
		   info.max_segments >= 1024 && info.features & HLK_FEATURE_RUN &&
		   info.max_pages && info.max_private && info.max_inputs >= 8 &&
		   info.max_input_bytes && info.max_struct >= sizeof(info) &&
		   info.vcpu_size >= sizeof(struct kvm_sync_regs),
		   "version %u", info.version);
}

static void raw_setup(struct raw *r)
{
	struct hlk_window_add low = {
		HEAD(hlk_window_add), .window = { .bytes = LOW },
	};
	struct hlk_window_add scratch = {
		HEAD(hlk_window_add),
		.window = { .gpa = HLK_GUEST_SCRATCH_TOP - SCRATCH,
			    .bytes = SCRATCH, .flags = HLK_WINDOW_SCRATCH },
	};
	struct hlk_vm_attach attach = { HEAD(hlk_vm_attach), .max_private = 4096 };
	long bytes;

	attach.vm_fd = r->vm;
	CALL(r->dev, HLK_VM_ATTACH, &attach);
	r->hlk = attach.out_fd;
	CALL(r->hlk, HLK_WINDOW_ADD, &low);
	CALL(r->hlk, HLK_WINDOW_ADD, &scratch);
	r->low = memory(r, 0, 0, LOW);
	r->scratch = memory(r, 1, scratch.window.gpa, SCRATCH);
	r->vcpu = ioctl(r->vm, KVM_CREATE_VCPU, 0);
	bytes = ioctl(r->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	r->run = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, r->vcpu, 0);
	tap(r->vcpu >= 0 && r->run != MAP_FAILED, "a vCPU");
	r->run->kvm_valid_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS |
				 KVM_SYNC_X86_EVENTS;
}

static void raw_build(struct raw *r)
{
	static __u32 root[1024], table[1024];
	struct hlk_window windows[] = {
		{ .bytes = LOW },
		{ .gpa = HLK_GUEST_SCRATCH_TOP - SCRATCH, .bytes = SCRATCH,
		  .flags = HLK_WINDOW_SCRATCH },
	};
	struct hlk_segment segments[] = {
		{ .gpa = CODE, .bytes = sizeof(code), .data = (uintptr_t)code },
		{ .gpa = ROOT, .bytes = PAGE, .data = (uintptr_t)root },
		{ .gpa = TABLE, .bytes = PAGE, .data = (uintptr_t)table },
	};
	struct kvm_sync_regs regs;
	struct hlk_snapshot_build build = {
		HEAD(hlk_snapshot_build),
		.nr_windows = 2, .window_size = sizeof(windows[0]),
		.nr_segments = 3, .segment_size = sizeof(segments[0]),
		.nr_vcpus = 1, .vcpu_size = sizeof(regs),
		.windows = (uintptr_t)windows, .segments = (uintptr_t)segments,
		.vcpus = (uintptr_t)&regs,
	};
	int i;

	guest_regs(&regs, r->vcpu);
	root[0] = TABLE | 7;
	root[1] = TABLE | 7;
	for (i = 0; i < 16; i++)
		table[i] = i * PAGE | 3;
	table[100] = 5 * PAGE | 1;
	CALL(r->dev, HLK_SNAPSHOT_BUILD, &build);
	r->snap = build.out_fd;
}

static void raw_restore(struct raw *r, int snap, unsigned int flags)
{
	struct hlk_restore restore = { HEAD(hlk_restore), .snapshot_fd = snap };

	restore.head.flags = flags;
	CALL(r->hlk, HLK_RESTORE, &restore);
	tap(restore.private_pages && !restore.residue, "private pages");
}

static void raw_run(struct raw *r)
{
	struct kvm_regs regs = { .rip = CODE, .rsp = 0x8000, .rflags = 2 };
	struct hlk_segment inputs[] = {
		{ .gpa = DATA, .bytes = 3, .data = (uintptr_t)"abc" },
		{ .gpa = DATA + 3, .bytes = 4, .data = (uintptr_t)"def" },
	};
	char log[4] = "";
	struct hlk_run run = {
		HEAD(hlk_run),
		.vcpu_fd = r->vcpu,
		.inputs = (uintptr_t)inputs, .nr_inputs = 2,
		.input_size = sizeof(inputs[0]),
		.regs = (uintptr_t)&regs,
		.log = (uintptr_t)log, .log_size = sizeof(log), .log_port = PORT,
	};

	run.head.flags = HLK_RUN_REGS;
	CALL(r->hlk, HLK_RUN, &run);
	tap(run.done == (HLK_DONE_RESTORED | HLK_DONE_INPUT | HLK_DONE_ENTERED) &&
	    run.exit_reason == KVM_EXIT_HLT && run.log_used == 1 && log[0] == 'x' &&
	    run.entries == 2 && !run.residue && !memcmp(r->low + DATA, "abcdef", 7) &&
	    r->low[DATA + 8] == 1, "it ran: done %x, exit %u, %u bytes logged", run.done,
	    run.exit_reason, run.log_used);
}

/* Twice the same VM, and once no VM */
static void raw_run_many(struct raw *r)
{
	struct kvm_regs regs = { .rip = CODE, .rsp = 0x8000, .rflags = 2 };
	struct hlk_run run = {
		HEAD(hlk_run),
		.vcpu_fd = r->vcpu,
		.regs = (uintptr_t)&regs,
	};
	struct hlk_many_call calls[3] = {
		{ .vm_fd = r->hlk, .run = (uintptr_t)&run, .ret = 1 },
		{ .vm_fd = r->dev, .run = (uintptr_t)&run, .ret = 1 },
		{ .vm_fd = r->hlk, .run = (uintptr_t)&run, .ret = 1 },
	};
	struct hlk_run_many many = {
		HEAD(hlk_run_many),
		.calls = (uintptr_t)calls, .nr_calls = 3, .call_size = sizeof(calls[0]),
	};

	run.head.flags = HLK_RUN_REGS;
	CALL(r->dev, HLK_RUN_MANY, &many);
	tap(many.nr_done == 3 && !calls[0].ret && !calls[2].ret && calls[1].ret == -EBADF &&
	    calls[1].why == HLK_WHY_NOT_HLK_VM && run.exit_reason == KVM_EXIT_IO,
	    "many: %u done, %d %d %d, exit %u", many.nr_done, calls[0].ret, calls[1].ret,
	    calls[2].ret, run.exit_reason);
}

static void raw_tables(struct raw *r)
{
	struct hlk_paging given = {
		.flags = HLK_PAGING_GIVEN | HLK_PAGING_WP, .maxphyaddr = 36,
	};
	struct hlk_translate t = {
		HEAD(hlk_translate), .paging = given, .root = ROOT, .va = DATA + 1,
	};
	struct hlk_mapping maps[8];
	__u64 roots[] = { ROOT };
	struct hlk_walk w = {
		HEAD(hlk_walk), .paging = given, .roots = (uintptr_t)roots,
		.mappings = (uintptr_t)maps, .nr_roots = 1, .nr_mappings = 8,
		.mapping_size = sizeof(maps[0]),
	};
	struct hlk_mark_cow m = {
		HEAD(hlk_mark_cow), .paging = given, .roots = (uintptr_t)roots,
		.nr_roots = 1,
	};

	CALL(r->hlk, HLK_TRANSLATE, &t);
	tap(t.gpa == DATA + 1 && (t.entry[1] & ~0xfffULL) == TABLE &&
	    (t.entry[0] & ~0xfffULL) == DATA && t.map == HLK_MAP_WRITE &&
	    t.page_shift == 12, "translated");
	memset(maps, 0xaa, sizeof(maps));
	CALL(r->hlk, HLK_WALK, &w);
	tap(w.nr_mappings == 3 && !w.cursor && w.tables_read == 1 &&
	    maps[0].pages == 16 && !maps[0].va && !maps[0].gpa &&
	    maps[0].map == HLK_MAP_WRITE && maps[0].page_shift == 12 &&
	    maps[1].va == 100 * PAGE && maps[1].gpa == DATA && !maps[1].map &&
	    maps[2].map & HLK_MAP_ALIAS && maps[2].pages == 1024 &&
	    !maps[2].alias_va && !maps[2].alias_root &&
	    *(unsigned char *)&maps[3] == 0xaa, "walked: %u mappings", w.nr_mappings);
	CALL(r->hlk, HLK_MARK_COW, &m);
	tap(m.marked && m.live == 2 && m.read_only == 1 && m.tables == 2,
	    "marked %llu", (unsigned long long)m.marked);
}

static void raw_snapshots(struct raw *r)
{
	struct hlk_snapshot flat = { HEAD(hlk_snapshot) };
	struct hlk_snapshot compact = {
		HEAD(hlk_snapshot), .nr_roots = 1,
		.input_bytes = HLK_GUEST_BUFFER_MIN,
		.output_bytes = HLK_GUEST_BUFFER_MIN,
	};
	struct hlk_window windows[4];
	__u64 roots[2] = { ROOT };
	struct hlk_snapshot_info info = {
		HEAD(hlk_snapshot_info), .windows = (uintptr_t)windows,
		.nr_windows = 4, .window_size = sizeof(windows[0]),
		.roots = (uintptr_t)roots, .nr_roots = 2,
	};

	CALL(r->hlk, HLK_SNAPSHOT, &flat);
	tap(flat.counts.pages >= 3, "pages");
	close(flat.out_fd);
	compact.head.flags = HLK_SNAPSHOT_COMPACT;
	compact.roots = (uintptr_t)roots;
	CALL(r->hlk, HLK_SNAPSHOT, &compact);
	tap(compact.counts.pages && compact.counts.tables >= 2 &&
	    compact.counts.tables_read, "pages and tables");
	memset(windows, 0xaa, sizeof(windows));
	CALL(compact.out_fd, HLK_SNAPSHOT_INFO, &info);
	tap(info.flags == HLK_SNAPSHOT_COMPACT && info.nr_vcpus == 1 &&
	    info.nr_windows == 2 && info.nr_roots == 1 && info.generation == 1 &&
	    info.first_free > windows[1].gpa && roots[0] > windows[1].gpa &&
	    info.input_bytes == HLK_GUEST_BUFFER_MIN &&
	    info.counts.pages == compact.counts.pages &&
	    info.counts.tables_kept == compact.counts.tables_kept &&
	    !windows[0].gpa && windows[0].bytes == LOW &&
	    windows[1].flags == HLK_WINDOW_SCRATCH &&
	    *(unsigned char *)&windows[2] == 0xaa, "what is in it");
	raw_restore(r, compact.out_fd, 0);
	r->run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
	r->run->s.regs.regs.rip = CODE;
	tap(!ioctl(r->vcpu, KVM_RUN, 0) && r->run->exit_reason == KVM_EXIT_IO,
	    "the guest runs from it");
	close(compact.out_fd);
}

static void raw_prefault(struct raw *r)
{
	struct hlk_touched runs[64];
	struct hlk_prefault p = {
		HEAD(hlk_prefault), .runs = (uintptr_t)runs, .nr_runs = 64,
		.run_size = sizeof(runs[0]),
	};
	struct hlk_vm_stats stats = { HEAD(hlk_vm_stats) };
	unsigned int i, found = 0;

	CALL(r->hlk, HLK_PREFAULT, &p);
	for (i = 0; i < p.nr_runs && i < 64; i++)
		found += runs[i].gpa <= DATA && DATA < runs[i].gpa + runs[i].pages * PAGE &&
			 runs[i].flags == HLK_TOUCHED_WRITE;
	tap(found == 1, "touched pages: %u runs", p.nr_runs);
	CALL(r->hlk, HLK_VM_STATS, &stats);
	tap(stats.private_pages && stats.max_private == 4096 && stats.write_faults &&
	    stats.restores == 2 && stats.switches == 1 && stats.runs == 2, "statistics");
}

static void raw(void)
{
	struct raw r = {
		.kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC),
		.dev = open("/dev/hlk", O_RDWR | O_CLOEXEC),
	};

	if (!tap(r.kvm >= 0 && r.dev >= 0, "/dev/kvm and /dev/hlk"))
		return;
	r.vm = ioctl(r.kvm, KVM_CREATE_VM, 0);
	raw_info(&r);
	raw_setup(&r);
	raw_build(&r);
	raw_restore(&r, r.snap, 0);
	raw_run(&r);
	raw_prefault(&r);
	raw_restore(&r, -1, HLK_RESTORE_AUDIT);
	raw_tables(&r);
	raw_restore(&r, -1, HLK_RESTORE_REPRODUCIBLE);
	raw_snapshots(&r);
	raw_run_many(&r);
	close(r.snap);
	close(r.hlk);
	munmap(r.low, LOW);
	munmap(r.scratch, SCRATCH);
	close(r.vcpu);
	close(r.vm);
	close(r.dev);
	close(r.kvm);
}

/* ---- libhlk ---- */

static bool good(int ret, const struct hlk_err *err, const char *what)
{
	char line[256];

	return tap(!ret, "%s: %s", what, hlk_strerror(err, line, sizeof(line)));
}

/* Each struct that the library fills in, with a guard behind it */
#define GUARDED(type)	\
	struct guarded_##type { struct type it; unsigned char guard[256]; }
GUARDED(hlk_err);
GUARDED(hlk_info);
GUARDED(hlk_mark_cow);
GUARDED(hlk_pool_stats);
GUARDED(hlk_regs);
GUARDED(hlk_snapshot_info);
GUARDED(hlk_translate);
GUARDED(hlk_vm_stats);
GUARDED(hlk_walk);

#define GUARD(g)	memset(&(g), 0x5a, sizeof(g))

static bool guarded(const unsigned char *guard)
{
	int i;

	for (i = 0; i < 256; i++)
		if (guard[i] != 0x5a)
			return false;
	return true;
}

static int setups;

static int setup(void *arg, struct hlk_sandbox *sb)
{
	(void)arg;
	setups++;
	return sb ? 0 : -EINVAL;
}

static bool echo(struct hlk_sandbox *sb, bool restore)
{
	char answer[16] = "";
	size_t len = 0;
	int ret;

	ret = restore ? hlk_sandbox_restore_call(sb, "e", "hello", 5, answer,
						 sizeof(answer), &len, 0) :
			hlk_sandbox_call(sb, "e", "hello", 5, answer, sizeof(answer),
					 &len, 1000000);
	return !ret && len == 5 && !memcmp(answer, "hello", 5);
}

static void lib_looks(struct hlk_ctx *ctx, struct hlk_sandbox *sb, struct hlk_snap *snap)
{
	const struct hlk_err *err = hlk_sandbox_error(sb);
	struct guarded_hlk_snapshot_info info;
	struct guarded_hlk_mark_cow mark;
	struct guarded_hlk_translate t;
	struct guarded_hlk_vm_stats stats;
	struct guarded_hlk_info module;
	struct guarded_hlk_walk walk;
	struct guarded_hlk_regs regs;
	struct guarded_hlk_err own;
	struct hlk_mapping maps[64];
	struct hlk_inspect *inspect;
	uint64_t roots[HLK_GUEST_MAX_ROOTS];
	uint32_t nr_roots = HLK_GUEST_MAX_ROOTS;
	char byte;

	GUARD(module);
	GUARD(own);
	good(hlk_get_info(ctx, &module.it, &own.it), &own.it, "module");
	tap(module.it.version == HLK_ABI_VERSION && guarded(module.guard) &&
	    guarded(own.guard), "its version");
	GUARD(stats);
	good(hlk_sandbox_stats(sb, &stats.it), err, "statistics");
	tap(stats.it.restores && guarded(stats.guard), "restores");
	GUARD(regs);
	good(hlk_sandbox_regs(sb, &regs.it), err, "registers");
	tap(regs.it.cr0 & 1 && guarded(regs.guard), "CR0");
	good(hlk_sandbox_roots(sb, roots, &nr_roots), err, "roots");

	GUARD(t);
	t.it = (struct hlk_translate) { .root = HLK_ROOT_CR3, .va = regs.it.eip };
	good(hlk_sandbox_translate(sb, &t.it), err, "translate");
	tap(t.it.gpa && t.it.entry[1] && guarded(t.guard), "an address");
	good(hlk_sandbox_read(sb, t.it.gpa, &byte, 1), err, "read");
	good(hlk_sandbox_write(sb, t.it.gpa, &byte, 1), err, "write");
	GUARD(walk);
	walk.it = (struct hlk_walk) {
		.mappings = (uintptr_t)maps, .nr_mappings = 64,
		.mapping_size = sizeof(maps[0]),
	};
	good(hlk_sandbox_walk(sb, &walk.it), err, "walk");
	tap(walk.it.nr_mappings && maps[0].pages && guarded(walk.guard), "mappings");
	GUARD(mark);
	mark.it = (struct hlk_mark_cow) { .nr_roots = 0 };
	good(hlk_sandbox_mark_cow(sb, &mark.it), err, "mark");
	tap(mark.it.tables && guarded(mark.guard), "tables");
	GUARD(info);
	info.it = (struct hlk_snapshot_info) { .roots = (uintptr_t)roots, .nr_roots = 4 };
	good(hlk_snapshot_get_info(snap, &info.it, &own.it), &own.it, "snapshot");
	tap(info.it.nr_windows && info.it.counts.pages && guarded(info.guard), "pages");

	if (!good(hlk_inspect_open(ctx, hlk_sandbox_fd(sb, HLK_FD_VM), &inspect,
				   &own.it), &own.it, "inspect"))
		return;
	t.it = (struct hlk_translate) { .root = HLK_ROOT_CR3, .va = regs.it.eip };
	good(hlk_inspect_translate(inspect, &t.it, &own.it), &own.it, "translate");
	walk.it = (struct hlk_walk) {
		.mappings = (uintptr_t)maps, .nr_mappings = 64,
		.mapping_size = sizeof(maps[0]),
	};
	good(hlk_inspect_walk(inspect, &walk.it, &own.it), &own.it, "walk");
	tap(walk.it.nr_mappings && guarded(walk.guard) && guarded(t.guard), "mappings");
	hlk_inspect_close(inspect);
}

static void lib_fails(struct hlk_sandbox *sb)
{
	const struct hlk_exit *report;
	int ret;

	ret = hlk_sandbox_call(sb, "u", NULL, 0, NULL, 0, NULL, 1000000);
	report = hlk_sandbox_exit(sb);
	tap(ret < 0 && report->size >= sizeof(*report), "a call that fails: %s",
	    hlk_exit_reason_text(report->reason));
	good(hlk_sandbox_restore(sb, NULL), hlk_sandbox_error(sb), "restore");
	tap(hlk_sandbox_restored(sb)->head.size >= sizeof(struct hlk_restore),
	    "what it did");
	good(hlk_sandbox_audit(sb), hlk_sandbox_error(sb), "audit");
}

static void lib_many(struct hlk_ctx *ctx, struct hlk_sandbox *sb, struct hlk_snap *snap)
{
	struct hlk_pool_config how = HLK_POOL_CONFIG_INIT;
	struct hlk_config config = HLK_CONFIG_INIT;
	struct guarded_hlk_pool_stats stats;
	struct hlk_sandbox *taken;
	struct hlk_batch *batch;
	struct hlk_pool *pool;
	struct hlk_err err;
	char answer[16];
	size_t len;

	if (good(hlk_batch_open(ctx, 4, &batch, &err), &err, "batch")) {
		tap(!hlk_batch_restore(batch, sb, NULL, 0) && !hlk_batch_submit(batch) &&
		    !hlk_batch_result(batch, 0), "a batch of restores");
		tap(!hlk_batch_restore_call(batch, sb, "e", "hello", 5, answer,
					    sizeof(answer), &len, 0) &&
		    !hlk_batch_submit(batch) && !hlk_batch_result(batch, 0) &&
		    len == 5 && !memcmp(answer, "hello", 5), "a batch of calls");
		hlk_batch_close(batch);
	}

	how.sandboxes = 2;
	how.config = &config;
	how.setup = setup;
	if (!good(hlk_pool_open(ctx, snap, &how, &pool, &err), &err, "pool"))
		return;
	tap(setups == 2, "two sandboxes");
	good(hlk_pool_call(pool, 0, "e", "hello", 5, answer, sizeof(answer), &len,
			   1000000, &err), &err, "call");
	if (good(hlk_pool_get(pool, 0, &taken, &err), &err, "take"))
		hlk_pool_put(pool, taken);
	GUARD(stats);
	hlk_pool_stats(pool, &stats.it);
	tap(stats.it.sandboxes == 2 && stats.it.gets == 2 && stats.it.calls == 1 &&
	    guarded(stats.guard), "statistics");
	tap(!hlk_pool_close(pool), "close");
}

static void lib(void)
{
	struct hlk_snapshot_config how = HLK_SNAPSHOT_CONFIG_INIT;
	struct hlk_config config = HLK_CONFIG_INIT;
	struct hlk_sandbox *sb, *clone;
	struct hlk_snap *snap, *flat, *again;
	struct hlk_ctx *ctx;
	struct hlk_err err;

	tap(hlk_version() >= HLK_VERSION && strlen(hlk_version_text()) >= 5,
	    "libhlk %s", hlk_version_text());
	if (!good(hlk_open(&ctx, &err), &err, "open"))
		return;
	if (!good(hlk_sandbox_from_image(ctx, guest_elf, guest_elf_end - guest_elf,
					 &config, &sb, &err), &err, "sandbox"))
		goto close;
	good(hlk_sandbox_boot(sb, 0), hlk_sandbox_error(sb), "boot");
	how.flags = HLK_SNAP_CR3;
	good(hlk_sandbox_snapshot(sb, &how, &snap), hlk_sandbox_error(sb), "snapshot");
	how.flags = HLK_SNAP_FLAT | HLK_SNAP_DEDUP;
	good(hlk_sandbox_snapshot(sb, &how, &flat), hlk_sandbox_error(sb), "flat snapshot");
	good(hlk_sandbox_restore(sb, flat), hlk_sandbox_error(sb), "restore");
	tap(echo(sb, false) && echo(sb, true), "calls");
	lib_looks(ctx, sb, flat);
	good(hlk_sandbox_restore(sb, flat), hlk_sandbox_error(sb), "restore");
	lib_fails(sb);
	good(hlk_sandbox_from_snapshot(ctx, flat, &config, &clone, &err), &err, "clone");
	tap(echo(clone, false) && echo(clone, true), "it is called");
	tap(!hlk_sandbox_counter_add(clone, 3) && hlk_sandbox_counter(clone) == 3,
	    "its counter");
	lib_many(ctx, clone, flat);
	hlk_sandbox_close(clone);
	good(hlk_snapshot_from_fd(hlk_snapshot_fd(flat), &again, &err), &err, "its fd");
	hlk_snapshot_close(again);
	hlk_snapshot_close(flat);
	hlk_snapshot_close(snap);
	hlk_sandbox_close(sb);
close:
	hlk_close(ctx);
}

int main(void)
{
	raw();
	lib();
	printf("1..%u\n", nr);
	return failed ? 1 : 0;
}
