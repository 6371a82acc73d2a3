<?php
// late.php - late.c for php-cgi.
$how = $_SERVER['QUERY_STRING'] ?? '';
header('Content-Type: text/plain');
echo 'pid: ', getmypid(), "\n\n";
while ($how === 'sleep') sleep(1000);
while ($how === 'spin');
if ($how === 'stop') posix_kill(getmypid(), 19);
while ($how === 'stream') { echo str_repeat('x', 1000); flush(); usleep(10000); }
// A shell and its child; both have the connection.
if ($how === 'program') shell_exec('sleep 1000; :');
