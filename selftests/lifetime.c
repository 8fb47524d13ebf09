// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whatever is closed first, and wherever a process is killed, nothing stays
 * behind: no VM, snapshot or page, and the module can be unloaded.
 */
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "hlk_test.h"
#include "harness.h"

#define ROUNDS	100

GUEST(count, "1:	incl 0x20000\n"
	     "	incl 0x30000\n"
	     "	hlt\n"
	     "	jmp 1b\n");

GUEST(long_call, "	sti\n"
		 "	movl $200000, %ecx\n"
		 "1:	incl 0x20000\n"
		 "	loop 1b\n"
		 "	hlt\n");
#define LONG_CALL	200000

static void nap(long us)
{
	struct timespec t = { .tv_nsec = us * 1000 };

	nanosleep(&t, NULL);
}

/* One whole use; returns the snapshot's fd. */
static int use(struct tvm *t)
{
	struct hlk_restore r;
	int snap;

	tvm_start(t, 0, 0);
	tvm_load(t, TVM_CODE, count);
	snap = hlk_snapshot_flat(t->hlk);
	t_must(snap >= 0);
	t_must(!hlk_restore(t->hlk, snap, &r));
	t_must(tvm_run(t) == KVM_EXIT_HLT);
	t_must(!hlk_restore(t->hlk, -1, &r));
	return snap;
}

/* What can be closed by itself */
enum {
	CLOSE_VM,
	CLOSE_VCPU,
	CLOSE_HLK,
	CLOSE_SNAP,
	CLOSE_WINDOWS,
	CLOSE_NR,
};

static void close_one(struct tvm *t, int snap, int what)
{
	u32 i;

	switch (what) {
	case CLOSE_VM:
		close(t->vm);
		break;
	case CLOSE_VCPU:
		munmap(t->run, t->run_bytes);
		close(t->vcpu);
		break;
	case CLOSE_HLK:
		close(t->hlk);
		break;
	case CLOSE_SNAP:
		close(snap);
		break;
	case CLOSE_WINDOWS:
		for (i = 0; i < t->nr_maps; i++)
			munmap(t->maps[i].at, t->maps[i].bytes);
		break;
	}
}

FIXTURE(lifetime) {
	int dev;
};

FIXTURE_SETUP(lifetime)
{
	t_begin();
	self->dev = hlk_open();
	ASSERT_LE(0, self->dev);
}

FIXTURE_TEARDOWN(lifetime)
{
	close(self->dev);
	EXPECT_EQ(0, t_end());
}

static u64 live(int dev)
{
	struct hlk_info info;

	t_must(!hlk_info(dev, &info));
	return info.live_vms + info.live_snapshots + info.live_pages;
}

/* All 120 orders in which five things can be closed */
TEST_F_TIMEOUT(lifetime, closed_in_any_order, 280)
{
	int order[CLOSE_NR];
	struct tvm t;
	bool used[CLOSE_NR];
	int nr, n, i, j, snap;

	for (nr = 0; nr < 120; nr++) {
		memset(used, 0, sizeof(used));
		for (n = nr, i = 0; i < CLOSE_NR; n /= CLOSE_NR - i, i++) {
			int nth = n % (CLOSE_NR - i);

			for (j = 0; used[j] || nth--; j++)
				;
			used[j] = true;
			order[i] = j;
		}
		snap = use(&t);
		for (i = 0; i < CLOSE_NR; i++)
			close_one(&t, snap, order[i]);
		close(t.dev);
		close(t.kvm);
		ASSERT_EQ(0, live(self->dev)) {
			TH_LOG("order %d%d%d%d%d", order[0], order[1], order[2],
			       order[3], order[4]);
		}
	}
}

static pid_t user_until_killed(void)
{
	pid_t pid = fork();
	struct tvm t;
	int snap;

	if (pid)
		return pid;
	for (;;) {
		snap = use(&t);
		close(snap);
		tvm_close(&t);
	}
}

TEST_F_TIMEOUT(lifetime, killed_at_any_point, 280)
{
	u32 seed = t_seed();
	int round, tries;
	pid_t pid;

	for (round = 0; round < ROUNDS; round++) {
		pid = user_until_killed();
		ASSERT_LE(0, pid);
		nap(t_rnd(&seed) % 60000);
		kill(pid, SIGKILL);
		ASSERT_EQ(pid, waitpid(pid, NULL, 0));
		/* the last fput() may come a little later */
		for (tries = 0; live(self->dev) && tries < 100; tries++)
			nap(10000);
		ASSERT_EQ(0, live(self->dev)) {
			TH_LOG("round %d", round);
		}
	}
}

/**
 * struct progress - what the parent sees of a child
 * @calls: calls into the guest that came to their end
 * @interrupted: entries that ended early
 */
struct progress {
	volatile u32 calls;
	volatile u32 interrupted;
};

static pid_t caller_until_killed(struct progress *p)
{
	pid_t pid = fork();
	volatile u32 *count;
	struct tvm t;
	int snap, ret;

	if (pid)
		return pid;
	tvm_start(&t, 0, 0);
	tvm_load(&t, TVM_CODE, long_call);
	count = (u32 *)tvm_at(&t, 0x20000);
	snap = hlk_snapshot_flat(t.hlk);
	t_must(snap >= 0);
	for (;; p->calls++) {
		t_must(!hlk_restore(t.hlk, snap, NULL));
		t_must(!*count);
		while ((ret = tvm_run(&t)) == -EINTR)
			p->interrupted++;
		t_must(ret == KVM_EXIT_HLT);
		t_must(*count == LONG_CALL);
	}
}

/* A vCPU's thread that is stopped, wherever it is, goes on as if nothing had been. */
TEST_F_TIMEOUT(lifetime, suspended_at_any_point, 280)
{
	struct progress *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	u32 seed = t_seed();
	u32 calls;
	int round, status;
	pid_t pid;

	ASSERT_NE(MAP_FAILED, p);
	pid = caller_until_killed(p);
	ASSERT_LE(0, pid);
	for (round = 0; round < ROUNDS || !p->interrupted; round++) {
		nap(t_rnd(&seed) % 20000);
		kill(pid, SIGSTOP);
		ASSERT_EQ(pid, waitpid(pid, &status, WUNTRACED));
		ASSERT_TRUE(WIFSTOPPED(status));
		calls = p->calls;
		nap(5000);
		ASSERT_EQ(calls, p->calls);
		kill(pid, SIGCONT);
	}
	for (calls = p->calls; p->calls - calls < 2;)
		ASSERT_EQ(0, waitpid(pid, &status, WNOHANG));
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(SIGKILL, WTERMSIG(status));
	TH_LOG("%u calls, %u entries interrupted", p->calls, p->interrupted);
	munmap(p, PAGE);
}

static int unload(void)
{
	return syscall(SYS_delete_module, "hlk", O_NONBLOCK);
}

static int load(const char *path)
{
	int fd = open(path, O_RDONLY);
	int ret = syscall(SYS_finit_module, fd, "", 0);

	close(fd);
	return ret;
}

TEST_F_TIMEOUT(lifetime, unloaded_when_unused_and_only_then, 280)
{
	const char *path = t_module();
	u32 seed = t_seed();
	int round, tries, snap;
	struct tvm t;
	pid_t pid;

	if (!path)
		SKIP(return, "needs root and HLK_KO");
	close(self->dev);
	for (round = 0; round < ROUNDS; round++) {
		if (round % 2) {
			pid = user_until_killed();
			nap(t_rnd(&seed) % 60000);
			kill(pid, SIGKILL);
			ASSERT_EQ(pid, waitpid(pid, NULL, 0));
		} else {
			snap = use(&t);
			FAILS_ERRNO(EWOULDBLOCK, unload());
			/* a mapping alone keeps it, and a snapshot alone */
			close(t.dev);
			close(t.hlk);
			close(snap);
			FAILS_ERRNO(EWOULDBLOCK, unload());
			t.dev = -1;
			t.hlk = -1;
			tvm_close(&t);
		}
		for (tries = 0; unload() && tries < 100; tries++)
			nap(10000);
		ASSERT_GT(100, tries) {
			TH_LOG("round %d: %s", round, strerror(errno));
		}
		ASSERT_EQ(0, load(path));
	}
	for (tries = 0; access("/dev/hlk", R_OK) && tries < 100; tries++)
		nap(10000);
	self->dev = hlk_open();
	ASSERT_LE(0, self->dev);
}

TEST_HARNESS_MAIN
