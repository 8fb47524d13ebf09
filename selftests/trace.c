// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tracepoints say what was done, and how long it took.
 */
#include "hlk_test.h"
#include "tracing.h"
#include "harness.h"

GUEST(halt, "	hlt\n");

FIXTURE(trace) {
	struct tvm t;
	char *text;
};

typedef FIXTURE_DATA(trace) fixture;

FIXTURE_SETUP(trace)
{
	t_begin();
	tracing_mount();
	self->text = calloc(1, 1 << 20);
	tracing_put("trace", "");
	tracing_put("tracing_on", "1");
	tracing_put("events/hlk/enable", "1");
	tvm_start(&self->t, 0, 0);
	tvm_load(&self->t, TVM_CODE, halt);
}

FIXTURE_TEARDOWN(trace)
{
	tracing_put("events/hlk/enable", "0");
	tracing_umount();
	free(self->text);
	tvm_close(&self->t);
	EXPECT_EQ(0, t_end());
}

/* The last line with @event, after the event's name */
static const char *last(fixture *self, const char *event)
{
	int fd = open(TRACING "/trace", O_RDONLY);
	const char *found = NULL;
	size_t len = 0;
	const char *at;
	ssize_t got;

	t_must(fd >= 0);
	while (len < (1 << 20) - 1 &&
	       (got = read(fd, self->text + len, (1 << 20) - 1 - len)) > 0)
		len += got;
	self->text[len] = 0;
	close(fd);
	for (at = self->text; (at = strstr(at, event)); at++)
		found = at + strlen(event);
	return found;
}

static unsigned long long field(const char *line, const char *name)
{
	const char *at = line ? strstr(line, name) : NULL;

	return at && at < strchrnul(line, '\n') ?
	       strtoull(at + strlen(name), NULL, 0) : ~0ULL;
}

TEST_F(trace, restore_says_what_it_did)
{
	struct hlk_restore r = HLK_STRUCT(hlk_restore);
	const char *line;
	int snap;

	snap = OK(hlk_snapshot_flat(self->t.hlk));
	line = last(self, "hlk_snapshot: ");
	ASSERT_NE(NULL, line);
	ASSERT_EQ(0, field(line, " ret="));
	ASSERT_LT(0, field(line, " pages="));
	ASSERT_LT(0, field(line, " ns="));

	OK(hlk_restore(self->t.hlk, snap, NULL));
	memset(tvm_at(&self->t, TVM_DATA), 1, 5 * PAGE);
	ASSERT_EQ(TVM_DATA + 4 * PAGE, field(last(self, "hlk_cow_fault: "), " gpa="));
	OK(hlk_restore(self->t.hlk, -1, &r));
	line = last(self, "hlk_restore: ");
	ASSERT_EQ(r.copied, field(line, " copied="));
	ASSERT_EQ(r.cleared, field(line, " cleared="));
	ASSERT_EQ(r.private_pages, field(line, " private="));
	ASSERT_LT(0, field(line, " ns="));
	ASSERT_GT(10000000000ULL, field(line, " ns="));
	close(snap);
}

/* Each field is the one that it is named for: in a VM where no two are equal. */
TEST_F(trace, fields_are_what_they_say)
{
	struct hlk_restore r = HLK_STRUCT(hlk_restore);
	struct hlk_snapshot s = HLK_STRUCT(hlk_snapshot);
	const char *line;
	int first, second;
	struct tvm t;

	tvm_start(&t, 0, 7);
	memset(tvm_at(&t, TVM_DATA), 1, 11 * PAGE);
	first = OK(hlk_snapshot_flat(t.hlk));
	OK(hlk_restore(t.hlk, first, NULL));
	memset(tvm_at(&t, TVM_DATA + 9 * PAGE), 2, 5 * PAGE);
	second = OK(hlk_snapshot(t.hlk, &s));
	line = last(self, "hlk_snapshot: ");
	ASSERT_EQ(s.counts.pages, field(line, " pages="));
	ASSERT_EQ(s.counts.copied, field(line, " copied="));
	ASSERT_EQ(s.counts.inherited, field(line, " inherited="));
	ASSERT_LT(0, s.counts.copied);
	ASSERT_LT(s.counts.copied, s.counts.inherited);
	ASSERT_LT(s.counts.inherited, s.counts.pages);

	memset(tvm_at(&t, TVM_DATA), 2, 17 * PAGE);
	OK(hlk_restore(t.hlk, -1, &r));
	line = last(self, "hlk_restore: ");
	ASSERT_EQ(r.copied, field(line, " copied="));
	ASSERT_EQ(r.cleared, field(line, " cleared="));
	ASSERT_EQ(r.freed, field(line, " freed="));
	ASSERT_EQ(r.private_pages, field(line, " private="));
	ASSERT_LT(0, r.freed);
	ASSERT_EQ(7, r.private_pages);
	close(first);
	close(second);
	tvm_close(&t);
}

TEST_F(trace, a_run_says_how_it_ended)
{
	struct hlk_run run = HLK_STRUCT(hlk_run);
	const char *line;
	int snap;

	snap = OK(hlk_snapshot_flat(self->t.hlk));
	OK(hlk_restore(self->t.hlk, snap, NULL));
	run.vcpu_fd = self->t.vcpu;
	OK(hlk_call(self->t.hlk, HLK_RUN, &run));
	line = last(self, "hlk_run: ");
	ASSERT_EQ(1, field(line, " entries="));
	ASSERT_EQ(KVM_EXIT_HLT, field(line, " exit="));
	ASSERT_EQ(HLK_DONE_RESTORED | HLK_DONE_INPUT | HLK_DONE_ENTERED,
		  field(line, " done="));
	close(snap);
}

/* As often as the statistics count it, whoever writes */
TEST_F(trace, a_write_over_the_budget)
{
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	struct hlk_vm_stats stats;
	unsigned long long vm;
	const char *line;
	struct tvm t;
	u64 nr = 0;
	int snap;

	ASSERT_LE(0, zero);
	/* of two VMs */
	snap = OK(hlk_snapshot_flat(self->t.hlk));
	OK(hlk_restore(self->t.hlk, snap, NULL));
	vm = field(last(self, "hlk_restore: "), "vm=");
	close(snap);
	tvm_start(&t, 3, 0);
	snap = OK(hlk_snapshot_flat(t.hlk));
	OK(hlk_restore(t.hlk, snap, NULL));
	ASSERT_NE(vm, field(last(self, "hlk_restore: "), "vm="));
	vm = field(last(self, "hlk_restore: "), "vm=");
	memset(tvm_at(&t, TVM_DATA), 1, 3 * PAGE);
	ASSERT_EQ(NULL, last(self, "hlk_over_budget: "));
	ASSERT_EQ(-1, read(zero, tvm_at(&t, TVM_DATA + 7 * PAGE), 1));
	ASSERT_EQ(EFAULT, errno);
	OK(hlk_stats(t.hlk, &stats));
	line = last(self, "hlk_over_budget: ");
	ASSERT_EQ(TVM_DATA + 7 * PAGE, field(line, " gpa="));
	ASSERT_EQ(3, field(line, " max="));
	ASSERT_EQ(vm, field(line, "vm="));
	for (line = self->text; (line = strstr(line, "hlk_over_budget: ")); line++)
		nr++;
	ASSERT_LT(0, nr);
	ASSERT_EQ(stats.over_budget, nr);
	close(zero);
	close(snap);
	tvm_close(&t);
}

TEST_F(trace, walks_and_marks)
{
	struct hlk_mark_cow mark = HLK_STRUCT(hlk_mark_cow);
	struct hlk_walk walk = HLK_STRUCT(hlk_walk);
	struct hlk_mapping mapping[8];
	u64 root = 0x30000;

	*(u32 *)tvm_at(&self->t, 0x30000) = 0x31000 | PTE_P | PTE_W;
	*(u32 *)tvm_at(&self->t, 0x31000) = 0x1000 | PTE_P | PTE_W;
	walk.paging.flags = HLK_PAGING_GIVEN;
	walk.roots = (uintptr_t)&root;
	walk.nr_roots = 1;
	walk.mappings = (uintptr_t)mapping;
	walk.mapping_size = sizeof(struct hlk_mapping);
	walk.nr_mappings = ARRAY_SIZE(mapping);
	OK(hlk_call(self->t.hlk, HLK_WALK, &walk));
	ASSERT_EQ(1, field(last(self, "hlk_walk: "), " tables="));
	ASSERT_EQ(1, field(last(self, "hlk_walk: "), " mappings="));

	mark.paging.flags = HLK_PAGING_GIVEN;
	mark.roots = (uintptr_t)&root;
	mark.nr_roots = 1;
	OK(hlk_call(self->t.hlk, HLK_MARK_COW, &mark));
	ASSERT_EQ(1, mark.marked);
	ASSERT_EQ(2, mark.tables);
	ASSERT_EQ(1, field(last(self, "hlk_mark_cow: "), " marked="));
	ASSERT_EQ(0x1000 | PTE_P | PTE_COW, *(u32 *)tvm_at(&self->t, 0x31000));
}

/* Off, nothing is measured and nothing written. */
TEST_F(trace, off_is_silent)
{
	int snap;

	snap = OK(hlk_snapshot_flat(self->t.hlk));
	tracing_put("events/hlk/enable", "0");
	tracing_put("trace", "");
	OK(hlk_restore(self->t.hlk, snap, NULL));
	ASSERT_EQ(NULL, last(self, "hlk_restore: "));
	/* enabled in the middle of nothing: the next one is whole again */
	tracing_put("events/hlk/enable", "1");
	OK(hlk_restore(self->t.hlk, -1, NULL));
	ASSERT_NE(NULL, last(self, "hlk_restore: "));
	close(snap);
}

TEST_HARNESS_MAIN
