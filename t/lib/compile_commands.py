#!/usr/bin/env python3
"""compile_commands.py - converts the commands of make to a compilation database

    make -Bn V=1 tests | compile_commands.py >compile_commands.json

Reads the commands that make would run, and writes each compilation of a
source, for clangd, clang-tidy and editors.
"""
import json
import os
import shlex
import sys


def main():
    commands = []
    for line in sys.stdin.read().replace('\\\n', ' ').split('\n'):
        if ' -c -o ' not in line:
            continue
        words = shlex.split(line[line.rindex('set -x;') + 7:])
        commands.append({'directory': os.getcwd(), 'file': words[-1],
                         'output': words[words.index('-o') + 1],
                         'arguments': words})
    json.dump(commands, sys.stdout, indent=1)
    print()
    return 0 if commands else 'compile_commands.py: make compiles nothing'


if __name__ == '__main__':
    sys.exit(main())
