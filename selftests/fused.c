// SPDX-License-Identifier: GPL-2.0-only
/*
 * libhlk's ways around a restore: fused with the call after it, in batches,
 * ahead of the first call, and with an audit. Its ioctls are counted here.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <linux/kvm.h>

#include <hlk.h>

#include "harness.h"

#define MS		1000ULL
#define NR_MANY		64

/* ---- what the library asks of the kernel ---- */

static struct {
	unsigned long all;
	unsigned long run;
	unsigned long run_many;
	unsigned long restore;
	unsigned long kvm_run;
	unsigned long set_debugregs;
	bool no_features;
	unsigned long spoil;	/* what this reads is not what KVM said, */
	size_t spoil_at;	/* from this byte on */
	unsigned long set;	/* or, if this is not 0, what KVM was told by it before */
	int set_failed;
} seen;

/* Behind the library's back, between the restore and the look at it */
static void change(int fd)
{
	union {
		struct kvm_regs regs;
		struct kvm_sregs sregs;
		struct kvm_vcpu_events events;
		struct kvm_debugregs debug;
		struct kvm_fpu fpu;
		struct kvm_xsave xsave;
		unsigned char byte[4096];
	} state;

	memset(&state, 0, sizeof(state));
	if (syscall(SYS_ioctl, fd, seen.spoil, &state))
		return;
	state.byte[seen.spoil_at] ^= 1;
	if (seen.spoil == KVM_GET_VCPU_EVENTS)
		state.events.flags |= KVM_VCPUEVENT_VALID_SHADOW;
	seen.set_failed = syscall(SYS_ioctl, fd, seen.set, &state);
}

int ioctl(int fd, unsigned long cmd, ...)
{
	va_list args;
	void *arg;
	int ret;

	va_start(args, cmd);
	arg = va_arg(args, void *);
	va_end(args);
	seen.all++;
	seen.run += cmd == HLK_RUN;
	seen.run_many += cmd == HLK_RUN_MANY;
	seen.restore += cmd == HLK_RESTORE;
	seen.kvm_run += cmd == KVM_RUN;
	seen.set_debugregs += cmd == KVM_SET_DEBUGREGS;
	/* the first that an audit asks for */
	if (cmd == KVM_GET_REGS && seen.set)
		change(fd);
	ret = syscall(SYS_ioctl, fd, cmd, arg);
	if (cmd == HLK_INFO && !ret && seen.no_features)
		((struct hlk_info *)arg)->features &= HLK_FEATURE_DEADLINE;
	if (cmd == seen.spoil && !ret && !seen.set)
		((unsigned char *)arg)[seen.spoil_at] ^= 1;
	return ret;
}

static void forget(void)
{
	bool no_features = seen.no_features;

	memset(&seen, 0, sizeof(seen));
	seen.no_features = no_features;
}

/* ---- a sandbox ---- */

FIXTURE(fused)
{
	struct hlk_ctx *ctx;
	struct hlk_sandbox *sb;
	struct hlk_snap *snap;
	char printed[8192];
	size_t len;
};

static void print(void *arg, const char *text, size_t len)
{
	struct _test_data_fused *self = arg;

	if (len > sizeof(self->printed) - self->len)
		len = sizeof(self->printed) - self->len;
	memcpy(self->printed + self->len, text, len);
	self->len += len;
}

#define OK(call)							\
	do {								\
		int ret_ = (call);					\
		ASSERT_EQ(0, ret_) {					\
			char line_[256];				\
									\
			TH_LOG("%s: %s", #call,				\
			       hlk_strerror(hlk_sandbox_error(self->sb),\
					    line_, sizeof(line_)));	\
		}							\
	} while (0)

static int prepare(struct _test_data_fused *self, uint32_t flags)
{
	struct hlk_snapshot_config how = HLK_SNAPSHOT_CONFIG_INIT;
	struct hlk_config config = HLK_CONFIG_INIT;
	struct hlk_err err;
	char line[256];
	int ret;

	config.print = print;
	config.print_arg = self;
	how.flags = flags;
	ret = hlk_open(&self->ctx, &err);
	if (!ret)
		ret = hlk_sandbox_from_path(self->ctx, "guest.elf", &config,
					    &self->sb, &err);
	if (!ret) {
		ret = hlk_sandbox_boot(self->sb, 0);
		if (!ret)
			ret = hlk_sandbox_snapshot(self->sb, &how, &self->snap);
		if (!ret)
			ret = hlk_sandbox_restore(self->sb, self->snap);
		err = *hlk_sandbox_error(self->sb);
	}
	if (ret)
		fprintf(stderr, "# %s\n", hlk_strerror(&err, line, sizeof(line)));
	return ret;
}

FIXTURE_VARIANT(fused)
{
	uint32_t flags;
	bool no_features;
};

FIXTURE_VARIANT_ADD(fused, flat) { .flags = HLK_SNAP_FLAT };
FIXTURE_VARIANT_ADD(fused, compact) { .flags = HLK_SNAP_HOST_COW };
FIXTURE_VARIANT_ADD(fused, dedup) { .flags = HLK_SNAP_HOST_COW | HLK_SNAP_DEDUP };
FIXTURE_VARIANT_ADD(fused, old_module)
{
	.flags = HLK_SNAP_FLAT,
	.no_features = true,
};

FIXTURE_SETUP(fused)
{
	memset(&seen, 0, sizeof(seen));
	seen.no_features = variant->no_features;
	ASSERT_EQ(0, prepare(self, variant->flags));
}

FIXTURE_TEARDOWN(fused)
{
	const struct timespec tick = { .tv_nsec = 20000000 };
	struct hlk_info info = { .live_vms = 1 };
	int i;

	hlk_snapshot_close(self->snap);
	hlk_sandbox_close(self->sb);
	/* Some of it is freed a moment after the last file was closed. */
	for (i = 0; i < 250 && (info.live_vms || info.live_snapshots ||
				info.live_pages); i++) {
		if (hlk_get_info(self->ctx, &info, NULL))
			break;
		nanosleep(&tick, NULL);
	}
	EXPECT_EQ(0, info.live_vms);
	EXPECT_EQ(0, info.live_snapshots);
	EXPECT_EQ(0, info.live_pages);
	hlk_close(self->ctx);
}

static int call_u32(struct hlk_sandbox *sb, const char *name, uint32_t *value,
		    uint64_t timeout_us)
{
	size_t len = 0;
	int ret;

	*value = 0;
	ret = hlk_sandbox_restore_call(sb, name, NULL, 0, value, sizeof(*value),
				       &len, timeout_us);
	return ret ? ret : len == sizeof(*value) ? 0 : -EIO;
}

static int echo(struct hlk_sandbox *sb, size_t len, uint64_t timeout_us)
{
	static __thread char in[8192], out[8192];
	size_t got = 0, i;
	int ret;

	for (i = 0; i < len; i++)
		in[i] = i * 7 + len;
	memset(out, 0, len);
	ret = hlk_sandbox_restore_call(sb, "e", in, len, out, sizeof(out),
				       &got, timeout_us);
	if (ret)
		return ret;
	return got == len && !memcmp(in, out, len) ? 0 : -EIO;
}

/* ---- restore and call ---- */

TEST_F(fused, each_call_is_the_first)
{
	uint32_t value;
	int i;

	for (i = 0; i < 20; i++) {
		OK(call_u32(self->sb, "c", &value, 0));
		ASSERT_EQ(1, value);
		OK(echo(self->sb, i * 391, i % 2 ? 0 : 10000 * MS));
	}
	OK(hlk_sandbox_call(self->sb, "c", NULL, 0, &value, 4, NULL, 0));
	ASSERT_EQ(1, value);
	OK(hlk_sandbox_call(self->sb, "c", NULL, 0, &value, 4, NULL, 0));
	ASSERT_EQ(2, value);
	ASSERT_LT(0, hlk_sandbox_restored(self->sb)->copied);
}

TEST_F(fused, it_is_one_system_call)
{
	struct hlk_vm_stats before, after;
	uint32_t value;
	int i;

	for (i = 0; i < 40; i++)
		OK(call_u32(self->sb, "c", &value, 0));
	OK(hlk_sandbox_stats(self->sb, &before));
	forget();
	for (i = 0; i < 10; i++)
		OK(call_u32(self->sb, "c", &value, 0));
	if (variant->no_features) {
		ASSERT_EQ(10, seen.restore);
		ASSERT_EQ(10, seen.kvm_run);
		return;
	}
	ASSERT_EQ(10, seen.all);
	ASSERT_EQ(10, seen.run);
	OK(hlk_sandbox_stats(self->sb, &after));
	ASSERT_EQ(10, after.restores - before.restores);
	ASSERT_EQ(10, after.runs - before.runs);
}

TEST_F(fused, what_the_guest_prints_comes_in_order)
{
	size_t len;
	int ret;

	OK(hlk_sandbox_restore_call(self->sb, "w", NULL, 0, NULL, 0, NULL, 0));
	ASSERT_EQ(7, self->len);
	ASSERT_EQ(0, memcmp(self->printed, "hello w", 7));
	/* more than the log takes, until it is stopped */
	self->len = 0;
	ret = hlk_sandbox_restore_call(self->sb, "p", NULL, 0, NULL, 0, NULL,
				       4000 * MS);
	ASSERT_EQ(-ETIMEDOUT, ret);
	ASSERT_LT(variant->no_features ? 100 : 1024, self->len);
	for (len = 0; len < self->len; len++)
		ASSERT_EQ('.', self->printed[len]);
	OK(echo(self->sb, 5, 0));
}

static int up(void *arg, const void *in, size_t in_len, void *out,
	      size_t out_size, size_t *out_len)
{
	struct hlk_sandbox *sb = arg;
	uint32_t value;

	if (call_u32(sb, "c", &value, 0) != -EBUSY)
		return -EIO;
	memcpy(out, in, in_len);
	*(char *)out = 'U';
	*out_len = in_len;
	return 0;
}

TEST_F(fused, the_guest_can_call_the_host)
{
	char answer[8] = "";
	int i;

	OK(hlk_sandbox_host_function(self->sb, "up", up, self->sb));
	for (i = 0; i < 5; i++) {
		memset(answer, 0, sizeof(answer));
		OK(hlk_sandbox_restore_call(self->sb, "h", "abc", 3, answer, 8,
					    NULL, 0));
		ASSERT_STREQ("Ubc", answer);
	}
}

TEST_F(fused, a_guest_that_failed_is_restored_by_the_next_call)
{
	static const char * const name[] = { "a", "u", "mr", "mw", "o", "i", "r",
					     "n0", "n3", "n5", "n9", "x" };
	uint32_t value;
	size_t i;
	int ret;

	for (i = 0; i < sizeof(name) / sizeof(*name); i++) {
		ret = hlk_sandbox_restore_call(self->sb, name[i], NULL, 0, &value,
					       4, NULL, 0);
		ASSERT_NE(0, ret);
		OK(call_u32(self->sb, "c", &value, 0));
		ASSERT_EQ(1, value);
	}
}

TEST_F(fused, what_does_not_fit_does_nothing)
{
	static char in[65536];
	uint32_t value;

	OK(hlk_sandbox_call(self->sb, "c", NULL, 0, &value, 4, NULL, 0));
	ASSERT_EQ(-ENOBUFS, hlk_sandbox_restore_call(self->sb, "e", in, sizeof(in),
						     NULL, 0, NULL, 0));
	ASSERT_EQ(HLK_WHAT_INPUT, hlk_sandbox_error(self->sb)->what);
	if (!variant->no_features) {
		OK(hlk_sandbox_call(self->sb, "c", NULL, 0, &value, 4, NULL, 0));
		ASSERT_EQ(2, value);
	}
	ASSERT_NE(0, hlk_sandbox_restore_call(self->sb, "e", in, SIZE_MAX, NULL,
					      0, NULL, 0));
	OK(echo(self->sb, 100, 0));
}

TEST_F(fused, a_timeout_ends_it_and_leaves_no_signal)
{
	uint32_t value;
	sigset_t set;
	int i;

	for (i = 0; i < 5; i++) {
		ASSERT_EQ(-ETIMEDOUT, call_u32(self->sb, "s", &value, 10 * MS));
		ASSERT_EQ(HLK_EXIT_TIMEOUT, hlk_sandbox_exit(self->sb)->reason);
		sigpending(&set);
		ASSERT_EQ(0, sigismember(&set, SIGRTMAX));
		OK(call_u32(self->sb, "c", &value, 10000 * MS));
		ASSERT_EQ(1, value);
	}
	/* as short as can be: the restore is done, or not, but all goes on */
	ASSERT_EQ(-ETIMEDOUT, call_u32(self->sb, "s", &value, 1));
	OK(echo(self->sb, 64, 0));
}

static void *kicker(void *arg)
{
	int i;

	for (i = 0; i < 10000 && hlk_sandbox_kick(arg) == -ESRCH; i++)
		usleep(1000);
	return NULL;
}

TEST_F(fused, a_kick_ends_it)
{
	pthread_t thread;
	uint32_t value;

	ASSERT_EQ(0, pthread_create(&thread, NULL, kicker, self->sb));
	ASSERT_EQ(-EINTR, call_u32(self->sb, "s", &value, HLK_TIMEOUT_KICK));
	pthread_join(thread, NULL);
	ASSERT_EQ(HLK_EXIT_KICKED, hlk_sandbox_exit(self->sb)->reason);
	OK(echo(self->sb, 64, 0));
}

static volatile int alarms;

static void on_alarm(int signal)
{
	alarms++;
}

/* Not so many that a slow machine does nothing else */
TEST_F(fused, other_signals_do_not_end_it)
{
	const struct itimerval fast = { { 0, 20000 }, { 0, 20000 } };
	const struct itimerval off = {};
	struct sigaction action = { .sa_handler = on_alarm };
	uint32_t value;
	int i;

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &fast, NULL);
	alarms = 0;
	for (i = 0; i < 50 || alarms < 20; i++)
		OK(hlk_sandbox_restore_call(self->sb, "l", NULL, 0, NULL, 0,
					    NULL, 0));
	ASSERT_EQ(-ETIMEDOUT, call_u32(self->sb, "s", &value, 100 * MS));
	setitimer(ITIMER_REAL, &off, NULL);
	OK(call_u32(self->sb, "c", &value, 0));
	ASSERT_EQ(1, value);
}

static uint64_t counter_in_guest(struct hlk_sandbox *sb)
{
	uint64_t words[4] = {};

	if (hlk_sandbox_restore_call(sb, "k", NULL, 0, words, sizeof(words),
				     NULL, 0))
		return ~0ULL;
	return words[3];
}

TEST_F(fused, the_counter_survives)
{
	int i;

	ASSERT_EQ(0, counter_in_guest(self->sb));
	for (i = 1; i < 20; i++) {
		OK(hlk_sandbox_counter_add(self->sb, 1));
		ASSERT_EQ(i, counter_in_guest(self->sb));
		ASSERT_EQ(i, counter_in_guest(self->sb));
	}
}

TEST_F(fused, no_call_finds_debug_registers_of_another)
{
	uint32_t value;
	int i;

	for (i = 0; i < 10; i++) {
		OK(call_u32(self->sb, "d", &value, 0));
		ASSERT_EQ(0x400, value);
	}
	/* each call but the first follows one that changed them */
	ASSERT_LE(9, seen.set_debugregs);
	for (i = 0; i < 3; i++)
		OK(call_u32(self->sb, "c", &value, 0));
	forget();
	OK(call_u32(self->sb, "c", &value, 0));
	ASSERT_EQ(1, value);
	ASSERT_EQ(0, seen.set_debugregs);
	if (!variant->no_features)
		ASSERT_EQ(1, seen.all);
}

TEST_F(fused, the_fpu_is_that_of_the_snapshot)
{
	uint32_t value;
	int i;

	for (i = 0; i < 6; i++) {
		OK(call_u32(self->sb, "f", &value, 0));
		ASSERT_EQ(0x27f, value);
	}
}

TEST_F(fused, before_the_boot_there_is_nothing_to_call)
{
	struct hlk_sandbox *sb;
	uint32_t value;

	ASSERT_EQ(0, hlk_sandbox_from_path(self->ctx, "guest.elf", NULL, &sb,
					   NULL));
	EXPECT_EQ(-ESTALE, call_u32(sb, "c", &value, 0));
	hlk_sandbox_close(sb);
}

/* ---- audits ---- */

TEST_F(fused, an_audit_finds_nothing_after_calls)
{
	static const char * const name[] = { "c", "d", "f", "l", "w", "u", "mw" };
	uint32_t value;
	size_t i;

	if (variant->no_features) {
		ASSERT_EQ(-EOPNOTSUPP, hlk_sandbox_audit(self->sb));
		ASSERT_EQ(HLK_WHAT_FEATURE, hlk_sandbox_error(self->sb)->what);
		return;
	}
	for (i = 0; i < sizeof(name) / sizeof(*name); i++) {
		hlk_sandbox_restore_call(self->sb, name[i], NULL, 0, NULL, 0,
					 NULL, 0);
		OK(hlk_sandbox_audit(self->sb));
	}
	OK(call_u32(self->sb, "c", &value, 0));
	ASSERT_EQ(1, value);
}

#define REG(get, set, type, member, name)				\
	{ get, set, offsetof(struct type, member), name }
#define GENERAL(member, name)						\
	REG(KVM_GET_REGS, KVM_SET_REGS, kvm_regs, member, name)
#define SPECIAL(member, name)						\
	REG(KVM_GET_SREGS, KVM_SET_SREGS, kvm_sregs, member, name)
#define DEBUG(member, name)						\
	REG(KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS, kvm_debugregs, member, name)
#define FLOAT(member, name)						\
	REG(KVM_GET_FPU, KVM_SET_FPU, kvm_fpu, member, name)

/* Each register that KVM lets be changed after a restore is found, by its name. */
TEST_F(fused, an_audit_names_each_register_that_was_set)
{
	static const struct {
		unsigned long get;
		unsigned long set;
		size_t at;
		const char *name;
	} reg[] = {
		GENERAL(rax, "eax"), GENERAL(rbx, "ebx"), GENERAL(rcx, "ecx"),
		GENERAL(rdx, "edx"), GENERAL(rsi, "esi"), GENERAL(rdi, "edi"),
		GENERAL(rsp, "esp"), GENERAL(rbp, "ebp"), GENERAL(rip, "eip"),
		GENERAL(rflags, "eflags"),
		SPECIAL(cs.base, "cs"), SPECIAL(ds.base, "ds"), SPECIAL(es.limit, "es"),
		SPECIAL(fs.selector, "fs"), SPECIAL(gs.base, "gs"), SPECIAL(ss.base, "ss"),
		SPECIAL(tr.base, "tr"), SPECIAL(ldt.base, "ldtr"),
		SPECIAL(gdt.base, "gdtr"), SPECIAL(idt.limit, "idtr"),
		SPECIAL(cr2, "cr2"), SPECIAL(cr3, "cr3"), SPECIAL(cr4, "cr4"),
		SPECIAL(cr8, "cr8"),
		REG(KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS, kvm_vcpu_events,
		    interrupt.shadow, "interrupt shadow"),
		REG(KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS, kvm_vcpu_events,
		    nmi.masked, "nmi"),
		DEBUG(db[0], "dr0"), DEBUG(db[1], "dr1"), DEBUG(db[2], "dr2"),
		DEBUG(db[3], "dr3"), DEBUG(dr6, "dr6"), DEBUG(dr7, "dr7"),
		FLOAT(fpr[2][3], "st2"), FLOAT(fcw, "fcw"), FLOAT(fsw, "fsw"),
		FLOAT(xmm[3], "xmm3"),
		REG(KVM_GET_XSAVE, KVM_SET_XSAVE, kvm_xsave, region[6], "mxcsr"),
	};
	const struct hlk_err *err = hlk_sandbox_error(self->sb);
	uint32_t value;
	size_t i;

	if (variant->no_features)
		return;
	for (i = 0; i < sizeof(reg) / sizeof(*reg); i++) {
		seen.spoil = reg[i].get;
		seen.set = reg[i].set;
		seen.spoil_at = reg[i].at;
		ASSERT_EQ(-EUCLEAN, hlk_sandbox_audit(self->sb)) {
			TH_LOG("%s, set: %d", reg[i].name, seen.set_failed);
		}
		ASSERT_EQ(HLK_WHAT_AUDIT, err->what);
		ASSERT_STREQ(reg[i].name, err->text);
		seen.spoil = 0;
		seen.set = 0;
		OK(call_u32(self->sb, "c", &value, 0));
	}
	OK(hlk_sandbox_audit(self->sb));
}

/* What KVM does not let be changed: it is made to lie. */
TEST_F(fused, an_audit_names_what_differs)
{
	static const struct {
		unsigned long cmd;
		size_t at;
		const char *name;
	} lie[] = {
		{ KVM_GET_REGS, offsetof(struct kvm_regs, rbx), "ebx" },
		{ KVM_GET_SREGS, offsetof(struct kvm_sregs, fs.base), "fs" },
		{ KVM_GET_SREGS, offsetof(struct kvm_sregs, cr3), "cr3" },
		{ KVM_GET_VCPU_EVENTS, offsetof(struct kvm_vcpu_events, nmi.masked),
		  "nmi" },
		{ KVM_GET_DEBUGREGS, offsetof(struct kvm_debugregs, db[2]), "dr2" },
		{ KVM_GET_MP_STATE, 0, "mp_state" },
		{ KVM_GET_FPU, offsetof(struct kvm_fpu, xmm[3]), "xmm3" },
		{ KVM_GET_XSAVE, 700, "xsave byte 700" },
	};
	const struct hlk_err *err = hlk_sandbox_error(self->sb);
	struct hlk_sandbox *other;
	struct hlk_snap *from_fd;
	uint32_t value;
	size_t i;

	if (variant->no_features)
		return;
	for (i = 0; i < sizeof(lie) / sizeof(*lie); i++) {
		seen.spoil = lie[i].cmd;
		seen.spoil_at = lie[i].at;
		ASSERT_EQ(-EUCLEAN, hlk_sandbox_audit(self->sb));
		ASSERT_EQ(HLK_WHAT_AUDIT, err->what);
		ASSERT_STREQ(lie[i].name, err->text);
		seen.spoil = 0;
		ASSERT_EQ(-ESTALE, hlk_sandbox_call(self->sb, "c", NULL, 0, NULL, 0,
						    NULL, 0));
		OK(call_u32(self->sb, "c", &value, 0));
	}
	/* One that came as an fd has nothing noted: the first audit notes it. */
	ASSERT_EQ(0, hlk_snapshot_from_fd(hlk_snapshot_fd(self->snap), &from_fd,
					  NULL));
	ASSERT_EQ(0, hlk_sandbox_from_snapshot(self->ctx, from_fd, NULL, &other,
					       NULL));
	EXPECT_EQ(0, hlk_sandbox_audit(other));
	EXPECT_EQ(0, hlk_sandbox_audit(other));
	seen.spoil = KVM_GET_FPU;
	seen.spoil_at = offsetof(struct kvm_fpu, mxcsr);
	EXPECT_EQ(-EUCLEAN, hlk_sandbox_audit(other));
	EXPECT_STREQ("mxcsr", hlk_sandbox_error(other)->text);
	hlk_sandbox_close(other);
	hlk_snapshot_close(from_fd);
}

/* ---- batches ---- */

struct many {
	struct hlk_sandbox *sb[NR_MANY];
	struct hlk_batch *batch;
};

static int open_many(struct _test_data_fused *self, struct many *many)
{
	struct hlk_config config = HLK_CONFIG_INIT;
	struct hlk_err err;
	char line[256];
	int ret, i;

	ret = hlk_batch_open(self->ctx, NR_MANY, &many->batch, &err);
	for (i = 0; !ret && i < NR_MANY; i++)
		ret = hlk_sandbox_from_snapshot(self->ctx, self->snap, &config,
						&many->sb[i], &err);
	if (ret)
		fprintf(stderr, "# %s\n", hlk_strerror(&err, line, sizeof(line)));
	return ret;
}

static void close_many(struct many *many)
{
	int i;

	hlk_batch_close(many->batch);
	for (i = 0; i < NR_MANY; i++)
		hlk_sandbox_close(many->sb[i]);
}

static int dirty_many(struct many *many, uint32_t want)
{
	uint32_t value;
	int i;

	for (i = 0; i < NR_MANY; i++)
		if (hlk_sandbox_call(many->sb[i], "c", NULL, 0, &value, 4, NULL,
				     0) || value != want)
			return -EIO;
	return 0;
}

TEST_F(fused, a_batch_restores_many)
{
	struct many many = {};
	uint32_t value;
	int async, i;

	if (variant->no_features) {
		ASSERT_EQ(-EOPNOTSUPP, hlk_batch_open(self->ctx, 4, &many.batch,
						      NULL));
		return;
	}
	ASSERT_EQ(0, open_many(self, &many));
	for (async = 0; async < 2; async++) {
		ASSERT_EQ(0, dirty_many(&many, 1));
		forget();
		for (i = 0; i < NR_MANY; i++)
			ASSERT_EQ(0, hlk_batch_restore(many.batch, many.sb[i],
						       NULL, async ?
						       HLK_BATCH_ASYNC : 0));
		ASSERT_EQ(-ENOSPC, hlk_batch_restore(many.batch, self->sb, NULL,
						     0));
		ASSERT_EQ(-EBUSY, hlk_sandbox_restore(many.sb[0], NULL));
		ASSERT_EQ(0, hlk_batch_submit(many.batch));
		ASSERT_GE(1, seen.restore);
		for (i = 0; i < NR_MANY; i++) {
			ASSERT_EQ(0, hlk_batch_result(many.batch, i));
			ASSERT_LT(0, hlk_sandbox_restored(many.sb[i])->copied);
		}
		ASSERT_EQ(-EINVAL, hlk_batch_result(many.batch, NR_MANY));
		for (i = 0; i < NR_MANY; i++) {
			ASSERT_EQ(0, hlk_sandbox_call(many.sb[i], "c", NULL, 0,
						      &value, 4, NULL, 0));
			ASSERT_EQ(1, value);
		}
		for (i = 0; i < NR_MANY; i++)
			ASSERT_EQ(0, hlk_sandbox_restore(many.sb[i], NULL));
	}
	close_many(&many);
}

/* Most count, some give an error, some crash; every other has a timeout. */
static int batch_one(struct many *many, int i, uint32_t *value, size_t *len)
{
	const char *name = i % 7 == 3 ? "x" : i % 9 == 4 ? "u" : "c";

	return hlk_batch_restore_call(many->batch, many->sb[i], name, NULL, 0,
				      value, 4, len, i % 2 ? 0 : 10000 * MS);
}

TEST_F(fused, a_batch_restores_and_calls_many)
{
	struct many many = {};
	uint32_t value[NR_MANY];
	size_t len[NR_MANY];
	int i, round;

	if (variant->no_features)
		return;
	ASSERT_EQ(0, open_many(self, &many));
	for (round = 0; round < 5; round++) {
		memset(value, 0, sizeof(value));
		forget();
		for (i = 0; i < NR_MANY; i++)
			ASSERT_EQ(0, batch_one(&many, i, &value[i], &len[i]));
		ASSERT_NE(0, hlk_batch_submit(many.batch));
		ASSERT_EQ(0, seen.restore);
		ASSERT_EQ(1, seen.run_many);
		for (i = 0; i < NR_MANY; i++) {
			if (i % 7 == 3) {
				ASSERT_EQ(-EREMOTEIO, hlk_batch_result(many.batch, i));
			} else if (i % 9 == 4) {
				ASSERT_EQ(-ENOTRECOVERABLE,
					  hlk_batch_result(many.batch, i));
				ASSERT_EQ(HLK_EXIT_SHUTDOWN,
					  hlk_sandbox_exit(many.sb[i])->reason);
			} else {
				ASSERT_EQ(0, hlk_batch_result(many.batch, i));
				ASSERT_EQ(1, value[i]);
				ASSERT_EQ(4, len[i]);
			}
		}
	}
	close_many(&many);
}

static void no_op(int sig)
{
}

/*
 * Restores and calls in one batch, while signals come that the program handles:
 * each is done, and each result is where its entry is.
 */
TEST_F(fused, a_batch_of_both_while_signals_come)
{
	struct itimerval timer = { { 0, 2000 }, { 0, 2000 } };
	struct many many = {};
	uint32_t value[NR_MANY];
	int i, round;

	if (variant->no_features)
		return;
	ASSERT_EQ(0, open_many(self, &many));
	signal(SIGALRM, no_op);
	setitimer(ITIMER_REAL, &timer, NULL);
	for (round = 0; round < 5; round++) {
		memset(value, 0, sizeof(value));
		for (i = 0; i < NR_MANY; i++)
			ASSERT_EQ(0, i % 3 ?
				  hlk_batch_restore_call(many.batch, many.sb[i], "c",
							 NULL, 0, &value[i], 4, NULL,
							 i % 2 ? 0 : 10000 * MS) :
				  hlk_batch_restore(many.batch, many.sb[i], NULL,
						    i % 2 ? HLK_BATCH_ASYNC : 0));
		ASSERT_EQ(0, hlk_batch_submit(many.batch));
		for (i = 0; i < NR_MANY; i++) {
			ASSERT_EQ(0, hlk_batch_result(many.batch, i));
			ASSERT_EQ(!!(i % 3), value[i]);
		}
	}
	setitimer(ITIMER_REAL, &(struct itimerval){}, NULL);
	close_many(&many);
}

TEST_F(fused, a_batch_ends_guests_that_run_too_long)
{
	struct many many = {};
	uint32_t value[3] = {};

	if (variant->no_features)
		return;
	ASSERT_EQ(0, open_many(self, &many));
	ASSERT_EQ(0, hlk_batch_restore_call(many.batch, many.sb[0], "c", NULL, 0,
					    &value[0], 4, NULL, 10000 * MS));
	ASSERT_EQ(0, hlk_batch_restore_call(many.batch, many.sb[1], "s", NULL, 0,
					    NULL, 0, NULL, 50 * MS));
	ASSERT_EQ(0, hlk_batch_restore_call(many.batch, many.sb[2], "c", NULL, 0,
					    &value[2], 4, NULL, 10000 * MS));
	ASSERT_EQ(-ETIMEDOUT, hlk_batch_submit(many.batch));
	ASSERT_EQ(0, hlk_batch_result(many.batch, 0));
	ASSERT_EQ(-ETIMEDOUT, hlk_batch_result(many.batch, 1));
	ASSERT_EQ(0, hlk_batch_result(many.batch, 2));
	ASSERT_EQ(1, value[0]);
	ASSERT_EQ(1, value[2]);
	/* what was put there and not submitted is let go */
	ASSERT_EQ(0, hlk_batch_restore(many.batch, many.sb[0], NULL, 0));
	ASSERT_EQ(0, hlk_batch_restore_call(many.batch, many.sb[1], "c", NULL, 0,
					    NULL, 0, NULL, 50 * MS));
	hlk_batch_close(many.batch);
	many.batch = NULL;
	ASSERT_EQ(0, call_u32(many.sb[0], "c", value, 0));
	ASSERT_EQ(0, call_u32(many.sb[1], "c", value, 0));
	close_many(&many);
}

/* ---- ahead of the first call ---- */

static uint64_t faults(struct hlk_sandbox *sb)
{
	struct hlk_vm_stats stats = {};

	hlk_sandbox_stats(sb, &stats);
	return stats.read_faults + stats.write_faults;
}

TEST_F(fused, a_new_sandbox_gets_what_others_touched)
{
	struct hlk_config config = HLK_CONFIG_INIT;
	struct hlk_sandbox *with, *without;
	struct hlk_vm_stats stats;
	uint64_t before;
	uint32_t value;
	int i;

	if (variant->no_features)
		return;
	for (i = 0; i < 40; i++)
		OK(call_u32(self->sb, "c", &value, 0));
	ASSERT_EQ(0, hlk_sandbox_from_snapshot(self->ctx, self->snap, &config,
					       &with, NULL));
	config.flags = HLK_CONFIG_NO_PREFAULT;
	ASSERT_EQ(0, hlk_sandbox_from_snapshot(self->ctx, self->snap, &config,
					       &without, NULL));
	EXPECT_EQ(0, hlk_sandbox_stats(with, &stats));
	EXPECT_LT(0, stats.prefaulted);
	EXPECT_EQ(0, hlk_sandbox_stats(without, &stats));
	EXPECT_EQ(0, stats.prefaulted);
	before = faults(with);
	EXPECT_EQ(0, call_u32(with, "c", &value, 0));
	EXPECT_EQ(before, faults(with));
	before = faults(without);
	EXPECT_EQ(0, call_u32(without, "c", &value, 0));
	EXPECT_LT(before, faults(without));
	hlk_sandbox_close(with);
	hlk_sandbox_close(without);
}

TEST_F(fused, pages_can_be_marked_copy_on_write)
{
	struct hlk_mark_cow mark = {};

	OK(hlk_sandbox_mark_cow(self->sb, &mark));
	ASSERT_LT(0, mark.tables);
	OK(echo(self->sb, 10, 0));
}

TEST_HARNESS_MAIN
