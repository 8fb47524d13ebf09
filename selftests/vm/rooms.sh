#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Who may include whom, and call whom; see Documentation/contributing.rst. Prints
# each line that breaks it, and each circle among files of a room; nothing is good.
set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 2

# A room, its files as a regular expression (the first that fits counts), and the
# rooms that it may use beside itself. "system" is any header that is not in the tree.
rooms='
uapi       ^uapi/                                                -
ground     ^kmod/(env\.h|compat\.h|debug\.h|copy\.[ch]|count\.[ch]|files\.[ch])$     system
pure       ^kmod/(i686pt|pt|mark|snap|chunk|place|delta|reloc|fpu)\.[ch]$ ground uapi
kmod       ^kmod/                                                pure ground uapi system
api        ^user/libhlk/include/                                 uapi system
text       ^user/libhlk/(text\.[ch]|unlisted\.h)$                 system
libhlk     ^user/libhlk/[^/]*$                                   text api uapi system
libtests   ^user/libhlk/tests/                                   text libhlk api uapi system
main       ^user/hlk-run/main\.c$                                bench boot pt run api uapi system
bench      ^user/hlk-run/bench/                                  boot run text api uapi system
debug      ^user/hlk-run/debug/                                  pt run text api uapi system
boot       ^user/hlk-run/boot/                                   debug run text api uapi system
pt         ^user/hlk-run/pt/                                     run api uapi system
run        ^user/hlk-run/[^/]*$                                  debug text libhlk api uapi system
runtests   ^user/hlk-run/tests/                                  debug bench boot pt run libtests api uapi system
guest      ^user/guest/                                          uapi system
lib        ^selftests/lib/                                       uapi system
userside   ^selftests/user/                                  lib kmod pure uapi system
guests     ^selftests/guests/                                    guest uapi system
vm         ^selftests/vm/                                        system
tests      ^selftests/                                           lib api uapi system
tutorial   ^Documentation/tutorial/                              guest api uapi system
bindings   ^bindings/                                            api uapi system
'
# What uapi/ may include of the system
contract='^linux/(types|ioctl|const)\.h$'
# Where a header that is not beside its file is looked for
paths='uapi kmod user/libhlk/include user/guest selftests/lib'
# No two files of these may use each other, be it through others
trees='kmod user/hlk-run'

# Comments and strings do not count.
list() {
	if git rev-parse --git-dir > /dev/null 2>&1; then
		git ls-files --cached --others --exclude-standard -- '*.c' '*.h' '*.S'
	else
		find kmod uapi user selftests Documentation -name '*.[chS]'
	fi | while read -r file; do
		[ ! -f "$file" ] || printf '%s\n' "$file"
	done
}

# Lines "USER USED WHY": of includes, and of functions and variables
uses() {
	# shellcheck disable=SC2016 # awk
	list | xargs awk -v paths="$paths" -v trees="$trees" -v all="$(list)" '
	function stem(file) { sub(/\.[chS]$/, "", file); return file }
	function tree(file, i) {
		for (i = 1; i <= ntrees; i++)
			if (index(file, treename[i] "/") == 1 && file !~ /\/tests\//)
				return treename[i]
		return ""
	}
	function resolve(name, quoted, from,  dir, i) {
		dir = from
		sub(/[^\/]*$/, "", dir)
		if (quoted) {
			dir = dir name
			while (sub(/\/(\.?\/)+/, "/", dir) || sub(/[^\/]+\/\.\.\//, "", dir))
				;
			if (dir in known)
				return dir
		}
		for (i = 1; i <= npaths; i++)
			if (!(pathname[i] == "kmod" && from !~ /^(kmod|selftests\/user)\//) &&
			    (pathname[i] "/" name) in known)
				return pathname[i] "/" name
		return "<" name ">"
	}
	BEGIN {
		npaths = split(paths, pathname, " ")
		ntrees = split(trees, treename, " ")
		n = split(all, file, "\n")
		for (i = 1; i <= n; i++)
			known[file[i]] = 1
	}
	FNR == 1 { comment = inline = 0 }
	{
		line = $0
		if (!comment && match(line, /^[ \t]*#[ \t]*include/)) {
			while (sub(/\/\*[^*]*\*+\//, " ", line))
				;
			if (!match(line, /^[ \t]*#[ \t]*include[ \t]*[<"][^>"]*[>"]/)) {
				print FILENAME, "?", "include"
				next
			}
			name = substr(line, RSTART, RLENGTH - 1)
			quoted = name ~ /"/
			sub(/.*[<"]/, "", name)
			print FILENAME, resolve(name, quoted, FILENAME), "include"
			next
		}
		if (tree(FILENAME) == "")
			next
		gsub(/"([^"\\]|\\.)*"/, "\"\"", line)
		while (!comment && (at = index(line, "/*"))) {
			rest = substr(line, at + 2)
			end = index(rest, "*/")
			comment = !end
			line = substr(line, 1, at - 1) (end ? " " substr(rest, end + 2) : "")
		}
		if (comment && (at = index(line, "*/"))) {
			comment = 0
			line = substr(line, at + 2)
		} else if (comment && !index($0, "/*")) {
			next
		}
		sub(/\/\/.*/, "", line)
		# what a file defines, by itself or for all
		if (FILENAME ~ /\.c$/ && line ~ /^[a-zA-Z_]/ && line !~ /^[a-zA-Z_0-9]+:$/ &&
		    line !~ /^(struct|union|enum) [a-zA-Z_0-9]*( \{.*|;)?$/ &&
		    match(line, /^[a-zA-Z_][a-zA-Z_0-9 \t*]*[ \t*][a-zA-Z_0-9]+(\(|\[| =|;)/)) {
			name = substr(line, 1, RLENGTH)
			sub(/(\(|\[| =|;)$/, "", name)
			sub(/.*[ \t*]/, "", name)
			if (line ~ /^(static|typedef) /)
				own[FILENAME, name] = 1
			else if (line !~ /^extern /)
				where[tree(FILENAME), name] = FILENAME
		}
		# what it mentions; members of structs have names of their own
		gsub(/(\.|->)[ \t]*[a-zA-Z_][a-zA-Z_0-9]*/, " ", line)
		# of a header, what its inline functions do counts, not what it declares
		if (FILENAME ~ /\.h$/) {
			if (line ~ /^static (__always_)?inline /)
				inline = 1
			use = inline
			if (line ~ /^}/ || line ~ /^[a-z].*[;}][ \t]*$/)
				inline = 0
			if (!use)
				next
		}
		last = ""
		while (match(line, /[a-zA-Z_][a-zA-Z_0-9]*/)) {
			name = substr(line, RSTART, RLENGTH)
			before = substr(line, 1, RSTART - 1)
			line = substr(line, RSTART + RLENGTH)
			# a name after a type is declared, not used
			if (line ~ /^\(/)
				seen[FILENAME, name] = "call"
			else if ((before ~ /[=,(){?:!<>+|&\/%^~\[-][ \t]*$/ || last == "return" ||
				  (last == "" && line ~ /^[ \t]*([-+*\/%&|^<>!?=\[;,)]|$)/)) &&
				 !((FILENAME, name) in seen))
				seen[FILENAME, name] = "value"
			if (last == "struct" && before ~ /^[ \t]+$/)
				tag[name] = 1
			last = name
		}
	}
	END {
		for (key in seen) {
			split(key, part, SUBSEP)
			used = where[tree(part[1]), part[2]]
			# a macro may be given the name of a struct
			if (used != "" && used != part[1] && !(key in own) &&
			    (seen[key] == "call" || !(part[2] in tag)))
				print part[1], used, part[2] "()"
		}
	}'
}

judge() {
	awk -v rooms="$rooms" -v contract="$contract" '
	function room(file, i) {
		for (i = 1; i <= n; i++)
			if (file ~ pattern[i])
				return name[i]
		return ""
	}
	BEGIN {
		lines = split(rooms, line, "\n")
		for (i = 1; i <= lines; i++) {
			parts = split(line[i], part, " ")
			if (parts < 3)
				continue
			name[++n] = part[1]
			pattern[n] = part[2]
			may[part[1], part[1]] = 1
			for (j = 3; j <= parts; j++)
				may[part[1], part[j]] = 1
		}
	}
	{
		from = room($1)
		to = $2 ~ /^</ ? "system" : room($2)
		header = $2
		gsub(/[<>]/, "", header)
		if (from == "")
			print $1 ": belongs to no room"
		else if ($2 == "?")
			print $1 ": includes what only a compiler can tell"
		else if (!((from, to) in may) && !(from == "uapi" && header ~ contract))
			print $1 ": " $2 " is of a room (" to ") that " from " may not use" \
				($3 == "include" ? "" : ": " $3)
	}' | sort -u
}

# The files FILE.c and FILE.h are one.
circles() {
	local all tree edges loops
	all=$(cat)
	for tree in $trees; do
		edges=$(awk -v tree="$tree/" '
			index($1, tree) == 1 && index($2, tree) == 1 && $1 !~ /\/tests\// {
				sub(/\.[ch]$/, "", $1)
				sub(/\.[ch]$/, "", $2)
				if ($1 != $2)
					print $1, $2
			}' <<< "$all" | sort -u)
		loops=$(tsort <<< "$edges" 2>&1 > /dev/null) ||
			printf '%s\n' "$loops" | sed 's/^tsort: -: input contains a loop:/a circle:/; s/^tsort: /  /'
	done
}

all=$(uses)
broken=$(judge <<< "$all"
	 circles <<< "$all")
[ -z "$broken" ] || { printf '%s\n' "$broken"; exit 1; }
