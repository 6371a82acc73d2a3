/*
 * executable.h - checks that a user can execute a program: its directories,
 * its mode, its format and the interpreter of its #! line
 */
#ifndef FCGIPM_MASTER_EXECUTABLE_H
#define FCGIPM_MASTER_EXECUTABLE_H

#include <stddef.h>
#include <sys/types.h>

/* The user that executes it. */
struct executable_user {
	const char *name;	/* for messages */
	uid_t uid;
	gid_t gid;
	const gid_t *groups;	/* ngroups supplementary ones */
	int ngroups;
};

/*
 * executable_check - finds why execve(2) of a program would fail
 *
 * root		the user's root directory, "" for /
 * path		absolute, inside root
 * search	directories for #!/usr/bin/env NAME, as in $PATH
 * returns	0; -1 and ret_why, what is wrong and what to do.  A path that
 *		does not exist is not an error here: conf_check() reports it.
 *
 * Nothing but a regular file is opened, and without waiting, since a pool's
 * user may control the path.
 */
int executable_check(const char *root, const char *path,
	const struct executable_user *user, const char *search, char *ret_why,
	size_t why_size);

/* The same for a directory that the user must be able to enter. */
int executable_check_directory(const char *root, const char *path,
	const struct executable_user *user, char *ret_why, size_t why_size);

#endif
