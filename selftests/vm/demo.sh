#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The demonstration itself: where hlk is loaded, in the folder of the guests.
set -e

echo "== five processes, a snapshot, then restore + call, four times"
hlk-run run microkernel.elf --call hello --repeat 4
echo
echo "== 1,000 times restore + call of a function server, each answer compared"
hlk-run run server.elf --call echo --input "the same every time" \
	--expect "the same every time" --repeat 1000
