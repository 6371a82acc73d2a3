# servers.py - the programs that gateway.py compares: fcgipm-cgi, other servers,
# and two programs that set limits.  FastCGI programs listen on a unix socket.
import os
import shutil

import lib
import rounds
from rounds import fastcgi, fcgipm, start_foreground

T = os.environ.get("FCGIPM_T") or os.path.join(lib.SRC, "build", "t")
BENCH = os.path.join(T, "bench")
HELLO = os.path.join(BENCH, "hello")

LIGHTTPD = """server.document-root = "%(root)s"
server.bind = "127.0.0.1"
server.port = %(port)d
server.modules = ("mod_cgi")
cgi.assign = ("" => "")
%(user)s"""

APACHE = """ServerRoot %(tmp)s
ServerName localhost
DefaultRuntimeDir %(tmp)s
PidFile %(tmp)s/apache.pid
ErrorLog %(tmp)s/apache.log
Listen 127.0.0.1:%(port)d
LoadModule mpm_event_module %(modules)s/mod_mpm_event.so
LoadModule authz_core_module %(modules)s/mod_authz_core.so
LoadModule cgid_module %(modules)s/mod_cgid.so
ScriptSock %(tmp)s/cgid.sock
DocumentRoot %(root)s
<Directory %(root)s>
	Options ExecCGI
	SetHandler cgi-script
	Require all granted
</Directory>
%(user)s"""


def fcgiwrap(stack, tmp, n, handler=HELLO, **more):
    path = os.path.join(tmp, "wrap%d.sock" % n)
    return fastcgi(stack, "fcgiwrap -c %d" % n, path, start_foreground(
        ["fcgiwrap", "-c", str(n), "-s", "unix:" + path]), handler, **more)


def bare(stack, tmp, name, *arguments):
    path = os.path.join(tmp, name + ".sock")
    return fastcgi(stack, name.replace("_", " "), path, start_foreground(
        [os.path.join(BENCH, name), path] + list(arguments)), HELLO)


def cgi(stack, tmp, handler=HELLO, **more):
    return fcgipm(stack, tmp, "cgi", "fcgipm cgi", {
        "mode": "cgi", "docroot": T}, handler=handler, **more)


def http(stack, tmp, name, config, user, command):
    """Starts a web server with the same program, as a user that may run it."""
    root = os.path.join(tmp, "cgi-bin")
    os.makedirs(root, exist_ok=True)
    shutil.copy(HELLO, root)
    port = lib.free_port()
    path = os.path.join(tmp, name + ".conf")
    with open(path, "w") as f:
        f.write(config % {"tmp": tmp, "root": root, "port": port,
                          "user": user if os.getuid() == 0 else "",
                          "modules": "/usr/lib/apache2/modules"})
    log = os.path.join(tmp, name + ".log")
    return rounds.Contestant(
        stack, name, lambda group: lib.start_http(group, port, log, [
            w.replace("%", path) for w in command]), lambda: True,
        lambda connections, seconds, _: lib.wrk(
            port, "hello", connections, seconds, strict=False))


def web_servers(stack, tmp):
    return [
        http(stack, tmp, "lighttpd mod_cgi", LIGHTTPD,
             'server.username = "www-data"\n', ["lighttpd", "-D", "-f", "%"]),
        http(stack, tmp, "Apache mod_cgid", APACHE,
             "User www-data\nGroup www-data\n",
             ["apache2", "-D", "FOREGROUND", "-f", "%"])]
