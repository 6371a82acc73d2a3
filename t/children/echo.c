/*
 * echo.c - FastCGI: answers with its PID and the request body
 *
 *	echo [THREADS]
 *
 * Each request pauses for 2 ms in its middle.  The answer is "pid: N", an empty
 * line and the body.
 */
#include <time.h>
#include <unistd.h>

#include "threaded.h"

#define BODY_MAX 65536

static void
serve(FCGX_Request *r)
{
	const struct timespec pause = {.tv_nsec = 2000000};
	char body[BODY_MAX];
	int n = 0, got;

	while (n < BODY_MAX &&
		(got = FCGX_GetStr(body + n, BODY_MAX - n, r->in)) > 0)
		n += got;
	FCGX_FPrintF(r->out, "Content-Type: text/plain\r\n\r\npid: %d\n\n",
		(int)getpid());
	nanosleep(&pause, NULL);
	FCGX_PutStr(body, n, r->out);
}

int
main(int argc, char **argv)
{
	static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

	return threaded_main(argc, argv, serve, &turn);
}
