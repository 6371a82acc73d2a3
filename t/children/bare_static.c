/* bare_static.c - a static FastCGI program: no library can be preloaded into
 * it, and it does not report its state. */
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
