// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that is refused a page, by the limit of its cgroup or by its VM's budget: that
 * is an exit, after a few tries at most, whether KVM faults the page in for it or has
 * a worker do so, and nothing stays of it. Who pays is in accounting.c.
 */
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>

#include "cgroup.h"
#include "tracing.h"
#include "harness.h"

/* Read what is no window's, and exit */
#define BESIDE_GPA	0x8000000UL
GUEST(beside, "	movl 0x8000000, %eax\n"
	      "	outb %al, $0x10\n");

#define ROUNDS		20
#define DEBUG_ROUNDS	4
#define REFUSALS	3
#define TOLERANCE	(64 * 1024)

/*
 * Refusals: errors that faults of windows end in, for whatever reason. The module
 * itself counts those by the budget alone. By the cgroup's limit a page may be refused
 * and then be there at the next try, when something was reclaimed: those count that
 * came after the last page.
 */
static bool refusals_begin(void)
{
	tracing_mount();
	if (access(TRACING "/kprobe_events", W_OK)) {
		tracing_umount();
		fprintf(stderr, "# a kernel without probes: refusals are not counted\n");
		return false;
	}
	tracing_add("kprobe_events", "r:refused/fault hlk:window_fault ret=$retval:u32\n");
	tracing_add("kprobe_events", "r:refused/write hlk:window_mkwrite ret=$retval:u32\n");
	/* VM_FAULT_OOM and VM_FAULT_SIGBUS */
	tracing_put("events/refused/fault/filter", "ret & 3");
	tracing_put("events/refused/write/filter", "ret & 3");
	tracing_put("events/refused/enable", "1");
	tracing_put("events/hlk/hlk_cow_fault/enable", "1");
	return true;
}

static void refusals_forget(bool counted)
{
	int fd = counted ? open(TRACING "/trace", O_WRONLY | O_TRUNC | O_CLOEXEC) : -1;

	t_must(!counted || fd >= 0);
	close(fd);
}

static u64 refusals(bool counted)
{
	FILE *file = counted ? fopen(TRACING "/trace", "r") : NULL;
	char line[512];
	u64 nr = 0;

	while (file && fgets(line, sizeof(line), file)) {
		if (strstr(line, "hlk_cow_fault:"))
			nr = 0;
		nr += line[0] != '#' && strstr(line, "ret=");
	}
	if (file)
		fclose(file);
	return nr;
}

static void refusals_end(bool counted)
{
	if (!counted)
		return;
	tracing_put("events/hlk/hlk_cow_fault/enable", "0");
	tracing_put("events/refused/enable", "0");
	tracing_add("kprobe_events", "-:refused/fault\n");
	tracing_add("kprobe_events", "-:refused/write\n");
	tracing_umount();
}

FIXTURE(refused) {
	int dev;
	bool counted;
};

/* @irqchip: KVM may hand faults to a worker; @run: by HLK_RUN, not by KVM_RUN */
FIXTURE_VARIANT(refused) {
	bool irqchip;
	bool run;
};

FIXTURE_VARIANT_ADD(refused, plain) { false, false };
FIXTURE_VARIANT_ADD(refused, plain_hlk_run) { false, true };
FIXTURE_VARIANT_ADD(refused, irqchip) { true, false };
FIXTURE_VARIANT_ADD(refused, irqchip_hlk_run) { true, true };

FIXTURE_SETUP(refused)
{
	t_begin();
	cg_begin();
	self->dev = hlk_open();
	self->counted = refusals_begin();
}

FIXTURE_TEARDOWN(refused)
{
	refusals_end(self->counted);
	close(self->dev);
	EXPECT_EQ(0, t_end());
	EXPECT_TRUE(cg_end());
}

static void too_long(int sig)
{
}

/* Pages that the module has, in whatever way they are counted elsewhere */
static u64 live_pages(int dev)
{
	struct hlk_info info;

	t_must(!hlk_info(dev, &info));
	return info.live_pages;
}

static void refused_machine(struct tvm *t, bool irqchip, u64 max_private)
{
	struct sigaction action = { .sa_handler = too_long };

	sigaction(SIGALRM, &action, NULL);
	if (irqchip)
		tvm_open_irqchip(t);
	else
		tvm_open(t);
	tvm_machine(t, max_private, 2);
	cg_eater(t);
}

/* From the snapshot to where it ends; EINTR if it does not */
static int refused_run(struct tvm *t, bool run)
{
	struct hlk_run r = HLK_STRUCT(hlk_run);
	int ret;

	r.vcpu_fd = t->vcpu;
	if (run)
		r.head.flags = HLK_RUN_CONTINUE;
	alarm(60);
	ret = run ? hlk_call(t->hlk, HLK_RUN, &r) : tvm_run(t);
	alarm(0);
	return ret;
}

/*
 * On the debug kernel a round takes ten times as long. There a few show that none is
 * refused in silence; kmemleak and charges show what is left of them.
 */
static u32 rounds(void)
{
	return access("/sys/kernel/debug/kmemleak", F_OK) ? ROUNDS : DEBUG_ROUNDS;
}

/*
 * A trend in the host's memory: the most that was there late is less than the most that
 * was there early, by more than what comes and goes (per-CPU lists, slabs). It takes
 * all rounds.
 */
struct trend {
	u64 early;
	u64 late;
};

static void trend_note(struct trend *trend, u64 round)
{
	u64 now = file_number("/proc/meminfo", "MemAvailable:");

	if (round >= 2 && round < ROUNDS / 2)
		trend->early = now > trend->early ? now : trend->early;
	else if (round >= ROUNDS / 2)
		trend->late = now > trend->late ? now : trend->late;
}

static bool trend_none(const struct trend *trend)
{
	if (rounds() < ROUNDS)
		return true;
	fprintf(stderr, "# host: %llu KiB free early, %llu late\n",
		(unsigned long long)trend->early, (unsigned long long)trend->late);
	/*
	 * A round takes 8 MiB, ten of them are late, and what one gave back may not be
	 * there yet.
	 */
	return trend->late + 16 * MIB / 1024 >= trend->early;
}

static int refused_by_the_limit(bool irqchip, bool run, bool counted)
{
	u64 start, room = BIG / 4 + MIB, had, live, made, i, now, nr, all = 0;
	/* charged before, not used yet: 64 pages on each CPU */
	u64 stock = 64 * PAGE * sysconf(_SC_NPROCESSORS_ONLN);
	int current = open(ROOT "/t/memory.current", O_RDONLY | O_CLOEXEC);
	struct hlk_vm_stats stats;
	struct trend trend = {};
	char bytes[32] = "";
	struct tvm t;
	int snap, ret;

	/* it has its buffer then; at the limit there would be no room for one */
	t_must(pread(current, bytes, sizeof(bytes) - 1, 0) > 0);
	refused_machine(&t, irqchip, 0);
	snap = hlk_snapshot_flat(t.hlk);
	t_must(snap >= 0);
	for (i = 0; i < rounds(); i++) {
		t_must(!hlk_restore(t.hlk, snap, NULL));
		t_must(!hlk_stats(t.hlk, &stats));
		had = stats.private_pages;
		live = live_pages(t.dev);
		trend_note(&trend, i);
		refusals_forget(counted);
		start = cg_charged();
		snprintf(bytes, sizeof(bytes), "%llu", (unsigned long long)start + room);
		cg_limit(bytes);
		ret = refused_run(&t, run);
		memset(bytes, 0, sizeof(bytes));
		t_must(pread(current, bytes, sizeof(bytes) - 1, 0) > 0);
		cg_limit("max");
		if (ret != -EFAULT && ret != -ENOMEM) {
			fprintf(stderr, "# round %llu: %d\n", (unsigned long long)i, ret);
			return 1;
		}
		now = strtoull(bytes, NULL, 10);
		t_must(!hlk_stats(t.hlk, &stats));
		made = (stats.private_pages - had) * PAGE;
		nr = refusals(counted);
		all += nr;
		if (nr > REFUSALS || live_pages(t.dev) - live != stats.private_pages - had) {
			fprintf(stderr, "# round %llu: %llu refusals, %llu live pages\n",
				(unsigned long long)i, (unsigned long long)nr,
				(unsigned long long)live_pages(t.dev));
			return 4;
		}
		if (now > start + room + TOLERANCE || made > room + stock + TOLERANCE ||
		    stats.private_pages * PAGE > now || made < room / 2) {
			fprintf(stderr, "# round %llu: %llu KiB made, %llu more charged, of %llu\n",
				(unsigned long long)i, (unsigned long long)made / 1024,
				(unsigned long long)(now - start) / 1024,
				(unsigned long long)room / 1024);
			return 2;
		}
	}
	fprintf(stderr, "# %llu refusals in %u rounds\n", (unsigned long long)all, rounds());
	/* a page table may be what is refused, but not each time */
	if (counted && !all)
		return 5;
	return trend_none(&trend) ? 0 : 3;
}

TEST_F_TIMEOUT(refused, by_the_cgroup_s_limit, 280)
{
	pid_t other = cg_bystander();
	u64 before = cg_kills();

	EXPECT_EQ(0, IN_CHILD(_exit(refused_by_the_limit(variant->irqchip, variant->run,
							 self->counted))));
	cg_limit("max");
	EXPECT_EQ(before, cg_kills());
	EXPECT_EQ(0, waitpid(other, NULL, WNOHANG));
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
}

TEST_F_TIMEOUT(refused, by_the_budget, 280)
{
	u64 over = 0, had, live, nr;
	struct hlk_vm_stats stats;
	struct trend trend = {};
	struct tvm t;
	int snap, i;

	refused_machine(&t, variant->irqchip, 300);
	snap = OK(hlk_snapshot_flat(t.hlk));
	for (i = 0; i < rounds(); i++) {
		OK(hlk_restore(t.hlk, snap, NULL));
		OK(hlk_stats(t.hlk, &stats));
		had = stats.private_pages;
		ASSERT_GE(300, had);
		live = live_pages(t.dev);
		trend_note(&trend, i);
		refusals_forget(self->counted);
		ASSERT_EQ(-EFAULT, refused_run(&t, variant->run));
		nr = refusals(self->counted);
		OK(hlk_stats(t.hlk, &stats));
		ASSERT_EQ(had + 300, stats.private_pages);
		ASSERT_EQ(300, live_pages(t.dev) - live);
		ASSERT_LT(over, stats.over_budget);
		ASSERT_GE(over + REFUSALS, stats.over_budget);
		if (self->counted)
			ASSERT_EQ(stats.over_budget - over, nr);
		over = stats.over_budget;
		/* and again, for a VMM that does not look */
		ASSERT_EQ(-EFAULT, refused_run(&t, variant->run));
		OK(hlk_stats(t.hlk, &stats));
		ASSERT_GE(over + REFUSALS, stats.over_budget);
		over = stats.over_budget;
	}
	OK(hlk_restore_flags(t.hlk, snap, HLK_RESTORE_AUDIT, NULL));
	EXPECT_TRUE(trend_none(&trend));
	close(snap);
	tvm_close(&t);
}

static void *run_one(void *arg)
{
	return (void *)(long)tvm_run(arg);
}

/* With an APIC in the kernel, without which KVM has no worker */
FIXTURE(worker) {
	struct tvm t;
};

/* @run: by HLK_RUN, not by KVM_RUN */
FIXTURE_VARIANT(worker) {
	bool run;
};

FIXTURE_VARIANT_ADD(worker, kvm_run) { false };
FIXTURE_VARIANT_ADD(worker, hlk_run) { true };

FIXTURE_SETUP(worker)
{
	t_begin();
	refused_machine(&self->t, true, 300);
}

FIXTURE_TEARDOWN(worker)
{
	tvm_close(&self->t);
	EXPECT_EQ(0, t_end());
}

/*
 * KVM has a worker ask for memory that takes time, and the vCPU blocks meanwhile. It does so
 * again for who comes into the vCPU after one who was refused a page.
 */
TEST_F_TIMEOUT(worker, asks_for_the_next_tenant_too, 280)
{
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_zeropage zero = {};
	int fd, first, second, ticks;
	struct uffd_msg msg;
	pthread_t thread;
	bool blocked;
	char path[64];
	void *ret;
	u8 *at;

	at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, at);
	tvm_memslot(&self->t, BESIDE_GPA, PAGE, at, 0);
	first = OK(hlk_snapshot_flat(self->t.hlk));
	tvm_load(&self->t, TVM_CODE, beside);
	second = OK(hlk_snapshot_flat(self->t.hlk));
	OK(hlk_restore(self->t.hlk, first, NULL));
	ASSERT_EQ(-EFAULT, refused_run(&self->t, variant->run));
	OK(hlk_restore(self->t.hlk, second, NULL));

	fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	ASSERT_LE(0, fd);
	reg.range.start = (uintptr_t)at;
	reg.range.len = PAGE;
	zero.range = reg.range;
	ASSERT_EQ(0, ioctl(fd, UFFDIO_API, &api));
	ASSERT_EQ(0, ioctl(fd, UFFDIO_REGISTER, &reg));
	ASSERT_EQ(0, pthread_create(&thread, NULL, run_one, &self->t));
	ASSERT_EQ(sizeof(msg), read(fd, &msg, sizeof(msg)));
	snprintf(path, sizeof(path), "/sys/kernel/debug/kvm/%d-%d/blocking", getpid(), self->t.vm);
	for (ticks = 0; !file_number(path, NULL) && ticks < 1000; ticks++)
		usleep(10000);
	blocked = file_number(path, NULL);
	ASSERT_EQ(0, ioctl(fd, UFFDIO_ZEROPAGE, &zero));
	pthread_join(thread, &ret);
	ASSERT_EQ(KVM_EXIT_IO, (long)ret);
	ASSERT_TRUE(blocked);
	close(fd);
	close(first);
	close(second);
}

TEST_HARNESS_MAIN
