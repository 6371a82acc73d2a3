#!/bin/bash
# fcgiwrap.t - Debian's nginx example for fcgiwrap, unchanged, with a cgi pool,
# and with fcgipm-cgi and fcgiwrap's options
#
# The example has paths of the system.  The test mounts its own directories
# there, in its own mount namespace.
sample=/usr/share/doc/fcgiwrap/examples/nginx.conf
if [ -z "${FCGIPM_UNSHARED-}" ] && unshare --mount true 2>/dev/null; then
	FCGIPM_UNSHARED=yes exec unshare --mount "$0"
fi
. "$(dirname "$0")/../lib/web.sh"
need nginx curl perl
[ -n "${FCGIPM_UNSHARED-}" ] || skip_all "cannot make a mount namespace"
[ -e "$sample" ] || skip_all "$sample is missing"
[ -d /usr/lib/cgi-bin ] || skip_all "/usr/lib/cgi-bin is missing"

script env <<'END'
#!/bin/sh
printf 'Content-Type: text/plain\n\n'
env | sort
pwd
END
script echo <<'END'
#!/bin/sh
# Reads the whole body first: nginx stops sending it when an answer arrives.
f=$(mktemp) || exit
cat >"$f"
printf 'Status: 201 Made\nContent-Type: application/octet-stream\n\n'
cat "$f"
rm "$f"
END
mkdir "$dir/run"
mount --bind "$dir/cgi" /usr/lib/cgi-bin && mount --bind "$dir/run" /run ||
	skip_all "cannot mount"
head -c 1048576 /dev/urandom >"$dir/random"

checks() {
	get '/cgi-bin/env?q=1'
	is "$status" 200 "$1: a program"
	like "$body" '^SCRIPT_FILENAME=/usr/lib/cgi-bin/env$' \
		"$1: SCRIPT_FILENAME"
	like "$body" '^SCRIPT_NAME=/cgi-bin/env$' "$1: SCRIPT_NAME"
	like "$body" '^QUERY_STRING=q=1$' "$1: QUERY_STRING"
	is "$(tail -n 1 <<<"$body")" /usr/lib/cgi-bin "$1: working directory"
	get --data-binary "@$dir/random" /cgi-bin/echo
	is "$status" 201 "$1: Status"
	cmp -s "$dir/body" "$dir/random"
	ok $? "$1: 1 MiB in both directions"
	get /cgi-bin/missing
	is "$status" 404 "$1: 404"
}

web_pools <<END
[cgi]
mode = cgi
listen = /run/fcgiwrap.socket
docroot = /usr/lib/cgi-bin
END
fcgipm_start
NGINX_SERVER="include $sample;"
nginx_start
checks pool
kill -TERM "$master"
wait "$master"
is $? 0 "the supervisor exits"

as=()
root && as=(-o user=www-data -o group=www-data)
"$FCGIPM_BIN/fcgipm-cgi" -f -c 2 -s unix:/run/fcgiwrap.socket \
	-d /usr/lib/cgi-bin "${as[@]}" 2>>"$dir/fcgipm.log" &
master=$!
until_true 10 grep -q 'at most 2 programs' "$dir/fcgipm.log"
checks alone
finish
