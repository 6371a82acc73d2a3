#!/bin/bash
# caddy.t - Caddy with the examples of etc/caddy and pools of both modes
. "$(dirname "$0")/../lib/web.sh"
need caddy curl perl setpriv
. "$(dirname "$0")/../lib/web-front.sh"

front_pools
fcgipm_start
web_snippets caddy
port=$(free_port)
{
	cat <<END
{
	admin off
	auto_https off
}
http://127.0.0.1:$port {
	root * $dir/www
END
	for s in fcgipm-prefork fcgipm-cgi counter upload perl busy t; do
		echo "import $dir/conf/$s.caddy"
	done
	echo "file_server"
	echo "}"
} >"$dir/Caddyfile"
mkdir -m 1777 "$dir/tmp"
as=()
root && as=(setpriv --reuid=www-data --regid=www-data --clear-groups)
HOME=$dir/tmp XDG_DATA_HOME=$dir/tmp XDG_CONFIG_HOME=$dir/tmp \
	"${as[@]}" caddy run --adapter caddyfile --config "$dir/Caddyfile" \
	2>>"$dir/caddy.log" &
front=$!
until_true 10 answers
ok $? "Caddy accepts the examples and serves" "$(cat "$dir/caddy.log")"
front_checks
front_overload

get /t/env/more
like "$body" "^SCRIPT_FILENAME=$dir/cgi/env\$" "SCRIPT_FILENAME"
like "$body" "^DOCUMENT_ROOT=$dir/cgi\$" "DOCUMENT_ROOT"
# For a chunked body, Caddy sends neither a length nor the coding.
get -H 'Transfer-Encoding: chunked' --data-binary some /t/env
is "$status" 200 "a chunked body"
unlike "$body" '^CONTENT_LENGTH=' "a chunked body has no CONTENT_LENGTH"
get /application
is "$status" 404 "/app does not match /application"
finish
