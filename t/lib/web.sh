# web.sh - starts a supervisor and a web server for t/web/*.t; prints TAP
#
# A test sources this file and writes pools to $dir/fcgipm.ini by web_pools.  It
# calls fcgipm_start, and nginx_start, apache_start or the start of another
# server with examples of etc/.  It sends requests with `get`, and ends with
# `finish`.  All files are in $dir; the port of 127.0.0.1 was free.
# shellcheck shell=bash
set -u
: "${FCGIPM_BIN:?}" "${FCGIPM_SRC:?}"
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export LC_ALL=C
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY

dir=$(mktemp -d /tmp/fcgipm-web.XXXXXX) || exit 71
# The directory of control.sock.
export RUNTIME_DIRECTORY=$dir
tests=0 bad=0 master='' front='' port=''
handlers=$dir/handlers
# A test may use an installed fcgipm instead.
program=$FCGIPM_BIN/fcgipm
snippets=$FCGIPM_SRC/etc

# -- TAP --------------------------------------------------------------------

# ok STATUS NAME [DETAIL]
ok() {
	tests=$((tests + 1))
	if [ "$1" = 0 ]; then
		echo "ok $tests - $2"
	else
		bad=$((bad + 1))
		echo "not ok $tests - $2"
		[ -z "${3-}" ] || printf '%s\n' "$3" | sed 's/^/#   /'
	fi
}

# is GOT WANT NAME
is() {
	[ "$1" = "$2" ]
	ok $? "$3" "got: $1
wanted: $2"
}

# like GOT EXTENDED-REGEX NAME
like() {
	grep -qE -- "$2" <<<"$1"
	ok $? "$3" "got: $1
wanted: /$2/"
}

# unlike GOT EXTENDED-REGEX NAME
unlike() {
	! grep -qE -- "$2" <<<"$1"
	ok $? "$3" "got: $1
not wanted: /$2/"
}

skip_all() {
	echo "1..0 # SKIP $*"
	exit 0
}

need() {
	local c
	for c in "$@"; do
		command -v "$c" >/dev/null 2>&1 || skip_all "$c is missing"
	done
}

# -- beginning and end ------------------------------------------------------

# until_true SECONDS COMMAND...: repeats the command until it succeeds
until_true() {
	local until=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -le "$until" ] || return 1
		sleep 0.02
	done
}

gone() {
	! kill -0 "$1" 2>/dev/null
}

# Stops a server that the test started, and returns its exit status.
end() {
	local pid=$1
	kill -TERM "$pid" 2>/dev/null
	until_true 10 gone "$pid" || kill -KILL "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
}

# Prints processes and sockets that belong to $dir.
left() {
	local p
	for p in /proc/[0-9]*; do
		[ "${p#/proc/}" != $$ ] || continue
		case "$(readlink "$p/exe" "$p/cwd" 2>/dev/null)
$(tr '\0' ' ' 2>/dev/null <"$p/cmdline")" in
		*"$dir/"*) echo "$p: $(tr '\0' ' ' <"$p/cmdline")" ;;
		esac 2>/dev/null
	done
	grep -F "$dir/" /proc/net/unix
}

nothing_left() {
	[ -z "$(left)" ]
}

# Stops all servers, checks that nothing remains, and prints the plan.
finish() {
	[ -z "$front" ] || end "$front"
	front=''
	if [ -n "$master" ]; then
		kill -TERM "$master" 2>/dev/null
		until_true 10 gone "$master"
		ok $? "the supervisor exits within 10 s"
		wait "$master" 2>/dev/null
		is $? 0 "the supervisor's exit status is 0"
		master=''
	fi
	until_true 2 nothing_left
	ok $? "no process and no socket remains" "$(left)"
	if [ "$bad" != 0 ]; then
		tail -n 30 "$dir"/*.log | sed 's/^/# /'
	fi
	echo "1..$tests"
	exit $((bad > 0))
}

cleanup() {
	[ -z "$front" ] || end "$front"
	[ -z "$master" ] || end "$master"
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' HUP INT TERM

free_port() {
	perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(Listen => 1,
		LocalAddr => "127.0.0.1")->sockport'
}

answers() {
	curl -s -o /dev/null --max-time 5 "http://127.0.0.1:$port/"
}

# -- the supervisor ---------------------------------------------------------

# A copy, because web servers do not run as the owner of this checkout.  As
# root, pools and servers run as www-data, as in an installation.
cp -r "$FCGIPM_BIN/handlers" "$handlers" || exit 71
mkdir "$dir/www" "$dir/conf" "$dir/cgi"
chmod -R a+rX "$dir"
root() {
	[ "$(id -u)" = 0 ]
}

# Reads pools from stdin, and adds user and group if it runs as root.
web_pools() {
	if root; then
		awk '{ print }
		/^\[/ && !/^\[fcgipm\]/ {
			print "user = www-data"; print "group = www-data"
		}'
	else
		cat
	fi >"$dir/fcgipm.ini"
}

master_ready() {
	grep -q 'ready: ' "$dir/fcgipm.log" || gone "$master"
}

fcgipm_start() {
	: >"$dir/fcgipm.log"
	"$program" -c "$dir/fcgipm.ini" 2>>"$dir/fcgipm.log" &
	master=$!
	until_true 10 master_ready
	grep -q 'ready: ' "$dir/fcgipm.log"
	ok $? "fcgipm is ready" "$(cat "$dir/fcgipm.log")"
}

# web_snippets DIRECTORY: copies examples, with the paths of this run
web_snippets() {
	local f s ext
	for f in "$snippets/$1"/*; do
		sed -e "s|/run/fcgipm/|$dir/|g" -e "s|/srv/git|$dir/git|g" \
			-e "s|/usr/local/libexec/fcgipm/handlers|$handlers|g" \
			-e "s|/usr/lib/git-core|$(git --exec-path)|g" \
			"$f" >"$dir/conf/${f##*/}"
	done
	ext=${f##*.}
	# A further copy of each example for other handlers and the test's
	# programs.
	sed -e 's|/cgi-bin|/t|g' -e 's|\bcgi\b|t|g' \
		-e "s|$handlers|$dir/cgi|g" \
		"$dir/conf/fcgipm-cgi.$ext" >"$dir/conf/t.$ext"
	for s in counter upload perl busy; do
		sed -e "s|/app|/$s|g" -e "s|hello|$s|g" \
			"$dir/conf/fcgipm-prefork.$ext" >"$dir/conf/$s.$ext"
	done
}

# -- web servers ------------------------------------------------------------

# nginx_start SNIPPET...: names in etc/nginx without .conf
nginx_start() {
	local s
	web_snippets nginx
	port=$(free_port)
	{
		root && echo "user www-data;"
		cat <<END
daemon off;
worker_processes 1;
pid $dir/nginx.pid;
error_log $dir/nginx.log info;
events { worker_connections 512; }
http {
	access_log off;
	client_body_temp_path $dir/nginx-body;
	fastcgi_temp_path $dir/nginx-fastcgi;
	proxy_temp_path $dir/nginx-proxy;
	scgi_temp_path $dir/nginx-scgi;
	uwsgi_temp_path $dir/nginx-uwsgi;
	client_max_body_size 64m;
	server {
		listen 127.0.0.1:$port;
		server_name localhost;
		root $dir/www;
		${NGINX_SERVER-}
END
		for s in "$@"; do
			echo "include $dir/conf/$s.conf;"
		done
		echo '} }'
	} >"$dir/nginx.conf"
	nginx -e "$dir/nginx.log" -p "$dir" -c "$dir/nginx.conf" \
		2>>"$dir/nginx.log" &
	front=$!
	until_true 10 answers
	ok $? "nginx accepts the examples and serves" "$(cat "$dir/nginx.log")"
}

# apache_start SNIPPET...: names in etc/apache without .conf
apache_start() {
	local s m modules=/usr/lib/apache2/modules
	web_snippets apache
	port=$(free_port)
	{
		for m in mpm_event authz_core alias dir mime proxy proxy_fcgi; do
			echo "LoadModule ${m}_module $modules/mod_$m.so"
		done
		root && printf 'User www-data\nGroup www-data\n'
		cat <<END
ServerRoot $dir
ServerName localhost
DefaultRuntimeDir $dir
PidFile $dir/apache.pid
Mutex sem
Listen 127.0.0.1:$port
ErrorLog $dir/apache.log
LogLevel warn
TypesConfig /dev/null
StartServers 1
DocumentRoot $dir/www
<Directory $dir/www>
	Require all granted
</Directory>
${APACHE_SERVER-}
END
		for s in "$@"; do
			echo "Include $dir/conf/$s.conf"
		done
	} >"$dir/apache.conf"
	apache2 -d "$dir" -f "$dir/apache.conf" -DFOREGROUND \
		2>>"$dir/apache.log" &
	front=$!
	until_true 10 answers
	ok $? "Apache accepts the examples and serves" \
		"$(cat "$dir/apache.log")"
}

# -- requests ---------------------------------------------------------------

# get [CURL OPTION]... PATH: sends a request; sets status, body and head
get() {
	local path=${*: -1}
	status=$(curl -s --max-time 30 -o "$dir/body" -D "$dir/head" \
		-w '%{http_code}' "${@:1:$#-1}" "http://127.0.0.1:$port$path")
	body=$(tr -d '\0' <"$dir/body" 2>/dev/null)
	head=$(tr -d '\r' <"$dir/head" 2>/dev/null)
}

# script NAME: writes an executable CGI program to $dir/cgi, from stdin
script() {
	cat >"$dir/cgi/$1" && chmod 755 "$dir/cgi/$1"
}
