/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* A file descriptor goes over a socket, as anybody's would, and a number with it. */
#ifndef LIBHLK_PASSFD_H
#define LIBHLK_PASSFD_H

#include <string.h>
#include <sys/socket.h>

static inline int send_fd(int to, int fd, unsigned int nr)
{
	char control[CMSG_SPACE(sizeof(int))] = {};
	struct iovec data = { &nr, sizeof(nr) };
	struct msghdr msg = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *part = CMSG_FIRSTHDR(&msg);

	part->cmsg_level = SOL_SOCKET;
	part->cmsg_type = SCM_RIGHTS;
	part->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(part), &fd, sizeof(fd));
	return sendmsg(to, &msg, 0) == sizeof(nr) ? 0 : -1;
}

static inline int receive_fd(int from, unsigned int *nr)
{
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec data = { nr, sizeof(*nr) };
	struct msghdr msg = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	int fd;

	if (recvmsg(from, &msg, MSG_CMSG_CLOEXEC) != sizeof(*nr) || !CMSG_FIRSTHDR(&msg))
		return -1;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

#endif /* LIBHLK_PASSFD_H */
