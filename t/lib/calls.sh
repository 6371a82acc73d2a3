#!/bin/sh
# calls.sh - prints the names of system calls of the machine of a compiler
#
#	calls.sh COMPILER...
#
# Prints one CALL(name) per line, for sys/inspect.
echo '#include <sys/syscall.h>' | "$@" -E -dM -x c - | LC_ALL=C sort -u |
	sed -n 's/^#define SYS_\([a-z0-9_]*\) .*/CALL(\1)/p'
