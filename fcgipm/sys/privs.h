/*
 * privs.h - user, groups, chroot directory and limits of a process
 *
 * privs_resolve() turns names into IDs before the fork.  privs_apply() applies
 * them after it with async-signal-safe calls only, and checks that root cannot
 * be regained.
 */
#ifndef FCGIPM_SYS_PRIVS_H
#define FCGIPM_SYS_PRIVS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>

struct privs_limit {
	int resource;		/* RLIMIT_... */
	rlim_t soft, hard;
};

struct privs {
	bool set_ids;		/* uid, gid and groups are to be changed */
	uid_t uid;
	gid_t gid;
	gid_t *groups;		/* supplementary; freed by privs_fini() */
	int ngroups;
	const char *chroot;	/* NULL = none; borrowed */
	bool no_new_privs;
	int parent_death_signal;	/* PR_SET_PDEATHSIG; 0 = none */
	pid_t parent;		/* what getppid() must return then */
	int nice;		/* setpriority(2) value, when set_nice */
	bool set_nice;
	mode_t umask;		/* applied when set_umask */
	bool set_umask;
	struct privs_limit limits[8];
	size_t nlimits;
};

/*
 * privs_resolve - turn user and group names, or numbers, into IDs
 *
 * user, group	NULL = those of this process; a user without group gets its
 *		login group and supplementary groups
 * returns	0; -1 and *ret_why, a static text, when a name is unknown or
 *		when the change needs root.  Only the IDs in p are written.
 */
int privs_resolve(const char *user, const char *group, struct privs *p,
	const char **ret_why);
void privs_fini(struct privs *p);

/*
 * privs_apply - give the calling process these privileges
 *
 * Called between clone and exec, and by the gateway and the prober for
 * themselves.
 *
 * returns	NULL, or the name of the step that failed
 * ret_err	written only then: the errno of the step; errno itself does
 *		not change
 */
const char *privs_apply(const struct privs *p, int *ret_err);

/* Removes limits and a umask that children inherit from this process anyway. */
void privs_drop_inherited(struct privs *p);

#endif
