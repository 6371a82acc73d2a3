#!/bin/bash
# haproxy.t - HAProxy with the examples of etc/haproxy and pools of both modes
. "$(dirname "$0")/../lib/web.sh"
need haproxy curl perl
. "$(dirname "$0")/../lib/web-front.sh"

front_pools
fcgipm_start
web_snippets haproxy
port=$(free_port)
# The size of its buffers allows this.
chunked=10000
{
	echo "global"
	root && printf '\t%s www-data\n' user group
	cat <<END
	log stderr format raw local0
defaults
	mode http
	timeout connect 5s
	timeout client 30s
	timeout server 30s
	# The default closes some idle connections every 5 s; the test counts
	# them.
	default-server pool-purge-delay 60s
frontend web
	bind 127.0.0.1:$port
	stats enable
	stats uri /stats
	use_backend fcgipm-cgi if { path_beg /cgi-bin/ }
	use_backend fcgipm-t if { path_beg /t/ }
	use_backend fcgipm-hello if { path /app } || { path_beg /app/ }
	use_backend fcgipm-counter if { path /counter }
	use_backend fcgipm-upload if { path /upload }
	use_backend fcgipm-perl if { path /perl }
	default_backend nothing
backend nothing
	http-request return status 404
END
} >"$dir/haproxy.cfg"
files=()
for s in fcgipm-prefork fcgipm-cgi counter upload perl t; do
	files+=(-f "$dir/conf/$s.cfg")
done
haproxy -db -f "$dir/haproxy.cfg" "${files[@]}" 2>>"$dir/haproxy.log" &
front=$!
until_true 10 answers
ok $? "HAProxy accepts the examples and serves" "$(cat "$dir/haproxy.log")"
front_checks
front_duplex

get /t/env/more
like "$body" "^SCRIPT_FILENAME=$dir/cgi/env\$" "SCRIPT_FILENAME"
like "$body" "^DOCUMENT_ROOT=$dir/cgi\$" "DOCUMENT_ROOT"

# count NAME COLUMN: prints a value of the statistics of a server
count() {
	get '/stats;csv'
	awk -F, -v name="fcgipm-$1" -v column="$2" '
	/^# / { for (i = 1; i <= NF; i++) if ($i == column) at = i }
	$1 == name && $2 != "BACKEND" { print $at }' <<<"$body"
}
# A client with a keep-alive connection gets one to the gateway, too.
connects=$(count t connect) reuses=$(count t reuse)
curl -s -o /dev/null --max-time 30 "http://127.0.0.1:$port/t/env?"[1-10]
ok $? "ten requests by one client"
is "$(count t connect) $(count t reuse)" "$((connects + 1)) $((reuses + 9))" \
	"ten requests use one connection to the gateway"
is "$(count hello reuse)" 0 "connections to a prefork pool are not kept"
finish
