# streams.py - measures bodies and server-sent events (`make bench-gateway
# BENCH=stream`).
import contextlib
import os
import re
import subprocess
import time

import lib
import rounds
from lib import Trouble
from rounds import gate, ratio
from servers import BENCH, cgi, fcgiwrap

STREAMER = os.path.join(BENCH, "streamer")
MIB = 1 << 20
EVENTS = 50


def transfer(address, down=0, up=0):
    """Transfers one large body by stream_client; returns the seconds."""
    params = {"QUERY_STRING": "up" if up else "down=%d" % down}
    if up:
        params.update(REQUEST_METHOD="POST", CONTENT_LENGTH=str(up))
    done = subprocess.run(
        [os.path.join(BENCH, "stream_client"), address, str(up)],
        input=lib.preamble(STREAMER, **params), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE)
    if done.returncode:
        raise Trouble("stream_client: " + done.stderr.decode())
    line, _, rest = done.stdout.decode().partition("\n")
    seconds, got, status = line.split()
    header, _, body = rest.partition("\r\n\r\n")
    size = int(got) - len(header) - 4
    if int(status) or (int(body) != up if up else size != down):
        raise Trouble("%s: status %s, %d bytes, begins %r" % (
            params, status, size, body[:20]))
    return float(seconds)


def one(address, **body):
    size = sum(body.values())
    seconds = transfer(address, **body)
    return {"answered": 1, "failed": 0, "mb_per_s": size / seconds / 1e6}


def burst(address, seconds, *options):
    """Transfers many bodies of one MiB, 8 at once."""
    r = lib.bench(address, STREAMER, 8, seconds=seconds, options=options)
    r["mb_per_s"] = r["req_per_s"] * MIB / 1e6
    return r


LOADS = {
    "100 MiB response": lambda a, _: one(a, down=100 * MIB),
    "100 MiB upload": lambda a, _: one(a, up=100 * MIB),
    "1 MiB responses": lambda a, s: burst(a, s, "-p", "QUERY_STRING=down=%d" %
                                          MIB),
    "1 MiB uploads": lambda a, s: burst(a, s, "-p", "QUERY_STRING=up", "-b",
                                        "1M"),
}


def stream(tmp, quick):
    n, seconds = (2, 0.5) if quick else (7, 1)
    with contextlib.ExitStack() as stack:
        ours = cgi(stack, tmp)
        wrap = fcgiwrap(stack, tmp, 2)
        both = [ours, wrap]
        for c in both:
            c.shoot = lambda load, s, _, a=c.address: LOADS[load](a, s)
        for load in LOADS:
            for c in both:
                c.shoot(load, 0.3, None)
            for _ in range(n):
                for c in both:
                    c.load(load, seconds)
        table(both)
        print()
        for load, mb, cpu in (("100 MiB response", (3, 4), (0.33, 0.18)),
                              ("100 MiB upload", (1.6, 3), (0.6, 0.3)),
                              ("1 MiB responses", (1.5, None), None),
                              ("1 MiB uploads", (1.5, None), None)):
            gate(load + ": MB/s v fcgiwrap",
                 ratio(ours, wrap, load, "mb_per_s"), at_least=mb[0],
                 stretch=mb[1])
            if cpu:
                gate(load + ": CPU v fcgiwrap",
                     ratio(ours, wrap, load, "cpu_us"), at_most=cpu[0],
                     stretch=cpu[1])
        rounds.write_csv("gateway-stream", both, "load", ("mb_per_s",))
        lib.plot("gateway-stream")
        gateway, = lib.children(ours.main.pid)
        scale = 64 if quick else 1
        growth(gateway, "4 GiB + 1 response", lambda: transfer(
            ours.address, down=(4 << 30) // scale + 1))
        growth(gateway, "1 GiB upload", lambda: transfer(
            ours.address, up=(1 << 30) // scale))
        gate("server-sent events, the slowest of %d" % EVENTS,
             latest(ours), "%.2f ms", at_most=20)
        rounds.note("the same of fcgiwrap", "%.2f ms" % latest(wrap))


def table(both):
    print("\nlarge bodies, medians of %d rounds" % len(
        both[0].rounds["100 MiB upload"]))
    print("  %-20s %-20s %9s %17s %9s" % (
        "", "", "CPU ms", "(lowest-highest)", "MB/s"))
    for load in LOADS:
        for c in both:
            cpu = [r["cpu_us"] / 1e3 for r in c.rounds[load]]
            print("  %-20s %-20s %9.2f %17s %9.0f" % (
                load, c.name, lib.median(cpu), "(%.2f-%.2f)" % (
                    min(cpu), max(cpu)), c.figure(load, "mb_per_s")))


def growth(pid, name, work):
    """Returns the peak of the gateway's memory above its value before."""
    with open("/proc/%d/clear_refs" % pid, "w") as f:
        f.write("5")  # resets VmHWM, proc(5)
    before = lib.status_kib(pid, "VmRSS")
    work()
    gate(name + ": the gateway's RSS grows by",
         (lib.status_kib(pid, "VmHWM") - before) / 1024, "%.2f MiB",
         at_most=8)


def latest(c):
    """Returns the maximum delay of an event in milliseconds."""
    seen, rest = [], b""
    with lib.connect(c.address, STREAMER,
                     QUERY_STRING="events=%d" % EVENTS) as s:
        while len(seen) < EVENTS:
            more = s.recv(65536)
            now = time.monotonic_ns()
            if not more:
                raise Trouble("%s: %d of %d events" % (
                    c.name, len(seen), EVENTS))
            *whole, rest = (rest + more).split(b"\n\n")
            seen += [now - int(re.search(rb"data: (\d+)$", e)[1])
                     for e in whole]
    return max(seen) / 1e6
