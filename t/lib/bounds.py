#!/usr/bin/env python3
"""bounds.py - checks the size of functions and files, and the bools of structs

    bounds.py FILE...

A function has at most 60 lines, from its name to its closing brace; a file at
most 600; a struct at most 6 members of type bool, including those of its
anonymous structs.  Prints each violation and then exits with status 1.  The
last line is the number of files, functions and structs.
"""
import re
import sys

FUNCTION_LINES = 60
FILE_LINES = 600
STRUCT_BOOLS = 6

# A function of fcgipm has its name at the start of a line, and both braces.
NAME = re.compile(r'^([A-Za-z_]\w*)\(')
# Functions of Criterion and of the fuzzer look like calls.
STRUCT = re.compile(r'^\s*(?:typedef |static |const |volatile )*'
                    r'(struct|union)\b\s*(?:__attribute__\(\(.*?\)\)\s*)?'
                    r'(\w*)[^;()]*\{')
BOOL = re.compile(r'(?:^|[{;])\s*(?:const |volatile |_Atomic )*'
                  r'(?:bool|_Bool)\s+([^;()]*);')


def strip_comments(text):
    """Returns the text without comments and the content of strings."""
    def blank(m):
        s = m.group(0)
        if s[0] in '"\'':
            return s[0] + s[0]
        return '\n' * s.count('\n')
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"'
                  r"|'(?:\\.|[^'\\\n])*'", blank, text, flags=re.S)


def functions(lines):
    """Yields name, first line and length of each function."""
    name = first = None
    for at, line in enumerate(lines, 1):
        m = NAME.match(line)
        if m and not line.rstrip().endswith(';'):
            name, first = line.rstrip('{ \n'), at
        elif line.startswith('}') and name:
            yield name, first, at - first + 1
            name = None


def structs(lines):
    """Name, line and number of bools of each struct that has a name, or of an
    outermost one without."""
    stack = []
    depth = 0
    rest = ''
    for at, line in enumerate(lines, 1):
        m = STRUCT.match(line)
        if m:
            stack.append([m.group(2), at, 0, depth])
        if stack:
            rest += line
            stack[-1][2] += sum(b.count(',') + 1 for b in BOOL.findall(rest))
            # A declaration may continue on the next line.
            rest = rest[max(rest.rfind(c) for c in ';{}') + 1:] + ' '
        depth += line.count('{') - line.count('}')
        while stack and depth <= stack[-1][3]:
            name, first, bools, _ = stack.pop()
            if stack and not name:
                stack[-1][2] += bools
            else:
                yield name or '(no name)', first, bools


def main(files):
    over = nfunctions = nstructs = 0
    for path in files:
        with open(path, encoding='utf-8') as f:
            text = f.read()
        lines = strip_comments(text).split('\n')
        length = text.count('\n')
        found = []
        if length > FILE_LINES:
            found.append((1, 'the file has %d lines, at most %d' %
                          (length, FILE_LINES)))
        for name, first, n in functions(lines):
            nfunctions += 1
            if n > FUNCTION_LINES:
                found.append((first, '%s has %d lines, at most %d' % (
                    name.split('(')[0] if not name.startswith('Test') else
                    name, n, FUNCTION_LINES)))
        for name, first, n in structs(lines):
            nstructs += 1
            if n > STRUCT_BOOLS:
                found.append((first, 'struct %s has %d bools, at most %d' %
                              (name, n, STRUCT_BOOLS)))
        for first, what in sorted(found):
            print('%s:%d: %s' % (path, first, what))
        over += len(found)
    print('%d files, %d functions, %d structs: %d above the limits' %
          (len(files), nfunctions, nstructs, over))
    return 1 if over else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
