// SPDX-License-Identifier: GPL-2.0-only
/*
 * hlk-run pt: the VM of another program.
 *
 * The program is held by ptrace while its VM is read, not by SIGSTOP: its
 * vCPUs leave the guest just as well, but nobody else takes note, a stop that
 * it was in before stays, and when this program ends in whatever way, SIGKILL
 * too, the kernel lets the other one go on.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../fail.h"
#include "pid.h"

#define KVM_VM_NAME	"anon_inode:kvm-vm"
#define MAX_THREADS	65536
#define PATIENCE_MS	5000

/**
 * struct thread - a thread of the program
 * @tid: its id
 * @stopped: it rests
 * @gone: it ended
 * @signal: a signal that it was about to get, and has to
 */
struct thread {
	pid_t tid;
	bool stopped;
	bool gone;
	int signal;
};

/**
 * struct target - the program
 * @pid: its process id
 * @pidfd: what makes sure that it is still the same one
 * @threads: its threads, if it is held
 * @nr: length of @threads
 * @room: how many fit
 * @inspect: its VM
 */
struct target {
	pid_t pid;
	int pidfd;
	struct thread *threads;
	size_t nr;
	size_t room;
	struct hlk_inspect *inspect;
};

static int complain(const struct target *t, const char *what)
{
	fail_say("process %d: %s: %s", t->pid, what, strerror(errno));
	return RUN_ERROR;
}

/* A pidfd can be read when its process has ended. */
static bool alive(const struct target *t)
{
	struct pollfd poll_fd = { .fd = t->pidfd, .events = POLLIN };

	return !poll(&poll_fd, 1, 0);
}

static DIR *open_dir(const struct target *t, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", t->pid, name);
	return opendir(path);
}

/* The next entry whose name is a number; -1 at the end */
static int next_number(DIR *dir)
{
	struct dirent *entry;
	char *end;
	long nr;

	while ((entry = readdir(dir))) {
		nr = strtol(entry->d_name, &end, 10);
		if (end != entry->d_name && !*end && nr >= 0)
			return nr;
	}
	return -1;
}

/* ---- the VM among the program's files ---- */

static bool is_vm(DIR *dir, int fd)
{
	char name[16], link[sizeof(KVM_VM_NAME) + 1];
	ssize_t len;

	snprintf(name, sizeof(name), "%d", fd);
	len = readlinkat(dirfd(dir), name, link, sizeof(link));
	return len == sizeof(KVM_VM_NAME) - 1 && !memcmp(link, KVM_VM_NAME, len);
}

/* Two fds of one VM are no reason to ask which one */
static bool same_file(const struct target *t, int a, int b)
{
	return !syscall(SYS_kcmp, t->pid, t->pid, KCMP_FILE, a, b);
}

static int find_vm(const struct target *t, int *found)
{
	DIR *dir = open_dir(t, "fd");
	int ret = RUN_OK;
	int fd;

	if (!dir)
		return complain(t, "cannot read its list of files");
	*found = -1;
	while ((fd = next_number(dir)) >= 0) {
		if (!is_vm(dir, fd) ||
		    (*found >= 0 && same_file(t, *found, fd)))
			continue;
		if (*found >= 0) {
			ret = fail_say("process %d has several VMs, with fds %d and %d among them: choose by --fd",
				       t->pid, *found, fd);
			break;
		}
		*found = fd;
	}
	closedir(dir);
	if (!ret && *found < 0)
		ret = fail_say("process %d has no KVM VM", t->pid);
	return ret;
}

static int open_vm(struct target *t, struct hlk_ctx *ctx, int fd)
{
	struct hlk_err err;
	int ret = RUN_OK;
	int vm;

	if (fd < 0) {
		ret = find_vm(t, &fd);
		if (ret)
			return ret;
	}
	vm = syscall(SYS_pidfd_getfd, t->pidfd, fd, 0);
	if (vm < 0)
		return complain(t, errno == EPERM ?
				"cannot take its VM, which wants CAP_SYS_PTRACE" :
				"cannot take its VM");
	if (hlk_inspect_open(ctx, vm, &t->inspect, &err))
		ret = fail_err(NULL, &err);
	close(vm);
	return ret;
}

/* ---- holding all threads ---- */

static bool known(const struct target *t, pid_t tid)
{
	size_t i;

	for (i = 0; i < t->nr; i++)
		if (t->threads[i].tid == tid)
			return true;
	return false;
}

/* A main thread that ended before the others stays as a zombie. */
static bool ended(const struct target *t, pid_t tid)
{
	char path[64], line[256];
	const char *state;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", t->pid, tid);
	file = fopen(path, "re");
	if (!file)
		return true;
	state = fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
	fclose(file);
	return !state || state[1] != ' ' || strchr("ZX", state[2]);
}

static int add_thread(struct target *t, pid_t tid)
{
	size_t room = t->room ? 2 * t->room : 64;
	struct thread *threads;

	if (t->nr == MAX_THREADS) {
		errno = E2BIG;
		return complain(t, "has too many threads");
	}
	if (t->nr == t->room) {
		threads = realloc(t->threads, room * sizeof(*threads));
		if (!threads)
			return complain(t, "cannot list its threads");
		t->threads = threads;
		t->room = room;
	}
	if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) ||
	    ptrace(PTRACE_INTERRUPT, tid, NULL, NULL)) {
		int err = errno;

		if (err == ESRCH || ended(t, tid))
			return RUN_OK;
		errno = err;
		return complain(t, err == EPERM ?
				"cannot be stopped: no CAP_SYS_PTRACE, or it is being debugged" :
				"cannot be stopped");
	}
	t->threads[t->nr++] = (struct thread) { .tid = tid };
	return RUN_OK;
}

/* Take hold of threads that are not held yet; how many there were */
static int seize(struct target *t, size_t *added)
{
	DIR *dir = open_dir(t, "task");
	size_t before = t->nr;
	int ret = RUN_OK;
	int tid;

	if (!dir)
		return complain(t, "cannot list its threads");
	while (!ret && (tid = next_number(dir)) >= 0)
		if (!known(t, tid))
			ret = add_thread(t, tid);
	closedir(dir);
	*added = t->nr - before;
	return ret;
}

static void look(struct thread *thread)
{
	int status;
	pid_t got;

	got = waitpid(thread->tid, &status, __WALL | WNOHANG);
	if (!got)
		return;
	if (got < 0 || !WIFSTOPPED(status)) {
		thread->gone = true;
		return;
	}
	thread->stopped = true;
	/* on its way to a signal, not into our stop: it has to get it */
	if (status >> 16 == 0)
		thread->signal = WSTOPSIG(status);
}

static int wait_stopped(struct target *t)
{
	const struct timespec tick = { .tv_nsec = 1000000 };
	int ms = 0;
	size_t i;

	for (i = 0; i < t->nr; i++)
		while (!t->threads[i].stopped && !t->threads[i].gone) {
			look(&t->threads[i]);
			if (t->threads[i].stopped || t->threads[i].gone)
				break;
			if (ms++ == PATIENCE_MS) {
				errno = ETIMEDOUT;
				return complain(t, "does not stop");
			}
			nanosleep(&tick, NULL);
		}
	return RUN_OK;
}

/* New threads may come as long as one runs */
static int hold(struct target *t)
{
	size_t added;
	int ret;

	do {
		ret = seize(t, &added);
		if (!ret)
			ret = wait_stopped(t);
	} while (!ret && added);
	return ret;
}

/* A thread that did not stop in time is let go by our end. */
static void let_go(struct target *t)
{
	size_t i;

	for (i = 0; i < t->nr; i++)
		if (t->threads[i].stopped)
			ptrace(PTRACE_DETACH, t->threads[i].tid, NULL,
			       (long)t->threads[i].signal);
	t->nr = 0;
}

/* ---- all of it ---- */

static int walk_process(void *arg, struct hlk_walk *walk)
{
	struct target *t = arg;
	struct hlk_err err;

	return hlk_inspect_walk(t->inspect, walk, &err) ?
	       fail_err(NULL, &err) : RUN_OK;
}

static int translate_process(void *arg, struct hlk_translate *translate)
{
	struct target *t = arg;
	struct hlk_err err;

	if (hlk_inspect_translate(t->inspect, translate, &err) && !pt_way_ends(translate))
		return fail_err(NULL, &err);
	return RUN_OK;
}

/* A page that the program does not have is no reason to end: it reads as zeroes. */
static int read_process(void *arg, uint64_t gpa, void *buf, size_t len)
{
	struct target *t = arg;
	struct hlk_err err;
	uint8_t *to = buf;
	size_t done = 0;
	size_t part;

	while (done < len) {
		part = len - done;
		if (!hlk_inspect_read(t->inspect, gpa + done, to + done, &part, &err))
			return RUN_OK;
		if (err.why != HLK_WHY_NOT_RAM)
			return fail_err(NULL, &err);
		done += part;
		part = PT_PAGE - (gpa + done) % PT_PAGE;
		if (part > len - done)
			part = len - done;
		memset(to + done, 0, part);
		done += part;
	}
	return RUN_OK;
}

static void name_source(const struct target *t, struct pt_space *space)
{
	char path[64], name[64] = "?";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", t->pid);
	file = fopen(path, "re");
	if (file) {
		if (fgets(name, sizeof(name), file))
			name[strcspn(name, "\n")] = '\0';
		fclose(file);
	}
	snprintf(space->source, sizeof(space->source), "VM of process %d, %s",
		 t->pid, name);
}

/* The vCPUs rest. */
static int list(struct target *t, const struct pt_options *pt, struct pt_moment *moment)
{
	struct pt_space *space = &moment->space;
	int ret;

	ret = pt_space_init(space, pt->roots, pt->nr_roots);
	if (!ret && pt->find)
		return pt_find(space, pt, translate_process, t);
	if (!ret)
		ret = pt_collect(space, pt, walk_process, t);
	if (!ret && pt->diff)
		ret = pt_pages_read(&moment->pages, space, read_process, t);
	return ret;
}

static int collect(struct target *t, const struct pt_options *pt,
		   struct pt_moment *moment)
{
	int ret = RUN_OK;

	if (!pt->running)
		ret = hold(t);
	if (!ret)
		ret = list(t, pt, moment);
	let_go(t);
	name_source(t, &moment->space);
	if (!ret && !alive(t)) {
		errno = ESRCH;
		return complain(t, "has ended");
	}
	return ret;
}

/**
 * pt_of_vm() - list a VM of one's own
 * @ctx: the context
 * @vm_fd: KVM's fd of it; no vCPU runs
 * @opt: the command line
 * @moment: out: what its page tables map
 *
 * Return: RUN_OK or an exit code, after the reason was printed
 */
int pt_of_vm(struct hlk_ctx *ctx, int vm_fd, const struct pt_options *opt,
	     struct pt_moment *moment)
{
	struct target t = {};
	struct hlk_err err;
	int ret;

	if (hlk_inspect_open(ctx, vm_fd, &t.inspect, &err))
		return fail_err(NULL, &err);
	ret = list(&t, opt, moment);
	hlk_inspect_close(t.inspect);
	return ret;
}

static void wait_ms(uint64_t ms)
{
	struct timespec left = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&left, &left) && errno == EINTR)
		;
}

/**
 * pt_of_process() - list the VM of another program
 * @ctx: the context
 * @opt: the command line
 * @moments: out: what its page tables map; with --diff, at two moments
 *
 * Return: RUN_OK or an exit code, after the reason was printed
 */
int pt_of_process(struct hlk_ctx *ctx, const struct pt_options *opt,
		  struct pt_moment *moments)
{
	struct target t = { .pid = opt->pid };
	int ret;

	t.pidfd = syscall(SYS_pidfd_open, t.pid, 0);
	if (t.pidfd < 0)
		return complain(&t, "cannot be opened");
	ret = open_vm(&t, ctx, opt->fd);
	if (!ret)
		ret = collect(&t, opt, &moments[0]);
	if (!ret && opt->diff) {
		wait_ms(opt->after_ms);
		ret = collect(&t, opt, &moments[1]);
	}
	hlk_inspect_close(t.inspect);
	free(t.threads);
	close(t.pidfd);
	return ret;
}
