#!/bin/bash
# lint.sh - checks the sources with compilers and analyzers; silent if all is
# well
#
# Compiles each header alone, and every file by gcc and clang with the project's
# warnings, and for aarch64 if such a compiler is installed.  Runs clang-tidy,
# cppcheck, mandoc, sh -n, the check of layers (floors.py), of sizes (bounds.py)
# and of the lists of log lines in the pages (messages.py).  ALL_CFLAGS comes from GNUmakefile.  JOBS files are checked at a
# time, by default one per core.
set -u
: "${ALL_CFLAGS:?}"
read -ra flags <<<"$ALL_CFLAGS"
# Flags that GNUmakefile quotes.
flags+=('-DFCGIPM_VERSION="0"' '-DBINDIR="/bin"' '-DLIBDIR="/lib"'
	'-DSYSCONFDIR="/etc"')
cross=aarch64-linux-gnu-gcc

# Runs a command, prints its output, and counts it if there is any.
quiet() {
	local what=$1 raw=$work/raw.$BASHPID out=$work/out.$BASHPID
	shift
	if ! "$@" >"$raw" 2>&1; then
		{ echo "== $what"; cat "$raw"; } >"$out"
	elif grep -qvE '^[0-9]+ warnings? generated\.$' "$raw"; then
		# clang-tidy also prints the number of warnings that it hides.
		{ echo "== $what"; cat "$raw"; } >"$out"
	fi
	if [ -e "$out" ]; then
		cat "$out"	# in one piece
		echo "$what" >>"$work/warnings"
	fi
	rm -f "$raw" "$out"
}

# Prints the path of a header of the system.
where() {
	echo "#include <$1>" | gcc "${flags[@]}" -M -x c - | tr ' ' '\n' |
		grep "/$1\$"
}

# Checks one file in one way; called by xargs.
one() {
	local file=$2 cc
	case $1 in
	header)
		for cc in gcc clang; do
			quiet "$cc: $file alone" $cc "${flags[@]}" \
				-fsyntax-only -include "$file" -x c /dev/null
		done ;;
	source)
		for cc in gcc clang; do
			quiet "$cc: $file" $cc "${flags[@]}" -fsyntax-only \
				"$file"
		done ;;
	tidy)
		quiet "clang-tidy: $file" clang-tidy --quiet "$file" -- \
			"${flags[@]}" ;;
	cross)
		quiet "$cross: $file" $cross -I"$work/gen" "${flags[@]}" \
			-isystem "$work/inc" -c -o /dev/null "$file" ;;
	portable)
		quiet "portable: $file" gcc "${flags[@]}" -DRAW_PORTABLE \
			-fsyntax-only "$file" ;;
	page) quiet "mandoc: $file" mandoc -Tlint -W warning "$file" ;;
	shell) quiet "bash -n: $file" bash -n "$file" ;;
	cppcheck)
		quiet cppcheck cppcheck --quiet --std=c11 \
			--enable=warning,portability --inline-suppr \
			--suppress=normalCheckLevelMaxBranches -Ifcgipm \
			--include="$(where sys/queue.h)" fcgipm handlers ;;
	esac
}

if [ "${1-}" = one ]; then
	one "$2" "$3"
	exit 0
fi

work=$(mktemp -d) || exit 71
trap 'rm -rf "$work"' EXIT
export work

mapfile -t headers < <(git ls-files 'fcgipm/*.h' 't/*.h')
mapfile -t sources < <(git ls-files 'fcgipm/*.c' 'handlers/*.c' 't/*.c')
mapfile -t ours < <(git ls-files 'fcgipm/*.c' 'handlers/*.c')
mapfile -t pages < <(git ls-files 'man/*.[1-9]')
mapfile -t shells < <(git grep -lE '^#!/bin/(ba)?sh' -- handlers t .ci)
mapfile -t foreign < <(git ls-files 'fcgipm/*.c' 'handlers/*.c' \
	't/children/*.c' 't/bench/*.c')

# Links only the headers of the libraries, without other headers of this
# machine.
prepare_cross() {
	local h
	mkdir "$work/gen" "$work/inc"
	for h in ini.h jansson.h jansson_config.h fcgi_config.h fcgi_stdio.h \
		fcgiapp.h fcgimisc.h fcgios.h; do
		h=$(where "$h") && ln -s "$h" "$work/inc"
	done
	t/lib/calls.sh $cross >"$work/gen/calls.inc"
}

jobs() {
	kind cppcheck all	# the longest, so it is the first
	kind tidy "${ours[@]}"
	if command -v $cross >/dev/null; then
		kind cross "${foreign[@]}"
	fi
	kind header "${headers[@]}"
	kind source "${sources[@]}"
	kind portable fcgipm/sys/child.c fcgipm/sys/spawn.c
	kind page "${pages[@]}"
	kind shell "${shells[@]}"
}
kind() {
	printf "$1 %s\n" "${@:2}"
}

if command -v $cross >/dev/null; then
	prepare_cross
else
	echo "lint: $cross is missing: nothing is compiled for aarch64"
fi
jobs | xargs -P "${JOBS:-$(nproc)}" -L 1 "$0" one

bad=$(cat "$work/warnings" 2>/dev/null | wc -l)
t/lib/floors.py || bad=$((bad + 1))
t/lib/messages.py -c || bad=$((bad + 1))
t/lib/bounds.py "${headers[@]}" "${sources[@]}" || bad=$((bad + 1))
echo "lint: ${#headers[@]} headers, ${#sources[@]} sources," \
	"${#pages[@]} pages, ${#shells[@]} shell scripts, $bad with warnings"
[ "$bad" = 0 ]
