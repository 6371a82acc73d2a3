#!/bin/sh
# coverage.sh - prints the lines that ran, by file, from a COVERAGE=1 build
#
#	coverage.sh build/coverage
#
# Ends with the sum of each directory.  Fails if fcgipm/proto/, which parses
# data of clients, is below 95 %.
set -eu
cd "$1/obj"
find fcgipm -name '*.gcno' | sort | while read -r notes; do
	gcov -n -r -s "$(cd ../../.. && pwd)" "$notes" 2>/dev/null
done | awk '
/^File / { file = $2; gsub(/\047/, "", file); next }
/^Lines executed:/ && file ~ /^fcgipm\/.*\.c$/ {
	split($0, part, /[:% ]+/)
	count(file, int(part[3] * part[5] / 100 + 0.5), part[5])
	sub(/[^\/]*$/, "", file)
	if (!(file in lines)) directory[++directories] = file
	ran[file] += int(part[3] * part[5] / 100 + 0.5)
	lines[file] += part[5]
}
{ file = "" }
function count(what, some, all) {
	printf "%6.1f %%  of %5d  %s\n", 100 * some / all, all, what
}
END {
	if (!directories) { print "no data: run the tests first"; exit 1 }
	for (i = 1; i <= directories; i++) {
		count(directory[i], ran[directory[i]],
			lines[directory[i]])
		some += ran[directory[i]]
		all += lines[directory[i]]
	}
	count("total", some, all)
	if (ran["fcgipm/proto/"] < 0.95 * lines["fcgipm/proto/"] ||
		!lines["fcgipm/proto/"]) {
		print "fcgipm/proto/ is below 95 %"
		exit 1
	}
}'
