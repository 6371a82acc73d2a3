<?php
// hello.php - is run by php-cgi: in both modes the pool has
// handler = /usr/bin/php-cgi, and SCRIPT_FILENAME names this file.
// Try: /prefork/hello.php and /cgi/hello.php
header('Content-Type: text/plain');
printf("Hello from PHP %s, process %d.\n", PHP_VERSION, getmypid());
