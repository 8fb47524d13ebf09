// SPDX-License-Identifier: GPL-2.0-only
/*
 * A 32-bit program under a 64-bit kernel: structs are the same to the byte, and
 * a whole use works, window beyond 2 GiB included.
 *
 * Built twice: for 64 bits it prints what it knows of the structs, for the
 * 32-bit build to compare with.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <linux/hlk.h>
#include <linux/hlk_guest.h>

/* Every struct and field of the two headers */
#define LAYOUT(S, F)							\
	S(hlk_head) F(hlk_head, size) F(hlk_head, flags)		\
	F(hlk_head, why) F(hlk_head, index) F(hlk_head, where)		\
	S(hlk_info) F(hlk_info, version) F(hlk_info, max_windows)	\
	F(hlk_info, max_vcpus) F(hlk_info, max_roots)			\
	F(hlk_info, max_tables) F(hlk_info, max_segments)		\
	F(hlk_info, features) F(hlk_info, max_pages)			\
	F(hlk_info, max_private) F(hlk_info, live_vms)			\
	F(hlk_info, live_snapshots) F(hlk_info, live_pages)		\
	F(hlk_info, max_inputs) F(hlk_info, max_input_bytes)		\
	F(hlk_info, max_struct) F(hlk_info, vcpu_size)			\
	S(hlk_vm_attach) F(hlk_vm_attach, vm_fd)			\
	F(hlk_vm_attach, out_fd) F(hlk_vm_attach, max_private)		\
	F(hlk_vm_attach, keep_private)					\
	S(hlk_window) F(hlk_window, gpa) F(hlk_window, bytes)		\
	F(hlk_window, flags) F(hlk_window, __reserved)			\
	F(hlk_window, __reserved2)					\
	S(hlk_window_add) F(hlk_window_add, window)			\
	S(hlk_segment) F(hlk_segment, gpa) F(hlk_segment, bytes)	\
	F(hlk_segment, data)						\
	S(hlk_program_header) F(hlk_program_header, size)		\
	F(hlk_program_header, entry_size)				\
	F(hlk_program_header, nr_entries) F(hlk_program_header, flags)	\
	F(hlk_program_header, __reserved)				\
	S(hlk_program_entry) F(hlk_program_entry, cmd)			\
	F(hlk_program_entry, target) F(hlk_program_entry, offset)	\
	F(hlk_program_entry, bytes) F(hlk_program_entry, flags)		\
	F(hlk_program_entry, __reserved)				\
	S(hlk_snapshot_build) F(hlk_snapshot_build, nr_windows)		\
	F(hlk_snapshot_build, window_size)				\
	F(hlk_snapshot_build, nr_segments)				\
	F(hlk_snapshot_build, segment_size)				\
	F(hlk_snapshot_build, nr_vcpus)					\
	F(hlk_snapshot_build, vcpu_size)				\
	F(hlk_snapshot_build, windows)					\
	F(hlk_snapshot_build, segments) F(hlk_snapshot_build, vcpus)	\
	F(hlk_snapshot_build, out_fd)					\
	F(hlk_snapshot_build, __reserved)				\
	F(hlk_snapshot_build, program)					\
	F(hlk_snapshot_build, program_bytes)				\
	F(hlk_snapshot_build, __reserved2)				\
	S(hlk_snapshot_counts) F(hlk_snapshot_counts, pages)		\
	F(hlk_snapshot_counts, copied)					\
	F(hlk_snapshot_counts, inherited)				\
	F(hlk_snapshot_counts, zero) F(hlk_snapshot_counts, tables)	\
	F(hlk_snapshot_counts, tables_read)				\
	F(hlk_snapshot_counts, aliased)					\
	F(hlk_snapshot_counts, large)					\
	F(hlk_snapshot_counts, leaf_not_ram)				\
	F(hlk_snapshot_counts, table_not_ram)				\
	F(hlk_snapshot_counts, duplicate)				\
	F(hlk_snapshot_counts, tables_kept)				\
	F(hlk_snapshot_counts, residue)					\
	F(hlk_snapshot_counts, __reserved)				\
	S(hlk_snapshot) F(hlk_snapshot, out_fd)				\
	F(hlk_snapshot, nr_roots) F(hlk_snapshot, roots)		\
	F(hlk_snapshot, input_bytes) F(hlk_snapshot, output_bytes)	\
	F(hlk_snapshot, counts) F(hlk_snapshot, program)		\
	F(hlk_snapshot, program_bytes) F(hlk_snapshot, __reserved)	\
	S(hlk_restore) F(hlk_restore, snapshot_fd)			\
	F(hlk_restore, residue) F(hlk_restore, copied)			\
	F(hlk_restore, cleared) F(hlk_restore, freed)			\
	F(hlk_restore, private_pages) F(hlk_restore, program)		\
	S(hlk_run) F(hlk_run, vcpu_fd) F(hlk_run, done)			\
	F(hlk_run, inputs) F(hlk_run, nr_inputs)			\
	F(hlk_run, input_size) F(hlk_run, regs) F(hlk_run, log)		\
	F(hlk_run, log_size) F(hlk_run, log_used)			\
	F(hlk_run, log_port) F(hlk_run, exit_reason)			\
	F(hlk_run, entries) F(hlk_run, residue) F(hlk_run, copied)	\
	F(hlk_run, cleared) F(hlk_run, freed)				\
	F(hlk_run, private_pages) F(hlk_run, timeout_ns)		\
	F(hlk_run, deadline_ns) F(hlk_run, program)			\
	F(hlk_run, calls) F(hlk_run, nr_calls) F(hlk_run, call_size)	\
	F(hlk_run, calls_done) F(hlk_run, __reserved)			\
	F(hlk_run, call_timeout_ns)					\
	F(hlk_run, call_deadline_ns)					\
	F(hlk_run, turn)						\
	S(hlk_run_call) F(hlk_run_call, in_gpa) F(hlk_run_call, in_bytes) \
	F(hlk_run_call, in) F(hlk_run_call, out_gpa)			\
	F(hlk_run_call, out_bytes) F(hlk_run_call, out)			\
	F(hlk_run_call, out_used) F(hlk_run_call, log_used)		\
	F(hlk_run_call, residue) F(hlk_run_call, __reserved)		\
	S(hlk_kick) F(hlk_kick, vcpu) F(hlk_kick, kicked)		\
	S(hlk_many_call) F(hlk_many_call, vm_fd)			\
	F(hlk_many_call, __reserved) F(hlk_many_call, run)		\
	F(hlk_many_call, ret) F(hlk_many_call, why)			\
	S(hlk_run_many) F(hlk_run_many, calls)				\
	F(hlk_run_many, nr_calls) F(hlk_run_many, call_size)		\
	F(hlk_run_many, nr_done) F(hlk_run_many, __reserved)		\
	S(hlk_uring) F(hlk_uring, arg) F(hlk_uring, __reserved)		\
	S(hlk_touched) F(hlk_touched, gpa) F(hlk_touched, pages)	\
	F(hlk_touched, flags) F(hlk_touched, __reserved)		\
	S(hlk_prefault) F(hlk_prefault, runs)				\
	F(hlk_prefault, nr_runs) F(hlk_prefault, run_size)		\
	F(hlk_prefault, made)						\
	S(hlk_paging) F(hlk_paging, flags) F(hlk_paging, maxphyaddr)	\
	F(hlk_paging, pkru) F(hlk_paging, pkrs) F(hlk_paging, pdpte)	\
	F(hlk_paging, __reserved)					\
	S(hlk_translate) F(hlk_translate, paging)			\
	F(hlk_translate, root) F(hlk_translate, va)			\
	F(hlk_translate, gpa) F(hlk_translate, entry)			\
	F(hlk_translate, map) F(hlk_translate, page_shift)		\
	S(hlk_mapping) F(hlk_mapping, va) F(hlk_mapping, gpa)		\
	F(hlk_mapping, pages) F(hlk_mapping, attributes)		\
	F(hlk_mapping, root) F(hlk_mapping, map)			\
	F(hlk_mapping, alias_va) F(hlk_mapping, alias_root)		\
	F(hlk_mapping, page_shift)					\
	S(hlk_walk) F(hlk_walk, paging) F(hlk_walk, roots)		\
	F(hlk_walk, mappings) F(hlk_walk, nr_roots)			\
	F(hlk_walk, nr_mappings) F(hlk_walk, mapping_size)		\
	F(hlk_walk, __reserved) F(hlk_walk, start) F(hlk_walk, end)	\
	F(hlk_walk, cursor) F(hlk_walk, tables_read)			\
	S(hlk_mark_cow) F(hlk_mark_cow, paging)				\
	F(hlk_mark_cow, roots) F(hlk_mark_cow, nr_roots)		\
	F(hlk_mark_cow, __reserved) F(hlk_mark_cow, start)		\
	F(hlk_mark_cow, end) F(hlk_mark_cow, marked)			\
	F(hlk_mark_cow, already) F(hlk_mark_cow, read_only)		\
	F(hlk_mark_cow, live) F(hlk_mark_cow, not_ram)			\
	F(hlk_mark_cow, tables)						\
	S(hlk_read) F(hlk_read, gpa) F(hlk_read, bytes)			\
	F(hlk_read, data) F(hlk_read, done)				\
	S(hlk_vm_stats) F(hlk_vm_stats, private_pages)			\
	F(hlk_vm_stats, max_private) F(hlk_vm_stats, read_faults)	\
	F(hlk_vm_stats, write_faults) F(hlk_vm_stats, over_budget)	\
	F(hlk_vm_stats, restores) F(hlk_vm_stats, switches)		\
	F(hlk_vm_stats, pages_copied) F(hlk_vm_stats, pages_cleared)	\
	F(hlk_vm_stats, pages_freed) F(hlk_vm_stats, unique)		\
	F(hlk_vm_stats, generation) F(hlk_vm_stats, pages_idle)		\
	F(hlk_vm_stats, prefaulted) F(hlk_vm_stats, runs)		\
	F(hlk_vm_stats, audits) F(hlk_vm_stats, audit_mapped)		\
	F(hlk_vm_stats, audit_absent) F(hlk_vm_stats, audit_beside)	\
	F(hlk_vm_stats, audit_elsewhere) F(hlk_vm_stats, residue)	\
	F(hlk_vm_stats, kept)						\
	F(hlk_vm_stats, learned)					\
	F(hlk_vm_stats, unread) F(hlk_vm_stats, unread_gpa)		\
	S(hlk_snapshot_info) F(hlk_snapshot_info, flags)		\
	F(hlk_snapshot_info, nr_vcpus)					\
	F(hlk_snapshot_info, generation)				\
	F(hlk_snapshot_info, windows) F(hlk_snapshot_info, roots)	\
	F(hlk_snapshot_info, nr_windows)				\
	F(hlk_snapshot_info, window_size)				\
	F(hlk_snapshot_info, nr_roots)					\
	F(hlk_snapshot_info, __reserved)				\
	F(hlk_snapshot_info, first_free)				\
	F(hlk_snapshot_info, input_bytes)				\
	F(hlk_snapshot_info, output_bytes)				\
	F(hlk_snapshot_info, counts)					\
	F(hlk_snapshot_info, program_bytes)				\
	F(hlk_snapshot_info, __reserved2)				\
	F(hlk_snapshot_info, id)					\
	F(hlk_snapshot_info, parent_id)					\
	F(hlk_snapshot_info, file_pages)				\
	F(hlk_snapshot_info, file_read)					\
	S(hlk_vcpu_image) F(hlk_vcpu_image, regs)			\
	F(hlk_vcpu_image, fpu) F(hlk_vcpu_image, regs_bytes)		\
	F(hlk_vcpu_image, fpu_bytes) F(hlk_vcpu_image, flags)		\
	F(hlk_vcpu_image, mp_state) F(hlk_vcpu_image, ext_vector)	\
	F(hlk_vcpu_image, pkru) F(hlk_vcpu_image, tsc)			\
	F(hlk_vcpu_image, db) F(hlk_vcpu_image, dr6)			\
	F(hlk_vcpu_image, dr7) F(hlk_vcpu_image, xcr0)			\
	F(hlk_vcpu_image, xfd) F(hlk_vcpu_image, xsave_bytes)		\
	F(hlk_vcpu_image, __reserved)					\
	S(hlk_snapshot_export) F(hlk_snapshot_export, vcpus)		\
	F(hlk_snapshot_export, nr_vcpus)				\
	F(hlk_snapshot_export, vcpu_size)				\
	F(hlk_snapshot_export, tables)					\
	F(hlk_snapshot_export, tables_gpa)				\
	F(hlk_snapshot_export, nr_tables)				\
	F(hlk_snapshot_export, touched_size)				\
	F(hlk_snapshot_export, touched)					\
	F(hlk_snapshot_export, nr_touched)				\
	F(hlk_snapshot_export, __reserved)				\
	S(hlk_extent) F(hlk_extent, gpa) F(hlk_extent, bytes)		\
	F(hlk_extent, offset) F(hlk_extent, source)			\
	F(hlk_extent, leaves)					\
	S(hlk_snapshot_pages) F(hlk_snapshot_pages, other_fd)		\
	F(hlk_snapshot_pages, __reserved)				\
	F(hlk_snapshot_pages, extents)					\
	F(hlk_snapshot_pages, nr_extents)				\
	F(hlk_snapshot_pages, extent_size)				\
	F(hlk_snapshot_pages, cursor)					\
	S(hlk_source) F(hlk_source, fd) F(hlk_source, __reserved)	\
	S(hlk_snapshot_import) F(hlk_snapshot_import, flags)		\
	F(hlk_snapshot_import, parent_fd)				\
	F(hlk_snapshot_import, windows) F(hlk_snapshot_import, sources)	\
	F(hlk_snapshot_import, extents) F(hlk_snapshot_import, vcpus)	\
	F(hlk_snapshot_import, touched) F(hlk_snapshot_import, program)	\
	F(hlk_snapshot_import, roots) F(hlk_snapshot_import, tables)	\
	F(hlk_snapshot_import, tables_gpa)				\
	F(hlk_snapshot_import, first_free)				\
	F(hlk_snapshot_import, generation)				\
	F(hlk_snapshot_import, nr_windows)				\
	F(hlk_snapshot_import, window_size)				\
	F(hlk_snapshot_import, nr_sources)				\
	F(hlk_snapshot_import, source_size)				\
	F(hlk_snapshot_import, nr_extents)				\
	F(hlk_snapshot_import, extent_size)				\
	F(hlk_snapshot_import, nr_vcpus)				\
	F(hlk_snapshot_import, vcpu_size)				\
	F(hlk_snapshot_import, nr_touched)				\
	F(hlk_snapshot_import, touched_size)				\
	F(hlk_snapshot_import, program_bytes)				\
	F(hlk_snapshot_import, nr_roots)				\
	F(hlk_snapshot_import, nr_tables)				\
	F(hlk_snapshot_import, input_bytes)				\
	F(hlk_snapshot_import, output_bytes)				\
	F(hlk_snapshot_import, out_fd) F(hlk_snapshot_import, counts)	\
	S(hlk_guest_boot) F(hlk_guest_boot, scratch_size)		\
	S(hlk_guest_call) F(hlk_guest_call, arg_len)			\
	S(hlk_guest_ret) F(hlk_guest_ret, len)				\
	S(hlk_guest_file) F(hlk_guest_file, gpa)			\
	F(hlk_guest_file, bytes) F(hlk_guest_file, label)		\
	S(hlk_guest_trap) F(hlk_guest_trap, edi)

struct place {
	const char *name;
	unsigned int offset;
	unsigned int size;
};

#define WHOLE(type)	{ #type, 0, sizeof(struct type) },
#define FIELD(type, field)						\
	{ #type "." #field, offsetof(struct type, field),		\
	  sizeof(((struct type *)0)->field) },

static const struct place here[] = { LAYOUT(WHOLE, FIELD) };

#define NR (sizeof(here) / sizeof(here[0]))

#ifdef LAYOUT_ONLY

int main(void)
{
	unsigned int i;

	for (i = 0; i < NR; i++)
		printf("\t{ \"%s\", %u, %u },\n", here[i].name, here[i].offset,
		       here[i].size);
	return 0;
}

#else

#include "hlk_test.h"
#include "harness.h"

static const struct place there[] = {
#include "layout64.h"
};

GUEST(count, "1:	incl 0xa0000000\n"
	     "	hlt\n"
	     "	jmp 1b\n");

TEST(the_same_structs)
{
	u32 end = 0;
	u32 i;

	ASSERT_EQ(4, sizeof(void *));
	ASSERT_EQ(ARRAY_SIZE(there), NR);
	for (i = 0; i < NR; i++) {
		printf("# %-36s at %3u, %3u bytes\n", here[i].name, here[i].offset,
		       here[i].size);
		ASSERT_STREQ(there[i].name, here[i].name);
		ASSERT_EQ(there[i].offset, here[i].offset);
		ASSERT_EQ(there[i].size, here[i].size);
		/* no padding: a field begins where the one before it ends */
		if (!strchr(here[i].name, '.'))
			end = strcmp(here[i].name, "hlk_head") &&
			      strncmp(here[i].name, "hlk_guest", 9) &&
			      strcmp(here[i].name, "hlk_window") &&
			      strncmp(here[i].name, "hlk_program", 11) &&
			      strcmp(here[i].name, "hlk_segment") &&
			      strcmp(here[i].name, "hlk_paging") &&
			      strcmp(here[i].name, "hlk_mapping") &&
			      strcmp(here[i].name, "hlk_touched") &&
			      strcmp(here[i].name, "hlk_many_call") &&
			      strcmp(here[i].name, "hlk_run_call") &&
			      strcmp(here[i].name, "hlk_uring") &&
			      strcmp(here[i].name, "hlk_vcpu_image") &&
			      strcmp(here[i].name, "hlk_extent") &&
			      strcmp(here[i].name, "hlk_source") &&
			      strcmp(here[i].name, "hlk_snapshot_counts") ?
			      sizeof(struct hlk_head) : 0;
		else if (strncmp(here[i].name, "hlk_guest", 9)) {
			ASSERT_EQ(end, here[i].offset) {
				TH_LOG("%s", here[i].name);
			}
			end += here[i].size;
		}
	}
}

TEST(a_whole_use)
{
	const u64 high = 0xa0000000;
	struct hlk_snapshot_build build = HLK_STRUCT(hlk_snapshot_build);
	struct hlk_window windows[] = {
		{ .gpa = 0, .bytes = TVM_LOW },
		{ .gpa = high, .bytes = 16 * PAGE },
	};
	struct hlk_segment segments[] = {
		{ TVM_CODE, count_end - count, (uintptr_t)count },
		{ high + 4, 3, (uintptr_t)"hi" },
	};
	struct hlk_translate tr = { .paging.flags = HLK_PAGING_GIVEN };
	struct hlk_walk w = HLK_STRUCT(hlk_walk);
	struct kvm_sync_regs regs;
	struct hlk_mapping mapping;
	struct hlk_vm_stats stats;
	struct hlk_restore r;
	u64 root = TVM_DATA;
	struct tvm t;
	u8 *at;
	int snap;

	t_begin();
	tvm_open(&t);
	tvm_attach(&t, 0, 0);
	tvm_window(&t, 0, TVM_LOW, 0);
	/* mmap() at an offset that a 32-bit off_t cannot express */
	at = tvm_window(&t, high, 16 * PAGE, 0);
	tvm_flat(&regs, TVM_CODE, TVM_STACK);
	build.windows = (uintptr_t)windows;
	build.window_size = sizeof(struct hlk_window);
	build.nr_windows = 2;
	build.segments = (uintptr_t)segments;
	build.segment_size = sizeof(struct hlk_segment);
	build.nr_segments = 2;
	build.vcpus = (uintptr_t)&regs;
	build.nr_vcpus = 1;
	build.vcpu_size = sizeof(regs);
	OK(hlk_call(t.dev, HLK_SNAPSHOT_BUILD, &build));
	OK(hlk_restore(t.hlk, build.out_fd, NULL));
	ASSERT_STREQ("hi", (char *)at + 4);
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&t));
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&t));
	ASSERT_EQ(2, *(u32 *)at);
	OK(hlk_restore(t.hlk, -1, &r));
	ASSERT_EQ(1, r.copied);
	ASSERT_EQ(0, *(u32 *)at);

	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&t));
	snap = OK(hlk_snapshot_flat(t.hlk));
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&t));
	ASSERT_EQ(2, *(u32 *)at);
	OK(hlk_restore(t.hlk, snap, NULL));
	ASSERT_EQ(1, *(u32 *)at);
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&t));
	ASSERT_EQ(2, *(u32 *)at);
	OK(hlk_stats(t.hlk, &stats));
	ASSERT_EQ(3, stats.restores);
	ASSERT_EQ(1, stats.generation);

	/* addresses above 2 GiB on the way out */
	*(u32 *)tvm_at(&t, TVM_DATA) = (TVM_DATA + PAGE) | PTE_P;
	*(u32 *)tvm_at(&t, TVM_DATA + PAGE) = high | PTE_P;
	OK(hlk_translate(t.hlk, root, 0x123, &tr));
	ASSERT_EQ(high + 0x123, tr.gpa);
	w.paging.flags = HLK_PAGING_GIVEN;
	w.roots = (uintptr_t)&root;
	w.nr_roots = 1;
	w.mappings = (uintptr_t)&mapping;
	w.mapping_size = sizeof(struct hlk_mapping);
	w.nr_mappings = 1;
	OK(hlk_call(t.hlk, HLK_WALK, &w));
	ASSERT_EQ(1, w.nr_mappings);
	ASSERT_EQ(high, mapping.gpa);
	FAILS(ENODEV, HLK_WHY_NOT_RAM, hlk_translate(t.hlk, 0xfffff000, 0, &tr));
	ASSERT_EQ(0xfffff000, t_where);

	close(snap);
	close(build.out_fd);
	tvm_close(&t);
	EXPECT_EQ(0, t_end());
}

TEST_HARNESS_MAIN
#endif
