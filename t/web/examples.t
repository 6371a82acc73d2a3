#!/bin/bash
# examples.t - runs the examples of the manual pages: serves configurations and
# handlers, runs commands, loads blocks of nginx
#
# t/lib/examples.py extracts the examples, and describes the comments that mark
# them in the sources of the pages.  Their paths, users, addresses and ports are
# replaced in the text by those of this test.  Nothing is mounted.  As root, all
# of it runs as nobody.
. "$(dirname "$0")/../lib/web.sh"
need curl perl python3 cc
umask 022

as=() uid=$(id -u) gid=$(id -g)
if root; then
	need setpriv
	uid=65534 gid=65534
	as=(setpriv "--reuid=$uid" "--regid=$gid" --clear-groups)
fi
servers=() log='' ports=() run=0 marked=0 skipped=0

cleanup_examples() {
	local pid
	for pid in "${servers[@]}"; do
		end "$pid"
	done
	cleanup
}
trap cleanup_examples EXIT

# -- the files that the pages name -------------------------------------------

local=$dir/usr/local work=$dir/work
control=$dir/run/fcgipm
# All that the examples may start besides fcgipm, fcgipm-cgi, fcgipmctl and
# what is in $dir: commands, and programs in /usr/bin.
commands='cc date jq mkdir'
interpreters='perl|php-cgi|python3'
backend=$dir/usr/lib/git-core/git-http-backend
# What a web server sends for it, unless the command does.
git_parameters=("GIT_PROJECT_ROOT=$dir/srv/git" GIT_HTTP_EXPORT_ALL=1)

# make_programs DIRECTORY: one of each kind, which answers Hello
make_programs() {
	cat >"$1/hello.sh" <<'END' &&
#!/bin/sh
printf 'Content-Type: text/plain\n\nHello from %s\n' "$0"
END
	chmod 755 "$1/hello.sh"
	cat >"$1/hello.pl" <<'END'
print "Content-Type: text/plain\n\nHello from Perl $ENV{PATH_INFO}\n";
END
	cat >"$1/hello.py" <<'END'
import os
print("Content-Type: text/plain\n\nHello from Python", os.environ["PATH_INFO"])
END
	cp "$1/hello.pl" "$1/index.pl"
	echo '<?php echo "Hello from PHP\n";' >"$1/hello.php"
}

# make_command NAME: a program in $dir/bin that starts the one of this machine
make_command() {
	local path
	path=$(PATH=/usr/bin:/bin command -v "$1") || return 0
	cat >"$dir/bin/$1" <<END
#!/bin/sh
PATH=/usr/bin:/bin C_INCLUDE_PATH=$local/include exec $path "\$@"
END
	chmod 755 "$dir/bin/$1"
}

make_repository() {
	local real
	real=$(git --exec-path 2>/dev/null)/git-http-backend
	[ -x "$real" ] || return 0
	printf '#!/bin/sh\nexec %s\n' "$real" >"$backend"
	chmod 755 "$backend"
	HOME=$dir GIT_CONFIG_NOSYSTEM=1 \
		git init -q --bare "$dir/srv/git/demo.git" >/dev/null 2>&1
}

make_tree() {
	local c
	mkdir -p "$dir"/{bin,examples,nginx,work,run/fcgipm,var/log} \
		"$dir"/srv/{app,api,www,git} "$dir"/usr/lib/{cgi-bin,git-core} \
		"$local"/{etc,include,libexec/fcgipm} || return
	cp -r "$FCGIPM_BIN" "$local/bin" && cp -r "$FCGIPM_BIN/../lib" \
		"$local/lib" && mv "$local/bin/handlers" \
		"$local/libexec/fcgipm/handlers" || return
	cp "$FCGIPM_SRC"/fcgipm/shim/fcgipm-{board,handler}.h \
		"$local/include" &&
		cp "$handlers/hello" "$dir/srv/app/app.fcgi" &&
		cp "$handlers/hello" "$dir/srv/api/api" &&
		make_programs "$dir/srv/www" &&
		make_programs "$dir/usr/lib/cgi-bin" || return
	for c in $commands; do
		make_command "$c"
	done
	make_repository
	cp /etc/nginx/fastcgi_params "$dir/conf" 2>/dev/null
	head -c 100000 /dev/zero >"$dir/upload"
	chmod -R a+rX "$dir"
	# Where root writes from here on is writable by root only.
	! root || chown -R "$uid:$gid" "$dir"/{nginx,work,run,var,srv/git}
}

# replace KIND <TEXT: the same text for this machine
replace() {
	local rules="s#^((user|listen\.owner) =).*#\1 $uid#
s#^((group|listen\.group) =).*#\1 $gid#
s# -([uU]) +[a-z-]+# -\1 $uid#g
s# -([gG]) +[a-z-]+# -\1 $gid#g
s#\buser=[a-z-]+#user=$uid#g
s#\bgroup=[a-z-]+#group=$gid#g
# The address of a client on this machine.
s#\b10\.0\.0\.2\b#127.0.0.1#g
s#\b10\.0\.0\.([0-9]+)\b#127.0.0.\1#g
s#\b9000\b#${ports[0]}#g
s#\b9001\b#${ports[1]}#g
# The file that is read without -c.
s#\bfcgipm (-tt?)( &|\$)#fcgipm \1 -c /usr/local/etc/fcgipm.ini\2#
# A shorter measurement.
s#\b(bench .*) -d [0-9]+#\1 -d 1#"
	case $1 in ini|nginx|shell) ;; *) rules= ;; esac
	sed -E "$rules
s#(^|[^A-Za-z0-9_./])/(run|srv|usr/local|usr/lib|etc|var)\b#\1$dir/\2#g"
}

# Prints the first path of an example that is neither in $dir nor a known
# interpreter.  An URL has one part.
foreign_path() {
	sed -E "s#$dir/##g" "$1" | grep -oE '(^|[ =:])/[a-z]+/[^ ]*' |
		grep -vE "^.?/usr/bin/($interpreters)\$" | head -n 1
}

# Prints a program that an example names and this machine does not have.
missing_program() {
	local path
	grep -oE "$backend|/usr/bin/($interpreters)\>" "$1" |
		while IFS= read -r path; do
			[ -x "$path" ] || echo "${path##*/}"
		done | head -n 1
}

# -- servers -----------------------------------------------------------------

search=$local/bin:$dir/bin

# The capability that as_nobody keeps, and the body of a request, as options.
capability=() upload=()

# as_nobody COMMAND...: in the directory and with the environment of the pages
as_nobody() {
	cd "$work" && exec "${as[@]}" "${capability[@]}" env -u BASH_ENV \
		HOME="$work" TMPDIR="$work" RUNTIME_DIRECTORY="$control" \
		PATH="$search" "$@"
}

# start COMMAND...: a server, with its output in $log
start() {
	log=$dir/server${#servers[@]}.log
	(as_nobody "$@") >"$log" 2>&1 </dev/null &
	servers+=($!)
}

# stop WHERE: the last one; it exits with status 0
stop() {
	end "${servers[-1]}"
	is $? 0 "$1: the server stops with exit status 0"
	unset 'servers[-1]'
}

stop_all() {
	[ -z "$front" ] || end "$front"
	front=
	while [ "${#servers[@]}" != 0 ]; do
		stop "$1"
	done
}

# The values in force of a configuration: for each pool MODE LISTEN HANDLER
# DOCROOT EXTENSIONS SPLIT_PATH INDEX, each with the byte 0x1f after it.
pools_of() {
	(as_nobody fcgipm -tt -c "$1") 2>/dev/null | awk '
	BEGIN {
		keys = "mode listen handler docroot cgi.extensions" \
			" cgi.split_path cgi.index"
		n = split(keys, key, " ")
	}
	function put(   i) {
		for (i = 1; pool && i <= n; i++)
			printf "%s\037", value[key[i]]
		if (pool)
			print ""
		delete value
	}
	/^\[/ {
		put()
		pool = $0 == "[fcgipm]" ? "" : $0
	}
	$2 == "=" {
		sub(/ +; [^;]*$/, "")
		value[$1] = substr($0, length($1) + 4)
	}
	END { put() }'
}

# The same for a command line: of its -c FILE, or of its options.
pools_of_command() {
	local i docroot='' listen=() handler='' mode=prefork
	local words=("$@")
	for ((i = 0; i < $#; i++)); do
		case ${words[i]} in
		-c)
			pools_of "${words[i + 1]}"
			return
			;;
		-l) listen+=("${words[i + 1]}") ;;
		-d) docroot=${words[i + 1]} ;;
		-m) mode=${words[i + 1]} ;;
		esac
	done
	case ${words[-2]} in
	-[!-]) ;;
	*) case ${words[-1]} in /*) handler=${words[-1]} ;; esac ;;
	esac
	printf '%s\n' "${listen[@]}" | while IFS= read -r i; do
		printf '%s\037' "$mode" "$i" "$handler" "$docroot" "" no ""
		echo
	done
}

# request WHERE ADDRESS WANTED PARAMETER... URL: the answer has WANTED
request() {
	local where=$1 address=$2 wanted=$3 args=("${upload[@]}") url=${*: -1} a
	for a in "${@:4:$#-4}"; do
		args+=(-p "$a")
	done
	until_true 10 is_answered "$address" -T 10 \
		-p REMOTE_ADDR=192.0.2.1 "${args[@]}" "$url"
	like "$(tr -d '\0' <"$dir/said")" "$wanted" \
		"$where: ${address#"$dir"} answers $url"
}

# Fails while the server that was started last has no socket yet.
is_answered() {
	(as_nobody fcgipmctl call "$@") >"$dir/said" 2>&1 </dev/null ||
		gone "${servers[-1]}" || ! grep -qE \
		'No such file or directory|Connection refused' "$dir/said"
}

# ask WHERE MODE ADDRESS HANDLER DOCROOT EXTENSIONS SPLIT_PATH INDEX: a request
# for each kind of program that the pool runs
ask() {
	local where=$1 address=$3 handler=$4 docroot=$5 ext more=
	case $handler in
	*/php-cgi)
		request "$where" "$address" "$wanted" REDIRECT_STATUS=200 \
			"SCRIPT_FILENAME=$dir/srv/www/${php:-hello.php}" \
			"/${php:-hello.php}"
		return
		;;
	"$backend")
		request "$where" "$address" 'service=git-upload-pack' \
			"${git_parameters[@]}" PATH_INFO=/demo.git/info/refs \
			QUERY_STRING=service=git-upload-pack \
			/demo.git/info/refs
		return
		;;
	esac
	if [ -z "$docroot" ]; then
		request "$where" "$address" "$wanted" /
		return
	fi
	[ "$7" = no ] || more=/more
	for ext in ${6:-.sh}; do
		request "$where" "$address" "Hello.*$more" \
			"SCRIPT_FILENAME=$docroot/hello$ext$more" \
			"/hello$ext$more"
	done
	[ -z "$8" ] ||
		request "$where" "$address" Hello "SCRIPT_FILENAME=$docroot/" /
}

# serves WHERE <POOLS: the last server answers on each of its addresses
serves() {
	local rows row fields
	mapfile -t rows
	[ "${#rows[@]}" != 0 ]
	ok $? "$1: its pools are known" "$(cat "$log")"
	for row in "${rows[@]}"; do
		IFS=$'\037' read -ra fields <<<"$row"
		ask "$1" "${fields[@]}"
	done
	! gone "${servers[-1]}"
	ok $? "$1: it is still running" "$(cat "$log")"
}

# -- configurations ----------------------------------------------------------

# Some kernels let only a process with this capability filter packets.
allow_filters() {
	capability=(--inh-caps=+net_admin --ambient-caps=+net_admin)
	root && setpriv "${capability[@]}" true 2>/dev/null || capability=()
}

run_ini() {
	(as_nobody fcgipm -t -c "$2") >"$dir/said" 2>&1
	ok $? "$1: fcgipm -t accepts it" "$(cat "$dir/said")"
	unlike "$(other_lines "$dir/said")" warning \
		"$1: fcgipm -t does not warn"
	! grep -q '^listen.allowed_clients' "$2" || allow_filters
	start fcgipm -c "$2"
	capability=()
	until_true 10 is_ready
	if grep -q 'allowed_clients: Operation not permitted' "$log"; then
		end "${servers[-1]}"
		unset 'servers[-1]'
		ok 0 "$1: it serves # SKIP only root may filter packets"
		return
	fi
	serves "$1" < <(pools_of "$2")
	stop "$1"
	unlike "$(other_lines "$log")" ' (warning|error): ' \
		"$1: its log has no warning and no error"
}

# Web servers run as another user than nobody, and the sockets are nobody's.
other_lines() {
	grep -v -e "no web server's user" -e "none of the users www-data" "$1"
}

is_ready() {
	grep -q ' ready: ' "$log" || gone "${servers[-1]}"
}

# -- commands ----------------------------------------------------------------

# Prints the commands of an example, one a line, also those of a list with &&.
commands_of() {
	sed -e ':again' -e '/\\$/N' -e 's/[ \t]*\\\n[ \t]*/ /' -e 't again' \
		"$1" | sed -e 's/ && /\n/g'
}

# A command that serves until it is stopped.  It needs no shell: its words are
# plain.
is_server() {
	local plain='[A-Za-z0-9_./=:,%@-]+'
	[[ $1 =~ ^([A-Z_]+=$plain\ )*(fcgipm|fcgipm-cgi)(\ $plain)+$ ]] &&
		[[ $1 =~ \ -[cl]\  && ! $1 =~ \ -(tt?|D)\  ]]
}

# The shell is restricted: it starts only what is in $PATH, writes no file and
# sends no signal.
run_command() {
	local status name
	(as_nobody /usr/bin/timeout 20 /bin/bash -rc \
		"enable -n kill disown; set -o pipefail; $2") \
		>"$dir/said" 2>&1 </dev/null
	status=$?
	name=$(sed -n 's/.* \([^ ]*\): command not found$/\1/p' "$dir/said")
	case " $commands " in
	*" ${name:-none} "*)
		ok 0 "$1: $2 # SKIP $name is missing"
		return
		;;
	esac
	ok "$status" "$1: $2" "exit status $status
$(cat "$dir/said")
Commands that may be started: fcgipm fcgipmctl fcgipm-cgi $commands."
	cat "$dir/said" >>"$dir/output"
}

run_shell() {
	local command words git_parameters=("${git_parameters[@]}")
	: >"$dir/output"
	while IFS= read -r command; do
		case $command in ''|'#'*) continue ;; esac
		if ! is_server "$command"; then
			run_command "$1" "$command"
			continue
		fi
		read -ra words <<<"$command"
		case $command in *GIT_PROJECT_ROOT=*) git_parameters=() ;; esac
		start "${words[@]}"
		serves "$1" < <(pools_of_command "${words[@]}")
	done < <(commands_of "$2")
	[ -z "$wanted_output" ] || like "$(cat "$dir/output")" \
		"$wanted_output" "$1: the output"
}

# -- nginx -------------------------------------------------------------------

# Prints the URL of a program that a location serves.
url_of() {
	local place
	place=$(grep -m 1 -oE '^location +[^{]*[^{ ]' "$1")
	case $place in
	*php*) echo /hello.php ;;
	*' /'*/) echo "/${place#*/}hello.sh" ;;
	esac
}

run_nginx() {
	local url conf=$dir/conf/nginx.conf
	[ -z "$front" ] || end "$front"
	port=$(free_port)
	cat >"$conf" <<END
daemon off;
worker_processes 1;
pid $dir/nginx/pid;
events { worker_connections 64; }
http {
	access_log off;
	client_body_temp_path $dir/nginx/body;
	fastcgi_temp_path $dir/nginx/fastcgi;
	proxy_temp_path $dir/nginx/proxy;
	scgi_temp_path $dir/nginx/scgi;
	uwsgi_temp_path $dir/nginx/uwsgi;
	$(grep -qE '^location' "$2" && echo "server {
	listen 127.0.0.1:$port;
	root $dir/srv/www;" && cat "$2" && echo '}')
	$(grep -qE '^location' "$2" || cat "$2")
}
END
	set -- "$1" "$2" "$(command -v nginx)" -e "$dir/nginx/error.log" \
		-p "$dir/nginx" -c "$conf"
	(as_nobody "${@:3}" -t) >"$dir/said" 2>&1
	ok $? "$1: nginx -t accepts it" "$(cat "$dir/said")"
	url=$(url_of "$2")
	[ -n "$url" ] || return
	(as_nobody "${@:3}") >"$dir/nginx.log" 2>&1 </dev/null &
	front=$!
	until_true 10 answers
	get "$url"
	is "$status" 200 "$1: nginx gets an answer for $url"
	like "$body" Hello "$1: the answer of a program"
}

# -- programs ----------------------------------------------------------------

pool() {
	cat <<END
[$1]
mode = $1
listen = $control/%n.sock
user = $uid
handler = $2
END
	[ "$1" = cgi ] || echo 'pm.max_children = 2'
}

# compile FILE: to the same name without its extension
compile() {
	case $1 in
	*.c) (as_nobody cc -O2 -Wall -Wextra -Werror -o "${1%.*}" "$1" \
		-lfcgi) ;;
	*.go) (search=$PATH as_nobody /usr/bin/env GO111MODULE=off \
		GOCACHE="$work/go-cache" go build -o "${1%.*}" "$1") ;;
	esac
}

run_program() {
	local program=$work/$file
	(as_nobody /usr/bin/install -m 755 "$2" "$program")
	case $file in
	*.c|*.go)
		compile "$program" >"$dir/said" 2>&1
		ok $? "$1: $file is compiled" "$(cat "$dir/said")"
		program=${program%.*}
		;;
	*.php)
		cp "$2" "$dir/srv/www/$file"
		php=$file program=$(command -v php-cgi) mode=prefork
		;;
	esac
	{
		[ "$mode" = cgi ] || pool prefork "$program"
		[ "$mode" = prefork ] || pool cgi "$program"
	} >"$dir/program.ini"
	upload=(-b "$dir/upload")
	run_ini "$1" "$dir/program.ini"
	upload=() php=
}

# -- all of them -------------------------------------------------------------

# begin_page PAGE: chooses its ports, and starts the pools that it refers to
begin_page() {
	local installed=$local/etc/fcgipm.ini wanted=Hello
	page=$1
	ports=("$(free_port)" "$(free_port)")
	replace ini <"$FCGIPM_SRC/etc/fcgipm.ini" >"$installed"
	if [ "$page" = fcgipmctl.8 ]; then
		start fcgipm -c "$installed"
		serves "$page" < <(pools_of "$installed")
	fi
}

# skip_reason KIND PATH: prints why an example is not run on this machine
skip_reason() {
	local name
	name=$(missing_program "$2")
	if [ -n "$needs" ] && ! (search=$PATH as_nobody /bin/sh -c "$needs") \
		>/dev/null 2>&1 </dev/null; then
		echo "this fails: $needs"
	elif [ -n "$name" ]; then
		echo "$name is missing"
	elif [ "$1" = nginx ] && ! command -v nginx >/dev/null; then
		echo "nginx is missing"
	fi
}

# run_example WHERE KIND PATH: the comment of the page is in the variables file,
# mode, wanted, needs and reason
run_example() {
	local where=$1 kind=$2 path=$3 wanted_output='' why
	if [ -n "$reason" ]; then
		marked=$((marked + 1))
		ok 0 "$where: marked in the page # SKIP not run: $reason"
		return
	fi
	replace "$kind" <"$path" >"$path.here"
	why=$(skip_reason "$kind" "$path.here")
	if [ -n "$why" ]; then
		skipped=$((skipped + 1))
		ok 0 "$where: ${file:-$kind} # SKIP $why"
		return
	fi
	run=$((run + 1))
	case $kind in
	ini|shell)
		is "$(foreign_path "$path.here")" "" \
			"$where: every path is below the test's directory"
		[ -z "$(foreign_path "$path.here")" ] || return
		;;
	esac
	case $kind in
	ini) run_ini "$where" "$path.here" ;;
	nginx) run_nginx "$where" "$path.here" ;;
	shell)
		wanted_output=$wanted wanted=Hello
		run_shell "$where" "$path.here"
		;;
	*) run_program "$where" "$path.here" ;;
	esac
}

make_tree
ok $? "the directories and programs of the pages are there"
"$FCGIPM_SRC"/t/lib/examples.py "$dir/examples" "$FCGIPM_SRC"/man/*.[578] \
	>"$dir/list"
ok $? "the examples are extracted"
page='' php=''
while IFS=$'\037' read -r where kind path file mode wanted needs reason; do
	if [ "${where%:*}" != "$page" ]; then
		stop_all "$page"
		begin_page "${where%:*}"
	fi
	run_example "$where" "$kind" "$path"
done <"$dir/list"
stop_all "$page"
for path in "$FCGIPM_SRC"/man/*.[578]; do
	! grep -q '^\.Sh EXAMPLES' "$path" ||
		grep -q "^${path##*/}:" "$dir/list"
	ok $? "${path##*/}: a section EXAMPLES has examples"
done
is "$((run + marked + skipped))" "$(wc -l <"$dir/list")" \
	"examples: $run run, $marked marked as not run, $skipped skipped"
finish
