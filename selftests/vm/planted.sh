#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# planted.sh [NAME...]: do the tests catch what they are there for? Bugs are put
# into a copy of the module, one at a time, and the test that is named for each
# has to fail within three minutes, which it does too if the kernel complains, or to
# be the one that runs when the kernel stops. No other test runs. PLANTED_ON= names a
# kernel for those that are for 6.12. TAP out, with the seconds from the start of the
# program. planted.sh --match prints the rows that change nothing, or whose test is in no
# such program, and runs none.
. "$(dirname "$0")/common.sh"

# name | kernel | program | test | file | sed -E script
bugs() {
	cat <<-'EOF'
	missing_put|6.12|restore|restore.all_bytes_come_back|kmod/restore.c|/^int hlk_cmd_restore/,/^}/s/fput\(file\);/;/
	use_after_free|debug|lifetime|lifetime.closed_in_any_order|kmod/vm.c|/^static void vm_free/,/^}/{s/hlk_snap_put\(vm->snap\);/struct hlk_snap *snap = vm->snap; struct kvm *kvm = vm->kvm; kfree(vm); hlk_snap_put(snap); kvm_put_kvm(kvm);/;/^	kvm_put_kvm/d;/^	kfree\(vm\)/d}
	lock_inversion|debug|windows|windows.mmap_only_inside|kmod/window.c|/^static vm_fault_t window_mkwrite/,/^}/{s/	err = window_begin\(window, index, true, &payer\);/	mutex_lock(\&window->vm->lock);&/;s/window_end\(window, &payer\);/mutex_unlock(\&window->vm->lock);&/}
	missing_clear|6.12|restore|restore.all_bytes_come_back|kmod/restore.c|s/clear_page\(private->at\);/;/
	off_by_one|6.12|translate|translate.window.as_kvm_with_large_pages|kmod/pt.c|s/\(linear >> out->page_shift\) & \(pt_entries\(f, level\) - 1\)/(linear >> out->page_shift) % (pt_entries(f, level) - 1)/
	keys_with_pae|6.12|formats|formats.pae.keys_are_what_the_guest_may_do|kmod/pt.c|s/\.rsvd = GENMASK_ULL\(62, 52\)/.rsvd = GENMASK_ULL(58, 52)/
	double_fetch|debug|isolation|isolation.an_argument_that_changes_under_the_call|kmod/run.c|s/ret = run_input\(vm, &call->inputs\[i\], i, at\);/if (copy_from_user((void *)\&call->inputs[i], u64_to_user_ptr(run->inputs) + i * sizeof(struct hlk_segment), sizeof(struct hlk_segment))) return -EFAULT; &/
	missing_charge|6.12|accounting|accounting.what_is_held_is_charged_and_given_back|kmod/chunk.c|/^struct page \*hlk_page_alloc/,/^}/s/HLK_GFP/(HLK_GFP \& ~__GFP_ACCOUNT)/
	uncharged_nodes|6.12|accounting|accounting.bookkeeping_is_charged|kmod/window.c|s/xa_init_flags\(&window->index, XA_FLAGS_ACCOUNT\)/xa_init(\&window->index)/
	toucher_pays|6.12|accounting|accounting.what_another_process_writes_is_paid_by_the_vmm|kmod/payer.h|s/get_mem_cgroup_from_mm\(window->vm->kvm->mm\)/NULL/
	thread_of_vhost_pays|6.1|vhost|vhost.what_its_thread_writes_is_paid_by_the_vmm|kmod/payer.h|s/get_mem_cgroup_from_mm\(window->vm->kvm->mm\)/NULL/
	refused_in_silence|6.12|refused|refused.irqchip.by_the_budget|kmod/window.c|/^static vm_fault_t window_answer/,/^}/s/hlk_vcpu_refused\(window->vm->kvm\)/;/
	missing_memory_check|debug|failnth|failnth.device|kmod/snap.c|/^struct hlk_snap \*hlk_snap_alloc/,/^}/s/if \(!snap\)/if (0)/
	missing_mm_check|6.12|isolation|isolation.fds_in_another_process_give_counters_alone|kmod/access.c|/^int hlk_vm_check\(/,/^}/s/vm->kvm->mm != current->mm/0/
	capability_of_a_namespace|6.12|isolation|isolation.another_process_s_vm_takes_a_privilege|kmod/access.c|s/!capable\(CAP_SYS_PTRACE\)/!ns_capable(current_user_ns(), CAP_SYS_PTRACE)/
	marker_taken_for_a_page|6.12|faults|faults.under_userfaultfd_in_a_system_call|kmod/window.c|s/ && !fault_on_marker\(vmf\)//
	deaf_giving_back|6.12|killed|killed.while_pages_are_given_back|kmod/window.c|/^u64 hlk_window_drop/,/^}/s/fatal_signal_pending\(current\)/false/
	deaf_snapshot|6.12|killed|killed.in_a_flat_snapshot|kmod/keep.c|s/fatal_signal_pending\(current\)/false/;s/if \(mutex_lock_killable\(&k->window->lock\)\)/mutex_lock(\&k->window->lock); if (0)/
	deaf_build|6.12|killed|killed.in_the_build_of_an_image|kmod/snap.c|/^int hlk_snap_write/,/^}/s/fatal_signal_pending\(current\)/false/
	long_switch|6.12|killed|killed.while_going_over_to_another_snapshot|kmod/window.c|s/max\(UNMAP_PAGES \/ mappings, UNMAP_LEAST\)/UNMAP_PAGES + 0 * mappings/
	deaf_look|6.12|killed|killed.in_a_look_at_a_guest_that_is_restored|kmod/window.c|/^static int window_begin/,/^}/s/if \(mutex_lock_killable\(&window->lock\)\)/mutex_lock(\&window->lock); if (0)/
	deaf_look_elsewhere|6.12|inspect|inspect.who_waits_for_memory_can_be_killed|kmod/gmem.c|s/page, &locked\)/page, NULL)/
	pinned_page_given_back|6.1|faults|faults.pages_that_a_device_has_are_kept|kmod/window.c|s/!folio_maybe_dma_pinned\(page_folio\(private->page\)\)/true/;s/folio_maybe_dma_pinned\(folio\) \|\| //
	mappings_without_bound|6.12|windows|windows.mappings_are_counted|kmod/window.c|s/> HLK_MAX_MAPPINGS\)/> INT_MAX - 1)/
	mapping_not_counted_away|6.12|windows|windows.mappings_are_counted|kmod/window.c|s/	atomic_dec\(&window->mappings\);$/	;/
	learned_where_others_map|6.12|touch|touch.guest_cow.the_same_with_what_was_learned|kmod/learn.c|s/hlk_snap_leaves\(vm->snap, gfn\) != 1/false/
	never_unlearned|6.12|learn|learn.what_is_not_written_any_more_is_forgotten|kmod/learn.c|/^void hlk_learn/,/^}/s/unlearn\(vm\);/;/
	learned_by_chance|6.12|learn|learn.others_each_time_are_left_to_the_guest|kmod/learn.c|s/LEARN_WAIT_DOUBT \? HLK_LEARN_LOOKS : LEARN_SURE/0 ? 1 : 1/
	learned_beyond_what_is_kept|6.12|learn|learn.no_more_than_is_kept|kmod/prefault.c|s/if \(!prefault_room\(vm\)\)/if (0)/
	learned_for_ever|6.12|learn|learn.a_snapshot_of_what_was_written_where_it_lies|kmod/window.c|/^void hlk_window_rebase/,/^}/s/hlk_learned_forget\(window\);/;/
	boot_copied_back|6.12|hotset|hotset.who_took_the_snapshot_is_as_a_clone|kmod/restore.c|s/if \(vm->took\)/if (0)/
	touched_by_who_looks_on|6.12|hotset|hotset.who_looks_on_is_no_guest|kmod/window.c|s/if \(fault_of_call\(window\)\)/if (fault_of_call(window) || 1)/
	failed_page_mapped|6.12|poison|poison.a_base_page_reaches_nobody|kmod/window.c|s/ \|\| PageHWPoison\(page\)\)/)/
	failed_page_stays|6.12|poison|poison.a_private_page_is_replaced|kmod/restore.c|s/if \(unlikely\(PageHWPoison\(private->page\)\)\)/if (0)/
	failed_page_copied|6.12|poison|poison.a_base_page_cannot_be_restored|kmod/copy.h|s/PageHWPoison\(from\) \|\| //
	source_that_can_change|6.12|import|import.only_what_cannot_change_is_taken|kmod/source.c|s/seals\) == seals;/seals) != 1;/
	extent_beyond_its_file|6.12|import|import.extents_that_are_wrong|kmod/import.c|s/extent->offset > size - extent->bytes/false/
	extents_in_no_order|6.12|import|import.extents_that_are_wrong|kmod/import.c|s/extent->gpa < end/false/
	fpu_not_checked|6.12|import|import.vcpus_that_no_processor_could_be|kmod/vcpuimage.c|s/fpu->fxsave.mxcsr & ~MXCSR_BITS/false/
	layer_without_its_zeroes|6.12|import|import.a_layer_is_what_differs_from_its_parent|kmod/snap.c|/^static int snap_set_slots/,/^}/s/chunk->from\[slot\] = from;/chunk->from[slot] |= from;/
	file_gone_under_a_compact_snapshot|6.12|import|import.a_compact_child_has_the_file_too|kmod/snapshot.c|s/if \(vm->snap \&\& !snap->files\)/if (0)/
	waits_without_an_apic|6.12|import|import.who_waits_has_an_apic|kmod/vcpufit.c|s/if \(!vcpu->arch.apic \&\& /if (0 \&\& /
	restored_without_its_page|6.12|verity|verity.a_restore_that_cannot_read_changes_nothing|kmod/restore.c|s/snap->files \? restore_fetch\(vm, snap, at\) : 0/0/
	unread_in_silence|6.12|verity|verity.a_block_that_changed_ends_who_needs_it|kmod/fetch.c|/^int hlk_window_read/,/^}/s/if \(ret == -EIO\)/if (0)/
	killed_for_a_file|6.12|verity|verity.who_reads_pays|kmod/files.c|s/ \| __GFP_RETRY_MAYFAIL \| __GFP_NOWARN//
	xcr0_not_checked|6.12|vcpu_state|vcpu_state.xcr0_that_the_cpuid_has_not|kmod/vcpufit.c|s/state->xcr0 & ~\(vcpu->arch.guest_supported_xcr0/0 \& (vcpu->arch.guest_supported_xcr0/
	nobody_looked_at|6.12|vcpu_state|vcpu_state.who_looks_is_waited_for|kmod/vcpu.c|s/if \(hlk_vcpu_wants_to_run\(vcpu\) \|\| /if (true || /
	stale_registers|6.12|vcpu_entry|vcpu_entry.a_snapshot_after_registers_were_set|kmod/look.c|s/sync->regs = look->regs/;/
	stale_segments|6.12|vcpu_entry|vcpu_entry.a_snapshot_before_the_first_entry|kmod/look.c|s/if \(look->dirty & KVM_SYNC_X86_SREGS\)/if (true)/
	nmi_lost_at_the_entry|6.12|vcpu_entry|vcpu_entry.an_nmi_after_a_restore_is_delivered|kmod/vcpusnap.c|s/events.flags &= ~KVM_VCPUEVENT_VALID_NMI_PENDING/events.flags |= KVM_VCPUEVENT_VALID_NMI_PENDING/
	ready_for_interrupts|6.12|vcpu_entry|vcpu_entry.an_interrupt_after_a_restore_is_for_later|kmod/vcpu.c|s/ready_for_interrupt_injection = 0/ready_for_interrupt_injection |= 0/
	cr4_not_checked|6.12|vcpu_entry|vcpu_entry.registers_that_the_cpuid_has_not|kmod/vcpufit.c|s/sregs->cr4 & vcpu->arch.cr4_guest_rsvd_bits/false/
	dr7_told_once|6.12|vcpu_state|vcpu_state.dr7_is_told_until_it_is_right|kmod/vcpu.c|s/bool missed = vcpu.*/bool missed = false;/
	another_tsc|6.12|vcpu_state|vcpu_state.another_tsc_comes_back|kmod/vcpu.c|s/tsc_offset_adjustment = differs;/tsc_offset_adjustment = 0;/
	tsc_of_now_in_a_snapshot|6.12|program|program.a_tsc_that_waits_for_the_entry|kmod/vcpusnap.c|s/ \+ vcpu->arch.tsc_offset_adjustment;/;/
	time_goes_on_all_the_same|6.12|program|program.the_tsc_goes_on_or_comes_back|kmod/vcpu.c|s/now \? now - state->host_tsc : 0/0/
	any_mapping_is_the_program|6.12|program|program.another_mapping_will_not_do|kmod/replay.c|s/vma->vm_private_data == snap/true/
	a_part_is_the_program|6.12|program|program.another_mapping_will_not_do|kmod/replay.c|/^static int program_mapped/,/^}/s/vma_pages\(vma\) == snap->program->nr_pages/true/
	program_in_the_middle|6.12|program|program.another_mapping_will_not_do|kmod/replay.c|s/vma->vm_start == address/true/
	program_can_be_written|6.12|program|program.is_mapped_read_only_and_whole|kmod/replay.c|s/vm_flags_clear\(vma, VM_MAYWRITE\);/vm_flags_set(vma, VM_MAYWRITE);/
	program_reaches_beyond|6.12|program|program.entries_that_are_wrong|kmod/program.c|s/entry->bytes > new->program->bytes - entry->offset/false/
	msrs_beyond_their_bytes|6.12|program|program.arguments_whose_size_varies|kmod/program.c|s/new->entry.bytes != struct_size\(&msrs, entries, msrs.nmsrs\)/false/
	any_call|6.12|program|program.calls_that_a_program_may_not_make|kmod/program.c|/^static const struct program_row \*program_row/,/^}/s/return NULL;/return \&program_rows[3];/
	short_count_of_msrs|6.12|program|program.an_msr_that_kvm_does_not_take_is_named|kmod/replay.c|s/ret != program->calls\[i\].success/ret < 0/
	no_msrs_are_msrs|6.12|program|program.msrs_without_that_of_swapgs_are_residue|kmod/program.c|s/if \(index == MSR_KERNEL_GS_BASE\)/if (true)/;s/	new->call->success = msrs.nmsrs;/&\n	program_does(new, HLK_PROGRAM_MSRS, new->entry.target);/
	audit_before_the_program|6.12|program|program.an_audit_comes_after_it|kmod/restore.c|s/HLK_RESTORE_AUDIT && !snap->program \?/HLK_RESTORE_AUDIT ?/;s/if \(!\(flags & HLK_RESTORE_AUDIT\)\)/if (true)/
	audit_of_what_a_program_sets|6.12|program|program.an_audit_comes_after_it|kmod/vcpu.c|s/!hlk_program_touches\(program, HLK_PROGRAM_FPU, nr\)/true/
	no_local_apic|6.12|pieces|pieces.i386_irqchip.each_comes_back|kmod/replay.c|s/if \(program->calls\[i\].when & others/if (program->calls[i].when \& others || program->calls[i].cmd == KVM_SET_LAPIC/
	no_msrs_in_long_mode|6.12|pieces|pieces.x86_64.each_comes_back|kmod/replay.c|s/if \(program->calls\[i\].when & others/if (program->calls[i].when \& others || program->calls[i].success/
	no_guest_of_the_guest|6.12|nested|nested.both_go_on_from_where_they_were|kmod/replay.c|s/if \(program->calls\[i\].when & others/if (program->calls[i].when \& others || program->calls[i].cmd == KVM_SET_NESTED_STATE/
	timers_that_nobody_sets|6.12|timers|timers.the_apic_s_timer_in_the_middle_of_its_time|kmod/replay.c|s/if \(program->calls\[i\].when & others/if (program->calls[i].when \& others || program->calls[i].cmd == KVM_SET_LAPIC/
	half_restored_goes_on|6.12|program|program.an_msr_that_kvm_does_not_take_is_named|kmod/run.c|s/vm->half/false/
	nested_all_the_same|6.12|vcpu_state|vcpu_state.a_guest_of_the_guest_by_a_program|kmod/vcpufit.c|s/!hlk_program_does\(snap->program, HLK_PROGRAM_NESTED, i\)/true/
	half_restored_snapshot|6.12|program|program.an_msr_that_kvm_does_not_take_is_named|kmod/snapshot.c|s/if \(vm->half\)/if (false)/
	entry_loads_over_the_program|6.12|program|program.all_of_it_comes_back|kmod/program.c|s/HLK_SYNC_ALL & ~program->sets\[i\]/HLK_SYNC_ALL/
	chips_settled_by_some|6.12|program|program.the_rest_is_residue|kmod/replay.c|s/does\[HLK_PROGRAM_CHIPS\] == BIT\(KVM_NR_IRQCHIPS\) - 1/does[HLK_PROGRAM_CHIPS]/
	entries_of_the_other_time|6.12|program|program.entries_for_either_time|kmod/replay.c|s/calls\[i\].when & others/calls[i].when \& 0/
	vcpu_of_nobody|6.12|program|program.entries_that_are_wrong|kmod/program.c|s/program->calls\[i\].target >= snap->nr_vcpus/false/
	program_not_charged_away|6.12|program|program.killed_in_the_middle|kmod/snap.c|/^static void snap_release/,/^}/s/hlk_program_free\(snap->program\);/;/
	programs_without_a_worker|6.12|uring|uring.a_program_is_a_worker_s|kmod/restore.c|/^static bool restore_waits/,/^}/s/snap->program \|\|/false ||/
	memslots_not_told|6.12|vcpu_state|vcpu_state.memory_in_no_window_is_residue|kmod/access.c|s/vm->beside \|= .*/;/
	waits_for_kvm|6.12|uring|uring.what_would_wait_is_done_by_a_worker|kmod/vcpu.c|/^int hlk_vcpus_hold/,/^}/s/if \(nowait\)/if (false)/
	guest_by_io_uring|6.12|uring|uring.no_guest_in_any_way|kmod/vm.c|/^static int uring_run/,/^}/s/return hlk_fail\(.*\);/return hlk_cmd_run(obj, ucmd);/
	guest_inside_a_guest|6.12|uring|uring.no_guest_inside_a_guest|kmod/vm.c|/^static int uring_run/,/^}/s/return hlk_fail\(.*\);/return hlk_cmd_run(obj, ucmd);/
	restore_inside_a_guest|6.12|uring|uring.restores_inside_a_guest_are_a_worker_s|kmod/vm.c|s/if \(hlk_task_in_guest\(\)\)/if (0)/
	restore_inside_a_guest_7|7.3|uring|uring.restores_inside_a_guest_are_a_worker_s|kmod/vm.c|s/if \(hlk_task_in_guest\(\)\)/if (0)/
	waits_for_the_vm|6.12|uring|uring.what_would_wait_for_the_vm_is_done_by_a_worker|kmod/restore.c|/^int hlk_cmd_restore/,/^}/s/if \(!nowait\)/if (true)/
	ring_waits_for_another|6.12|uring|uring.nobody_waits_for_what_another_does_with_a_ring|kmod/restore.c|/^int hlk_cmd_restore/,/^}/s/if \(!nowait\)/if (true)/
	unmaps_without_a_worker|6.12|uring|uring.what_unmaps_is_done_by_a_worker|kmod/restore.c|/^static bool restore_waits/,/^}/s/return snap != vm->snap \|\|/return/
	gives_back_without_a_worker|6.12|uring|uring.what_gives_back_is_done_by_a_worker|kmod/restore.c|/^static bool restore_waits/,/^}/s/restore_excess\(vm\);/false;/
	audits_without_a_worker|6.12|uring|uring.an_audit_is_done_by_a_worker|kmod/restore.c|/^static bool restore_waits/,/^}/s/ flags & HLK_RESTORE_AUDIT \|\|/ false ||/
	deaf_run_many|6.12|runmany|runmany.a_signal_ends_it|kmod/many.c|s/if \(many->nr_done && signal_pending\(current\)\)/if (0)/
	any_file_is_a_vm|6.12|runmany|runmany.wrong_fds|kmod/vm.c|/^int hlk_vm_run/,/^}/s/if \(file->f_op == &vm_fops\)/if (1)/
	told_too_late|6.12|runmany|runmany.wrong_arrays|kmod/many.c|/^static int many_check/,/^}/s/ret = many_tell\(many, i, -ECANCELED, at\);/ret = 0;/
	barrier_taken_for_granted|6.12|attach|attach.a_barrier_only_where_there_is_one|kmod/vm.c|s/ && !boot_cpu_has\(X86_FEATURE_IBPB\)/ \&\& false/
	waits_for_a_fault|6.12|uring|uring.what_would_wait_for_a_page_fault_is_done_by_a_worker|kmod/restore.c|/^static int restore_lock/,/^}/s/if \(!nowait\)/if (true)/
	refused_by_the_limit_in_silence|6.12|refused|refused.irqchip.by_the_cgroup_s_limit|kmod/window.c|/^static vm_fault_t window_answer/,/^}/s/hlk_vcpu_refused\(window->vm->kvm\)/;/
	thread_faults_for_ever|6.12|accounting|accounting.a_thread_over_the_limit_is_sigbus|kmod/window.c|s/ \| FAULT_FLAG_MKWRITE;/;/
	paid_by_nobody|6.12|accounting|accounting.no_page_for_a_process_that_is_gone|kmod/window.c|s/if \(!payer_there\(vm->kvm->mm\)\)/if (0)/
	forks_without_bound|6.12|windows|windows.mappings_of_children|kmod/window.c|/^static bool window_crowded/,/^}/s/return .*;/return false;/
	deaf_walk|6.12|killed|killed.in_a_walk|kmod/pt.c|s/fatal_signal_pending\(current\)/false/
	structs_without_bound|6.12|abi|abi.a_struct_larger_than_a_page_is_refused|kmod/ucmd.c|s/if \(size > HLK_MAX_STRUCT\)/if (0)/
	failed_page_compared|6.12|poison|poison.a_base_page_is_compared_with_none|kmod/snap.c|s/!PageHWPoison\(other\) &&$/true \&\&/;s/if \(page && PageHWPoison\(page\)\)/if (0)/
	counters_for_all|6.12|isolation|isolation.what_all_have_is_counted_for_root_alone|kmod/main.c|s/ns_capable_noaudit\(&init_user_ns, CAP_SYS_ADMIN\)/true/
	zeroes_for_all|6.12|sharing|sharing.zeroes_are_one_page_for_each_vm|kmod/window.c|s/page \?: window->vm->zero_page/page ?: ZERO_PAGE(0)/
	barrier_not_drawn|7.3|attach|attach.a_barrier_where_the_vcpu_was|kmod/vcpu.c|/^static void barrier_here/,/^}/s/wrmsr\(.*\);/;/
	barrier_elsewhere|7.3|attach|attach.a_barrier_where_the_vcpu_was|kmod/vcpu.c|/^static void vcpus_barrier/,/^}/s/smp_call_function_single\(cpu, barrier_here, NULL, true\)/barrier_here(NULL)/
	refusal_stays|6.12|refused|worker.kvm_run.asks_for_the_next_tenant_too|kmod/vcpu.c|s/vcpu->async_pf.queued &= ~REFUSED;/;/
	tables_of_another_snapshot|6.12|learn|learn.another_snapshot_has_tables_of_its_own|kmod/shown.c|/^static int leaving_learned/,/^}/s/leaving_add\(l, index\);/;/
	forgets_what_is_mapped|6.12|tree|tree.what_siblings_both_have_stays_mapped|kmod/shown.c|s/!l->all && (ours == theirs|chunk_same)/0 \&\& \1/
	deaf_switch|6.12|killed|killed.while_going_over_to_another_snapshot|kmod/shown.c|/^int hlk_window_leave/,/^}/s/fatal_signal_pending\(current\)/false/
	EOF
	audit_bugs
	deadline_bugs
	strangers_bugs
}

# The end of a run in time, and HLK_KICK; some by somebody who had not seen the tests
deadline_bugs() {
	cat <<-'EOF'
	kick_told_as_timeout|6.12|deadline|deadline.a_kick_ends_what_can_be_kicked|kmod/deadline.c|s/ktime_get_ns\(\) >= watch->deadline \?/watch->fired ?/
	exit_told_as_timeout|6.12|deadline|deadline.at_any_point_of_a_call|kmod/deadline.c|s/return ret == -EINTR && ktime/return ktime/
	end_of_a_run_ends_the_next|6.12|deadline|deadline.one_of_many_spins|kmod/deadline.c|s/clear_notify_signal\(\);/;/
	firing_not_noted|6.12|deadline|deadline.one_of_many_spins|kmod/deadline.c|s/WRITE_ONCE\(watch->fired, true\);/;/
	deadline_that_wraps|6.12|deadline|deadline.one_that_does_not_come|kmod/deadline.c|s/return timeout_ns < KTIME_MAX - now \? now \+ timeout_ns : HLK_DEADLINE_NEVER;/return now + timeout_ns;/
	entered_too_late|6.12|deadline|deadline.one_that_is_over|kmod/deadline.c|s/if \(deadline <= ktime_get_ns\(\)\)/if (false)/
	two_watches|6.12|deadline|deadline.one_thread_at_a_time|kmod/deadline.c|s/busy = \*at_vcpu;/busy = false;/
	turn_before_the_input|6.12|turns|turns.each_round_is_one_call_for_each|kmod/run.c|/^static int run_prepare/,/^}/s/^	for \(i = 0; i < call->nr_inputs; i\+\+\) \{/	if (run->head.flags \& HLK_RUN_LEAD) { hlk_turn_begin(vm); mutex_unlock(\&vm->lock); schedule_timeout_uninterruptible(5); mutex_lock(\&vm->lock); }\n&/
	turn_missed|6.12|turns|turns.one_that_began_before_is_not_missed|kmod/turn.c|s/u64 seen = \*turn;/u64 seen = READ_ONCE(vm->turn);/
	turn_not_woken|6.12|turns|turns.the_same_does_not_come_twice|kmod/turn.c|s/if \(wq_has_sleeper\(&vm->followers\)\)/if (false)/
	signal_before_the_turn|6.12|turns|turns.a_turn_counts_more_than_immediate_exit|kmod/turn.c|s/if \(vm->turn != seen\)/if (vm->turn != seen \&\& !hlk_immediate_exit(vcpu->run))/
	half_restored_not_told|6.12|turns|turns.a_restore_that_comes_to_no_end|kmod/run.c|s/ && vcpu && \(!ret \|\| vm->half\)/ \&\& vcpu \&\& !ret/
	follower_not_watched|6.12|turns|turns.a_kick_a_deadline_and_immediate_exit|kmod/run.c|s/run->deadline_ns = HLK_DEADLINE_NEVER;/;/
	watch_of_another_vcpu|6.12|deadline|deadline.two_vcpus|kmod/deadline.c|s/&vm->watch\[vcpu->vcpu_idx\]/\&vm->watch[0]/;s/watch->vcpu = vcpu->vcpu_idx/watch->vcpu = 0/
	watch_that_stays|6.12|deadline|deadline.a_guest_that_spins|kmod/deadline.c|s/vm->watch\[watch->vcpu\] = NULL;/;/
	sleeps_over_its_end|6.12|deadline|deadline.a_guest_that_waits_in_hlt|kmod/deadline.c|s/TASK_INTERRUPTIBLE/TASK_UNINTERRUPTIBLE/
	kick_without_a_run|6.12|deadline|deadline.a_kick_ends_what_can_be_kicked|kmod/deadline.c|s/kick->kicked = watch_kick\((.*)\);/kick->kicked = watch_kick(\1) || true;/
	kick_that_does_nothing|6.12|deadline|deadline.a_kick_needs_no_signal|kmod/deadline.c|s/hrtimer_start\(&watch->timer, 0, HRTIMER_MODE_ABS_HARD\);/;/
	kick_of_one_too_many|6.12|deadline|deadline.what_a_kick_refuses|kmod/deadline.c|s/kick->vcpu >= nr/kick->vcpu > nr/
	kick_by_a_stranger|6.12|deadline|deadline.what_a_kick_refuses|kmod/deadline.c|/^int hlk_cmd_kick/,/^}/s/ret = hlk_vm_check\(.*\);/ret = 0;/
	kick_after_the_end|6.12|deadline|deadline.at_any_point_of_a_call|kmod/deadline.c|/^int hlk_watch_end/,/^}/{s/^	hrtimer_cancel.*/	;/;s/^	spin_lock/	hrtimer_cancel(\&watch->timer);\n&/}
	EOF
}

# What somebody planted who had not seen the tests, at least one in each file of kmod/;
# those in files that know nothing of KVM are among the mutants of selftests/user.
strangers_bugs() {
	cat <<-'EOF'
	garbage_behind_an_element|6.12|abi|abi.elements_for_a_newer_caller|kmod/abi.c|/^int hlk_element_put/,/^}/s/if \(size > known &&/if (size < known \&\&/
	half_of_what_is_reserved|6.12|abi|abi.reserved_fields_of_embedded_structs|kmod/access.c|s/sizeof\(window->__reserved2\)\)\)/sizeof(window->__reserved)))/
	capability_asked_once|6.12|inspect|inspect.privilege_is_asked_for_at_each_call|kmod/access.c|s/!capable\(CAP_SYS_PTRACE\)/!vm->kvm_file \&\& &/
	zeroes_not_audited|6.12|vcpu_state|vcpu_state.an_audit_finds_memory_that_changed|kmod/audit.c|s/page == base \|\|/page == base || base == ZERO_PAGE(0) ||/
	snapshots_count_as_vms|6.12|abi|abi.bad_inner_pointers|kmod/count.c|s/&hlk_live_snaps\);/\&hlk_live_vms);/
	file_system_stays_pinned|6.12|attach|attach.no_file_left|kmod/file.c|s/^	iput\(inode\);/& return file;/
	one_frame_behind_a_memslot|6.12|limits|limits.four_mib_pages_that_are_not_all_memory|kmod/gmem.c|s/(gfn - g->slots\[g->hit\]\.gfn) </\1 <=/
	window_longer_than_its_mapping|6.12|limits|limits.a_memslot_of_which_a_window_is_a_part|kmod/gmem.c|s/vma->vm_end - slot->hva < bytes/!bytes/
	read_whoever_asks|6.12|inspect|inspect.memory_is_read|kmod/inspect.c|/^int hlk_cmd_read/,/^}/s/ret = hlk_vm_check_look\(vm, &ucmd->at\);/ret = 0;/
	read_from_its_page_on|6.12|inspect|inspect.memory_is_read|kmod/inspect.c|/^static int read_part/,/^}/s/from \+ offset_in_page\(gpa\)/from/
	read_around_the_end|6.12|inspect|inspect.memory_is_read|kmod/inspect.c|s/if \(r->gpa \+ r->bytes < r->gpa\)/if (0)/
	read_nowhere|6.12|inspect|inspect.memory_is_read|kmod/inspect.c|s/return left \? -EFAULT : 0;/return 0;/
	marked_without_a_flush|6.12|markcow|markcow.window.the_tlb_is_flushed|kmod/inspect.c|/^static int mark_cow/,/^}/s/hlk_vcpus_flush\(vm\);/;/
	empty_range|6.12|markcow|markcow.window.errors_change_nothing|kmod/inspect.c|s/start >= end\)/start > end)/
	device_for_all|6.12|isolation|isolation.another_process_s_vm_takes_a_privilege|kmod/main.c|s/\.mode = 0600/.mode = 0666/
	reason_of_the_call_before|6.12|runmany|runmany.wrong_fds|kmod/many.c|s/^	struct hlk_why_at at;/	struct hlk_why_at at = {};/;s/^		at = \(struct hlk_why_at\) \{\};//
	parameter_of_another|6.12|accounting|accounting.module_wide_limits_hold|kmod/param.c|s/\(max_private, hlk_max_private,/(max_private, hlk_max_pages,/
	read_only_copied_by_the_host|6.12|limits|limits.no_writable_page_in_a_read_only_window|kmod/place.c|/^int hlk_reloc_dense/,/^}/s/range->flags & HLK_WINDOW_READONLY/0/
	prefault_over_the_watermark|6.12|hotset|hotset.prefault_keeps_budget_and_watermark|kmod/prefault.c|s/now < vm->keep_private && //
	failed_page_kept_in_silence|6.12|poison|poison.a_private_page_that_cannot_be_given_back|kmod/restore.c|s/freed == r->failed/r->freed/
	other_rights_of_a_window|6.12|restore|restore.another_layout|kmod/restore.c|s/ours->flags != theirs->flags/0/
	inputs_counted_one_by_one|6.12|run|run.inputs_lie_in_windows|kmod/run.c|s/in->bytes > HLK_MAX_INPUT_BYTES - \*bytes/max(in->bytes, *bytes) > HLK_MAX_INPUT_BYTES/
	one_byte_behind_the_log|6.12|run|run.a_full_log_is_an_exit|kmod/run.c|s/run->log_used == run->log_size/run->log_used > run->log_size/
	other_output_buffer|6.12|limits|limits.other_buffers_the_second_time|kmod/snapshot.c|s/parent->output_bytes != s->output_bytes/0/
	windows_after_a_snapshot|6.12|windows|windows.fixed_by_the_first_snapshot|kmod/snapshot.c|/^int hlk_cmd_snapshot\(/,/^}/s/vm->sealed = true;/;/
	fd_of_a_call_that_failed|6.12|abi|abi.a_reply_that_cannot_be_written|kmod/ucmd.c|/^long hlk_ioctl/,/^}/{s/^	ucmd_finish\(&ucmd, ret\);//;s/ret = op->execute\(file->private_data, &ucmd\);/& ucmd_finish(\&ucmd, ret);/}
	mapped_by_another_process|6.12|isolation|isolation.fds_in_another_process_give_counters_alone|kmod/vm.c|s/vm->kvm->mm != vma->vm_mm/0/
	refused_mapping_counted|6.12|windows|windows.mappings_are_counted|kmod/window.c|/^int hlk_window_mmap/,/^}/s/atomic_dec\(&window->mappings\);/;/
	fpu_of_the_first_vcpu|6.12|vcpu|vcpu.several_with_state_beside_their_registers|kmod/vcpusnap.c|/^static int vcpu_capture\(/,/^}/{s/hlk_vcpu_fpstate\(vcpu\)/hlk_vcpu_fpstate(kvm_get_vcpu(vcpu->kvm, 0))/;s/vcpu->arch\.mp_state/kvm_get_vcpu(vcpu->kvm, 0)->arch.mp_state/}
	cr3_of_the_first_vcpu|6.12|compact|compact.each_vcpu_has_its_own_root|kmod/snapshot.c|/^static int snapshot_compact/,/^}/s/hlk_vcpu_cr3\(snap, i\)/cr3/
	page_of_an_audit_leaked|6.12|accounting|accounting.an_audit_that_finds_something_keeps_no_page|kmod/audit.c|/^static int audit_private/,/^}/s/put_page\(gpage\.page\);/if (!ret) &/
	uncharged_list|6.12|accounting|accounting.bookkeeping_is_charged|kmod/window.c|/^static int window_room/,/^}/s/HLK_GFP/HLK_GFP \& ~__GFP_ACCOUNT/
	no_flush_on_the_fused_path|6.12|vcpu|vcpu.each_run_flushes_the_tlb_once|kmod/run.c|s/run->done \|= HLK_DONE_RESTORED;/& kvm_clear_request(KVM_REQ_TLB_FLUSH_GUEST, vcpu);/
	bookkeeping_page_given_back|6.12|hotset|hotset.the_pinned_page_never_goes|kmod/window.c|s/pos-- > window->pinned/pos-- > 0/
	tracepoint_of_another_count|6.12|trace|trace.fields_are_what_they_say|kmod/trace.h|s/__entry->freed = r->freed/__entry->freed = r->idle/
	over_budget_untold|6.12|trace|trace.a_write_over_the_budget|kmod/window.c|/trace_hlk_over_budget/,/;/d
	mapping_over_the_end|6.12|windows|windows.mmap_only_inside|kmod/vm.c|s/pages <= range->pages - \(vma->vm_pgoff - range->gfn\)/pages <= range->pages/
	elements_of_the_largest_size|6.12|abi|abi.elements_of_a_bad_size|kmod/abi.c|s/size > HLK_MAX_STRUCT\)/size >= HLK_MAX_STRUCT)/
	reserved_in_run_many|6.12|runmany|runmany.elements_that_are_longer|kmod/many.c|s/if \(call\.__reserved\)/if (0)/
	read_told_as_written|6.12|hotset|hotset.prefault_keeps_budget_and_watermark|kmod/prefault.c|s/^	u32 flags = 0;/	u32 flags = bits \& HLK_TOUCHED_WRITE_BIT ? HLK_TOUCHED_WRITE : 0;/
	inode_leaked|6.12|attach|attach.no_file_left|kmod/file.c|/^	iput\(inode\);/d
	seed_not_audited|6.12|vcpu_state|vcpu_state.an_audit_finds_bookkeeping_that_changed|kmod/audit.c|s/a->vm->book && !\(a->flags & HLK_RESTORE_REPRODUCIBLE\)/a->vm->book/
	page_of_a_failed_copy|debug|failnth|failnth.faults|kmod/window.c|/ret = base \? hlk_copy_page/,/goto/s/free_page/uncount/
	errno_of_a_failed_copy|debug|failnth|failnth.runs|kmod/copy.h|/hlk_copy_fails\(\)\)\)/{n;s/EHWPOISON/EIO/}
	vcpu_stays_locked|6.12|no_npt|global.vcpus_are_let_go_after_a_refusal|kmod/vcpu.c|s/vcpus_release\(vm, i \+ 1\)/vcpus_release(vm, i)/
	EOF
}

# For each thing that an audit looks at, by tests that have nothing else look
audit_bugs() {
	cat <<-'EOF'
	stale_shared_page|6.12|audit|audit.shared_pages_of_another_snapshot|kmod/restore.c|s/ret = hlk_window_unmap\(vm->windows\[i\], &snap->base\[nr\]\);/ret = 0;/
	stale_base|6.12|audit|audit.shared_pages_of_another_snapshot|kmod/window.c|s/window->list\[i\]\.base = hlk_base_page\(base, window->list\[i\]\.index\);/;/
	unread_by_who_took_it|6.12|fused|fused.flat.a_new_sandbox_gets_what_others_touched|kmod/shown.c|s/\.all = window->vm->took/.all = false/
	shown_but_not_noted|6.12|audit|audit.shared_pages_are_not_writable|kmod/shown.c|/^int hlk_window_show/,/^}/s/shown->bits\[slot \/ SHOWN_BITS\] \|= /(void)/
	given_back_but_mapped|6.12|audit|audit.pages_that_were_given_back|kmod/window.c|s/unmap_mapping_pages\(window->vm->mapping, window->range.gfn \+ drop->first,/if (0) &/
	given_back_but_counted|6.12|audit|audit.pages_that_were_given_back|kmod/window.c|/^static bool window_drop/,/^}/s/atomic64_dec\(&window->vm->nr_private\);/;/
	shared_page_writable|6.12|audit|audit.shared_pages_are_not_writable|kmod/window.c|s/err = vm_insert_page\(vmf->vma,/vmf->vma->vm_page_prot = vm_get_page_prot(vmf->vma->vm_flags); &/
	old_unique_number|6.12|audit|audit.the_numbers_are_new|kmod/restore.c|s/memcpy\(top - HLK_GUEST_OFF_UNIQUE, &vm->unique, sizeof\(vm->unique\)\);/;/
	old_seed|6.12|audit|audit.the_numbers_are_new|kmod/restore.c|s/hlk_seed_take\(&vm->seeds, top - HLK_GUEST_OFF_SEED\);/;/
	old_registers|6.12|audit|audit.registers|kmod/vcpu.c|/^static u32 vcpu_restore\(/,/^}/s/memcpy\(&vcpu->run->s.regs, &state->sync, sizeof\(state->sync\)\);/;/
	old_cr8|6.12|audit|audit.cr8|kmod/vcpu.c|/^static u32 vcpu_restore\(/,/^}/s/vcpu->run->cr8 = state->sync.sregs.cr8;/;/
	old_fpu|6.12|audit|audit.the_fpu|kmod/vcpu.c|/^static void vcpu_fpu_restore/,/^}/s/memcpy\(&fpstate->regs, state->fpu, fpu_bytes\(state\)\);/;/
	old_debug_registers|6.12|audit|audit.debug_registers|kmod/vcpu.c|/^static u32 vcpu_restore_debug/,/^}/s/memcpy\(vcpu->arch.db, state->db, sizeof\(state->db\)\);/;/
	old_mp_state|6.12|audit|audit.halted_or_not|kmod/vcpu.c|/^static u32 vcpu_restore\(/,/^}/s/vcpu->arch.mp_state = state->mp_state;/;/
	old_xcr0|6.12|audit|audit.xcr0|kmod/vcpu.c|/^static void vcpu_restore_xcr0/,/^}/s/vcpu->arch.xcr0 = state->xcr0;/;/
	old_io|6.12|audit|audit.a_pending_io|kmod/vcpu.c|/^static void vcpu_cancel/,/^}/s/vcpu->arch.complete_userspace_io = NULL;/;/
	kept_whatever_the_guest_did|6.12|kept|kept.what_the_guest_changes_comes_back|kmod/vcpukept.c|/^static bool vmcb_same/,/^}/s/return !differ;/return true;/
	kept_as_kvm_stored_it|6.12|kept|kept.what_the_guest_changes_comes_back|kmod/vcpukept.c|s/if \(likely\(vmcb_known\(kept, vcpu, sregs\)\)\)/if (vmcb_known(kept, vcpu, sregs) \&\& false)/;/^static bool sregs_same/,/^}/s/return !differ;/return true;/
	kept_but_for_tr|6.12|kept|kept.what_the_guest_changes_comes_back|kmod/vcpukept.c|s/i < HLK_VMCB_WORDS;/i < HLK_VMCB_WORDS - 2;/
	kept_but_for_cr2|6.12|kept|kept.what_the_guest_changes_comes_back|kmod/vcpukept.c|s/differ \|= arch->cr2 \^ sregs->cr2;/;/
	kept_but_for_cr3|6.12|kept|kept.another_root_before_hlt|kmod/vcpukept.c|s/differ \|= save->cr3 \^ kept->cr3;/;/;s/differ \|= arch->cr3 \^ sregs->cr3;/;/
	kept_as_kvm_knew_it|6.12|kept|kept.another_root_before_hlt|kmod/vcpukept.c|s/differ \|= save->cr3 \^ kept->cr3;/;/;/^void hlk_vcpu_keep/,/^}/s/^	kept->state = NULL;/&\n\tif (vm->snap \&\& i < vm->snap->nr_vcpus) { state = vm->snap->vcpus[i]; vcpu->arch.cr3 = state->sync.sregs.cr3; vcpu->run->s.regs.sregs.cr3 = vcpu->arch.cr3; }/
	stored_as_kvm_knew_it|6.12|kept|kept.another_root_before_hlt|kmod/vcpukept.c|s/ \&\& hlk_vcpu_refresh\(vcpu\) \&\&/ \&\&/;/^void hlk_vcpu_keep/,/^}/s/^	kept->state = NULL;/&\n\tif (vm->snap \&\& i < vm->snap->nr_vcpus) { state = vm->snap->vcpus[i]; vcpu->arch.cr3 = state->sync.sregs.cr3; vcpu->run->s.regs.sregs.cr3 = vcpu->arch.cr3; }/
	loaded_as_kvm_knew_it|6.12|kept|kept.another_root_before_hlt|kmod/vcpu.c|s/kvm_make_request\(KVM_REQ_LOAD_MMU_PGD, vcpu\)/vcpu->arch.cr3 = state->sync.sregs.cr3/
	snapshot_as_kvm_knew_it|6.12|kept|kept.a_snapshot_with_another_root|kmod/vcpukept.c|/^bool hlk_vcpu_refresh/,/^}/s/^	vcpu->arch.cr3 = .*/	;/;/^void hlk_vcpu_keep/,/^}/s/^	kept->state = NULL;/&\n\tif (vm->snap \&\& i < vm->snap->nr_vcpus) { state = vm->snap->vcpus[i]; vcpu->arch.cr3 = state->sync.sregs.cr3; vcpu->run->s.regs.sregs.cr3 = vcpu->arch.cr3; }/
	kept_as_they_were_once|6.12|kept|kept.a_guest_that_seldom_leaves_them|kmod/vcpukept.c|s/ \|\| !vmcb_is\(&vmcb->save, sregs\)/ || (!vmcb_is(\&vmcb->save, sregs) \&\& false)/
	kept_by_another_struct|6.12|kept|kept.where_kvm_stores_none|kmod/vcpukept.c|/^struct svm_vcpu/,/^}/s/^	const struct vmcb \*vmcb;$/	u64 odd; const struct vmcb *vmcb;/
	kept_with_pae|6.12|kept|kept.not_with_pae|kmod/vcpukept.c|s/!sregs_pae\(&state->sync.sregs\) \&\&/(true || sregs_pae(\&state->sync.sregs)) \&\&/
	kept_in_smm|6.12|kept|kept.not_in_smm|kmod/vcpukept.c|s/!hlk_vcpu_modal\(vcpu\) \&\&/true \&\&/
	calls_not_restored|6.12|calls|calls.each_as_if_it_were_alone|kmod/run.c|/^static int calls_next/,/^}/s/if \(!ret\)$/if (!ret \&\& !run->calls_done)/
	calls_with_any_exit|6.12|calls|calls.an_exit_in_the_middle_is_seen|kmod/run.c|s/run->exit_reason != KVM_EXIT_HLT/false/
	calls_deaf_to_signals|6.12|calls|calls.signals_at_any_time|kmod/run.c|/^static int calls_run/,/^}/s/signal_pending\(current\) \|\| //
	calls_with_old_breakpoints|6.12|calls|calls.breakpoints_are_for_user_space|kmod/run.c|s/likely\(!\(run->residue & HLK_RESIDUE_DEBUGREGS\)\)/true/
	calls_with_one_deadline|6.12|calls|calls.a_deadline_of_each|kmod/run.c|/^static int calls_next/,/^}/s/if \(run->call_timeout_ns\)/if (run->call_timeout_ns \&\& !run->calls_done)/
	calls_with_outputs_anywhere|6.12|calls|calls.what_is_wrong_in_the_middle|kmod/run.c|s/run->head.flags & HLK_RUN_SIZED && call->out_gpa % sizeof\(u64\)/false/
	calls_as_long_as_the_guest_says|6.12|calls|calls.an_output_that_is_too_long_is_seen|kmod/run.c|/^static int calls_output/,/^}/s/if \(size > bytes\)/if (0)/
	calls_with_reserved_words|6.12|calls|calls.what_is_wrong_in_the_middle|kmod/run.c|/^static int calls_read/,/^}/s/if \(call->__reserved\)/if (0)/
	calls_of_another_size|6.12|calls|calls.other_arrays|kmod/run.c|/^static struct hlk_run_call __user .calls_user/,/^}/s/run->call_size/sizeof(struct hlk_run_call)/
	kept_whoever_came|6.12|kept|kept.what_an_ioctl_changes_comes_back|kmod/vcpukept.c|/^bool hlk_vcpu_kept/,/^}/s/ && vcpu_marked_by\(vcpu, vm\)//
	kept_for_another|6.12|kept|kept.two_of_one_kvm_vm|kmod/vcpukept.c|/^bool hlk_vcpu_kept/,/^}/s/vcpu_marked_by\(vcpu, vm\)/vcpu_marked(vcpu)/
	kept_though_not_stored|6.12|kept|kept.what_is_written_to_kvm_run_is_not_believed|kmod/vcpukept.c|s/if \(likely\(vmcb_known\(kept, vcpu, sregs\)\)\)/if (vmcb_known(kept, vcpu, sregs) \&\& false)/;s/READ_ONCE\(vcpu->run->kvm_valid_regs\) & KVM_SYNC_X86_SREGS/true/
	kept_of_another_snapshot|6.12|kept|kept.another_snapshot_is_loaded|kmod/restore.c|s/memset\(vm->kept, 0, sizeof\(vm->kept\)\);/;/
	kept_though_not_entered|6.12|kept|kept.a_run_that_ends_before_the_guest|kmod/run.c|s/vcpu->run->kvm_dirty_regs \|= KVM_SYNC_X86_SREGS;/;/
	kept_though_preempted|6.12|kept|kept.with_a_thread_that_preempts|kmod/vcpukept.c|s/ && hlk_task_switches\(\) == switches//
	kept_from_another_cpu|6.12|kept|kept.with_a_thread_on_another_cpu|kmod/vcpukept.c|s/vcpu->cpu == smp_processor_id\(\) && //
	old_tlb|6.12|audit|audit.a_flush_of_the_tlb|kmod/vcpu.c|/^u32 hlk_vcpus_restore/,/^}/s/hlk_vcpus_flush\(vm\);/;/
	memslot_overlooked|6.12|audit|audit.memslots_beside_the_windows|kmod/audit.c|s/a->done.beside \+= slot->pages;/;/
	dirty_log_not_refused|6.12|audit|audit.finds_no_dirty_log|kmod/vcpufit.c|s/ret = hlk_vm_check_slots\(vm, at\);/ret = 0;/
	EOF
}

match() {
	local new name program test file script
	new=$(mktemp)
	while IFS='|' read -r name _ program test file script; do
		sed -E "$script" "$TOP/$file" > "$new" && ! cmp -s "$TOP/$file" "$new" ||
			echo "$name: changes nothing in $file"
		grep -qw "${test##*.}" "$TOP/selftests/$program.c" ||
			echo "$name: no test $test in $program"
	done < <(bugs)
	rm -f "$new"
}

# Lines with the seconds since the first that a test printed
stamp() {
	local line begun=''
	while IFS= read -r line; do
		[ -n "$begun" ] || [[ $line != TAP* ]] || begun=$SECONDS
		printf '%s %s\n' $((SECONDS - ${begun:-$SECONDS})) "$line"
	done
}

# When the test failed that was to fail, or was ended, or the VM ended in its middle
failed_after() { # failed_after LOG TEST
	tr -d '\r' < "$1" | awk -v test="$2" '
		/^[0-9]+ # +RUN / && $4 == test { running = 1 }
		/^[0-9]+ ok [0-9]/ && $4 == test { running = 0 }
		/^[0-9]+ not ok [0-9]/ && $5 == test { print $1; exit }
		/^[0-9]+ (not ok - .*: did not end|# .* is ended: )/ && running { print $1; exit }'
}

if [ "${1:-}" = --match ]; then
	match
	exit
fi
"$VM_DIR/setup.sh"
mkdir -p "$BUILD/planted"
build_user || exit 1
LIMIT=180
nr=0 failed=0
echo "TAP version 13"
while IFS='|' read -r name series program test file script <&3; do
	[ $# -eq 0 ] || [[ " $* " = *" $name "* ]] || continue
	nr=$((nr + 1))
	[ "$series" != 6.12 ] || series=${PLANTED_ON:-6.12}
	log=$BUILD/planted/$name.log
	module=$(VARIANT="planted/$series" PLANT="$file $script" \
		 "$VM_DIR/build.sh" "$series" 2> "$log") || {
		sed 's/^/# /' "$log"
		echo "not ok $nr $name: does not build"
		failed=$((failed + 1))
		continue
	}
	options=()
	[ "$program" != no_npt ] || options=(--kvm npt=0)
	"$VM_DIR/run.sh" "$series" "${options[@]}" --mem 2048 --timeout $((LIMIT - 10)) --limit 900 --module "$module" \
		--append kasan_multi_shot --log "$BUILD/planted/$name" --env "ONLY=$test" \
		-- "$BUILD/selftests/$program" 2>&1 | stamp > "$log" || :
	grep -E '^[0-9]+ not ok' "$log" | sed -E 's/^[0-9]+/#/' || :
	after=$(failed_after "$log" "$test")
	if [ -n "$after" ] && [ "$after" -le $LIMIT ]; then
		echo "ok $nr $name is caught by $test, after $after s"
	else
		echo "not ok $nr $name was not caught by $test${after:+ in time, but after $after s}"
		failed=$((failed + 1))
	fi
done 3< <(bugs)
echo "1..$nr"
[ "$failed" -eq 0 ]
