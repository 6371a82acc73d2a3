/*
 * streamer.c - CGI: moves bodies as fast as a program can
 *
 * QUERY_STRING: down=N answers with N bytes; up counts the body; events=N
 * writes N server-sent events, 20 ms apart, each with the CLOCK_MONOTONIC
 * nanosecond at which it was written; sleep waits until it is killed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The size of a pipe. */
static char block[65536];

static int
down(unsigned long long left)
{
	ssize_t n;

	memset(block, 'b', sizeof(block));
	for (; left > 0; left -= (size_t)n) {
		n = write(STDOUT_FILENO, block,
			left < sizeof(block) ? left : sizeof(block));
		if (n <= 0)
			return 1;
	}
	return 0;
}

static int
up(void)
{
	unsigned long long total = 0;
	ssize_t n;

	while ((n = read(STDIN_FILENO, block, sizeof(block))) > 0)
		total += (size_t)n;
	return n < 0 || printf("%llu\n", total) < 0;
}

static int
events(unsigned long long count)
{
	const struct timespec pause = {.tv_nsec = 20000000};
	struct timespec now;

	while (count-- > 0) {
		nanosleep(&pause, NULL);
		clock_gettime(CLOCK_MONOTONIC, &now);
		printf("data: %lld%09ld\n\n", (long long)now.tv_sec,
			now.tv_nsec);
		if (fflush(stdout))
			return 1;
	}
	return 0;
}

int
main(void)
{
	const char *query = getenv("QUERY_STRING");
	const char *number = query ? strchr(query, '=') : NULL;
	unsigned long long n = number ? strtoull(number + 1, NULL, 10) : 0;

	if (puts("Content-Type: application/octet-stream\r\n\r") < 0 ||
		fflush(stdout) || !query)
		return 1;
	switch (*query) {
	case 'd':
		return down(n);
	case 'u':
		return up();
	case 'e':
		return events(n);
	default:
		return pause();
	}
}
