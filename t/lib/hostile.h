/*
 * hostile.h - a cgi pool to attack, and assertions for after each attack
 *
 * The attacks have two sizes: small in `make check`, full if FCGIPM_LONG is set
 * (`make check-long`).
 */
#ifndef FCGIPM_T_HOSTILE_H
#define FCGIPM_T_HOSTILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "world.h"

struct target {
	struct world *w;
	pid_t gateway;
	size_t fds;		/* of the idle gateway */
	long rss_kib;		/* of the idle gateway */
};

/* Returns full in a long run, else few. */
size_t hostile_size(size_t few, size_t full);

/* Sleeps, for what cannot be waited for by a condition. */
void hostile_pause(long ms);

/* Prints a measured value, for the summary of a long run. */
void hostile_figure(const char *fmt, ...)
	__attribute__((format(printf, 1, 2)));

/* Starts a pool "www" with these keys, on www.sock and 127.0.0.1:port.  Its
 * only program is t/children/hostile; QUERY_STRING says what that does. */
struct target hostile_start(const char *keys);
/* The same with another program of t/children, which answers "served" to an
 * empty query. */
struct target hostile_start_child(const char *child, const char *keys);
/* The same with a gateway started by this command line, which listens on
 * www.sock. */
struct target hostile_start_alone(struct world *w, const char *const *argv);

/* Sends a request with this query to the program, and returns its answer. */
struct answer hostile_call(struct target *t, const char *query);
/* Writes a request with this query, CONTENT_LENGTH and body; returns its
 * size. */
size_t hostile_request(uint8_t *to, size_t max, const char *query,
	int flags, const char *body);
/* Connects and sends a request with this query. */
int hostile_begin(struct target *t, const char *address, const char *query);

/*
 * hostile_unharmed - assert that the attack had no lasting effect
 *
 * No connection of the test may be open.  The same gateway answers a valid
 * request within a second.  It has as many descriptors as at first and at most
 * 8 MiB more memory.  No program runs, and no zombie remains for longer than a
 * second.
 */
void hostile_unharmed(struct target *t, const char *after);
/* The same, then closes the world. */
void hostile_end(struct target *t, const char *after);

/* Asserts that a valid request is answered within a second of calm time. */
void hostile_serves(struct target *t, const char *after);
/* Asserts that the programs of the gateway exit within a second; returns the
 * milliseconds. */
int64_t hostile_programs_gone(struct target *t, const char *after);
/* Returns how many programs have started and reported it. */
long hostile_starts(const struct target *t);
/* Asserts that the peer closes within limit_ms; returns the number of bytes
 * received. */
size_t hostile_closed(int fd, int limit_ms, const char *why);
/* A clock that runs at a twentieth of its speed while a process on this machine
 * waits for a CPU.  A limit of a second by this clock is up to 20 seconds on a
 * busy machine. */
int64_t hostile_calm_ms(void);
/* The memory of the gateway, or 0 if a sanitizer keeps freed memory. */
long hostile_rss_kib(const struct target *t);
/* The CPU time of the gateway in milliseconds. */
int64_t hostile_cpu_ms(const struct target *t);

#endif
