#!/bin/bash
# Debian's sample nginx configuration of fcgiwrap, unchanged: in front of a cgi
# pool, and of fcgipm-cgi with fcgiwrap's own options
#
# Its paths are those of the system, so ours are mounted there, where nobody
# else sees it.
sample=/usr/share/doc/fcgiwrap/examples/nginx.conf
if [ -z "${FCGIPM_UNSHARED-}" ] && unshare --mount true 2>/dev/null; then
	FCGIPM_UNSHARED=yes exec unshare --mount "$0"
fi
. "$(dirname "$0")/../lib/web.sh"
need nginx curl perl
[ -n "${FCGIPM_UNSHARED-}" ] || skip_all "no mount namespace for us"
[ -e "$sample" ] || skip_all "no $sample here"
[ -d /usr/lib/cgi-bin ] || skip_all "no /usr/lib/cgi-bin here"

script env <<'END'
#!/bin/sh
printf 'Content-Type: text/plain\n\n'
env | sort
pwd
END
script echo <<'END'
#!/bin/sh
# Reads all before it answers: nginx sends no more body once it sees an answer.
f=$(mktemp) || exit
cat >"$f"
printf 'Status: 201 Made\nContent-Type: application/octet-stream\n\n'
cat "$f"
rm "$f"
END
mkdir "$dir/run"
mount --bind "$dir/cgi" /usr/lib/cgi-bin && mount --bind "$dir/run" /run ||
	skip_all "nothing can be mounted here"
head -c 1048576 /dev/urandom >"$dir/random"

checks() {
	get '/cgi-bin/env?q=1'
	is "$status" 200 "$1: a program"
	like "$body" '^SCRIPT_FILENAME=/usr/lib/cgi-bin/env$' \
		"$1: SCRIPT_FILENAME"
	like "$body" '^SCRIPT_NAME=/cgi-bin/env$' "$1: SCRIPT_NAME"
	like "$body" '^QUERY_STRING=q=1$' "$1: QUERY_STRING"
	is "$(tail -n 1 <<<"$body")" /usr/lib/cgi-bin "$1: its folder"
	get --data-binary "@$dir/random" /cgi-bin/echo
	is "$status" 201 "$1: Status"
	cmp -s "$dir/body" "$dir/random"
	ok $? "$1: 1 MiB there and back"
	get /cgi-bin/nobody
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
is $? 0 "the pool ends"

as=()
root && as=(-o user=www-data -o group=www-data)
"$FCGIPM_BIN/fcgipm-cgi" -f -c 2 -s unix:/run/fcgiwrap.socket \
	-d /usr/lib/cgi-bin "${as[@]}" 2>>"$dir/fcgipm.log" &
master=$!
until_true 10 grep -q 'ready: 2 programs' "$dir/fcgipm.log"
checks alone
finish
