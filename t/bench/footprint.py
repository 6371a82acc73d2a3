# footprint.py - measures the memory of a gateway, idle and for each request
# (`make bench-gateway BENCH=memory`).
import contextlib

import lib
import rounds
from rounds import fcgipm, gate
from servers import HELLO, T, cgi, fcgiwrap
from streams import STREAMER

ASLEEP = 100


def memory(tmp, quick):
    at_rest(tmp, quick)
    in_flight(tmp)


def at_rest(tmp, quick):
    """Measures idle memory; the supervisor counts, since it has one pool."""
    with contextlib.ExitStack() as stack:
        ours = cgi(stack, tmp)
        wrap = fcgiwrap(stack, tmp, 2)
        kib = {}
        for c in (ours, wrap):
            lib.bench(c.address, HELLO, 8, count=500)
            lib.wait_for("the last program of " + c.name, lambda: len(
                c.group.pids()) == (2 if c is ours else 3))
            kib[c] = lib.memory_own(c.group.pids())
        print()
        gate("own memory when idle v fcgiwrap -c 2", kib[ours],
             "%d KiB", at_most=kib[wrap])
        for c in kib:
            rounds.note("%s, each process" % c.name, ", ".join(
                "%d KiB private, PSS %d" % lib.memory(p)[::2]
                for p in sorted(c.group.pids())))
        rounds.idle_wakeups([ours], 2 if quick else 5)


def in_flight(tmp):
    """Returns the anonymous memory of a gateway after one request."""
    with contextlib.ExitStack() as stack:
        ours = fcgipm(stack, tmp, "many", "fcgipm cgi", {
            "mode": "cgi", "docroot": T, "pm.max_children": ASLEEP},
            handler=HELLO)
        gateway, = lib.children(ours.main.pid)
        before = lib.status_kib(gateway, "RssAnon")
        for _ in range(ASLEEP):
            stack.enter_context(lib.connect(ours.address, STREAMER,
                                            QUERY_STRING="sleep"))
        lib.wait_for("%d programs" % ASLEEP, lambda: len(
            lib.children(gateway)) == ASLEEP)
        gate("heap per request in flight, of %d" % ASLEEP,
             (lib.status_kib(gateway, "RssAnon") - before) / ASLEEP,
             "%.1f KiB", at_most=16)
