<?php
// hello.php - run by php-cgi: handler = /usr/bin/php-cgi in both modes, with
// SCRIPT_FILENAME naming this file.
// Try: /prefork/hello.php and /cgi/hello.php
header('Content-Type: text/plain');
printf("Hello from PHP %s, process %d.\n", PHP_VERSION, getmypid());
