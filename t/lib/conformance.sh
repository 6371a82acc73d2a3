#!/bin/bash
# conformance.sh - checks that every row of t/conformance.md has its own test
#
# FCGIPM_SRC is the directory of the sources.  A row of the first two tables
# must name a Test(suite, name) of t/unit or t/e2e as `suite.name`, and no other
# row may name the same one.  Prints TAP, one line per table.
set -u
: "${FCGIPM_SRC:?}"
page=$FCGIPM_SRC/t/conformance.md

# Prints every test as "suite.name"; the name may be on a second line.
tests() {
	cat "$FCGIPM_SRC"/t/unit/*.c "$FCGIPM_SRC"/t/e2e/*.c | tr '\n\t' '  ' |
		grep -oE '\<Test\( *\w+, *\w+' |
		sed -E 's/Test\( *(\w+), *(\w+)/\1.\2/'
}

echo 1..2
awk -F ' *\\| *' '
FNR == NR { there[$0] = 1; next }
/^## / { title = substr($0, 4); table = title ~ /^(RFC 3875|FastCGI 1\.0)$/ }
!table || !/^\|/ || /^\| (---|section) / { next }
{
	rows[title]++
	name = $4
	if (NF != 5 || $2 == "" || $3 == "")
		why = "is not a row of section, requirement and test"
	else if (name !~ /^`[a-z0-9_]+\.[a-z0-9_]+`$/)
		why = "names no test"
	else if (gsub(/`/, "", name) && !(name in there))
		why = "names a test that is not in the sources"
	else if (name in taken)
		why = "names the test of line " taken[name]
	else {
		taken[name] = FNR
		next
	}
	bad[title] = bad[title] "# line " FNR " " why ": " $0 "\n"
}
END {
	titles[1] = "RFC 3875"
	titles[2] = "FastCGI 1.0"
	for (i = 1; i <= 2; i++) {
		t = titles[i]
		printf "%sok %d - %s: %d rows\n%s",
			bad[t] || !rows[t] ? "not " : "", i, t, rows[t], bad[t]
		failed += bad[t] || !rows[t]
	}
	exit failed
}' <(tests) "$page"
