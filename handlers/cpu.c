/*
 * cpu.c - uses the CPU for a given time
 *
 * Try: /prefork/cpu?ms=50.  For such requests, more workers than cores do not
 * help.  The program reports its state to fcgipm, see fcgipm-handler(7).
 */
#include <fcgi_stdio.h>
#include <fcgipm-handler.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Returns ?ms=, at most a minute; 10 if it is missing. */
static long
get_ms(void)
{
	const char *query = getenv("QUERY_STRING");
	long ms = query && strncmp(query, "ms=", 3) == 0 ?
		strtol(query + 3, NULL, 10) : 10;

	return ms < 0 ? 0 : ms > 60000 ? 60000 : ms;
}

static double
cpu_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

int
main(void)
{
	fcgipm_begin();
	while (!fcgipm_should_stop() && FCGI_Accept() >= 0) {
		double until = cpu_ms() + (double)get_ms();
		unsigned long rounds = 0, x = 1;

		fcgipm_request(getenv("REQUEST_METHOD"),
			getenv("REQUEST_URI"));
		while (cpu_ms() < until) {
			int i;

			for (i = 0; i < 10000; i++)
				x = x * 6364136223846793005UL + 1;
			rounds++;
		}
		printf("Content-Type: text/plain\r\n\r\n"
		       "rounds: %lu\nresult: %lx\n", rounds, x);
		FCGI_Finish();
		fcgipm_end();
	}
	return 0;
}
