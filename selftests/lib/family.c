// SPDX-License-Identifier: GPL-2.0-only
#include "family.h"

/* ecx pages from esi on, edx apart, are written; ebp from edi on, ebx apart, are read. */
GUEST(touch, "1:	jecxz 2f\n"
	     "	mov %eax, (%esi)\n"
	     "	add %edx, %esi\n"
	     "	dec %ecx\n"
	     "	jmp 1b\n"
	     "2:	test %ebp, %ebp\n"
	     "	jz 3f\n"
	     "	mov (%edi), %eax\n"
	     "	add %ebx, %edi\n"
	     "	dec %ebp\n"
	     "	jmp 2b\n"
	     "3:	hlt\n");

static void registers(struct kvm_sync_regs *regs, const struct family_pages *writes,
		      const struct family_pages *reads)
{
	tvm_flat(regs, TVM_CODE, TVM_STACK);
	regs->regs.rax = 0x5a5a5a5a;
	regs->regs.rsi = FAMILY_DATA + writes->first * PAGE;
	regs->regs.rdx = writes->step * PAGE;
	regs->regs.rcx = writes->nr;
	regs->regs.rdi = FAMILY_DATA + reads->first * PAGE;
	regs->regs.rbx = reads->step * PAGE;
	regs->regs.rbp = reads->nr;
}

/* All pages have something in them, each its own. */
static int root(struct family *f, struct kvm_sync_regs *regs)
{
	struct hlk_snapshot_build build = HLK_STRUCT(hlk_snapshot_build);
	struct hlk_window windows[] = {
		{ .bytes = f->bytes },
		{ .gpa = TVM_SCRATCH_GPA, .bytes = TVM_SCRATCH,
		  .flags = HLK_WINDOW_SCRATCH },
	};
	u64 pages = f->bytes / PAGE;
	struct hlk_segment *segments = calloc(pages + 1, sizeof(*segments));
	u64 *numbers = calloc(pages, sizeof(*numbers));
	u64 i;

	t_must(segments && numbers);
	for (i = 0; i < pages; i++) {
		numbers[i] = i + 1;
		segments[i] = (struct hlk_segment) {
			.gpa = i * PAGE,
			.bytes = sizeof(*numbers),
			.data = (uintptr_t)&numbers[i],
		};
	}
	segments[pages] = (struct hlk_segment) {
		.gpa = TVM_CODE,
		.bytes = touch_end - touch,
		.data = (uintptr_t)touch,
	};
	build.windows = (uintptr_t)windows;
	build.nr_windows = ARRAY_SIZE(windows);
	build.window_size = sizeof(windows[0]);
	build.segments = (uintptr_t)segments;
	build.nr_segments = pages + 1;
	build.segment_size = sizeof(*segments);
	build.vcpus = (uintptr_t)regs;
	build.nr_vcpus = 1;
	build.vcpu_size = sizeof(*regs);
	t_must(!hlk_call(f->t.dev, HLK_SNAPSHOT_BUILD, &build));
	free(segments);
	free(numbers);
	return build.out_fd;
}

/**
 * family_open() - a VM, and a snapshot in which each page is different
 * @f: the family; @f->snap[0] is that snapshot
 * @bytes: of low memory
 * @writes: which pages a call writes
 * @reads: and which it reads
 */
void family_open(struct family *f, u64 bytes, const struct family_pages *writes,
		 const struct family_pages *reads)
{
	struct kvm_sync_regs regs;

	memset(f, 0, sizeof(*f));
	f->bytes = bytes;
	tvm_open(&f->t);
	tvm_attach(&f->t, 0, 0);
	tvm_window(&f->t, 0, bytes, 0);
	tvm_window(&f->t, TVM_SCRATCH_GPA, TVM_SCRATCH, HLK_WINDOW_SCRATCH);
	registers(&regs, writes, reads);
	tvm_set_regs(&f->t, &regs);
	f->snap[f->nr++] = root(f, &regs);
	family_go(f, 0);
}

/**
 * family_child() - a snapshot over another one
 * @f: the family
 * @parent: the number of the other one
 * @pages: which pages it has of its own
 * @value: what is in their first words
 *
 * Return: its number
 */
int family_child(struct family *f, int parent, const struct family_pages *pages, u32 value)
{
	u32 i;

	t_must(f->nr < FAMILY_MOST);
	family_go(f, parent);
	for (i = 0; i < pages->nr; i++)
		*family_at(f, pages->first + i * pages->step) = (u64)value << 32 | i;
	f->snap[f->nr] = hlk_snapshot_flat(f->t.hlk);
	t_must(f->snap[f->nr] >= 0);
	return f->nr++;
}

void family_close(struct family *f)
{
	while (f->nr)
		close(f->snap[--f->nr]);
	tvm_close(&f->t);
}

void family_go(struct family *f, int snap)
{
	t_must(!hlk_restore(f->t.hlk, f->snap[snap], NULL));
}

void family_call(struct family *f)
{
	t_must(tvm_run(&f->t) == KVM_EXIT_HLT);
}

/* Page numbers begin at FAMILY_DATA. */
u64 *family_at(struct family *f, u32 page)
{
	return (u64 *)(tvm_at(&f->t, 0) + FAMILY_DATA + page * PAGE);
}

struct hlk_vm_stats family_stats(struct family *f)
{
	struct hlk_vm_stats stats = HLK_STRUCT(hlk_vm_stats);

	t_must(!hlk_stats(f->t.hlk, &stats));
	return stats;
}
