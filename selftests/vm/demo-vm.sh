#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# demo-vm.sh SERIES: the demonstration in a throw-away VM.
. "$(dirname "$0")/common.sh"

# In a log there is nothing to be drawn in bold.
[ -t 1 ] || set -- "$1" --env NO_COLOR=1

exec "$VM_DIR/run.sh" "${1:?usage: demo-vm.sh SERIES}" "${@:2}" \
	--data "$BUILD/user/hlk-run/hlk-run" --data "$VM_DIR/demo.sh" \
	--data "$BUILD/user/guest/microkernel.elf" \
	--data "$BUILD/user/guest/server.elf" \
	--limit 300 --shell 'sh /data/demo.sh'
