#!/bin/bash
# php.t - nginx with a prefork pool of php-cgi, which exits after 500 requests;
# that must not be an error
. "$(dirname "$0")/../lib/web.sh"
need nginx curl php-cgi

cat >"$dir/www/info.php" <<'END'
<?php
header('X-Pid: ' . getmypid());
echo $_SERVER['SCRIPT_NAME'], ' ', $_SERVER['PATH_INFO'] ?? '', ' ',
	$_GET['q'] ?? '', "\n";
END
cat >"$dir/www/post.php" <<'END'
<?php
echo $_POST['name'] ?? '', ' ', md5(file_get_contents('php://input')), "\n";
END
chmod -R a+rX "$dir/www"

web_pools <<END
[php]
listen = $dir/php.sock
handler = $(command -v php-cgi)
pm.max_children = 2
END
fcgipm_start
nginx_start fcgipm-php

get '/info.php?q=one%20two'
is "$status $body" "200 /info.php  one two" "a page with a query"
get /info.php/more/path
is "$body" "/info.php /more/path " "PATH_INFO after the file"
get -d 'name=J%C3%BCrgen' /post.php
is "$body" "Jürgen $(printf 'name=J%%C3%%BCrgen' | md5sum | cut -d' ' -f1)" \
	"a form by POST"
head -c 3000000 /dev/urandom >"$dir/random"
get -H 'Content-Type: application/octet-stream' \
	--data-binary "@$dir/random" /post.php
is "$body" " $(md5sum <"$dir/random" | cut -d' ' -f1)" "3 MB by POST"
get /missing.php
is "$status" 404 "nginx answers 404 for a missing file"

# 2000 requests, 4 at a time; every answer must be complete.
seq 2000 | sed "s|.*|url = \"http://127.0.0.1:$port/info.php?q=&\"|" \
	>"$dir/urls"
curl -s --max-time 120 --parallel --parallel-max 4 -i -K "$dir/urls" \
	>"$dir/answers" 2>"$dir/curl.log"
is "$(grep -c '^HTTP/1.1 200' "$dir/answers")" 2000 "2000 requests, 2000 x 200"
is "$(grep '^/info.php' "$dir/answers" | sort -u | wc -l)" 2000 \
	"2000 different answers"
pids=$(tr -d '\r' <"$dir/answers" | grep '^X-Pid' | sort -u | wc -l)
[ "$pids" -ge 4 ]
ok $? "workers exit after 500 requests and are replaced" "$pids processes"
is "$(grep -cE '(error|warning):' "$dir/fcgipm.log")" 0 \
	"the log has no error and no warning"
finish
