#!/bin/bash
# readme.t - runs the commands and configurations of README.md, with paths and
# ports of this test
#
# Every command of a block must succeed, and print what the README shows.
# For commands that need an installed system, it only checks that the target or
# the unit exists.
. "$(dirname "$0")/../lib/web.sh"
need nginx curl perl setpriv
page=$FCGIPM_SRC/README.md

# Copies, because the user nobody runs the first command.
cp -r "$FCGIPM_BIN" "$dir/bin" && cp -r "$FCGIPM_BIN/../lib" "$dir/lib" &&
	mkdir -p "$dir/usr/cgi-bin" "$dir/try" &&
	cp "$handlers/hello.sh" "$dir/usr/cgi-bin" &&
	cp "$handlers/hello" "$dir/try" &&
	cp /etc/nginx/fastcgi_params "$dir" && chmod -R a+rX "$dir" || exit 71
PATH=$dir/bin:$PATH
as=()
root && as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
first=$(free_port)

# blocks LANGUAGE: the lines of all blocks of this language
blocks() {
	awk -v begin="\`\`\`$1" '
		/^```/ { inside = !inside && $0 == begin; next }
		inside' "$page"
}

# Text of the README with the paths and ports of this test.
adapt() {
	sed -e "s|/run/fcgipm/|$dir/|g" -e "s|/usr/lib\b|$dir/usr|g" \
		-e "s|/srv/app/app.fcgi|$handlers/hello|g" \
		-e "s|\b9000\b|$first|g" -e 's|-d 10\b|-d 1|' \
		-e "s| fcgipm.ini| $dir/fcgipm.ini|"
}

# Prints the output that the README shows for a command.
output() {
	blocks console | awk -v command="\$ $1" '
		/^\$ / { shown = $0 == command; next }
		shown'
}

# Log lines without their times.
untimed() {
	sed -E 's/^[0-9T:.+-]{20,} //'
}

first_ready() {
	grep -q 'ready: ' "$dir/first.log" || gone "$front"
}

# The first command of the page: a pool without a configuration file.
run_first() {
	(cd "$dir/try" && exec "${as[@]}" sh -c "exec $(adapt <<<"$1")") \
		2>"$dir/first.log" &
	front=$!
	until_true 10 first_ready
	is "$(untimed <"$dir/first.log")" "$(output "$1" | untimed | adapt)" \
		"$1: prints what the page shows"
	NGINX_SERVER="location / {
		include fastcgi_params;
		fastcgi_pass 127.0.0.1:$first;
	}"
	local pool=$front
	nginx_start
	get /
	is "$status $body" "200 Hello from fcgipm." \
		"nginx gets its answers from ./hello"
	end "$front"
	front=$pool
	end "$front"
	front=''
}

# The pools of the page, and nginx with its location.
run_pools() {
	fcgipm_start
	NGINX_SERVER="$(blocks nginx | adapt)
	location /app/ {
		include fastcgi_params;
		fastcgi_pass unix:$dir/app.sock;
	}"
	nginx_start
	get /app/
	is "$status $body" "200 Hello from fcgipm." "the pool app"
	get /cgi-bin/hello.sh
	is "$status" 200 "the pool scripts"
	like "$body" '^GET /cgi-bin/hello.sh$' "runs the script of the URL"
}

demo_serves() {
	answers || gone "$front"
}

run_demo() {
	port=$(free_port)
	PORT=$port "$FCGIPM_SRC/t/lib/run.sh" "$FCGIPM_BIN/.." \
		>"$dir/demo.log" 2>&1 &
	front=$!
	until_true 20 demo_serves
	get /prefork/hello
	is "$status $body" "200 Hello from fcgipm." \
		"make run: the demo serves"
	end "$front"
	front=''
}

run_command() {
	case $1 in
	'make run') run_demo ;;
	'make '*)
		grep -q "^${1#make }:" "$FCGIPM_SRC/GNUmakefile"
		ok $? "$1: the target exists" ;;
	systemctl\ *\ fcgipm|journalctl\ *\ fcgipm)
		[ -e "$FCGIPM_SRC/etc/systemd/fcgipm.service" ]
		ok $? "$1: the unit exists" ;;
	'fcgipm -l '*) run_first "$1" ;;
	'fcgipm -c '*) run_pools ;;
	*)
		(cd "$dir" && sh -c "$(adapt <<<"$1")") >"$dir/said" 2>&1
		ok $? "$1" "$(cat "$dir/said")" ;;
	esac
}

# Only root may start programs as another user.
blocks ini | adapt | if root; then cat; else grep -v '^user = '; fi \
	>"$dir/fcgipm.ini"
grep -q '^\[' "$dir/fcgipm.ini"
ok $? "the page has a configuration"

run_command "$(blocks console | sed -n 's/^\$ //p' | grep '^fcgipm -l')"
mapfile -t commands < <(blocks sh | sed 's/  *# .*//')
for command in "${commands[@]}"; do
	run_command "$command"
done
[ "${#commands[@]}" -ge 9 ]
ok $? "the page has commands"

# The tables of the status have the columns that the page shows.
run_command 'fcgipmctl status'
is "$(grep '^POOL' "$dir/said" | tr -s ' ')" \
	"$(output 'fcgipmctl status' | grep '^POOL' | tr -s ' ')" \
	"fcgipmctl status: columns as on the page"
is "$(blocks console | grep -c '^\$ ')" 2 "no other command has its output"

# Files that the page refers to are there.
for f in $(grep -oE '\]\([^):]+\)|src="[^"]+"' "$page" |
	sed -E 's/^(\]\(|src=")//; s/[)"]$//'); do
	[ -e "$FCGIPM_SRC/$f" ]
	ok $? "$f, which the page refers to, is there"
done
finish
