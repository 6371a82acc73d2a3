#!/bin/bash
# check.sh - runs the tests and counts them
#
#	check.sh unit|fuzz|e2e|web|long...
#
# FCGIPM_BIN, FCGIPM_SRC and FCGIPM_T tell where the programs, the sources and
# the built tests are.  Criterion and TAP are counted alike; a program that
# crashes, hangs or reports nothing counts as one failure.  The last line is
# the sum.  ONLY=name picks programs whose name has it, ROUNDS=N is for long.
set -u
: "${FCGIPM_BIN:?}" "${FCGIPM_SRC:?}" "${FCGIPM_T:?}"

export LC_ALL=C ASAN_OPTIONS=${ASAN_OPTIONS-detect_leaks=1:abort_on_error=0}
export UBSAN_OPTIONS=${UBSAN_OPTIONS-print_stacktrace=1}
limit=${LIMIT-240}
others=
work=$(mktemp -d) || exit 71
trap 'kill $others 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 130' HUP INT TERM

# One program: run NAME as COMMAND..., its output judged and counted.
run() {
	local name=$1 out=$work/out.$BASHPID started=$SECONDS status
	local ok=0 bad=0 skip=0 why=
	shift
	case $name in *"${ONLY-}"*) ;; *) return ;; esac
	# A folder of its own, so that what it forgets is seen.
	timeout -k 10 "$limit" "$@" >"$out" 2>&1 </dev/null
	status=$?
	read -r ok bad skip <<<"$(count "$out")"
	if [ "$status" = 124 ] || [ "$status" = 137 ]; then
		why="still running after $limit s"
		bad=$((bad + 1))
	elif [ "$status" != 0 ] && [ "$bad" = 0 ]; then
		why="exit status $status"
		bad=1
	elif [ $((ok + bad + skip)) = 0 ]; then
		why="no test was reported"
		bad=1
	fi
	echo "$ok $bad $skip" >>"$work/counts"
	tell >"$out.told"
	# In one piece: another part may have something to say as well.
	cat "$out.told"
}

# What came of it; the names are run()'s.
tell() {
	printf '%-4s %-28s %3d passed %2d failed  %3d s%s\n' \
		"$([ "$bad" = 0 ] && echo ok || echo FAIL)" "$name" "$ok" \
		"$bad" $((SECONDS - started)) "${why:+  ($why)}"
	if [ "$bad" != 0 ]; then
		grep -vE '^\[(RUN |PASS)\]|: Test is disabled$' "$out" |
			sed 's/^/     | /'
	else
		# And what was measured, where the largest forms run.
		grep -E "^\[SKIP\]|# (SKIP|skip)${FCGIPM_LONG:+|^# figure: }" \
			"$out" | grep -v ': Test is disabled$' |
			sed 's/^/     /'
	fi
}

# "passed failed skipped" of Criterion's synthesis or of TAP lines.
count() {
	awk '
	{ gsub(/\033\[[0-9;]*m/, "") }
	# "disabled" is what a filter leaves out.
	/^\[SKIP\]/ { if (!/: Test is disabled$/) skip++ }
	/Synthesis: Tested:/ {
		split($0, part, "|")
		for (i in part) {
			n = part[i]
			sub(/.*: */, "", n)
			n += 0
			if (part[i] ~ /Passing/) ok += n
			else if (part[i] ~ /Failing|Crashing/) bad += n
		}
		next
	}
	/^1\.\.0/ { skip++; plan = -1; next }
	/^1\.\.[0-9]+/ { plan = substr($1, 4) + 0; next }
	/^ok / { tap++; if (/# (SKIP|skip)/) skip++; else ok++ }
	/^not ok / { tap++; bad++ }
	END {
		if (plan > 0 && tap < plan) bad += plan - tap
		print ok + 0, bad + 0, skip + 0
	}' "$1"
}

programs() {
	find "$FCGIPM_T/$1" -maxdepth 1 -name "$2_*" -type f -perm -u+x |
		sort
}

unit() {
	local t
	for t in $(programs unit test); do
		run "unit/${t##*/}" "$t" --color=never --verbose
	done
	run conformance.md "$FCGIPM_SRC/t/lib/conformance.sh"
}

# Each target of the fuzzer with its corpus.
fuzz() {
	local t
	for t in $(programs fuzz fuzz); do
		run "fuzz/${t##*/}" "$t"
	done
}

# As root everything runs as nobody too, at the same time, and a third time
# without the right to look at foreign processes.
e2e() {
	local t
	if [ "$(id -u)" = 0 ] && [ -z "${NOT_AS_NOBODY-}" ]; then
		rm -f "$work/whole"
		{ as_others; : >"$work/whole"; } &
		others=$!
	fi
	for t in $(programs e2e test); do
		run "e2e/${t##*/}" "$t" --color=never --verbose
	done
	[ "$others" ] || return
	wait "$others"
	others=
	if ! [ -e "$work/whole" ]; then
		echo 'FAIL the tests as nobody ended early'
		echo '0 1 0' >>"$work/counts"
	fi
}

as_others() {
	local t
	for t in $(programs e2e test); do
		run_copy "$t" nobody setpriv --reuid=65534 --regid=65534 \
			--clear-groups
	done
	blind
}

# As root in most containers: CAP_SYS_PTRACE is given up, and pools run as
# nobody.  All of it in the long run, else some of what looks at workers.
blind() {
	local t drop=-sys_ptrace filter long=${FCGIPM_LONG-}
	local -x FCGIPM_LONG=
	if ! setpriv --bounding-set=$drop --inh-caps=$drop true; then
		echo '     # SKIP capabilities cannot be given up here'
		return
	fi
	for t in $(programs e2e test); do
		case ${long:+all,}${t##*/test_} in
		all,*) filter='*/*' ;;
		listener) filter=listener/perl_too ;;
		roll) filter=roll/c_static ;;
		scale) filter=scale/nobody_at_rest_by_the_kernel ;;
		status) filter=status/states_by_the_kernel ;;
		timeout) filter=timeout/tells_of_slow_requests_unseen ;;
		*) continue ;;
		esac
		FILTER=$filter FCGIPM_POOL_USER=65534 run_copy "$t" \
			"no ptrace" setpriv --bounding-set=$drop \
			--inh-caps=$drop
	done
}

# run_copy TEST WHO COMMAND...: from a copy that everybody may read, since a
# checkout often lies in somebody's home.
run_copy() {
	local t=$1 who=$2 copy=$work/copy
	shift 2
	if ! [ -d "$copy" ]; then
		chmod 711 "$work"
		mkdir "$copy" "$copy/src" "$copy/tmp" "$copy/build" &&
			cp -r "$FCGIPM_BIN" "$copy/build/bin" &&
			cp -r "$FCGIPM_BIN/../lib" "$copy/build/lib" &&
			cp -r "$FCGIPM_T" "$copy/build/t" &&
			cp -r "$FCGIPM_SRC"/{etc,handlers,man,t} \
				"$copy/src" &&
			chmod -R a+rX "$copy" && chown 65534:65534 "$copy/tmp"
	fi
	run "e2e/${t##*/} ($who)" env -C "$copy/tmp" \
		TMPDIR="$copy/tmp" HOME="$copy/tmp" \
		FCGIPM_BIN="$copy/build/bin" \
		FCGIPM_T="$copy/build/t" FCGIPM_SRC="$copy/src" \
		"$@" "$copy/build/t/e2e/${t##*/}" --color=never --verbose \
		${FILTER:+--filter "$FILTER"}
}

web() {
	local t
	for t in "$FCGIPM_SRC"/t/web/*.t; do
		run "web/${t##*/}" "$t"
	done
}

long() {
	local round
	export FCGIPM_LONG=1
	limit=${LIMIT-1200}
	unit
	fuzz
	web
	for ((round = 1; round <= ${ROUNDS-2}; round++)); do
		echo "round $round of ${ROUNDS-2}"
		e2e
		# Once as large as they get is enough.
		unset FCGIPM_LONG
	done
}

for part in "$@"; do
	case $part in
	unit|fuzz|e2e|web|long) "$part" ;;
	*) echo "check.sh: no tests are called $part" >&2; exit 64 ;;
	esac
done
read -r passed failed skipped <<<"$(awk '
	{ ok += $1; bad += $2; skip += $3 }
	END { print ok + 0, bad + 0, skip + 0 }' "$work/counts" 2>/dev/null)"
[ "${skipped:-0}" = 0 ] || echo "$skipped skipped"
echo "${passed:-0} passed, ${failed:-0} failed"
[ "${failed:-0}" = 0 ] && [ "${passed:-0}" -gt 0 ]
