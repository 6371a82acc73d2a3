/*
 * attach.h - a process and its slot of the board: takes it, and gives it back
 *
 * What happens around accept(2) and close(2), too: they are where a process
 * becomes a worker, stops being one, or loses a connection.
 */
#ifndef FCGIPM_SHIM_ATTACH_H
#define FCGIPM_SHIM_ATTACH_H

#pragma GCC visibility push(hidden)

/* When the library is loaded, and when its process exits. */
void attach_load(void);
void attach_unload(void);

/* How an accept(2) began. */
enum attach_entry {
	ATTACH_ENTRY_REFUSED,	/* it fails, with errno */
	ATTACH_ENTRY_UNSEEN,	/* not our listener */
	ATTACH_ENTRY_EARLY,	/* no slot, or not yet */
	ATTACH_ENTRY_COUNTED
};

enum attach_entry attach_before_accept(int fd);
/* conn: what the call returned; returns what our caller gets. */
int attach_after_accept(int fd, enum attach_entry entry, int conn);

/* Before: afterwards the number may be another thread's. */
void attach_before_close(int fd);

#pragma GCC visibility pop

#endif
