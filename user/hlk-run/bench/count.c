// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a way costs beside time, per restore and call. KVM's own statistics tell
 * of entries, nested page faults and TLB flushes; the kernel's tracepoints of
 * system calls and page allocations of this process; /proc/interrupts of IPIs.
 *
 * Counting is a pass of its own: none of it is on while something is timed. A tracepoint
 * that is open costs, even where it is disabled.
 */
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "count.h"

#define MAX_CPUS	256
#define IPI_TURNS	9

/* statistics of KVM that are summed up; exits for the host's interrupts apart */
struct stats {
	uint64_t exits;
	uint64_t interrupts;
	uint64_t nested;
	uint64_t tlb;
	bool known;
};

static struct {
	int alloc;
	int syscalls;
} event = { -1, -1 };

const char *count_name(enum bench_count count)
{
	static const char *const name[NR_COUNTS] = {
		[COUNT_SYSCALLS] = "syscalls",
		[COUNT_SYSCALLS_SEEN] = "syscalls_seen",
		[COUNT_ENTRIES] = "vm_entries",
		[COUNT_NESTED] = "nested_faults",
		[COUNT_TLB] = "tlb_flushes",
		[COUNT_PAGES] = "pages_copied",
		[COUNT_FAULTS] = "host_faults",
		[COUNT_ALLOC] = "page_allocs",
		[COUNT_IPI] = "ipis",
	};

	return name[count];
}

static long tracepoint_id(const char *name)
{
	static const char *const root[] = {
		"/sys/kernel/tracing", "/sys/kernel/debug/tracing",
	};
	char path[160];
	FILE *file;
	long id;
	size_t i;

	for (i = 0; i < sizeof(root) / sizeof(*root); i++) {
		snprintf(path, sizeof(path), "%s/events/%s/id", root[i], name);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (fscanf(file, "%ld", &id) != 1)
			id = -1;
		fclose(file);
		return id;
	}
	return -1;
}

/* Of this process and of the workers that io_uring makes for it */
static int open_event(const char *name)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
		.disabled = 1,
		.inherit = 1,
	};
	long id = tracepoint_id(name);

	if (id < 0)
		return -1;
	attr.config = id;
	return syscall(SYS_perf_event_open, &attr, 0, -1, -1,
		       PERF_FLAG_FD_CLOEXEC);
}

static void events_open(void)
{
	event.alloc = open_event("kmem/mm_page_alloc");
	event.syscalls = open_event("raw_syscalls/sys_enter");
}

static void events_close(void)
{
	if (event.alloc >= 0)
		close(event.alloc);
	if (event.syscalls >= 0)
		close(event.syscalls);
	event.alloc = -1;
	event.syscalls = -1;
}

static void events_on(void)
{
	if (event.alloc >= 0)
		ioctl(event.alloc, PERF_EVENT_IOC_ENABLE, 0);
	if (event.syscalls >= 0)
		ioctl(event.syscalls, PERF_EVENT_IOC_ENABLE, 0);
}

static void events_off(void)
{
	if (event.syscalls >= 0)
		ioctl(event.syscalls, PERF_EVENT_IOC_DISABLE, 0);
	if (event.alloc >= 0)
		ioctl(event.alloc, PERF_EVENT_IOC_DISABLE, 0);
}

static double event_value(int fd)
{
	uint64_t value;

	if (fd < 0 || read(fd, &value, sizeof(value)) != sizeof(value))
		return BENCH_NO_COUNT;
	return value;
}

/* Calls @each with all statistics behind an fd of KVM's */
static void read_stats(int of, struct stats *stats,
		       void (*each)(struct stats *stats, const char *name,
				    uint64_t value))
{
	int fd = ioctl(of, KVM_GET_STATS_FD, 0);
	struct kvm_stats_header head;
	struct kvm_stats_desc *desc = NULL;
	uint64_t value;
	size_t bytes;
	uint32_t i;

	if (fd < 0)
		return;
	if (pread(fd, &head, sizeof(head), 0) != sizeof(head))
		goto out;
	bytes = sizeof(*desc) + head.name_size;
	desc = malloc(bytes);
	for (i = 0; desc && i < head.num_desc; i++) {
		if (pread(fd, desc, bytes, head.desc_offset + i * bytes) !=
		    (ssize_t)bytes)
			goto out;
		if (pread(fd, &value, sizeof(value),
			  head.data_offset + desc->offset) == sizeof(value))
			each(stats, desc->name, value);
	}
out:
	free(desc);
	close(fd);
}

static void each_stat(struct stats *stats, const char *name, uint64_t value)
{
	stats->known = true;
	if (!strcmp(name, "exits"))
		stats->exits += value;
	else if (!strcmp(name, "irq_exits"))
		stats->interrupts += value;
	else if (!strcmp(name, "pf_taken"))
		stats->nested += value;
	else if (!strcmp(name, "tlb_flush") || !strcmp(name, "remote_tlb_flush"))
		stats->tlb += value;
}

static void machine_stats(const struct machine *m, struct stats *stats)
{
	if (m->vcpu < 0)
		return;
	read_stats(m->vcpu, stats, each_stat);
	read_stats(m->vm, stats, each_stat);
}

static struct stats way_stats(const struct bench_way *way)
{
	struct stats stats = {};
	uint32_t i;

	if (!way->more)
		machine_stats(&way->m, &stats);
	for (i = 0; way->more && i < way->batch; i++)
		machine_stats(&way->more[i], &stats);
	return stats;
}

/* Function-call and TLB interrupts of all CPUs */
static double ipis(void)
{
	FILE *file = fopen("/proc/interrupts", "re");
	double sum = BENCH_NO_COUNT;
	char line[4096];
	char *at, *end;
	int cpu;

	if (!file)
		return BENCH_NO_COUNT;
	while (fgets(line, sizeof(line), file)) {
		at = line + strspn(line, " ");
		if (strncmp(at, "CAL:", 4) && strncmp(at, "TLB:", 4))
			continue;
		if (sum < 0)
			sum = 0;
		at += 4;
		for (cpu = 0; cpu < MAX_CPUS; cpu++, at = end) {
			unsigned long long value = strtoull(at, &end, 10);

			if (end == at)
				break;
			sum += value;
		}
	}
	fclose(file);
	return sum;
}

static uint64_t faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt + usage.ru_majflt;
}

static double per(double value, uint64_t calls)
{
	return value < 0 ? BENCH_NO_COUNT : value / calls;
}

/* A VM that lives for one turn has counted this turn alone. */
static void add_new_vm(struct stats *sum, const struct bench_way *way)
{
	struct stats stats = way_stats(way);

	sum->exits += stats.exits;
	sum->interrupts += stats.interrupts;
	sum->nested += stats.nested;
	sum->tlb += stats.tlb;
	sum->known |= stats.known;
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a;
	double right = *(const double *)b;

	return left < right ? -1 : left > right;
}

/* They are those of the whole machine, so the median turn is asked. */
static int count_ipis(struct bench_way *way, double *ipi)
{
	double turn[IPI_TURNS];
	double before;
	uint32_t i;

	for (i = 0; i < IPI_TURNS; i++) {
		if (way->ops->before)
			way->ops->before(way);
		before = ipis();
		if (way->ops->turn(way))
			return -1;
		turn[i] = ipis() - before;
	}
	qsort(turn, IPI_TURNS, sizeof(*turn), compare);
	*ipi = before < 0 ? BENCH_NO_COUNT : turn[IPI_TURNS / 2] / way->batch;
	return 0;
}

static uint64_t entries(const struct stats *start, const struct stats *end)
{
	return end->exits - start->exits - (end->interrupts - start->interrupts);
}

static int count_turns(struct bench_way *way, uint32_t turns, double *count)
{
	const bool new_vm = way->ops->flags & WAY_NEW_VM;
	const uint64_t calls = (uint64_t)turns * way->batch;
	double alloc = event_value(event.alloc);
	double seen = event_value(event.syscalls);
	struct stats start = new_vm ? (struct stats){} : way_stats(way);
	struct stats end = {};
	uint64_t syscalls = 0, copied = 0, faulted = 0, fault;
	double ipi;
	uint32_t i;
	int ret = 0;

	for (i = 0; i < turns && !ret; i++) {
		if (way->ops->before)
			way->ops->before(way);
		syscalls -= way->syscalls;
		copied -= way->copied;
		fault = faults();
		events_on();
		ret = way->ops->turn(way);
		events_off();
		faulted += faults() - fault;
		syscalls += way->syscalls;
		copied += way->copied;
		if (new_vm)
			add_new_vm(&end, way);
	}
	if (ret)
		return ret;
	if (!new_vm)
		end = way_stats(way);
	if (count_ipis(way, &ipi))
		return -1;
	/* the call that stops the counting is counted */
	seen = event.syscalls < 0 ? BENCH_NO_COUNT :
	       event_value(event.syscalls) - seen - turns;
	alloc = event.alloc < 0 ? BENCH_NO_COUNT :
		event_value(event.alloc) - alloc;
	count[COUNT_SYSCALLS] = per(syscalls, calls);
	count[COUNT_SYSCALLS_SEEN] = per(seen, calls);
	count[COUNT_ENTRIES] = per(end.known ? entries(&start, &end) : -1.0,
				   calls);
	count[COUNT_NESTED] = per(end.known ? end.nested - start.nested : -1.0,
				  calls);
	count[COUNT_TLB] = per(end.known ? end.tlb - start.tlb : -1.0, calls);
	count[COUNT_PAGES] = per(copied, calls);
	count[COUNT_FAULTS] = per(faulted, calls);
	count[COUNT_ALLOC] = per(alloc, calls);
	count[COUNT_IPI] = ipi;
	return 0;
}

/**
 * count_way() - what a way costs beside time
 * @way: a way that is warm
 * @turns: how often it is done for this
 * @count: out: per restore and call, by enum bench_count
 *
 * Return: 0 or -1
 */
int count_way(struct bench_way *way, uint32_t turns, double *count)
{
	int ret;

	events_open();
	ret = count_turns(way, turns, count);
	events_close();
	return ret;
}
