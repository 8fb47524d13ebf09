// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many restores of random guests, in all ways, a sample of them audited: nothing
 * that a guest did is there afterwards.
 *
 * SEED=N repeats a run from the machine that it names, RESTORES=N says how many
 * there are: "make check-long" makes a million. What a guest draws does not depend
 * on what others did; where a timer's signal ends it does.
 *
 * An audit is the module's own look at itself. Now and then the memory is also
 * compared here with the snapshot as it is mapped, and the registers with those
 * that KVM told after the snapshot's first restore.
 */
#include <liburing.h>
#include <signal.h>
#include <sys/time.h>

#include "soak/soak.h"
#include "state.h"
#include "harness.h"

#define RESTORES	3000	/* without RESTORES= */
#define AUDIT_EVERY	20	/* of those that can be */
#define CHECK_EVERY	150
#define TICK_US		10000
#define CR4_PSE		0x10
#define BUFFER		0x2000
#define MAX_VMS		3
#define MAX_SNAPS	4
#define MAX_WINDOWS	3
#define LOG_BYTES	16

/**
 * struct snap - a snapshot
 * @fd: -1 for none
 * @roots: page directories of the guest that it is of
 * @at: its memory, window by window
 * @state: what KVM told after a restore, or NULL
 */
struct snap {
	int fd;
	u64 roots[NR_ROOTS];
	const u8 *at[MAX_WINDOWS];
	struct state *state;
};

/**
 * struct sandbox - a VM and what goes with it
 * @t: the VM
 * @snap: the snapshot restored last
 * @free: it has no budget, so this process may write its memory too
 * @restore: argument of its restores
 * @run: argument of its runs
 * @inputs: what goes in with them
 * @regs: what they start with
 * @machine: descriptor tables
 * @program: a program
 * @log: what the guest wrote to a port
 */
struct sandbox {
	struct tvm t;
	struct snap *snap;
	bool free;
	struct hlk_restore restore;
	struct hlk_run run;
	struct hlk_segment inputs[2];
	struct kvm_regs regs;
	u8 machine[MACHINE_BYTES];
	u8 program[PROGRAM_BYTES];
	u8 log[LOG_BYTES];
};

/**
 * struct count - what was done, for the last line
 */
struct count {
	u64 restores, audited, checked, states, switches, fused, batched, snapshots;
	u64 refused, compact, machines, residues, signals, exits[64], next_report;
};

FIXTURE(soak) {
	u32 seed;		/* what comes next */
	u32 machine;		/* where this machine began */
	u32 step;
	struct layout l;
	struct sandbox vm[MAX_VMS];
	struct snap snaps[MAX_SNAPS];
	struct io_uring ring;
	struct count n;
	struct state now;
	bool failed;
};

typedef FIXTURE_DATA(soak) fixture;

static u32 draw(fixture *self, u32 below)
{
	return rnd(&self->seed, below);
}

static bool chance(fixture *self, u32 n)
{
	return one_in(&self->seed, n);
}

static void on_tick(int sig)
{
}

/* Calls into guests end by signals; what makes machines must not. */
static void ticks(bool on)
{
	const struct itimerval timer = {
		.it_interval.tv_usec = on ? TICK_US : 0,
		.it_value.tv_usec = on ? TICK_US : 0,
	};

	t_must(!setitimer(ITIMER_REAL, &timer, NULL));
}

FIXTURE_SETUP(soak)
{
	struct sigaction action = { .sa_handler = on_tick };

	t_begin();
	memset(self, 0, sizeof(*self));
	self->seed = t_seed();
	t_must(!sigaction(SIGALRM, &action, NULL));
	t_must(!io_uring_queue_init(16, &self->ring, 0));
}

FIXTURE_TEARDOWN(soak)
{
	io_uring_queue_exit(&self->ring);
	EXPECT_EQ(0, t_end());
}

/* Say what is wrong, and how to see it again. */
static void complain(fixture *self, struct sandbox *vm, const char *what, u64 value)
{
	const struct layout *l = &self->l;

	self->failed = true;
	fprintf(stderr, "# %s %#llx: why %u index %u where %#llx\n", what,
		(unsigned long long)value, t_why, t_index, (unsigned long long)t_where);
	fprintf(stderr, "# step %u of this machine, sandbox %u, snapshot %u; paging %u large %u compact %u host_cow %u low %#x scratch %#x\n",
		self->step, (u32)(vm - self->vm), (u32)(vm->snap - self->snaps), l->paging,
		l->large, l->compact, l->host_cow, l->low, l->scratch);
	fprintf(stderr, "# again: SEED=%u RESTORES=%u\n", self->machine, 2 * self->step + 100);
}

/* ---- machines ---- */

static void draw_layout(fixture *self)
{
	static const u32 lows[] = { 0x30000, 0x40000, 0x80000 };
	static const u32 scratches[] = { 0x30000, TVM_SCRATCH, 0x80000 };
	struct layout *l = &self->l;

	l->paging = !chance(self, 4);
	l->large = chance(self, 3);
	l->compact = l->paging && !chance(self, 3);
	l->host_cow = chance(self, 2);
	l->readonly = chance(self, 4);
	l->low = lows[draw(self, ARRAY_SIZE(lows))];
	l->scratch = scratches[draw(self, ARRAY_SIZE(scratches))];
	l->nr_vms = 1 + draw(self, MAX_VMS);
}

static void open_sandbox(fixture *self, struct sandbox *vm, u64 max_private, u64 keep)
{
	const struct layout *l = &self->l;
	struct tvm *t = &vm->t;

	tvm_open(t);
	tvm_attach(t, max_private, keep);
	tvm_window(t, 0, l->low, 0);
	tvm_window(t, HLK_GUEST_SCRATCH_TOP - l->scratch, l->scratch, HLK_WINDOW_SCRATCH);
	if (l->readonly)
		tvm_window(t, READONLY_GPA, READONLY_BYTES, HLK_WINDOW_READONLY);
	soak_machine(vm->machine);
	vm->free = !max_private;
	vm->inputs[0] = (struct hlk_segment){ MACHINE_GPA, MACHINE_BYTES,
					      (uintptr_t)vm->machine };
	vm->inputs[1] = (struct hlk_segment){ INPUT_GPA, 0, (uintptr_t)vm->program };
}

/* Spaces that share low memory and scratch, and differ in the rest */
static void page_tables(fixture *self, struct tvm *t, u64 *roots)
{
	const u32 rw = PTE_P | PTE_W;
	const struct layout *l = &self->l;
	struct tvm_pt pt = { t, TABLES, rw };
	u64 scratch_gpa = HLK_GUEST_SCRATCH_TOP - l->scratch;
	u32 r, i;
	u32 *pd;

	for (r = 0; r < NR_ROOTS; r++) {
		roots[r] = tvm_pt_page(&pt);
		pd = (u32 *)tvm_at(t, roots[r]);
		if (r && chance(self, 2)) {
			pd[0] = ((u32 *)tvm_at(t, roots[0]))[0];
		} else {
			tvm_pt_map(&pt, roots[r], 0x1000, 0x1000, (DATA - 0x1000) / PAGE, rw);
			tvm_pt_map(&pt, roots[r], DATA, DATA, (l->low - DATA) / PAGE,
				   rw | draw(self, 2) * PTE_G);
		}
		for (i = 0; i < PLAY_PAGES; i++)
			if (!chance(self, 6))
				tvm_pt_map(&pt, roots[r], PLAY_VA + i * PAGE,
					   DATA + draw(self, (l->low - DATA) / PAGE) * PAGE, 1,
					   rw & ~(chance(self, 6) ? PTE_W : 0));
		if (l->large)
			pd[LARGE_VA >> 22] = rw | PTE_PS;
		if (!r)
			tvm_pt_map(&pt, roots[r], MMIO_VA, MMIO_GPA, 1, rw);
		tvm_pt_map(&pt, roots[r], scratch_va(l, scratch_gpa), scratch_gpa,
			   l->scratch / PAGE, rw);
		pd[SELF_VA >> 22] = roots[r] | rw;
	}
	t_must(pt.next <= DATA);
}

static void fill_memory(fixture *self, struct tvm *t)
{
	u64 alloc = HLK_GUEST_SCRATCH_TOP - self->l.scratch + 0x10000;
	u32 i;

	for (i = 0; i < NR_PROGRAMS; i++)
		soak_program(&self->l, &self->seed, tvm_at(t, PROGRAMS + i * PROGRAM_BYTES));
	soak_handlers(t);
	soak_machine(tvm_at(t, MACHINE_GPA));
	for (i = DATA; i < self->l.low; i += PAGE)
		if (chance(self, 2))
			memset(tvm_at(t, i), t_rnd(&self->seed), 1 + draw(self, PAGE));
	memcpy(tvm_at(t, HLK_GUEST_SCRATCH_TOP - HLK_GUEST_OFF_ALLOC), &alloc, 8);
}

static void start_registers(fixture *self, struct tvm *t, u32 cr3)
{
	u32 machine = scratch_va(&self->l, MACHINE_GPA);
	struct kvm_sync_regs regs;

	tvm_flat(&regs, PROGRAMS, machine + PAGE);
	if (self->l.paging) {
		regs.sregs.cr0 = HLK_GUEST_CR0;
		regs.sregs.cr3 = cr3;
		regs.sregs.cr4 = self->l.large ? CR4_PSE : 0;
	}
	regs.sregs.gdt.base = machine;
	regs.sregs.gdt.limit = 23;
	regs.sregs.idt.base = machine + MACHINE_IDT;
	regs.sregs.idt.limit = MACHINE_BYTES - MACHINE_IDT - 1;
	tvm_set_regs(t, &regs);
}

static void close_snap(fixture *self, struct snap *s)
{
	const struct tvm *t = &self->vm[0].t;
	u32 i;

	if (s->fd < 0)
		return;
	for (i = 0; i < t->nr_maps; i++)
		munmap((void *)s->at[i], t->maps[i].bytes);
	free(s->state);
	close(s->fd);
	s->fd = -1;
}

/* The new snapshot in place of @s; false if it was refused */
static bool take_snap(fixture *self, struct sandbox *vm, struct snap *s, bool compact,
		      const u64 *from)
{
	struct hlk_snapshot_info info = HLK_STRUCT(hlk_snapshot_info);
	struct hlk_snapshot how = HLK_STRUCT(hlk_snapshot);
	struct hlk_window windows[MAX_WINDOWS];
	u64 roots[NR_ROOTS];
	u32 i;
	int fd;

	memcpy(roots, from, sizeof(roots));
	how.head.flags = chance(self, 6) ? HLK_SNAPSHOT_DEDUP : 0;
	if (compact) {
		how.head.flags |= HLK_SNAPSHOT_COMPACT |
				  (self->l.host_cow ? HLK_SNAPSHOT_HOST_COW : 0);
		how.roots = (uintptr_t)roots;
		how.nr_roots = NR_ROOTS;
		how.input_bytes = BUFFER;
		how.output_bytes = BUFFER;
	}
	fd = hlk_snapshot(vm->t.hlk, &how);
	if (fd < 0)
		return false;
	close_snap(self, s);
	s->fd = fd;
	s->state = NULL;
	if (compact) {
		info.windows = (uintptr_t)windows;
		info.window_size = sizeof(struct hlk_window);
		info.nr_windows = MAX_WINDOWS;
		info.roots = (uintptr_t)roots;
		info.nr_roots = NR_ROOTS;
		t_must(!hlk_snapshot_info(fd, &info));
	}
	memcpy(s->roots, roots, sizeof(roots));
	for (i = 0; i < vm->t.nr_maps; i++) {
		s->at[i] = mmap(NULL, vm->t.maps[i].bytes, PROT_READ, MAP_SHARED, fd,
				vm->t.maps[i].gpa);
		t_must(s->at[i] != MAP_FAILED);
	}
	self->n.snapshots++;
	self->n.compact += compact;
	return true;
}

static void open_machine(fixture *self)
{
	struct sandbox *vm = self->vm;
	u64 roots[NR_ROOTS] = {};
	u64 list[1 + NR_ROOTS];
	u32 i;

	self->machine = self->seed;
	self->step = 0;
	self->n.machines++;
	draw_layout(self);
	memset(vm, 0, sizeof(self->vm));
	for (i = 0; i < MAX_SNAPS; i++)
		self->snaps[i] = (struct snap){ .fd = -1 };
	open_sandbox(self, vm, 0, chance(self, 3) ? 8 + draw(self, 32) : 0);
	fill_memory(self, &vm->t);
	if (self->l.paging) {
		page_tables(self, &vm->t, roots);
		list[0] = NR_ROOTS;
		memcpy(list + 1, roots, sizeof(roots));
		memcpy(tvm_at(&vm->t, HLK_GUEST_SCRATCH_TOP - HLK_GUEST_OFF_ROOTS), list,
		       sizeof(list));
	}
	start_registers(self, &vm->t, roots[0]);
	if (!take_snap(self, vm, self->snaps, self->l.compact, roots)) {
		/* copy-on-write by the guest takes more room than some have */
		self->l.host_cow = true;
		self->n.refused++;
		t_must(take_snap(self, vm, self->snaps, self->l.compact, roots) ||
		       take_snap(self, vm, self->snaps, false, roots));
	}
	for (i = 0; i < self->l.nr_vms; i++) {
		if (i)
			open_sandbox(self, vm + i, 30 + draw(self, 300),
				     chance(self, 2) ? draw(self, 40) : 0);
		t_must(!hlk_restore(vm[i].t.hlk, self->snaps[0].fd, NULL));
		vm[i].snap = self->snaps;
	}
}

static void close_machine(fixture *self)
{
	u32 i;

	for (i = 0; i < MAX_SNAPS; i++)
		close_snap(self, &self->snaps[i]);
	for (i = 0; i < self->l.nr_vms; i++)
		tvm_close(&self->vm[i].t);
}

/* ---- what a restore has to leave ---- */

static void check_memory(fixture *self, struct sandbox *vm)
{
	const u64 book = HLK_GUEST_SCRATCH_TOP;
	const struct tvm *t = &vm->t;
	u32 i, k;

	for (i = 0; i < t->nr_maps && !self->failed; i++) {
		if (!memcmp(t->maps[i].at, vm->snap->at[i], t->maps[i].bytes))
			continue;
		for (k = 0; k < t->maps[i].bytes; k++) {
			u64 gpa = t->maps[i].gpa + k;

			/* numbers that are new each time */
			if (t->maps[i].at[k] == vm->snap->at[i][k] ||
			    (gpa >= book - HLK_GUEST_OFF_SEED &&
			     gpa < book - HLK_GUEST_OFF_SEED + HLK_GUEST_SEED_SIZE) ||
			    (gpa >= book - HLK_GUEST_OFF_UNIQUE &&
			     gpa < book - HLK_GUEST_OFF_UNIQUE + 8))
				continue;
			complain(self, vm, "memory differs from the snapshot at", gpa);
			return;
		}
	}
	self->n.checked++;
}

#define CHECK_STATE(what)						\
	do {								\
		if (memcmp(&self->now.what, &vm->snap->state->what,	\
			   sizeof(self->now.what)))			\
			complain(self, vm, "KVM tells other " #what, 0);	\
	} while (0)

static void check_state(fixture *self, struct sandbox *vm)
{
	if (tvm_complete_io(&vm->t))
		return;			/* KVM refuses some of what a guest made of itself */
	get_state(&vm->t, &self->now);
	if (!vm->snap->state) {
		vm->snap->state = malloc(sizeof(self->now));
		t_must(vm->snap->state);
		*vm->snap->state = self->now;
		return;
	}
	CHECK_STATE(regs);
	CHECK_STATE(sregs);
	CHECK_STATE(events);
	CHECK_STATE(debug);
	CHECK_STATE(mp);
	CHECK_STATE(xcrs);
	CHECK_STATE(fpu);
	self->n.states++;
}

static void residue(fixture *self, struct sandbox *vm, u32 bits)
{
	struct kvm_debugregs debug;

	if (!(bits & HLK_RESIDUE_DEBUGREGS))
		return;
	t_must(!ioctl(vm->t.vcpu, KVM_GET_DEBUGREGS, &debug));
	t_must(!ioctl(vm->t.vcpu, KVM_SET_DEBUGREGS, &debug));
}

static struct hlk_restore *prepare_restore(fixture *self, struct sandbox *vm)
{
	struct snap *to;

	vm->restore = (struct hlk_restore)HLK_STRUCT(hlk_restore);
	vm->restore.snapshot_fd = -1;
	if (chance(self, AUDIT_EVERY))
		vm->restore.head.flags |= HLK_RESTORE_AUDIT;
	if (chance(self, 5))
		vm->restore.head.flags |= HLK_RESTORE_REPRODUCIBLE;
	to = &self->snaps[draw(self, MAX_SNAPS)];
	/* one that was replaced meanwhile is gone from the list, not from the VM */
	if (!vm->snap || (to->fd >= 0 && chance(self, 12))) {
		to = to->fd >= 0 ? to : self->snaps;
		vm->restore.snapshot_fd = to->fd;
		vm->snap = to;
		self->n.switches++;
	}
	return &vm->restore;
}

static void after_restore(fixture *self, struct sandbox *vm, int ret)
{
	self->step++;
	if (ret) {
		t_why = vm->restore.head.why;
		t_index = vm->restore.head.index;
		t_where = vm->restore.head.where;
		complain(self, vm, ret == -EUCLEAN ? "an audit found a difference" :
			 "a restore failed", -ret);
		return;
	}
	self->n.restores++;
	self->n.residues += !!(vm->restore.residue & HLK_RESIDUE_DEBUGREGS);
	self->n.audited += !!(vm->restore.head.flags & HLK_RESTORE_AUDIT);
	residue(self, vm, vm->restore.residue);
	if (vm->snap && chance(self, CHECK_EVERY)) {
		check_memory(self, vm);
		check_state(self, vm);
	}
}

/* ---- what a guest and its process do in between ---- */

/* Registers, tables and perhaps a program of its own for the next call */
static void draw_call(fixture *self, struct sandbox *vm)
{
	u64 *reg = (u64 *)&vm->regs;
	u32 i;

	for (i = 0; i < 16; i++)
		reg[i] = i < 8 ? t_rnd(&self->seed) : 0;
	vm->regs.rsp = scratch_va(&self->l, MACHINE_GPA) + PAGE;
	vm->regs.rflags = 2;
	vm->regs.rip = PROGRAMS + draw(self, NR_PROGRAMS) * PROGRAM_BYTES;
	vm->inputs[1].bytes = 0;
	if (chance(self, 4)) {
		vm->inputs[1].bytes = soak_program(&self->l, &self->seed, vm->program);
		vm->regs.rip = scratch_va(&self->l, INPUT_GPA);
	}
}

static void count_exit(fixture *self, int reason)
{
	if (reason < 0)
		self->n.signals++;
	else if (reason < ARRAY_SIZE(self->n.exits))
		self->n.exits[reason]++;
}

static void call(fixture *self, struct sandbox *vm)
{
	struct tvm *t = &vm->t;
	u32 more = draw(self, 4);
	int exit;

	draw_call(self, vm);
	if (vm->free) {
		memcpy(tvm_at(t, MACHINE_GPA), vm->machine, MACHINE_BYTES);
		memcpy(tvm_at(t, INPUT_GPA), vm->program, vm->inputs[1].bytes);
	}
	t->run->s.regs.regs = vm->regs;
	t->run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
	t->run->immediate_exit = chance(self, 50);
	do {
		exit = tvm_run(t);
		count_exit(self, exit);
	} while (more-- && (exit == KVM_EXIT_IO || exit == KVM_EXIT_MMIO));
	t->run->immediate_exit = 0;
}

static struct hlk_run *prepare_run(fixture *self, struct sandbox *vm)
{
	draw_call(self, vm);
	vm->run = (struct hlk_run)HLK_STRUCT(hlk_run);
	vm->run.head.flags = HLK_RUN_REGS |
			     (chance(self, 5) ? HLK_RESTORE_REPRODUCIBLE : 0);
	vm->run.vcpu_fd = vm->t.vcpu;
	vm->run.inputs = (uintptr_t)vm->inputs;
	vm->run.input_size = sizeof(struct hlk_segment);
	vm->run.nr_inputs = 2;
	vm->run.regs = (uintptr_t)&vm->regs;
	if (chance(self, 2)) {
		vm->run.log = (uintptr_t)vm->log;
		vm->run.log_size = LOG_BYTES;
		vm->run.log_port = HLK_GUEST_PORT_PUTC;
	}
	vm->t.run->immediate_exit = chance(self, 50);
	return &vm->run;
}

/* A run that left a residue is thrown away, as the contract says. */
static void after_run(fixture *self, struct sandbox *vm, int ret)
{
	u32 more = draw(self, 3);

	self->step++;
	vm->t.run->immediate_exit = 0;
	if (!(vm->run.done & HLK_DONE_RESTORED)) {
		t_why = vm->run.head.why;
		complain(self, vm, "a fused restore failed", -ret);
		return;
	}
	self->n.restores++;
	count_exit(self, ret ?: (int)vm->run.exit_reason);
	vm->run.head.flags = HLK_RUN_CONTINUE;
	if (vm->run.residue & HLK_RESIDUE_DEBUGREGS) {
		prepare_restore(self, vm);
		after_restore(self, vm, hlk_call(vm->t.hlk, HLK_RESTORE, &vm->restore));
		/* the first restore put KVM's copy back: the second sees no difference */
		residue(self, vm, HLK_RESIDUE_DEBUGREGS);
		ret = 0;
		more = 1;
	}
	vm->run.nr_inputs = 0;
	while (more-- && !ret && !self->failed)
		ret = hlk_call(vm->t.hlk, HLK_RUN, &vm->run);
}

static void from_outside(fixture *self, struct sandbox *vm)
{
	struct hlk_touched runs[64];
	struct hlk_prefault prefault = HLK_STRUCT(hlk_prefault);
	struct tvm_map *map = &vm->t.maps[draw(self, 2)];
	u32 nr = 1 + draw(self, 8);
	struct kvm_vcpu_events events;

	switch (draw(self, 5)) {
	case 0:
		while (nr-- && vm->free)
			map->at[draw(self, map->bytes)] ^= 1 + draw(self, 255);
		return;
	case 1:
		ioctl(vm->t.vcpu, KVM_NMI);
		return;
	case 2:
		t_must(!madvise(map->at, map->bytes, MADV_DONTNEED));
		return;
	case 3:
		prefault.runs = (uintptr_t)runs;
		prefault.run_size = sizeof(struct hlk_touched);
		prefault.nr_runs = ARRAY_SIZE(runs);
		hlk_call(vm->t.hlk, HLK_PREFAULT, &prefault);
		return;
	default:
		memset(&events, 0, sizeof(events));
		events.exception.injected = chance(self, 2);
		events.exception.nr = 6;
		events.nmi.masked = chance(self, 2);
		ioctl(vm->t.vcpu, KVM_SET_VCPU_EVENTS, &events);
	}
}

/* Where it is now becomes a snapshot too, perhaps over the one that it ran from. */
static void another_snap(fixture *self, struct sandbox *vm)
{
	struct snap *s = &self->snaps[draw(self, MAX_SNAPS)];
	u64 roots[NR_ROOTS];
	u32 i;

	if (!vm->snap)
		return;
	memcpy(roots, vm->snap->roots, sizeof(roots));
	ticks(false);
	tvm_complete_io(&vm->t);
	if (!take_snap(self, vm, s, self->l.compact && !chance(self, 4), roots))
		self->n.refused++;
	else
		for (i = 0; i < self->l.nr_vms; i++)
			if (self->vm[i].snap == s)
				self->vm[i].snap = NULL;
	ticks(true);
}

/* ---- ways ---- */

static void restore_and_call(fixture *self, struct sandbox *vm)
{
	prepare_restore(self, vm);
	after_restore(self, vm, hlk_call(vm->t.hlk, HLK_RESTORE, &vm->restore));
	if (!self->failed)
		call(self, vm);
}

static void fused(fixture *self, struct sandbox *vm)
{
	int ret;

	ret = hlk_call(vm->t.hlk, HLK_RUN, prepare_run(self, vm));
	self->n.fused++;
	after_run(self, vm, ret);
}

/* liburing of 2022 has no function for these */
static void submit(fixture *self, struct sandbox *vm, u32 op, const void *arg, u32 flags)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&self->ring);
	struct hlk_uring payload = { .arg = (uintptr_t)arg };

	t_must(sqe);
	io_uring_prep_rw(IORING_OP_URING_CMD, sqe, vm->t.hlk, NULL, 0, 0);
	sqe->cmd_op = op;
	sqe->user_data = vm - self->vm;
	sqe->flags |= flags;
	memcpy(sqe->cmd, &payload, sizeof(payload));
}

/* A signal ends the call; it goes on with those that it did not begin. */
static void run_all(fixture *self)
{
	struct hlk_many_call calls[MAX_VMS] = {};
	struct hlk_run_many many = HLK_STRUCT(hlk_run_many);
	u32 i, done;
	int ret;

	for (i = 0; i < self->l.nr_vms; i++) {
		calls[i].vm_fd = self->vm[i].t.hlk;
		calls[i].run = (uintptr_t)prepare_run(self, &self->vm[i]);
	}
	many.call_size = sizeof(*calls);
	for (done = 0; done < self->l.nr_vms; done += many.nr_done) {
		many.calls = (uintptr_t)&calls[done];
		many.nr_calls = self->l.nr_vms - done;
		ret = hlk_call(self->vm[0].t.dev, HLK_RUN_MANY, &many);
		t_must(!ret || ret == -EINTR);
	}
	self->n.batched += self->l.nr_vms;
	for (i = 0; i < self->l.nr_vms && !self->failed; i++)
		after_run(self, &self->vm[i], calls[i].ret);
}

static void restore_all(fixture *self)
{
	int result[MAX_VMS] = {};
	struct io_uring_cqe *cqe;
	u32 i, done;

	for (i = 0; i < self->l.nr_vms; i++) {
		struct sandbox *vm = &self->vm[i];

		submit(self, vm, HLK_RESTORE, prepare_restore(self, vm),
		       chance(self, 4) ? IOSQE_ASYNC : 0);
	}
	io_uring_submit(&self->ring);
	for (done = 0; done < self->l.nr_vms;) {
		i = io_uring_wait_cqe(&self->ring, &cqe);
		if (i == -EINTR || i == -EAGAIN)
			continue;
		t_must(!i);
		result[cqe->user_data] = cqe->res;
		io_uring_cqe_seen(&self->ring, cqe);
		done++;
	}
	self->n.batched += self->l.nr_vms;
	for (i = 0; i < self->l.nr_vms && !self->failed; i++) {
		/* a signal came while a worker was made for it: it was not begun */
		if (result[i] == -ECANCELED)
			result[i] = hlk_call(self->vm[i].t.hlk, HLK_RESTORE,
					     &self->vm[i].restore);
		after_restore(self, &self->vm[i], result[i]);
		if (!self->failed)
			call(self, &self->vm[i]);
	}
}

static void one_step(fixture *self)
{
	struct sandbox *vm = &self->vm[draw(self, self->l.nr_vms)];
	u32 way = draw(self, 100);

	if (way < 55)
		restore_and_call(self, vm);
	else if (way < 80)
		fused(self, vm);
	else if (chance(self, 3))
		run_all(self);
	else
		restore_all(self);
	if (self->failed)
		return;
	if (chance(self, 30))
		from_outside(self, vm);
	if (chance(self, 150))
		another_snap(self, vm);
}

static void report(const struct count *n)
{
	fprintf(stderr, "# %llu restores (%llu audited, %llu compared here, %llu by registers; %llu fused, %llu batched, %llu switches), %llu machines, %llu snapshots (%llu compact, %llu refused)\n",
		(unsigned long long)n->restores, (unsigned long long)n->audited,
		(unsigned long long)n->checked, (unsigned long long)n->states,
		(unsigned long long)n->fused, (unsigned long long)n->batched,
		(unsigned long long)n->switches, (unsigned long long)n->machines,
		(unsigned long long)n->snapshots, (unsigned long long)n->compact,
		(unsigned long long)n->refused);
	fprintf(stderr, "# calls ended by HLT %llu, I/O %llu, MMIO %llu, shutdown %llu, signals and errors %llu; %llu residues\n",
		(unsigned long long)n->exits[KVM_EXIT_HLT],
		(unsigned long long)n->exits[KVM_EXIT_IO],
		(unsigned long long)n->exits[KVM_EXIT_MMIO],
		(unsigned long long)n->exits[KVM_EXIT_SHUTDOWN],
		(unsigned long long)n->signals, (unsigned long long)n->residues);
}

TEST_F_TIMEOUT(soak, nothing_is_there_afterwards, 6 * 3600)
{
	const char *env = getenv("RESTORES");
	u64 wanted = env ? strtoull(env, NULL, 0) : RESTORES;
	u32 steps, next;

	while (self->n.restores < wanted && !self->failed) {
		/* the next machine follows from this one's seed alone */
		next = self->seed;
		t_rnd(&next);
		open_machine(self);
		ticks(true);
		for (steps = 100 + draw(self, 900); steps && !self->failed; steps--)
			one_step(self);
		ticks(false);
		close_machine(self);
		self->seed = next;
		if (self->n.restores >= self->n.next_report) {
			report(&self->n);
			self->n.next_report = self->n.restores + 50000;
		}
	}
	report(&self->n);
	ASSERT_FALSE(self->failed);
	ASSERT_LE(wanted / 50, self->n.audited);
	ASSERT_NE(0, self->n.exits[KVM_EXIT_HLT]);
	ASSERT_NE(0, self->n.exits[KVM_EXIT_IO]);
}

TEST_HARNESS_MAIN
