<?php
// echo.php - echo.c for php-cgi.
header('Content-Type: text/plain');
echo 'pid: ', getmypid(), "\n\n";
usleep(2000);
echo file_get_contents('php://input');
