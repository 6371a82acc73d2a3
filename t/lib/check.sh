#!/bin/bash
# check.sh - runs test programs in parallel and counts passed and failed tests
#
#	check.sh unit|fuzz|e2e|web|long...
#
# FCGIPM_BIN, FCGIPM_SRC and FCGIPM_T are the directories of the programs, the
# sources and the built tests.  JOBS test programs run at a time; the slow ones
# start first.  Criterion and TAP are counted alike.  A program that crashes,
# hangs or reports nothing counts as one failure.  The last line is the sum.
# ONLY=name selects programs with this name; ROUNDS=N is the number of rounds of
# long.
set -u
: "${FCGIPM_BIN:?}" "${FCGIPM_SRC:?}" "${FCGIPM_T:?}"

export LC_ALL=C ASAN_OPTIONS=${ASAN_OPTIONS-detect_leaks=1:abort_on_error=0}
export UBSAN_OPTIONS=${UBSAN_OPTIONS-print_stacktrace=1}
limit=${LIMIT-240}
# Many jobs sleep most of the time.
max_jobs=${JOBS-$((2 * $(nproc)))}
# Duration of each job in the last run, in seconds.
times=$FCGIPM_T/times
work=$(mktemp -d) || exit 71
trap 'stop_jobs; rm -rf "$work"' EXIT
trap 'exit 130' HUP INT TERM

stop_jobs() {
	local pids
	mapfile -t pids < <(jobs -p)
	[ "${#pids[@]}" = 0 ] || kill "${pids[@]}" 2>/dev/null
	wait
}

# -- jobs -------------------------------------------------------------------

names=() commands=()

# add NAME COMMAND...: adds a job, unless ONLY selects others.
add() {
	case $1 in *"${ONLY-}"*) ;; *) return ;; esac
	names+=("$1")
	shift
	commands+=("${*@Q}")
}

# Estimates the duration of a job that has not run before.
guess() {
	case $1 in
	*/test_roll*ptrace*) echo 5 ;;
	*/test_roll*) echo 75 ;;
	*/test_idle*|*/test_scale*|*/test_timeout*) echo 24 ;;
	*/test_concurrency*|*/test_drain*) echo 16 ;;
	web/*|*/test_hostile_*|*/test_overload*|*/test_stop*) echo 8 ;;
	e2e/*) echo 4 ;;
	*) echo 0 ;;
	esac
}

# Prints the indexes of all jobs, the slowest first.
order() {
	local i seconds
	local -A known=()
	[ ! -r "$times" ] || while read -r seconds i; do
		known[$i]=$seconds
	done <"$times"
	for i in "${!names[@]}"; do
		echo "${known[${names[i]}]-$(guess "${names[i]}")} $i"
	done | sort -k 1,1nr -k 2,2n | cut -d ' ' -f 2
}

# Runs all jobs that were added.
run_all() {
	local i command running=0
	for i in $(order); do
		if [ "$running" -ge "$max_jobs" ]; then
			wait -n
			running=$((running - 1))
		fi
		eval "command=(${commands[i]})"
		run "${names[i]}" "${command[@]}" &
		running=$((running + 1))
	done
	wait
	if [ "${#names[@]}" != "$(cat "$work"/done 2>/dev/null | wc -l)" ]; then
		echo 'FAIL a job did not report its end'
		echo '0 1 0' >>"$work/counts"
	fi
	rm -f "$work/done"
	names=() commands=()
	keep_times
}

# Stores durations of this run, and keeps those of jobs that did not run.
keep_times() {
	[ -s "$work/times" ] || return
	cat "$work/times" "$times" 2>/dev/null |
		awk '{ name = $0; sub(/^[0-9]+ /, "", name) }
			!seen[name]++' >"$work/times.new" &&
		cp "$work/times.new" "$times" 2>/dev/null
}

# run NAME COMMAND...: runs one job, and judges and counts its output.
run() {
	local name=$1 out=$work/out.$BASHPID started=$SECONDS status
	local ok=0 bad=0 skip=0 why=
	shift
	trap 'kill "$pid" 2>/dev/null; exit 143' TERM
	# A killed Criterion leaves its socket, and Criterion cannot bind to
	# one that another user left at the same PID.
	timeout -k 10 "$limit" sh -c 'rm -f "/tmp/criterion_$$.sock"
		exec "$@"' sh "$@" >"$out" 2>&1 </dev/null &
	local pid=$!
	wait "$pid"
	status=$?
	read -r ok bad skip <<<"$(count "$out")"
	if [ "$status" = 124 ] || [ "$status" = 137 ]; then
		why="still running after $limit s"
		bad=$((bad + 1))
	elif [ "$status" != 0 ] && [ "$bad" = 0 ]; then
		why="exit status $status"
		bad=1
	elif [ $((ok + bad + skip)) = 0 ]; then
		why="no test reported a result"
		bad=1
	fi
	report >"$out.report"
	# As one piece, because other jobs print, too.
	{
		flock 9
		cat "$out.report"
		echo "$ok $bad $skip" >>"$work/counts"
		echo "$((SECONDS - started)) $name" >>"$work/times"
		echo "$name" >>"$work/done"
	} 9>"$work/lock"
	rm -f "$out" "$out.report"
}

# Prints the result of a job; the variables are those of run().
report() {
	printf '%-4s %-28s %3d passed %2d failed  %3d s%s\n' \
		"$([ "$bad" = 0 ] && echo ok || echo FAIL)" "$name" "$ok" \
		"$bad" $((SECONDS - started)) "${why:+  ($why)}"
	if [ "$bad" != 0 ]; then
		grep -vE '^\[(RUN |PASS)\]|: Test is disabled$' "$out" |
			sed 's/^/     | /'
	else
		# In the long run, also measured values.
		grep -E "^\[SKIP\]|# (SKIP|skip)${FCGIPM_LONG:+|^# figure: }" \
			"$out" | grep -v ': Test is disabled$' |
			sed 's/^/     /'
	fi
}

# Prints "passed failed skipped", from Criterion's synthesis or TAP lines.
count() {
	awk '
	{ gsub(/\033\[[0-9;]*m/, "") }
	# "disabled" are tests that a filter excludes.
	/^\[SKIP\]/ { if (!/: Test is disabled$/) skip++ }
	/Synthesis: Tested:/ {
		split($0, part, "|")
		for (i in part) {
			n = part[i]
			sub(/.*: */, "", n)
			n += 0
			if (part[i] ~ /Passing/) ok += n
			# This includes crashed tests.
			else if (part[i] ~ /Failing/) bad += n
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

# Lists test programs; omits those whose source was removed.
programs() {
	local t
	for t in "$FCGIPM_T/$1/$2"_*; do
		[ ! -x "$t" ] || [ ! -e "$FCGIPM_SRC/t/$1/${t##*/}.c" ] ||
			echo "$t"
	done
}

unit() {
	local t
	for t in $(programs unit test); do
		add "unit/${t##*/}" "$t" --color=never --verbose
	done
	add conformance.md "$FCGIPM_SRC/t/lib/conformance.sh"
	add programs "$FCGIPM_SRC/t/lib/programs.sh"
}

# Adds each fuzz target with its corpus.
fuzz() {
	local t
	for t in $(programs fuzz fuzz); do
		add "fuzz/${t##*/}" "$t"
	done
}

# Adds end-to-end tests.  As root they run a second time as the user nobody, and
# a third time without the right to inspect other processes.
e2e() {
	local t
	for t in $(programs e2e test); do
		add "e2e/${t##*/}" "$t" --color=never --verbose
	done
	[ "$(id -u)" = 0 ] && [ -z "${NOT_AS_NOBODY-}" ] || return 0
	for t in $(programs e2e test); do
		add_copy "$t" nobody setpriv --reuid=65534 --regid=65534 \
			--clear-groups
	done
	blind
}

# As root in most containers: without CAP_SYS_PTRACE, with pools that run as
# nobody.  Adds all tests in the long run, otherwise some that inspect workers.
blind() {
	local t drop=-sys_ptrace filter
	if ! setpriv --bounding-set=$drop --inh-caps=$drop true; then
		echo '     # SKIP cannot give up capabilities'
		return
	fi
	for t in $(programs e2e test); do
		case ${FCGIPM_LONG:+all,}${t##*/test_} in
		all,*) filter='*/*' ;;
		listener) filter=listener/the_flag_is_cleared_for_perl ;;
		roll) filter=roll/c_static ;;
		scale) filter=scale/ondemand_has_no_worker_without_load_by_the_kernel ;;
		slowlog) filter=slowlog/a_slow_request_the_worker_does_not_report_is_logged ;;
		status_workers) filter=status/states_by_the_kernel ;;
		*) continue ;;
		esac
		FILTER=$filter add_copy "$t" "no ptrace" \
			env -u FCGIPM_LONG FCGIPM_POOL_USER=65534 \
			setpriv --bounding-set=$drop --inh-caps=$drop
	done
}

# Copies everything to a directory that all users may read, because a checkout
# is often in a home directory.
make_copy() {
	local copy=$work/copy
	chmod 711 "$work"
	mkdir "$copy" "$copy/src" "$copy/tmp" "$copy/build" &&
		cp -r "$FCGIPM_BIN" "$copy/build/bin" &&
		cp -r "$FCGIPM_BIN/../lib" "$copy/build/lib" &&
		cp -r "$FCGIPM_T" "$copy/build/t" &&
		cp -r "$FCGIPM_SRC"/{etc,handlers,man,t} "$copy/src" &&
		chmod -R a+rX "$copy" && chown 65534:65534 "$copy/tmp"
}

# add_copy TEST USER COMMAND...: adds a test that runs from that copy.
add_copy() {
	local t=$1 who=$2 copy=$work/copy
	shift 2
	[ -d "$copy" ] || make_copy || exit 71
	add "e2e/${t##*/} ($who)" env -C "$copy/tmp" \
		TMPDIR="$copy/tmp" HOME="$copy/tmp" \
		FCGIPM_BIN="$copy/build/bin" \
		FCGIPM_T="$copy/build/t" FCGIPM_SRC="$copy/src" \
		"$@" "$copy/build/t/e2e/${t##*/}" --color=never --verbose \
		${FILTER:+--filter "$FILTER"}
}

web() {
	local t
	for t in "$FCGIPM_SRC"/t/web/*.t; do
		add "web/${t##*/}" "$t"
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
		e2e
		run_all
		echo "round $round of ${ROUNDS-2} is complete"
		# The largest sizes run once.
		unset FCGIPM_LONG
	done
}

for part in "$@"; do
	case $part in
	unit|fuzz|e2e|web|long) "$part" ;;
	*) echo "check.sh: unknown kind of tests: $part" >&2; exit 64 ;;
	esac
done
run_all
read -r passed failed skipped <<<"$(awk '
	{ ok += $1; bad += $2; skip += $3 }
	END { print ok + 0, bad + 0, skip + 0 }' "$work/counts" 2>/dev/null)"
[ "${skipped:-0}" = 0 ] || echo "$skipped skipped"
echo "${passed:-0} passed, ${failed:-0} failed"
[ "${failed:-0}" = 0 ] && [ "${passed:-0}" -gt 0 ]
