/*
 * mirror.c - FastCGI: answers QUERY_STRING=N with N bytes and then the body
 *
 *	mirror [THREADS]
 *
 * With deaf instead of N, it answers before it has read any of the body.
 */
#include <stdlib.h>
#include <string.h>

#include "threaded.h"

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

int
main(int argc, char **argv)
{
	return threaded_main(argc, argv, serve, NULL);
}
