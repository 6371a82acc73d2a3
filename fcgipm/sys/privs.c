/*
 * privs.c - who a child is; see privs.h
 *
 * The order of privs_apply() matters: what needs root comes first, what
 * cannot be undone comes last, and PR_SET_PDEATHSIG after the ids, since a
 * change of them clears it (prctl(2)).
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "sys/privs.h"

/* A number from 0 to 2^32-2, or -1: names may begin with digits too. */
static long long
number(const char *text)
{
	unsigned long long n;
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return -1;
	n = strtoull(text, &end, 10);
	return *end || n >= 0xffffffffULL ? -1 : (long long)n;
}

static int
find_user(const char *user, struct privs *p, char **ret_name)
{
	struct passwd *pw = getpwnam(user);
	long long n = number(user);

	if (!pw && n >= 0) {
		pw = getpwuid((uid_t)n);
		if (!pw) {
			p->uid = (uid_t)n;
			p->gid = (gid_t)n;
			return 0;
		}
	}
	if (!pw)
		return -1;
	p->uid = pw->pw_uid;
	p->gid = pw->pw_gid;
	*ret_name = mem_strdup(pw->pw_name);
	return 0;
}

static int
find_group(const char *group, struct privs *p)
{
	struct group *gr = getgrnam(group);
	long long n = number(group);

	if (!gr && n < 0)
		return -1;
	p->gid = gr ? gr->gr_gid : (gid_t)n;
	return 0;
}

#define GROUPS_MAX 65536	/* NGROUPS_MAX of the kernel */

/* In the child: what the name service says, written to fd. */
static void
tell_groups(const char *name, gid_t gid, int fd)
{
	int n = 64;
	gid_t *groups = mem_calloc((size_t)n, sizeof(gid_t));

	while (getgrouplist(name, gid, groups, &n) < 0)
		groups = mem_realloc(groups, (size_t)n, sizeof(gid_t));
	_exit(fd_write_all(fd, groups, (size_t)n * sizeof(gid_t)) < 0);
}

/*
 * The supplementary groups of a user.  A short-lived child asks, since the
 * name service loads modules that would stay in a small daemon's memory.
 */
static int
find_groups(const char *name, struct privs *p)
{
	size_t max = GROUPS_MAX * sizeof(gid_t), len = 0;
	int readfd = -1, writefd = -1, status = 1;
	ssize_t n = 1;
	char *to;
	pid_t pid;

	if (fd_pipe(0, 0, &readfd, &writefd) < 0)
		return -1;
	pid = fork();
	if (pid == 0)
		tell_groups(name, p->gid, writefd);
	fd_close(&writefd);
	p->groups = mem_calloc(GROUPS_MAX, sizeof(gid_t));
	to = (char *)p->groups;
	while (pid > 0 && n != 0 && len < max) {
		n = read(readfd, to + len, max - len);
		if (n < 0 && errno != EINTR)
			break;
		len += n > 0 ? (size_t)n : 0;
	}
	fd_close(&readfd);
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0 ||
		len < sizeof(gid_t) || len % sizeof(gid_t))
		return -1;
	p->ngroups = (int)(len / sizeof(gid_t));
	p->groups = mem_realloc(p->groups, (size_t)p->ngroups, sizeof(gid_t));
	return 0;
}

/* A number without an account has the group it is given and no other. */
static void
set_one_group(struct privs *p)
{
	p->groups = mem_calloc(1, sizeof(gid_t));
	p->groups[0] = p->gid;
	p->ngroups = 1;
}

int
privs_resolve(const char *user, const char *group, struct privs *p,
	const char **ret_why)
{
	char *name = NULL;

	p->uid = geteuid();
	p->gid = getegid();
	if (user && find_user(user, p, &name) < 0) {
		*ret_why = "no such user";
		return -1;
	}
	if (group && find_group(group, p) < 0) {
		*ret_why = "no such group";
		free(name);
		return -1;
	}
	if (geteuid() != 0) {
		free(name);
		/* Our own ids may be written down; others need root. */
		if (p->uid != geteuid() || p->gid != getegid()) {
			*ret_why = "only root can change it; leave the key out "
				   "or start as root";
			return -1;
		}
		p->set_ids = false;
		return 0;
	}
	p->set_ids = user || group;
	if (p->set_ids && name && find_groups(name, p) < 0) {
		*ret_why = "its groups cannot be found out";
		privs_fini(p);
		free(name);
		return -1;
	}
	if (p->set_ids && !name)
		set_one_group(p);
	free(name);
	return 0;
}

void
privs_fini(struct privs *p)
{
	free(p->groups);
	p->groups = NULL;
	p->ngroups = 0;
}

/* The ids are set, and there is no way back. */
static const char *
apply_ids(const struct privs *p)
{
	if (setgroups((size_t)p->ngroups, p->groups) < 0)
		return "setgroups";
	if (setresgid(p->gid, p->gid, p->gid) < 0)
		return "setresgid";
	if (setresuid(p->uid, p->uid, p->uid) < 0)
		return "setresuid";
	if (p->uid != 0 && (setuid(0) == 0 || seteuid(0) == 0)) {
		errno = EPERM;
		return "give up root";
	}
	return NULL;
}

const char *
privs_apply(const struct privs *p)
{
	const char *step;
	size_t i;

	if (p->set_nice && setpriority(PRIO_PROCESS, 0, p->nice) < 0)
		return "setpriority";
	for (i = 0; i < p->nlimits; i++) {
		struct rlimit lim = {p->limits[i].soft, p->limits[i].hard};

		if (setrlimit((__rlimit_resource_t)p->limits[i].resource,
			    &lim) < 0)
			return "setrlimit";
	}
	if (p->chroot && (chroot(p->chroot) < 0 || chdir("/") < 0))
		return "chroot";
	if (p->set_ids) {
		step = apply_ids(p);
		if (step)
			return step;
	}
	if (p->set_umask)
		umask(p->umask);
	if (p->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return "no_new_privs";
	if (p->parent_death_signal) {
		if (prctl(PR_SET_PDEATHSIG, p->parent_death_signal) < 0)
			return "pdeathsig";
		/* It may have died before we asked. */
		if (getppid() != p->parent) {
			errno = ECHILD;
			return "parent";
		}
	}
	return NULL;
}
