/*
 * bare.h - functions of bare_spawner and bare_responder: a listening socket,
 * reading a request, writing an answer
 *
 * The two programs show the limit of the machine.  They only support what
 * `fcgipmctl bench` sends: one request on each connection, without a body.
 * Each is one process, like the gateway: on a busy machine, several processes
 * would get more CPU time.
 */
#ifndef BARE_H
#define BARE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A record header, 65535 bytes and the END_REQUEST record. */
#define BARE_BUFFER (8 + 65535 + 16)

static inline int
bare_listen(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strncpy(sa.sun_path, path, sizeof(sa.sun_path) - 1);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
		listen(fd, 1024) < 0)
		exit(71);
	return fd;
}

/* Accepts a connection and reads its request to the empty FCGI_STDIN record
 * (FastCGI 1.0, section 5.3). */
static inline int
bare_accept(int listener, uint8_t *buf)
{
	size_t len;
	ssize_t n;
	int fd;

	for (;;) {
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			continue;
		len = 0;
		while ((n = read(fd, buf + len, BARE_BUFFER - len)) > 0) {
			len += (size_t)n;
			if (len >= 8 && memcmp(buf + len - 8,
					"\1\5\0\1\0\0\0", 8) == 0)
				return fd;
		}
		close(fd);
	}
}

/* Sends an answer that begins after 8 free bytes; status is that of the
 * program. */
static inline void
bare_answer(int fd, uint8_t *buf, size_t len, int status)
{
	const uint8_t head[8] = {1, 6, 0, 1, (uint8_t)(len >> 8), (uint8_t)len};
	const uint8_t end[16] = {1, 3, 0, 1, 0, 8, 0, 0,
		0, 0, 0, (uint8_t)status};

	memcpy(buf, head, sizeof(head));
	memcpy(buf + 8 + len, end, sizeof(end));
	/* The client may have disconnected: no SIGPIPE, and the result does not
	 * matter. */
	(void)send(fd, buf, 8 + len + sizeof(end), MSG_NOSIGNAL);
	close(fd);
}

#endif
