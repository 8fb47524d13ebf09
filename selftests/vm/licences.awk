# SPDX-License-Identifier: GPL-2.0-only
# REUSE takes what .reuse/dep5 says of a file or what the file says. Here both
# say it and say the same, but for files of a stanza with a comment.
# Input: .reuse/dep5 by paragraphs, then the names of files by lines.

NR == FNR && /^Files:/ {
	n++
	for (i = split($0, line, "\n"); i; i--) {
		if (sub(/^Files: /, "", line[i])) {
			gsub(/\./, "[.]", line[i])
			gsub(/\*/, ".*", line[i])
			gsub(/ /, "|", line[i])
			fits[n] = "^(" line[i] ")$"
		} else if (sub(/^License: /, "", line[i])) {
			licence[n] = line[i]
		} else if (line[i] ~ /^Comment:/) {
			silent[n] = 1
		}
	}
}

NR > FNR {
	# The last stanza that fits counts; the first fits everything.
	for (i = n; $0 !~ fits[i]; i--)
		;
	if (silent[i])
		next
	said = "no SPDX line"
	for (row = 0; row < 3 && (getline text < $0) > 0; row++) {
		if (sub(/.*SPDX-License-Identifier:[ ]/, "", text)) {
			sub(/ (\*\/|-->)$/, "", text)
			said = text
		}
	}
	close($0)
	if (said != licence[i])
		print $0 ": " said ", but .reuse/dep5 says " licence[i]
}
