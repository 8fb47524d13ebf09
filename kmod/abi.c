// SPDX-License-Identifier: GPL-2.0-only
/*
 * The contract with user space: its layout in numbers, and how arrays of structs
 * are read and written whose elements the caller knows in another size.
 *
 * The numbers are those that callers were compiled with, so they never change;
 * what is new gets new lines. Nothing differs for 32-bit callers: there is no
 * padding, and no field whose size depends on the caller.
 */
#include <linux/build_bug.h>
#include <linux/uaccess.h>

#include "hlk.h"

/* @_type is part of other structs, or cannot grow: it keeps its size */
#define FROZEN(_type, _size)	static_assert(sizeof(struct _type) == (_size))
/* @_type had this size at first, when @_last was its last field, and may grow */
#define FIRST(_type, _size, _last) \
	static_assert(offsetofend(struct _type, _last) == (_size))
#define AT(_type, _field, _at)	static_assert(offsetof(struct _type, _field) == (_at))

FROZEN(hlk_head, 24);
AT(hlk_head, size, 0);
AT(hlk_head, flags, 4);
AT(hlk_head, why, 8);
AT(hlk_head, index, 12);
AT(hlk_head, where, 16);

FIRST(hlk_info, 112, vcpu_size);
AT(hlk_info, head, 0);
AT(hlk_info, version, 24);
AT(hlk_info, max_windows, 28);
AT(hlk_info, max_vcpus, 32);
AT(hlk_info, max_roots, 36);
AT(hlk_info, max_tables, 40);
AT(hlk_info, max_segments, 44);
AT(hlk_info, features, 48);
AT(hlk_info, max_pages, 56);
AT(hlk_info, max_private, 64);
AT(hlk_info, live_vms, 72);
AT(hlk_info, live_snapshots, 80);
AT(hlk_info, live_pages, 88);
AT(hlk_info, max_inputs, 96);
AT(hlk_info, max_input_bytes, 100);
AT(hlk_info, max_struct, 104);
AT(hlk_info, vcpu_size, 108);

FIRST(hlk_vm_attach, 48, keep_private);
AT(hlk_vm_attach, head, 0);
AT(hlk_vm_attach, vm_fd, 24);
AT(hlk_vm_attach, out_fd, 28);
AT(hlk_vm_attach, max_private, 32);
AT(hlk_vm_attach, keep_private, 40);

FROZEN(hlk_window, 48);
AT(hlk_window, gpa, 0);
AT(hlk_window, bytes, 8);
AT(hlk_window, flags, 16);

FIRST(hlk_window_add, 72, window);
AT(hlk_window_add, head, 0);
AT(hlk_window_add, window, 24);

FIRST(hlk_segment, 24, data);
AT(hlk_segment, gpa, 0);
AT(hlk_segment, bytes, 8);
AT(hlk_segment, data, 16);

FROZEN(hlk_program_header, 32);
AT(hlk_program_header, size, 0);
AT(hlk_program_header, entry_size, 4);
AT(hlk_program_header, nr_entries, 8);
AT(hlk_program_header, flags, 12);
AT(hlk_program_header, __reserved, 16);

FROZEN(hlk_program_entry, 32);
AT(hlk_program_entry, cmd, 0);
AT(hlk_program_entry, target, 4);
AT(hlk_program_entry, offset, 8);
AT(hlk_program_entry, bytes, 12);
AT(hlk_program_entry, flags, 16);
AT(hlk_program_entry, __reserved, 20);

FIRST(hlk_snapshot_build, 80, __reserved);
AT(hlk_snapshot_build, head, 0);
AT(hlk_snapshot_build, nr_windows, 24);
AT(hlk_snapshot_build, window_size, 28);
AT(hlk_snapshot_build, nr_segments, 32);
AT(hlk_snapshot_build, segment_size, 36);
AT(hlk_snapshot_build, nr_vcpus, 40);
AT(hlk_snapshot_build, vcpu_size, 44);
AT(hlk_snapshot_build, windows, 48);
AT(hlk_snapshot_build, segments, 56);
AT(hlk_snapshot_build, vcpus, 64);
AT(hlk_snapshot_build, out_fd, 72);
AT(hlk_snapshot_build, program, 80);
AT(hlk_snapshot_build, program_bytes, 88);
AT(hlk_snapshot_build, __reserved2, 92);

FROZEN(hlk_snapshot_counts, 192);
AT(hlk_snapshot_counts, pages, 0);
AT(hlk_snapshot_counts, copied, 8);
AT(hlk_snapshot_counts, inherited, 16);
AT(hlk_snapshot_counts, zero, 24);
AT(hlk_snapshot_counts, tables, 32);
AT(hlk_snapshot_counts, tables_read, 40);
AT(hlk_snapshot_counts, aliased, 48);
AT(hlk_snapshot_counts, large, 56);
AT(hlk_snapshot_counts, leaf_not_ram, 64);
AT(hlk_snapshot_counts, table_not_ram, 72);
AT(hlk_snapshot_counts, duplicate, 80);
AT(hlk_snapshot_counts, tables_kept, 88);
AT(hlk_snapshot_counts, residue, 96);

FIRST(hlk_snapshot, 240, counts);
AT(hlk_snapshot, head, 0);
AT(hlk_snapshot, out_fd, 24);
AT(hlk_snapshot, nr_roots, 28);
AT(hlk_snapshot, roots, 32);
AT(hlk_snapshot, input_bytes, 40);
AT(hlk_snapshot, output_bytes, 44);
AT(hlk_snapshot, counts, 48);
AT(hlk_snapshot, program, 240);
AT(hlk_snapshot, program_bytes, 248);
AT(hlk_snapshot, __reserved, 252);

FIRST(hlk_restore, 64, private_pages);
AT(hlk_restore, head, 0);
AT(hlk_restore, snapshot_fd, 24);
AT(hlk_restore, residue, 28);
AT(hlk_restore, copied, 32);
AT(hlk_restore, cleared, 40);
AT(hlk_restore, freed, 48);
AT(hlk_restore, private_pages, 56);
AT(hlk_restore, program, 64);

FIRST(hlk_run, 120, private_pages);
AT(hlk_run, head, 0);
AT(hlk_run, vcpu_fd, 24);
AT(hlk_run, done, 28);
AT(hlk_run, inputs, 32);
AT(hlk_run, nr_inputs, 40);
AT(hlk_run, input_size, 44);
AT(hlk_run, regs, 48);
AT(hlk_run, log, 56);
AT(hlk_run, log_size, 64);
AT(hlk_run, log_used, 68);
AT(hlk_run, log_port, 72);
AT(hlk_run, exit_reason, 76);
AT(hlk_run, entries, 80);
AT(hlk_run, residue, 84);
AT(hlk_run, copied, 88);
AT(hlk_run, cleared, 96);
AT(hlk_run, freed, 104);
AT(hlk_run, private_pages, 112);
AT(hlk_run, timeout_ns, 120);
AT(hlk_run, deadline_ns, 128);
AT(hlk_run, program, 136);
AT(hlk_run, calls, 144);
AT(hlk_run, nr_calls, 152);
AT(hlk_run, call_size, 156);
AT(hlk_run, calls_done, 160);
AT(hlk_run, __reserved, 164);
AT(hlk_run, call_timeout_ns, 168);
AT(hlk_run, call_deadline_ns, 176);
AT(hlk_run, turn, 184);

FIRST(hlk_run_call, 64, __reserved);
AT(hlk_run_call, in_gpa, 0);
AT(hlk_run_call, in_bytes, 8);
AT(hlk_run_call, in, 16);
AT(hlk_run_call, out_gpa, 24);
AT(hlk_run_call, out_bytes, 32);
AT(hlk_run_call, out, 40);
AT(hlk_run_call, out_used, 48);
AT(hlk_run_call, log_used, 52);
AT(hlk_run_call, residue, 56);
AT(hlk_run_call, __reserved, 60);

FIRST(hlk_kick, 32, kicked);
AT(hlk_kick, head, 0);
AT(hlk_kick, vcpu, 24);
AT(hlk_kick, kicked, 28);

FIRST(hlk_many_call, 24, why);
AT(hlk_many_call, vm_fd, 0);
AT(hlk_many_call, run, 8);
AT(hlk_many_call, ret, 16);
AT(hlk_many_call, why, 20);

FIRST(hlk_run_many, 48, __reserved);
AT(hlk_run_many, head, 0);
AT(hlk_run_many, calls, 24);
AT(hlk_run_many, nr_calls, 32);
AT(hlk_run_many, call_size, 36);
AT(hlk_run_many, nr_done, 40);

FROZEN(hlk_uring, 16);
AT(hlk_uring, arg, 0);

FIRST(hlk_touched, 24, __reserved);
AT(hlk_touched, gpa, 0);
AT(hlk_touched, pages, 8);
AT(hlk_touched, flags, 16);

FIRST(hlk_prefault, 48, made);
AT(hlk_prefault, head, 0);
AT(hlk_prefault, runs, 24);
AT(hlk_prefault, nr_runs, 32);
AT(hlk_prefault, run_size, 36);
AT(hlk_prefault, made, 40);

FROZEN(hlk_paging, 64);
AT(hlk_paging, flags, 0);
AT(hlk_paging, maxphyaddr, 4);
AT(hlk_paging, pkru, 8);
AT(hlk_paging, pkrs, 12);
AT(hlk_paging, pdpte, 16);

FIRST(hlk_translate, 160, page_shift);
AT(hlk_translate, head, 0);
AT(hlk_translate, paging, 24);
AT(hlk_translate, root, 88);
AT(hlk_translate, va, 96);
AT(hlk_translate, gpa, 104);
AT(hlk_translate, entry, 112);
AT(hlk_translate, map, 152);
AT(hlk_translate, page_shift, 156);
AT(hlk_translate, format, 160);

FIRST(hlk_mapping, 56, page_shift);
AT(hlk_mapping, va, 0);
AT(hlk_mapping, gpa, 8);
AT(hlk_mapping, pages, 16);
AT(hlk_mapping, attributes, 24);
AT(hlk_mapping, root, 32);
AT(hlk_mapping, map, 36);
AT(hlk_mapping, alias_va, 40);
AT(hlk_mapping, alias_root, 48);
AT(hlk_mapping, page_shift, 52);

FIRST(hlk_walk, 152, tables_read);
AT(hlk_walk, head, 0);
AT(hlk_walk, paging, 24);
AT(hlk_walk, roots, 88);
AT(hlk_walk, mappings, 96);
AT(hlk_walk, nr_roots, 104);
AT(hlk_walk, nr_mappings, 108);
AT(hlk_walk, mapping_size, 112);
AT(hlk_walk, start, 120);
AT(hlk_walk, end, 128);
AT(hlk_walk, cursor, 136);
AT(hlk_walk, tables_read, 144);
AT(hlk_walk, format, 152);

FIRST(hlk_mark_cow, 168, tables);
AT(hlk_mark_cow, head, 0);
AT(hlk_mark_cow, paging, 24);
AT(hlk_mark_cow, roots, 88);
AT(hlk_mark_cow, nr_roots, 96);
AT(hlk_mark_cow, start, 104);
AT(hlk_mark_cow, end, 112);
AT(hlk_mark_cow, marked, 120);
AT(hlk_mark_cow, already, 128);
AT(hlk_mark_cow, read_only, 136);
AT(hlk_mark_cow, live, 144);
AT(hlk_mark_cow, not_ram, 152);
AT(hlk_mark_cow, tables, 160);

FIRST(hlk_read, 56, done);
AT(hlk_read, head, 0);
AT(hlk_read, gpa, 24);
AT(hlk_read, bytes, 32);
AT(hlk_read, data, 40);
AT(hlk_read, done, 48);

FIRST(hlk_vm_stats, 144, runs);
AT(hlk_vm_stats, head, 0);
AT(hlk_vm_stats, private_pages, 24);
AT(hlk_vm_stats, max_private, 32);
AT(hlk_vm_stats, read_faults, 40);
AT(hlk_vm_stats, write_faults, 48);
AT(hlk_vm_stats, over_budget, 56);
AT(hlk_vm_stats, restores, 64);
AT(hlk_vm_stats, switches, 72);
AT(hlk_vm_stats, pages_copied, 80);
AT(hlk_vm_stats, pages_cleared, 88);
AT(hlk_vm_stats, pages_freed, 96);
AT(hlk_vm_stats, unique, 104);
AT(hlk_vm_stats, generation, 112);
AT(hlk_vm_stats, pages_idle, 120);
AT(hlk_vm_stats, prefaulted, 128);
AT(hlk_vm_stats, runs, 136);
AT(hlk_vm_stats, audits, 144);
AT(hlk_vm_stats, audit_mapped, 152);
AT(hlk_vm_stats, audit_absent, 160);
AT(hlk_vm_stats, audit_beside, 168);
AT(hlk_vm_stats, audit_elsewhere, 176);
AT(hlk_vm_stats, residue, 184);
AT(hlk_vm_stats, kept, 192);
AT(hlk_vm_stats, learned, 200);
AT(hlk_vm_stats, unread, 208);
AT(hlk_vm_stats, unread_gpa, 216);

FIRST(hlk_snapshot_info, 280, counts);
AT(hlk_snapshot_info, head, 0);
AT(hlk_snapshot_info, flags, 24);
AT(hlk_snapshot_info, nr_vcpus, 28);
AT(hlk_snapshot_info, generation, 32);
AT(hlk_snapshot_info, windows, 40);
AT(hlk_snapshot_info, roots, 48);
AT(hlk_snapshot_info, nr_windows, 56);
AT(hlk_snapshot_info, window_size, 60);
AT(hlk_snapshot_info, nr_roots, 64);
AT(hlk_snapshot_info, first_free, 72);
AT(hlk_snapshot_info, input_bytes, 80);
AT(hlk_snapshot_info, output_bytes, 84);
AT(hlk_snapshot_info, counts, 88);
AT(hlk_snapshot_info, program_bytes, 280);
AT(hlk_snapshot_info, __reserved2, 284);
AT(hlk_snapshot_info, id, 288);
AT(hlk_snapshot_info, parent_id, 296);
AT(hlk_snapshot_info, file_pages, 304);
AT(hlk_snapshot_info, file_read, 312);

FIRST(hlk_vcpu_image, 136, __reserved);
AT(hlk_vcpu_image, regs, 0);
AT(hlk_vcpu_image, fpu, 8);
AT(hlk_vcpu_image, regs_bytes, 16);
AT(hlk_vcpu_image, fpu_bytes, 20);
AT(hlk_vcpu_image, flags, 24);
AT(hlk_vcpu_image, mp_state, 28);
AT(hlk_vcpu_image, ext_vector, 32);
AT(hlk_vcpu_image, pkru, 36);
AT(hlk_vcpu_image, tsc, 40);
AT(hlk_vcpu_image, db, 48);
AT(hlk_vcpu_image, dr6, 80);
AT(hlk_vcpu_image, dr7, 88);
AT(hlk_vcpu_image, xcr0, 96);
AT(hlk_vcpu_image, xfd, 104);
AT(hlk_vcpu_image, xsave_bytes, 112);
AT(hlk_vcpu_image, __reserved, 120);

FIRST(hlk_snapshot_export, 80, __reserved);
AT(hlk_snapshot_export, head, 0);
AT(hlk_snapshot_export, vcpus, 24);
AT(hlk_snapshot_export, nr_vcpus, 32);
AT(hlk_snapshot_export, vcpu_size, 36);
AT(hlk_snapshot_export, tables, 40);
AT(hlk_snapshot_export, tables_gpa, 48);
AT(hlk_snapshot_export, nr_tables, 56);
AT(hlk_snapshot_export, touched_size, 60);
AT(hlk_snapshot_export, touched, 64);
AT(hlk_snapshot_export, nr_touched, 72);
AT(hlk_snapshot_export, __reserved, 76);

FIRST(hlk_extent, 32, leaves);
AT(hlk_extent, gpa, 0);
AT(hlk_extent, bytes, 8);
AT(hlk_extent, offset, 16);
AT(hlk_extent, source, 24);
AT(hlk_extent, leaves, 28);

FIRST(hlk_snapshot_pages, 56, cursor);
AT(hlk_snapshot_pages, head, 0);
AT(hlk_snapshot_pages, other_fd, 24);
AT(hlk_snapshot_pages, __reserved, 28);
AT(hlk_snapshot_pages, extents, 32);
AT(hlk_snapshot_pages, nr_extents, 40);
AT(hlk_snapshot_pages, extent_size, 44);
AT(hlk_snapshot_pages, cursor, 48);

FIRST(hlk_source, 8, __reserved);
AT(hlk_source, fd, 0);
AT(hlk_source, __reserved, 4);

FIRST(hlk_snapshot_import, 376, counts);
AT(hlk_snapshot_import, head, 0);
AT(hlk_snapshot_import, flags, 24);
AT(hlk_snapshot_import, parent_fd, 28);
AT(hlk_snapshot_import, windows, 32);
AT(hlk_snapshot_import, sources, 40);
AT(hlk_snapshot_import, extents, 48);
AT(hlk_snapshot_import, vcpus, 56);
AT(hlk_snapshot_import, touched, 64);
AT(hlk_snapshot_import, program, 72);
AT(hlk_snapshot_import, roots, 80);
AT(hlk_snapshot_import, tables, 88);
AT(hlk_snapshot_import, tables_gpa, 96);
AT(hlk_snapshot_import, first_free, 104);
AT(hlk_snapshot_import, generation, 112);
AT(hlk_snapshot_import, nr_windows, 120);
AT(hlk_snapshot_import, window_size, 124);
AT(hlk_snapshot_import, nr_sources, 128);
AT(hlk_snapshot_import, source_size, 132);
AT(hlk_snapshot_import, nr_extents, 136);
AT(hlk_snapshot_import, extent_size, 140);
AT(hlk_snapshot_import, nr_vcpus, 144);
AT(hlk_snapshot_import, vcpu_size, 148);
AT(hlk_snapshot_import, nr_touched, 152);
AT(hlk_snapshot_import, touched_size, 156);
AT(hlk_snapshot_import, program_bytes, 160);
AT(hlk_snapshot_import, nr_roots, 164);
AT(hlk_snapshot_import, nr_tables, 168);
AT(hlk_snapshot_import, input_bytes, 172);
AT(hlk_snapshot_import, output_bytes, 176);
AT(hlk_snapshot_import, out_fd, 180);
AT(hlk_snapshot_import, counts, 184);

/* Other than the module, KVM decides what this is. */
FIRST(kvm_sync_regs, HLK_FIRST_SYNC_REGS, events);

/* The first versions of what arrays are made of */
FROZEN(hlk_window, HLK_FIRST_WINDOW);
FIRST(hlk_segment, HLK_FIRST_SEGMENT, data);
FIRST(hlk_many_call, HLK_FIRST_MANY_CALL, why);
FIRST(hlk_mapping, HLK_FIRST_MAPPING, page_shift);
FIRST(hlk_touched, HLK_FIRST_TOUCHED, __reserved);
FIRST(hlk_vcpu_image, HLK_FIRST_VCPU_IMAGE, __reserved);
FIRST(hlk_extent, HLK_FIRST_EXTENT, leaves);
FIRST(hlk_source, HLK_FIRST_SOURCE, __reserved);

/**
 * hlk_element_size() - may the elements of an array have this size?
 * @size: what the caller says
 * @first: size of the first version of the struct
 * @why: the reason to be given
 * @at: the reason of a failure
 *
 * Return: 0, -EINVAL if it is too small, -E2BIG if it is too large
 */
int hlk_element_size(u32 size, u32 first, enum hlk_why why, struct hlk_why_at *at)
{
	if (size < first)
		return hlk_fail(at, -EINVAL, why, size, first);
	if (size > HLK_MAX_STRUCT)
		return hlk_fail(at, -E2BIG, why, size, HLK_MAX_STRUCT);
	return 0;
}

/**
 * hlk_element_get() - read one element of a caller's array
 * @to: where it goes; what the caller does not know is zero
 * @known: its size
 * @array: the array, a user pointer
 * @size: what the caller takes for the size; hlk_element_size() was asked
 * @nr: which one
 * @at: the reason of a failure
 *
 * Return: 0, -EFAULT, or -E2BIG if it says what is not known here
 */
int hlk_element_get(void *to, size_t known, u64 array, u32 size, u32 nr,
		    struct hlk_why_at *at)
{
	const void __user *from = u64_to_user_ptr(array) + (u64)nr * size;
	int ret = copy_struct_from_user(to, known, from, size);

	if (ret == -E2BIG)
		return hlk_fail(at, ret, HLK_WHY_TAIL, nr, known);
	return ret;
}

/**
 * hlk_element_put() - write one element of a caller's array
 * @array: the array, a user pointer
 * @size: what the caller takes for the size; hlk_element_size() was asked
 * @nr: which one
 * @from: the element; what the caller has no room for is left out, and what is
 *	not known here is cleared
 * @known: its size
 *
 * Return: 0 or -EFAULT
 */
int hlk_element_put(u64 array, u32 size, u32 nr, const void *from, size_t known)
{
	void __user *to = u64_to_user_ptr(array) + (u64)nr * size;

	if (copy_to_user(to, from, min_t(size_t, size, known)))
		return -EFAULT;
	if (size > known && clear_user(to + known, size - known))
		return -EFAULT;
	return 0;
}
