#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Prints each constant and each field of the golden headers that is another number in the
# headers of today, or is gone; nothing is good. Clients were compiled with them.
#
# What says which version it is may change, and limits, and what becomes of a field that
# is reserved.
set -eu -o pipefail
cd "$(dirname "$0")/../.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
include='#include <stddef.h>
#include <stdio.h>
#include <hlk.h>
#include <linux/hlk.h>
#include <linux/hlk_guest.h>'

# Lines "LABEL|EXPRESSION" for a header
expressions() {
	awk '
	function number(name) {
		if (name !~ /^HLK_VERSION|_MAX(_|$)/ && !(name in seen))
			print name "|" name
		seen[name] = 1
	}
	/^#define HLK_[A-Z0-9_]+[ \t]+[^{ \t"]/ { number($2) }
	{ sub(/\/\*.*/, "") }
	/^enum/ { enum = 1 }
	enum && match($0, /HLK_[A-Z0-9_]+/) { number(substr($0, RSTART, RLENGTH)) }
	/^struct [a-z_0-9]+ \{/ { type = $2; sub(/^.*\{/, "") }
	/^}/ { type = ""; enum = 0 }
	# a pointer to a function, an array, anything else
	type != "" && /;[ \t]*$/ {
		if (match($0, /\(\*[a-z_0-9]+\)/))
			name = substr($0, RSTART + 2, RLENGTH - 3)
		else {
			sub(/(\[.*)?;[ \t]*$/, "")
			match($0, /[a-z_0-9]+$/)
			name = substr($0, RSTART)
		}
		if (name ~ /^__reserved/)
			next
		at = "struct " type "." name
		print at " (offset)|offsetof(struct " type ", " name ")"
		print at " (size)|sizeof(((struct " type " *)0)->" name ")"
	}' "$1"
}

for golden in selftests/golden/*/; do
	for header in hlk.h linux/hlk.h linux/hlk_guest.h; do
		expressions "$golden$header"
	done > "$work/list"
	{
		echo "$include"
		echo 'int main(void) {'
		sed -E 's/(.*)\|(.*)/printf("%s|%s|%lld\\n", "\1", "\2", (long long)(\2));/' \
			"$work/list"
		echo 'return 0; }'
	} > "$work/then.c"
	for bits in 64 32; do
		gcc -m$bits -w -I"$golden" -o "$work/then" "$work/then.c"
		"$work/then" > "$work/numbers"
		{
			echo "$include"
			sed -E 's/(.*)\|(.*)\|(.*)/_Static_assert((long long)(\2) == \3LL, "-m'$bits' \1 was \3");/' \
				"$work/numbers"
		} > "$work/now.c"
		gcc -m$bits -w -fmax-errors=0 -Iuser/libhlk/include -Iuapi -fsyntax-only \
			"$work/now.c" 2>&1 | grep error: | sed 's/^.*error: //' || :
	done
done
