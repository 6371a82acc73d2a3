#!/usr/bin/env python3
# accelerate.py - measures the effect of the key accelerate (`make bench-pool`):
# the same handler with spawn-fcgi, and with fcgipm with and without the key, in
# turns.  Parts: cost, calls.
import collections
import contextlib
import os
import re
import signal
import subprocess

import lib
import rounds
from lib import HANDLERS, Trouble, bench
from rounds import fastcgi, fcgipm, gate, note

HELLO = os.path.join(HANDLERS, "hello")
CONNECTIONS = 8


def peer(stack, tmp, workers):
    path = os.path.join(tmp, "sf.sock")
    return fastcgi(stack, "spawn-fcgi", path, rounds.start_detached(
        ["spawn-fcgi", "-s", path, "-F", str(workers), "--", HELLO]))


def pool(stack, tmp, name, workers, more):
    settings = {"handler": HELLO, "pm.max_children": workers}
    return fcgipm(stack, tmp, name, "accelerate = " + name,
                  dict(settings, **more))


def cost(tmp, quick):
    with contextlib.ExitStack() as stack:
        theirs = peer(stack, tmp, 2)
        yes = pool(stack, tmp, "yes", 2, {})
        no = pool(stack, tmp, "no", 2, {"accelerate": "no"})
        # The library is preloaded in this case, too.
        shim = pool(stack, tmp, "off", 2,
                    {"accelerate": "no", "pm.max_age": "1d"})
        shim.name = "no, but preloaded"
        every = [theirs, yes, no, shim]
        rounds.interleave(every, CONNECTIONS,
                          *((3, 0.3) if quick else (15, 1)))
        rounds.table(every, CONNECTIONS)
        print("  workers: C with libfcgi, the same binary; 2 each\n")

        def v(c, key):
            return rounds.ratio(c, theirs, CONNECTIONS, key)
        gate("accelerate = yes: CPU per request v spawn-fcgi",
             v(yes, "cpu_us"), at_most=0.85)
        gate("accelerate = yes: requests/s v spawn-fcgi",
             v(yes, "req_per_s"), at_least=1)
        gate("accelerate = no: CPU per request v spawn-fcgi",
             v(no, "cpu_us"), at_most=1.10)
        note("the same with the library preloaded", "%.3f x CPU, %.3f x "
             "requests/s" % (v(shim, "cpu_us"), v(shim, "req_per_s")))


def traced(tmp, c, count):
    """Returns {system call: number per request} of the only worker."""
    log = os.path.join(tmp, "strace")
    workers = [p for p in c.group.pids()
               if os.readlink("/proc/%d/exe" % p) == os.path.realpath(HELLO)]
    if len(workers) != 1:
        raise Trouble("%s has %d workers, not 1" % (c.name, len(workers)))
    p = subprocess.Popen(["strace", "-o", log, "-p", str(workers[0])],
                         stderr=subprocess.PIPE, text=True)
    try:
        if "attached" not in p.stderr.readline():
            raise Trouble("strace cannot attach: " + p.stderr.read())
        bench(c.address, "hello", CONNECTIONS, count=count)
    finally:
        p.send_signal(signal.SIGINT)
        p.communicate(timeout=10)
    names = re.findall(r"^(\w+)\(", lib.read(log), re.M)
    return {name: n / count for name, n in
            collections.Counter(names).items() if n >= count / 2}


def calls(tmp, quick):
    count = 200 if quick else 2000
    with contextlib.ExitStack() as stack:
        every = [peer(stack, tmp, 1), pool(stack, tmp, "yes", 1, {}),
                 pool(stack, tmp, "no", 1, {"accelerate": "no"})]
        print()
        sums = []
        for c in every:
            seen = traced(tmp, c, count)
            sums.append(sum(seen.values()))
            note("system calls per request, " + c.name, "%.2f: %s" % (
                sums[-1], ", ".join("%s %.2f" % i for i in
                                    sorted(seen.items()))))
        gate("accelerate = yes: system calls per request", sums[1], "%.2f",
             at_most=6.1)
        gate("accelerate = no: system calls v spawn-fcgi", sums[2] / sums[0],
             at_most=1.05)


def accelerate(tmp, quick):
    """Runs as a part of pool.py."""
    cost(tmp, quick)
    calls(tmp, quick)


if __name__ == "__main__":
    rounds.run("the effect of accelerate", [cost, calls],
               {"spawn-fcgi": "spawn-fcgi", "strace": "strace"},
               [["spawn-fcgi", "-v"]])
