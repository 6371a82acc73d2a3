/*
 * hold.c - FastCGI: requests that last until their client ends the body
 *
 *	hold [THREADS [lock]]
 *
 * Each answers at once with the time it arrived at its thread, in microseconds
 * of CLOCK_MONOTONIC, and ends with its body.  With "lock", one thread at a
 * time is in accept(2), as in the manual of libfcgi.
 */
#include <time.h>
#include <unistd.h>

#include "threaded.h"

static void
hold(FCGX_Request *r)
{
	struct timespec ts;
	char chunk[64];

	clock_gettime(CLOCK_MONOTONIC, &ts);
	FCGX_FPrintF(r->out,
		"Content-Type: text/plain\r\n\r\npid: %d\nin: %ld\n",
		(int)getpid(), (long)ts.tv_sec * 1000000 + ts.tv_nsec / 1000);
	FCGX_FFlush(r->out);
	while (FCGX_GetStr(chunk, sizeof(chunk), r->in) > 0)
		continue;
	FCGX_FPrintF(r->out, "out\n");
}

int
main(int argc, char **argv)
{
	static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

	return threaded_main(argc, argv, hold, argc > 2 ? &turn : NULL);
}
