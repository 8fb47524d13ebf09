#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# demo-says.sh SERIES: what the demonstration is going to do, how long that takes, and how large
# what it fetches is. A first time is one in which the kernel is not in the cache.
. "$(dirname "$0")/common.sh"

series=${1:?usage: demo-says.sh SERIES}
echo "make demo: builds hlk, boots a VM of 1 GiB under QEMU's emulation with Linux $series, loads"
echo "hlk.ko there, and runs two guests in it. This host's own kernel is left alone."
if [ -d "$CACHE/kernels/$series" ]; then
	echo "That takes a few minutes. The kernel is in"
	echo "$CACHE."
else
	echo "It fetches Debian's kernel and headers, of which about 100 MB stay in"
	echo "$CACHE,"
	echo "and installs by apt, as root, what is missing of compilers and QEMU, which can be"
	echo "1 GB. That takes ten minutes or more, and a few the next time."
fi
