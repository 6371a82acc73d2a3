/*
 * reject.h - writes the 503 to one client, and closes its connection
 *
 * Whatever it asks for; mostly with one read and one write.
 */
#ifndef FCGIPM_OVERLOAD_REJECT_H
#define FCGIPM_OVERLOAD_REJECT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct reject;
struct loop;

/* Connections of one process that are still sending or have not begun.  For one
 * more, the one that was answered first is closed, if any was. */
#define REJECT_MAX 500

/* What all rejects of a process have in common. */
struct reject_set {
	struct loop *loop;	/* borrowed */
	int64_t retry_after_s;	/* of the header Retry-After */
	unsigned open;		/* connections that have not ended yet */
	TAILQ_HEAD(reject_list, reject) answered;	/* of these, in the
							 * order of answers */
	/* One of these has ended. */
	void (*on_end)(struct reject_set *all);
};

void reject_init(struct reject_set *all, struct loop *loop,
	int64_t retry_after_s, void (*on_end)(struct reject_set *all));

/* Makes room, if need be; false: accept no more at the moment. */
bool reject_has_room(struct reject_set *all);

/* Takes fd, a non-blocking connection. */
void reject_make(struct reject_set *all, int fd);

#endif
