/*
 * listen.c - opens, reopens and closes listening sockets; see listen.h
 *
 * A unix socket is bound under a temporary name with its mode, given its owner,
 * made to listen, and only then renamed to its path.  So a client never finds
 * it with wrong permissions or refusing connections, and the rename replaces a
 * stale socket in one step.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/util.h"
#include "sys/clients.h"
#include "sys/listen.h"
#include "sys/listen_conflict.h"

/* How long a process that holds the address may take to exit: the workers of a
 * killed supervisor die at once, but not in the same instant. */
#define IN_USE_WAIT_MS 1000

/*
 * The name that is bound first, in the same directory: the path and a tilde.
 * Where that does not fit into sun_path, the last byte is changed instead.
 */
static struct sockaddr_un
temporary_name(const char *path)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	size_t len = strlen(path);

	memcpy(un.sun_path, path, len);
	if (len + 1 < sizeof(un.sun_path))
		un.sun_path[len] = '~';
	else
		un.sun_path[len - 1] = un.sun_path[len - 1] == '~' ? '_' : '~';
	return un;
}

/*
 * Sets the owner of the socket's file.  A user with write access to the
 * directory can put another file in its place.  Therefore one descriptor serves
 * the check and the change: the file must be a socket of this user that has no
 * other link.
 */
static int
set_owner(const char *path, const struct listen_opts *opts,
	struct stat *ret_st)
{
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC), rc = -1;

	if (fd < 0 || fstat(fd, ret_st) < 0)
		rc = -1;
	else if (opts->owner == (uid_t)-1 && opts->group == (gid_t)-1)
		rc = 0;
	else if (S_ISSOCK(ret_st->st_mode) && ret_st->st_uid == geteuid() &&
		ret_st->st_nlink == 1)
		rc = fchownat(fd, "", opts->owner, opts->group, AT_EMPTY_PATH);
	else
		errno = EPERM;
	fd_close(&fd);
	return rc;
}

static int
open_path(const struct addr *a, const struct listen_opts *opts, int fd,
	int64_t wait_ms, struct listen_socket *s, char *why, size_t size)
{
	struct sockaddr_un tmp = temporary_name(addr_path(a));
	const char *step = "fchmod";
	struct stat st;
	mode_t old;
	int rc;

	if (listen_check_path(a, wait_ms, why, size) < 0)
		return -1;
	/* A socket left by an earlier start is removed; for any other file
	 * bind(2) reports an error. */
	if (lstat(tmp.sun_path, &st) == 0 && S_ISSOCK(st.st_mode) &&
		st.st_uid == geteuid())
		(void)unlink(tmp.sun_path);
	/* bind(2) creates the file with the mode of fchmod(2) less the umask.
	 * A default ACL of the directory replaces the umask (acl(5)); then
	 * fchmod(2) alone limits the mode. */
	if (fchmod(fd, opts->mode) < 0)
		goto fail;
	old = umask(0777 & ~opts->mode);
	rc = bind(fd, (struct sockaddr *)&tmp, sizeof(tmp));
	umask(old);
	if (rc < 0) {
		listen_explain_bind(a, why, size);
		return -1;
	}
	step = "chown";
	if (set_owner(tmp.sun_path, opts, &st) < 0)
		goto fail_unlink;
	step = "listen";
	if (listen(fd, opts->backlog) < 0)
		goto fail_unlink;
	step = "rename";
	if (rename(tmp.sun_path, addr_path(a)) < 0)
		goto fail_unlink;
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	return 0;
fail_unlink:
	rc = errno;
	(void)unlink(tmp.sun_path);
	errno = rc;
fail:
	snprintf(why, size, "%s: %s: %s", a->text, step, strerror(errno));
	return -1;
}

/* Abstract names and TCP: bind(2) reports an address that is in use. */
static int
open_bound(const struct addr *a, const struct listen_opts *opts, int fd,
	char *why, size_t size)
{
	int64_t until = now_ms() + IN_USE_WAIT_MS;
	const char *step = "setsockopt";
	int one = 1;

	if (addr_is_tcp(a) &&
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0)
		goto fail;
	if (a->sa.ss_family == AF_INET6 &&
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) <
			0)
		goto fail;
	step = "listen.allowed_clients";
	if (addr_is_tcp(a) && opts->allowed_clients &&
		clients_attach(fd, a->sa.ss_family, opts->allowed_clients) < 0)
		goto fail;
	while (bind(fd, (const struct sockaddr *)&a->sa, a->len) < 0) {
		if (errno != EADDRINUSE) {
			listen_explain_bind(a, why, size);
			return -1;
		}
		if (now_ms() >= until) {
			listen_explain_in_use(a, 0, why, size);
			return -1;
		}
		listen_pause();
	}
	step = "listen";
	if (listen(fd, opts->backlog) < 0) {
		if (errno == EADDRINUSE) {
			listen_explain_in_use(a, 0, why, size);
			return -1;
		}
		goto fail;
	}
	return 0;
fail:
	/* Some container runtimes and security modules restrict filters. */
	snprintf(why, size, "%s: %s: %s%s", a->text, step, strerror(errno),
		errno != EPERM ? "" : geteuid() != 0 ? "; start as root" :
		"; the address filter needs CAP_NET_ADMIN here (systemd: "
		"CapabilityBoundingSet=; Docker: --cap-add NET_ADMIN)");
	return -1;
}

int
listen_open(const struct addr *addr, const struct listen_opts *opts,
	struct listen_socket *ret_sock, char *ret_why, size_t why_size)
{
	struct listen_socket s = {.addr = *addr};
	int rc;

	s.fd = socket(addr->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s.fd < 0) {
		snprintf(ret_why, why_size, "%s: socket: %s", addr->text,
			strerror(errno));
		return -1;
	}
	if (addr_is_path(addr))
		rc = open_path(addr, opts, s.fd, IN_USE_WAIT_MS, &s, ret_why,
			why_size);
	else
		rc = open_bound(addr, opts, s.fd, ret_why, why_size);
	if (rc < 0) {
		fd_close(&s.fd);
		return -1;
	}
	*ret_sock = s;
	return 0;
}

bool
listen_is_shut(const struct listen_socket *s)
{
	struct pollfd p = {.fd = s->fd, .events = POLLRDHUP};

	return poll(&p, 1, 0) > 0 && p.revents & (POLLHUP | POLLRDHUP);
}

/* The new socket takes the descriptor number of the old one. */
static int
replace_socket(struct listen_socket *s, int fd)
{
	int rc = dup3(fd, s->fd, O_CLOEXEC);

	fd_close(&fd);
	return rc < 0 ? -1 : 0;
}

static int
explain_reopen(const struct listen_socket *s, const char *step, char *why,
	size_t size)
{
	snprintf(why, size, "%s: %s: %s", s->addr.text, step, strerror(errno));
	return -1;
}

int
listen_reopen(struct listen_socket *s, const struct listen_opts *opts,
	char *ret_why, size_t why_size)
{
	const struct addr *a = &s->addr;
	int fd;

	if (addr_is_tcp(a))
		return listen(s->fd, opts->backlog) == 0 ? 0 :
			explain_reopen(s, "listen", ret_why, why_size);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return explain_reopen(s, "socket", ret_why, why_size);
	if (addr_is_path(a) &&
		open_path(a, opts, fd, 0, s, ret_why, why_size) < 0) {
		fd_close(&fd);
		return -1;
	}
	if (replace_socket(s, fd) < 0)
		return explain_reopen(s, "dup3", ret_why, why_size);
	if (!addr_is_path(a) &&
		(bind(s->fd, (const struct sockaddr *)&a->sa, a->len) < 0 ||
			listen(s->fd, opts->backlog) < 0))
		return explain_reopen(s, "bind", ret_why, why_size);
	return 0;
}

/* Opens the socket's file; fails when the path names another file by now. */
static int
open_file(const struct listen_socket *s)
{
	int fd = open(addr_path(&s->addr), O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && s->ino != 0 &&
		st.st_dev == s->dev && st.st_ino == s->ino)
		return fd;
	if (fd >= 0)
		errno = ESTALE;
	fd_close(&fd);
	return -1;
}

int
listen_connect(const struct listen_socket *s)
{
	struct sockaddr_un *un;
	struct addr a = {.sa.ss_family = AF_UNIX, .len = sizeof(*un)};
	int pathfd, fd;

	if (!addr_is_path(&s->addr))
		return addr_connect(&s->addr, SOCK_NONBLOCK);
	pathfd = open_file(s);
	if (pathfd < 0)
		return -1;
	un = (struct sockaddr_un *)&a.sa;
	snprintf(un->sun_path, sizeof(un->sun_path), "/proc/self/fd/%d",
		pathfd);
	fd = addr_connect(&a, SOCK_NONBLOCK);
	fd_close(&pathfd);
	return fd;
}

void
listen_unlink(struct listen_socket *s)
{
	struct stat st;

	if (s->ino == 0)
		return;
	/* Another process may have replaced the file. */
	if (lstat(addr_path(&s->addr), &st) == 0 && st.st_dev == s->dev &&
		st.st_ino == s->ino)
		(void)unlink(addr_path(&s->addr));
	s->ino = 0;
}

void
listen_close(struct listen_socket *s)
{
	listen_unlink(s);
	fd_close(&s->fd);
}

/* Reads local accounts only: a warning does not justify loading the modules of
 * a name service. */
static bool
find_local_user(const char *name, struct passwd *ret)
{
	FILE *f = fopen("/etc/passwd", "re");
	struct passwd *pw;
	bool found = false;

	while (f && !found && (pw = fgetpwent(f)) != NULL)
		if (strcmp(pw->pw_name, name) == 0) {
			*ret = *pw;
			found = true;
		}
	if (f)
		fclose(f);
	return found;
}

static bool
in_group(const char *user, gid_t primary, gid_t group)
{
	FILE *f = fopen("/etc/group", "re");
	bool found = primary == group;
	struct group *gr;
	char **member;

	while (f && !found && (gr = fgetgrent(f)) != NULL)
		for (member = gr->gr_mem; gr->gr_gid == group && *member;
			member++)
			found = found || strcmp(*member, user) == 0;
	if (f)
		fclose(f);
	return found;
}

static const char *const web_users[] = {"www-data", "nginx", "http", "apache"};

const char *
listen_web_user(void)
{
	struct passwd pw;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(web_users); i++)
		if (find_local_user(web_users[i], &pw))
			return web_users[i];
	return NULL;
}

bool
listen_reachable(const struct listen_opts *opts)
{
	uid_t owner = opts->owner == (uid_t)-1 ? geteuid() : opts->owner;
	gid_t group = opts->group == (gid_t)-1 ? getegid() : opts->group;
	struct passwd pw = {0};
	bool any = false;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(web_users); i++) {
		if (!find_local_user(web_users[i], &pw))
			continue;
		any = true;
		/* connect(2) needs write permission; the first class that
		 * applies decides. */
		if (pw.pw_uid == owner ? opts->mode & 0200 :
			in_group(web_users[i], pw.pw_gid, group) ?
				opts->mode & 0020 : opts->mode & 0002)
			return true;
	}
	return !any;
}
