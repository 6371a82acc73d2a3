#!/bin/bash
# Apache httpd with the snippets of etc/apache in front of pools of both
# modes; its SCRIPT_FILENAME begins with proxy:fcgi://
. "$(dirname "$0")/../lib/web.sh"
need apache2 curl perl
. "$(dirname "$0")/../lib/web-front.sh"

front_pools
fcgipm_start
apache_start fcgipm-prefork fcgipm-cgi counter upload perl t
front_checks

# The other way people write it: ProxyPass with the path at the end.
finish
