/*
 * mirror.c - FastCGI: answers QUERY_STRING=N with N bytes and then the body
 *
 *	mirror [THREADS]
 *
 * With deaf in the place of N it answers before it has read any of the body.
 */
#include <fcgiapp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static void
serve(FCGX_Request *r)
{
	const char *query = FCGX_GetParam("QUERY_STRING", r->envp);
	long n = query ? strtol(query, NULL, 10) : 0, i;
	char chunk[4096];
	int got;

	FCGX_PutS("Content-Type: text/plain\r\n\r\n", r->out);
	if (query && strcmp(query, "deaf") == 0)
		return;
	for (i = 0; i < n; i++)
		FCGX_PutChar('a' + (int)((i * 7 + i / 26) % 26), r->out);
	while ((got = FCGX_GetStr(chunk, sizeof(chunk), r->in)) > 0)
		FCGX_PutStr(chunk, got, r->out);
}

static void *
work(void *arg)
{
	FCGX_Request r;

	if (FCGX_InitRequest(&r, 0, 0) != 0)
		return arg;
	while (FCGX_Accept_r(&r) >= 0) {
		serve(&r);
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
		if (pthread_create(&thread, NULL, work, NULL) != 0)
			return 1;
	work(NULL);
	return 0;
}
