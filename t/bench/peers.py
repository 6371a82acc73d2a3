#!/usr/bin/env python3
# peers.py - fcgipm against spawn-fcgi, multiwatch and fcgiwrap (`make
# bench-peers`).  Rounds are interleaved, every figure is a median, a ratio is
# the median of the ratios of each round.  CPU per request comes before
# requests per second, which the client takes half of.
# Exit status 0: every gate passed.
import argparse
import contextlib
import os
import re
import signal
import subprocess
import sys
import time

import lib
from lib import HANDLERS, Trouble, bench, median

HELLO = os.path.join(HANDLERS, "hello")
WORKERS = 4
failures = []


def gate(name, asked, reached, limit, form):
    """One line of the verdict."""
    good = reached <= limit
    if not good:
        failures.append(name)
    print("  %-4s  %-52s asked <= %-10s reached %s" % (
        "PASS" if good else "FAIL", name, asked, form % reached))


class Contestant:
    """A peer, or us, that answers on a unix socket."""

    def __init__(self, stack, name, address, start):
        self.name = name
        self.address = address
        self.group = stack.enter_context(lib.Group(name))
        self.main = start(self.group)
        lib.wait_for(name, lambda: lib.answered(address))
        self.rounds = {}

    def load(self, connections, seconds):
        """Appends one round."""
        cpu = self.group.cpu()
        pids = self.group.pids()
        tree = lib.cpu_tree(pids)
        own = sum(map(lib.cpu_own, pids))
        r = bench(self.address, "hello", connections, seconds)
        n = r["answered"]
        r["cpu_us"] = (self.group.cpu() - cpu) * 1e6 / n
        r["tree_us"] = (lib.cpu_tree(pids) - tree) * 1e6 / n
        r["own_us"] = (sum(map(lib.cpu_own, pids)) - own) * 1e6 / n
        self.rounds.setdefault(connections, []).append(r)

    def figure(self, connections, key):
        return median([r[key] for r in self.rounds[connections]])


def start_detached(argv):
    def start(group):
        p = group.start(argv, stdin=subprocess.DEVNULL,
                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if p.wait(10):
            raise Trouble("%s: exit status %d" % (argv[0], p.returncode))
        return None
    return start


def start_foreground(argv):
    return lambda group: group.start(argv, stdin=subprocess.DEVNULL,
                                     stdout=subprocess.DEVNULL,
                                     stderr=subprocess.DEVNULL)


def fcgipm(stack, folder, name, label, **settings):
    keys = {k.replace("__", "."): v for k, v in settings.items()}
    return Contestant(stack, label, os.path.join(folder, name + ".sock"),
                      lambda g: lib.start_fcgipm(g, folder, name, keys)[0])


def interleave(contestants, connections, rounds, seconds):
    for c in contestants:
        bench(c.address, "hello", connections, 0.5)
    for _ in range(rounds):
        for c in contestants:
            c.load(connections, seconds)


def ratio(ours, theirs, connections, key):
    return median([a[key] / b[key] for a, b in zip(
        ours.rounds[connections], theirs.rounds[connections])])


def table(contestants, connections):
    base = contestants[-1]
    print("\n%s, %d connections" % (
        "C hello, %d rounds" % len(base.rounds[connections]), connections))
    print("  %-26s %12s %17s %9s %9s %9s %9s" % (
        "", "CPU us/req", "(lowest-highest)", "in /proc", "req/s", "p50 us",
        "p99 us"))
    for c in contestants:
        cpu = [r["cpu_us"] for r in c.rounds[connections]]
        print("  %-26s %12.1f %17s %9.1f %9.0f %9.0f %9.0f" % (
            c.name, median(cpu), "(%.1f-%.1f)" % (min(cpu), max(cpu)),
            c.figure(connections, "tree_us"),
            c.figure(connections, "req_per_s"),
            c.figure(connections, "p50_us"), c.figure(connections, "p99_us")))


# -- prefork ----------------------------------------------------------------

def supervisor_calls(folder, c, count):
    """System calls of the supervisor while count requests are answered."""
    log = os.path.join(folder, "strace")
    p = subprocess.Popen(["strace", "-f", "-o", log, "-p", str(c.main.pid)],
                         stderr=subprocess.PIPE, text=True)
    try:
        if "attached" not in p.stderr.readline():
            raise Trouble("strace could not attach: " + p.stderr.read())
        # Being attached interrupts epoll_wait(2) once: let that pass, which
        # shows as the log having stood still with the call under way.
        last, since = None, time.monotonic()
        while time.monotonic() - since < 0.5:
            now = lib.read(log)
            if now != last:
                last, since = now, time.monotonic()
            time.sleep(0.05)
        before = len(lib.read(log).splitlines())
        bench(c.address, "hello", 8, count=count)
        return max(0, len(lib.read(log).splitlines()) - before)
    finally:
        p.send_signal(signal.SIGINT)
        p.communicate(timeout=10)


def idle_wakeups(contestants, seconds):
    """Voluntary context switches of everything at rest: {name: a second}."""
    sets = {c.name: c.group.pids() for c in contestants}
    # What a request left pending (a linger, a back-off) may still end.
    lib.wait_for("the pools to come to rest", lambda: quiet(sets), 15)
    before = {n: lib.voluntary_switches(p) for n, p in sets.items()}
    time.sleep(seconds)
    return {n: (lib.voluntary_switches(p) - before[n]) / seconds
            for n, p in sets.items()}


def quiet(sets):
    pids = [p for s in sets.values() for p in s]
    before = lib.voluntary_switches(pids)
    time.sleep(1)
    return lib.voluntary_switches(pids) == before


def kill_one(c):
    """Seconds from kill -9 of the only worker to the next answer."""
    workers = [p for p in lib.children(c.main.pid) if p in c.group.pids()]
    if len(workers) != 1:
        raise Trouble("%s has %d workers, not 1" % (c.name, len(workers)))
    # "Up" first, or we would measure the back-off after a bad start.
    lib.wait_for("a worker at rest", lambda: asleep(workers[0]))
    start = time.monotonic()
    os.kill(workers[0], signal.SIGKILL)
    # The dying worker may still take the connection and reset it; it cannot
    # answer any more.
    while not lib.answered(c.address):
        if time.monotonic() - start > 5:
            raise Trouble("%s did not replace its worker" % c.name)
    return time.monotonic() - start


def asleep(pid):
    f = lib.stat_fields(pid)
    return bool(f) and f[0] == "S"


def respawns(folder, samples):
    with contextlib.ExitStack() as stack:
        ours = fcgipm(stack, folder, "one", "fcgipm", handler=HELLO,
                      pm__max_children=1)
        path = os.path.join(folder, "mw.sock")
        theirs = Contestant(stack, "multiwatch", path, start_foreground(
            ["spawn-fcgi", "-n", "-s", path, "--", "/usr/bin/env",
             "multiwatch", "-f", "1", "-r", "1000000", "--", HELLO]))
        got = {ours: [], theirs: []}
        for _ in range(samples):
            for c in got:
                got[c].append(kill_one(c) * 1e3)
            # fcgipm starts at most 10 workers a second: stay far below.
            time.sleep(0.3)
        print("\nkill -9 of the only worker until the next answer, "
              "%d times" % samples)
        for c, ms in got.items():
            print("  %-26s median %.2f ms (%.2f-%.2f)" % (
                c.name, median(ms), min(ms), max(ms)))
        return median(got[ours]) / median(got[theirs])


def prefork(folder, quick):
    rounds, seconds = (2, 0.3) if quick else (7, 2)
    with contextlib.ExitStack() as stack:
        ours = fcgipm(stack, folder, "hello", "fcgipm", handler=HELLO,
                      pm__max_children=WORKERS)
        path = os.path.join(folder, "sf.sock")
        theirs = Contestant(stack, "spawn-fcgi -F %d" % WORKERS, path,
                            start_detached(["spawn-fcgi", "-s", path, "-F",
                                            str(WORKERS), "--", HELLO]))
        both = [ours, theirs]
        interleave(both, 8, rounds, seconds)
        table(both, 8)
        print("  workers: C with libfcgi, the same binary; %d each" % WORKERS)
        print()
        gate("prefork: CPU per request v spawn-fcgi", "1.10 x",
             ratio(ours, theirs, 8, "cpu_us"), 1.10, "%.3f x")
        agree(both, 8)
        count = 1000 if quick else 10000
        gate("prefork: supervisor's system calls, %d requests" % count, "0",
             supervisor_calls(folder, ours, count), 0, "%d")


def agree(contestants, connections):
    """Where nobody ignores SIGCHLD, /proc and the cgroup tell the same."""
    for c in contestants:
        cgroup = c.figure(connections, "cpu_us")
        tree = c.figure(connections, "tree_us")
        off = abs(tree / cgroup - 1)
        print("  note  %-52s cgroup %.1f, /proc %.1f us/req (%.0f %% apart)" % (
            "CPU of " + c.name + " by both accounts", cgroup, tree,
            off * 100))


# -- CGI --------------------------------------------------------------------

def cgi(folder, quick):
    rounds, seconds = (2, 0.4) if quick else (7, 1.5)
    with contextlib.ExitStack() as stack:
        ours = fcgipm(stack, folder, "cgi", "fcgipm cgi", mode="cgi",
                      docroot=HANDLERS)
        wraps = []
        for n in (1, 2, 4):
            path = os.path.join(folder, "wrap%d.sock" % n)
            wraps.append(Contestant(
                stack, "fcgiwrap -c %d" % n, path, start_foreground(
                    ["fcgiwrap", "-c", str(n), "-s", "unix:" + path])))
        theirs = wraps[1]
        for connections in (8, 64):
            interleave([ours, theirs], connections, rounds, seconds)
            others = [wraps[0], wraps[2]]
            interleave(others, connections, 2 if quick else 3, seconds / 2)
            table([ours, theirs], connections)
            if not quick:
                table(others, connections)
            split(ours, theirs, connections)
        print()
        for connections in (8, 64):
            gate("cgi: CPU per request v fcgiwrap -c 2, %d conn." %
                 connections, "0.80 x",
                 ratio(ours, theirs, connections, "cpu_us"), 0.80, "%.3f x")
        agree([ours], 8)
        with_idle(folder, stack, ours, quick)
        gateway = lib.children(ours.main.pid)
        private, dirty, pss = lib.memory(gateway[0])
        print("  note  %-52s %d KiB private (%d dirty), PSS %d" % (
            "gateway's memory after the load", private, dirty, pss))


def split(ours, theirs, connections):
    """What the long-lived processes took themselves: spawning, relaying."""
    for c in (ours, theirs):
        own = c.figure(connections, "own_us")
        print("  %-26s %12.1f us/req itself, %.1f in the program "
              "(exec, libfcgi, exit)" % (
                  c.name, own, c.figure(connections, "cpu_us") - own))


def with_idle(folder, stack, cgi_pool, quick):
    pre = fcgipm(stack, folder, "idle", "fcgipm prefork", handler=HELLO,
                 pm__max_children=WORKERS)
    bench(pre.address, "hello", 8, count=500)
    # A gateway answers the last client before it has reaped the program.
    lib.wait_for("the last CGI program", lambda: not any(
        lib.children(g) for g in lib.children(cgi_pool.main.pid)))
    woken = idle_wakeups([pre, cgi_pool], 2 if quick else 5)
    for name, rate in woken.items():
        gate("idle wake-ups a second, " + name, "0", rate, 0, "%g")


# -- memory -----------------------------------------------------------------

def supervisor_memory(folder):
    with contextlib.ExitStack() as stack:
        c = fcgipm(stack, folder, "many", "fcgipm", handler=HELLO,
                   pm__max_children=16)
        bench(c.address, "hello", 16, count=5000)
        if len(lib.children(c.main.pid)) != 16:
            raise Trouble("there are not 16 workers")
        private, dirty, pss = lib.memory(c.main.pid)
        alone = lib.memory_alone(c.main.pid)
        print()
        gate("supervisor's private memory, 16 workers", "500 KiB",
             sum(alone.values()), 500, "%d KiB")
        print("  note  %-52s %d KiB private now, %d dirty, PSS %d" % (
            "the above: with no other fcgipm on the machine", private, dirty,
            pss))
        for name, kib in sorted(alone.items(), key=lambda s: -s[1])[:5]:
            print("        %6d KiB %s" % (kib, name))


def main():
    p = argparse.ArgumentParser(description="fcgipm against its peers")
    p.add_argument("--quick", action="store_true", help="a smoke run")
    p.add_argument("only", nargs="*", help="prefork, cgi, respawn, memory")
    quick = p.parse_args().quick
    only = p.parse_args().only or ["prefork", "cgi", "respawn", "memory"]
    lib.need({"spawn-fcgi": "spawn-fcgi", "multiwatch": "multiwatch",
              "fcgiwrap": "fcgiwrap", "strace": "strace"})
    lib.adopt_orphans()
    print("\n".join(lib.machine([
        [os.path.join(lib.BIN, "fcgipm"), "-V"], ["spawn-fcgi", "-v"],
        ["multiwatch", "-v"], ["fcgiwrap", "-h"], ["strace", "-V"]])))
    start = time.monotonic()
    with lib.scratch() as folder:
        if "prefork" in only:
            prefork(folder, quick)
        if "cgi" in only:
            cgi(folder, quick)
        if "respawn" in only:
            reached = respawns(folder, 5 if quick else 21)
            print()
            gate("respawn after kill -9 v multiwatch", "1.40 x", reached, 1.4,
                 "%.2f x")
        if "memory" in only:
            supervisor_memory(folder)
    print("\n%d s; %s" % (time.monotonic() - start,
                          "failed: " + ", ".join(failures) if failures
                          else "every gate passed"))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    lib.run(main)
