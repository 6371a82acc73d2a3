#!/bin/sh
# echo.sh - echo.c below a shell that waits for it.
"$(dirname "$0")/echo"
exit $?
