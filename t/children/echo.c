/*
 * echo.c - FastCGI: says who it is and sends the body back
 *
 *	echo [THREADS]
 *
 * Each request pauses for 2 ms in its middle.  The answer is "pid: N", an empty
 * line and the body.
 */
#include <fcgiapp.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

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

static void *
work(void *arg)
{
	static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
	FCGX_Request r;
	int got;

	if (FCGX_InitRequest(&r, 0, 0) != 0)
		return NULL;
	for (;;) {
		/* libfcgi asks for it where accept(2) is not to be shared. */
		pthread_mutex_lock(&turn);
		got = FCGX_Accept_r(&r);
		pthread_mutex_unlock(&turn);
		if (got < 0)
			return arg;
		serve(&r);
		FCGX_Finish_r(&r);
	}
}

int
main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 1;
	pthread_t id;

	if (FCGX_Init() != 0)
		return 1;
	for (; n > 1; n--)
		if (pthread_create(&id, NULL, work, NULL) != 0)
			return 1;
	work(NULL);
	return 0;
}
