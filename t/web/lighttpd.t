#!/bin/bash
# lighttpd.t - lighttpd with the examples of etc/lighttpd and pools of both
# modes
. "$(dirname "$0")/../lib/web.sh"
need lighttpd curl perl
. "$(dirname "$0")/../lib/web-front.sh"

front_pools
fcgipm_start
web_snippets lighttpd
port=$(free_port)
mkdir -m 1777 "$dir/tmp"
{
	root && printf 'server.%s = "www-data"\n' username groupname
	cat <<END
server.bind = "127.0.0.1"
server.port = $port
server.document-root = "$dir/www"
server.upload-dirs = ("$dir/tmp")
server.modules = ("mod_alias", "mod_fastcgi")
END
	for s in fcgipm-prefork fcgipm-cgi counter upload perl busy t; do
		echo "include \"$dir/conf/$s.conf\""
	done
} >"$dir/lighttpd.conf"
lighttpd -D -f "$dir/lighttpd.conf" 2>>"$dir/lighttpd.log" &
front=$!
until_true 10 answers
ok $? "lighttpd accepts the examples and serves" "$(cat "$dir/lighttpd.log")"
front_checks
front_overload
front_duplex

# lighttpd finds the file itself; DOCUMENT_ROOT is the directory of the alias.
get /t/env/more
like "$body" "^SCRIPT_FILENAME=$dir/cgi/env\$" "SCRIPT_FILENAME"
like "$body" "^DOCUMENT_ROOT=$dir/cgi/\$" "DOCUMENT_ROOT"
like "$body" "^PATH_TRANSLATED=$dir/cgi/more\$" "PATH_TRANSLATED"
get /application
is "$status" 404 "/app does not match /application"
finish
