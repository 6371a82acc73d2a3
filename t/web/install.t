#!/bin/bash
# install.t - what make install writes can serve, and make uninstall removes it
. "$(dirname "$0")/../lib/web.sh"
need nginx curl make cc
unset MAKEFLAGS MFLAGS MAKEOVERRIDES SANITIZE COVERAGE

prefix=$dir/usr
build() {
	make -C "$FCGIPM_SRC" --no-print-directory -s -j2 B="$dir/build" \
		PREFIX="$prefix" CFLAGS=-O0 "$@" >"$dir/make.log" 2>&1
}
build install
ok $? "make install" "$(cat "$dir/make.log")"
for f in sbin/fcgipm bin/fcgipm-cgi bin/fcgipmctl etc/fcgipm.ini \
	lib/fcgipm/libfcgipm-shim.so include/fcgipm-board.h \
	include/fcgipm-handler.h \
	libexec/fcgipm/handlers/hello lib/systemd/system/fcgipm.service \
	lib/systemd/system/fcgipm-cgi.service \
	lib/systemd/system/fcgipm-cgi.socket \
	share/bash-completion/completions/fcgipm \
	share/bash-completion/completions/fcgipm-cgi \
	share/bash-completion/completions/fcgipmctl \
	share/zsh/site-functions/_fcgipm \
	share/man/man8/fcgipm.8 share/man/man8/fcgipm-cgi.8 \
	share/man/man8/fcgipmctl.8 share/man/man5/fcgipm.ini.5 \
	share/man/man7/fcgipm-handler.7 share/doc/fcgipm/README.md \
	share/doc/fcgipm/etc/fcgipm.svg \
	share/doc/fcgipm/nginx/fcgipm-cgi.conf \
	share/doc/fcgipm/apache/fcgipm-cgi.conf \
	share/doc/fcgipm/lighttpd/fcgipm-cgi.conf \
	share/doc/fcgipm/caddy/fcgipm-cgi.caddy \
	share/doc/fcgipm/haproxy/fcgipm-cgi.cfg; do
	[ -s "$prefix/$f" ]
	ok $? "$f is installed"
done
is "$(grep -rlI /usr/local/ "$prefix/etc" "$prefix/lib" \
	"$prefix/share/man" "$prefix"/share/doc/fcgipm/*/)" "" \
	"no file contains another prefix"

cat >"$dir/report.c" <<'END'
#include <fcgipm-handler.h>

int
main(void)
{
	int begun = fcgipm_begin();

	fcgipm_request("GET", "/");
	fcgipm_end();
	return begun == -1 && fcgipm_should_stop() == 0 ? 0 : 1;
}
END
cc -std=gnu11 -Wall -Wextra -Werror -I "$prefix/include" -o "$dir/report" \
	"$dir/report.c" >"$dir/said" 2>&1 && "$dir/report"
ok $? "a handler with the header compiles, and runs alone" \
	"$(cat "$dir/said")"

echo '; mine' >>"$prefix/etc/fcgipm.ini"
build install
is "$(tail -n 1 "$prefix/etc/fcgipm.ini")" '; mine' \
	"a second install keeps the configuration"

if command -v systemd-analyze >/dev/null 2>&1; then
	is "$(systemd-analyze verify --man=no \
		"$prefix"/lib/systemd/system/fcgipm* 2>&1)" "" \
		"systemd-analyze verify has no warnings"
else
	ok 0 "the units # SKIP systemd-analyze is missing"
fi

program=$prefix/sbin/fcgipm snippets=$prefix/share/doc/fcgipm
chmod -R a+rX "$prefix"
sed "s|/run/fcgipm/|$dir/|g" "$prefix/etc/fcgipm.ini" >"$dir/fcgipm.ini"
# Only root can change to another user.
root || sed -i -E '/^(user|group|listen\.(owner|group))\b/d' "$dir/fcgipm.ini"
is "$("$program" -t 2>&1 | grep -c "^[a-z :]*$prefix/etc/fcgipm.ini:")" 1 \
	"fcgipm -t reads the installed configuration by default"
"$program" -t -c "$dir/fcgipm.ini" >"$dir/said" 2>&1
ok $? "fcgipm -t accepts the installed configuration" "$(cat "$dir/said")"
fcgipm_start
nginx_start fcgipm-prefork fcgipm-cgi
get /app/
is "$status" 200 "the installed pool with the installed example"
get /cgi-bin/hello
is "$status" 200 "the installed CGI pool"

build uninstall
ok $? "make uninstall" "$(cat "$dir/make.log")"
is "$(cd "$prefix" && find . -type f | sort)" ./etc/fcgipm.ini \
	"make uninstall keeps only the configuration"
finish
