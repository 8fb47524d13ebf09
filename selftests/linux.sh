#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Calls into a Linux guest: libhlk-linux, with the kernel and the initrd that lie beside it
# (see vm/linux-initrd.sh). Runs as root; TAP. What the guest prints is shown if that fails.
log=/tmp/linux.out
if libhlk-linux vmlinuz-686 linux-initrd.cpio "${CALLS:-50}" "${MOMENTS:-2}" "${CPUS:-1}" 2> $log; then
	exit 0
fi
code=$?
tail -n 50 $log | tr -d '\r' | sed 's/^/# /'
exit $code
