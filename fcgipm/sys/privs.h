/*
 * privs.h - privileges of a child: user, groups, chroot directory, limits
 *
 * Names are resolved before the fork (privs_resolve), applied after it
 * (privs_apply) with async-signal-safe calls only, and proven irreversible.
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
	gid_t *groups;		/* supplementary, ours to free */
	int ngroups;
	const char *chroot;	/* NULL = none; borrowed */
	bool no_new_privs;
	int parent_death_signal;	/* PR_SET_PDEATHSIG; 0 = none */
	pid_t parent;		/* getppid() a child must see then */
	int nice;		/* setpriority(2) value, when set_nice */
	bool set_nice;
	mode_t umask;		/* applied when set_umask */
	bool set_umask;
	struct privs_limit limits[8];
	size_t nlimits;
};

/*
 * privs_resolve - user and group names (or numbers) to ids
 *
 * user, group	NULL = ours; a user without group gets its login group and
 *		supplementary groups
 * returns	0; -1 and *ret_why, a static text, when a name is unknown or
 *		we are not root and may not become it.  Only ids are written.
 */
int privs_resolve(const char *user, const char *group, struct privs *p,
	const char **ret_why);
void privs_fini(struct privs *p);

/*
 * privs_apply - become it; between fork and exec, or by the gateway itself
 *
 * returns	NULL, or the name of the step that failed
 * ret_err	written only then: its errno.  Our own errno stays as it is
 *		when neither ids nor a root directory are to be changed
 */
const char *privs_apply(const struct privs *p, int *ret_err);

/* Drops what a child of ours has by inheritance: limits and umask. */
void privs_drop_inherited(struct privs *p);

#endif
