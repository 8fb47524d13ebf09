#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Calls into a Linux guest: libhlk-linux, with the kernel and the initrd of LINUX_GUEST, 686 or
# cloud, that lie beside it (see vm/linux-initrd.sh). Runs as root; TAP. What the guest
# prints is shown if that fails. CALLS, MOMENTS, CPUS and NAMED are that program's.
guest=${LINUX_GUEST:-686}
log=/tmp/linux.out
libhlk-linux "vmlinuz-$guest" "agent-$guest.cpio" "${CALLS:-50}" "${MOMENTS:-2}" "${CPUS:-1}" \
	${NAMED:+"$NAMED"} 2> $log
code=$?
[ $code = 0 ] || tail -n 50 $log | tr -d '\r' | sed 's/^/# /'
exit $code
