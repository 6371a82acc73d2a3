/*
 * reaper.h - table of running programs by PID; reaps them on SIGCHLD
 *
 * The gateway uses no pidfds: SIGCHLD reports the exit of all its programs.
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
	bool is_init;		/* we are PID 1: orphans are reaped too */
};

void reaper_init(struct reaper *rp);

/* Adds a running program; reaper_run() calls script_on_reaped() on its exit. */
void reaper_add(struct reaper *rp, struct script *s);

/* On SIGCHLD: reaps all children that have exited. */
void reaper_run(struct reaper *rp);

/* Sends KILL to all programs and their process groups. */
void reaper_kill_all(struct reaper *rp);

#endif
