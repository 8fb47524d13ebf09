#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# demo-says.sh SERIES: what the demonstration is going to do, how long that takes, and how large
# what it fetches is. A first time is one in which the kernel is not in the cache.
. "$(dirname "$0")/common.sh"

series=${1:?usage: demo-says.sh SERIES}
echo "make demo: builds hlk, boots a VM of 1 GiB under QEMU's emulation with Linux $series, loads"
echo "hlk.ko there, and runs two guests in it. This host's own kernel is left alone."
if [ -d "$CACHE/kernels/$series" ]; then
	echo "The kernel is in $CACHE; that takes a few minutes."
else
	echo "It fetches Debian's kernel and headers into $CACHE, of which about 100 MB"
	echo "stay there, and installs by apt, as root, what is missing of compilers and QEMU,"
	echo "which can be 1 GB. That takes ten minutes or more, and a few the next time."
fi
