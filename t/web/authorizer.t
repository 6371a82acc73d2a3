#!/bin/bash
# authorizer.t - programs that allow or deny requests: for nginx any program,
# for lighttpd in the role of FastCGI 1.0, section 6.3
. "$(dirname "$0")/../lib/web.sh"
need nginx curl perl lighttpd

script env <<'END'
#!/bin/sh
printf 'Content-Type: text/plain\n\n'
env
END
mkdir "$dir/www/members"
echo 'for members' >"$dir/www/members/page"
: >"$dir/www/members/env.cgi"
chmod -R a+rX "$dir"
web_pools <<END
[authorizer]
listen = $dir/authorizer.sock
handler = $handlers/authorizer
env[AUTHORIZER_TOKEN] = sesame
[ascgi]
mode = cgi
listen = $dir/ascgi.sock
handler = $handlers/authorizer
env[AUTHORIZER_TOKEN] = sesame
[t]
mode = cgi
listen = $dir/t.sock
handler = $dir/cgi/env
END
fcgipm_start
token='Authorization: Bearer sesame'

# pages FRONT: tests a file that needs the token
pages() {
	get /members/page
	is "$status" 401 "$1: 401 without the token"
	like "$head" '^WWW-Authenticate: Bearer' "$1: WWW-Authenticate"
	get -H 'Authorization: Bearer wrong' /members/page
	is "$status" 401 "$1: 401 with a wrong token"
	get -H "$token" /members/page
	is "$status $body" "200 for members" "$1: 200 with the token"
	get -H "$token" /members/none
	is "$status" 404 "$1: a missing file is 404 with the token"
	get -H "$token" --data-binary "@$handlers/authorizer" /members/env.cgi
	like "$body" '^AUTH_METHOD=token$' "$1: Variable-AUTH_METHOD"
}

for pool in authorizer ascgi; do
	NGINX_SERVER="location = /members/env.cgi {
		auth_request /members-authorizer;
		auth_request_set \$members_auth_method
			\$upstream_http_variable_auth_method;
		fastcgi_param AUTH_METHOD \$members_auth_method;
		fastcgi_pass unix:$dir/t.sock;
	}"
	cp -r "$FCGIPM_SRC/etc" "$dir/etc-$pool"
	sed -i "s|authorizer\.sock|$pool.sock|" \
		"$dir/etc-$pool/nginx/fcgipm-authorizer.conf"
	snippets=$dir/etc-$pool
	nginx_start fcgipm-authorizer
	pages "nginx, $pool"
	end "$front"
done

for pool in authorizer ascgi; do
	port=$(free_port)
	{
		root && printf 'server.%s = "www-data"\n' username groupname
		cat <<END
server.modules = ("mod_fastcgi")
server.document-root = "$dir/www"
server.bind = "127.0.0.1"
server.port = $port
server.errorlog = "$dir/lighttpd.log"
server.upload-dirs = ("$dir/www")
fastcgi.server = (
	"/members/" => ((
		"socket" => "$dir/$pool.sock",
		"mode" => "authorizer",
		"docroot" => "$dir/www",
		"check-local" => "disable")),
	".cgi" => (("socket" => "$dir/t.sock")))
END
	} >"$dir/lighttpd.conf"
	: >"$dir/lighttpd.log"
	root && chown www-data "$dir/lighttpd.log" "$dir/www"
	lighttpd -D -f "$dir/lighttpd.conf" 2>>"$dir/lighttpd.log" &
	front=$!
	until_true 10 answers
	ok $? "lighttpd serves" "$(cat "$dir/lighttpd.log")"
	pages "lighttpd, $pool"
	end "$front"
done
front=''
finish
