/*
 * hostile.h - a cgi pool to be attacked, and what must hold after each attack
 *
 * The attacks come in two sizes: small in `make check`, full where
 * FCGIPM_LONG is set (`make check-long`).
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
	size_t fds;		/* the gateway's, at rest */
	long rss_kib;		/* the same */
};

/* full in the long run, else few. */
size_t hostile_size(size_t few, size_t full);

/* Sleeps so long, where there is nothing to wait for. */
void hostile_pause(long ms);

/* Tells what was measured, for the sum of a long run. */
void hostile_figure(const char *fmt, ...)
	__attribute__((format(printf, 1, 2)));

/* A pool "www" with these keys, on www.sock and 127.0.0.1:port, whose only
 * program is t/children/hostile: QUERY_STRING says what it does. */
struct target hostile_start(const char *keys);
/* The same for another of t/children, which answers "served" to no query. */
struct target hostile_start_child(const char *child, const char *keys);
/* The same for a gateway run by hand: its command line, which listens on
 * www.sock. */
struct target hostile_start_alone(struct world *w, const char *const *argv);

/* A request of these parameters to the program, NULL at the end. */
struct answer hostile_call(struct target *t, const char *query);
/* The bytes of a request with this query, CONTENT_LENGTH and body. */
size_t hostile_request(uint8_t *to, size_t max, const char *query,
	int flags, const char *body);
/* Connects and sends them. */
int hostile_begin(struct target *t, const char *address, const char *query);

/*
 * hostile_unharmed - no connection of ours is open: all is as before
 *
 * The same gateway serves a good request within a second, has as many
 * descriptors as at first and at most 8 MiB more memory, no program runs, and
 * no zombie stays for longer than a second.
 */
void hostile_unharmed(struct target *t, const char *after);
/* The same, then the end of the world. */
void hostile_end(struct target *t, const char *after);

/* A good request, asserted to be answered within a second of calm. */
void hostile_serves(struct target *t, const char *after);
/* Asserts that the gateway's programs are gone within a second; the
 * milliseconds it took. */
int64_t hostile_programs_gone(struct target *t, const char *after);
/* How many programs have been started, as far as they got to tell. */
long hostile_starts(const struct target *t);
/* Waits until the peer closes, for at most so long; asserts.  The bytes that
 * came. */
size_t hostile_closed(int fd, int limit_ms, const char *why);
/* A clock that goes at a twentieth of its speed while anybody on this machine
 * waits for a CPU: what must not last for longer than a second is measured by
 * it, and that of a busy machine becomes up to twenty. */
int64_t hostile_calm_ms(void);
/* The gateway's memory, or 0 where a sanitizer keeps what was freed. */
long hostile_rss_kib(const struct target *t);
/* Milliseconds of CPU time it has used. */
int64_t hostile_cpu_ms(const struct target *t);

#endif
