/* write_first.c - CGI: writes 1 MiB before it reads its body, then prints how
 * much it read.  A server that sends the whole body first would block
 * indefinitely. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int
main(void)
{
	static char block[65536];
	size_t total = 0;
	ssize_t n;
	int i;

	memset(block, 'x', sizeof(block));
	printf("Content-Type: text/plain\r\n\r\n");
	for (i = 0; i < 16; i++)
		if (fwrite(block, 1, sizeof(block), stdout) != sizeof(block))
			return 1;
	fflush(stdout);
	while ((n = read(0, block, sizeof(block))) > 0)
		total += (size_t)n;
	printf("\nread: %zu\n", total);
	return 0;
}
