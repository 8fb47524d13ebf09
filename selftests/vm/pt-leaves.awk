# SPDX-License-Identifier: GPL-2.0-only
# What `hlk-run pt --fold 0` lists of a 64-bit guest, as lines of QEMU's `info tlb`: one for each
# entry. Numbers of 64 bits are kept as two of 32, for awk's have 53 bits.
function number(hex,    i, n) {
	for (i = 1; i <= length(hex); i++)
		n = n * 16 + index("0123456789abcdef", substr(hex, i, 1)) - 1
	return n
}

function high(hex) { return length(hex) > 8 ? number(substr(hex, 1, length(hex) - 8)) : 0 }
function low(hex) { return number(substr(hex, length(hex) > 8 ? length(hex) - 7 : 1)) }
function has(what) { return index(" " notes " ", " " what " ") }
# %x of busybox has 31 bits
function hex(n) { return sprintf("%04x%04x", int(n / 65536), n % 65536) }
function flag(is, letter) { return is ? letter : "-" }

/^  [0-9a-f]+-[0-9a-f]+ / {
	split($1, va, "-")
	split($4, gpa, "-")
	notes = ""
	for (i = 8; i <= NF; i++)
		notes = notes " " $i
	step = has("1G") ? 1073741824 : has("2M") ? 2097152 : 4096
	flags = flag(has("nx"), "X") flag($7 ~ /G/, "G") flag(step > 4096, "P") \
		flag($7 ~ /D/, "D") flag($7 ~ /A/, "A") flag(has("PCD"), "C") \
		flag(has("PWT"), "T") flag($6 ~ /r/, "U") flag($5 ~ /w/, "W")
	vh = high(va[1]); vl = low(va[1])
	ph = high(gpa[1]); pl = low(gpa[1])
	eh = high(va[2]); el = low(va[2])
	while (vh < eh || (vh == eh && vl < el)) {
		print hex(vh) hex(vl) ": " hex(ph) hex(pl) " " flags
		vl += step
		pl += step
		if (vl >= 4294967296) { vl -= 4294967296; vh++ }
		if (pl >= 4294967296) { pl -= 4294967296; ph++ }
		if (vh > 4294967295) break
	}
}
