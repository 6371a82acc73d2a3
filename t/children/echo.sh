#!/bin/sh
# echo.sh - runs echo.c as a child of a shell, which waits for it.
"$(dirname "$0")/echo"
exit $?
