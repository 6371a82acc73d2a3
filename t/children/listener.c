/*
 * listener.c - FastCGI: misuses its listening socket
 *
 *	listener [stubborn | poll]
 *
 * The query "nonblock" sets O_NONBLOCK on it, "shutdown" shuts it down, when
 * the body is complete.  With stubborn, it continues when accept fails.  With
 * poll, it sets O_NONBLOCK at its start and waits in poll(2).
 */
#include <fcgi_stdio.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void
serve(void)
{
	const char *query = getenv("QUERY_STRING");

	while (getchar() != EOF)
		continue;
	if (query && strcmp(query, "nonblock") == 0 &&
		fcntl(0, F_SETFL, fcntl(0, F_GETFL) | O_NONBLOCK) < 0)
		exit(1);
	if (query && strcmp(query, "shutdown") == 0 &&
		shutdown(0, SHUT_RDWR) < 0)
		exit(1);
	printf("Content-Type: text/plain\r\n\r\npid: %d\n", (int)getpid());
}

int
main(int argc, char **argv)
{
	bool stubborn = argc > 1 && strcmp(argv[1], "stubborn") == 0;
	bool polls = argc > 1 && strcmp(argv[1], "poll") == 0;
	struct pollfd p = {.fd = 0, .events = POLLIN};

	if (polls && fcntl(0, F_SETFL, O_NONBLOCK) < 0)
		return 1;
	for (;;) {
		if (polls && poll(&p, 1, -1) < 0)
			return 1;
		if (FCGI_Accept() >= 0) {
			serve();
			/* Otherwise the answer ends with the next accept. */
			FCGI_Finish();
		} else if (!stubborn && !polls) {
			return 0;
		}
	}
}
