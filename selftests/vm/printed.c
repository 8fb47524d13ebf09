// SPDX-License-Identifier: GPL-2.0-only
/*
 * How many bytes went out on ttyS1, for init, which ends a program that prints no
 * more. /proc/tty/driver/serial says so too, but not on all kernels.
 */
#include <fcntl.h>
#include <linux/serial.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

int main(void)
{
	struct serial_icounter_struct count;
	int tty = open("/dev/ttyS1", O_RDONLY | O_NONBLOCK | O_NOCTTY);

	if (tty < 0 || ioctl(tty, TIOCGICOUNT, &count))
		return 1;
	printf("%d\n", count.tx);
	return 0;
}
