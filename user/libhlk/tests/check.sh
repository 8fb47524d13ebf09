#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# Usage: check.sh BUILD SOURCE TEST...
#
# Runs the unit tests, then uses what "make install" installs as a stranger
# would. Prints one TAP line for each.

build=$1
source=$2
shift 2
tests=$source/libhlk/tests
dest=$build/install
log=$build/check.log
nr=0
failed=0

result()
{
	nr=$((nr + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $nr $2"
	else
		failed=$((failed + 1))
		sed 's/^/# /' "$log"
		echo "not ok $nr $2"
	fi
}

step()
{
	name=$1
	shift
	"$@" >"$log" 2>&1
	result $? "$name"
}

for test in "$@"; do
	"$test" >"$log" 2>&1
	status=$?
	# The plan comes last: without it the test did not come to its end.
	tail -n 1 "$log" | grep -qx '1\.\.[0-9]*' || status=1
	result $status "${test##*/} ($(grep -c '^ok ' "$log") checks)"
done

# Debian's, which has what Debian's packages bring, if there are several
python=/usr/bin/python3
[ -x $python ] || python=python3

# One parser writes it, another one reads it: valid, and with no control character.
read_json()
{
	"$build/asan/run-test-json" --random | python3 -c '
import json, sys, unicodedata
lines = sys.stdin.buffer.readlines()
if len(lines) != 5000:
    sys.exit("only %d documents" % len(lines))
for line in lines:
    for c in json.loads(line.decode("utf-8", "strict"))["x"]:
        if ord(c) >= 0x7f and unicodedata.category(c) in ("Cc", "Zl", "Zp"):
            sys.exit("U+%04X passed" % ord(c))
        if unicodedata.bidirectional(c) in ("LRE", "RLE", "LRO", "RLO", "PDF",
                                            "LRI", "RLI", "FSI", "PDI"):
            sys.exit("U+%04X passed" % ord(c))
'
}
if command -v python3 >/dev/null; then
	step "JSON of random bytes, read by Python" read_json
	mkdir -p "$build/cli"
	step "hlk-run on terminals, at Ctrl-C, with files that are none, at limits" \
		$python "$source/hlk-run/tests/cli.py" "$build/asan/hlk-run" "$build/cli"
fi

rm -rf "$dest" "$dest.other"
step "install elsewhere" make -s -C "$source" O="$build" DESTDIR="$dest.other" \
	PREFIX=/opt/hlk install
rm -rf "$dest.other"
step "install" make -s -C "$source" O="$build" DESTDIR="$dest" PREFIX=/usr/local \
	install

PKG_CONFIG_SYSROOT_DIR=$dest
# liburing, which ours asks for, is the system's.
PKG_CONFIG_LIBDIR=$dest/usr/local/lib/pkgconfig:$(pkg-config --variable pc_path pkg-config)
export PKG_CONFIG_SYSROOT_DIR PKG_CONFIG_LIBDIR
warn="-Wall -Wextra -Wpedantic -Werror"
cflags=$(pkg-config --cflags libhlk)
libs=$(pkg-config --libs libhlk)
static=$(pkg-config --libs --static libhlk)
out=$dest/consumer

# The lists are meant to be split into words.
# shellcheck disable=SC2086
{
step "a C program against the installed library" \
	${CC:-gcc} -std=c99 $warn $cflags "$tests/consumer.c" $libs -o "$out"
step "it runs" env LD_LIBRARY_PATH="$dest/usr/local/lib" "$out"
for std in c++11 c++14 c++17 c++20 c++23; do
	for cxx in "${CXX:-g++}" clang++; do
		echo 'int main() { return 0; }' |
			$cxx -std=$std -fsyntax-only -x c++ - 2>/dev/null || continue
		step "a C++ program, of $std by $cxx" $cxx -std=$std $warn $cflags \
			-x c++ "$tests/consumer.c" -x none $libs -o "$out++"
		step "it runs" env LD_LIBRARY_PATH="$dest/usr/local/lib" "$out++"
	done
done
step "a static program" ${CC:-gcc} -static $warn $cflags \
	"$tests/consumer.c" $static $LDFLAGS -o "$out-static"
step "it runs" "$out-static"
}

# Each header by itself, that of guests for a guest
headers()
{
	for std in c99 c11 c++11 c++20; do
		language=c
		[ $std = "${std#c++}" ] || language=c++
		for header in hlk.h linux/hlk.h linux/hlk_guest.h hlk-guest/hlk_rt.h; do
			bits=64
			[ $header = "${header#hlk-guest/}" ] || bits=32
			# shellcheck disable=SC2086
			echo "#include <$header>" | ${CC:-gcc} -m$bits -std=$std $warn -ffreestanding \
				-fsyntax-only -x $language "-I$dest/usr/local/include" - || return
		done
	done
}
step "each header by itself, in C and in C++" headers

exported()
{
	nm -D --defined-only "$dest/usr/local/lib/libhlk.so" |
		awk '$2 == "T" { sub("@.*", "", $3); print $3 }' | sort
}

declared()
{
	grep -oE '^[a-z].*\bhlk_[a-z0-9_]+\(|^hlk_[a-z0-9_]+\(' \
		"$dest/usr/local/include/hlk.h" | grep -v -e '^typedef' -e '^static inline' |
		grep -oE 'hlk_[a-z0-9_]+\(' | tr -d '(' | sort
}

same_symbols()
{
	exported >"$build/exported"
	declared >"$build/declared"
	diff "$build/declared" "$build/exported"
}
step "the library exports what its header declares, and nothing else" \
	same_symbols

# The linker says nothing of a name in the map that is no function.
map()
{
	sed -n 's/^\t\(hlk_[a-z0-9_]*\);$/\1/p' "$source/libhlk/libhlk.map" | sort >"$build/map"
	diff "$build/map" "$build/exported" || return
	sed -n 's/^\(LIBHLK_[0-9.]*\) {$/\1/p' "$source/libhlk/libhlk.map" | while read -r node; do
		grep -q "^ (symver)$node " "$source/../debian/libhlk0.symbols" ||
			echo "debian/libhlk0.symbols: no line for $node"
	done | grep . && return 1
	return 0
}
step "libhlk.map and Debian's symbols have what the library exports" map

version()
{
	v=$(cat "$source/../VERSION")
	LD_LIBRARY_PATH="$dest/usr/local/lib" "$out" --version | grep -Fx "$v" &&
		pkg-config --modversion libhlk hlk-guest | sort -u | tr '\n' ' ' |
			grep -Fx "$v " &&
		grep -Fx "PACKAGE_VERSION=\"$v\"" "$source/../dkms.conf" &&
		head -n 1 "$source/../debian/changelog" | grep -F "hlk ($v)" &&
		[ "$(grep -lFx "version = \"$v\"" "$source"/../bindings/rust/hlk*/Cargo.toml |
			wc -l)" -eq 2 ] &&
		for name in hlk hlk-sys; do
			echo "librust-$name-${v%%.*}-dev"
			echo "librust-$name-${v%.*}-dev"
		done | sort >"$build/crates" &&
		grep -oE 'librust-hlk(-sys)?-[0-9][0-9.]*-dev' "$source/../debian/control" | sort |
			diff - "$build/crates"
}
step "one version everywhere" version

# What tracers find: each probe, with its arguments
probes()
{
	readelf -n "$dest/usr/local/lib/libhlk.so" |
		awk '$1 == "Provider:" && $2 == "hlk" { ours = 1 }
			$1 == "Name:" && ours { name = $2 }
			$1 == "Arguments:" && ours { print name, NF - 1; ours = 0 }' |
		sort -u >"$build/probes"
	cut -d ' ' -f 1 "$build/probes" | sort -u >"$build/probes.names"
	sed -nE 's/^ \*\t(hlk:)([a-z_]+)\t.*/\2/p' "$source/libhlk/probe.h" | sort |
		diff - "$build/probes.names" && grep -qx 'call__end 3' "$build/probes"
}
if [ -n "$(echo '#include <sys/sdt.h>' | ${CC:-gcc} -E - 2>/dev/null)" ]; then
	step "tracers find the probes of probe.h" probes
fi

soname()
{
	readelf -d "$dest/usr/local/lib/libhlk.so" | grep -F 'soname: [libhlk.so.0]'
}
step "soname" soname

# Words: each function has a page, each option is told of, and each page reads well

pages()
{
	exported >"$build/exported"
	find "$dest/usr/local/share/man/man3" -name '*.3' | sed 's:.*/::; s/\.3$//' | sort \
		>"$build/pages"
	without=$(comm -23 "$build/exported" "$build/pages")
	[ -z "$without" ] || { echo "no man page, as there is no kernel-doc in hlk.h: $without"; false; }
}
step "each function that the library exports has a man page" pages

kdoc=$source/../Documentation/tools/kdoc.py
help=$source/../Documentation/tools/help.py
hlk_run=$dest/usr/local/bin/hlk-run
step "each function, struct and type of hlk.h has kernel-doc" \
	python3 "$kdoc" undocumented "$source/libhlk/include/hlk.h"
step "each command and option of hlk-run --help is in hlk-run(1), and no other" \
	python3 "$help" check "$hlk_run" "$source/../Documentation/man/hlk-run.1" \
	"$source/hlk-run/main.c"

# completed COMMAND: what bash offers for an option of it, as --help names them
completed()
{
	bash -c '. "$1"; COMP_WORDS=(hlk-run "$2" --) COMP_CWORD=2; compopt() { :; }; _hlk_run
		printf "%s\n" "${COMPREPLY[@]}"' - \
		"$dest/usr/local/share/bash-completion/completions/hlk-run" "$1" | tr -d = | sort
}
completion()
{
	sed -n '/commands\[\] = {/,/^}/s/^\t{ "\([a-z-]*\)".*/\1/p' "$source/hlk-run/main.c" \
		>"$build/commands"
	[ -s "$build/commands" ] || return
	while read -r command; do
		"$hlk_run" "$command" --help | sed -nE 's/^ {2,6}(-., )?(--[a-z0-9-]+).*/\2/p' |
			sort >"$build/options"
		completed "$command" | diff "$build/options" - || return
		sed -n "/^\t\t$command)/,/;;/p" \
			"$dest/usr/local/share/zsh/site-functions/_hlk-run" |
			grep -oE -e "('|,)--[a-z0-9-]+" | tr -d "',"  | sort -u |
			diff "$build/options" - || return
	done <"$build/commands"
}
step "shells complete what --help has" completion

if command -v python3 >/dev/null; then
	step "files for fleets" $python "$source/../contrib/fleet/check.py"
fi

ways()
{
	cat "$source"/hlk-run/bench/ways_*.c | sed -nE 's/^\t\{ "([A-Z][0-9a-z]*)", ".*/\1/p' |
		sort -u >"$build/ways"
	[ -s "$build/ways" ] && sed -n '/^\.Ss The ways/,/^\.El/s/^\.It Cm //p' \
		"$source/../Documentation/man/hlk-run.1" | sort | diff "$build/ways" -
}
step "each way of hlk-run bench is told of in hlk-run(1)" ways

scripts()
{
	# shellcheck disable=SC2012
	ls "$dest/usr/local/share/hlk/bpftrace" >"$build/scripts"
	sed -n 's/^\.It Pa //p' "$source/../Documentation/man/hlk-bpftrace.8" | sort |
		diff "$build/scripts" -
}
step "each script for bpftrace is installed, and told of in hlk-bpftrace(8)" scripts

# The guest of hlk-guest(7), with what was installed
page_guest()
{
	page=$dest/usr/local/share/man/man7/hlk-guest.7
	sed -n '/^\.Bd/,/^\.Ed/p' "$page" | sed -e '/^\.Ed/,$d' -e '/^\.Bd/d' -e 's/\\e/\\/g' \
		>"$dest/guest.c"
	# shellcheck disable=SC2046
	${CC:-gcc} -O2 -Wall -Wextra -Werror $(pkg-config --cflags hlk-guest) "$dest/guest.c" \
		$(pkg-config --libs hlk-guest) -o "$dest/guest.elf" &&
		readelf -h "$dest/guest.elf" | grep -q Intel
}
step "the guest of hlk-guest(7) compiles" page_guest

# The commands of the tutorial that need no module
tutorial()
{
	rm -rf "$dest/tutorial"
	cp -r "$source/../Documentation/tutorial" "$dest/" && (cd "$dest/tutorial" &&
		for page in tutorial vmm; do
			CPATH=$dest/usr/local/include \
				python3 "$source/../selftests/tutorial.py" \
				"$source/../Documentation/$page.rst" '^cc ' || exit
		done)
}
step "the programs of the tutorial compile" tutorial

step "hlk-run --help" "$hlk_run" --help
step "hlk-run --version" "$hlk_run" --version
for command in run snapshot inspect boot info pt serve-bench bench compare top; do
	step "hlk-run $command --help" "$hlk_run" $command --help
done

usage_error()
{
	"$hlk_run" "$@" < /dev/null
	[ $? -eq 2 ]
}
many()
{
	option=$1
	shift
	# shellcheck disable=SC2046
	usage_error "$@" $(yes -- "$option" | head -n 1025)
}
# shellcheck disable=SC2086
while read -r arguments; do
	step "a usage error: hlk-run $arguments" usage_error $arguments
done << 'END'

nonesuch
run
run --none
run a b
run a --mem 1x
run a --mem 5000
run a --input x
run a --call f --repeat -1
run a --call f --input x --input-file y
run a --answer-file y
run a --call f --no-restore --audit 4
pt
pt a b
pt a --pid 1
pt a --fd 3
pt a --running
pt a --input x
pt a --maxphyaddr 31
pt a --range 2000-1000
pt a --range x-1000
pt a --limit 99999999
pt a --svg=- --json
pt --pid 0
pt --pid 1 --running
pt --pid 1 --snapshot
pt --snapshot-fd 0 --call f
boot
boot a b
boot a --protocol none
boot a --snapshot-at later
boot a --snapshot-at print:
boot a --snapshot-at port:65536
boot a --until after:0
boot a --repeat 2
boot a --time-back
boot a --cpus 17
boot a --mem 0
boot a --addr 0x100000000
boot a --save b
boot a --name b
boot a --compress
snapshot
snapshot a
snapshot a b -o c
snapshot a -o c --input x
inspect
inspect a b
serve-bench
serve-bench a b
serve-bench a --threads 0
top
top a --delay 0
compare
compare a
compare a b c
compare a b --worse 0
bench a
bench --none
bench --copy none
bench --budget 0
bench --config x
bench --config 600,1024,16
END
step "more roots than there can be" many --root=0 pt a
step "more modules than there can be" many --module=x boot a
step "more configurations than there can be" many --config=1,1024,16 bench

# failure PATTERN COMMAND...: exit code 6, a file that is none, and why
failure()
{
	pattern=$1
	shift
	"$hlk_run" "$@" > "$build/failure" 2>&1
	[ $? -eq 6 ] && grep "$pattern" "$build/failure"
}
rm -f "$build/fifo"
mkfifo "$build/fifo"
step "a kernel that is a FIFO" failure "fifo: not a regular file" boot "$build/fifo"
step "a kernel that is a folder" failure "not a regular file" boot "$build"
step "a kernel that is not there" failure "No such file" boot "$build/none"
step "an initrd that is not there" failure "none: No such file" \
	boot "$hlk_run" --initrd "$build/none"
step "a module that is not there" failure "none: No such file" \
	boot "$hlk_run" --module "$build/none,text"
rm -f "$build/fifo" "$build/failure"

lint()
{
	mandoc -T lint -W warning "$1" | grep -v 'referenced manual not found' && return 1
	return 0
}
groff_warnings()
{
	for page in "$dest"/usr/local/share/man/man*/*; do
		LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -E UTF-8 -l "$page" 2>&1 >/dev/null
	done | grep . && return 1
	return 0
}
if command -v mandoc >/dev/null; then
	for page in "$dest"/usr/local/share/man/man*/*; do
		step "mandoc -T lint ${page##*/}" \
			lint "$page"
	done
fi
if command -v man >/dev/null; then
	step "man --warnings" groff_warnings
fi

echo "1..$nr"
[ "$failed" -eq 0 ]
