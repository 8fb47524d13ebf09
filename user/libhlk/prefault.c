// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * A new sandbox made ready for what calls from its snapshot touch, so that its
 * first call meets no page fault, neither of ours nor of KVM's.
 *
 * None of this has to succeed: what is not done ahead is done when the guest
 * comes to it. So there is no error to report.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "internal.h"
#include "prefault.h"

#define PAGE	((uint64_t)HLK_GUEST_PAGE_SIZE)
#define RUNS	64
#define TRIES	4	/* other sandboxes go on to touch pages meanwhile */
#define WAKES	16	/* signals that may come while KVM works */

static int ask(struct hlk_sandbox *sb, struct hlk_touched *runs, uint32_t *nr)
{
	struct hlk_prefault arg = {
		.head.size = sizeof(arg),
		.runs = (uintptr_t)runs,
		.nr_runs = *nr,
		.run_size = sizeof(*runs),
	};

	if (!ioctl(sb->hlk_fd, HLK_PREFAULT, &arg)) {
		*nr = arg.nr_runs;
		return 0;
	}
	if (errno == EMSGSIZE)
		*nr = arg.nr_runs;
	return -errno;
}

static struct hlk_touched *touched(struct hlk_sandbox *sb, uint32_t *nr)
{
	struct hlk_touched *runs = NULL, *more;
	uint32_t want = RUNS;
	int i, ret;

	for (i = 0; i < TRIES; i++) {
		more = reallocarray(runs, want, sizeof(*runs));
		if (!more)
			break;
		runs = more;
		*nr = want;
		ret = ask(sb, runs, nr);
		if (!ret)
			return runs;
		if (ret != -EMSGSIZE)
			break;
		want = *nr + RUNS;
	}
	free(runs);
	return NULL;
}

/* KVM counts @gpa up and @size down as it goes. */
static void map_nested(struct hlk_sandbox *sb, const struct hlk_touched *run)
{
	struct kvm_pre_fault_memory arg = {
		.gpa = run->gpa,
		.size = run->pages * PAGE,
	};
	int wakes = 0;

	while (arg.size) {
		if (!ioctl(sb->vcpu_fd, KVM_PRE_FAULT_MEMORY, &arg))
			continue;
		if ((errno != EINTR && errno != EAGAIN) || wakes++ == WAKES)
			return;
	}
}

/*
 * An entry that ends before the guest runs. KVM leaves to the first one what a VM
 * needs once, such as a thread of the kernel, and loads the registers, which
 * can make it begin its page tables anew: so it comes before they are filled.
 */
static void enter_once(struct hlk_sandbox *sb)
{
	sb->run->immediate_exit = 1;
	/* EINTR, or an error that the first call is going to meet and tell */
	ioctl(sb->vcpu_fd, KVM_RUN, 0);
	sb->run->immediate_exit = 0;
}

/**
 * hlk_prefault() - make a sandbox ready for what others of its snapshot touched
 * @sb: the sandbox, restored to a snapshot and not run since
 */
void hlk_prefault(struct hlk_sandbox *sb)
{
	struct hlk_touched *runs;
	unsigned char *mem;
	uint32_t nr = 0, i;

	if (!(sb->ctx->features & HLK_FEATURE_PREFAULT))
		return;
	enter_once(sb);
	runs = touched(sb, &nr);
	if (!runs)
		return;
	for (i = 0; i < nr; i++) {
		mem = hlk_vm_at(sb, runs[i].gpa, runs[i].pages * PAGE);
		if (mem && !hlk_populate(mem, runs[i].pages * PAGE,
					 runs[i].flags & HLK_TOUCHED_WRITE) &&
		    sb->ctx->pre_fault)
			map_nested(sb, &runs[i]);
	}
	free(runs);
}
