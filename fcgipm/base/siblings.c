/*
 * siblings.c - finds other files of this installation; see siblings.h
 *
 * Called by worker/launch and observe/board.  Works in a build that is not
 * installed, and after an installation was moved.
 */
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/siblings.h"

char *
siblings_find(const char *const *near, int mode)
{
	char self[PATH_MAX], *slash, *path;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[n < 0 ? 0 : n] = '\0';
	slash = strrchr(self, '/');
	if (!slash)
		return NULL;
	*slash = '\0';
	for (; *near; near++) {
		path = mem_printf("%s%s", self, *near);
		if (access(path, mode) == 0)
			return path;
		free(path);
	}
	return NULL;
}
