/*
 * refusal.h - fcgipm-cgi --refuse (the refuser), with the test as its
 * supervisor and as the pool's worker
 */
#ifndef FCGIPM_T_REFUSAL_H
#define FCGIPM_T_REFUSAL_H

#include "overload/protocol.h"
#include "world.h"

struct refusal {
	struct world *w;
	const char *address;	/* where the test's clients connect */
	int listener;
	int channel;		/* -1 if the test has closed it */
	pid_t pid;		/* the refuser */
};

/* Opens a world and starts a refuser with this queue_timeout. */
struct refusal refusal_open(bool tcp, const char *timeout);
/* The same with a library that is preloaded into the refuser. */
struct refusal refusal_open_with(bool tcp, const char *timeout,
	const char *preload);
/* Closes the channel, at which the refuser exits. */
void refusal_close(struct refusal *s);

/* Returns a client that has sent its whole request. */
int refusal_ask(const struct refusal *s);
/* Returns the inode of a client, by which orders name it. */
uint32_t refusal_inode(int fd);
/* Waits until a TCP connection in the queue has this age. */
void refusal_until_old(const struct refusal *s, int64_t age_ms);

/* Orders a 503 for these clients, in this order, 0 = disconnected. */
struct refuser_report refusal_order(struct refusal *s, const uint32_t *inos,
	size_t n);
/* The same on another listening socket, unless that is -1. */
struct refuser_report refusal_order_at(struct refusal *s, int listener,
	const uint32_t *inos, size_t n);
/* Expects that the refuser asks for n connections. */
void refusal_expect_want(struct refusal *s, unsigned n);
/* Passes a connection to the refuser. */
void refusal_connect(struct refusal *s);

/* Expects that this client gets 503, and closes it. */
void refusal_expect_503(int fd);
/* As a worker: accepts the next client, reads len bytes and answers. */
void refusal_serve(struct refusal *s, size_t len, const char *reply);

#endif
