# rounds.py - runs contestants in interleaved rounds of load, and judges the
# result.  Every figure is a median; a ratio is the median of the ratios of the
# rounds.  CPU time per request is more reliable than requests per second,
# because the client uses half of the CPU.
import argparse
import contextlib
import csv
import os
import subprocess
import sys
import time

import lib
from lib import Trouble, bench, median

failures = []
verdicts = []


def gate(name, reached, form="%.3f x", at_most=None, at_least=None,
         stretch=None):
    """Prints one line of the verdict; form formats the numbers with a unit."""
    limit = at_least if at_most is None else at_most
    good = reached <= limit if at_most is not None else reached >= limit
    if not good:
        failures.append(name)
    unit = (form % reached).partition(" ")[2]
    verdicts.append("  %-4s  %-54s goal %s %-9s measured %s%s" % (
        "PASS" if good else "FAIL", name, "<=" if at_most is not None else
        ">=", "%g %s" % (limit, unit), form % reached,
        "" if stretch is None else "  (stretch %g)" % stretch))
    print(verdicts[-1])


def note(name, text):
    print("  note  %-54s %s" % (name, text))


class Contestant:
    """A server that is compared, when it answers."""

    def __init__(self, stack, name, start, answers, shoot):
        """shoot(connections, seconds, count) makes one round of load; what
        stands for the connections may be any kind of load."""
        self.name = name
        self.shoot = shoot
        self.group = stack.enter_context(lib.Group(name))
        self.main = start(self.group)
        lib.wait_for(name, answers)
        self.rounds = {}
        self.counts = {}

    def warm(self, connections, seconds):
        """Determines the number of requests per round: all are finished when
        it ends, so that all their CPU time is counted."""
        rate = self.shoot(connections, min(seconds, 0.5), None)["req_per_s"]
        self.counts[connections] = max(connections, int(rate * seconds))

    def load(self, connections, seconds):
        """Runs one round of load and stores its results."""
        cpu = self.group.cpu()
        pids = self.group.pids()
        tree = lib.cpu_tree(pids)
        own = sum(map(lib.cpu_own, pids))
        r = self.shoot(connections, seconds, self.counts.get(connections))
        n = r["answered"]
        r["cpu_us"] = (self.group.cpu() - cpu) * 1e6 / n
        r["tree_us"] = (lib.cpu_tree(pids) - tree) * 1e6 / n
        r["own_us"] = (sum(map(lib.cpu_own, pids)) - own) * 1e6 / n
        self.rounds.setdefault(connections, []).append(r)

    def figure(self, connections, key):
        return median([r[key] for r in self.rounds[connections]])

    def failed(self, connections):
        return sum(r["failed"] for r in self.rounds[connections])


def start_detached(argv):
    def start(group):
        p = group.start(argv, stdin=subprocess.DEVNULL,
                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if p.wait(10):
            raise Trouble("%s: exit status %d" % (argv[0], p.returncode))
        return None
    return start


def start_foreground(argv, **more):
    return lambda group: group.start(argv, stdin=subprocess.DEVNULL,
                                     stdout=subprocess.DEVNULL,
                                     stderr=subprocess.DEVNULL, **more)


def fastcgi(stack, name, address, start, handler="hello", options=(),
            strict=True):
    """A contestant on a unix socket; options are fcgipmctl's."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(address)  # a peer before it may have left it
    c = Contestant(stack, name, start,
                   lambda: lib.answered(address, handler),
                   lambda connections, seconds, count: bench(
                       address, handler, connections, seconds, count,
                       options, strict))
    c.address = address
    return c


def fcgipm(stack, tmp, name, label, settings, **more):
    return fastcgi(stack, label, os.path.join(tmp, name + ".sock"),
                   lambda g: lib.start_fcgipm(g, tmp, name, settings)[0],
                   **more)


def interleave(contestants, connections, rounds, seconds):
    for c in contestants:
        c.warm(connections, seconds)
    for _ in range(rounds):
        for c in contestants:
            c.load(connections, seconds)


def ratio(ours, theirs, connections, key):
    return median([a[key] / b[key] for a, b in zip(
        ours.rounds[connections], theirs.rounds[connections])])


def table(contestants, connections):
    print("\nC hello, %d rounds, %d connection%s" % (
        len(contestants[0].rounds[connections]), connections,
        "s" if connections > 1 else ""))
    print("  %-26s %10s %17s %9s %8s %8s %8s %7s" % (
        "", "CPU us/req", "(lowest-highest)", "in /proc", "req/s", "p50 us",
        "p99 us", "errors"))
    for c in contestants:
        cpu = [r["cpu_us"] for r in c.rounds[connections]]
        print("  %-26s %10.1f %17s %9.1f %8.0f %8.0f %8.0f %7d" % (
            c.name, median(cpu), "(%.1f-%.1f)" % (min(cpu), max(cpu)),
            c.figure(connections, "tree_us"),
            c.figure(connections, "req_per_s"),
            c.figure(connections, "p50_us"), c.figure(connections, "p99_us"),
            c.failed(connections)))


def write_csv(name, contestants, load="connections",
              keys=("req_per_s", "p50_us", "p99_us")):
    with open(os.path.join(lib.OUT, name + ".csv"), "w", newline="") as f:
        w = csv.writer(f, lineterminator="\n")
        w.writerow(("contestant", load, "rounds", "cpu_us", "cpu_us_lowest",
                    "cpu_us_highest") + keys)
        for c in contestants:
            for x, results in sorted(c.rounds.items()):
                used = [r["cpu_us"] for r in results]
                w.writerow([c.name, x, len(results)] + [
                    "%.2f" % v for v in
                    [median(used), min(used), max(used)] +
                    [c.figure(x, k) for k in keys]])


def agree(contestants, connections):
    """If no process ignores SIGCHLD, /proc and the cgroup must agree."""
    for c in contestants:
        cgroup = c.figure(connections, "cpu_us")
        tree = c.figure(connections, "tree_us")
        off = abs(tree / cgroup - 1)
        note("CPU of " + c.name + " by /proc and cgroup",
             "cgroup %.1f, /proc %.1f us/req (%.0f %% apart)" % (
                 cgroup, tree, off * 100))


def idle_wakeups(contestants, seconds):
    """Counts wake-ups of idle contestants."""
    sets = {c.name: c.group.pids() for c in contestants}
    # Wait for what a request left pending, such as a linger or a back-off.
    lib.wait_for("idle pools", lambda: quiet(sets), 15)
    before = {n: lib.voluntary_switches(p) for n, p in sets.items()}
    time.sleep(seconds)
    for name, pids in sets.items():
        gate("idle wake-ups, " + name, (lib.voluntary_switches(pids) -
             before[name]) / seconds, "%g /s", at_most=0)


def quiet(sets):
    pids = [p for s in sets.values() for p in s]
    before = lib.voluntary_switches(pids)
    time.sleep(1)
    return lib.voluntary_switches(pids) == before


def run(title, parts, programs, versions, table=False):
    """
    Runs a benchmark.  parts: functions(tmp, quick), which the
    command line selects by name; programs: see lib.need; versions: commands
    that print theirs; table: print all verdicts again at the end.  Exit
    status 0: every gate passed.
    """
    def main():
        p = argparse.ArgumentParser(description=title)
        p.add_argument("--quick", action="store_true", help="a smoke run")
        names = [f.__name__ for f in parts]
        p.add_argument("only", nargs="*", metavar="PART",
                       help="of: " + " ".join(names))
        args = p.parse_args()
        for name in args.only:
            if name not in names:
                p.error("no part %s; there are %s" % (name, " ".join(names)))
        lib.need(programs)
        lib.adopt_orphans()
        print("\n".join(lib.machine(
            [[os.path.join(lib.BIN, "fcgipm"), "-V"]] + versions)))
        start, busy = time.monotonic(), os.getloadavg()[0]
        with lib.scratch() as tmp:
            for part in parts:
                if not args.only or part.__name__ in args.only:
                    part(tmp, args.quick)
        if table:
            print("\n" + "\n".join(verdicts))
        if busy > len(os.sched_getaffinity(0)) / 2:
            print("\nThe load of the machine was %.1f before the start: CPU "
                  "per request is valid, requests/s and times are not." % busy)
        print("\n%d s; %s" % (
            time.monotonic() - start, "failed: " + "; ".join(failures)
            if failures else "every gate passed"))
        return 1 if failures else 0

    sys.stdout.reconfigure(line_buffering=True)
    lib.run(main)
