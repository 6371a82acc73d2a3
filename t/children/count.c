/*
 * count.c - FastCGI: answers with the size of the request body
 *
 *	count [THREADS]
 *
 * The answer is "bytes: N".  Until the body is complete, the request stays in
 * the program.  The other programs named count do the same in other languages.
 */
#include "threaded.h"

static void
serve(FCGX_Request *r)
{
	char chunk[4096];
	long n = 0;
	int got;

	while ((got = FCGX_GetStr(chunk, sizeof(chunk), r->in)) > 0)
		n += got;
	FCGX_FPrintF(r->out, "Content-Type: text/plain\r\n\r\nbytes: %ld\n",
		n);
}

int
main(int argc, char **argv)
{
	return threaded_main(argc, argv, serve, NULL);
}
