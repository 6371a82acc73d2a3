/*
 * hello.c - the smallest handler there is
 *
 * Try: /prefork/hello and /cgi/hello.  libfcgi notices whether descriptor 0 is
 * a listening socket: then FCGI_Accept() waits for the next request, else it
 * runs the loop once, as a CGI program.
 */
#include <fcgi_stdio.h>

int
main(void)
{
	while (FCGI_Accept() >= 0)
		printf("Content-Type: text/plain\r\n"
		       "\r\n"
		       "Hello from fcgipm.\n");
	return 0;
}
