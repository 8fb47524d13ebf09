# SPDX-License-Identifier: GPL-2.0-only
# Of what init says of programs: how long each took by the VM's clock, in seconds. One
# that did not end took until then, which nobody knows.

# what a program printed last need not end its line
match($0, /#@ (begin|end) /) { $0 = substr($0, RSTART) }
/^#@ begin / { begin = $4; name = $3; next }
/^#@ end /   { printf "%.1f %s\n", $5 - begin, name; name = "" }
END          { if (name != "") print "? " name }
