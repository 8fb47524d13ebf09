// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Pages that the host finds by their guest-physical addresses: locked, so that they are not
 * swapped out; not inherited, so that no fork makes the next write a copy; and held by a
 * pipe that nobody reads, so that the kernel does not move them.
 *
 * More are taken than needed, and of these those that follow each other in memory: what the
 * host writes before a call is then one piece, mostly.
 */
#include "agent.h"

#define POOL		1024U
#define PAGEMAP_PFN	((1ULL << 55) - 1)
#define PAGEMAP_PRESENT	(1ULL << 63)

static uint64_t frame[POOL];
static uint32_t place[POOL];

static bool failed(const void *at)
{
	return (unsigned long)at > -4096UL;
}

static char *map(uint32_t pages, int prot)
{
	return (char *)sys_mmap(NULL, (size_t)pages * PAGE, prot,
				MAP_PRIVATE | MAP_ANONYMOUS);
}

/* Without CAP_SYS_ADMIN the kernel says 0. */
static long read_frames(const char *mem, uint32_t nr)
{
	long fd = sys(SYS_open, (long)"/proc/self/pagemap",
		      O_RDONLY | O_CLOEXEC, 0, 0, 0);
	size_t bytes = nr * sizeof(frame[0]);
	uint32_t i;
	long ret;

	if (fd < 0)
		return fd;
	ret = sys_pread(fd, frame, bytes,
			(uint64_t)((unsigned long)mem / PAGE) * sizeof(frame[0]));
	sys(SYS_close, fd, 0, 0, 0, 0);
	if (ret != (long)bytes)
		return ret < 0 ? ret : -ENODEV;
	for (i = 0; i < nr; i++) {
		if (!(frame[i] & PAGEMAP_PRESENT) || !(frame[i] & PAGEMAP_PFN))
			return -ENODEV;
		frame[i] &= PAGEMAP_PFN;
	}
	return 0;
}

/* Heap sort: @place is put in the order of frames. */
static void sink(uint32_t at, uint32_t nr)
{
	uint32_t child, kept = place[at];

	for (child = 2 * at + 1; child < nr; child = 2 * at + 1) {
		if (child + 1 < nr && frame[place[child]] < frame[place[child + 1]])
			child++;
		if (frame[place[child]] <= frame[kept])
			break;
		place[at] = place[child];
		at = child;
	}
	place[at] = kept;
}

static void sort(uint32_t nr)
{
	uint32_t i, last;

	for (i = 0; i < nr; i++)
		place[i] = i;
	for (i = nr / 2; i--;)
		sink(i, nr);
	for (i = nr; i-- > 1;) {
		last = place[i];
		place[i] = place[0];
		place[0] = last;
		sink(0, i);
	}
}

static uint32_t run_at(uint32_t at, uint32_t end)
{
	uint32_t len = 1;

	while (at + len < end &&
	       frame[place[at + len]] == frame[place[at]] + len)
		len++;
	return len;
}

/* The longest run among the first @nr that nobody took; @len: how long */
static uint32_t longest(uint32_t nr, uint32_t *len)
{
	uint32_t at, run, best = 0;

	for (at = 0, *len = 0; at < nr; at += run) {
		run = run_at(at, nr);
		if (run > *len) {
			*len = run;
			best = at;
		}
	}
	return best;
}

/* Move the best of @pool, @nr pages, to @to. */
static long choose(const char *pool, uint32_t nr, char *to, uint32_t need)
{
	uint32_t at, len, i;
	long ret;

	while (need) {
		at = longest(nr, &len);
		if (len > need)
			len = need;
		for (i = 0; i < len; i++, to += PAGE) {
			ret = sys(SYS_mremap, (long)pool + (long)place[at + i] * PAGE,
				  PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, (long)to);
			if (ret < 0 && ret > -4096)
				return ret;
		}
		need -= len;
		for (i = at + len; i < nr; i++)
			place[i - len] = place[i];
		nr -= len;
	}
	return 0;
}

/* A page that somebody else holds is not moved: neither for another one's sake nor for itself. */
static long hold(char *mem, uint32_t nr)
{
	struct sys_bytes part = { mem, (size_t)nr * PAGE };
	int pipe[2];
	long ret;

	ret = sys(SYS_pipe2, (long)pipe, O_CLOEXEC, 0, 0, 0);
	if (ret < 0)
		return ret;
	ret = sys(SYS_fcntl, pipe[1], F_SETPIPE_SZ, (long)part.len, 0, 0);
	while (ret >= 0 && part.len) {
		ret = sys(SYS_vmsplice, pipe[1], (long)&part, 1, 0, 0);
		if (ret > 0) {
			part.base = (char *)part.base + ret;
			part.len -= ret;
		} else if (ret == -EINTR) {
			ret = 0;
		} else if (!ret) {
			ret = -ENOSPC;
		}
	}
	return ret < 0 ? ret : 0;
}

/* Take @nr pages that stay where they are. */
static long take(uint32_t nr, char **mem)
{
	char *pool = map(POOL, PROT_READ | PROT_WRITE);
	char *to = map(nr, PROT_READ);
	uint32_t i;
	long ret;

	if (failed(pool) || failed(to))
		return failed(pool) ? (long)pool : (long)to;
	/* A kernel without huge pages says EINVAL. */
	sys(SYS_madvise, (long)pool, POOL * PAGE, MADV_NOHUGEPAGE, 0, 0);
	ret = sys(SYS_madvise, (long)pool, POOL * PAGE, MADV_DONTFORK, 0, 0);
	if (!ret)
		ret = sys(SYS_mlock, (long)pool, POOL * PAGE, 0, 0, 0);
	if (ret)
		return ret;
	for (i = 0; i < POOL; i++)
		*(volatile char *)(pool + i * PAGE) = 0;
	ret = read_frames(pool, POOL);
	if (ret)
		return ret;
	sort(POOL);
	ret = choose(pool, POOL, to, nr);
	if (!ret)
		ret = sys(SYS_munmap, (long)pool, POOL * PAGE, 0, 0, 0);
	if (!ret)
		ret = hold(to, nr);
	*mem = to;
	return ret;
}

/* Runs of the pages from @at to @end; how many, or a negative errno */
static long write_runs(struct hlk_guest_pages *runs, uint32_t room, uint32_t at,
		       uint32_t end)
{
	uint32_t nr = 0;

	for (; at < end; at++) {
		if (nr && frame[at] == runs[nr - 1].gpa / PAGE + runs[nr - 1].pages) {
			runs[nr - 1].pages++;
			continue;
		}
		if (nr == room)
			return -ENOSPC;
		runs[nr++] = (struct hlk_guest_pages) {
			.gpa = frame[at] * PAGE,
			.pages = 1,
		};
	}
	return nr;
}

/**
 * pages_share() - have buffers that the host finds
 * @buffers: in: the sizes, multiples of the page size; out: where they are
 * @page: out: number of the page that tells the host
 *
 * Return: 0 or a negative errno
 */
long pages_share(struct buffers *buffers, uint32_t *page)
{
	uint32_t in = buffers->input_size / PAGE;
	uint32_t out = buffers->output_size / PAGE;
	struct hlk_guest_agent *agent;
	char *mem = NULL;
	long ret, more;

	_Static_assert(sizeof(*agent) <= PAGE, "it has one page");
	if (in + out + 1 > POOL)
		return -EINVAL;
	ret = take(in + out + 1, &mem);
	/* They may have been moved before they were held. */
	if (!ret)
		ret = read_frames(mem, in + out + 1);
	if (ret)
		return ret;
	agent = (struct hlk_guest_agent *)(mem + (size_t)(in + out) * PAGE);
	ret = write_runs(agent->runs, HLK_GUEST_AGENT_MAX_RUNS, 0, in);
	if (ret < 0)
		return ret;
	more = write_runs(agent->runs + ret, HLK_GUEST_AGENT_MAX_RUNS - ret, in,
			  in + out);
	if (more < 0)
		return more;
	agent->magic = HLK_GUEST_AGENT_MAGIC;
	agent->version = HLK_GUEST_AGENT_VERSION;
	agent->nr_input = ret;
	agent->nr_output = more;
	buffers->input = mem;
	buffers->output = mem + buffers->input_size;
	if (frame[in + out] >> 32)
		return -ENODEV;
	*page = frame[in + out];
	return 0;
}
