#!/usr/bin/env python3
"""messages.py - lists every line that the programs log, with what to do

    messages.py             print the lists
    messages.py -w          write them into the manual pages
    messages.py -c          fail if a page differs, or an action is missing

A line is a call of log_error(), log_warning() or log_notice(), or a reason of
failure_set(), in a .c file of fcgipm/.  The comment right before the call may
say what an administrator does about it:

    /* Action: raise pm.max_children. */

Errors, warnings and reasons must have one, unless the message itself says it
after a semicolon.  A message that is there twice needs it once.
"""
import argparse
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BEGIN = '.\\" messages begin; make messages writes what follows\n'
END = '.\\" messages end\n'

# The manual page that lists the messages of each directory.
PAGES = {
    'man/fcgipm.8': ('base', 'conf', 'sys', 'observe', 'worker', 'timeout',
                     'overload', 'pool', 'master'),
    'man/fcgipm-cgi.8': ('gateway',),
}
CALLS = {'log_error': ('error', 0), 'log_warning': ('warning', 0),
         'log_notice': ('notice', 0), 'failure_set': (None, 2)}
CALL = re.compile(r'\b(%s)\(' % '|'.join(CALLS))
TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])+\'|/\*.*?\*/|.',
                   re.S)
CONVERSION = re.compile(r'%(?:%|[-+ #0]*(\*|\d+)?(?:\.(\*|\d+))?'
                        r'(?:hh|h|ll|l|j|z)?([diouxXscmpf]))')
ACTION = re.compile(r'/\*\s*Action:\s*((?:(?!\*/).)*?)\s*\*/\s*(?:return\s*|'
                    r'if \([^;{]*\)\s*|else\s*)?$', re.S)

# The name of an argument in the lists, by the end of its expression.
NAMES = (
    (r'strerror\(.*\)$', 'ERROR'),
    (r'(?:conf|pool)->name$|\bpool_name|pool_text', 'POOL'),
    (r'pid\b', 'PID'),
    (r'addr(?:\.|->)text$|address', 'ADDRESS'),
    (r'path|file', 'PATH'),
)


class Message:
    def __init__(self, level, text, action, where):
        self.level, self.text, self.where = level, text, where
        self.action = action


def split_arguments(text):
    """The arguments of the call whose "(" is before text[0], and its end."""
    args, depth, begin = [], 0, 0
    for m in TOKEN.finditer(text):
        t = m.group()
        if t in '([{':
            depth += 1
        elif t in ')]}' and depth > 0:
            depth -= 1
        elif t == ')' or (t == ',' and depth == 0):
            args.append(text[begin:m.start()].strip())
            begin = m.end()
            if t == ')':
                return args
    return None


def literal(argument):
    """The string that adjacent literals make, or None."""
    parts = re.findall(r'"((?:\\.|[^"\\])*)"|(PRI\w+)|(\S)', argument)
    if any(p[2] for p in parts):
        return None
    text = ''.join(p[0] or p[1][-1:] for p in parts)
    return re.sub(r'\\(.)', lambda m: {'n': ' ', 't': ' '}.get(
        m.group(1), m.group(1)), text)


def alternatives(argument):
    """The strings of "c ? "a" : "b"", or None."""
    m = re.search(r'\?\s*(.*):\s*(.*)$', argument, re.S)
    both = m and [literal(m.group(1)), literal(m.group(2))]
    if not both or None in both:
        return None
    return [both[1], both[0]] if both[1] and not both[0] else both


def name_of(argument, kind):
    for pattern, name in NAMES:
        if re.search(pattern, argument, re.S):
            return name
    if kind in 'diouxXf':
        return 'N'
    words = re.findall(r'[A-Za-z_]\w*', argument)
    return words[-1].upper().replace('_', '-') if words else '...'


def render(text, args):
    """The message with names where it has conversions."""
    args = list(args)

    def one(m):
        if m.group() == '%%':
            return '%'
        for group in (1, 2):
            if m.group(group) == '*' and args:
                args.pop(0)
        if m.group(3) == 'm':
            return 'ERROR'
        argument = args.pop(0) if args else '...'
        words = alternatives(argument)
        if words:
            return words[0] if not words[1] else '%s|%s' % tuple(words)
        return name_of(argument, m.group(3))
    return re.sub(r'\s+', ' ', CONVERSION.sub(one, text)).strip()


def messages_of(path, source):
    for m in CALL.finditer(source):
        level, skip = CALLS[m.group(1)]
        args = split_arguments(source[m.end():])
        text = args and len(args) > skip and literal(args[skip])
        if not text:
            continue
        action = ACTION.search(source, max(0, m.start() - 1500), m.start())
        action = action and re.sub(r'\s*\n\s*\*\s*|\s+', ' ',
                                   action.group(1))
        action = action and action[0].upper() + action[1:]
        line = source.count('\n', 0, m.start()) + 1
        yield Message(level or args[1], render(text, args[skip + 1:]),
                      action or '', '%s:%d' % (path, line))


def sources(directories):
    names = subprocess.run(['git', 'ls-files'] + ['fcgipm/%s/*.c' % d
                           for d in directories], cwd=TOP, check=True,
                           stdout=subprocess.PIPE, text=True).stdout.split()
    return sorted(names)


def collect(directories):
    """Each message once, sorted; those without an action."""
    found, missing = {}, []
    for path in sources(directories):
        with open(os.path.join(TOP, path), encoding='utf-8') as f:
            for m in messages_of(path, f.read()):
                known = found.setdefault(m.text, m)
                known.action = known.action or m.action
    for m in found.values():
        if not m.action and m.level != 'notice' and '; ' not in m.text:
            missing.append(m)
    order = lambda m: re.sub(r'^[A-Z]+\b|[^a-z ]', '~', m.text)
    return sorted(found.values(), key=lambda m: (order(m), m.text)), missing


def quote(text):
    text = text.replace('\\', '\\e').replace('"', '\\(dq')
    return '\\&' + text if text[:1] in ".'" else text


def page_text(messages):
    out = []
    for m in messages:
        out.append('.It "%s"\n' % quote(m.text))
        level = m.level.capitalize() if m.level.isalpha() else \
            'Status %s' % m.level
        out.append('%s.\n' % level)
        for sentence in re.split(r'(?<=[.:]) +(?=[A-Z])', m.action):
            if sentence:
                out.append(quote(sentence) + '\n')
    return ''.join(out)


def main():
    p = argparse.ArgumentParser(usage=__doc__)
    p.add_argument('-w', action='store_true')
    p.add_argument('-c', action='store_true')
    args = p.parse_args()
    bad = 0
    for page, directories in PAGES.items():
        messages, missing = collect(directories)
        text = page_text(messages)
        with open(os.path.join(TOP, page), encoding='utf-8') as f:
            before = f.read()
        head, _, rest = before.partition(BEGIN)
        _, found, tail = rest.partition(END)
        if not found:
            sys.exit('%s: no "%s"' % (page, BEGIN.strip()))
        after = head + BEGIN + text + END + tail
        for m in missing if args.c else ():
            print('%s: no action: %s' % (m.where, m.text))
        bad += len(missing)
        if args.w and after != before:
            with open(os.path.join(TOP, page), 'w', encoding='utf-8') as f:
                f.write(after)
        elif args.c and after != before:
            print('%s: its list of messages is old; run make messages' % page)
            bad += 1
        elif not args.w and not args.c:
            for m in messages:
                print('%-8s %s\n%s' % (m.level, m.text,
                      '         %s\n' % m.action if m.action else ''), end='')
    return 1 if bad and args.c else 0


if __name__ == '__main__':
    sys.exit(main())
