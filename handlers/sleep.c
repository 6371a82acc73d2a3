/*
 * sleep.c - waits for a given time, like a program that waits for a database
 *
 * Try: /prefork/sleep?ms=200.  A pool answers as many of these at once as it
 * has workers; the next one waits in the listen queue.
 */
#include <fcgi_stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Returns ?ms=, at most a minute; 100 if it is missing. */
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
