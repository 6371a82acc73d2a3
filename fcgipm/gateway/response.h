/*
 * response.h - what a program writes becomes FCGI_STDOUT and FCGI_STDERR
 */
#ifndef FCGIPM_GATEWAY_RESPONSE_H
#define FCGIPM_GATEWAY_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct request;

/* The program's output, or its stderr, can be read; of the latter, whether
 * there may be more. */
void response_read_out(struct request *r, uint32_t events);
bool response_read_err(struct request *r);

/* The peer took what waited: both are read again. */
void response_resume(struct request *r);
/* The same for its output alone. */
void response_watch_out(struct request *r);

/* The end of both streams and FCGI_END_REQUEST, with what is still held. */
void response_end(struct request *r, uint32_t app_status);

/* FCGI_END_REQUEST alone, for a request that never began. */
size_t response_put_end(uint8_t *p, uint16_t id, uint32_t app_status,
	uint8_t protocol_status);

#endif
