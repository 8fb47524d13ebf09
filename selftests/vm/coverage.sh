#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# coverage.sh [PROGRAM...]: which lines of kmod/ the kselftests, fault injection
# and a run of the fuzzer (FUZZ_SECONDS, default 60) reach, by the kernel's own
# gcov on the debug kernel. Prints a line per file; build/coverage/unreached.txt
# lists what was not reached.
#
# With PROGRAMs, by name, only these run, and what they reach is added to what
# was counted before, as long as the module is the same.
. "$(dirname "$0")/common.sh"

"$VM_DIR/setup.sh"
out=$BUILD/coverage
mkdir -p "$out"
make -C "$TOP" user > "$BUILD/user.log" 2>&1 || { cat "$BUILD/user.log"; exit 1; }
module=$(VARIANT=coverage "$VM_DIR/build.sh" debug GCOV_PROFILE=y 2> "$out/build.log") ||
	{ cat "$out/build.log" >&2; die "the module does not build"; }

programs=() data=()
mapfile -t programs < <(make -s -C "$TOP/selftests" list list-debug)
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
done < <(make -s -C "$TOP/selftests" data)
# Counts of another build do not fit its notes.
notes=$(cat "$out"/src/kmod/*.gcno | sha256sum)
if [ $# -eq 0 ] || [ "$notes" != "$(cat "$out/notes" 2> /dev/null)" ]; then
	rm -rf "$out/sum"
fi
echo "$notes" > "$out/notes"
rm -f "$out/counts.tar.gz"
seconds=${FUZZ_SECONDS:-60}
rc=0
"$VM_DIR/run.sh" debug --thread multi --mem 2048 --log "$out" --module "$module" \
	--gcov "$out/counts.tar.gz" --timeout $((900 + seconds)) --limit $((3600 + 2 * seconds)) \
	--append kasan_multi_shot --env "FUZZ_SECONDS=$seconds" \
	"${data[@]}" -- "${programs[@]}" > "$out/tap.log" 2>&1 || rc=$?
[ -s "$out/counts.tar.gz" ] || die "nothing was counted; see $out/tap.log"

rm -rf "$out/new"
mkdir "$out/new"
tar -C "$out/new" -xzf "$out/counts.tar.gz"
if [ -d "$out/sum" ]; then
	gcov-tool-12 merge -o "$out/both" "$out/sum" "$out/new" > "$out/merge.txt" 2>&1 ||
		{ cat "$out/merge.txt" >&2; die "the counts cannot be added up"; }
	rm -rf "$out/sum"
	mv "$out/both" "$out/sum"
else
	mv "$out/new" "$out/sum"
fi

# Counts beside the notes that the compiler left, as gcov wants them
cp "$out"/sum/*.gcda "$out/src/kmod/"
cd "$out/src"
rm -f ./*.gcov
gcov-12 -r -s "$out/src" -o kmod kmod/*.gcda > "$out/gcov.txt" 2>&1 || :
for file in kmod#*.gcov *.c.gcov *.h.gcov; do
	[ -f "$file" ] || continue
	source=$(sed -n 's/^ *-: *0:Source://p' "$file")
	case $source in
	*kmod/*) ;;
	*) continue ;;
	esac
	awk -v name="kmod/${source##*/}" -v list="$out/unreached.new" -F: '
		{ count = $1; gsub(/[ *]/, "", count) }
		count == "-" || $2 + 0 == 0 { next }
		{ all++ }
		count ~ /^[#=]+$/ {
			missed++
			line = $0
			sub(/^[^:]*:[^:]*:/, "", line)
			print name ":" $2 + 0 ":" line >> list
		}
		END { if (all) print name, all - missed, all }' "$file"
done | sort -u > "$out/files.txt"
mv -f "$out/unreached.new" "$out/unreached.txt" 2> /dev/null || : > "$out/unreached.txt"

awk '{ printf "%-20s %5d of %5d lines  %5.1f %%\n", $1, $2, $3, 100 * $2 / $3
       reached += $2; all += $3 }
     END { if (all) printf "%-20s %5d of %5d lines  %5.1f %%\n", "kmod", reached, all,
			   100 * reached / all }' "$out/files.txt"
echo "what was not reached: $out/unreached.txt"
tail -n 1 "$out/tap.log"
exit $rc
