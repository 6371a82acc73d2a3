/* environ.c - CGI: its arguments and its environment, one a line, as they
 * were given, and nothing of a shell's. */
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
