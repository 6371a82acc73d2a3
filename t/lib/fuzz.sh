#!/bin/bash
# fuzz.sh - fuzzes the decoders with libFuzzer
#
#	fuzz.sh BUILD		every target for FUZZ_SECONDS of CPU time
#	fuzz.sh merge BUILD	adds new inputs to t/fuzz/corpus/
#
# Inputs that reach new code are kept in BUILD/corpus/, where the next run
# continues.  A finding is stored in BUILD/findings/, and the next run tries it
# first.  Prints one line per target; fails if there is a finding.  ONLY=name
# selects targets with this name; FUZZ_JOBS=N runs N targets at once.
set -u
merge=
if [ "${1-}" = merge ]; then
	merge=yes
	shift
fi
build=${1:?}
seconds=${FUZZ_SECONDS-300}
export ASAN_OPTIONS=${ASAN_OPTIONS-quarantine_size_mb=16}
export UBSAN_OPTIONS=${UBSAN_OPTIONS-print_stacktrace=1}
# Longer inputs find the same faults, but later.
longest=2048
ticks=$(getconf CLK_TCK) || exit
jobs=()
trap '[ ${#jobs[@]} = 0 ] || kill "${jobs[@]}" 2>/dev/null; exit 130' \
	HUP INT TERM

# Prints the CPU seconds of process $1; nothing if it is gone.
used() {
	local stat fields
	read -r stat 2>/dev/null <"/proc/$1/stat" || return
	read -ra fields <<<"${stat##*) }"
	echo $(((fields[11] + fields[12]) / ticks))
}

# Prints the last number after a word in the output of libFuzzer.
number() {
	grep -oE "$1 *[0-9]+" "$2" | tail -n 1 | grep -oE '[0-9]+$' ||
		echo 0
}

target() {
	local name=$1 finds=$build/findings/$1 log=$build/log/$1
	local pid cpu=0 now status finding
	mkdir -p "$build/corpus/$name" "$finds" "$build/log"
	find "$finds" -type f -exec mv -t "$build/corpus/$name" {} +
	"$build/t/fuzz/fuzz_$name" -artifact_prefix="$finds/" \
		-max_len="$longest" -timeout=10 -print_final_stats=1 \
		"$build/corpus/$name" "t/fuzz/corpus/$name" >"$log" 2>&1 &
	pid=$!
	trap 'kill "$pid" 2>/dev/null; exit 130' HUP INT TERM
	# Wall-clock time would include other processes on this machine.
	while now=$(used "$pid") && [ -n "$now" ]; do
		cpu=$now
		[ "$cpu" -lt "$seconds" ] || kill -USR1 "$pid" 2>/dev/null
		sleep 0.5
	done
	wait "$pid"
	status=$?
	finding=$(find "$finds" -type f -print -quit)
	[ "$status" = 0 ] || finding=${finding:-exit status $status}
	printf '%-12s %9d runs in %3d s, %4d edges reached, %s\n' "$name" \
		"$(number 'stat::number_of_executed_units:' "$log")" "$cpu" \
		"$(number 'cov:' "$log")" \
		"${finding:-no finding}${finding:+, see $log}"
	[ -z "$finding" ]
}

names=()
for t in "$build"/t/fuzz/fuzz_*; do
	case $t in *.[do]) continue ;; esac
	case $t in *"${ONLY-}"*) names+=("${t##*/fuzz_}") ;; esac
done

if [ -n "$merge" ]; then
	for name in "${names[@]}"; do
		# Ignore how often a line ran; that is not worth a file.
		"$build/t/fuzz/fuzz_$name" -merge=1 -use_counters=0 \
			-max_len="$longest" "t/fuzz/corpus/$name" \
			"$build/corpus/$name" || exit
	done
	exit
fi

failed=0
for name in "${names[@]}"; do
	while [ "$(jobs -rp | wc -l)" -ge "${FUZZ_JOBS-$(nproc)}" ]; do
		wait -n || failed=1
	done
	target "$name" &
	jobs+=($!)
done
for job in "${jobs[@]}"; do
	wait "$job" || failed=1
done
[ "$failed" = 0 ] && [ ${#names[@]} -gt 0 ]
