#!/usr/bin/env python3
# gateway.py - compares the gateway with fcgiwrap, with lighttpd's mod_cgi,
# Apache's mod_cgid, and with a program that only spawns and copies (`make
# bench-gateway`).  Writes gateway.csv, gateway-stream.csv and a plot of each to
# build/.
import contextlib
import os

import lib
import rounds
from footprint import memory
from rounds import fastcgi, gate, ratio, start_foreground
from servers import BENCH, HELLO, T, bare, cgi, fcgiwrap, web_servers
from streams import stream


def cpu(tmp, quick):
    n, seconds = (2, 0.4) if quick else (7, 1)
    with contextlib.ExitStack() as stack:
        ours = cgi(stack, tmp)
        wraps = [fcgiwrap(stack, tmp, c) for c in (1, 2, 4, 8)]
        limit = bare(stack, tmp, "bare_spawner", HELLO)
        fast = [ours, wraps[1], limit]
        everything = [ours] + wraps + [
            limit, bare(stack, tmp, "bare_responder")] + \
            web_servers(stack, tmp)
        for connections, who in ((1, fast), (8, everything), (64, everything)):
            rounds.interleave(who, connections, n, seconds)
            rounds.table(who, connections)
            split([ours, wraps[1]], connections)
        print()
        for connections in (8, 64):
            compare(ours, wraps[1], limit, connections)
        gate("p50 at 1 connection v fcgiwrap",
             ratio(ours, wraps[1], 1, "p50_us"), at_most=0.70)
        rounds.note("bare spawner's p50 at 1 connection v fcgiwrap",
                    "%.3f x" % ratio(limit, wraps[1], 1, "p50_us"))
        rounds.agree([ours], 8)
    everything += crowd(tmp, quick)
    ballast(tmp, quick)
    rounds.write_csv("gateway", everything)
    lib.plot("gateway")


def split(contestants, connections):
    """Returns the CPU time of the servers themselves: spawning, copying."""
    for c in contestants:
        own = c.figure(connections, "own_us")
        print("  %-26s %12.1f us/req in the server, %.1f in the program "
              "(exec, work, exit)" % (
                  c.name, own, c.figure(connections, "cpu_us") - own))


def compare(ours, wrap, limit, connections):
    at = ", %d connections" % connections
    gate("CPU v fcgiwrap -c 2" + at,
         ratio(ours, wrap, connections, "cpu_us"), at_most=0.70, stretch=0.66)
    gate("CPU v bare spawner" + at,
         ratio(ours, limit, connections, "cpu_us"), at_most=1.15, stretch=1.07)
    gate("requests/s v bare spawner" + at,
         ratio(ours, limit, connections, "req_per_s"), at_least=0.9)
    rounds.note("requests/s v fcgiwrap -c 2" + at, "%.3f x" %
                ratio(ours, wrap, connections, "req_per_s"))
    rounds.note("bare spawner's CPU v fcgiwrap -c 2" + at, "%.3f x" %
                ratio(limit, wrap, connections, "cpu_us"))


def crowd(tmp, quick):
    """Measures more connections than a listen queue holds."""
    with contextlib.ExitStack() as stack:
        ours = cgi(stack, tmp, strict=False)
        wrap = fcgiwrap(stack, tmp, 2, strict=False)
        rounds.interleave([ours, wrap], 1000, *((1, 1) if quick else (7, 2.5)))
        rounds.table([ours, wrap], 1000)
        print()
        gate("errors at 1000 connections", ours.failed(1000), "%d", at_most=0)
        gate("p99 at 1000 connections v fcgiwrap -c 2",
             ratio(ours, wrap, 1000, "p99_us"), at_most=0.6)
        return [ours, wrap]


def ballast(tmp, quick):
    """Compares two gateways; ballast.c is preloaded into one of them."""
    with contextlib.ExitStack() as stack:
        def gateway(name, **env):
            path = os.path.join(tmp, name + ".sock")
            return fastcgi(stack, name, path, start_foreground(
                [os.path.join(lib.BIN, "fcgipm-cgi"), "-l", path, "-d", T],
                env=dict(os.environ, **env)), HELLO)
        small = gateway("fcgipm-cgi alone")
        large = gateway("fcgipm-cgi, 64 MiB more",
                        LD_PRELOAD=os.path.join(BENCH, "ballast.so"))
        rss = lib.memory(large.main.pid)[0] - lib.memory(small.main.pid)[0]
        if rss < 60 << 10:
            raise lib.Trouble("the ballast is missing: %d KiB" % rss)
        rounds.interleave([large, small], 8, *((2, 0.4) if quick else (7, 1)))
        rounds.table([large, small], 8)
        print()
        gate("CPU with 64 MiB of heap v a small gateway",
             ratio(large, small, 8, "cpu_us"), at_most=1.1)


if __name__ == "__main__":
    rounds.run("the CGI gateway and others", [cpu, stream, memory],
               {"fcgiwrap": "fcgiwrap", "lighttpd": "lighttpd",
                "apache2": "apache2-bin", "wrk": "wrk",
                "gnuplot": "gnuplot-nox"},
               [["fcgiwrap", "-h"], ["lighttpd", "-v"], ["apache2", "-v"],
                ["wrk", "-v"]])
