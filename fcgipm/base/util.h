/* util.h - common macros and inline functions; no .c file. */
#ifndef FCGIPM_BASE_UTIL_H
#define FCGIPM_BASE_UTIL_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#ifndef FCGIPM_VERSION
#define FCGIPM_VERSION "unknown"
#endif

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

#define container_of(ptr, type, member)                                        \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* A bug of fcgipm: prints where, and aborts for a core file. */
#define BUG(why)                                                               \
	do {                                                                   \
		fprintf(stderr, "%s:%d: bug: %s\n", __FILE__, __LINE__, why);  \
		abort();                                                       \
	} while (0)

/* Builds with a sanitizer check invariants that cost more than a comparison. */
#if defined(__SANITIZE_ADDRESS__)
#define CHECKED_BUILD 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CHECKED_BUILD 1
#endif
#endif
#ifndef CHECKED_BUILD
#define CHECKED_BUILD 0
#endif

/* Exit codes, sysexits.h's where they mean the same (fcgipm(8)). */
enum exit_code {
	EXIT_USAGE = 64,    /* the command line is wrong */
	EXIT_INTERNAL = 70, /* a bug of fcgipm */
	EXIT_SYSTEM = 71,   /* the system refused: socket, fork, permission */
	EXIT_CONFIG = 78    /* the configuration is wrong */
};

/* Adds numbers that a child wrote; UINT64_MAX on overflow. */
static inline uint64_t
sum_capped(uint64_t a, uint64_t b)
{
	return b > UINT64_MAX - a ? UINT64_MAX : a + b;
}

/* Milliseconds of CLOCK_MONOTONIC. */
static inline int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Microseconds of CLOCK_MONOTONIC, for measurements. */
static inline int64_t
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

#endif
