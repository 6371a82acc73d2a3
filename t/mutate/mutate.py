#!/usr/bin/env python3
"""mutate.py - puts faults into the sources, one at a time, and reports those that
no test notices

    mutate.py [-j N] [-s] [FILE|NAME ...]

A FILE of faults (*.faults, default: all next to this script) holds blocks:

    [name]
    file: fcgipm/pool/members.c
    effect: dead workers are still counted as idle
    tests: e2e/test_scale
    from:
    |	board_ended(ms->board, m->worker.slot);
    to:
    |	;

"from" must be in the file exactly once, as whole lines or within one.  All unit
tests run, then those of "tests", or, if the block names none, those of the
file's directory.  The first test that fails has caught the fault.  A NAME
selects faults whose name begins with it.

-j N    test N faults at a time, each in a copy of the tree below build/mutate
-s      only report whether each fault can still be put in
"""
import argparse
import os
import queue
import shutil
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
WORK = os.path.join(TOP, 'build', 'mutate')
LIMIT_S = 300

# Tests to run after the unit tests, by the longest matching prefix of the file.
TESTS = {
    'fcgipm/': ('serve', 'gateway', 'status', 'status_workers',
        'status_figures'),
    'fcgipm/base/': ('serve', 'log', 'address', 'ctl', 'status',
        'status_workers', 'status_figures'),
    'fcgipm/base/escape': ('status', 'log', 'ctl'),
    'fcgipm/conf/': ('config_errors', 'cgi_keys', 'start'),
    'fcgipm/ctl/': ('ctl', 'bad_servers', 'status', 'status_workers',
        'status_figures', 'help', 'control'),
    'fcgipm/gateway/': ('gateway', 'gateway_leaks',
        'fastcgi_records', 'fastcgi_requests', 'fastcgi_connections', 'queue',
        'refusals', 'locate', 'cgi_keys', 'rfc3875_request',
        'rfc3875_response', 'stream_answers', 'stream_uploads', 'alone',
        'hostile_clients', 'hostile_params', 'hostile_programs',
        'hostile_limits'),
    'fcgipm/master/': ('start', 'control', 'status', 'status_workers',
        'status_figures', 'stop', 'log'),
    'fcgipm/observe/': ('observe', 'observe_limits', 'observe_waits',
        'status_workers', 'status_figures', 'status', 'roll', 'scale', 'shim',
        'shim_processes', 'shim_calls', 'hostile_worker'),
    'fcgipm/overload/': ('overload', 'overload_faults', 'overload_storm',
        'refuser', 'refuser_forward', 'refuser_reject', 'queue'),
    'fcgipm/pool/': ('scale', 'roll', 'stop', 'status', 'status_workers',
        'status_figures', 'idle', 'backoff', 'respawn', 'drain', 'threads',
        'listener', 'death'),
    'fcgipm/proto/': ('gateway', 'rfc3875_request',
        'rfc3875_response', 'fastcgi_requests', 'fastcgi_connections',
        'cgi_keys'),
    'fcgipm/shim/': ('shim', 'shim_processes', 'shim_calls', 'accelerate',
        'status_workers', 'status_figures', 'status', 'hostile_worker',
        'threads', 'roll'),
    'fcgipm/sys/': ('privs', 'observe', 'address', 'start', 'status_workers',
        'status_figures', 'status', 'scale', 'overload', 'overload_faults',
        'overload_storm', 'drain', 'death'),
    'fcgipm/timeout/': ('timeout', 'slowlog'),
    'fcgipm/worker/': ('start', 'log', 'privs', 'respawn', 'stop',
        'backoff', 'death'),
}


class Fault:
    def __init__(self, name):
        self.name, self.file, self.effect, self.tests = name, '', '', []
        self.old, self.new = '', ''


def parse(path):
    """Reads the faults of one file."""
    faults, fault, into = [], None, None
    with open(path, encoding='utf-8') as f:
        for number, line in enumerate(f, 1):
            if line.startswith('|') and into:
                setattr(fault, into, getattr(fault, into) + line[1:])
                continue
            line = line.strip()
            into = None
            if line.startswith('['):
                fault = Fault(line.strip('[]'))
                faults.append(fault)
            elif line in ('from:', 'to:'):
                into = {'from:': 'old', 'to:': 'new'}[line]
            elif line and not line.startswith('#'):
                key, _, value = line.partition(':')
                if not fault or key not in ('file', 'effect', 'tests'):
                    sys.exit('%s:%d: what is "%s"?' % (path, number, key))
                setattr(fault, key, value.split() if key == 'tests' else
                        value.strip())
    return faults


def replace(text, fault):
    """Returns the text with the fault, and how often "from" occurs."""
    for old, new in ((fault.old, fault.new), (fault.old[:-1], fault.new[:-1])):
        if old and text.count(old) == 1:
            return text.replace(old, new), 1
    return text, text.count(fault.old[:-1]) if fault.old else 0


def put_in(tree, fault):
    """Returns why it cannot be put in, or None, and the original text."""
    path = os.path.join(tree, fault.file)
    try:
        with open(path, encoding='utf-8') as f:
            text = f.read()
    except OSError as e:
        return e.strerror, None
    changed, n = replace(text, fault)
    if n != 1:
        return '"from" occurs %d times in %s' % (n, fault.file), None
    with open(path, 'w', encoding='utf-8') as f:
        f.write(changed)
    return None, text


def tests_of(fault):
    if fault.tests:
        return fault.tests
    prefix = max((p for p in TESTS if fault.file.startswith(p)), key=len)
    return ['e2e/test_' + t for t in TESTS[prefix]]


def copy_tree(n):
    """Makes a copy of the tracked files, and builds it."""
    tree = os.path.join(WORK, str(n))
    os.makedirs(tree, exist_ok=True)
    files = subprocess.run(['git', 'ls-files', '-z'], cwd=TOP, check=True,
                           stdout=subprocess.PIPE).stdout
    for name in files.decode().split('\0'):
        source, to = os.path.join(TOP, name), os.path.join(tree, name)
        if not name or not os.path.isfile(source):
            continue
        os.makedirs(os.path.dirname(to), exist_ok=True)
        with open(source, 'rb') as a:
            data = a.read()
        # Keep unchanged files, so that make rebuilds only what changed.
        if not os.path.exists(to) or open(to, 'rb').read() != data:
            shutil.copyfile(source, to)
            shutil.copymode(source, to)
    return tree


def build(tree):
    return subprocess.run(['make', '-j2', 'tests'], cwd=tree,
                          stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).returncode == 0


def fails(tree, program):
    env = dict(os.environ, FCGIPM_SRC=tree,
               FCGIPM_BIN=os.path.join(tree, 'build', 'bin'),
               FCGIPM_T=os.path.join(tree, 'build', 't'))
    path = os.path.join(tree, 'build', 't', program)
    try:
        return subprocess.run([path, '--color=never'], env=env, cwd='/tmp',
                              stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL,
                              timeout=LIMIT_S).returncode != 0
    except subprocess.TimeoutExpired:
        return True


def unit_tests(tree):
    return sorted('unit/' + n for n in
                  os.listdir(os.path.join(tree, 'build', 't', 'unit'))
                  if n.startswith('test_') and '.' not in n)


def judge(tree, fault):
    """Returns the test that caught the fault, or None."""
    why, before = put_in(tree, fault)
    if why:
        return 'STALE: ' + why
    path = os.path.join(tree, fault.file)
    try:
        if not build(tree):
            return 'the compiler'
        for program in unit_tests(tree) + tests_of(fault):
            if fails(tree, program):
                return program
        return None
    finally:
        with open(path, 'w', encoding='utf-8') as f:
            f.write(before)


def work(n, todo, results, lock):
    tree = copy_tree(n)
    if not build(tree):
        sys.exit('mutate: the tree without a fault does not build')
    while True:
        try:
            fault = todo.get_nowait()
        except queue.Empty:
            return
        by = judge(tree, fault)
        with lock:
            results[fault.name] = by
            print('%-9s %-36s %s' % ('stale' if by and
                by.startswith('STALE') else 'caught' if by else 'SURVIVES',
                fault.name, by or fault.effect), flush=True)


def main():
    args = argparse.ArgumentParser(usage=__doc__)
    args.add_argument('-j', type=int, default=1)
    args.add_argument('-s', action='store_true')
    args.add_argument('what', nargs='*')
    args = args.parse_args()
    paths = [w for w in args.what if w.endswith('.faults')] or sorted(
        os.path.join(HERE, n) for n in os.listdir(HERE)
        if n.endswith('.faults'))
    names = [w for w in args.what if not w.endswith('.faults')]
    faults = [f for p in paths for f in parse(p) if not names or
              any(f.name.startswith(n) for n in names)]
    if args.s:
        stale = 0
        for f in faults:
            with open(os.path.join(TOP, f.file), encoding='utf-8') as s:
                n = replace(s.read(), f)[1]
            if n != 1:
                print('%s: "from" occurs %d times in %s' % (f.name, n, f.file))
                stale += 1
        print('%d faults, %d stale' % (len(faults), stale))
        return 1 if stale else 0
    todo, results, lock = queue.Queue(), {}, threading.Lock()
    for f in faults:
        todo.put(f)
    threads = [threading.Thread(target=work, args=(n, todo, results, lock))
               for n in range(min(args.j, max(len(faults), 1)))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    alive = [n for n, by in results.items() if by is None]
    stale = [n for n, by in results.items() if by and by.startswith('STALE')]
    print('%d faults, %d caught, %d survive, %d stale' % (len(results),
        len(results) - len(alive) - len(stale), len(alive), len(stale)))
    return 1 if alive or stale or len(results) < len(faults) else 0


if __name__ == '__main__':
    sys.exit(main())
