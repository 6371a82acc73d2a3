/*
 * hello.c - a minimal CGI program in C
 *
 * handlers/hello also loads libfcgi, which costs a sixth more and hides the
 * cost of the servers.
 */
#include <stdio.h>

int
main(void)
{
	return fputs("Content-Type: text/plain\r\n\r\nHello from C.\n",
		       stdout) < 0;
}
