#!/bin/sh
# deps.sh - checks for and installs the packages that fcgipm needs
#
#	deps.sh need build|test		fails, and prints what is missing
#	deps.sh install SET...		installs what is missing of build,
#					run, test, lint, cross, fuzz, peers
#
# apt-get runs as root or through sudo.  It asks first, unless CI or YES is set.
# Services that packages install are neither started nor enabled, because the
# tests start their own servers, in their own directories.
set -u

# Prints lines with a check for a package, and its name on Debian.
list() {
	case $1 in
	build) cat <<'END'
cmd:cc gcc
file:/usr/include/stdio.h libc6-dev
cmd:ar binutils
cmd:make make
cmd:pkg-config pkg-config
pc:inih libinih-dev
pc:jansson libjansson-dev
pc:fcgi libfcgi-dev
END
	;;
	run) cat <<'END'
cmd:nginx nginx-light
cmd:perl perl
perl:CGI::Fast libcgi-fast-perl
cmd:python3 python3
cmd:php-cgi php-cgi
END
	;;
	test) cat <<'END'
pc:criterion libcriterion-dev
cmd:apache2 apache2-bin
cmd:curl curl
cmd:git git
cmd:lighttpd lighttpd
cmd:caddy caddy
cmd:haproxy haproxy
cmd:fcgiwrap fcgiwrap
cmd:setpriv util-linux
cmd:mandoc mandoc
cmd:gnuplot gnuplot-nox
cmd:wrk wrk
cmd:strace strace
cmd:systemd-analyze systemd
cmd:jq jq
END
	;;
	peers) cat <<'END'
cmd:spawn-fcgi spawn-fcgi
cmd:multiwatch multiwatch
cmd:fcgiwrap fcgiwrap
cmd:lighttpd lighttpd
cmd:apache2 apache2-bin
cmd:wrk wrk
cmd:gnuplot gnuplot-nox
cmd:strace strace
END
	;;
	lint) cat <<'END'
cmd:clang clang
cmd:clang-tidy clang-tidy
cmd:cppcheck cppcheck
END
	;;
	cross) cat <<'END'
cmd:aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu
file:/usr/aarch64-linux-gnu/include/stdio.h libc6-dev-arm64-cross
END
	;;
	fuzz) cat <<'END'
cmd:clang clang
clang:fuzzer,address libclang-rt-dev
END
	;;
	*) echo "deps.sh: unknown set: $1" >&2; exit 64 ;;
	esac
}

# Web servers are in sbin, which may not be in the PATH of a user.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

there() {
	case $1 in
	cmd:*) command -v "${1#cmd:}" >/dev/null 2>&1 ;;
	pc:*) pkg-config --exists "${1#pc:}" 2>/dev/null ;;
	perl:*) perl -M"${1#perl:}" -e 1 >/dev/null 2>&1 ;;
	clang:*) echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' |
		clang -fsanitize="${1#clang:}" -x c -o /dev/null - 2>/dev/null ;;
	file:*) test -e "${1#file:}" ;;
	esac
}

missing() {
	for set in "$@"; do
		list "$set" | while read -r probe package; do
			there "$probe" || echo "$package"
		done
	done | tr '\n' ' '
}

case ${1-} in
need)
	shift
	want=$(missing "$@")
	test -z "$want" && exit 0
	echo "missing: ${want% }" >&2
	echo "\`make deps\` installs what the build and the tests need" >&2
	exit 1 ;;
install)
	shift ;;
*)
	echo "usage: deps.sh need|install SET..." >&2
	exit 64 ;;
esac

want=$(missing "$@")
test -z "$want" && exit 0
echo "missing packages: ${want% }"

if ! command -v apt-get >/dev/null 2>&1; then
	echo "apt-get is missing: install these packages (names of Debian)" \
		"and try again" >&2
	exit 1
fi
sudo=
if [ "$(id -u)" != 0 ]; then
	if ! command -v sudo >/dev/null 2>&1; then
		echo "needs root or sudo; run as root:" \
			"apt-get install --no-install-recommends $want" >&2
		exit 1
	fi
	sudo=sudo
fi
if [ -z "${CI-}${YES-}" ]; then
	if ! [ -t 0 ]; then
		echo "no terminal to ask: set YES=1 to install them" >&2
		exit 1
	fi
	printf 'install them with apt-get? [Y/n] '
	read -r answer || exit 1
	case $answer in
	''|[yY]*) ;;
	*) exit 1 ;;
	esac
fi

# Everything below runs as root, in one shell, so that sudo asks once.
$sudo env DEBIAN_FRONTEND=noninteractive sh -s -- $want <<'EOF2'
set -u
policy=/usr/sbin/policy-rc.d
made=
# Prints the services that a boot would start, as file names.
enabled() {
	find /etc/systemd/system -type l -path '*.[wr]*/*' 2>/dev/null
	ls -d /etc/rc[2-5].d/S* 2>/dev/null
}
tidy() {
	test -n "$made" && rm -f "$policy"
	made=
}
trap tidy EXIT
trap 'exit 1' HUP INT TERM

before=$(enabled)
# Packages start their services unless this program returns 101, "not allowed".
if ! [ -e "$policy" ] && ! [ -L "$policy" ]; then
	printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy" &&
		made=yes
fi
get="apt-get -q -y --no-install-recommends -o Dpkg::Use-Pty=0"
get="$get -o DPkg::Lock::Timeout=300"
# The package lists of a fresh machine are empty, and old ones may name versions
# that are gone.  Then update and try once more.
$get install "$@" </dev/null ||
	{ apt-get -q update </dev/null && $get install "$@" </dev/null; }
status=$?
tidy
for link in $(enabled); do
	case "
$before
" in
	*"
$link
"*) continue ;;
	esac
	[ -L "$link" ] || continue	# went along with another
	name=${link##*/}
	case $link in
	/etc/rc*)
		name=${name#S[0-9][0-9]}
		[ -d /run/systemd/system ] || invoke-rc.d --quiet "$name" stop
		update-rc.d "$name" disable ;;
	*)
		if [ -d /run/systemd/system ]; then
			systemctl disable --now "$name"
		else
			rm -f "$link"
		fi ;;
	esac >/dev/null 2>&1
	if [ -L "$link" ]; then
		echo "could not disable $link" >&2
		status=1
	else
		echo "disabled: $name"
	fi
done
exit $status
EOF2
