/*
 * hello.c - a CGI program as small as they come in C
 *
 * handlers/hello has libfcgi to load and would spend a sixth more on it, which
 * hides what the servers cost.
 */
#include <stdio.h>

int
main(void)
{
	return fputs("Content-Type: text/plain\r\n\r\nHello from C.\n",
		       stdout) < 0;
}
