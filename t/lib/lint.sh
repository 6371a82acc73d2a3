#!/bin/bash
# lint.sh - what machines can say about the sources; silent when content
#
# Each header compiled alone, every file by gcc and clang with our warnings,
# clang-tidy, cppcheck, mandoc, sh -n.  ALL_CFLAGS comes from GNUmakefile.
set -u
: "${ALL_CFLAGS:?}"
read -ra flags <<<"$ALL_CFLAGS"
bad=0
work=$(mktemp -d) || exit 71
trap 'rm -rf "$work"' EXIT

# Runs a command, shows what it said and counts it when it said anything.
quiet() {
	local what=$1
	shift
	if ! "$@" >"$work/raw" 2>&1; then
		cp "$work/raw" "$work/out"
	else
		# clang-tidy counts what it does not show.
		grep -vE '^[0-9]+ warnings? generated\.$' "$work/raw" \
			>"$work/out"
	fi
	if [ -s "$work/out" ]; then
		echo "== $what"
		cat "$work/out"
		bad=$((bad + 1))
	fi
}

mapfile -t headers < <(git ls-files 'fcgipm/*.h' 't/*.h')
mapfile -t sources < <(git ls-files 'fcgipm/*.c' 'handlers/*.c' 't/*.c')
mapfile -t ours < <(git ls-files 'fcgipm/*.c' 'handlers/*.c')
mapfile -t pages < <(git ls-files 'man/*.[1-9]')
mapfile -t shells < <(git grep -lE '^#!/bin/(ba)?sh' -- handlers t .ci)

for cc in gcc clang; do
	for h in "${headers[@]}"; do
		quiet "$cc: $h alone" $cc "${flags[@]}" -fsyntax-only \
			-include "$h" -x c /dev/null
	done
	for c in "${sources[@]}"; do
		quiet "$cc: $c" $cc "${flags[@]}" -fsyntax-only "$c"
	done
done
for c in "${ours[@]}"; do
	quiet "clang-tidy: $c" clang-tidy --quiet "$c" -- "${flags[@]}"
done
quiet cppcheck cppcheck --quiet --std=c11 --enable=warning,portability \
	--inline-suppr --suppress=normalCheckLevelMaxBranches -Ifcgipm \
	"${ours[@]}"
for page in "${pages[@]}"; do
	quiet "mandoc: $page" mandoc -Tlint -W warning "$page"
done
for s in "${shells[@]}"; do
	quiet "sh -n: $s" bash -n "$s"
done

echo "lint: ${#headers[@]} headers, ${#sources[@]} sources," \
	"${#pages[@]} pages, ${#shells[@]} shell scripts, $bad with remarks"
[ "$bad" = 0 ]
