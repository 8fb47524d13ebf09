#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# hlk-run bench: comes to its end, writes what programs can read, has every way
# in it, and each way did what it was timed for. Nothing here depends on time.

nr=0
bad=0
json=/tmp/bench.json
svg=/tmp/bench.svg
out=/tmp/bench.out

result() { # result RC WHAT
	nr=$((nr + 1))
	if [ "$1" = 0 ]; then
		echo "ok $nr $2"
		return
	fi
	sed 's/^/# /' $out | head -n 40
	echo "not ok $nr $2"
	bad=1
}

# Is it JSON, to its last byte?
is_json() {
	awk '
	function fail(what) { if (!wrong) print "no JSON at " at ": " what; wrong = 1; return 0 }
	function space() { while (substr(text, at, 1) ~ /[ \t\n\r]/) at++ }
	function eat(c) { space(); if (substr(text, at, 1) != c) return fail("no " c); at++; return 1 }
	function string(  c) {
		if (!eat("\""))
			return 0
		for (;; at++) {
			c = substr(text, at, 1)
			if (c == "")
				return fail("string")
			if (c == "\\")
				at++
			else if (c == "\"")
				break
		}
		at++
		return 1
	}
	function list(end, pairs) {
		at++
		space()
		if (substr(text, at, 1) == end) { at++; return 1 }
		for (;;) {
			if (pairs && !(string() && eat(":")))
				return 0
			if (!value())
				return 0
			space()
			if (substr(text, at, 1) == end) { at++; return 1 }
			if (!eat(","))
				return 0
		}
	}
	function value(  c, word) {
		space()
		c = substr(text, at, 1)
		if (c == "{")
			return list("}", 1)
		if (c == "[")
			return list("]", 0)
		if (c == "\"")
			return string()
		if (!match(substr(text, at, 40), /^(true|false|null|-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?)/))
			return fail("value")
		at += RLENGTH
		return 1
	}
	{ text = text $0 "\n" }
	END {
		at = 1
		if (value()) { space(); if (at <= length(text)) fail("more") }
		exit wrong
	}' "$1"
}

# ways FIELD: how often each way has this in the JSON, one line a way
ways() {
	awk -v want="$1" '
	/"way":/ { gsub(/[",]/, ""); way = $2 }
	$1 == want { n[way]++ }
	END { for (way in n) print way, n[way] }' $json | sort
}

# A way may be missing where the kernel or the module lacks it, and says so.
excused() {
	awk '
	/"way":/ { way = $2 }
	/"why":/ && way != "" {
		if ($0 !~ /PAGEMAP_SCAN|UFFD_FEATURE_WP_ASYNC|the module has no/) {
			print way, $0
			bad = 1
		}
		way = ""
	}
	/"goals":/ { exit }
	END { exit bad }' $json
}

echo "TAP version 13"
hlk-run bench --quick --json $json --svg $svg > $out 2>&1
result $? "a quick benchmark comes to its end"

is_json $json > $out 2>&1
result $? "its JSON is JSON"

for way in A A2 A2p A3 A3r A0 B1 B2 B3 B4 B5 B5w B6 B6f B7 C; do
	ways '"present":' > $out
	grep -q "^$way 2$" $out
	result $? "way $way is in both configurations"
done
excused > $out 2>&1
result $? "a way that is not there says that kernel or module lacks it"

grep -o '"present":.*true' $json | wc -l > $out
[ "$(cat $out)" -ge 20 ]
result $? "the others are there, each checked to write, and to restore"

grep -c '"goal":' $json > $out
[ "$(cat $out)" -ge 20 ]
result $? "all goals are said"

{ head -n 1 $svg | grep '^<svg ' && tail -n 1 $svg | grep '^</svg>$'; } > $out 2>&1
result $? "the chart is a chart"

hlk-run bench --quick --ways A,C --json - 2> $out > $json && is_json $json >> $out
result $? "JSON alone on standard output"

hlk-run bench --quick --two-threads --copy libc --emulated > $out 2>&1 &&
	grep -q "^two threads, a sandbox each: \|only one CPU$" $out
result $? "two threads alone"

hlk-run bench --quick --perf-counts --ways A2,C --config 1,288,16 \
	--config 8,288,16,data > $out 2>&1 && grep -q "^Figures are instructions" $out &&
	[ "$(grep -c "^  A2 " $out)" = 2 ]
result $? "configurations of one's own, in instructions"

report=$json.report
hlk-run bench --quick --ways A2,C --config 1,288,16 --guest server.elf \
	--report $report > $out 2>&1 && grep -q "^libhlk as it is used" $out &&
	grep -q "^vendor_id" $report && grep -q "^  A2 " $report &&
	grep -q "^model: way" $report
result $? "calls by name, and a report to send in"
rm -f $report

hlk-run bench --model > $out 2>&1 && grep -q "^  floor" $out
result $? "what hardware would say"

# what cannot be done for want of files is said
for files in 8 10; do
	# shellcheck disable=SC3045
	(ulimit -n $files && exec hlk-run bench --quick) > $out 2>&1
	[ $? -le 1 ] && grep -q "Too many open files" $out
	result $? "with $files files"
done

hlk-run bench --quick --ways C --json /nowhere/bench.json --svg /dev/full > $out 2>&1
[ $? = 1 ] && [ "$(grep -c "cannot write" $out)" = 2 ]
result $? "files that cannot be written"

hlk-run bench --config 600,1024,16 > $out 2>&1
[ $? = 2 ] && grep -q "does not fit" $out
result $? "a configuration that cannot be is a usage error"

hlk-run bench --ways A2,B99,C > $out 2>&1
[ $? = 2 ] && grep -q "no way 'B99,C'" $out
result $? "and so is a way that there is not"

hlk-run bench --kernel "$(command -v hlk-run)" > $out 2>&1
[ $? = 1 ] && grep -q "cannot load the kernel" $out
result $? "a kernel that is none"

hlk-run bench --kernel /nowhere/kernel > $out 2>&1
[ $? = 1 ] && grep -q "/nowhere/kernel: No such file" $out
result $? "and one that is not there"

echo "1..$nr"
exit $bad
