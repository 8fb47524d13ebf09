#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What a reviewer's tools say, as TAP: each check passes if it prints nothing.
. "$(dirname "$0")/common.sh"

cd "$TOP"
source=$("$VM_DIR/source.sh")
nr=0
failed=0

check() { # check NAME COMMAND...
	local name=$1 text
	shift
	nr=$((nr + 1))
	text=$("$@" 2>&1) || text="$text"$'\n'"failed: $*"
	if [ -z "$text" ]; then
		echo "ok $nr $name"
	else
		printf '%s\n' "$text" | sed 's/^/# /'
		echo "not ok $nr $name"
		failed=1
	fi
}

# git ls-files, or all files where there is no git
files() {
	if git rev-parse --git-dir > /dev/null 2>&1; then
		git ls-files -- "$@"
	else
		find . -path ./build -prune -o -type f -print | sed 's:^\./::' |
			grep -E "$(printf '%s\n' "$@" | sed 's/\./\\./g; s/\*/.*/g; s/^/^/; s/$/$/' | paste -sd '|')"
	fi
}

# All but the lines that a build prints of itself
quiet_build() {
	local series=$1
	shift
	# What fetching a kernel says is no warning.
	"$VM_DIR/kernel.sh" "$series" > /dev/null 2>&1 ||
		echo "kernel $series cannot be fetched"
	# not where others build it at the same time
	rm -rf "$BUILD/lint/$series/src"
	VARIANT=lint/$series "$VM_DIR/build.sh" "$series" "$@" 2>&1 |
		grep -v -e '/hlk\.ko$' -e 'Skipping BTF generation' \
			-e '^make\[[0-9]*\]: \(Entering\|Leaving\)' \
			-e '^make: \(Entering\|Leaving\)' -e '^  CHECK ' || :
}

checkpatch() {
	perl "$source/scripts/checkpatch.pl" --no-tree --strict --show-types \
		--quiet --no-summary --terse "$@"
}

checkpatch_kernel() {
	# An out-of-tree module has to ask for the version, in one place.
	local all
	mapfile -t all < <(files 'kmod/*.c' 'kmod/*.h' 'uapi/linux/*.h' |
			   grep -v -e compat.h -e trace.h)
	checkpatch -f "${all[@]}"
	# TRACE_EVENT() is written as everywhere in the kernel
	checkpatch --ignore OPEN_ENDED_LINE,PARENTHESIS_ALIGNMENT -f kmod/trace.h
	checkpatch --ignore LINUX_VERSION_CODE,CONSTANT_COMPARISON -f kmod/compat.h
}

# User space is not the kernel: types, libc functions and long literals differ.
checkpatch_user() {
	local all
	mapfile -t all < <(files 'user/*.c' 'user/*.h' 'user/*.S' 'selftests/*.c' \
			   'selftests/*.h')
	checkpatch --ignore PREFER_KERNEL_TYPES,AVOID_EXTERNS,SSCANF_TO_KSTRTO \
		--ignore PREFER_DEFINED_ATTRIBUTE_MACRO,NEW_TYPEDEFS,MACRO_ARG_REUSE \
		--ignore STRCPY,STRNCPY,STRLCPY,SYMBOLIC_PERMS,CONST_STRUCT \
		--ignore EMBEDDED_FUNCTION_NAME,CAMELCASE,VOLATILE,NAKED_SSCANF \
		--ignore BIT_MACRO,MACRO_ARG_PRECEDENCE,COMPLEX_MACRO \
		--ignore CONSTANT_COMPARISON,ENOSYS,PREFER_FALLTHROUGH,INIT_SECTION \
		--ignore LONG_LINE,LONG_LINE_COMMENT,LONG_LINE_STRING,SPLIT_STRING \
		--ignore UNCOMMENTED_DEFINITION,MEMORY_BARRIER,ARRAY_SIZE \
		--ignore USE_NEGATIVE_ERRNO,ALLOC_WITH_MULTIPLY,DATA_RACE,MULTISTATEMENT_MACRO_USE_DO_WHILE \
		-f "${all[@]}"
}

one_place_for_versions() {
	local found
	found=$(files 'kmod/*' | xargs grep -lE 'KERNEL_VERSION|LINUX_VERSION_CODE' |
		grep -v '^kmod/compat\.h$') || return 0
	echo "version checks outside kmod/compat.h: $found"
}

# The pure files know nothing of KVM.
pure_files() {
	! grep -nE 'kvm_|ioctl\(|linux/kvm' kmod/{i686pt,snap,place,delta}.[ch] \
		kmod/{mark,reloc}.c kmod/env.h
}

# Who may include and call whom: Documentation/contributing.rst
rooms() {
	"$VM_DIR/rooms.sh"
}

# Jobs that go wrong end, and are counted.
bad_jobs() {
	local dir got
	dir=$(mktemp -d)
	cat > "$dir/jobs" <<-'EOF'
		. "$VM_DIR/common.sh"
		. "$VM_DIR/jobs.sh"
		JOBS_DIR=$1/out JOBS=2
		job test good 1 '' echo '2 passed, 0 failed, 1 skipped'
		job test silent 1 '' true
		job test failed 1 '' eval 'echo "1 passed, 0 failed, 0 skipped"; exit 3'
		job test killed 1 '' eval 'kill -KILL $BASHPID'
		job test group 1 '' eval 'kill -KILL 0'
		job step step 1 '' false
		job test after 1 step true
		job test circle 1 circle true
		run_jobs
		echo "$passed passed, $failed failed, $skipped skipped"
	EOF
	got=$(timeout 60 bash "$dir/jobs" "$dir" 2> /dev/null | tail -n 1) || :
	rm -rf "$dir"
	[ "$got" = '3 passed, 7 failed, 1 skipped' ] || echo "$got"
}

kernel_doc() {
	local f
	for f in $(files 'kmod/*.c' 'kmod/*.h' 'uapi/linux/*.h'); do
		perl "$source/scripts/kernel-doc" -none "$f" 2>&1 | grep -v '^$' || :
	done
}

spelling() {
	local all
	mapfile -t all < <(files 'kmod/*' 'uapi/*' 'user/*' 'selftests/*' \
			   'Documentation/*' 'dist/*' '*.md' 'Makefile' | grep -v corpus)
	codespell -L inout,iput,fo,whats,bu,ser,parms,te,nd,fpr "${all[@]}"
}

shell_scripts() {
	local all
	mapfile -t all < <(files 'selftests/*.sh' 'user/*.sh' | grep -v common.sh)
	shellcheck -x "${all[@]}"
}

man_pages() {
	local all
	mapfile -t all < <(files 'Documentation/man/*.[0-9]')
	mandoc -T lint -W warning "${all[@]}" | grep -v 'referenced manual not found'
	return 0
}

# Each page is in the table of contents, and all of what it refers to is there.
manual() {
	make -s docs
}

golden_copies() { selftests/golden/take.sh --check; }
# What clients were compiled with
golden_numbers() { selftests/golden/numbers.sh; }

# Output that has gone wrong in one way or another is counted as it should be.
counting() {
	local text want got
	while IFS='|' read -r want text; do
		got=$(printf '%b' "$text" | awk -f "$VM_DIR/tap.awk" | tail -n 1)
		[ "$got" = "$want" ] || echo "$got instead of $want: $text"
	done <<-'EOF'
	1 0 0|#@ begin a 1\n1..1\nok 1\n#@ end a 0 2\n
	1 1 0|#@ begin a 1\n1..2\nok 1\nnot ok 2\n#@ end a 1 2\n
	1 1 0|#@ begin a 1\n1..1\nok 1\n#@ end a 1 2\n
	1 1 0|#@ begin a 1\n1..2\nok 1\n#@ end a 0 2\n
	0 1 0|#@ begin a 1\n#@ end a 0 2\n
	0 1 0|#@ begin a 1\n1..0\n#@ end a 0 2\n
	0 0 1|#@ begin a 1\n1..0 # SKIP no memory\n#@ end a 0 2\n
	0 0 1|#@ begin a 1\n#@ end a 4 2\n
	1 1 0|#@ begin a 1\n1..1\nok 1\nBail out!\n#@ end a 0 2\n
	1 1 0|#@ begin a 1\n1..1\nok 1\n
	2 1 0|#@ begin a 1\n1..3\nok 1\ndying#@ end a 139 2\n#@ begin b 3\n1..1\nok 1\n#@ end b 0 4\n
	2 1 0|#@ begin a 1\n1..1\nok 1\n#@ begin b 3\n1..1\nok 1\n#@ end b 0 4\n
	2 0 0|#@ begin a 1\n1..1\nok 1\n#@ end a 0 2\nlate#@ begin b 3\n1..1\nok 1#@ end b 0 4\n
	EOF
}

readme_example() {
	awk '/^```c/{f=1;next} /^```/{f=0} f' README.md > "$BUILD/example.c"
	gcc -Wall -Wextra -Werror -Iuser/libhlk/include -Iuapi \
		-c -o "$BUILD/example.o" "$BUILD/example.c"
}

licences() {
	local text
	text=$(
		# reuse asks git what is ignored, build/ above all.
		if ! git rev-parse --git-dir > /dev/null 2>&1; then
			export GIT_DIR="$BUILD/reuse.git" GIT_WORK_TREE="$TOP"
			git init -q
		fi
		reuse lint 2>&1
	) || echo "$text"
	files '*' | grep -v -e '^LICENSES/' -e '^\.reuse/' |
		awk -f "$VM_DIR/licences.awk" RS= .reuse/dep5 RS='\n' -
}

no_registry_names() {
	local names
	names=$(apt-get indextargets --format "\$(SITE)" | sed -E 's#^[a-z]+://([^/]+).*#\1#' |
		grep -E '^[a-z0-9.-]+\.[a-z]+$' | sort -u | paste -sd '|')
	[ -z "$names" ] || ! files '*' | xargs grep -nE "$names"
}

# Each bug on purpose still changes the code that it is for.
planted_bugs() {
	"$VM_DIR/planted.sh" --match
	selftests/user/mutants.sh --match
	user/mutants.sh --match
}

# Who leaves a record cleans up by at_exit of common.sh: a trap of its own would leave none.
traps_beside_records() {
	# shellcheck disable=SC2016
	files 'selftests/vm/*.sh' | grep -v common.sh |
		xargs awk '/(^|[&|] )record / { records[FILENAME] }
			FILENAME in records && /^[^#]*trap .*EXIT/ { print FILENAME ":" FNR ": " $0 }'
}

# A script that is stopped, or ends at its own, does what it has to, and leaves a record.
records() {
	local dir code=0 got
	dir=$(mktemp -d)
	mkdir "$dir/selftests" "$dir/selftests/vm"
	cp "$VM_DIR/common.sh" "$dir/selftests/vm/"
	cat > "$dir/selftests/vm/a.sh" <<-'EOF'
		. "$(dirname "$0")/common.sh"
		record a
		at_exit echo second
		at_exit echo 'first one'
		at_exit false
		echo '1 passed, 0 failed, 0 skipped'
		[ "$1" -le 99 ] || kill -TERM $$
		exit "$1"
	EOF
	for got in 7 143; do
		(unset RECORDED; bash "$dir/selftests/vm/a.sh" "$got" > "$dir/out" 2>&1) || code=$?
		[ "$code" = "$got" ] || echo "exit code $code, not $got"
		grep -qx "exit: $got" "$dir"/build/results/a-*.txt || echo "no record of $got"
		tail -n 2 "$dir/out" | paste -sd ' ' | grep -qx 'first one second' ||
			cat "$dir/out"
		rm -rf "$dir/build"
	done
	rm -rf "$dir"
}

# A disk that is to stay, and that no VM has, is no disk.
lone_disks() {
	local args got
	for args in '' '--emulator bochs --disk 64'; do
		# shellcheck disable=SC2086
		got=$("$VM_DIR/run.sh" none $args --disk-file /none -- 2>&1) || :
		[[ $got = *'there is no disk' ]] || echo "run.sh $args --disk-file: $got"
	done
}

# What the demonstration says of itself, with a cache and without one, in lines for 100 columns
demo_says() {
	local none text
	# its name is said, and this tree's may be long
	none=$(mktemp -d -p /tmp)
	mkdir "$none/kernels" "$none/kernels/6.1"
	text=$(HLK_CACHE=$none/other "$VM_DIR/demo-says.sh" 6.1)
	grep -q 'about [0-9]* MB' <<< "$text" && grep -q 'takes ten minutes' <<< "$text" ||
		echo "neither how large nor how long: $text"
	text+=$'\n'$(HLK_CACHE=$none "$VM_DIR/demo-says.sh" 6.1)
	grep -q 'That takes a few minutes' <<< "$text" || echo "not how long: $text"
	rm -r "$none"
	! grep -nE '.{101}|'$'\033' <<< "$text"
}

mkdir -p "$BUILD"
echo "TAP version 13"
checks=(checkpatch_kernel checkpatch_user one_place_for_versions pure_files rooms
	kernel_doc spelling shell_scripts man_pages manual golden_copies golden_numbers counting bad_jobs records
	traps_beside_records lone_disks planted_bugs
	readme_example demo_says licences no_registry_names)
series=()
read -ra series <<< "$KERNELS"
total=$((${#checks[@]} + ${#series[@]}))
for s in "${series[@]}"; do
	[ "$s" = 7.3 ] || total=$((total + 1))
done
echo "1..$total"
for s in "${series[@]}"; do
	check "W=1 says nothing on $s" quiet_build "$s" W=1
	# Debian 12's sparse is too old for 7.3.
	[ "$s" = 7.3 ] || check "sparse says nothing on $s" \
		quiet_build "$s" C=2 CF=-D__CHECK_ENDIAN__
done
for c in "${checks[@]}"; do
	check "${c//_/ }" "$c"
done
exit $failed
