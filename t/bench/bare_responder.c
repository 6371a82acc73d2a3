/*
 * bare_responder.c - a FastCGI server without a program: always the same answer
 *
 * bare_responder SOCKET.  It starts no process, so only 4 system calls per
 * request remain (accept4, read, sendto, close).
 */
#include "bare.h"

int
main(int argc, char **argv)
{
	static const char answer[] = "Content-Type: text/plain\r\n\r\n"
				     "Hello, no program.\n";
	static uint8_t buf[BARE_BUFFER];
	int listener, fd;

	if (argc != 2)
		return 64;
	listener = bare_listen(argv[1]);
	for (;;) {
		fd = bare_accept(listener, buf);
		memcpy(buf + 8, answer, sizeof(answer) - 1);
		bare_answer(fd, buf, sizeof(answer) - 1, 0);
	}
}
