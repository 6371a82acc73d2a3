#!/bin/bash
# check.sh - runs the tests side by side and counts them
#
#	check.sh unit|fuzz|e2e|web|long...
#
# FCGIPM_BIN, FCGIPM_SRC and FCGIPM_T tell where the programs, the sources and
# the built tests are.  Test programs are jobs of one pool, JOBS at a time; the
# slow ones start first.  Criterion and TAP are counted alike; a program that
# crashes, hangs or reports nothing counts as one failure.  The last line is
# the sum.  ONLY=name picks programs whose name has it, ROUNDS=N is for long.
set -u
: "${FCGIPM_BIN:?}" "${FCGIPM_SRC:?}" "${FCGIPM_T:?}"

export LC_ALL=C ASAN_OPTIONS=${ASAN_OPTIONS-detect_leaks=1:abort_on_error=0}
export UBSAN_OPTIONS=${UBSAN_OPTIONS-print_stacktrace=1}
limit=${LIMIT-240}
# Many jobs sleep most of the time.
max_jobs=${JOBS-$((2 * $(nproc)))}
# Seconds of each job in the last run.
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

# -- the pool ---------------------------------------------------------------

names=() commands=()

# add NAME COMMAND...: a job, unless ONLY picks others.
add() {
	case $1 in *"${ONLY-}"*) ;; *) return ;; esac
	names+=("$1")
	shift
	commands+=("${*@Q}")
}

# How long a job takes, before the first run has shown it.
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

# The numbers of all jobs, the slowest first.
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

# Runs all that was added.
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
		echo 'FAIL a job ended early'
		echo '0 1 0' >>"$work/counts"
	fi
	rm -f "$work/done"
	names=() commands=()
	keep_times
}

# The last run's seconds, with those of jobs that did not run this time.
keep_times() {
	[ -s "$work/times" ] || return
	cat "$work/times" "$times" 2>/dev/null |
		awk '{ name = $0; sub(/^[0-9]+ /, "", name) }
			!seen[name]++' >"$work/times.new" &&
		cp "$work/times.new" "$times" 2>/dev/null
}

# One job: NAME as COMMAND..., its output judged and counted.
run() {
	local name=$1 out=$work/out.$BASHPID started=$SECONDS status
	local ok=0 bad=0 skip=0 why=
	shift
	trap 'kill "$pid" 2>/dev/null; exit 143' TERM
	# Criterion leaves its socket where it was killed, and cannot bind to
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
		why="no test was reported"
		bad=1
	fi
	tell >"$out.told"
	# In one piece: other jobs have something to say as well.
	{
		flock 9
		cat "$out.told"
		echo "$ok $bad $skip" >>"$work/counts"
		echo "$((SECONDS - started)) $name" >>"$work/times"
		echo "$name" >>"$work/done"
	} 9>"$work/lock"
	rm -f "$out" "$out.told"
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
			# Among them those that crashed.
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

# Those that were built once, and whose source is gone, are left out.
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

# Each target of the fuzzer with its corpus.
fuzz() {
	local t
	for t in $(programs fuzz fuzz); do
		add "fuzz/${t##*/}" "$t"
	done
}

# As root everything runs as nobody too, and a third time without the right to
# look at foreign processes.
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

# As root in most containers: CAP_SYS_PTRACE is given up, and pools run as
# nobody.  All of it in the long run, else some of what looks at workers.
blind() {
	local t drop=-sys_ptrace filter
	if ! setpriv --bounding-set=$drop --inh-caps=$drop true; then
		echo '     # SKIP capabilities cannot be given up here'
		return
	fi
	for t in $(programs e2e test); do
		case ${FCGIPM_LONG:+all,}${t##*/test_} in
		all,*) filter='*/*' ;;
		listener) filter=listener/perl_too ;;
		roll) filter=roll/c_static ;;
		scale) filter=scale/nobody_at_rest_by_the_kernel ;;
		slowlog) filter=slowlog/tells_of_slow_requests_unseen ;;
		status) filter=status/states_by_the_kernel ;;
		*) continue ;;
		esac
		FILTER=$filter add_copy "$t" "no ptrace" \
			env -u FCGIPM_LONG FCGIPM_POOL_USER=65534 \
			setpriv --bounding-set=$drop --inh-caps=$drop
	done
}

# Everything in one folder that everybody may read, since a checkout often lies
# in somebody's home.
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

# add_copy TEST WHO COMMAND...: from that copy.
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
		echo "round $round of ${ROUNDS-2} is over"
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
run_all
read -r passed failed skipped <<<"$(awk '
	{ ok += $1; bad += $2; skip += $3 }
	END { print ok + 0, bad + 0, skip + 0 }' "$work/counts" 2>/dev/null)"
[ "${skipped:-0}" = 0 ] || echo "$skipped skipped"
echo "${passed:-0} passed, ${failed:-0} failed"
[ "${failed:-0}" = 0 ] && [ "${passed:-0}" -gt 0 ]
