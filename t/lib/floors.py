#!/usr/bin/env python3
"""floors.py - who may include whom in fcgipm/

    floors.py [DIRECTORY]

A directory is a room and stands on a floor.  A file includes headers of its
own room and of rooms on lower floors.  A module is a .c file and the header of
its name; no module may depend on itself through others.  Arrows that point up
and cycles are printed and make the exit status 1, and so does a table in
ARCHITECTURE.md that has its rooms in another order or lacks a module.
"""
import os
import re
import sys

# Ground first; rooms on one floor do not know each other.
FLOORS = (
    ('base', 'shim'),
    ('proto',),
    ('conf',),
    ('sys',),
    ('observe',),
    ('worker',),
    ('timeout', 'overload'),
    ('pool',),
    ('gateway', 'ctl', 'master'),
)
# Programs that know less than their floor would let them: rooms, or modules.
ONLY = {
    'gateway': ('base', 'proto', 'conf', 'sys', 'worker/limits', 'overload'),
    'ctl': ('base', 'proto', 'conf', 'sys'),
}
# Modules that the gateway may not have in it though it knows their room.
SUPERVISOR = ('overload/overload', 'overload/queue', 'overload/orders')

INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.M)
ROW = re.compile(r'^\| `fcgipm/(\w+)/` \|(.*)$', re.M)
WORD = re.compile(r'`([\w-]+)(?:\.h)?`')


def floor_of(room):
    for n, rooms in enumerate(FLOORS):
        if room in rooms:
            return n
    return None


def module_of(path):
    return os.path.splitext(path)[0]


def read_tree(top):
    """(file, line, included file) for each include of ours, both relative to
    top; the files."""
    arrows, files = [], []
    for room in sorted(os.listdir(top)):
        if not os.path.isdir(os.path.join(top, room)):
            continue
        for name in sorted(os.listdir(os.path.join(top, room))):
            if name.endswith(('.c', '.h')):
                files.append(room + '/' + name)
    for path in files:
        with open(os.path.join(top, path), encoding='utf-8') as f:
            text = f.read()
        for m in INCLUDE.finditer(text):
            to = m.group(1)
            if to not in files:
                # Children include the layout that they share by its name.
                near = [d + '/' + to for d in (path.split('/')[0], 'shim')]
                to = next((p for p in near if p in files), None)
            if to:
                arrows.append((path, text.count('\n', 0, m.start()) + 1, to))
    return arrows, files


def why_not(path, to):
    """What is wrong with this include, or None."""
    a, b = path.split('/')[0], to.split('/')[0]
    if a == b:
        return None
    if floor_of(a) is None or floor_of(b) is None:
        return 'one of the rooms stands on no floor'
    if a in ONLY and b not in ONLY[a] and module_of(to) not in ONLY[a]:
        return '%s/ may include %s' % (a, ', '.join(ONLY[a]))
    if a == 'gateway' and module_of(to) in SUPERVISOR:
        return "%s is the supervisor's" % module_of(to)
    if floor_of(b) == floor_of(a):
        return '%s/ and %s/ are on one floor' % (a, b)
    if floor_of(b) > floor_of(a):
        return 'the include points up'
    return None


def cycles(arrows):
    """Sets of modules that depend on each other, by Tarjan's way."""
    graph = {}
    for path, _, to in arrows:
        a, b = module_of(path), module_of(to)
        graph.setdefault(b, set())
        graph.setdefault(a, set())
        if a != b:
            graph[a].add(b)
    index, low, stack, found = {}, {}, [], []

    def visit(v):
        index[v] = low[v] = len(index)
        stack.append(v)
        for w in sorted(graph[v]):
            if w not in index:
                visit(w)
                low[v] = min(low[v], low[w])
            elif w in stack:
                low[v] = min(low[v], index[w])
        if low[v] == index[v]:
            knot = set()
            while v not in knot:
                knot.add(stack.pop())
            if len(knot) > 1:
                found.append(knot)

    sys.setrecursionlimit(10000)
    for v in sorted(graph):
        if v not in index:
            visit(v)
    return found


def main(top):
    bad = 0
    arrows, files = read_tree(os.path.join(top, 'fcgipm'))
    for room in sorted({f.split('/')[0] for f in files}):
        if floor_of(room) is None:
            print('fcgipm/%s/ stands on no floor: see floors.py' % room)
            bad += 1
    for path, line, to in arrows:
        why = why_not(path, to)
        if why:
            print('fcgipm/%s:%d: includes "%s": %s' % (path, line, to, why))
            bad += 1
    for knot in cycles(arrows):
        print('a cycle of %d modules: %s' %
              (len(knot), ', '.join(sorted(knot))))
        for path, line, to in arrows:
            a, b = module_of(path), module_of(to)
            if a != b and a in knot and b in knot:
                print('    fcgipm/%s:%d: includes "%s"' % (path, line, to))
        bad += 1
    with open(os.path.join(top, 'ARCHITECTURE.md'), encoding='utf-8') as f:
        rows = ROW.findall(f.read())
    told = [room for room, _ in rows]
    named = {room + '/' + word for room, row in rows
             for word in WORD.findall(row)}
    for module in sorted({module_of(f) for f in files} - named):
        print('ARCHITECTURE.md: its table does not name %s' % module)
        bad += 1
    floors = [floor_of(room) for room in told]
    if sorted(told) != sorted(r for rooms in FLOORS for r in rooms) or \
            floors != sorted(floors):
        print('ARCHITECTURE.md: its table has the rooms %s; write, in this '
              'order: %s' % (', '.join(told),
                             '; '.join(', '.join(r) for r in FLOORS)))
        bad += 1
    print('%d rooms, %d modules, %d includes: %d against the floors' %
          (len({f.split('/')[0] for f in files}),
           len({module_of(f) for f in files}), len(arrows), bad))
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else '.'))
