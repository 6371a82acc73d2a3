/*
 * reaper.h - the programs that run, found by their number when they end
 *
 * The gateway has no pidfds: the ends of all its programs come as SIGCHLD.
 */
#ifndef FCGIPM_GATEWAY_REAPER_H
#define FCGIPM_GATEWAY_REAPER_H

#include <stdbool.h>
#include <sys/queue.h>

struct script;

/* A power of two; programs at once are tens, rarely hundreds. */
#define REAPER_BUCKETS 256

struct reaper {
	LIST_HEAD(reaper_bucket, script) bucket[REAPER_BUCKETS]; /* by pid */
	unsigned running;	/* in all buckets */
	bool is_init;		/* process 1: orphans are reaped too */
};

void reaper_init(struct reaper *rp);

/* It runs: reaper_run() calls script_on_reaped() when it has ended. */
void reaper_add(struct reaper *rp, struct script *s);

/* SIGCHLD came: reaps all that ended. */
void reaper_run(struct reaper *rp);

/* KILL to all of them and their groups. */
void reaper_kill_all(struct reaper *rp);

#endif
