/*
 * ballast.c - a preloaded library that allocates 64 MiB of heap at the start
 *
 * `make bench-gateway` loads it into fcgipm-cgi, to measure whether starting a
 * program becomes slower while the gateway grows. fork(2) does, because it
 * copies the page tables.  Huge pages would hide that.  CGI programs do not
 * inherit it, because the gateway does not pass LD_PRELOAD.
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
