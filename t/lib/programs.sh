#!/bin/bash
# programs.sh - checks in the ELF files how the programs were built
#
# The three programs are hardened (see GNUmakefile), the preloaded library is
# not fortified, and the gateway and fcgipmctl contain no code of the
# supervisor.  Prints TAP; FCGIPM_BIN and FCGIPM_SRC come from check.sh.
set -u
: "${FCGIPM_BIN:?}" "${FCGIPM_SRC:?}"
obj=$FCGIPM_BIN/../obj/fcgipm
shim=$FCGIPM_BIN/../lib/libfcgipm-shim.so
flags=$(cat "$FCGIPM_BIN/../flags")
n=0

# claim NAME WHY_NOT: passes if WHY_NOT is empty.
claim() {
	n=$((n + 1))
	if [ -z "$2" ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		printf '%s\n' "$2" | sed 's/^/# /'
	fi
}
skip() {
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}

# Prints an error unless the output of a command matches.
has() {
	local pattern=$1
	shift
	"$@" 2>&1 | grep -qE "$pattern" || echo "no $pattern in $*"
}

# Functions begin with a mark for indirect calls.  The corresponding note of the
# program is not tested, because the C runtime of Debian 12 removes it.
marks() {
	objdump -d --no-show-raw-insn "$1" |
		awk '/<main>:$/ { getline; print $2 }' |
		grep -q '^endbr' || echo "main() of $1 does not begin with endbr"
	has 'x86 feature: IBT, SHSTK' readelf -nW "$obj/base/fd.o"
}

program() {
	local p=$FCGIPM_BIN/$1 sanitized=
	nm "$p" | grep -qE ' (__asan|__ubsan|__tsan|__gcov)_' && sanitized=yes
	claim "$1 is position-independent" "$(has '\(FLAGS_1\).*PIE' \
		readelf -dW "$p")"
	claim "$1 has full RELRO" \
		"$(has '\(FLAGS\).*BIND_NOW' readelf -dW "$p"
		has 'GNU_RELRO' readelf -lW "$p")"
	claim "$1 has no executable stack" \
		"$(has 'GNU_STACK .* RW +0x' readelf -lW "$p")"
	claim "$1 has stack protectors" \
		"$(has ' U __stack_chk_fail' nm -D "$p")"
	case $flags in
	*' -O'[1-3sgz]*) ;;
	*) sanitized=yes ;;
	esac
	if [ "$sanitized" ]; then
		skip "$1 is fortified" "this build has sanitizers or coverage, \
or no optimization"
	else
		claim "$1 is fortified" \
			"$(has ' U __(v?snprintf|memcpy|fprintf)_chk' \
				nm -D "$p")"
	fi
	case $flags in
	*--coverage*) skip "$1 has no path of this machine" "for coverage" ;;
	*) claim "$1 has no path of this machine" \
		"$(strings -a "$p" | grep -F "$FCGIPM_SRC/" | sort -u)" ;;
	esac
	case $(uname -m) in
	x86_64|i?86) claim "$1 marks targets of indirect calls" \
		"$(marks "$p")" ;;
	*) skip "$1 marks targets of indirect calls" "x86 only" ;;
	esac
}

# Prints global names of a program that come from objects it must not contain.
foreign() {
	local p=$1
	shift
	LC_ALL=C comm -12 \
		<(nm -g --defined-only "$FCGIPM_BIN/$p" |
			awk '{ print $3 }' | LC_ALL=C sort -u) \
		<(nm -g --defined-only "$@" 2>/dev/null |
			awk 'NF == 3 { print $3 }' | LC_ALL=C sort -u) |
		grep -vE '^(main$|_|\.)'
}

program fcgipm
program fcgipm-cgi
program fcgipmctl
claim 'the preloaded library calls no fortified functions' \
	"$(nm -D --undefined-only "$shim" | grep -E ' __[a-z]+_chk(@|$)' |
		grep -v __stack_chk)"
claim 'the preloaded library needs only the C library' \
	"$(readelf -dW "$shim" | grep -E '\(NEEDED\)' |
		grep -vE '\[(libc|libdl|libpthread|ld-linux[^]]*)\.so')"

# Prints the objects of directories; objects without a source are omitted.
objects() {
	local dir c
	for dir in "$@"; do
		for c in "$FCGIPM_SRC/fcgipm/$dir"/*.c; do
			c=${c##*/}
			echo "$obj/$dir/${c%.c}.o"
		done
	done
}
mapfile -t supervisor < <({
	objects observe timeout pool master
	objects worker | grep -v '/limits\.o$'
	objects overload | grep -E '/(overload|queue|orders)\.o$'
})
mapfile -t gateway < <(objects gateway worker overload)
mapfile -t ctl < <(objects ctl)
claim "fcgipm-cgi contains no code of the supervisor" \
	"$(foreign fcgipm-cgi "${supervisor[@]}" "${ctl[@]}")"
claim "fcgipmctl contains no code of the supervisor" \
	"$(foreign fcgipmctl "${supervisor[@]}" "${gateway[@]}")"
claim 'fcgipm contains the code of the supervisor' \
	"$(foreign fcgipm "${supervisor[@]}" | grep -qx pool_open ||
		echo 'nm finds no pool_open in fcgipm')"
echo "1..$n"
