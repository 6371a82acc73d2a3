/*
 * reject.h - answers 503 to one client and closes its connection
 *
 * The answer does not depend on the request.  It mostly takes one read and one
 * write.
 */
#ifndef FCGIPM_OVERLOAD_REJECT_H
#define FCGIPM_OVERLOAD_REJECT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct reject;
struct loop;

/* Maximum number of connections that are still sending or have not begun a
 * request.  To make room, the one answered first is closed. */
#define REJECT_MAX 500

/* Shared by all rejects of a process. */
struct reject_set {
	struct loop *loop;	/* borrowed */
	int64_t retry_after_s;	/* of the header Retry-After */
	unsigned open;		/* connections that have not ended yet */
	TAILQ_HEAD(reject_list, reject) answered;	/* of these, in the
							 * order of answers */
	/* One of the connections has ended. */
	void (*on_end)(struct reject_set *all);
};

void reject_init(struct reject_set *all, struct loop *loop,
	int64_t retry_after_s, void (*on_end)(struct reject_set *all));

/* Makes room for one more if necessary; false: accept no client now. */
bool reject_has_room(struct reject_set *all);

/* Takes fd, a non-blocking connection. */
void reject_make(struct reject_set *all, int fd);

#endif
