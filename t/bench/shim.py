#!/usr/bin/env python3
# shim.py - measures the cost of libfcgipm-shim.so per request (`make
# bench-pool`): the same program with and without it, in turns.
import contextlib
import fcntl
import mmap
import os
import socket
import statistics
import struct
import subprocess

import lib
import rounds
from lib import HANDLERS, SRC, Trouble, median
from rounds import fastcgi, gate, note

BENCH = os.path.join(os.environ.get("FCGIPM_T") or os.path.join(
    SRC, "build", "t"), "bench")
SHIM = os.path.join(os.path.dirname(lib.BIN), "lib", "libfcgipm-shim.so")
# From shim/fcgipm-board.h: sizes of head, slot and cell; offsets of pid and
# requests.
MAGIC, VERSION, HEAD, SLOT, CELL = b"FCGIPMB1", 1, 128, 128, 320
PID, REQUESTS = HEAD + 64, HEAD + 64 + 32
F_ADD_SEALS, SHRINK_GROW_SEAL = 1033, 0x7


class Board:
    """A board with one slot, like one of the supervisor."""

    def __init__(self):
        self.fd = os.memfd_create("fcgipm-board", os.MFD_CLOEXEC |
                                  os.MFD_ALLOW_SEALING)
        size = HEAD + SLOT + CELL
        os.ftruncate(self.fd, size)
        fcntl.fcntl(self.fd, F_ADD_SEALS, SHRINK_GROW_SEAL)
        self.map = mmap.mmap(self.fd, size)
        struct.pack_into("=8s8I", self.map, 0, MAGIC, VERSION, HEAD, SLOT,
                         CELL, 1, 0, 1, 1)
        # Replaces the eventfd: nothing is armed, so it is not written.
        self.eventfd = os.open("/dev/null", os.O_WRONLY | os.O_CLOEXEC)

    def requests(self):
        """Returns the requests of its worker; None without one."""
        pid, = struct.unpack_from("=i", self.map, PID)
        return struct.unpack_from("=Q", self.map, REQUESTS)[0] if pid else None


def given(board):
    """Returns arguments for subprocess; without a board, no shim."""
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin",
           "PHP_FCGI_MAX_REQUESTS": "0"}
    if not board:
        return {"env": env}
    fds = (board.fd, board.eventfd)
    env.update(LD_PRELOAD=SHIM, FCGIPM_WORKER="0", FCGIPM_BOARD="%d:%d" % fds)
    return {"env": env, "pass_fds": fds}


def starter(address, argv, board):
    """Starts one worker on a socket."""
    def start(group):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(address)
            listener.listen(64)
            return group.start(argv, stdin=listener,
                               stdout=subprocess.DEVNULL, **given(board))
    return start


def cost(tmp, name, argv, handler, quick):
    options = ("-p", "REDIRECT_STATUS=200")
    with contextlib.ExitStack() as stack:
        board = Board()
        both = [fastcgi(stack, label, os.path.join(tmp, short + ".sock"),
                        starter(os.path.join(tmp, short + ".sock"), argv,
                                b), handler, options)
                for label, short, b in (("alone", "alone", None),
                                        ("with the shim", "shim", board))]
        if board.requests() is None:
            raise Trouble(name + " does not use the shim")
        before = board.requests()
        rounds.interleave(both, 1, *((3, 0.2) if quick else (21, 0.5)))
        alone, shim = both
        asked = sum(r["answered"] for r in shim.rounds[1])
        # fcgipmctl does not report the requests of its warm-up round.
        if board.requests() - before < asked:
            raise Trouble("%s: not every request was counted" % name)
        used = [b["own_us"] - a["own_us"]
                for a, b in zip(alone.rounds[1], shim.rounds[1])]
        low, _, high = statistics.quantiles(used, n=4)
        note(name + ", CPU of the worker",
             "%.2f us/req alone, %.2f more with the shim "
             "(the middle half: %.2f to %.2f)" % (
                 alone.figure(1, "own_us"), median(used), low, high))


def talk(address, board, count, keep):
    """Returns us of CPU per request, by t/bench/self_talk."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(address)
    argv = [os.path.join(BENCH, "self_talk"), address, str(count)]
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(64)
        done = subprocess.run(argv + ["keep"] * keep, stdin=listener,
                              stdout=subprocess.PIPE, check=True,
                              **given(board))
    return float(done.stdout) / 1e3


def calls(tmp, quick):
    """Measures only the calls: the difference is the shim."""
    print()
    count, turns = (2000, 5) if quick else (20000, 41)
    for keep in (False, True):
        address = os.path.join(tmp, "talk.sock")
        pairs, warm = [], True
        for _ in range(turns + 1):
            board = Board()
            pair = (talk(address, None, count, keep),
                    talk(address, board, count, keep))
            if board.requests() != count:
                raise Trouble("%s of %d requests were counted" % (
                    board.requests(), count))
            if not warm:
                pairs.append(pair)
            warm = False
        name = "keep-alive connections" if keep else "one connection each"
        note("calls of a request and its client, " + name,
             "%.2f us alone, %.2f with the shim" % tuple(
                 median([p[i] for p in pairs]) for i in (0, 1)))
        gate("shim: CPU it adds to a request, " + name,
             median([b - a for a, b in pairs]), "%.2f us", at_most=1.3)


def programs(tmp, quick):
    """The same for real programs, where wake-ups and caches vary by more than
    the measured difference."""
    print()
    script = os.path.join(SRC, "t", "children", "fcgi.py")
    for name, argv, handler in (
            ("libfcgi", [os.path.join(HANDLERS, "hello")], "hello"),
            ("Perl", [os.path.join(HANDLERS, "hello.pl")], "hello.pl"),
            ("php-cgi", ["php-cgi"], os.path.join(SRC, "handlers",
                                                  "hello.php")),
            ("Python", [script], "hello")):
        cost(tmp, name, argv, handler, quick)


if __name__ == "__main__":
    rounds.run("the cost of the shim", [calls, programs],
               {"php-cgi": "php-cgi"}, [])
