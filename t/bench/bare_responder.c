/*
 * bare_responder.c - FastCGI without a program: the same answer every time
 *
 * bare_responder SOCKET.  What is left when nothing is started: 4 system calls
 * a request (accept4, read, sendto, close).
 */
#include "bare.h"

int
main(int argc, char **argv)
{
	static const char answer[] = "Content-Type: text/plain\r\n\r\n"
				     "Hello from nobody.\n";
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
