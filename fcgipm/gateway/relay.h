/*
 * relay.h - a connection accepted by mistake goes on to a worker
 *
 * By a connection to his pool's address, which the supervisor makes: we may
 * lack the right, or the way.  The bytes of both sides go through unchanged.
 */
#ifndef FCGIPM_GATEWAY_RELAY_H
#define FCGIPM_GATEWAY_RELAY_H

#include <stdint.h>
#include <sys/queue.h>

#include "base/loop.h"

struct apologies;
struct relay;

/* What all relays of a process have in common. */
struct relays {
	struct loop *loop;		/* borrowed, as is this */
	struct apologies *apologies;
	unsigned open;
	TAILQ_HEAD(relay_list, relay) waiting;	/* for a connection */
	unsigned nwaiting;
	struct loop_timer ask_timer;
	int64_t pause_ms;	/* until it is asked again */
	/* So many connections are wanted: nwaiting. */
	void (*on_want)(struct relays *all);
	/* One of these has ended. */
	void (*on_end)(struct relays *all);
};

void relays_init(struct relays *all, struct loop *loop,
	struct apologies *apologies, void (*on_want)(struct relays *all),
	void (*on_end)(struct relays *all));

/*
 * relay_begin - fd, non-blocking, is taken
 *
 * The caller asks for a connection when he has begun all he has.
 *
 * overdue_ms	when he may be refused, and is, if there was no connection
 */
void relay_begin(struct relays *all, int fd, int64_t overdue_ms);

/* Asks for as many connections as are wanted, and again until they are here. */
void relays_ask(struct relays *all);

/* fd, non-blocking and perhaps connecting still, is taken: one of these. */
void relays_connected(struct relays *all, int fd);

/* There will be no connections any more: who waits for one is refused. */
void relays_give_up(struct relays *all);

#endif
