#!/bin/bash
# apache.t - Apache httpd with the examples of etc/apache and pools of both
# modes; its SCRIPT_FILENAME begins with proxy:fcgi://
. "$(dirname "$0")/../lib/web.sh"
need apache2 curl perl php-cgi
. "$(dirname "$0")/../lib/web-front.sh"

cat >"$dir/www/info.php" <<'END'
<?php echo $_SERVER['SCRIPT_NAME'], ' ', $_GET['q'] ?? '', "\n";
END
chmod a+r "$dir/www/info.php"
# The other usual way: ProxyPass with the directory at the end.
APACHE_SERVER="ProxyPass /pass/ unix:$dir/cgi.sock|fcgi://pass$handlers/"

front_pools "[php]
listen = $dir/php.sock
handler = $(command -v php-cgi)
pm.max_children = 2"
fcgipm_start
apache_start fcgipm-prefork fcgipm-cgi fcgipm-php counter upload perl busy t
front_checks
front_overload

front_duplex
get /pass/hello
is "$status" 200 "cgi: ProxyPass to a directory"
get /pass/missing
is "$status" 404 "404: ProxyPass to a missing program"
get '/info.php?q=1'
is "$status $body" "200 /info.php 1" "prefork: php-cgi"
get /missing.php
is "$status" 404 "404: a missing PHP file"
finish
