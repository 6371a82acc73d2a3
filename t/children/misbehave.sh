#!/bin/sh
# misbehave.sh - CGI: misbehaves as QUERY_STRING says.  If X-Pidfile names a
# file, its PID is written there first.
[ -z "$HTTP_X_PIDFILE" ] || { echo $$ >"$HTTP_X_PIDFILE.new" &&
	mv "$HTTP_X_PIDFILE.new" "$HTTP_X_PIDFILE"; }
ok() { printf 'Content-Type: text/plain\r\n\r\n'; }
case $QUERY_STRING in
nothing) ;;
no_header) echo 'this is not a header' ;;
no_colon) printf 'Content-Type: text/plain\nno colon here\n\nbody\n' ;;
cut) printf 'Content-Type: text/pl' ;;
silent) exec sleep 600 ;;
family) sleep 600; ok ;;
stubborn) trap '' TERM; ok; while :; do sleep 1; done ;;
status) printf 'Status: 418 Teapot\r\nContent-Type: text/plain\r\n\r\nteapot\n' ;;
exit) ok; echo out; exit 7 ;;
signal) ok; echo out; kill -9 $$ ;;
stderr) ok; echo 'written to stderr' >&2; echo out ;;
background) ok; echo out; sleep 600 & echo $! >"$HTTP_X_PIDFILE.bg" ;;
slow) ok; echo first; sleep 1; echo second ;;
env) ok; env ;;
*) ok; echo "unknown: $QUERY_STRING" ;;
esac
