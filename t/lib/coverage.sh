#!/bin/sh
# coverage.sh - lines that ran, by file, from a COVERAGE=1 build
#
#	coverage.sh build/coverage
set -eu
cd "$1/obj"
find fcgipm -name '*.gcda' | sort | while read -r data; do
	gcov -n -r -s "$(cd ../../.. && pwd)" "$data" 2>/dev/null
done | awk '
/^File / { file = $2; gsub(/\047/, "", file); next }
/^Lines executed:/ && file ~ /^fcgipm\/.*\.c$/ {
	split($0, part, /[:% ]+/)
	percent = part[3]; lines = part[5]
	printf "%6.1f %%  of %4d  %s\n", percent, lines, file
	ran += percent * lines / 100; all += lines
}
{ file = "" }
END {
	if (!all) { print "no data: run the tests first"; exit 1 }
	printf "%6.1f %%  of %4d  together\n", 100 * ran / all, all
}'
