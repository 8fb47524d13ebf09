// SPDX-License-Identifier: GPL-2.0-only
/*
 * A thread of the kernel's that writes to a VMM's windows, as vhost's do (before Linux 6.4
 * it is nobody's child and belongs to no cgroup): what it has made is paid by the VMM. Each
 * packet of a vsock goes to a page of its own.
 */
#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <linux/vm_sockets.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "cgroup.h"
#include "harness.h"

#define CID		0x4c4b		/* of the guest, which there is not */
#define PACKETS		2048		/* a power of two */
#define WRITTEN		(PACKETS * PAGE)
#define SLACK		(2 * MIB)	/* charges are kept in stock, per CPU */

/* A queue that vhost fills; memory of the VMM's in which nothing is hlk's */
struct queue {
	struct vring_desc desc[PACKETS];
	struct {
		u16 flags;
		u16 idx;
		u16 ring[PACKETS];
	} avail __attribute__((aligned(8)));
	struct {
		u16 flags;
		volatile u16 idx;
		struct vring_used_elem ring[PACKETS];
	} used __attribute__((aligned(8)));
};

/* What the VMM and who sends have in common */
struct shared {
	struct queue queue[2];
	volatile bool ready;
};

FIXTURE(vhost) {
	struct shared *shared;
	int dev;
};

FIXTURE_SETUP(vhost)
{
	t_begin();
	cg_begin();
	self->dev = hlk_open();
	self->shared = mmap(NULL, sizeof(*self->shared), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	ASSERT_NE(MAP_FAILED, self->shared);
}

FIXTURE_TEARDOWN(vhost)
{
	munmap(self->shared, sizeof(*self->shared));
	close(self->dev);
	EXPECT_EQ(0, t_end());
	EXPECT_TRUE(cg_end());
}

static void vq_set_up(int fd, u32 nr, struct queue *queue)
{
	struct vhost_vring_state num = { .index = nr, .num = PACKETS };
	struct vhost_vring_state base = { .index = nr };
	struct vhost_vring_file kick = { .index = nr, .fd = eventfd(0, EFD_CLOEXEC) };
	struct vhost_vring_addr addr = {
		.index = nr,
		.desc_user_addr = (uintptr_t)queue->desc,
		.avail_user_addr = (uintptr_t)&queue->avail,
		.used_user_addr = (uintptr_t)&queue->used,
	};

	t_must(!ioctl(fd, VHOST_SET_VRING_NUM, &num));
	t_must(!ioctl(fd, VHOST_SET_VRING_BASE, &base));
	t_must(!ioctl(fd, VHOST_SET_VRING_ADDR, &addr));
	t_must(!ioctl(fd, VHOST_SET_VRING_KICK, &kick));
}

/* A buffer in each page of the window, by its address in the guest */
static void queue_fill(struct queue *queue)
{
	u32 i;

	for (i = 0; i < PACKETS; i++) {
		queue->desc[i].addr = BIG_GPA + i * PAGE;
		queue->desc[i].len = PAGE;
		queue->desc[i].flags = VRING_DESC_F_WRITE;
		queue->avail.ring[i] = i;
	}
	queue->avail.idx = PACKETS;
}

static void vmm(struct shared *shared)
{
	struct {
		struct vhost_memory memory;
		struct vhost_memory_region region;
	} table = { .memory.nregions = 1 };
	u64 features = 1ULL << VIRTIO_F_VERSION_1, cid = CID;
	int fd = open("/dev/vhost-vsock", O_RDWR | O_CLOEXEC);
	struct tvm t;
	int on = 1;

	tvm_start(&t, 0, 0);
	table.region.guest_phys_addr = BIG_GPA;
	table.region.memory_size = BIG;
	table.region.userspace_addr = (uintptr_t)cg_eater(&t);
	t_must(fd >= 0);
	t_must(!ioctl(fd, VHOST_SET_OWNER));
	t_must(!ioctl(fd, VHOST_SET_FEATURES, &features));
	t_must(!ioctl(fd, VHOST_SET_MEM_TABLE, &table));
	queue_fill(&shared->queue[0]);
	vq_set_up(fd, 0, &shared->queue[0]);
	vq_set_up(fd, 1, &shared->queue[1]);
	t_must(!ioctl(fd, VHOST_VSOCK_SET_GUEST_CID, &cid));
	t_must(!ioctl(fd, VHOST_VSOCK_SET_RUNNING, &on));
	shared->ready = true;
	pause();
}

/* Who asks for a connection sends a packet, which nobody answers. */
static bool send_one(u32 port, struct queue *queue, u16 before)
{
	struct sockaddr_vm to = { .svm_family = AF_VSOCK, .svm_cid = CID, .svm_port = port };
	int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	u32 ticks;

	t_must(fd >= 0);
	t_must(connect(fd, (void *)&to, sizeof(to)) && errno == EINPROGRESS);
	for (ticks = 0; queue->used.idx == before && ticks < 100000; ticks++)
		usleep(20);
	close(fd);
	return queue->used.idx != before;
}

TEST_F_TIMEOUT(vhost, what_its_thread_writes_is_paid_by_the_vmm, 120)
{
	struct queue *queue = &self->shared->queue[0];
	u64 charged, now;
	pid_t pid;
	u32 i;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		cg_enter();
		vmm(self->shared);
		_exit(1);
	}
	while (!self->shared->ready && !waitpid(pid, NULL, WNOHANG))
		usleep(1000);
	ASSERT_TRUE(self->shared->ready);
	charged = cg_charged();
	for (i = 0; i < PACKETS; i++)
		ASSERT_TRUE(send_one(i + 1, queue, i));
	now = cg_charged();
	TH_LOG("%llu KiB of %llu KiB", (unsigned long long)(now - charged) >> 10,
	       (unsigned long long)WRITTEN >> 10);
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	EXPECT_LT(charged + WRITTEN - SLACK, now);
	EXPECT_GT(charged + WRITTEN + WRITTEN / 4 + SLACK, now);
}

TEST_HARNESS_MAIN
