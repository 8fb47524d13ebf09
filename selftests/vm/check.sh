#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# check.sh [--all]: the native tests, everything in VMs with FIRST=6.12, and the core
# (selftests/Makefile says what that is) on the others of $KERNELS; with --all everything
# on each. Where FIRST is not among them it is the first that is.
#
# CHECK_DEBUG=1 adds what check-debug.sh runs; CHECK_DEBUG=short leaves out the longest
# of these. JOBS= says how many jobs run side by side, see jobs.sh; what each prints is
# printed when it ends, and is in build/check. The last line is
# `N passed, N failed, N skipped`, before it what jobs and programs took.
. "$(dirname "$0")/common.sh"
. "$VM_DIR/jobs.sh"

all=''
[ "${1:-}" != --all ] || all=y
first=${FIRST:-6.12}
[[ " $KERNELS " == *" $first "* ]] || first=${KERNELS%% *}
debug=${CHECK_DEBUG:-0}

"$VM_DIR/setup.sh"
record "check${all:+-all}" KERNELS CHECK_DEBUG JOBS
mkdir -p "$BUILD"
exec 7> "$BUILD/check.lock"
flock -n 7 || die "another one is at work in this tree"

# native COMMAND...: several TAP streams in one output
native() {
	local log rc=0 counts
	log=$(mktemp)
	"$@" 2>&1 < /dev/null | tee "$log" || rc=$?
	counts=$({ echo "#@ begin $1"; cat "$log"; echo "#@ end $1 $rc"; } |
		 awk -v many=1 -f "$VM_DIR/tap.awk")
	rm -f "$log"
	echo "$counts" | sed '$d'
	echo "$counts" | awk 'END { print $1 " passed, " $2 " failed, " $3 " skipped" }'
}

# parts LIST: the programs of this list of selftests/Makefile, as lines of
# `SECONDS PROGRAM...`, one for each VM
parts() {
	{ make -s -C "$TOP/selftests" seconds
	  echo --
	  make -s -C "$TOP/selftests" "$1"; } | awk -f "$VM_DIR/parts.awk"
}

JOBS_DIR=$BUILD/check
data=()
while read -r file; do
	data+=(--data "$file")
done < <(make -s -C "$TOP/selftests" data)

in_vm() { # in_vm NAME SECONDS SERIES RUN.SH-ARGUMENT...
	local name=$1 seconds=$2 series=$3
	shift 3
	job test "$name" "$seconds" "user module-$series" "$VM_DIR/run.sh" "$series" \
		--log "$(job_folder "$name")/vm" ${SEED:+--env "SEED=$SEED"} "${data[@]}" "$@"
}

# What others wait for first. A download and a build are but for the first time long.
job step user 5000 '' build_user
for series in $KERNELS; do
	job step "module-$series" 4000 '' "$VM_DIR/build.sh" "$series"
done
[ -z "$KERNELS" ] || job step linux-guest 300 user "$VM_DIR/linux-initrd.sh"
if [ "$debug" != 0 ]; then
	job step module-debug 6000 '' "$VM_DIR/build.sh" debug
	job test "debug kernel" 3000 'user module-debug' \
		"$VM_DIR/check-debug.sh" "${debug/#short/--short}"
fi
job test lint 130 '' native "$VM_DIR/lint.sh"
job test pure 30 '' native make -s -C "$TOP/selftests/user" check
job test libhlk 40 user native make -s -C "$TOP/user" check
job test bindings 10 user native "$VM_DIR/check-bindings.sh" python
for series in $KERNELS; do
	list="list-core"
	if [ -n "$all" ] || [ "$series" = "$first" ]; then
		list="list"
	fi
	mapfile -t lines < <(parts "$list")
	nr=0
	for line in "${lines[@]}"; do
		nr=$((nr + 1))
		read -ra programs <<< "$line"
		in_vm "kernel $series, part $nr of ${#lines[@]}" $((programs[0] + 15)) \
			"$series" -- "${programs[@]:1}"
	done
done
# A kernel of Debian's as a guest: one boot, and calls; saved, then loaded and forked by another
# process; and guests of several processors. In a VM of one CPU, for QEMU delivers some
# interrupts twice else; see testing.rst.
[ -z "$KERNELS" ] ||
	job test "kernel $first, a Linux guest" 120 "user module-$first linux-guest" \
		"$VM_DIR/run.sh" "$first" --smp 1 --disk 128 --env SAVE=/disk/linux \
		--log "$(job_folder "kernel $first, a Linux guest")/vm" \
		${SEED:+--env "SEED=$SEED"} --data "$BUILD/linux/vmlinuz-686" \
		--data "$BUILD/linux/agent-686.cpio" \
		--data "$BUILD/user/tests/libhlk-linux" -- "$TOP/selftests/linux.sh" \
		"$BUILD/user/tests/libhlk-saved" "$BUILD/user/tests/libhlk-cpus"
# The real gdb, against guests
if [ -n "$KERNELS" ]; then
	job step gdb 60 '' "$VM_DIR/gdb.sh"
	job test "kernel $first, gdb" 80 "user module-$first linux-guest gdb" \
		"$VM_DIR/run.sh" "$first" --smp 1 --log "$(job_folder "kernel $first, gdb")/vm" \
		"${data[@]}" --data "$BUILD/linux/vmlinuz-686" \
		--data "$CACHE/gdb/usr/bin/gdb" --data "$TOP/selftests/lib/gdb-talk.sh" \
		-- "$TOP/selftests/gdb.sh"
fi
for series in ${KERNELS%% *}; do
	in_vm "kernel $series without nested paging" 15 "$series" --kvm npt=0 \
		-- "$TOP/selftests/no_npt.sh" "$BUILD/selftests/no_npt"
done

run_jobs

# took LABEL LOG: what programs took, as lines of `LABEL PROGRAM SECONDS`
took() {
	[ ! -f "$2" ] || tr -d '\r' < "$2" | awk -f "$VM_DIR/seconds.awk" |
		awk -v label="$1" '{ print label, $2, $1 }'
}

echo
echo "# Seconds that each job took, of its own and of the processors:"
printf '%s\n' "${job_times[@]}" | sort -rn | sed 's/^/# /'
printf '%s\n' "${job_times[@]}" |
	awk -v wall="$SECONDS" '{ cpu += $2 } END { printf "# %6d %6d  all\n", wall, cpu }'
echo "# Seconds that each program took, by the VM's clock:"
{
	for series in $KERNELS; do
		for log in "$JOBS_DIR/kernel-$series"-*/vm/output.log; do
			took "$series" "$log"
		done
	done
	[ "$debug" = 0 ] || took debug "$BUILD/debug/check/output.log"
} | awk -v kernels="$KERNELS debug" '
	{ took[$1, $2] = $3; if ($3 + 0 >= most[$2] + 0) most[$2] = $3 }
	END {
		n = split(kernels, kernel)
		printf "#"
		for (i = 1; i <= n; i++)
			printf " %7s", kernel[i]
		print ""
		for (name in most) {
			line = ""
			for (i = 1; i <= n; i++)
				line = line sprintf(" %7s", took[kernel[i], name])
			print most[name] "\t#" line "  " name | "sort -rn | cut -f 2-"
		}
	}'

echo
[ "$debug" = 0 ] || grep '^debug kernel:' "$(job_folder 'debug kernel')/out" || :
printf '%s\n' "${job_summary[@]}" | awk -F ': ' '
	!/ passed, .* skipped$/ { print; next }
	{
		sub(/, part .*/, "", $1)
		if (!($1 in passed))
			name[++n] = $1
		split($2, count, " ")
		passed[$1] += count[1]
		failed[$1] += count[3]
		skipped[$1] += count[5]
	}
	END {
		for (i = 1; i <= n; i++)
			print name[i] ": " passed[name[i]] " passed, " failed[name[i]] \
			      " failed, " skipped[name[i]] " skipped"
	}'
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
