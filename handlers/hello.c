/*
 * hello.c - the smallest handler
 *
 * Try: /prefork/hello and /cgi/hello. libfcgi checks whether descriptor 0 is a
 * listening socket.  If it is, FCGI_Accept() waits for the next request.  If
 * not, the program is a CGI program and runs the loop once.
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
