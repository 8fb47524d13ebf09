#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# hlk-run bench, of ways that only some kernels have: it says which one that takes, and goes on. TAP.
case $(uname -r) in
[0-5].*|6.[0-6].*) why="PAGEMAP_SCAN, of Linux 6.7 and newer" ;;
*) why="PAGEMAP_SCAN, once written" ;;
esac
out=/tmp/ways.out
hlk-run bench --quick --ways=B5 --config=1,64,16 > $out 2>&1
code=$?
if [ $code = 0 ] && grep -q -- "$why" $out; then
	echo "ok 1 B5 on $(uname -r): $why"
else
	sed 's/^/# /' $out | head -n 30
	echo "# exit code $code; wanted \"$why\""
	echo "not ok 1 B5 on $(uname -r)"
fi
echo "1..1"
grep -q "$why" $out && [ $code = 0 ]
