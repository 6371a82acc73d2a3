/* big.c - CGI: QUERY_STRING=N answers with N bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
main(void)
{
	static char block[65536];
	const char *query = getenv("QUERY_STRING");
	unsigned long long left = query ? strtoull(query, NULL, 10) : 0;

	memset(block, 'b', sizeof(block));
	printf("Content-Type: application/octet-stream\r\n\r\n");
	while (left > 0) {
		size_t n = left < sizeof(block) ? left : sizeof(block);

		if (fwrite(block, 1, n, stdout) != n)
			return 1;
		left -= n;
	}
	return 0;
}
