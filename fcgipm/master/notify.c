/*
 * notify.c - reports READY, STATUS and STOPPING to systemd; see notify.h
 *
 * Called by master/main (notify_init) and master/super.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/fd.h"
#include "master/notify.h"

static struct sockaddr_un manager;
static socklen_t manager_len;

void
notify_init(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len = path ? strlen(path) : 0;

	/* sd_notify(3): a path, or @name for the abstract namespace */
	if (len > 1 && len < sizeof(manager.sun_path) &&
		(path[0] == '/' || path[0] == '@')) {
		manager.sun_family = AF_UNIX;
		memcpy(manager.sun_path, path, len);
		if (path[0] == '@')
			manager.sun_path[0] = '\0';
		manager_len = (socklen_t)(offsetof(struct sockaddr_un,
						  sun_path) +
			len);
	}
	(void)unsetenv("NOTIFY_SOCKET");
}

void
notify_send(const char *fmt, ...)
{
	va_list ap;
	char text[512];
	int fd, n;

	if (manager_len == 0)
		return;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0 || n >= (int)sizeof(text))
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	(void)sendto(fd, text, (size_t)n, MSG_NOSIGNAL,
		(struct sockaddr *)&manager, manager_len);
	fd_close(&fd);
}
