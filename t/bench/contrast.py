#!/usr/bin/env python3
# contrast.py - measures the same handlers as CGI programs and in prefork pools
# (`make contrast`).  The load is fcgipmctl bench directly, and wrk through
# nginx.  Rounds are interleaved, and every figure is the median of its rounds.
# Writes contrast.csv, contrast-latency.csv and two plots to build/.
import argparse
import contextlib
import csv
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import lib
from lib import HANDLERS, OUT, Trouble, median

CONNECTIONS = 8
CHILDREN = 4		# workers of a prefork pool, programs at once of a cgi one
TITLES = {"hello": "C", "hello.pl": "Perl"}

NGINX = """daemon off;
worker_processes 1;
pid %(dir)s/nginx.pid;
error_log %(dir)s/nginx.log warn;
events { worker_connections 256; }
http {
	access_log off;
	client_body_temp_path %(dir)s/nginx-body;
	fastcgi_temp_path %(dir)s/nginx-fastcgi;
	proxy_temp_path %(dir)s/nginx-proxy;
	scgi_temp_path %(dir)s/nginx-scgi;
	uwsgi_temp_path %(dir)s/nginx-uwsgi;
	keepalive_requests 1000000;
	fastcgi_param QUERY_STRING $query_string;
	fastcgi_param REQUEST_METHOD $request_method;
	fastcgi_param REQUEST_URI $request_uri;
	fastcgi_param SERVER_PROTOCOL $server_protocol;
	fastcgi_param SERVER_NAME $server_name;
	fastcgi_param REMOTE_ADDR $remote_addr;
	server {
		listen 127.0.0.1:%(port)d;
%(locations)s	}
}
"""
LOCATION = """		location = /%(name)s {
			fastcgi_pass unix:%(address)s;
			fastcgi_param SCRIPT_NAME /%(name)s;
			fastcgi_param SCRIPT_FILENAME %(file)s;
		}
"""


class Variant:
    """One handler in one mode: a supervisor with one pool."""

    def __init__(self, stack, tmp, handler, mode):
        self.handler, self.mode = handler, mode
        self.name = "%s-%s" % (handler, mode)
        self.group = stack.enter_context(lib.Group(self.name))
        program = os.path.join(HANDLERS, handler)
        settings = {"mode": mode, "handler": program,
                    "pm.max_children": CHILDREN}
        self.main, self.address = lib.start_fcgipm(
            self.group, tmp, self.name, settings)
        self.rounds = {"direct": [], "nginx": []}
        self.rest = self.loaded = self.processes = None

    def figure(self, route, key):
        return median([r[key] for r in self.rounds[route]])

    def memory(self):
        """Returns (private, PSS) of the pool, without the supervisor."""
        sums = [lib.memory(p) for p in self.group.pids()
                if p != self.main.pid]
        return sum(s[0] for s in sums), sum(s[2] for s in sums)


def start_nginx(stack, tmp, variants):
    port = lib.free_port()
    config = os.path.join(tmp, "nginx.conf")
    with open(config, "w") as f:
        f.write(NGINX % {"dir": tmp, "port": port, "locations": "".join(
            LOCATION % {"name": v.name, "address": v.address,
                        "file": os.path.join(HANDLERS, v.handler)}
            for v in variants)})
    group = stack.enter_context(lib.Group("nginx"))
    log = os.path.join(tmp, "nginx.log")
    lib.start_http(group, port, log, ["nginx", "-p", tmp, "-e", log,
                                      "-c", config])
    return group, port


def measure(v, route, load, front):
    """Appends one round of load() to the variant."""
    cpu, front_cpu = v.group.cpu(), front.cpu()
    r = load()
    n = r["answered"]
    r["cpu_us"] = (v.group.cpu() - cpu) * 1e6 / n
    r["front_us"] = (front.cpu() - front_cpu) * 1e6 / n
    v.rounds[route].append(r)


def wait_for_rest(v):
    """Waits for the programs of requests that the end of the load cut off."""
    if v.mode == "cgi":
        lib.wait_for("the last program of " + v.name,
                     lambda: len(v.group.pids()) == 2)


def measure_memory(v, seconds):
    """Measures memory when idle, and its median under load."""
    wait_for_rest(v)
    v.rest = v.memory()
    load = threading.Thread(target=lib.bench, args=(
        v.address, v.handler, CONNECTIONS, seconds))
    load.start()
    seen = []
    while load.is_alive():
        seen.append(v.memory())
        time.sleep(0.05)
    load.join()
    v.loaded = tuple(median(column) for column in zip(*seen))


def count_processes(v, tmp, count):
    """Counts processes that the pool and its programs start per request."""
    log = os.path.join(tmp, v.name + ".strace")
    argv = ["strace", "-f", "-o", log, "-e", "trace=process"]
    wait_for_rest(v)
    pids = v.group.pids()
    for pid in pids:
        argv += ["-p", str(pid)]
    p = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
    try:
        for _ in pids:
            line = p.stderr.readline()
            if "attached" not in line:
                raise Trouble("strace: " + line)
        lib.bench(v.address, v.handler, 1, count=count)
    finally:
        p.send_signal(signal.SIGINT)
        p.communicate(timeout=10)
    # A call whose child runs first is written in two parts; threads do not
    # count.
    v.processes = sum(
        bool(re.search(r"\b(v?fork|clone3?)(\(| resumed).* = [1-9]\d*$", x))
        and "CLONE_THREAD" not in x
        for x in lib.read(log).splitlines()) / count


def write_csv(variants):
    columns = ["handler", "mode", "route", "connections", "children",
               "rounds", "req_per_s", "p50_us", "p99_us", "cpu_us_per_req",
               "nginx_cpu_us_per_req", "processes_per_req",
               "rest_private_kib", "rest_pss_kib", "load_private_kib",
               "load_pss_kib"]
    with open(os.path.join(OUT, "contrast.csv"), "w", newline="") as f:
        w = csv.writer(f, lineterminator="\n")
        w.writerow(columns)
        for v in variants:
            for route, rounds in v.rounds.items():
                w.writerow([v.handler, v.mode, route, CONNECTIONS, CHILDREN,
                            len(rounds)] +
                           ["%.2f" % v.figure(route, k) for k in
                            ("req_per_s", "p50_us", "p99_us", "cpu_us")] +
                           ["%.2f" % v.figure(route, "front_us")
                            if route == "nginx" else "",
                            "%.3f" % v.processes] +
                           ["%.0f" % m for m in v.rest + v.loaded])
    with open(os.path.join(OUT, "contrast-latency.csv"), "w",
              newline="") as f:
        w = csv.writer(f, lineterminator="\n")
        w.writerow(["handler", "mode", "percentile", "us"])
        for v in variants:
            for p in sorted(v.rounds["nginx"][0]["curve"]):
                w.writerow([v.handler, v.mode, "%g" % p, "%.0f" % median(
                    [r["curve"][p] for r in v.rounds["nginx"]])])


def milliseconds(us):
    return "%.2f ms" % (us / 1000)


def print_table(variants, rounds):
    print("\nmedians of %d interleaved rounds, %d connections; %d workers, "
          "or programs at once" % (rounds, CONNECTIONS, CHILDREN))
    form = "  %-8s %-8s %-6s %9s %11s %11s %13s %14s"
    print(form % ("route", "handler", "mode", "req/s", "p50", "p99",
                  "CPU/request", "processes/req."))
    for route in ("direct", "nginx"):
        for v in variants:
            print("  %-8s %-8s %-7s %8.0f %11s %11s %13s %14.2f" % (
                route, TITLES[v.handler], v.mode,
                v.figure(route, "req_per_s"),
                milliseconds(v.figure(route, "p50_us")),
                milliseconds(v.figure(route, "p99_us")),
                milliseconds(v.figure(route, "cpu_us")),
                v.processes))
    print("\nmemory of the pool's processes, without the supervisor")
    print("  %-8s %-8s %24s %26s" % ("handler", "mode",
                                     "at rest: private   PSS",
                                     "under load: private   PSS"))
    for v in variants:
        print("  %-8s %-8s %12.1f %7.1f MiB %15.1f %6.1f MiB" % (
            (TITLES[v.handler], v.mode) +
            tuple(m / 1024 for m in v.rest + v.loaded)))
    print()
    for cgi, prefork in zip(variants[::2], variants[1::2]):
        for route in ("direct", "nginx"):
            print("  %-5s %-7s prefork serves %.0f times as many requests for "
                  "1/%.0f of the CPU each" % (
                      TITLES[cgi.handler], route,
                      prefork.figure(route, "req_per_s") /
                      cgi.figure(route, "req_per_s"),
                      cgi.figure(route, "cpu_us") /
                      prefork.figure(route, "cpu_us")))


def main():
    p = argparse.ArgumentParser(description="CGI and prefork side by side")
    p.add_argument("--quick", action="store_true", help="a smoke run")
    p.add_argument("--rounds", type=int, default=5)
    args = p.parse_args()
    rounds, seconds = (1, 0.5) if args.quick else (args.rounds, 2)
    if rounds < 1:
        raise Trouble("--rounds: at least 1")
    lib.need({"nginx": "nginx-light", "wrk": "wrk", "perl": "perl",
              "strace": "strace", "gnuplot": "gnuplot-nox"})
    if subprocess.run(["perl", "-MCGI::Fast", "-e", "1"],
                      stderr=subprocess.DEVNULL).returncode:
        raise Trouble("missing: CGI::Fast; install: apt-get install "
                      "libcgi-fast-perl")
    lib.adopt_orphans()
    print("\n".join(lib.machine([
        [os.path.join(lib.BIN, "fcgipm"), "-V"], ["nginx", "-v"],
        ["wrk", "-v"], ["perl", "-v"]])))
    start = time.monotonic()
    with lib.scratch() as tmp, contextlib.ExitStack() as stack:
        variants = [Variant(stack, tmp, h, m)
                    for h in TITLES for m in ("cgi", "prefork")]
        front, port = start_nginx(stack, tmp, variants)
        for v in variants:
            lib.bench(v.address, v.handler, CONNECTIONS, seconds / 2)
        for v in variants:
            lib.wrk(port, v.name, CONNECTIONS, seconds / 2)
            measure_memory(v, seconds)
            count_processes(v, tmp, 50)
        for i in range(rounds):
            for v in variants:
                measure(v, "direct", lambda: lib.bench(
                    v.address, v.handler, CONNECTIONS, seconds), front)
                measure(v, "nginx", lambda: lib.wrk(
                    port, v.name, CONNECTIONS, seconds), front)
            print("round %d of %d" % (i + 1, rounds), file=sys.stderr)
    write_csv(variants)
    print_table(variants, rounds)
    lib.plot("contrast")
    print("\n%d s; wrote %s to %s/" % (time.monotonic() - start,
        "contrast.csv, contrast-latency.csv, contrast-throughput.svg, "
        "contrast-latency.svg", os.path.relpath(OUT)))
    return 0


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    lib.run(main)
