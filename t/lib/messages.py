#!/usr/bin/env python3
"""messages.py - lists every line that the programs log, with what to do

    messages.py             print the lists
    messages.py -w          write them into the manual pages
    messages.py -c          fail if a page differs, or an action is missing

A line is a call of log_error(), log_warning() or log_notice(), a reason of
failure_set(), or a reason of proto/cgi, in a .c file of fcgipm/.  The comment
right before it may say what an administrator does about it:

    /* Action: raise pm.max_children. */

Errors, warnings and reasons must have one, unless the message itself says it
after a semicolon.  A message that is there twice needs it once.  Reasons of
proto/cgi have a default.
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
    'man/fcgipm-cgi.8': ('gateway', 'proto'),
}
CALLS = {'log_error': ('error', 0), 'log_warning': ('warning', 0),
         'log_notice': ('notice', 0), 'failure_set': (None, 2)}
CALL = re.compile(r'\b(%s)\(' % '|'.join(CALLS))
TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])+\'|/\*.*?\*/|.',
                   re.S)
CONVERSION = re.compile(r'%(?:%|[-+ #0]*(\*|\d+)?(?:\.(\*|\d+))?'
                        r'(?:hh|h|ll|l|j|z)?([diouxXscmpfg]))')
ACTION = re.compile(r'/\*\s*Action:\s*((?:(?!\*/).)*?)\s*\*/\s*(?:return\s*|'
                    r'if \([^;{]*\)\s*|else\s*)?$', re.S)

# Reasons of proto/cgi: why the parameters or the header of a response are
# invalid.  The gateway writes HEADER before the latter.
PARAMETERS = re.compile(r'\*ret_why = (.*?);\s*return (\d+);', re.S)
BAD_HEADER = re.compile(r'(?:set_bad\(h,|\bh->why =|return h->len == 0 (?=\?))'
                        r'\s*((?:"(?:\\.|[^"\\])*"|[^;"])*?)\)?;', re.S)
HEADER = 'no CGI response: '
DEFAULT = {
    '400': 'Correct the FastCGI parameters that the web server sends.',
    '404': 'Correct the FastCGI parameters that the web server sends.',
    '502': 'Run the program by hand and read what it prints. It must print '
           'a header, such as "Content-Type: text/plain", an empty line and '
           'the body.',
}

# The name of an argument in the lists, by the end of its expression.
NAMES = (
    (r'strerror\(.*\)$', 'ERROR'),
    (r'(?:conf|pool)->name$|\bpool_name|pool_text', 'POOL'),
    (r'pid\b', 'PID'),
    (r'peer_text\(', ' ADDRESS'),
    (r'cgi_header_cut\(|answer_why\(', 'WHY'),
    (r'->id$', 'ID'),
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
    if kind in 'diouxXfg':
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
        text = render(text, args[skip + 1:])
        if text != HEADER + 'WHY':
            yield Message(level or args[1], text, action_before(source, m),
                          place(path, source, m))


def action_before(source, match):
    """The Action comment that precedes a match, or ''."""
    found = ACTION.search(source, max(0, match.start() - 1500), match.start())
    text = re.sub(r'\s*\n\s*\*\s*|\s+', ' ', found.group(1) if found else '')
    # The name of a command keeps its case.
    return text if re.match('fcgipm|nginx', text) else text[:1].upper() + \
        text[1:]


def place(path, source, match):
    return '%s:%d' % (path, source.count('\n', 0, match.start()) + 1)


def reasons_of(path, source):
    found = [(m, m.group(2), '') for m in PARAMETERS.finditer(source)]
    found += [(m, '502', HEADER) for m in BAD_HEADER.finditer(source)]
    for m, status, before in found:
        text = literal(m.group(1))
        for text in [text] if text else alternatives(m.group(1)) or []:
            action = action_before(source, m) or ('' if '; ' in text else
                                                  DEFAULT.get(status, ''))
            yield Message(status, before + text, action,
                          place(path, source, m))


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
            source = f.read()
        reasons = reasons_of(path, source) if '/proto/cgi' in path else ()
        for m in [*messages_of(path, source), *reasons]:
            known = found.setdefault(m.text, m)
            known.action = known.action or m.action
            if m.level not in known.level.split(' or '):
                known.level += ' or ' + m.level
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
        level = m.level.capitalize() if m.level[0].isalpha() else \
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
