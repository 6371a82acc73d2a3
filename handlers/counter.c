/*
 * counter.c - shows what a program keeps between requests
 *
 * Try: /prefork/counter several times: few IDs, rising counts. /cgi/counter: a
 * new ID each time, and a count that is always 1.  Global data live as long as
 * their process, and each worker has its own.
 */
#include <fcgi_stdio.h>
#include <stdint.h>
#include <sys/random.h>

int
main(void)
{
	unsigned long count = 0;
	uint32_t id = 0;

	if (getrandom(&id, sizeof(id), 0) != sizeof(id))
		return 1;
	while (FCGI_Accept() >= 0)
		printf("Content-Type: text/plain\r\n"
		       "Cache-Control: no-store\r\n"
		       "\r\n"
		       "id: %08x\ncount: %lu\n", id, ++count);
	return 0;
}
