# web-front.sh - tests of every web server with a pool of each mode
#
# t/web/nginx.t and the tests of other web servers source this after web.sh.
# shellcheck shell=bash

script env <<'END'
#!/bin/sh
printf 'Content-Type: text/plain\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n'
env | sort
pwd
END
script echo <<'END'
#!/bin/sh
# Reads the whole body first: nginx stops sending it when an answer arrives.
f=$(mktemp) || exit
cat >"$f"
printf 'Content-Type: application/octet-stream\n\n'
cat "$f"
rm "$f"
END
script full <<'END'
#!/bin/sh
# Writes 1 MiB before it reads a byte of its body.
printf 'Content-Type: text/plain\n\n'
head -c 1048576 /dev/zero | tr '\0' 'x'
md5sum | cut -d' ' -f1
END
script large <<'END'
#!/bin/sh
printf 'Content-Type: application/octet-stream\n\n'
exec head -c 50000000 /dev/zero
END
script status <<'END'
#!/bin/sh
printf 'Status: 418 Short and stout\nContent-Type: text/plain\n\nteapot\n'
END
script redirect <<'END'
#!/bin/sh
printf 'Location: http://elsewhere.example/\n\n'
END
script empty <<'END'
#!/bin/sh
exit 0
END
script garbage <<'END'
#!/bin/sh
echo this is not a header
echo
END
script hangs <<'END'
#!/bin/sh
exec sleep 60
END
script notexec <<'END'
#!/bin/sh
echo never
END
chmod 644 "$dir/cgi/notexec"
script nointerp <<'END'
#!/nowhere/to/be/found
END
chmod -R a+rX "$dir"
head -c 3000000 /dev/urandom >"$dir/random"

# front_pools [MORE]: writes the pools of front_checks, and more
front_pools() {
	web_pools <<END
[hello]
listen = $dir/hello.sock
handler = $handlers/hello
pm.max_children = 2
[counter]
listen = $dir/counter.sock
handler = $handlers/counter
pm.max_children = 1
[upload]
listen = $dir/upload.sock
handler = $handlers/upload
pm.max_children = 2
[busy]
listen = $dir/busy.sock
handler = $handlers/sleep
pm.max_children = 1
queue_timeout = 300ms
[perl]
listen = $dir/perl.sock
handler = $handlers/$perl
pm.max_children = 2
[cgi]
mode = cgi
listen = $dir/cgi.sock
docroot = $handlers
[t]
mode = cgi
listen = $dir/t.sock
docroot = $dir/cgi
cgi.idle_timeout = 1s
cgi.max_body = 8M
${1-}
END
}
perl=hello.pl
chunked=3000000

# Tests both modes with the examples of etc/.
front_checks() {
	local i first

	# A prefork pool.
	get /app/
	is "$status" 200 "prefork: C handler"
	like "$head" '^[Cc]ontent-[Tt]ype: text/' "prefork: Content-Type"
	get '/app/more?x=1'
	is "$status" 200 "prefork: path and query"
	get /counter
	first=$body
	get /counter
	is "$status" 200 "prefork: counter"
	[ "$body" != "$first" ]
	ok $? "prefork: the count rises" "$first
$body"
	get -H 'Content-Type: application/octet-stream' \
		--data-binary "@$dir/random" '/upload?echo=0'
	is "$status" 200 "prefork: 3 MB by POST"
	like "$body" '^bytes: 3000000 hash: ' "prefork: the handler read 3 MB"
	get /perl
	is "$status" 200 "prefork: Perl FCGI script"

	# The same programs in a cgi pool.
	for i in hello counter upload "$perl"; do
		get "/cgi-bin/$i"
		is "$status" 200 "cgi: $i"
	done

	# What a CGI program receives and answers.
	get -H 'X-Asked: yes' -H 'Proxy: evil' '/t/env/a%20b/c?q=1&r=%26'
	is "$status" 200 "cgi: a shell script"
	is "$(grep -ci '^Set-Cookie: ' <<<"$head")" 2 "cgi: a header twice"
	like "$body" '^REQUEST_METHOD=GET$' "cgi: REQUEST_METHOD"
	like "$body" '^SCRIPT_NAME=/t/env$' "cgi: SCRIPT_NAME"
	like "$body" '^PATH_INFO=/a b/c$' "cgi: PATH_INFO, decoded"
	like "$body" '^QUERY_STRING=q=1&r=%26$' "cgi: QUERY_STRING, as sent"
	like "$body" '^HTTP_X_ASKED=yes$' "cgi: a request header"
	like "$body" '^GATEWAY_INTERFACE=CGI/1.1$' "cgi: GATEWAY_INTERFACE"
	like "$body" "^SERVER_PORT=$port\$" "cgi: SERVER_PORT"
	unlike "$body" '^HTTP_PROXY=' "cgi: never HTTP_PROXY"
	is "$(tail -n 1 <<<"$body")" "$dir/cgi" "cgi: starts in its directory"
	get /t/status
	is "$status $body" "418 teapot" "cgi: Status"
	get /t/redirect
	is "$status" 302 "cgi: Location alone is a 302"
	like "$head" '^[Ll]ocation: http://elsewhere.example/' "cgi: Location"
	get -I /t/env
	is "$status" 200 "cgi: HEAD"

	# Request and response bodies.
	get --data-binary "@$dir/random" /t/echo
	cmp -s "$dir/body" "$dir/random"
	ok $? "cgi: 3 MB in both directions"
	head -c "$chunked" "$dir/random" >"$dir/chunked"
	get -H 'Transfer-Encoding: chunked' --data-binary "@$dir/chunked" \
		/t/echo
	cmp -s "$dir/body" "$dir/chunked"
	ok $? "cgi: $chunked bytes in chunks" "$status"
	get /t/large
	is "$status $(wc -c <"$dir/body")" "200 50000000" "cgi: 50 MB down"

	# Failures: a status and a line in the log.
	get /t/missing
	is "$status" 404 "404: the program is missing"
	get /t/notexec
	is "$status" 403 "403: not executable"
	get /t/nointerp
	is "$status" 500 "500: the interpreter is missing"
	get /t/empty
	is "$status" 502 "502: no header"
	get /t/garbage
	is "$status" 502 "502: a line that is not a header"
	get /t/hangs
	is "$status" 504 "504: no output for cgi.idle_timeout"
	head -c 9000000 /dev/zero >"$dir/nine"
	get --data-binary "@$dir/nine" /t/echo
	is "$status" 413 "413: over cgi.max_body"
	for i in notexec nointerp empty garbage hangs; do
		grep -q "pool t: .*$i" "$dir/fcgipm.log"
		ok $? "the log contains $i"
	done
	get /t/env
	is "$status" 200 "the next request is answered"
}

# Returns whether the pool has an accepted connection.
is_taken() {
	grep -q " 03 .*$dir/busy.sock" /proc/net/unix
}

# The only worker is busy for longer than queue_timeout: it is stopped in the
# middle of a request.
front_overload() {
	local first worker=
	curl -s --max-time 30 -o "$dir/first" -w '%{http_code} ' \
		"http://127.0.0.1:$port/busy?ms=300" >"$dir/first.status" &
	first=$!
	until_true 10 is_taken
	ok $? "overload: the worker is busy"
	for worker in $(cat "/proc/$master/task/$master/children"); do
		[ "$(readlink "/proc/$worker/exe")" != "$handlers/sleep" ] ||
			break
	done
	kill -STOP "$worker"
	get '/busy?ms=0'
	is "$status" 503 "overload: 503 for a client that waits too long"
	like "$head" '^[Rr]etry-[Aa]fter: 1$' "overload: Retry-After"
	like "$body" '^503 Service Unavailable' "overload: an error page"
	get --data-binary "@$dir/random" '/busy?ms=0'
	is "$status" 503 "overload: the same for 3 MB by POST"
	kill -CONT "$worker"
	wait "$first"
	is "$(cat "$dir/first.status" "$dir/first")" "200 slept: 300 ms" \
		"overload: the running request is answered"
	get '/busy?ms=0'
	is "$status" 200 "overload: the pool serves again"
}

# Not for nginx, which stops sending the body when an answer arrives, and not
# for Caddy, which reads the answer only after it has sent the body.
front_duplex() {
	head -c 1048576 "$dir/random" >"$dir/mib"
	get --max-time 10 --data-binary "@$dir/mib" /t/full
	is "$(tail -c 33 "$dir/body")" \
		"$(md5sum <"$dir/mib" | cut -d' ' -f1)" \
		"cgi: 1 MiB written before 1 MiB is read"
}
