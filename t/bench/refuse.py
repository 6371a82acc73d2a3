#!/usr/bin/env python3
# refuse.py - measures the cost of a 503 for a client that waited longer than
# queue_timeout (`make bench-pool`): the only worker is busy, and many clients
# connect.
import os
import socket

import lib
import rounds
from lib import HANDLERS, Group, Trouble, median
from rounds import gate, note

CROWD = 400


def connect(address, request):
    tcp = ":" in address
    s = socket.socket(socket.AF_INET if tcp else socket.AF_UNIX)
    s.settimeout(10)
    if tcp:
        host, port = address.split(":")
        s.connect((host, int(port)))
    else:
        s.connect(address)
    s.sendall(request)
    return s


def refuser_of(supervisor):
    for pid in lib.children(supervisor):
        if lib.read("/proc/%d/comm" % pid).startswith("fcgipm-cgi"):
            return pid
    raise Trouble("no refuser runs")


def crowd(address, supervisor, group):
    """Returns us of CPU per client, of the refuser and of all processes."""
    request = lib.preamble("upload") + lib.NO_BODY
    all_before = group.cpu()
    clients = [connect(address, request) for _ in range(CROWD)]
    answers = [c.recv(4096) for c in clients]
    refuser = lib.cpu_own(refuser_of(supervisor))
    for c in clients:
        c.close()
    for a in answers:
        if b"Status: 503" not in a:
            raise Trouble("unexpected answer: %r" % a[:80])
    return refuser, group.cpu() - all_before


def kind(tmp, name, quick, **more):
    with Group(name) as group:
        p, address = lib.start_fcgipm(group, tmp, name, dict(
            {"handler": os.path.join(HANDLERS, "upload"),
             "pm.max_children": 1, "queue_timeout": "50ms"}, **more))
        address = more.get("listen", address)
        # A request whose body does not end.
        busy = connect(address, lib.preamble("upload"))
        own, everything, last = [], [], 0
        for i in range(3 if quick else 21):
            refuser, used = crowd(address, p.pid, group)
            # The first crowd includes the start of the refuser, which then
            # stays.
            if i > 0 and refuser > last:
                own.append((refuser - last) / CROWD * 1e6)
                everything.append(used / CROWD * 1e6)
            last = refuser
        busy.close()
        gate("503: CPU per client, " + name, median(own), "%.1f us",
             at_most=50)
        note("including the supervisor, " + name, "%.1f us" %
             median(everything))


def refusals(tmp, quick):
    """One refuser for each crowd.  To list a TCP queue, the kernel scans all
    connections of the machine, including those of earlier loads."""
    print()
    kind(tmp, "unix", quick)
    kind(tmp, "tcp", quick, listen="127.0.0.1:%d" % lib.free_port())


if __name__ == "__main__":
    rounds.run("the cost of a 503", [refusals], {}, [])
