// SPDX-License-Identifier: GPL-2.0-only
/*
 * A call that scribbles over all that the guest can reach, its registers
 * included, leaves no trace after a restore.
 *
 * Each round compares every byte of guest memory with the snapshot and every
 * register that KVM can show with what it was after the first restore. Two
 * places differ on purpose: the unique number and the random seed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <hlk.h>

#include "harness.h"

#define ROUNDS		200
#define PAGE		4096UL
#define TIMEOUT_US	2000000

/* All that KVM tells about a vCPU */
struct vcpu_state {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_vcpu_events events;
	struct kvm_debugregs debug;
	struct kvm_mp_state mp;
	struct kvm_xcrs xcrs;
	struct kvm_fpu fpu;
	struct kvm_xsave xsave;
};

/* libhlk keeps its vCPU to itself; a test may look for it. */
static int find_vcpu(void)
{
	char path[300];
	char link[64];
	struct dirent *d;
	DIR *dir = opendir("/proc/self/fd");
	ssize_t len;
	int fd = -1;

	while (dir && (d = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/self/fd/%s", d->d_name);
		len = readlink(path, link, sizeof(link) - 1);
		if (len < 0)
			continue;
		link[len] = 0;
		if (strstr(link, "kvm-vcpu:") && !strstr(link, "stats"))
			fd = atoi(d->d_name);
	}
	if (dir)
		closedir(dir);
	return fd;
}

/* Restored registers are loaded by the next entry; one that ends at once. */
static int load_and_get(int vcpu, struct kvm_run *run, struct vcpu_state *s)
{
	int ret;

	run->immediate_exit = 1;
	ret = ioctl(vcpu, KVM_RUN, 0);
	run->immediate_exit = 0;
	if (ret != -1 || errno != EINTR)
		return -1;
	memset(s, 0, sizeof(*s));
	return ioctl(vcpu, KVM_GET_REGS, &s->regs) |
	       ioctl(vcpu, KVM_GET_SREGS, &s->sregs) |
	       ioctl(vcpu, KVM_GET_VCPU_EVENTS, &s->events) |
	       ioctl(vcpu, KVM_GET_DEBUGREGS, &s->debug) |
	       ioctl(vcpu, KVM_GET_MP_STATE, &s->mp) |
	       ioctl(vcpu, KVM_GET_XCRS, &s->xcrs) |
	       ioctl(vcpu, KVM_GET_FPU, &s->fpu) |
	       ioctl(vcpu, KVM_GET_XSAVE, &s->xsave);
}

/* The first byte that differs between guest and snapshot, or 0 */
static uint64_t differs(struct hlk_sandbox *sb, const struct hlk_window *w,
			const uint8_t *snap, uint8_t *page)
{
	const uint64_t unique = HLK_GUEST_SCRATCH_TOP - HLK_GUEST_OFF_UNIQUE;
	const uint64_t seed = HLK_GUEST_SCRATCH_TOP - HLK_GUEST_OFF_SEED;
	uint64_t gpa, i;

	for (gpa = w->gpa; gpa < w->gpa + w->bytes; gpa += PAGE) {
		if (hlk_sandbox_read(sb, gpa, page, PAGE))
			return gpa;
		if (!memcmp(page, snap + (gpa - w->gpa), PAGE))
			continue;
		for (i = gpa; i < gpa + PAGE; i++) {
			if (i - unique < 8 || i - seed < HLK_GUEST_SEED_SIZE)
				continue;
			if (page[i - gpa] != snap[i - w->gpa])
				return i;
		}
	}
	return 0;
}

FIXTURE(scribble) {
	struct hlk_ctx *ctx;
	struct hlk_sandbox *sb;
	struct hlk_snap *snap;
	struct hlk_window windows[8];
	struct hlk_snapshot_info info;
	const uint8_t *base[8];
	int vcpu;
	struct kvm_run *run;
	uint8_t *page;
};

FIXTURE_SETUP(scribble)
{
	struct hlk_config config = HLK_CONFIG_INIT;
	struct hlk_err err;
	char why[256];
	uint32_t i;
	int kvm;

	config.mem_size = 2 << 20;
	ASSERT_EQ(0, hlk_open(&self->ctx, &err));
	ASSERT_EQ(0, hlk_sandbox_from_path(self->ctx, "scribble.elf", &config,
					   &self->sb, &err)) {
		TH_LOG("%s", hlk_strerror(&err, why, sizeof(why)));
	}
	ASSERT_EQ(0, hlk_sandbox_boot(self->sb, TIMEOUT_US));
	ASSERT_EQ(0, hlk_sandbox_snapshot(self->sb, NULL, &self->snap));
	ASSERT_EQ(0, hlk_sandbox_restore(self->sb, self->snap));

	self->info.windows = (uintptr_t)self->windows;
	self->info.window_size = sizeof(struct hlk_window);
	self->info.nr_windows = 8;
	ASSERT_EQ(0, hlk_snapshot_get_info(self->snap, &self->info, &err));
	for (i = 0; i < self->info.nr_windows; i++) {
		self->base[i] = mmap(NULL, self->windows[i].bytes, PROT_READ,
				     MAP_SHARED, hlk_snapshot_fd(self->snap),
				     self->windows[i].gpa);
		ASSERT_NE(MAP_FAILED, self->base[i]);
	}
	self->vcpu = find_vcpu();
	ASSERT_LE(0, self->vcpu);
	kvm = open("/dev/kvm", O_RDWR);
	self->run = mmap(NULL, ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0),
			 PROT_READ | PROT_WRITE, MAP_SHARED, self->vcpu, 0);
	ASSERT_NE(MAP_FAILED, self->run);
	close(kvm);
	self->page = malloc(PAGE);
}

FIXTURE_TEARDOWN(scribble)
{
	free(self->page);
	hlk_snapshot_close(self->snap);
	hlk_sandbox_close(self->sb);
	hlk_close(self->ctx);
}

TEST_F_TIMEOUT(scribble, leaves_no_trace, 280)
{
	const char *env = getenv("SEED");
	unsigned int seed = env ? strtoul(env, NULL, 0) : 1;
	unsigned int ends[16] = {};
	struct vcpu_state before;
	struct vcpu_state after;
	unsigned int round;
	uint64_t where;
	char arg[16];
	char why[160];
	char out[64];
	size_t len;
	uint32_t i;

	ASSERT_EQ(0, load_and_get(self->vcpu, self->run, &before));
	for (round = 0; round < ROUNDS; round++) {
		len = snprintf(arg, sizeof(arg), "%u", seed + round);
		ASSERT_EQ(0, hlk_sandbox_restore(self->sb, NULL));
		hlk_sandbox_call(self->sb, "scribble", arg, len, out,
				 sizeof(out), NULL, 100000);
		ends[hlk_sandbox_exit(self->sb)->reason % 16]++;
		ASSERT_EQ(0, hlk_sandbox_restore(self->sb, NULL));
		for (i = 0; i < self->info.nr_windows; i++) {
			where = differs(self->sb, &self->windows[i],
					self->base[i], self->page);
			ASSERT_EQ(0, where) {
				TH_LOG("seed %u: memory differs at %#llx",
				       seed + round, (unsigned long long)where);
			}
		}
		ASSERT_EQ(0, load_and_get(self->vcpu, self->run, &after));
		for (i = 0; i < sizeof(before); i++)
			ASSERT_EQ(((uint8_t *)&before)[i], ((uint8_t *)&after)[i]) {
				TH_LOG("seed %u: state differs at byte %u of struct vcpu_state",
				       seed + round, i);
			}
		ASSERT_EQ(0, hlk_sandbox_call(self->sb, "ping", NULL, 0, out,
					      sizeof(out), &len, TIMEOUT_US)) {
			TH_LOG("seed %u: %s", seed + round,
			       hlk_strerror(hlk_sandbox_error(self->sb), why, sizeof(why)));
		}
		ASSERT_EQ(0, len != 4 || memcmp(out, "pong", 4));
	}
	for (i = 0; i < 16; i++)
		if (ends[i])
			TH_LOG("%u calls ended by: %s", ends[i],
			       hlk_exit_reason_text(i));
}

TEST_HARNESS_MAIN
