# SPDX-License-Identifier: GPL-2.0-only
# Count TAP of several programs. Prints what is wrong beyond failed tests, and
# as last line: passed failed skipped.
#
# What a program printed last need not end its line: a mark of init's is also found behind it.

function finish(rc) {
	if (program == "")
		return
	if ((rc == 4 || none) && run == 0) {
		skipped++
	} else if (plan == 0) {
		wrong(program ": has no tests, and ended with " rc)
	} else if (plan < 0) {
		wrong(program ": ended with " rc " and without a plan")
	} else if (run != plan) {
		wrong(program ": ran " run " of " plan " tests, ended with " rc)
	} else if (rc != 0 && bad == 0) {
		wrong(program ": all tests passed, but it ended with " rc)
	}
	program = ""
}
function wrong(text) {
	print "not ok - " text
	failed++
}

function mark(text, word) {
	split(text, word, " ")
	if (word[2] == "end") {
		finish(word[4])
		return
	}
	if (program != "")
		wrong(program ": did not end")
	program = word[3]
	plan = -1
	run = bad = none = 0
}

# A mark, at the end of a line or all of it
match($0, /#@ (begin [^ ]+|end [^ ]+ [0-9]+)( [0-9.]+)?$/) {
	behind = substr($0, RSTART)
	$0 = substr($0, 1, RSTART - 1)
}
/^1\.\.[0-9]+/ && program != "" {
	plan = (many && plan > 0 ? plan : 0) + substr($1, 4)
	none = /^1\.\.0.*# *SKIP/
}
/^Bail out!/ { wrong(program ": " $0); bad++ }
/^ok / {
	run++
	if (/# SKIP/)
		skipped++
	else
		passed++
}
/^not ok / { run++; bad++; failed++ }
behind != "" { mark(behind); behind = "" }
END {
	if (program != "")
		wrong(program ": did not end")
	print passed + 0, failed + 0, skipped + 0
}
