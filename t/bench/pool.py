#!/usr/bin/env python3
# pool.py - measures the cost of observing workers (`make bench-pool`).  Parts:
# calls, idle, looks, shim, accelerate, ondemand, low_load, crowd, refusals.
# BENCH_WORKERS=1000 is the number of workers in a crowd.
import contextlib
import json
import os
import re
import resource
import socket
import subprocess
import time

import lib
import peers
import rounds
import shim as preload
from accelerate import accelerate
from lib import HANDLERS, Trouble, bench, median
from refuse import refusals
from rounds import fcgipm, gate, note

HELLO = os.path.join(HANDLERS, "hello")
CROWD = int(os.environ.get("BENCH_WORKERS", "1000"))
# With more idle workers than the load needs, so that none has to be started.
DYNAMIC = {"handler": HELLO, "pm": "dynamic", "pm.max_children": 16,
           "pm.start_servers": 12, "pm.min_spare_servers": 1,
           "pm.max_spare_servers": 16}
KERNEL = dict(DYNAMIC, observe="kernel")
# It reports by fcgipm-handler.h; inspections by the kernel remain.
HEADER = dict(DYNAMIC, handler=os.path.join(HANDLERS, "static"))
STATIC = {"handler": HELLO, "pm.max_children": 4}
RECYCLING = dict(STATIC, **{"pm.max_requests": 1000000000})


def calls(tmp, quick):
    """With tier kernel, inspections depend on time, not on requests."""
    count = 2000 if quick else 100000
    print("\nsystem calls of the supervisor during %d requests" % count)
    for name, settings, limit in (
            ("static", STATIC, 0), ("static, preloaded", RECYCLING, 0),
            ("dynamic, preloaded", DYNAMIC, 0),
            # Until each worker has served one request, the kernel is asked
            # about it.
            ("dynamic, header", HEADER, 0.001),
            ("dynamic, kernel tier", KERNEL, 0.01)):
        with contextlib.ExitStack() as stack:
            c = fcgipm(stack, tmp, "calls", name, settings)
            bench(c.address, "hello", 2, count=200)
            made = peers.supervisor_calls(tmp, c, count, 2)
            note(name, "%d calls" % made)
            gate("supervisor's calls per request, " + name, made / count,
                 "%.4f", at_most=limit)


def idle(tmp, quick):
    print("\nwake-ups when idle")
    with contextlib.ExitStack() as stack:
        both = [fcgipm(stack, tmp, short, label, settings)
                for short, label, settings in (
                    ("static", "static", STATIC),
                    ("recycling", "static, preloaded", RECYCLING),
                    ("dynamic", "dynamic, preloaded", DYNAMIC))]
        for c in both:
            bench(c.address, "hello", 2, count=200)
        rounds.idle_wakeups(both, 2 if quick else 10)


def looks(_, quick):
    """t/bench/look prints the minimum and the median of each."""
    workers = 100 if quick else CROWD
    done = subprocess.run([os.path.join(preload.BENCH, "look"), str(workers),
                           "60"], stdout=subprocess.PIPE, check=True,
                          text=True)
    print("\n" + done.stdout.rstrip())
    kind = ""
    for line in done.stdout.splitlines():
        kind = (re.match(r"(unix|TCP) ", line) or [0, kind])[1]
        found = re.match(r"  inspect an idle worker +\S+ +(\S+)$", line)
        if found:
            gate("inspection of an idle worker of %d, %s" % (workers, kind),
                 float(found[1]), "%.2f us", at_most=2)


def shim(tmp, quick):
    preload.calls(tmp, quick)
    preload.programs(tmp, quick)


# -- from no worker to the first answer -------------------------------------

def first_answer(address, start=lambda: None):
    """Returns seconds from the connect to the end of the answer."""
    begin = time.monotonic()
    with lib.connect(address, "hello") as s:
        start()
        got = b""
        while True:
            more = s.recv(65536)
            if not more:
                break
            got += more
    if b"Hello" not in got:
        raise Trouble("no answer: %r" % got)
    return time.monotonic() - begin


def cold(address):
    """The same with a handler that is started here."""
    pids = []
    with contextlib.suppress(FileNotFoundError):
        os.unlink(address)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(64)
        taken = first_answer(address, lambda: pids.append(os.posix_spawn(
            HELLO, [HELLO], {"PATH": "/usr/bin:/bin"},
            file_actions=[(os.POSIX_SPAWN_DUP2, listener.fileno(), 0)])))
    os.kill(pids[0], 9)
    os.waitpid(pids[0], 0)
    return taken


def ondemand(tmp, quick):
    samples = 5 if quick else 21
    with contextlib.ExitStack() as stack:
        pools = [fcgipm(stack, tmp, "od" + tier, "ondemand " + tier, {
            "handler": HELLO, "pm": "ondemand", "pm.max_children": 4,
            "pm.process_idle_timeout": "50ms", "observe": tier})
            for tier in ("auto", "kernel")]
        took = {c: [] for c in pools}
        alone = []
        for _ in range(samples):
            # A pool that starts workers repeatedly is slowed down, and after a
            # pause everything is slower.  So the same pause comes before each
            # start.
            time.sleep(1.1)
            alone.append(cold(os.path.join(tmp, "cold.sock")) * 1e3)
            for c in pools:
                lib.wait_for("no worker", lambda: not lib.children(c.main.pid))
                time.sleep(1.1)
                took[c].append(first_answer(c.address) * 1e3)
    print("\nfrom no worker to the first answer, %d times" % samples)
    for name, ms in [("the handler started by hand", alone)] + [
            (c.name, took[c]) for c in pools]:
        print("  %-28s median %.2f ms (%.2f-%.2f)" % (
            name, median(ms), min(ms), max(ms)))
    for c in pools:
        gate("first answer v a cold start, " + c.name,
             median([a / b for a, b in zip(took[c], alone)]), at_most=1.3)


# -- many workers -----------------------------------------------------------

def low_load(tmp, quick):
    """One client: idle workers are used in turn, with cold caches."""
    with contextlib.ExitStack() as stack:
        both = [fcgipm(stack, tmp, short, label, settings)
                for short, label, settings in (
                    ("few", "dynamic, up to %d" % CROWD, dict(
                        DYNAMIC, **{"pm.max_children": CROWD,
                                    "pm.start_servers": 2,
                                    "pm.max_spare_servers": 3})),
                    ("many", "static, %d" % CROWD, dict(
                        STATIC, **{"pm.max_children": CROWD})))]
        rounds.interleave(both, 1, *((2, 0.5) if quick else (7, 2)))
        print()
        for c in both:
            note("CPU of " + c.name, "%.1f us/req, supervisor and workers" %
                 c.figure(1, "cpu_us"))
        gate("dynamic up to %d v static %d, low load: CPU" % (CROWD, CROWD),
             rounds.ratio(both[0], both[1], 1, "cpu_us"), at_most=0.5)


def arrival(fifo, count):
    """Waits until this number of workers wrote to it."""
    while count > 0:
        count -= len(os.read(fifo, count))
    return time.monotonic()


def multiwatch_up(tmp, fifo, path):
    address = os.path.join(tmp, "mw.sock")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(address)
    with lib.Group("multiwatch") as group:
        begin = time.monotonic()
        group.start(["spawn-fcgi", "-n", "-s", address, "--",
                     "/usr/bin/multiwatch", "-f", str(CROWD), "--",
                     os.path.join(preload.BENCH, "arrive"), path],
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL)
        return arrival(fifo, CROWD) - begin


def fcgipm_up(tmp, fifo, path):
    """Returns seconds until all workers are ready, and until they are gone."""
    with lib.Group("fcgipm") as group:
        begin = time.monotonic()
        main, _ = lib.start_fcgipm(group, tmp, "up", {
            "handler": os.path.join(preload.BENCH, "arrive"),
            "handler_args": path, "pm.max_children": CROWD})
        ready = time.monotonic()
        taken = max(ready, arrival(fifo, CROWD)) - begin
        begin = time.monotonic()
        main.terminate()
        main.wait(60)
        if group.pids():
            raise Trouble("workers remain: %s" % group.pids())
        return taken, time.monotonic() - begin


def up(tmp, quick):
    path = os.path.join(tmp, "fifo")
    os.mkfifo(path)
    fifo = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    ours, theirs = [], []
    for _ in range(1 if quick else 7):
        theirs.append(multiwatch_up(tmp, fifo, path))
        ours.append(fcgipm_up(tmp, fifo, path))
    os.close(fifo)
    ours, ends = zip(*ours)
    print("\nuntil %d workers are ready, %d times" % (CROWD, len(ours)))
    for name, s in (("fcgipm", ours), ("multiwatch", theirs),
                    ("fcgipm, until they have exited", ends)):
        print("  %-28s median %.0f ms (%.0f-%.0f)" % (
            name, median(s) * 1e3, min(s) * 1e3, max(s) * 1e3))
    gate("%d workers ready v multiwatch" % CROWD, median(ours) / median(theirs),
         at_most=1.2)
    # This has no limit of its own; its time once grew with the square of the
    # number.
    gate("%d workers exit after TERM v start" % CROWD,
         median(ends) / median(ours), at_most=1)


def soft_limit(pid):
    return int(re.search(r"^Max open files +(\d+)", lib.read(
        "/proc/%d/limits" % pid), re.M)[1])


def private_kib(pid):
    """Private KiB of the supervisor; the board is shared with all workers."""
    return sum(kib for name, kib in lib.memory_alone(pid).items()
               if "fcgipm-board" not in name)


def snapshot(tmp, what, quick):
    """Returns the time per status as the supervisor reports it, with JSON."""
    took = []
    for _ in range(3 if quick else 15):
        done = subprocess.run([os.path.join(lib.BIN, "fcgipmctl"), "status",
                               "-j", "-s", os.path.join(tmp,
                                                        "many.control")],
                              stdout=subprocess.PIPE, check=True)
        took.append(json.loads(done.stdout)["took us"] / 1e3)
        time.sleep(0.1)
    note("status of %d %s" % (CROWD, what), "first %.1f ms, then %.1f-%.1f" % (
        took[0], min(took[1:]), max(took[1:])))
    gate("snapshot of %d %s workers" % (CROWD, what), median(took), "%.1f ms",
         at_most=20)


def at_work(tmp, name, settings, quick):
    """Measures CPU and memory of a supervisor with many workers; limits."""
    settings = {k: CROWD if v is None else v for k, v in settings.items()}
    one = {k: 1 if v == CROWD else v for k, v in settings.items()}
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.ExitStack() as stack:
        single = fcgipm(stack, tmp, "single", name + ", 1", one)
        # Fewer than it needs, so that the supervisor has to raise the limit.
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE,
                       (soft, hard))
        many = fcgipm(stack, tmp, "many", "%s, %d" % (name, CROWD),
                      settings)
        workers = lib.children(many.main.pid)
        if len(workers) != CROWD:
            raise Trouble("%s has %d workers" % (many.name, len(workers)))
        gate("soft limit of files of a worker, " + name,
             soft_limit(workers[-1]), "%d", at_most=256)
        for c in (single, many):
            bench(c.address, "hello", 8, count=2000)
        cpu, begin = lib.cpu_own(many.main.pid), time.monotonic()
        bench(many.address, "hello", 8, seconds=1 if quick else 5)
        cpu = lib.cpu_own(many.main.pid) - cpu
        gate("supervisor's CPU under load, %d %s" % (CROWD, name),
             cpu * 100 / (time.monotonic() - begin), "%.3f %%", at_most=0.5)
        snapshot(tmp, name, quick)
        more = private_kib(many.main.pid) - private_kib(single.main.pid)
        gate("supervisor's private memory per worker, " + name,
             more / (CROWD - 1), "%.2f KiB", at_most=1)


def crowd(tmp, quick):
    up(tmp, quick)
    print()
    at_work(tmp, "static", {"handler": HELLO, "pm.max_children": None},
            quick)
    at_work(tmp, "dynamic", dict(DYNAMIC, **{
        "pm.max_children": None, "pm.start_servers": None,
        "pm.max_spare_servers": None}), quick)


if __name__ == "__main__":
    rounds.run("the cost of observing workers",
               [calls, idle, looks, shim, accelerate, ondemand, low_load,
                crowd, refusals],
               {"php-cgi": "php-cgi", "spawn-fcgi": "spawn-fcgi", "multiwatch": "multiwatch",
                "strace": "strace"},
               [["spawn-fcgi", "-v"], ["multiwatch", "-v"]], table=True)
