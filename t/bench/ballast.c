/*
 * ballast.c - a preload library: the process begins with 64 MiB of heap in use
 *
 * `make bench-gateway` loads it into fcgipm-cgi to see whether starting a
 * program gets dearer as the gateway grows, as fork(2) does: it copies the
 * page tables.  Huge pages would hide that.  Programs do not inherit it: the
 * gateway hands LD_PRELOAD on to none.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define BALLAST ((size_t)64 << 20)

__attribute__((constructor)) static void
take_ballast(void)
{
	char *p = mmap(NULL, BALLAST, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || madvise(p, BALLAST, MADV_NOHUGEPAGE) < 0)
		abort();
	memset(p, 1, BALLAST);
}
