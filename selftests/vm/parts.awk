# SPDX-License-Identifier: GPL-2.0-only
# Spread programs over VMs that take about as long as each other, and not much longer
# than a minute and a half each.
#
# In: lines of `NAME SECONDS`, a line `--`, then the programs, in the order in which
# they are to run. Out: a line for each VM, `SECONDS PROGRAM...`.

/^--$/    { programs = 1; next }
!programs { seconds[$1] = $2; next }
{
	name = $1
	sub(/.*\//, "", name)
	path[++n] = $1
	takes[n] = name in seconds ? seconds[name] : 2
	total += takes[n]
}
END {
	nr = int((total + 89) / 90)
	# the longest that is left to the VM that has least
	for (left = n; left; left--) {
		longest = 0
		for (i = 1; i <= n; i++)
			if (!(i in part) && (!longest || takes[i] > takes[longest]))
				longest = i
		least = 1
		for (p = 2; p <= nr; p++)
			if (sum[p] < sum[least])
				least = p
		part[longest] = least
		sum[least] += takes[longest]
	}
	for (p = 1; p <= nr; p++) {
		line = sum[p]
		for (i = 1; i <= n; i++)
			if (part[i] == p)
				line = line " " path[i]
		print line
	}
}
