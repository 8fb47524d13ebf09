/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * System calls of Linux on i386 and x86-64, without a C library: what the agent wants of
 * them. Each returns what the kernel does, a negative errno after a failure.
 */
#ifndef AGENT_SYS_H
#define AGENT_SYS_H

#include <stddef.h>
#include <stdint.h>

#if __SIZEOF_POINTER__ == 4
#define SYS_exit		1
#define SYS_fork		2
#define SYS_read		3
#define SYS_write		4
#define SYS_open		5
#define SYS_close		6
#define SYS_execve		11
#define SYS_mount		21
#define SYS_mkdir		39
#define SYS_getpid		20
#define SYS_ioctl		54
#define SYS_dup2		63
#define SYS_reboot		88
#define SYS_munmap		91
#define SYS_ioperm		101
#define SYS_wait4		114
#define SYS_mlock		150
#define SYS_nanosleep		162
#define SYS_mremap		163
#define SYS_poll		168
#define SYS_rt_sigaction	174
#define SYS_pread64		180
#define SYS_mmap		192	/* mmap2: the offset is in pages */
#define SYS_madvise		219
#define SYS_fcntl		221
#define SYS_vmsplice		316
#define SYS_pipe2		331

static inline long sys(long nr, long a, long b, long c, long d, long e)
{
	long ret;

	asm volatile("int $0x80"
		     : "=a"(ret)
		     : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
		     : "memory", "cc");
	return ret;
}

/* The sixth argument is in EBP. */
static inline long sys_mmap(void *at, size_t bytes, int prot, int flags)
{
	long ret;

	asm volatile("push %%ebp; xor %%ebp, %%ebp; int $0x80; pop %%ebp"
		     : "=a"(ret)
		     : "a"(SYS_mmap), "b"(at), "c"(bytes), "d"(prot), "S"(flags),
		       "D"(-1)
		     : "memory", "cc");
	return ret;
}

static inline long sys_mmap_file(int fd, size_t bytes, int prot, int flags, uint32_t at)
{
	const long last[2] = { SYS_mmap, at >> 12 };
	long ret;

	asm volatile("push %%ebp; mov 4(%%eax), %%ebp; mov (%%eax), %%eax; int $0x80; pop %%ebp"
		     : "=a"(ret)
		     : "a"(last), "b"(0), "c"(bytes), "d"(prot), "S"(flags), "D"(fd)
		     : "memory", "cc");
	return ret;
}

static inline long sys_pread(int fd, void *to, size_t bytes, uint64_t at)
{
	return sys(SYS_pread64, fd, (long)to, bytes, (long)at, (long)(at >> 32));
}
#else
#define SYS_read		0
#define SYS_write		1
#define SYS_open		2
#define SYS_close		3
#define SYS_poll		7
#define SYS_mmap		9
#define SYS_munmap		11
#define SYS_rt_sigaction	13
#define SYS_ioctl		16
#define SYS_pread64		17
#define SYS_mremap		25
#define SYS_madvise		28
#define SYS_dup2		33
#define SYS_nanosleep		35
#define SYS_getpid		39
#define SYS_fork		57
#define SYS_execve		59
#define SYS_exit		60
#define SYS_wait4		61
#define SYS_fcntl		72
#define SYS_mkdir		83
#define SYS_mlock		149
#define SYS_mount		165
#define SYS_reboot		169
#define SYS_ioperm		173
#define SYS_vmsplice		278
#define SYS_pipe2		293

static inline long sys6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 asm("r10") = d;
	register long r8 asm("r8") = e;
	register long r9 asm("r9") = f;
	long ret;

	asm volatile("syscall"
		     : "=a"(ret)
		     : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
		     : "rcx", "r11", "memory", "cc");
	return ret;
}

static inline long sys(long nr, long a, long b, long c, long d, long e)
{
	return sys6(nr, a, b, c, d, e, 0);
}

static inline long sys_mmap(void *at, size_t bytes, int prot, int flags)
{
	return sys6(SYS_mmap, (long)at, bytes, prot, flags, -1, 0);
}

static inline long sys_mmap_file(int fd, size_t bytes, int prot, int flags, uint32_t at)
{
	return sys6(SYS_mmap, 0, bytes, prot, flags, fd, at);
}

static inline long sys_pread(int fd, void *to, size_t bytes, uint64_t at)
{
	return sys(SYS_pread64, fd, (long)to, bytes, at, 0);
}
#endif

#define EINTR		4
#define EAGAIN		11
#define ECHILD		10
#define EBUSY		16
#define EPIPE		32
#define ENOENT		2
#define ENODEV		19
#define EINVAL		22
#define ENOSPC		28
#define EMSGSIZE	90
#define EPROTO		71
#define ESRCH		3

#define O_RDONLY	0
#define O_RDWR		2
#define O_NONBLOCK	04000
#define O_CLOEXEC	02000000
#define F_GETFD		1
#define F_SETFL		4
#define F_SETPIPE_SZ	1031
#define PROT_READ	1
#define PROT_WRITE	2
#define MAP_SHARED	0x01
#define MAP_PRIVATE	0x02
#define MAP_ANONYMOUS	0x20
#define MREMAP_MAYMOVE	1
#define MREMAP_FIXED	2
#define MADV_DONTFORK	10
#define MADV_NOHUGEPAGE	15
#define WNOHANG		1
#define SIGPIPE		13
#define REBOOT_MAGIC1	0xfee1deadUL
#define REBOOT_MAGIC2	672274793
#define REBOOT_RESTART	0x01234567
#define POLLIN		1
#define POLLOUT		4

struct sys_poll {
	int fd;
	short events;
	short revents;
};

struct sys_bytes {
	void *base;
	size_t len;
};

struct sys_time {
	long sec;
	long nsec;
};

/* As the kernel takes it; a mask of 64 signals */
struct sys_action {
	void *handler;
	unsigned long flags;
	void *restorer;
	uint32_t mask[2];
};

#endif /* AGENT_SYS_H */
