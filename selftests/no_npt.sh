#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Without nested paging hlk refuses to work, and says why.
echo "TAP version 13"
echo "1..1"
hlk-run run server.elf --call echo --input x > /tmp/out 2>&1
code=$?
sed 's/^/# /' /tmp/out
if [ $code = 1 ] && grep -q "nested paging" /tmp/out; then
	echo "ok 1 nested paging off is refused with one clear line"
else
	echo "not ok 1 nested paging off is refused with one clear line"
	exit 1
fi
