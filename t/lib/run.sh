#!/bin/bash
# run.sh - runs the supervisor and nginx with the demo page, until Ctrl-C
#
#	PORT=8080 run.sh BUILD
#
# Needs no root.  As root, it copies the programs to a private directory, and
# both servers run as the user nobody.  They write only to one temporary
# directory.
set -u
cd "$(dirname "$0")/../.." || exit 71
build=$(realpath "${1:?}") && src=$PWD && port=${PORT:-8080}
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

case $port in
''|*[!0-9]*) port=0 ;;
esac
if ! ((10#$port >= 1 && 10#$port <= 65535)); then
	echo "PORT=$PORT is not a port: 1 to 65535" >&2
	exit 64
fi

# Short, because the path of a unix socket has at most 107 bytes.
dir=$(mktemp -d /tmp/fcgipm-run.XXXXXX) || exit 71
master='' front='' terminal=''

finish() {
	trap '' HUP INT TERM
	local pid
	for pid in $front $master $terminal; do
		kill -TERM "$pid" 2>/dev/null
	done
	# A second signal stops it at once.
	if [ -n "$master" ]; then
		sleep 1.5 &
		pid=$!
		wait -n "$master" "$pid" 2>/dev/null
		disown "$pid" 2>/dev/null
		kill -KILL "$pid" 2>/dev/null
		kill -TERM "$master" 2>/dev/null
	fi
	wait
	rm -rf "$dir"
}
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 0' INT
trap 'exit 143' TERM

bin=$build/bin conf=$src/etc/demo.ini as=()
if [ "$(id -u)" = 0 ]; then
	cp -r "$bin" "$build/lib" "$dir" && cp "$conf" "$dir/demo.ini" ||
		exit 71
	bin=$dir/bin conf=$dir/demo.ini
	as=(--reuid=65534 --regid=65534 --clear-groups)
fi
for f in nginx.conf index.html; do
	sed -e "s|@DIR@|$dir|g" -e "s|@PORT@|$port|g" \
		-e "s|@HANDLERS@|$bin/handlers|g" "$src/etc/demo/$f" \
		>"$dir/$f" || exit 71
done
[ -z "${as[*]}" ] || chown -R 65534:65534 "$dir" || exit 71

if ! perl -MIO::Socket::INET -e 'exit !IO::Socket::INET->new(Listen => 1,
	LocalAddr => "127.0.0.1", LocalPort => shift, ReuseAddr => 1)' \
	"$port"; then
	echo "127.0.0.1:$port is in use or not permitted:" \
		"try \`make run PORT=$((port + 1))\`" >&2
	exit 71
fi

# Both servers exit with this script, even if it is killed.  Ctrl-C reaches only
# this script, because a second signal would stop the supervisor at once.
start() {
	exec setsid setpriv --pdeathsig TERM "${as[@]}" -- "$@"
}

DEMO=$dir HANDLERS=$bin/handlers start "$bin/fcgipm" -c "$conf" &
master=$!
start nginx -p "$dir" -e stderr -c "$dir/nginx.conf" &
front=$!

# Both servers are ready when the pid files exist.
is_ready() {
	[ -e "$dir/fcgipm.pid" ] && [ -s "$dir/nginx.pid" ]
}
for ((n = 0; n < 200; n++)); do
	is_ready && break
	kill -0 "$master" 2>/dev/null || break
	kill -0 "$front" 2>/dev/null || break
	sleep 0.05
done
is_ready || { echo "fcgipm or nginx did not start" >&2; exit 71; }

printf '\n  http://127.0.0.1:%s/   Ctrl-C stops it\n' "$port"
printf '  %s/bin/fcgipmctl status -s %s/control.sock   shows its workers\n\n' \
	"${build#"$src"/}" "$dir"
# When a terminal is closed, the kernel signals only its first process.  If that
# is make, make does not pass the signal on.
if [ -t 0 ]; then
	setpriv --pdeathsig KILL perl -MIO::Poll=POLLHUP -e \
		'$p = IO::Poll->new; $p->mask(*STDIN, POLLHUP); $p->poll' \
		<&0 2>/dev/null &
	terminal=$!
fi
wait -n $master $front $terminal
status=$?
[ -z "$terminal" ] || kill -0 "$terminal" 2>/dev/null || exit 129
if kill -0 "$front" 2>/dev/null; then
	echo "the supervisor exited (status $status)" >&2
else
	echo "nginx exited (status $status)" >&2
fi
exit 71
