/*
 * slowlog.h - a pool's file of slow requests
 *
 * One entry a request: which worker, which request, for how long, what the
 * kernel shows of its process, and a stack of its program by an external tool.
 * The file is for the administrator alone (mode 0600): it has URIs with their
 * query.
 */
#ifndef FCGIPM_TIMEOUT_SLOWLOG_H
#define FCGIPM_TIMEOUT_SLOWLOG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct loop;
struct prober;
struct slowlog;

struct slowlog_entry {
	pid_t worker;		/* the leader of its session */
	pid_t pid;		/* has the request: worker or descendant */
	/* Raw bytes from the client, "" = not known. */
	const char *method, *uri;
	const char *doing;	/* "busy" */
	int64_t ran_ms;
};

/*
 * slowlog_open - opens the file, creates it when it does not exist
 *
 * pool		its name, borrowed
 * prober	inspects processes that we may not, borrowed
 * uid, gid	the workers', which tools run with
 * returns	NULL with errno; ELOOP when the file is a link
 */
struct slowlog *slowlog_open(const char *path, const char *pool,
	struct loop *loop, struct prober *prober, uid_t uid, gid_t gid);
/* Opens the path again, after the file was renamed; 0, or -1 with errno and
 * the old file kept. */
int slowlog_reopen(struct slowlog *l);
/* An entry that waits for a stack is written without it. */
void slowlog_close(struct slowlog **l);

/*
 * slowlog_has_room - is there room for one more entry now?
 *
 * A pool's programs can make slow requests up, and could fill a disk with
 * them: a few in a second get an entry, the others are counted, and their
 * number is written when the second ends.
 *
 * returns	false when this one is only counted
 */
bool slowlog_has_room(struct slowlog *l);

/* Writes an entry, now or within ten seconds, once the tool has taken a stack.
 * It takes that of one process of the pool at a time. */
void slowlog_add(struct slowlog *l, const struct slowlog_entry *e);

/* Does the tool take a stack of this process? */
bool slowlog_is_tracing(const struct slowlog *l, pid_t pid);

#endif
