/*
 * child.h - code that runs in a new process between clone and exec
 *
 * For sys/spawn.  It sets descriptors, privileges (sys/privs), the working
 * directory and the signal mask, then executes the program.  The child may
 * share its parent's memory and descriptor table; it has a stack of its own.
 */
#ifndef FCGIPM_SYS_CHILD_H
#define FCGIPM_SYS_CHILD_H

#include <sys/types.h>

struct spawn_error;
struct spawn_spec;

/* The sanitizers do not know the stack this code runs on. */
#define CHILD_CODE __attribute__((no_sanitize("address", "undefined")))

/* Maximum number of descriptors of a child, counted from 0. */
#define CHILD_FDS 16

/* The child writes this when it has a descriptor table of its own. */
#define CHILD_OWN_TABLE (-2)

struct child {
	const struct spawn_spec *spec;
	struct spawn_error *error;	/* shared memory, or the child's copy */
	int errfd;		/* receives *error too; -1 = none */
	/* A futex.  Not NULL: the child starts with the parent's descriptor
	 * table and writes CHILD_OWN_TABLE here when it has its own. */
	pid_t *own_table;
	unsigned close_from;	/* first descriptor that own table drops */
};

/* Does not return: executes the program, or exits with status 127 after it has
 * filled in c->error. */
int child_run(struct child *c);

#endif
