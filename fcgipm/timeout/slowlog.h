/*
 * slowlog.h - a pool's file of slow requests
 *
 * One entry a request: who, what for how long, what its process does by the
 * kernel's word, and where it is in its program, by that of a tool.  The file
 * is for the administrator's eyes (0600): URIs are there with their query.
 */
#ifndef FCGIPM_TIMEOUT_SLOWLOG_H
#define FCGIPM_TIMEOUT_SLOWLOG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct prober;
struct loop;
struct slowlog;

struct slowlog_entry {
	pid_t worker;		/* the leader of its session */
	pid_t pid;		/* whose request it is: a child of it, or it */
	/* Raw bytes of the client, "" = not known. */
	const char *method, *uri;
	const char *doing;	/* "busy" */
	int64_t ran_ms;
};

/*
 * slowlog_open - the file, made when it is not there
 *
 * pool		its name, borrowed
 * looker	looks where we may not, borrowed
 * uid, gid	the workers', as whom tools are run
 * returns	NULL with errno; ELOOP when the file is a link
 */
struct slowlog *slowlog_open(const char *path, const char *pool,
	struct loop *loop, struct prober *looker, uid_t uid, gid_t gid);
/* Opens the path again, after it was renamed; 0, or -1 with errno and the old
 * file kept. */
int slowlog_reopen(struct slowlog *l);
/* An entry that waits for its tool is written without it. */
void slowlog_close(struct slowlog **l);

/*
 * slowlog_has_room - is there room for one more entry now?
 *
 * A pool's programs may make slow requests up, and fill a disk with them: a few
 * in a second are told of, the others are counted, and their number is written
 * at its end.
 *
 * returns	false when this one is counted only
 */
bool slowlog_has_room(struct slowlog *l);

/* Writes an entry now, or within ten seconds, when a tool has told where the
 * process is.  That is asked of one process of the pool at a time. */
void slowlog_add(struct slowlog *l, const struct slowlog_entry *e);

/* Is a tool looking at this process? */
bool slowlog_is_tracing(const struct slowlog *l, pid_t pid);

#endif
