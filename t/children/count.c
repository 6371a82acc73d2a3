/*
 * count.c - FastCGI: how many bytes had the body?
 *
 *	count [THREADS]
 *
 * The answer is "bytes: N"; until the body is whole the request is in here.
 * The other programs called count do the same in other languages.
 */
#include <fcgiapp.h>
#include <pthread.h>
#include <stdlib.h>

static void *
serve(void *arg)
{
	FCGX_Request r;
	char chunk[4096];
	int got;

	if (FCGX_InitRequest(&r, 0, 0) != 0)
		return arg;
	while (FCGX_Accept_r(&r) >= 0) {
		long n = 0;

		while ((got = FCGX_GetStr(chunk, sizeof(chunk), r.in)) > 0)
			n += got;
		FCGX_FPrintF(r.out,
			"Content-Type: text/plain\r\n\r\nbytes: %ld\n", n);
		FCGX_Finish_r(&r);
	}
	return arg;
}

int
main(int argc, char **argv)
{
	long n = argc > 1 ? strtol(argv[1], NULL, 10) : 1;
	pthread_t thread;

	if (FCGX_Init() != 0)
		return 1;
	while (--n > 0)
		if (pthread_create(&thread, NULL, serve, NULL) != 0)
			return 1;
	serve(NULL);
	return 0;
}
