/*
 * upload.c - reads a request body of any size, in constant memory
 *
 * Try: curl --data-binary @FILE http://.../prefork/upload
 * The answer is the body while it arrives, then a last line with its size and
 * FNV-1a hash.  With ?echo=0 it is this line only.
 */
#include <fcgi_stdio.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* FNV-1a, 64 bits: small, and sufficient to notice a lost byte. */
static uint64_t
hash(uint64_t h, const char *p, size_t len)
{
	while (len-- > 0)
		h = (h ^ (unsigned char)*p++) * 0x100000001b3;
	return h;
}

static void
serve(int echo)
{
	uint64_t h = 0xcbf29ce484222325, total = 0;
	char chunk[16384];
	size_t n;

	while ((n = fread(chunk, 1, sizeof(chunk), stdin)) > 0) {
		h = hash(h, chunk, n);
		total += n;
		if (echo && fwrite(chunk, 1, n, stdout) != n)
			return;
	}
	if (ferror(stdin))
		printf("incomplete after %llu bytes\n",
			(unsigned long long)total);
	else
		printf("bytes: %llu hash: %016llx\n", (unsigned long long)total,
			(unsigned long long)h);
}

int
main(void)
{
	sigset_t term;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	while (FCGI_Accept() >= 0) {
		const char *query = getenv("QUERY_STRING");

		/* A read that SIGTERM interrupts looks like the end of the
		 * body.  When SIGTERM is unblocked again, FCGI_Accept()
		 * fails. */
		sigprocmask(SIG_BLOCK, &term, NULL);
		printf("Content-Type: application/octet-stream\r\n\r\n");
		serve(!query || strcmp(query, "echo=0") != 0);
		FCGI_Finish();
		sigprocmask(SIG_UNBLOCK, &term, NULL);
	}
	return 0;
}
