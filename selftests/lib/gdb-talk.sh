# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# shellcheck disable=SC2034  # what is set here is for those
# Sourced by gdb.sh and gdb-linux.sh: hlk-run and gdb, and what each of them says, as TAP.

nr=0
bad=0
out=/tmp/gdb.out
run=/tmp/run.out
socket=/tmp/gdb.socket
limit=250
export HOME=/tmp

result() { # result GOOD WHAT
	nr=$((nr + 1))
	if [ "$1" = 0 ]; then
		echo "ok $nr $2"
		return
	fi
	sed 's/^/# gdb: /' $out | tail -n 40
	sed 's/^/# hlk-run: /' $run | tail -n 20
	echo "not ok $nr $2"
	bad=1
}

# under_gdb GUEST OPTION...: gdb's commands come from stdin
under_gdb() {
	guest=$1
	shift
	{
		printf 'set pagination off\nset confirm off\nset width 0\n'
		printf 'set remotetimeout 120\ntarget remote %s\n' "$socket"
		cat
	} > /tmp/gdb.commands
	rm -f "$socket"
	hlk-run "$@" --gdb "$socket" > $run 2>&1 &
	runner=$!
	tries=0
	until [ -S "$socket" ] || [ $((tries += 1)) = 100 ]; do
		sleep 0.1
	done
	rights=$(stat -c %a "$socket")
	# shellcheck disable=SC2086  # there may be none
	timeout $limit gdb -nx -batch -x /tmp/gdb.commands $guest > $out 2>&1
	wait $runner
	code=$?
	stepped=$(grep "breakpoints do not come out" $run)
}

# said WHAT COUNT PATTERN: in what gdb said
said() {
	[ "$(grep -cE -- "$3" $out)" = "$2" ]
	result $? "$1"
}

# ran WHAT PATTERN: in what hlk-run said
ran() {
	grep -qE -- "$2" $run
	result $? "$1"
}

core() { # core FILE GUEST COMMAND...: what gdb says of it
	file=$1 guest=$2
	shift 2
	gdb -nx -batch "$@" "$guest" "$file" > $out 2>&1
}
