/*
 * privs.c - applies user, groups, chroot and limits to a process; see privs.h
 *
 * Called by sys/child, gateway/main and observe/prober (privs_apply), and by
 * worker/launch, pool/open and master/control (privs_resolve).
 *
 * The order of the steps in privs_apply() matters.  Steps that need root come
 * first, then those that cannot be undone.  PR_SET_PDEATHSIG follows the change
 * of IDs, which would clear it (prctl(2)).
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
#include "sys/raw.h"

/* Parses a number from 0 to 2^32 - 2; -1 = not one.  A name may begin with a
 * digit too. */
static long long
parse_id(const char *text)
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
	long long n = parse_id(user);

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
	long long n = parse_id(group);

	if (!gr && n < 0)
		return -1;
	p->gid = gr ? gr->gr_gid : (gid_t)n;
	return 0;
}

#define GROUPS_MAX 65536	/* NGROUPS_MAX of the kernel */

/* In the child: writes the groups that the name service reports to fd. */
static void
write_groups(const char *name, gid_t gid, int fd)
{
	int n = 64;
	gid_t *groups = mem_calloc((size_t)n, sizeof(gid_t));

	while (getgrouplist(name, gid, groups, &n) < 0)
		groups = mem_realloc(groups, (size_t)n, sizeof(gid_t));
	_exit(fd_write_all(fd, groups, (size_t)n * sizeof(gid_t)) < 0);
}

/*
 * Reads the supplementary groups of a user.  A child process does it, because
 * the name service loads modules that would stay in the daemon's memory.
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
		write_groups(name, p->gid, writefd);
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

/* A user ID without an account gets its configured group and no other. */
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
		/* The current IDs may be configured; others need root. */
		if (p->uid != geteuid() || p->gid != getegid()) {
			*ret_why = "only root can change it; remove the key or "
				   "start as root";
			return -1;
		}
		p->set_ids = false;
		return 0;
	}
	p->set_ids = user || group;
	if (p->set_ids && name && find_groups(name, p) < 0) {
		*ret_why = "cannot read its supplementary groups";
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

/* Runs between clone and exec; the sanitizers do not know its stack. */
#define CHILD_CODE __attribute__((no_sanitize("address", "undefined")))

/* On some machines the calls with these names take IDs of 16 bits. */
#ifdef SYS_setresuid32
#define SYS_ids_setgroups SYS_setgroups32
#define SYS_ids_setresgid SYS_setresgid32
#define SYS_ids_setresuid SYS_setresuid32
#else
#define SYS_ids_setgroups SYS_setgroups
#define SYS_ids_setresgid SYS_setresgid
#define SYS_ids_setresuid SYS_setresuid
#endif

/* Sets the IDs, and checks that root cannot be regained. */
CHILD_CODE static const char *
apply_ids(const struct privs *p, long *ret)
{
	*ret = RAW(ids_setgroups, p->ngroups, p->groups);
	if (*ret < 0)
		return "setgroups";
	*ret = RAW(ids_setresgid, p->gid, p->gid, p->gid);
	if (*ret < 0)
		return "setresgid";
	*ret = RAW(ids_setresuid, p->uid, p->uid, p->uid);
	if (*ret < 0)
		return "setresuid";
	if (p->uid != 0 && (RAW(ids_setresuid, 0, 0, 0) == 0 ||
			RAW(ids_setresuid, -1, 0, -1) == 0)) {
		*ret = -EPERM;
		return "give up root";
	}
	return NULL;
}

/* Changes the root directory, then the IDs.  Called only as root. */
CHILD_CODE static const char *
apply_identity(const struct privs *p, long *ret)
{
	if (p->chroot) {
		*ret = RAW(chroot, p->chroot);
		if (*ret == 0)
			*ret = RAW(chdir, "/");
		if (*ret < 0)
			return "chroot";
	}
	return p->set_ids ? apply_ids(p, ret) : NULL;
}

CHILD_CODE static const char *
failed(const char *step, long ret, int *ret_err)
{
	*ret_err = (int)-ret;
	return step;
}

CHILD_CODE const char *
privs_apply(const struct privs *p, int *ret_err)
{
	const char *step;
	long ret = 0;
	size_t i;

	if (p->set_nice)
		ret = RAW(setpriority, PRIO_PROCESS, 0, p->nice);
	if (ret < 0)
		return failed("setpriority", ret, ret_err);
	for (i = 0; i < p->nlimits && ret >= 0; i++) {
		struct rlimit64 lim = {p->limits[i].soft, p->limits[i].hard};

		ret = RAW(prlimit64, 0, p->limits[i].resource, &lim, NULL);
	}
	if (ret < 0)
		return failed("setrlimit", ret, ret_err);
	if (p->chroot || p->set_ids) {
		step = apply_identity(p, &ret);
		if (step)
			return failed(step, ret, ret_err);
	}
	if (p->set_umask)
		RAW(umask, p->umask);
	if (p->no_new_privs)
		ret = RAW(prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (ret < 0)
		return failed("no_new_privs", ret, ret_err);
	if (!p->parent_death_signal)
		return NULL;
	ret = RAW(prctl, PR_SET_PDEATHSIG, p->parent_death_signal);
	if (ret < 0)
		return failed("pdeathsig", ret, ret_err);
	/* The parent may have died before the prctl(2). */
	if (RAW(getppid) != p->parent)
		return failed("parent", -ECHILD, ret_err);
	return NULL;
}

void
privs_drop_inherited(struct privs *p)
{
	mode_t mask = umask(0);
	struct rlimit lim;
	size_t i, n = 0;

	umask(mask);
	if (mask == p->umask)
		p->set_umask = false;
	for (i = 0; i < p->nlimits; i++) {
		const struct privs_limit *want = &p->limits[i];

		if (getrlimit((__rlimit_resource_t)want->resource, &lim) < 0 ||
			lim.rlim_cur != want->soft ||
			lim.rlim_max != want->hard)
			p->limits[n++] = *want;
	}
	p->nlimits = n;
}
