#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# coverage.sh [--user] [PROGRAM...]: which lines of kmod/ the kselftests, fault
# injection and a run of the fuzzer (FUZZ_SECONDS, default 60) reach, by the
# kernel's own gcov on the debug kernel. Prints a line per file;
# build/coverage/unreached.txt lists what was not reached.
#
# With --user, which lines of libhlk and hlk-run their native tests reach and the
# programs that use them in a VM; in build/coverage-user. What a process did that
# was killed is not counted.
#
# With PROGRAMs, by name, only these run, and what they reach is added to what
# was counted before, as long as nothing was built anew.
. "$(dirname "$0")/common.sh"

user=''
[ "${1:-}" != --user ] || { user=y; shift; }
"$VM_DIR/setup.sh"
out=$BUILD/coverage${user:+-user}
mkdir -p "$out"
where=() lists=(list list-debug)
if [ -n "$user" ]; then
	where=(O="$out/selftests" user="$out/user") lists=(list-user)
	# Lines as they were written, and counted by all threads. The sanitizers
	# of the native tests would add code of their own.
	flags='-O0 -g --coverage -fprofile-update=atomic'
	tools=(CC=gcc-12 CFLAGS="$flags" asan="$flags" LDFLAGS=--coverage)
	{ make -C "$TOP/user" O="$out/user" "${tools[@]}" &&
	  make -C "$TOP/selftests" "${where[@]}" "${tools[@]}" \
		CFLAGS="$flags -include $VM_DIR/gcov.h" all-user
	} > "$out/build.log" 2>&1 || { cat "$out/build.log"; exit 1; }
	notes=$(cat "$out"/user/{libhlk,hlk-run{,/bench,/pt}}/*.gcno | sha256sum)
else
	build_user || exit 1
	module=$(VARIANT=coverage "$VM_DIR/build.sh" debug GCOV_PROFILE=y 2> "$out/build.log") ||
		{ cat "$out/build.log" >&2; die "the module does not build"; }
	notes=$(cat "$out"/src/kmod/*.gcno | sha256sum)
fi

programs=() data=()
mapfile -t programs < <(make -s -C "$TOP/selftests" "${where[@]}" "${lists[@]}")
if [ $# -gt 0 ]; then
	chosen=()
	for name in "$@"; do
		found=''
		for program in "${programs[@]}"; do
			[ "${program##*/}" != "$name" ] || found=$program
		done
		[ -n "$found" ] || die "no program $name"
		chosen+=("$found")
	done
	programs=("${chosen[@]}")
fi
while read -r file; do
	data+=(--data "$file")
done < <(make -s -C "$TOP/selftests" "${where[@]}" data)

# Counts of another build do not fit its notes.
if [ $# -eq 0 ] || [ "$notes" != "$(cat "$out/notes" 2> /dev/null)" ]; then
	rm -rf "$out/sum"
fi
echo "$notes" > "$out/notes"
rm -rf "$out/counts.tar.gz" "$out/new"
mkdir "$out/new"
prefix=${out//[^\/]/}
rc=0
if [ -n "$user" ]; then
	run=(6.12 --timeout 1800 --limit 7200
	     --env GCOV_PREFIX=/tmp/gcov --env "GCOV_PREFIX_STRIP=${#prefix}")
else
	seconds=${FUZZ_SECONDS:-60}
	run=(debug --thread multi --mem 2048 --module "$module"
	     --timeout $((900 + seconds)) --limit $((5400 + 2 * seconds))
	     --append kasan_multi_shot --env "FUZZ_SECONDS=$seconds")
fi
"$VM_DIR/run.sh" "${run[@]}" --log "$out" --gcov "$out/counts.tar.gz" \
	"${data[@]}" -- "${programs[@]}" > "$out/tap.log" 2>&1 || rc=$?
[ -s "$out/counts.tar.gz" ] || die "nothing was counted; see $out/tap.log"

tar -C "$out/new" -xzf "$out/counts.tar.gz"
if [ -n "$user" ]; then
	# Programs add to what they find.
	GCOV_PREFIX=$out/new GCOV_PREFIX_STRIP=${#prefix} \
		make -s -C "$TOP/user" O="$out/user" "${tools[@]}" \
		check > "$out/native.log" 2>&1 || rc=$?
	grep '^not ok' "$out/native.log" || :
fi
if [ -d "$out/sum" ]; then
	gcov-tool-12 merge -o "$out/both" "$out/sum" "$out/new" > "$out/merge.txt" 2>&1 ||
		{ cat "$out/merge.txt" >&2; die "the counts cannot be added up"; }
	rm -rf "$out/sum"
	mv "$out/both" "$out/sum"
else
	mv "$out/new" "$out/sum"
fi

# lines NAME: of a file of gcov each line as NAME:LINE, 0 or 1, and its text
lines() {
	awk -v name="$1" -F: '
		{ count = $1; gsub(/[ *]/, "", count) }
		count == "-" || $2 + 0 == 0 { next }
		{
			line = $0
			sub(/^[^:]*:[^:]*:/, "", line)
			print name ":" $2 + 0, count !~ /^[#=]+$/, line
		}'
}

# gcov_lines NOTES-OR-COUNTS...: what gcov says of all their sources
gcov_lines() {
	rm -f ./*.gcov
	gcov-12 -r "$@" > "$out/gcov.txt" 2>&1 || :
	for file in *.gcov; do
		[ -f "$file" ] || continue
		source=$(sed -n 's/^ *-: *0:Source://p' "$file")
		case $source in
		*kmod/*) lines "kmod/${source##*/}" < "$file" ;;
		libhlk/*.[ch] | hlk-run/*.[ch]) lines "$source" < "$file" ;;
		esac
	done
}

# Counts beside the notes that the compiler left, as gcov wants them
if [ -n "$user" ]; then
	for folder in libhlk asan/lib {hlk-run,asan/run}{,/bench,/pt}; do
		cp "$out/user/$folder"/*.gcno "$out/sum/user/$folder/"
		cd "$out/sum/user/$folder"
		gcov_lines -s "$TOP/user" ./*.gcno
	done
else
	cp "$out"/sum/*.gcda "$out/src/kmod/"
	cd "$out/src"
	gcov_lines -s "$out/src" -o kmod kmod/*.gcda
fi > "$out/lines.txt"

# User space is built twice, and a header into many objects: one that reaches a line
# is enough. In the module, lines of trace.h are several functions each.
: > "$out/unreached.txt"
awk -v once="$user" -v list="$out/unreached.txt" '
	{
		key = once ? $1 : NR
		if (!(key in name)) {
			order[++n] = key
			name[key] = $1
			text[key] = $0
			sub(/^[^ ]* [^ ]* /, "", text[key])
		}
		reached[key] += $2
	}
	END {
		for (i = 1; i <= n; i++) {
			key = order[i]
			file = name[key]
			sub(/:.*/, "", file)
			all[file]++
			hit[file] += reached[key] > 0
			if (!reached[key])
				print name[key] ":" text[key] > list
		}
		for (file in all)
			print file, hit[file], all[file]
	}' "$out/lines.txt" | sort > "$out/files.txt"

awk 'function row(name, reached, all) {
	printf "%-22s %5d of %5d lines  %5.1f %%\n", name, reached, all, 100 * reached / all
     }
     { row($1, $2, $3); sub("/.*", "", $1); reached[$1] += $2; all[$1] += $3 }
     END { for (folder in all) row(folder, reached[folder], all[folder]) }' "$out/files.txt"
echo "what was not reached: $out/unreached.txt"
tail -n 1 "$out/tap.log"
exit $rc
