/*
 * attach.h - claims and releases a process's slot of the scoreboard (board)
 *
 * Also updates the slot around accept(2) and close(2), which shim/shim wraps.
 */
#ifndef FCGIPM_SHIM_ATTACH_H
#define FCGIPM_SHIM_ATTACH_H

#pragma GCC visibility push(hidden)

/* Called when the library is loaded, and when its process exits. */
void attach_load(void);
void attach_unload(void);

/* How an accept(2) began. */
enum attach_entry {
	ATTACH_ENTRY_REFUSED,	/* the call must fail, errno is set */
	ATTACH_ENTRY_UNSEEN,	/* not the pool's listener */
	ATTACH_ENTRY_EARLY,	/* the process has no slot, or not yet */
	ATTACH_ENTRY_COUNTED	/* the thread is counted as accepting */
};

enum attach_entry attach_before_accept(int fd);
/* conn: the result of the call.  Returns the result for the program. */
int attach_after_accept(int fd, enum attach_entry entry, int conn);

/* Called before the close(2): afterwards another thread may get the number. */
void attach_before_close(int fd);

#pragma GCC visibility pop

#endif
