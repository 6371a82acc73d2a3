/*
 * slowlog.h - writes the slow log: an entry for each slow request of a pool
 *
 * An entry has the worker, the request and how long it has been running, what
 * the kernel shows of its process, and the stack of the program, which
 * timeout/backtrace takes.  Only the administrator may read the file (mode
 * 0600), since it contains URIs with their query.
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
	/* Raw bytes from the client, "" = unknown. */
	const char *method, *uri;
	const char *doing;	/* "answering" */
	int64_t ran_ms;
};

/*
 * slowlog_open - opens the file; creates it if it does not exist
 *
 * pool		its name, borrowed
 * prober	inspects processes that the supervisor may not, borrowed
 * uid, gid	the workers', for the stack's tool
 * returns	NULL with errno; ELOOP when the file is a symbolic link
 */
struct slowlog *slowlog_open(const char *path, const char *pool,
	struct loop *loop, struct prober *prober, uid_t uid, gid_t gid);
/* Reopens the path, after the file was renamed; 0, or -1 with errno, the old
 * file then stays open. */
int slowlog_reopen(struct slowlog *l);
/* An entry whose stack is still being taken is written without it. */
void slowlog_close(struct slowlog **l);

/*
 * slowlog_has_room - may one more entry be written now?
 *
 * A pool's workers can report slow requests that do not exist, and could fill
 * the disk.  So 5 requests a second get an entry.  The others are counted, and
 * their number is written at the end of the second.
 *
 * returns	false when this request is only counted
 */
bool slowlog_has_room(struct slowlog *l);

/* Writes an entry, immediately or within ten seconds, when its stack has been
 * taken.  Only one stack in each pool is taken at a time. */
void slowlog_add(struct slowlog *l, const struct slowlog_entry *e);

/* Is the stack of this process being taken? */
bool slowlog_is_tracing(const struct slowlog *l, pid_t pid);

#endif
