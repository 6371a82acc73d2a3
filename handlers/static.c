/*
 * static.c - a static program that tells fcgipm what it is doing
 *
 * Try: /prefork/static.  Nothing can be preloaded into it, so it writes its
 * figures itself, by fcgipm-handler.h: state, method, URI, count.  As CGI, or
 * under another supervisor, the calls do nothing.
 */
#include <fcgi_stdio.h>
#include <fcgipm-handler.h>
#include <stdlib.h>

int
main(void)
{
	/* Before the first FCGI_Accept(), which hides our environment. */
	int told = fcgipm_begin() == 0;

	while (!fcgipm_should_stop() && FCGI_Accept() >= 0) {
		fcgipm_request(getenv("REQUEST_METHOD"),
			getenv("REQUEST_URI"));
		printf("Content-Type: text/plain\r\n"
		       "\r\n"
		       "Hello from a static program, pid %d.\n"
		       "told: %s\n", (int)getpid(), told ? "yes" : "no");
		FCGI_Finish();
		fcgipm_end();
	}
	return 0;
}
