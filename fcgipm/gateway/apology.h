/*
 * apology.h - one connection is answered with status 503, and closed
 *
 * Whatever it asks for; mostly in one read and one write.
 */
#ifndef FCGIPM_GATEWAY_APOLOGY_H
#define FCGIPM_GATEWAY_APOLOGY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct apology;
struct loop;

/* Connections of one process that are still sending or have not begun.  For one
 * more the one that was answered first is closed, if any was. */
#define APOLOGIES_MAX 500

/* What all apologies of a process have in common. */
struct apologies {
	struct loop *loop;	/* borrowed */
	int64_t retry_after_s;	/* of the header Retry-After */
	unsigned open;		/* connections that have not ended yet */
	TAILQ_HEAD(apology_list, apology) answered;	/* of these, in the
							 * order of answers */
	/* One of these has ended. */
	void (*on_end)(struct apologies *all);
};

void apologies_init(struct apologies *all, struct loop *loop,
	int64_t retry_after_s, void (*on_end)(struct apologies *all));

/* Makes room, if need be; false: whoever is not accepted yet has to wait. */
bool apologies_have_room(struct apologies *all);

/* fd, non-blocking, is taken. */
void apology_make(struct apologies *all, int fd);

#endif
