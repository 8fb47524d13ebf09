# SPDX-License-Identifier: GPL-2.0-only
# Sourced: jobs side by side, the longest first.
# shellcheck shell=bash
#
# A job is a command of a name that ends with `N passed, N failed, N skipped`, or, if it
# prepares something for others, prints nothing of interest as long as it works. What it
# prints is kept, and printed whole when it ends.

# As many as there are processors, and no more than have 3 GiB each: a VM has up to 2,
# and its emulator wants some.
job_slots() {
	local slots memory
	slots=$(nproc)
	memory=$(awk '/^MemAvailable:/ { print int($2 / 3145728) }' /proc/meminfo)
	[ "$slots" -le "$memory" ] || slots=$memory
	[ "$slots" -ge 1 ] || slots=1
	echo "${JOBS:-$slots}"
}

job_names=()
declare -A job_kind=() job_seconds=() job_needs=() job_command=() job_state=() job_pid=() job_began=()
passed=0 failed=0 skipped=0
job_summary=() job_times=()

# job KIND NAME SECONDS "NAME..." COMMAND...: a test, or a step for others. About how
# long it takes, with what waits for it, and which steps it waits for.
job() {
	local name=$2
	job_names+=("$name")
	job_kind[$name]=$1 job_seconds[$name]=$3 job_needs[$name]=$4
	shift 4
	job_command[$name]=${*@Q}
	job_state[$name]=waits
}

job_folder() { # job_folder NAME: for what it leaves
	echo "$JOBS_DIR/${1//[^[:alnum:].]/-}"
}

# job_ready NAME: may it start? One that waits for what failed ends at once.
job_ready() {
	local need
	[ "${job_state[$1]}" = waits ] || return 1
	for need in ${job_needs[$1]}; do
		case ${job_state[$need]} in
		failed)
			echo "not ok - $1: there is no $need"
			failed=$((failed + 1))
			job_state[$1]=failed
			job_summary+=("$1: not run, there is no $need")
			return 1 ;;
		waits|runs) return 1 ;;
		esac
	done
}

job_start() {
	local folder
	folder=$(job_folder "$1")
	rm -rf "$folder"
	mkdir -p "$folder"
	echo "# $(date +%T) begins: $1"
	# a process group of its own, so that all of it can be ended
	set -m
	(
		trap - INT TERM HUP EXIT
		set +e
		(set -e; eval "${job_command[$1]}") > "$folder/out" 2>&1
		echo $? > "$folder/rc"
		times > "$folder/times"
	) < /dev/null &
	set +m
	job_pid[$1]=$! job_began[$1]=$SECONDS
	job_state[$1]=runs
}

job_end() { # job_end NAME: print what it printed, and count
	local name=$1 folder rc last p f s
	folder=$(job_folder "$name")
	rc=$(cat "$folder/rc" 2> /dev/null || echo "a signal")
	# what it left behind, such as the VM of one that was killed
	kill -TERM -- "-${job_pid[$name]}" 2> /dev/null || :
	[ -f "$folder/times" ] || : > "$folder/times"
	# what a shell says that it and its children took, such as 1m2.500s
	job_times+=("$(printf '%6d %6d' $((SECONDS - job_began[$name])) \
		"$(tr ms '  ' < "$folder/times" |
		   awk '{ n += 60 * ($1 + $3) + $2 + $4 } END { printf "%d", n + 0.5 }')")  $name")
	unset "job_pid[$name]"
	job_state[$name]=failed
	[ "$rc" != 0 ] || job_state[$name]="done"
	if [ "${job_kind[$name]}" = step ]; then
		[ "$rc" != 0 ] || return 0
		cat "$folder/out"
		echo "not ok - $name: ended with $rc"
		failed=$((failed + 1))
		job_summary+=("$name: failed")
		return
	fi
	echo
	echo "# $name"
	cat "$folder/out"
	last=$(tail -n 1 "$folder/out" |
	       sed -nE 's/^([0-9]+) passed, ([0-9]+) failed, ([0-9]+) skipped$/\1 \2 \3/p')
	read -r p f s <<< "${last:-0 0 0}"
	if [ -z "$last" ]; then
		echo "not ok - $name: did not come to its end, but ended with $rc"
		f=1
	elif [ "$rc" != 0 ] && [ "$f" = 0 ]; then
		echo "not ok - $name: nothing failed, but it ended with $rc"
		f=1
	fi
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	job_summary+=("$name: $p passed, $f failed, $s skipped")
}

job_kill() {
	local pid
	for pid in "${job_pid[@]}"; do
		kill -TERM -- "-$pid" 2> /dev/null || :
	done
}

# Run all. What was printed is in JOBS_DIR, NAME/out; passed, failed, skipped,
# job_summary and job_times say what came of it.
run_jobs() {
	local slots name next ended
	slots=$(job_slots)
	[[ $slots =~ ^[1-9][0-9]*$ ]] || die "JOBS=$slots is no number of jobs"
	trap 'job_kill; exit 130' INT
	trap 'job_kill; exit 143' TERM HUP
	rm -rf "$JOBS_DIR"
	mkdir -p "$JOBS_DIR"
	echo "# $slots jobs side by side"
	while :; do
		while [ ${#job_pid[@]} -lt "$slots" ]; do
			next=''
			for name in "${job_names[@]}"; do
				job_ready "$name" || continue
				[ -n "$next" ] &&
					[ "${job_seconds[$name]}" -le "${job_seconds[$next]}" ] ||
					next=$name
			done
			[ -n "$next" ] || break
			job_start "$next"
		done
		[ ${#job_pid[@]} -gt 0 ] || break
		# A job that a signal ends may be forgotten by the shell before it is waited for;
		# wait knows it no more then, and says so at once.
		ended=''
		wait -n -p ended "${job_pid[@]}" 2> /dev/null || :
		[ -n "${ended:-}" ] || sleep 0.1
		for name in "${!job_pid[@]}"; do
			if [ "${job_pid[$name]}" = "${ended:-}" ] ||
			   ! kill -0 "${job_pid[$name]}" 2> /dev/null; then
				job_end "$name"
			fi
		done
	done
	trap - INT TERM HUP
	for name in "${job_names[@]}"; do
		[ "${job_state[$name]}" = waits ] || continue
		echo "not ok - $name: never ran"
		failed=$((failed + 1))
	done
}
