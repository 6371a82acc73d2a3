/*
 * stream.h - large bodies for t/children/stream, and its gate
 */
#ifndef FCGIPM_T_STREAM_H
#define FCGIPM_T_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "hostile.h"

#define STREAM_MIB ((size_t)1024 * 1024)

/* Starts a pool whose program is t/children/stream, with a gate. */
struct target stream_start(const char *keys);
/* Writes these bytes to the gate; each lets one program pass. */
void stream_open_gate(struct target *t, const char *bytes);

/* Connects and sends BEGIN and the parameters: query, and CONTENT_LENGTH unless
 * it is 0. */
int stream_begin(struct target *t, const char *address, int flags,
	const char *query, size_t content_length);
/* The same without a body, and the end of the request. */
int stream_get(struct target *t, const char *query);

/* Returns bytes 0 to len - 1 of the pattern; the caller frees them. */
uint8_t *stream_pattern(size_t len);
/* Asserts that the answer is a header and len bytes of the pattern. */
void stream_expect(const struct answer *a, size_t len);

/* Waits until the gateway and its programs sleep, so that each has done all it
 * can. */
void stream_settle(struct target *t);

#endif
