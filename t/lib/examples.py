#!/usr/bin/env python3
"""examples.py - extracts the examples of manual pages, for t/web/examples.t

        examples.py DIRECTORY PAGE...

Every literal display in the section EXAMPLES is written to a file in
DIRECTORY, and one line is printed for each: its fields are separated by the
byte 0x1f (FIELDS).  The kind follows from the text:

    ini         begins with a [section]
    nginx       begins with a block of nginx: location, server, upstream
    c go php script
                a program; script is one with a #! line
    shell       anything else: commands, one a line

A comment directly before the display, in the source of the page, says more:

    .\\" example
        a display outside of EXAMPLES that is run as well
    .\\" example: file=hello.c mode=cgi expect=WORD needs="perl -MFCGI -e1"
        the file's name; the modes a program runs in (both unless given); a
        regular expression for its answer (Hello unless given) or for the
        output of commands; the command that says whether what it needs is
        installed
    .\\" not run: REASON
        a display that cannot be run
"""
import pathlib
import re
import shlex
import sys

FIELDS = ("where", "kind", "path", "file", "mode", "expect", "needs", "skip")
SEPARATOR = "\x1f"
BEGIN = re.compile(r"\.Bd\s+-(literal|unfilled)\b")
COMMENT = re.compile(r'\.\\"\s*(example|not run)\b:?\s*(.*)')


ESCAPES = {r"\e": "\\", r"\&": "", r"\-": "-", r"\(aq": "'",
           r"\(dq": '"', r"\(ti": "~", r"\(ha": "^"}


def plain(line):
    """The text of a line of a display, without the escapes of roff(7)."""
    return re.sub(r"\\(\(..|.)", lambda m: ESCAPES.get(m[0], m[0]), line)


def kind_of(text):
    first = text.lstrip().split("\n", 1)[0]
    if re.match(r"\[[A-Za-z0-9_.-]+\]$", first):
        return "ini"
    if re.match(r"(location|server|upstream)\b.*\{", first):
        return "nginx"
    if first.startswith("#include"):
        return "c"
    if first.startswith("#!"):
        return "script"
    if first.startswith("package "):
        return "go"
    if first.startswith("<?php"):
        return "php"
    return "shell"


def options_of(comment):
    """What the comment before a display says; None = it is not ours."""
    found = COMMENT.match(comment)
    if not found:
        return None
    if found[1] == "not run":
        return {"skip": found[2] or sys.exit(f"{comment}: give a reason")}
    return dict(word.split("=", 1) for word in shlex.split(found[2]))


def displays(page):
    """(line number, text, options) of each display that is an example."""
    section, lines = "", page.read_text().split("\n")
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        if line.startswith(".Sh "):
            section = line[4:].strip('"')
        one = line.startswith(".Dl ")
        if not one and not BEGIN.match(line):
            continue
        options = options_of(lines[number - 2])
        begin = number
        if one:
            body = [line[4:]]
        else:
            end = lines.index(".Ed", number)
            body = lines[number:end]
            number = end + 1
        if section == "EXAMPLES" or options is not None:
            text = "".join(plain(b) + "\n" for b in body)
            yield begin, text, options or {}


def main(directory, *pages):
    for page in map(pathlib.Path, pages):
        for line, text, options in displays(page):
            path = pathlib.Path(directory) / f"{page.name}.{line}"
            path.write_text(text)
            kind = kind_of(text)
            row = {"where": f"{page.name}:{line}", "kind": kind,
                   "path": str(path), "mode": "both",
                   "expect": "" if kind == "shell" else "Hello", **options}
            unknown = set(row) - set(FIELDS)
            if unknown:
                sys.exit(f"{page}:{line - 1}: unknown: {', '.join(unknown)}")
            print(SEPARATOR.join(row.get(f, "") for f in FIELDS))


if __name__ == "__main__":
    main(*sys.argv[1:])
