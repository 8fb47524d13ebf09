#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# coverage.sh: which lines of kmod/ the kselftests, fault injection and a short
# run of the fuzzer reach, by the kernel's own gcov on the debug kernel. Prints
# a line per file; build/coverage/unreached.txt lists what was not reached.
. "$(dirname "$0")/common.sh"

"$VM_DIR/setup.sh"
out=$BUILD/coverage
mkdir -p "$out"
make -C "$TOP" user > "$BUILD/user.log" 2>&1 || { cat "$BUILD/user.log"; exit 1; }
module=$(VARIANT=coverage "$VM_DIR/build.sh" debug GCOV_PROFILE=y 2> "$out/build.log") ||
	{ cat "$out/build.log" >&2; die "the module does not build"; }

programs=() data=()
mapfile -t programs < <(make -s -C "$TOP/selftests" list list-debug)
while read -r file; do
	data+=(--data "$file")
done < <(make -s -C "$TOP/selftests" data)
rm -f "$out/counts.tar.gz"
rc=0
"$VM_DIR/run.sh" debug --thread multi --mem 2048 --log "$out" --module "$module" \
	--gcov "$out/counts.tar.gz" --timeout 1200 --limit 5400 \
	--append kasan_multi_shot --env "FUZZ_SECONDS=${FUZZ_SECONDS:-60}" \
	"${data[@]}" -- "${programs[@]}" > "$out/tap.log" 2>&1 || rc=$?
[ -s "$out/counts.tar.gz" ] || die "nothing was counted; see $out/tap.log"

# Counts beside the notes that the compiler left, as gcov wants them
tar -C "$out/src/kmod" -xzf "$out/counts.tar.gz"
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
