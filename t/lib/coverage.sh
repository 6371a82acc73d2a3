#!/bin/sh
# coverage.sh - lines that ran, by file, from a COVERAGE=1 build
#
#	coverage.sh build/coverage
#
# Ends with the sum of each folder, and fails when fcgipm/proto/, which reads
# what strangers send, is below 95 %.
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
	if (!(file in lines)) folder[++folders] = file
	ran[file] += int(part[3] * part[5] / 100 + 0.5)
	lines[file] += part[5]
}
{ file = "" }
function count(what, some, all) {
	printf "%6.1f %%  of %5d  %s\n", 100 * some / all, all, what
}
END {
	if (!folders) { print "no data: run the tests first"; exit 1 }
	for (i = 1; i <= folders; i++) {
		count(folder[i], ran[folder[i]], lines[folder[i]])
		some += ran[folder[i]]
		all += lines[folder[i]]
	}
	count("together", some, all)
	if (ran["fcgipm/proto/"] < 0.95 * lines["fcgipm/proto/"] ||
		!lines["fcgipm/proto/"]) {
		print "fcgipm/proto/ is below 95 %"
		exit 1
	}
}'
