#!/usr/bin/env python3
# peers.py - compares fcgipm with spawn-fcgi and multiwatch (`make bench-peers`,
# which then runs gateway.py).  Parts: prefork, respawn, memory.
import contextlib
import os
import signal
import subprocess
import time

import lib
import rounds
from lib import HANDLERS, Trouble, bench, median
from rounds import fastcgi, fcgipm, gate, note

HELLO = os.path.join(HANDLERS, "hello")
WORKERS = 4


def supervisor_calls(tmp, c, count, connections=8):
    """Counts system calls of the supervisor during count requests."""
    log = os.path.join(tmp, "strace")
    p = subprocess.Popen(["strace", "-f", "-o", log, "-p", str(c.main.pid)],
                         stderr=subprocess.PIPE, text=True)
    try:
        if "attached" not in p.stderr.readline():
            raise Trouble("strace cannot attach: " + p.stderr.read())
        # Attaching strace interrupts epoll_wait(2) once.  Wait until the trace
        # has not grown for a while with the call in progress.
        last, since = None, time.monotonic()
        while time.monotonic() - since < 0.5:
            now = lib.read(log)
            if now != last:
                last, since = now, time.monotonic()
            time.sleep(0.05)
        before = len(lib.read(log).splitlines())
        bench(c.address, "hello", connections, count=count)
        return max(0, len(lib.read(log).splitlines()) - before)
    finally:
        p.send_signal(signal.SIGINT)
        p.communicate(timeout=10)


def kill_one(c):
    """Returns seconds from kill -9 of the only worker to the next answer."""
    workers = [p for p in lib.children(c.main.pid) if p in c.group.pids()]
    if len(workers) != 1:
        raise Trouble("%s has %d workers, not 1" % (c.name, len(workers)))
    # Wait until the worker is ready, so that no back-off is measured.
    lib.wait_for("an idle worker", lambda: asleep(workers[0]))
    start = time.monotonic()
    os.kill(workers[0], signal.SIGKILL)
    # The dying worker may still accept the connection and reset it, but cannot
    # answer.
    while not lib.answered(c.address):
        if time.monotonic() - start > 5:
            raise Trouble("%s did not replace its worker" % c.name)
    return time.monotonic() - start


def asleep(pid):
    f = lib.stat_fields(pid)
    return bool(f) and f[0] == "S"


def respawn(tmp, quick):
    samples = 5 if quick else 21
    with contextlib.ExitStack() as stack:
        ours = fcgipm(stack, tmp, "one", "fcgipm",
                      {"handler": HELLO, "pm.max_children": 1})
        path = os.path.join(tmp, "mw.sock")
        theirs = fastcgi(stack, "multiwatch", path, rounds.start_foreground(
            ["spawn-fcgi", "-n", "-s", path, "--", "/usr/bin/env",
             "multiwatch", "-f", "1", "-r", "1000000", "--", HELLO]))
        got = {ours: [], theirs: []}
        for _ in range(samples):
            for c in got:
                got[c].append(kill_one(c) * 1e3)
            # fcgipm starts at most 10 workers per second; stay far below this.
            time.sleep(0.3)
        print("\nkill -9 of the only worker until the next answer, "
              "%d times" % samples)
        for c, ms in got.items():
            print("  %-26s median %.2f ms (%.2f-%.2f)" % (
                c.name, median(ms), min(ms), max(ms)))
        print()
        gate("respawn after kill -9 v multiwatch",
             median(got[ours]) / median(got[theirs]), "%.2f x", at_most=1.4)


def prefork(tmp, quick):
    with contextlib.ExitStack() as stack:
        ours = fcgipm(stack, tmp, "hello", "fcgipm",
                      {"handler": HELLO, "pm.max_children": WORKERS})
        path = os.path.join(tmp, "sf.sock")
        theirs = fastcgi(stack, "spawn-fcgi -F %d" % WORKERS, path,
                         rounds.start_detached(
                             ["spawn-fcgi", "-s", path, "-F", str(WORKERS),
                              "--", HELLO]))
        both = [ours, theirs]
        rounds.interleave(both, 8, *((2, 0.3) if quick else (7, 2)))
        rounds.table(both, 8)
        print("  workers: C with libfcgi, the same binary; %d each" % WORKERS)
        print()
        gate("prefork: CPU per request v spawn-fcgi",
             rounds.ratio(ours, theirs, 8, "cpu_us"), at_most=1.10)
        rounds.agree(both, 8)
        count = 1000 if quick else 10000
        gate("prefork: supervisor's system calls, %d requests" % count,
             supervisor_calls(tmp, ours, count), "%d", at_most=0)
        rounds.idle_wakeups([ours], 2 if quick else 5)


def memory(tmp, _):
    with contextlib.ExitStack() as stack:
        c = fcgipm(stack, tmp, "many", "fcgipm",
                   {"handler": HELLO, "pm.max_children": 16})
        bench(c.address, "hello", 16, count=5000)
        if len(lib.children(c.main.pid)) != 16:
            raise Trouble("16 workers did not start")
        private, dirty, pss = lib.memory(c.main.pid)
        alone = lib.memory_alone(c.main.pid)
        print()
        gate("supervisor's private memory, 16 workers", sum(alone.values()),
             "%d KiB", at_most=500)
        note("the same without another fcgipm on the machine",
             "%d KiB private now, %d dirty, PSS %d" % (private, dirty, pss))
        for name, kib in sorted(alone.items(), key=lambda s: -s[1])[:5]:
            print("        %6d KiB %s" % (kib, name))


if __name__ == "__main__":
    rounds.run("fcgipm and its peers", [prefork, respawn, memory],
               {"spawn-fcgi": "spawn-fcgi", "multiwatch": "multiwatch",
                "strace": "strace"},
               [["spawn-fcgi", "-v"], ["multiwatch", "-v"]])
