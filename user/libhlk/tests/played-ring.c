// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* The kernel's side of an io_uring, played: it does restores when they are submitted. */
#include <liburing.h>
#include <sys/ioctl.h>

#include "played.h"

struct played_ring played_ring;

#define RINGS	8

static struct kernel {
	atomic_bool used;
	unsigned int khead, ktail, kmask, kentries, khead_cq, ktail_cq;
	struct io_uring_sqe sqes[8];
	struct io_uring_cqe cqes[16];
	unsigned int array[8];
} kernels[RINGS];

static struct kernel *new_kernel(void)
{
	struct kernel *kernel;

	for (kernel = kernels; atomic_exchange(&kernel->used, true); kernel++)
		if (kernel == kernels + RINGS - 1)
			abort();
	kernel->khead = 0;
	kernel->ktail = 0;
	kernel->khead_cq = 0;
	kernel->ktail_cq = 0;
	kernel->kmask = 7;
	kernel->kentries = 8;
	return kernel;
}

int io_uring_queue_init(unsigned int entries, struct io_uring *ring, unsigned int flags)
{
	struct kernel *kernel;

	(void)entries;
	(void)flags;
	if (played_ring.no_ring || played_fails("io_uring_queue_init"))
		return -EMFILE;
	kernel = new_kernel();
	memset(ring, 0, sizeof(*ring));
	ring->ring_fd = kernel - kernels;
	ring->sq.khead = &kernel->khead;
	ring->sq.ktail = &kernel->ktail;
	ring->sq.kring_mask = &kernel->kmask;
	ring->sq.kring_entries = &kernel->kentries;
	ring->sq.ring_mask = 7;
	ring->sq.ring_entries = 8;
	ring->sq.sqes = kernel->sqes;
	ring->sq.array = kernel->array;
	ring->cq.khead = &kernel->khead_cq;
	ring->cq.ktail = &kernel->ktail_cq;
	ring->cq.kring_mask = &kernel->kmask;
	ring->cq.ring_mask = 7;
	ring->cq.ring_entries = 8;
	ring->cq.cqes = kernel->cqes;
	played_ring.made++;
	return 0;
}

void io_uring_queue_exit(struct io_uring *ring)
{
	atomic_store(&kernels[ring->ring_fd].used, false);
	played_ring.gone++;
}

int io_uring_register_iowq_max_workers(struct io_uring *ring, unsigned int *values)
{
	(void)ring;
	(void)values;
	return played_fails("io_uring_register") ? -ENOMEM : 0;
}

int io_uring_submit_and_wait(struct io_uring *ring, unsigned int wait_nr)
{
	struct kernel *kernel = &kernels[ring->ring_fd];
	struct io_uring_sqe *sqe;
	struct hlk_uring payload;
	unsigned int nr = 0;

	(void)wait_nr;
	if (played_ring.refuse) {
		played_ring.refuse--;
		return -ENOMEM;
	}
	if (played_fails("io_uring_enter"))
		return -ENOMEM;
	for (; kernel->khead != ring->sq.sqe_tail; kernel->khead++, nr++) {
		sqe = &kernel->sqes[kernel->khead & 7];
		memcpy(&payload, sqe->cmd, sizeof(payload));
		kernel->cqes[kernel->ktail_cq & 7] = (struct io_uring_cqe) {
			.user_data = sqe->user_data,
			.res = ioctl(sqe->fd, HLK_RESTORE,
				     (void *)(uintptr_t)payload.arg) ? -errno : 0,
		};
		kernel->ktail_cq++;
	}
	return nr;
}
