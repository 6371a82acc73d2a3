#!/bin/bash
# programs.sh - what the built programs are made of, read off their ELF files
#
# The three programs are hardened (see GNUmakefile), the preloaded library is
# not fortified, and the gateway and fcgipmctl have nothing of the supervisor's
# in them.  Prints TAP; FCGIPM_BIN and FCGIPM_SRC are check.sh's.
set -u
: "${FCGIPM_BIN:?}" "${FCGIPM_SRC:?}"
obj=$FCGIPM_BIN/../obj/fcgipm
shim=$FCGIPM_BIN/../lib/libfcgipm-shim.so
flags=$(cat "$FCGIPM_BIN/../flags")
n=0

# claim NAME WHAT_IS_WRONG: holds when nothing is.
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

# Prints why, unless the output of a command has a match.
has() {
	local pattern=$1
	shift
	"$@" 2>&1 | grep -qE "$pattern" || echo "no $pattern in $*"
}

# Functions begin with a mark, where indirect calls may end.  A program's note of
# that is not tested: it is gone where the C runtime has none (Debian 12).
marks() {
	objdump -d --no-show-raw-insn "$1" |
		awk '/<main>:$/ { getline; print $2 }' |
		grep -q '^endbr' || echo "main() of $1 does not begin with endbr"
	has 'x86 feature: IBT, SHSTK' readelf -nW "$obj/base/fd.o"
}

program() {
	local p=$FCGIPM_BIN/$1 sanitized=
	nm "$p" | grep -qE ' (__asan|__ubsan|__tsan|__gcov)_' && sanitized=yes
	claim "$1 may be loaded anywhere" "$(has '\(FLAGS_1\).*PIE' \
		readelf -dW "$p")"
	claim "$1 binds at its start, and then cannot change what is bound" \
		"$(has '\(FLAGS\).*BIND_NOW' readelf -dW "$p"
		has 'GNU_RELRO' readelf -lW "$p")"
	claim "$1 has no stack that can be executed" \
		"$(has 'GNU_STACK .* RW +0x' readelf -lW "$p")"
	claim "$1 guards its stack" "$(has ' U __stack_chk_fail' nm -D "$p")"
	case $flags in
	*' -O'[1-3sgz]*) ;;
	*) sanitized="it is not optimized" ;;
	esac
	if [ "$sanitized" ]; then
		skip "$1 is fortified" "this build has sanitizers or counters, \
or no optimizer"
	else
		claim "$1 is fortified" \
			"$(has ' U __(v?snprintf|memcpy|fprintf)_chk' \
				nm -D "$p")"
	fi
	case $flags in
	*--coverage*) skip "$1 has no path of this machine" "it needs them" ;;
	*) claim "$1 has no path of this machine" \
		"$(strings -a "$p" | grep -F "$FCGIPM_SRC/" | sort -u)" ;;
	esac
	case $(uname -m) in
	x86_64|i?86) claim "$1 marks where indirect calls may end" \
		"$(marks "$p")" ;;
	*) skip "$1 marks where indirect calls may end" "x86 only" ;;
	esac
}

# Global names that a program has of objects it should be without.
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
claim 'wrappers of the preloaded library are the plain functions' \
	"$(nm -D --undefined-only "$shim" | grep -E ' __[a-z]+_chk(@|$)' |
		grep -v __stack_chk)"
claim 'the preloaded library needs the C library alone' \
	"$(readelf -dW "$shim" | grep -E '\(NEEDED\)' |
		grep -vE '\[(libc|libdl|libpthread|ld-linux[^]]*)\.so')"

# Objects of rooms; those whose source has left are not among them.
objects() {
	local room c
	for room in "$@"; do
		for c in "$FCGIPM_SRC/fcgipm/$room"/*.c; do
			c=${c##*/}
			echo "$obj/$room/${c%.c}.o"
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
claim "fcgipm-cgi has nothing of the supervisor's in it" \
	"$(foreign fcgipm-cgi "${supervisor[@]}" "${ctl[@]}")"
claim "fcgipmctl has nothing of the supervisor's in it" \
	"$(foreign fcgipmctl "${supervisor[@]}" "${gateway[@]}")"
claim 'fcgipm has what the others may not have' \
	"$(foreign fcgipm "${supervisor[@]}" | grep -qx pool_open ||
		echo 'nm finds no pool_open in fcgipm')"
echo "1..$n"
