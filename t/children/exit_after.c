/* exit_after.c - FastCGI: exits with status 0 after ARGV[1] requests, as
 * php-cgi does after 500. */
#include <fcgi_stdio.h>
#include <stdlib.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	int left = argc > 1 ? atoi(argv[1]) : 1;

	while (left-- > 0 && FCGI_Accept() >= 0)
		printf("Content-Type: text/plain\r\n\r\npid: %d\n",
			(int)getpid());
	FCGI_Finish();
	return 0;
}
