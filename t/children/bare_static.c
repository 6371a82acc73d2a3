/* bare_static.c - a FastCGI program that no library can be preloaded into, and
 * that tells nobody what it does. */
#include <fcgi_stdio.h>
#include <unistd.h>

int
main(void)
{
	while (FCGI_Accept() >= 0)
		printf("Content-Type: text/plain\r\n\r\npid: %d\n",
			(int)getpid());
	return 0;
}
