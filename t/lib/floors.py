#!/usr/bin/env python3
"""floors.py - checks the layers of fcgipm/: which file includes which

    floors.py [DIRECTORY]

Each directory belongs to a layer (floor).  A file includes headers of its own
directory and of directories in lower layers.  A module is a .c file and the
header of its name; no module may depend on itself through others.  Prints
includes of higher layers and cycles, and then exits with status 1.  The table
in ARCHITECTURE.md must have the directories in this order and all modules.
"""
import os
import re
import sys

# Lowest layer first; directories of one layer do not include each other.
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
# Programs that may include less than their layer allows: directories or
# modules.
ONLY = {
    'gateway': ('base', 'proto', 'conf', 'sys', 'worker/limits', 'overload'),
    'ctl': ('base', 'proto', 'conf', 'sys'),
}
# Modules that the gateway must not include, although it may include their
# directory.
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
    """Returns (file, line, included file) for each include of the tree, and
    the files; all paths are relative to top."""
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
                # Children include the shared layout by its file name.
                near = [d + '/' + to for d in (path.split('/')[0], 'shim')]
                to = next((p for p in near if p in files), None)
            if to:
                arrows.append((path, text.count('\n', 0, m.start()) + 1, to))
    return arrows, files


def why_not(path, to):
    """Returns what is wrong with this include, or None."""
    a, b = path.split('/')[0], to.split('/')[0]
    if a == b:
        return None
    if floor_of(a) is None or floor_of(b) is None:
        return 'one of the directories has no layer'
    if a in ONLY and b not in ONLY[a] and module_of(to) not in ONLY[a]:
        return '%s/ may include %s' % (a, ', '.join(ONLY[a]))
    if a == 'gateway' and module_of(to) in SUPERVISOR:
        return '%s belongs to the supervisor' % module_of(to)
    if floor_of(b) == floor_of(a):
        return '%s/ and %s/ are in the same layer' % (a, b)
    if floor_of(b) > floor_of(a):
        return 'the header is in a higher layer'
    return None


def cycles(arrows):
    """Returns sets of modules that depend on each other (Tarjan)."""
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
            print('fcgipm/%s/ has no layer: see floors.py' % room)
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
    listed = [room for room, _ in rows]
    named = {room + '/' + word for room, row in rows
             for word in WORD.findall(row)}
    for module in sorted({module_of(f) for f in files} - named):
        print('ARCHITECTURE.md: its table does not name %s' % module)
        bad += 1
    floors = [floor_of(room) for room in listed]
    if sorted(listed) != sorted(r for rooms in FLOORS for r in rooms) or \
            floors != sorted(floors):
        print('ARCHITECTURE.md: its table has the directories %s; write, in '
              'this order: %s' % (', '.join(listed),
                             '; '.join(', '.join(r) for r in FLOORS)))
        bad += 1
    print('%d directories, %d modules, %d includes: %d against the layers' %
          (len({f.split('/')[0] for f in files}),
           len({module_of(f) for f in files}), len(arrows), bad))
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else '.'))
