# lib.py - functions for all benchmarks: a scratch directory, groups of
# processes that are measured and ended together, load, and statistics.  Needs
# only the standard library.
#
# CPU time is that of a cgroup (v2 or v1), so it includes programs that run for
# one request and are not reaped.  The client is not in the cgroup.
import contextlib
import ctypes
import json
import os
import platform
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

SRC = os.environ.get("FCGIPM_SRC") or os.path.realpath(
    os.path.join(os.path.dirname(__file__), "..", ".."))
BIN = os.environ.get("FCGIPM_BIN") or os.path.join(SRC, "build", "bin")
HANDLERS = os.path.join(BIN, "handlers")
HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(SRC, "build")
TICK = os.sysconf("SC_CLK_TCK")

# nginx and fcgiwrap are in sbin, which may not be in the PATH of a user.
os.environ["PATH"] += ":/usr/local/sbin:/usr/sbin:/sbin"


class Trouble(Exception):
    """An error that is printed without a traceback."""


def need(programs):
    """programs: {command: Debian package}.  Exits if one is missing."""
    missing = {c: p for c, p in programs.items() if not shutil.which(c)}
    if missing:
        raise Trouble("missing: %s; install: apt-get install %s" % (
            ", ".join(missing), " ".join(sorted(set(missing.values())))))


def median(values):
    return statistics.median(values)


def wait_for(what, condition, seconds=10):
    """Returns the first true value of condition()."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Trouble("timeout: " + what)
        time.sleep(0.01)


def stop_at_signals():
    """TERM, HUP and INT unwind the stack, so that all processes are ended."""
    def leave(number, _):
        for n in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(n, signal.SIG_IGN)
        raise SystemExit(128 + number)
    for n in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(n, leave)


# -- /proc ------------------------------------------------------------------

def read(path):
    try:
        with open(path) as f:
            return f.read()
    except OSError:
        return ""


def stat_fields(pid):
    """Returns fields of /proc/PID/stat from the state (field 3), or None."""
    text = read("/proc/%d/stat" % pid)
    return text.rpartition(")")[2].split() if text else None


def children(pid):
    found = []
    for task in tasks(pid):
        found += map(int, read("/proc/%d/task/%d/children" % (pid, task))
                     .split())
    return found


def tasks(pid):
    try:
        return [int(t) for t in os.listdir("/proc/%d/task" % pid)]
    except OSError:
        return []


def cpu_own(pid):
    """Returns CPU seconds of the process, with nanoseconds."""
    total = 0
    for task in tasks(pid):
        text = read("/proc/%d/task/%d/schedstat" % (pid, task))
        total += int(text.split()[0]) if text else 0
    return total / 1e9


def cpu_tree(pids):
    """Returns CPU seconds from /proc/PID/stat, including reaped children."""
    total = 0
    for pid in pids:
        f = stat_fields(pid)
        if f:
            total += sum(map(int, f[11:15]))
    return total / TICK


def voluntary_switches(pids):
    total = 0
    for pid in pids:
        for task in tasks(pid):
            m = re.search(r"^voluntary_ctxt_switches:\s*(\d+)",
                          read("/proc/%d/task/%d/status" % (pid, task)), re.M)
            total += int(m[1]) if m else 0
    return total


def memory(pid):
    """Returns KiB: (private, private dirty, proportional share)."""
    sums = dict(re.findall(r"^(\w+):\s*(\d+) kB",
                           read("/proc/%d/smaps_rollup" % pid), re.M))
    dirty = int(sums.get("Private_Dirty", 0))
    return (int(sums.get("Private_Clean", 0)) + dirty, dirty,
            int(sums.get("Pss", 0)))


def mappings(pid):
    """(inode, name, {"Private_Clean": KiB, ...}) of each mapping."""
    found = []
    for line in read("/proc/%d/smaps" % pid).splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            part = line.split(None, 5)
            found.append((part[3] + " " + part[4],
                          part[5] if len(part) > 5 else "anonymous", {}))
        elif line.endswith(" kB"):
            key, value, _ = line.split()
            found[-1][2][key[:-1]] = int(value)
    return found


def status_kib(pid, key):
    """Returns a value of /proc/PID/status, such as VmHWM."""
    m = re.search(r"^%s:\s*(\d+) kB" % key, read("/proc/%d/status" % pid),
                  re.M)
    return int(m[1])


def memory_alone(pid):
    """
    KiB by name of mapping that would be private if no other process ran this
    program.  The kernel calls a library's page shared as soon as a second
    supervisor maps it, so its own sum depends on what else happens to run.
    """
    program = os.path.basename(os.readlink("/proc/%d/exe" % pid))
    elsewhere = set()
    for other in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if os.path.basename(os.readlink("/proc/%s/exe" % other)
                                ).partition(" ")[0] == program:
                continue
            for line in read("/proc/%s/maps" % other).splitlines():
                part = line.split(None, 5)
                elsewhere.add(part[3] + " " + part[4])
    sums = {}
    for inode, name, kib in mappings(pid):
        own = kib.get("Private_Clean", 0) + kib.get("Private_Dirty", 0)
        if not inode.endswith(" 0") and inode not in elsewhere:
            own += kib.get("Shared_Clean", 0) + kib.get("Shared_Dirty", 0)
        if own:
            sums[name] = sums.get(name, 0) + own
    return sums


def memory_own(pids):
    """
    KiB these processes would need on a machine where only libc is in use:
    what they wrote, and what they read of other files, once.  Unlike the
    kernel's "private" it does not depend on other users of a library.
    """
    written, clean = 0, {}
    for pid in pids:
        of_pid = {}
        for inode, name, kib in mappings(pid):
            written += kib.get("Pss_Dirty", 0)
            if not inode.endswith(" 0") and not re.match(
                    r"(libc|ld-linux.*)\.so", os.path.basename(name)):
                of_pid[inode] = of_pid.get(inode, 0) + \
                    kib["Shared_Clean"] + kib["Private_Clean"]
        for inode, size in of_pid.items():
            clean[inode] = max(size, clean.get(inode, 0))
    return written + sum(clean.values())


# -- groups of processes ----------------------------------------------------

def cgroup_roots():
    """Returns mount points for a cgroup, and the file with its CPU time."""
    for line in read("/proc/self/mounts").splitlines():
        _, path, kind, options = line.split()[:4]
        if kind == "cgroup2":
            # Below the cgroup of this process, where writing may be allowed.
            mine = re.search(r"^0::(.*)$", read("/proc/self/cgroup"), re.M)
            yield path + (mine[1] if mine else ""), "cpu.stat"
            yield path, "cpu.stat"
        elif kind == "cgroup" and "cpuacct" in options.split(","):
            yield path, "cpuacct.usage"


class Group:
    """The processes of one contestant; `with` stops them all."""

    made = 0

    def __init__(self, name):
        self.name = name
        self.dir = None
        self.started = []
        Group.made += 1
        for root, self.usage in cgroup_roots():
            path = os.path.join(root, "fcgipm-bench-%d-%d" % (os.getpid(),
                                                              Group.made))
            with contextlib.suppress(OSError):
                os.mkdir(path)
                # Some cgroups can be made, but cannot be entered or do not
                # count.
                if os.access(path + "/cgroup.procs", os.W_OK) and \
                        os.path.exists(os.path.join(path, self.usage)):
                    self.dir = path
                    return
                os.rmdir(path)
        raise Trouble("cannot make a cgroup, and without one the CPU time of "
                      "programs that are not reaped is not seen; run as "
                      "root, or `systemd-run --user --scope -p Delegate=yes`")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # First the processes started here, in order; a supervisor stops its
        # own.
        for p in self.started:
            if p.poll() is None:
                p.terminate()
        for p in self.started:
            with contextlib.suppress(subprocess.TimeoutExpired):
                p.wait(3)
        for number in (signal.SIGTERM, signal.SIGKILL):
            end = time.monotonic() + 2
            for pid in self.pids():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            while self.pids() and time.monotonic() < end:
                self.reap()
                time.sleep(0.01)
        for p in self.started:
            p.poll()
        wait_for("end of " + self.name, self.remove)

    def remove(self):
        self.reap()
        try:
            os.rmdir(self.dir)
        except OSError:
            return False
        return True

    def reap(self):
        """Reaps orphans of a peer, see adopt_orphans()."""
        known = {p.pid for p in self.started}
        for pid in self.pids() + children(os.getpid()):
            f = stat_fields(pid)
            if f and f[0] == "Z" and pid not in known:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)

    def start(self, argv, **more):
        entry = (self.dir + "/cgroup.procs").encode()

        def enter():
            fd = os.open(entry, os.O_WRONLY)
            os.write(fd, b"0")
            os.close(fd)
        p = subprocess.Popen(argv, preexec_fn=enter, **more)
        self.started.append(p)
        return p

    def pids(self):
        return [int(p) for p in read(self.dir + "/cgroup.procs").split()]

    def cpu(self):
        text = read(os.path.join(self.dir, self.usage))
        if self.usage == "cpu.stat":
            return int(re.search(r"^usage_usec (\d+)", text, re.M)[1]) / 1e6
        return int(text) / 1e9


def adopt_orphans():
    """Orphans become children of this process, whatever process 1 does."""
    PR_SET_CHILD_SUBREAPER = 36
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1,
                                               0, 0, 0):
        raise Trouble("prctl: " + os.strerror(ctypes.get_errno()))


@contextlib.contextmanager
def scratch():
    path = tempfile.mkdtemp(prefix="fcgipm-bench-")
    # As root, nginx changes its user and must be able to enter.
    os.chmod(path, 0o711)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def start_fcgipm(group, tmp, name, settings):
    """Starts a supervisor with one pool; returns its process when ready."""
    address = os.path.join(tmp, name + ".sock")
    config = os.path.join(tmp, name + ".ini")
    log = os.path.join(tmp, name + ".log")
    with open(config, "w") as f:
        f.write("[fcgipm]\ncontrol = %s.control\n" %
                os.path.join(tmp, name))
        f.write("[%s]\n" % name)
        for key, value in dict({"listen": address, "listen.mode": "0666"},
                               **settings).items():
            f.write("%s = %s\n" % (key, value))
    with open(log, "w") as f:
        p = group.start([os.path.join(BIN, "fcgipm"), "-c", config],
                        stdin=subprocess.DEVNULL, stdout=f, stderr=f)
    try:
        wait_for("pool %s" % name,
                 lambda: "ready:" in read(log) or p.poll() is not None)
    except Trouble as e:
        raise Trouble("%s\n%s" % (e, read(log)))
    if p.poll() is not None:
        raise Trouble("fcgipm ended:\n" + read(log))
    return p, address


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start_http(group, port, log, argv):
    """Starts a web server; returns when its port is open."""
    with open(log, "a") as f:
        p = group.start(argv, stdin=subprocess.DEVNULL, stdout=f, stderr=f)

    def up():
        if p.poll() is not None:
            raise Trouble("%s ended:\n%s" % (argv[0], read(log)))
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
    wait_for(argv[0], up)
    return p


# -- load -------------------------------------------------------------------

def script_of(handler):
    """Returns the path of a program in HANDLERS, or a full path."""
    return "SCRIPT_FILENAME=" + os.path.join(HANDLERS, handler)


def bench(address, handler, connections, seconds=None, count=None,
          options=(), strict=True):
    """
    Runs fcgipmctl bench.  Every request must be answered, unless
    strict is false: then result["failed"] counts those that were not.
    """
    argv = [os.path.join(BIN, "fcgipmctl"), "bench", address,
            "-c", str(connections), "-j", "-p", script_of(handler)]
    argv += ["-n", str(count)] if count else ["-d", str(seconds)]
    argv += list(options) + ["/" + os.path.basename(handler)]
    done = subprocess.run(argv, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)
    try:
        result = json.loads(done.stdout)
    except ValueError:
        raise Trouble("%s\n%s" % (" ".join(argv), done.stderr))
    bad = {k: v for k, v in result["errors"].items() if v}
    bad.update({k: v for k, v in result["status"].items()
                if v and k != "2xx"})
    result["answered"] = result["status"]["2xx"]
    result["failed"] = sum(bad.values())
    if (strict and bad) or not result["answered"]:
        raise Trouble("%s: not every request was answered: %s" % (
            " ".join(argv), bad or "none was"))
    return result


def wrk(port, name, connections, seconds, strict=True):
    """Runs wrk for whole seconds; strict as for bench()."""
    argv = ["wrk", "-t1", "-c%d" % connections, "-d%ds" % max(1, seconds),
            "--timeout", "20s", "-s", os.path.join(HERE, "wrk.lua"),
            "http://127.0.0.1:%d/%s" % (port, name)]
    done = subprocess.run(argv, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    line = [x for x in done.stdout.splitlines() if x.startswith("RESULT ")]
    if not line:
        raise Trouble(" ".join(argv) + "\n" + done.stdout)
    word = line[0].split()
    count, us, errors = map(int, word[1:4])
    if (strict and errors) or not count:
        raise Trouble("%s: %d of %d requests failed" % (
            " ".join(argv), errors, count))
    curve = {float(k): int(v) for k, v in
             (x.split("=") for x in word[4:])}
    return {"answered": count, "failed": errors, "req_per_s": count * 1e6 / us,
            "curve": curve, "p50_us": curve[50], "p99_us": curve[99]}


def record(kind, content):
    return bytes((1, kind, 0, 1)) + len(content).to_bytes(2, "big") + \
        b"\0\0" + content


def pair(name, value):
    """Lengths of four bytes are always allowed (section 3.4)."""
    return b"".join((len(x) | 1 << 31).to_bytes(4, "big")
                    for x in (name, value)) + name + value


def preamble(handler, **params):
    """BEGIN_REQUEST as responder without KEEP_CONN, and the parameters
    (FastCGI 1.0, sections 3.3 and 5.1)."""
    params = dict({"REQUEST_METHOD": "GET", "SCRIPT_NAME": "/hello",
                   "SCRIPT_FILENAME": os.path.join(HANDLERS, handler)},
                  **params)
    return record(1, b"\0\1\0\0\0\0\0\0") + record(4, b"".join(
        pair(k.encode(), v.encode()) for k, v in params.items())) + \
        record(4, b"")


# The end of a body, or all of an empty body.
NO_BODY = record(5, b"")


def connect(address, handler, **params):
    """Sends a request without a body; returns the socket."""
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(10)
    try:
        s.connect(address)
        s.sendall(preamble(handler, **params) + NO_BODY)
    except OSError:
        s.close()
        raise
    return s


def answered(path, handler="hello"):
    """Sends one request; returns whether it was answered."""
    got = b""
    try:
        with connect(path, handler) as s:
            while True:
                more = s.recv(65536)
                if not more:
                    break
                got += more
    except (ConnectionError, FileNotFoundError):
        return False
    return b"Hello" in got


# -- words ------------------------------------------------------------------

def version(argv):
    """Returns the version that a program prints, such as 1.22.1."""
    try:
        done = subprocess.run(argv, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=5)
    except OSError:
        return "missing"
    number = re.search(r"\d+\.\d+(\.\d+)*", done.stdout)
    return number[0] if number else "?"


def machine(programs):
    """Returns lines about the machine and the versions; programs: [argv]."""
    model = re.search(r"^model name\s*:\s*(.*)$", read("/proc/cpuinfo"), re.M)
    ram = int(re.search(r"MemTotal:\s*(\d+)", read("/proc/meminfo"))[1])
    release = re.search(r'^PRETTY_NAME="?([^"\n]*)', read("/etc/os-release"),
                        re.M)
    lines = ["machine: %s, %d cores, %.1f GiB, Linux %s, %s" % (
        model[1] if model else platform.machine(),
        len(os.sched_getaffinity(0)), ram / 2**20, platform.release(),
        release[1] if release else "?"),
        "load before: " + " ".join(read("/proc/loadavg").split()[:3])]
    lines.append("versions: " + ", ".join(
        "%s %s" % (os.path.basename(a[0]), version(a)) for a in programs))
    return lines


def plot(name):
    """Runs name.gp, which plots the files in build/."""
    done = subprocess.run(["gnuplot", "-e", "dir='%s'" % OUT,
                           os.path.join(HERE, name + ".gp")],
                          stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise Trouble("gnuplot: " + done.stderr)


def run(main):
    os.makedirs(OUT, exist_ok=True)
    stop_at_signals()
    try:
        sys.exit(main())
    except Trouble as e:
        print("%s: %s" % (os.path.basename(sys.argv[0]), e), file=sys.stderr)
        sys.exit(1)
