/*
 * body.h - the body of a request, on its way to the program
 *
 * Called by gateway/request.  What the program's pipe does not take waits in
 * the request, and the connection is not read meanwhile.
 */
#ifndef FCGIPM_GATEWAY_BODY_H
#define FCGIPM_GATEWAY_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct loop_io;
struct request;

/* Counts body and hands on what the program may have: never more than
 * CONTENT_LENGTH.  Ends the request with 413 over cgi.max_body. */
void body_take(struct request *r, const uint8_t *p, size_t len);

/* Its pipe is worth being large: it may be spliced. */
void body_grow_pipe(struct request *r);
bool body_may_splice(const struct request *r);

/*
 * body_splice - body from a socket to the program, without coming by us
 *
 * fd		the next len bytes of it are body
 * returns	bytes moved; 0 at the end of the stream; -1 with errno: EAGAIN
 *		nothing can be moved now, EINVAL it must be read instead
 */
ssize_t body_splice(struct request *r, int fd, size_t len);

/* Nothing more of it will come, or be let through. */
bool body_is_complete(const struct request *r);

/* The program takes no more, or there is no more. */
void body_end(struct request *r);

/* The loop's callback for the program's input. */
void body_on_writable(struct loop_io *io, uint32_t events);

#endif
