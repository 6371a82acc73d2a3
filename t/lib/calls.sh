#!/bin/sh
# calls.sh - the names of system calls, as the machine of a compiler has them
#
#	calls.sh COMPILER...
#
# One CALL(name) a line, for sys/inspect.
echo '#include <sys/syscall.h>' | "$@" -E -dM -x c - | LC_ALL=C sort -u |
	sed -n 's/^#define SYS_\([a-z0-9_]*\) .*/CALL(\1)/p'
