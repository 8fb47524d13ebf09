// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long locks are held, by the trace events of lockdep.
 *
 * lock_acquire comes before a lock is waited for; nobody but the process that is
 * looked at wants these locks, so it is as good as held. What the events cost is
 * part of what is measured.
 */
#include "hlk_test.h"
#include "tracing.h"
#include "holds.h"

#define BUFFER_KIB	"65536"
#define MAX_HELD	256

const char *const hold_names[NR_HOLDS] = {
	[HOLD_VM] = "vm",
	[HOLD_KVM] = "kvm",
	[HOLD_VCPU] = "vcpu",
	[HOLD_MM] = "mmap",
	[HOLD_WINDOW] = "window",
	[HOLD_MAPPING] = "i_mmap",
	[HOLD_MMU] = "mmu",
};

/* As lockdep names them; a star stands for how versions of the kernel write it */
static const struct {
	const char *name;
	enum hold hold;
} locks[] = {
	{ "&vm->lock", HOLD_VM },
	{ "&kvm->lock", HOLD_KVM },
	{ "&vcpu->mutex", HOLD_VCPU },
	{ "&mm->mmap_lock", HOLD_MM },
	{ "&vma->vm_lock->lock", HOLD_MM },
	{ "&window->lock", HOLD_WINDOW },
	{ "&mapping->i_mmap_rwsem", HOLD_MAPPING },
	{ "&(kvm)->mmu_lock", HOLD_MMU },
};

/**
 * struct held - a lock that somebody has
 * @lock: its address, as it is printed
 * @pid: who
 * @since: when he took it, in seconds
 * @hold: its kind
 */
struct held {
	unsigned long long lock;
	pid_t pid;
	double since;
	enum hold hold;
};

/* From here on they are noted while holds_switch() says 1. */
void holds_open(void)
{
	char filter[1024] = "";
	size_t len = 0;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(locks); i++)
		len += snprintf(filter + len, sizeof(filter) - len, "%sname == \"%s\"",
				i ? " || " : "", locks[i].name);
	tracing_mount();
	tracing_put("tracing_on", "0");
	tracing_put("buffer_size_kb", BUFFER_KIB);
	tracing_put("options/overwrite", "0");
	tracing_put("events/lock/lock_acquire/filter", filter);
	tracing_put("events/lock/lock_release/filter", filter);
	tracing_put("events/lock/lock_acquire/enable", "1");
	tracing_put("events/lock/lock_release/enable", "1");
}

int holds_switch(void)
{
	int fd = open(TRACING "/tracing_on", O_WRONLY | O_CLOEXEC);

	t_must(fd >= 0);
	return fd;
}

void holds_clear(void)
{
	tracing_put("trace", "");
}

static int hold_of(const char *name)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(locks); i++)
		if (!strcmp(locks[i].name, name))
			return locks[i].hold;
	return -1;
}

/* "comm-PID [cpu] flags SECONDS: lock_acquire: ADDRESS [try] [read] NAME" */
static bool parse(char *line, struct held *held, bool *taken)
{
	char *event = strstr(line, ": lock_");
	char *word, *name = NULL;
	char *pid = NULL;
	int hold;

	if (!event)
		return false;
	*taken = !strncmp(event, ": lock_acquire: ", 16);
	*event = 0;
	word = strrchr(line, ' ');
	t_must(word);
	held->since = strtod(word, NULL);
	word = strstr(line, " [");
	t_must(word);
	*word = 0;
	pid = strrchr(line, '-');
	t_must(pid);
	held->pid = strtol(pid + 1, NULL, 10);
	held->lock = strtoull(event + 16, NULL, 16);
	for (word = strtok(event + 16, "\n "); word; word = strtok(NULL, "\n "))
		name = word;
	hold = hold_of(name);
	held->hold = hold;
	return hold >= 0;
}

/**
 * holds_read() - how long each kind was held, at most
 * @pid: whose locks of memory maps count
 * @ms: out: for each kind; less than 0 if none was taken
 */
void holds_read(pid_t pid, double *ms)
{
	FILE *file = fopen(TRACING "/trace", "r");
	struct held held[MAX_HELD], now;
	char line[512];
	u32 nr = 0, i;
	bool taken;

	t_must(file);
	for (i = 0; i < NR_HOLDS; i++)
		ms[i] = -1;
	while (fgets(line, sizeof(line), file)) {
		if (!parse(line, &now, &taken) || (now.hold == HOLD_MM && now.pid != pid))
			continue;
		if (taken) {
			t_must(nr < MAX_HELD);
			held[nr++] = now;
			continue;
		}
		for (i = nr; i--;) {
			if (held[i].lock != now.lock || held[i].pid != now.pid)
				continue;
			now.since -= held[i].since;
			if (now.since * 1e3 > ms[now.hold])
				ms[now.hold] = now.since * 1e3;
			held[i] = held[--nr];
			break;
		}
	}
	fclose(file);
	/* a lock that was never let go was: the buffer is full */
	for (i = 0; i < nr; i++)
		t_must(held[i].hold == HOLD_MM || held[i].hold == HOLD_MAPPING);
}

void holds_close(void)
{
	tracing_put("events/lock/enable", "0");
	tracing_put("tracing_on", "1");
	tracing_umount();
}
