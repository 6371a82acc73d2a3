/*
 * static.c - a static program that reports its state to fcgipm
 *
 * Try: /prefork/static.  Nothing can be preloaded into it, so it writes its
 * slot of the scoreboard itself, by fcgipm-handler.h: state, method, URI,
 * count.  As a CGI program, or under another supervisor, the calls do nothing.
 */
#include <fcgi_stdio.h>
#include <fcgipm-handler.h>
#include <stdlib.h>

int
main(void)
{
	/* Before the first FCGI_Accept(), which hides the environment. */
	int reports = fcgipm_begin() == 0;

	while (!fcgipm_should_stop() && FCGI_Accept() >= 0) {
		fcgipm_request(getenv("REQUEST_METHOD"),
			getenv("REQUEST_URI"));
		printf("Content-Type: text/plain\r\n"
		       "\r\n"
		       "Hello from a static program, pid %d.\n"
		       "reports: %s\n", (int)getpid(), reports ? "yes" : "no");
		FCGI_Finish();
		fcgipm_end();
	}
	return 0;
}
