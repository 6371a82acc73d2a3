/*
 * siblings.c - files that came with this program; see siblings.h
 *
 * Called by worker/launch and observe/board.  A tree that was built but not
 * installed is found this way, and one that was moved after its installation.
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
