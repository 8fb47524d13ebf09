# SPDX-License-Identifier: GPL-2.0-only
# Count TAP of several programs. Prints what is wrong beyond failed tests, and
# as last line: passed failed skipped.

function finish(rc) {
	if (program == "")
		return
	if (rc == 4 && run == 0) {
		skipped++
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

/^#@ begin / { program = $3; plan = -1; run = 0; bad = 0; next }
/^#@ end /   { finish($4); next }
/^1\.\.[0-9]+/ && program != "" { plan = (many && plan > 0 ? plan : 0) + substr($1, 4); next }
/^ok / {
	run++
	if (/# SKIP/)
		skipped++
	else
		passed++
}
/^not ok / { run++; bad++; failed++ }
END {
	if (program != "")
		wrong(program ": did not end")
	print passed + 0, failed + 0, skipped + 0
}
