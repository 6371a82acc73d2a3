/* environ.c - CGI: prints its arguments and its environment unchanged, one on
 * each line, without a shell. */
#include <stdio.h>

extern char **environ;

int
main(int argc, char **argv)
{
	int i;

	printf("Content-Type: text/plain\r\n\r\n");
	for (i = 0; i < argc; i++)
		printf("argv[%d]=%s\n", i, argv[i]);
	for (i = 0; environ[i]; i++)
		printf("%s\n", environ[i]);
	return 0;
}
