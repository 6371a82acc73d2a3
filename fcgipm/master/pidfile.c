/*
 * pidfile.c - writes and removes the PID file; see pidfile.h
 *
 * Called by master/super, when all pools are ready and after they have stopped.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "master/pidfile.h"

int
pidfile_write(const char *path)
{
	char *tmp = mem_printf("%s~", path), text[32];
	int fd, rc = -1, saved, n;

	(void)unlink(tmp);
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	n = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	if (fd >= 0 && fd_write_all(fd, text, (size_t)n) == 0 &&
		rename(tmp, path) == 0)
		rc = 0;
	saved = errno;
	if (fd >= 0 && rc < 0)
		(void)unlink(tmp);
	fd_close(&fd);
	free(tmp);
	errno = saved;
	return rc;
}

void
pidfile_remove(const char *path)
{
	char *text;
	size_t len;

	if (fd_read_file(path, 64, &text, &len) < 0)
		return;
	if (strtol(text, NULL, 10) == getpid())
		(void)unlink(path);
	free(text);
}
