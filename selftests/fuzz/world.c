// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fuzzer's world: slots, places, drawing, and the usual machine that most
 * sequences start from.
 */
#include <signal.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "fuzz.h"

struct world w;
__thread sigjmp_buf *fault_at;

/*
 * Walks, writes, talks and rests; with paging or without. With interrupts on, and an
 * interrupt controller, KVM may make pages that are not there in a worker.
 */
GUEST(code, "	sti\n"
	    "1:	incl 0x20000\n"
	    "	movl 0x20000, %eax\n"
	    "	andl $0xff, %eax\n"
	    "	shll $12, %eax\n"
	    "	incl (%eax)\n"
	    "	movl $0xe9, %edx\n"
	    "	outb %al, (%dx)\n"
	    "	testl $3, 0x20000\n"
	    "	jnz 1b\n"
	    "	hlt\n"
	    "	jmp 1b\n");

u32 rnd(struct fuzzer *f, u32 below)
{
	return t_rnd(&f->seed) % below;
}

bool one_in(struct fuzzer *f, u32 n)
{
	return !rnd(f, n);
}

/* A slot of a kind, now and then of another */
int slot(struct fuzzer *f, enum kind kind)
{
	u32 nr = one_in(f, 2) ? 0 : rnd(f, NR);

	if (one_in(f, 30))
		kind = rnd(f, KINDS);
	return kind * NR + nr;
}

u64 odd_number(struct fuzzer *f)
{
	static const u64 odd[] = {
		0, 1, 2, 3, 7, 8, 15, 16, 24, 0xfff, 0x1000, 0x1001, 0x8000, 0x10000,
		0x100000, 0x400000, 0x7fffffff, 0x80000000, 0xfffff000, 0xffffffff,
		0x100000000, 0x100001000, 0x7fffffffffffffff, 0x8000000000000000,
		0xfffffffffffff000, 0xffffffffffffffff,
	};
	u64 number = odd[rnd(f, ARRAY_SIZE(odd))];

	return one_in(f, 3) ? number + rnd(f, 3) - 1 : number;
}

/* Where something is, or nearly */
u64 some_gpa(struct fuzzer *f)
{
	static const u64 known[] = {
		0, TVM_CODE, TVM_DATA, 0x40000, 0x41000, 0x50000, TVM_LOW,
		TVM_SCRATCH_GPA, HLK_GUEST_SCRATCH_TOP - 0x1000, 0x200000, 0x400000,
	};

	if (one_in(f, 8))
		return odd_number(f);
	return known[rnd(f, ARRAY_SIZE(known))] + rnd(f, 16) * PAGE;
}

bool say(struct fuzzer *f, const char *format, ...)
{
	va_list args;

	if (!f->list)
		return false;
	printf("# thread %u, %3u: ", f->nr, f->calls);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	return true;
}

int get_fd(u32 nr)
{
	return __atomic_load_n(&w.fd[nr / NR][nr % NR], __ATOMIC_RELAXED);
}

/* The fd that was there is closed, used by somebody or not. */
void put_fd(enum kind kind, u32 nr, int fd)
{
	int old;

	if (fd < 0)
		return;
	old = __atomic_exchange_n(&w.fd[kind][nr], fd, __ATOMIC_RELAXED);
	if (old >= 0)
		close(old);
}

/* One that is not waited for ends with the thread that it is from, however early. */
pid_t fork_child(void)
{
	pid_t parent = getpid(), pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	return 0;
}

void world_open(void)
{
	u32 kind, nr;

	for (kind = 0; kind < KINDS; kind++)
		for (nr = 0; nr < NR; nr++)
			w.fd[kind][nr] = -1;
	w.kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	t_must(w.kvm >= 0);
	w.run_bytes = ioctl(w.kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	/*
	 * Nothing behind it that a reply for many large elements could reach, and
	 * nothing before it that is changed with it: a system call that writes where
	 * userfaultfd is to be asked goes round in circles, on every CPU, for as long
	 * as a signal is pending that does not kill.
	 */
	w.buffer = mmap(NULL, BUFFER_BYTES + 2 * BUFFER_GUARD, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	t_must(w.buffer != MAP_FAILED);
	w.buffer += BUFFER_GUARD;
	t_must(!mprotect(w.buffer, BUFFER_BYTES, PROT_READ | PROT_WRITE));
	w.page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	t_must(w.page != MAP_FAILED);
	w.event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	t_must(w.event >= 0);
	for (nr = 0; nr < PLACES; nr++) {
		w.place[nr] = mmap(NULL, PLACE_BYTES, PROT_NONE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		t_must(w.place[nr] != MAP_FAILED);
	}
	for (nr = 0; nr < NR; nr++) {
		w.run[nr] = mmap(NULL, w.run_bytes, PROT_NONE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		t_must(w.run[nr] != MAP_FAILED);
	}
	t_must(!socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, w.sock));
}

/*
 * One VM in slot 0 of all kinds, with two windows at places 0 and 1, page
 * tables, code and a snapshot that was restored; with an interrupt controller in
 * every fourth.
 */
void world_machine(u32 seed)
{
	static struct tvm t;
	struct tvm_pt pt = { .t = &t, .next = 0x41000, .flags = PTE_P | PTE_W | PTE_U };
	int i, snap;

	if (seed & 0x30)
		tvm_open(&t);
	else
		tvm_open_irqchip(&t);
	tvm_machine(&t, seed % 3 ? 0 : 30, seed % 5 ? 0 : 8);
	tvm_load(&t, TVM_CODE, code);
	for (i = 0; i < 32; i++)
		memset(tvm_at(&t, 0x50000 + i * PAGE), i + 1, 40);
	tvm_pt_map(&pt, 0x40000, 0, 0, TVM_LOW / PAGE, PTE_P | PTE_W | PTE_U);
	tvm_pt_map(&pt, 0x40000, 0x400000, 0x50000, 8, PTE_P | (seed & 8 ? PTE_W : 0));
	*((u32 *)tvm_at(&t, 0x40000) + 3) = *(u32 *)tvm_at(&t, 0x40000);
	if (seed & 1)
		tvm_set_paging(&t, TVM_CODE, 0x40000, 0);
	else
		tvm_set(&t, TVM_CODE);
	snap = hlk_snapshot_flat(t.hlk);
	t_must(snap >= 0);
	t_must(!hlk_restore(t.hlk, snap, NULL));

	/* all of it moves to where the operations look */
	for (i = 0; i < 2; i++)
		t_must(mremap(t.maps[i].at, t.maps[i].bytes, t.maps[i].bytes,
			      MREMAP_MAYMOVE | MREMAP_FIXED, w.place[i]) ==
		       w.place[i]);
	for (i = 0; i < 2; i++) {
		struct kvm_userspace_memory_region region = {
			.slot = i,
			.guest_phys_addr = t.maps[i].gpa,
		};

		t_must(!ioctl(t.vm, KVM_SET_USER_MEMORY_REGION, &region));
		region.memory_size = t.maps[i].bytes;
		region.userspace_addr = (uintptr_t)w.place[i];
		t_must(!ioctl(t.vm, KVM_SET_USER_MEMORY_REGION, &region));
	}
	t_must(mremap(t.run, t.run_bytes, t.run_bytes,
		      MREMAP_MAYMOVE | MREMAP_FIXED, w.run[0]) == w.run[0]);
	close(t.kvm);
	put_fd(DEV, 0, t.dev);
	put_fd(VM, 0, t.vm);
	put_fd(VCPU, 0, t.vcpu);
	put_fd(HLK, 0, t.hlk);
	put_fd(SNAP, 0, snap);
}
