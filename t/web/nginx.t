#!/bin/bash
# nginx.t - nginx with the examples of etc/nginx and pools of both modes
. "$(dirname "$0")/../lib/web.sh"
need nginx curl perl
. "$(dirname "$0")/../lib/web-front.sh"

front_pools
fcgipm_start
nginx_start fcgipm-prefork fcgipm-cgi counter upload perl busy t
front_checks
front_overload
finish
