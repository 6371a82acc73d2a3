/*
 * child.h - what a new process does between its clone and its exec
 *
 * For sys/spawn.  The child may be in its parent's memory, on a stack of its
 * own, and begin with the parent's descriptors.
 */
#ifndef FCGIPM_SYS_CHILD_H
#define FCGIPM_SYS_CHILD_H

#include <sys/types.h>

struct spawn_error;
struct spawn_spec;

/* Runs next to its parent, on a stack no sanitizer knows. */
#define CHILD_CODE __attribute__((no_sanitize("address", "undefined")))

/* So many descriptors at most, numbered from 0. */
#define CHILD_FDS 16

/* Written by a child that has its own table of descriptors. */
#define CHILD_OWN_TABLE (-2)

struct child {
	const struct spawn_spec *spec;
	struct spawn_error *error;	/* in our memory, or its own copy */
	int errfd;		/* the same is written to it; -1 = none */
	/* Not NULL: it shares our table of descriptors, until it has said
	 * there that it does not; a futex. */
	pid_t *own_table;
	unsigned above;		/* not taken along: all from this number on */
};

/* Ends in an exec, or in exit status 127 with c->error. */
int child_run(struct child *c);

#endif
