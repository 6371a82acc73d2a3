/*
 * sleep.c - a request that waits, as for a database: no CPU, only time
 *
 * Try: /prefork/sleep?ms=200.  A pool serves as many of these at once as it
 * has workers; the next one waits in the socket's queue.
 */
#include <fcgi_stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ?ms=, at most a minute; 100 when it is not there. */
static long
get_ms(void)
{
	const char *query = getenv("QUERY_STRING");
	long ms = query && strncmp(query, "ms=", 3) == 0 ?
		strtol(query + 3, NULL, 10) : 100;

	return ms < 0 ? 0 : ms > 60000 ? 60000 : ms;
}

int
main(void)
{
	while (FCGI_Accept() >= 0) {
		long ms = get_ms();
		struct timespec left = {ms / 1000, ms % 1000 * 1000000};

		while (nanosleep(&left, &left) < 0)
			;
		printf("Content-Type: text/plain\r\n\r\nslept: %ld ms\n", ms);
	}
	return 0;
}
