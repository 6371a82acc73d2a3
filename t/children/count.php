<?php
// count.php - count.c in PHP, for php-cgi.
header('Content-Type: text/plain');
printf("bytes: %d\n", strlen(file_get_contents('php://input')));
