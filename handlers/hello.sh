#!/bin/sh
# hello.sh - a CGI script in its simplest form: prints a header, an empty line,
# the page.
# Try: /cgi/hello.sh?name=you
printf 'Content-Type: text/plain\r\n\r\n'
printf 'Hello from %s, process %s.\n' "$SERVER_SOFTWARE" "$$"
printf '%s %s\n' "$REQUEST_METHOD" "$SCRIPT_NAME"
