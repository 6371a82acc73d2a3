/*
 * prober.c - reads /proc as the workers' user; see prober.h
 *
 * Called by observe/processes, observe/kernel and observe/describe.  The helper
 * runs as the pool's user, whose other processes can tamper with it: the sizes
 * in its answers are checked, and the supervisor waits for an answer no longer
 * than ANSWER_MS.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/util.h"
#include "observe/prober.h"
#include "sys/inspect.h"
#include "sys/privs.h"
#include "sys/procfs.h"

#define ANSWER_MS 100
#define PAUSE_MS 10000

#define LISTENERS_MAX 16
/* Maximum number of sockets in one answer; 8 KiB. */
#define SOCKETS_MAX 1024
/* Maximum length of a text: enough for 32 tasks without their kernel stacks,
 * which only root may read. */
#define TEXT_BYTES 32768

enum op {
	OP_TASKS,
	OP_SOCKETS,
	OP_KIND,
	OP_BRIEF,
	OP_REPORT,
	OP_READS,
	OP_STATIC
};

struct question {
	uint32_t seq;
	enum op op;
	pid_t pid;
	size_t nlisteners;
	ino_t listeners[LISTENERS_MAX];
	struct watch_socket socket;	/* OP_KIND */
};

struct reply {
	uint32_t seq;
	int err;		/* 0, or errno */
	struct watch_tasks tasks;
	enum watch_kind kind;
	uint64_t number;	/* OP_READS, OP_STATIC */
	size_t len;		/* bytes of union more that follow */
};

union more {
	struct watch_socket sockets[SOCKETS_MAX];
	char text[TEXT_BYTES];
};

/* -- the helper process ---------------------------------------------------- */

static int
write_report(pid_t pid, union more *more)
{
	FILE *out = fmemopen(more->text, sizeof(more->text), "w");
	int rc;

	if (!out)
		return -1;
	rc = inspect_report(pid, out);
	/* A report that is too long is cut. */
	(void)fclose(out);
	return rc;
}

static void
answer_question(struct watch *w, const struct question *q, struct reply *r,
	union more *more)
{
	size_t n = 0;
	int rc = 0;

	switch (q->op) {
	case OP_TASKS:
		rc = watch_tasks(w, q->listeners,
			MIN(q->nlisteners, (size_t)LISTENERS_MAX), &r->tasks);
		break;
	case OP_SOCKETS:
		rc = watch_sockets(w, more->sockets, SOCKETS_MAX, &n);
		r->len = n * sizeof(more->sockets[0]);
		break;
	case OP_KIND:
		r->kind = watch_kind(w, &q->socket);
		break;
	case OP_BRIEF:
	case OP_REPORT:
		more->text[0] = '\0';
		rc = q->op == OP_REPORT ? write_report(q->pid, more) :
			inspect_brief(q->pid, more->text, sizeof(more->text));
		r->len = strnlen(more->text, sizeof(more->text));
		break;
	case OP_READS:
		r->number = inspect_reads(q->pid);
		rc = r->number == UINT64_MAX ? -1 : 0;
		break;
	case OP_STATIC:
		rc = procfs_is_static(q->pid);
		r->number = rc > 0;
		break;
	}
	if (rc < 0)
		r->err = errno;
}

static void
serve_questions(int fd)
{
	union more more;
	struct watch w = {0};
	struct question q;

	while (read(fd, &q, sizeof(q)) == (ssize_t)sizeof(q)) {
		struct reply r = {.seq = q.seq};
		struct iovec out[2] = {{&r, sizeof(r)}, {&more, 0}};

		if (watch_open(&w, q.pid) < 0)
			r.err = errno;
		else
			answer_question(&w, &q, &r, &more);
		watch_close(&w);
		out[1].iov_len = r.len;
		if (writev(fd, out, 2) < 0)
			break;
	}
}

static void
become_prober(const struct prober *p, int fd, pid_t parent)
{
	gid_t group = p->gid;
	const struct privs privs = {.set_ids = true, .uid = p->uid,
		.gid = p->gid, .groups = &group, .ngroups = 1,
		.no_new_privs = true, .parent_death_signal = SIGKILL,
		.parent = parent};
	sigset_t none;
	int err = 0;

	sigemptyset(&none);
	/* Keep none of the supervisor's descriptors except this one, not even
	 * that of the log. */
	if (dup2(fd, 0) < 0 || close_range(1, ~0U, 0) < 0)
		_exit(71);
	(void)setsid();
	(void)prctl(PR_SET_NAME, "fcgipm-prober", 0, 0, 0);
	/* The supervisor installs no signal handlers, so none can run here. */
	if (privs_apply(&privs, &err) || prctl(PR_SET_DUMPABLE, 0) < 0 ||
		sigprocmask(SIG_SETMASK, &none, NULL) < 0)
		_exit(71);
	serve_questions(0);
	_exit(0);
}

/* -- the supervisor's side ------------------------------------------------- */

void
prober_init(struct prober *p, uid_t uid, gid_t gid)
{
	*p = (struct prober){.uid = uid, .gid = gid, .fd = -1};
}

static void
end_child(struct prober *p)
{
	fd_close(&p->fd);
	if (p->pid > 0) {
		/* Without CAP_KILL this fails, and the helper exits because its
		 * socket is closed. */
		(void)kill(p->pid, SIGKILL);
		p->dying = p->pid;
	}
	p->pid = 0;
}

/* Returns true when the killed helper, if any, has been reaped. */
static bool
reap_child(struct prober *p, int flags)
{
	pid_t pid;

	if (p->dying == 0)
		return true;
	do
		pid = waitpid(p->dying, NULL, flags);
	while (pid < 0 && errno == EINTR);
	if (pid == 0)
		return false;
	p->dying = 0;
	return true;
}

void
prober_fini(struct prober *p)
{
	end_child(p);
	(void)reap_child(p, 0);
}

static int
start_child(struct prober *p)
{
	pid_t parent = getpid();
	sigset_t all, old;
	int pair[2];

	if (p->pid > 0)
		return 0;
	/* A helper that cannot change its uid, or has the same one, cannot read
	 * more than the supervisor. */
	if (geteuid() != 0 || p->uid == 0) {
		errno = EACCES;
		return -1;
	}
	if (now_ms() < p->not_before_ms || !reap_child(p, WNOHANG)) {
		errno = ECHILD;
		return -1;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	p->pid = fork();
	if (p->pid == 0)
		become_prober(p, pair[1], parent);
	sigprocmask(SIG_SETMASK, &old, NULL);
	fd_close(&pair[1]);
	if (p->pid < 0) {
		p->pid = 0;
		p->not_before_ms = now_ms() + PAUSE_MS;
		fd_close(&pair[0]);
		return -1;
	}
	p->fd = pair[0];
	return 0;
}

/* Sends a question and waits for its answer; 0 with a checked answer, or -1
 * with errno. */
static int
exchange_messages(struct prober *p, struct question *q, struct reply *r,
	union more *more)
{
	struct iovec in[2] = {{r, sizeof(*r)},
		{more, more ? sizeof(*more) : 0}};
	int64_t until = now_ms() + ANSWER_MS, left;
	struct pollfd pfd = {.fd = p->fd, .events = POLLIN};
	ssize_t n;

	q->seq = ++p->seq;
	if (send(p->fd, q, sizeof(*q), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return -1;
	for (;;) {
		left = until - now_ms();
		n = poll(&pfd, 1, left > 0 ? (int)left : 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			errno = n == 0 ? ETIMEDOUT : errno;
			return -1;
		}
		n = readv(p->fd, in, 2);
		if (n < (ssize_t)sizeof(*r) ||
			r->len > (more ? sizeof(*more) : 0) ||
			(size_t)n != sizeof(*r) + r->len) {
			errno = n < 0 ? errno : EPROTO;
			return -1;
		}
		if (r->seq == q->seq)
			return 0;
	}
}

static int
ask_child(struct prober *p, struct question *q, struct reply *r,
	union more *more)
{
	int saved;

	if (start_child(p) < 0)
		return -1;
	if (exchange_messages(p, q, r, more) < 0) {
		saved = errno;
		end_child(p);
		p->not_before_ms = now_ms() + PAUSE_MS;
		errno = saved;
		return -1;
	}
	if (r->err) {
		errno = r->err;
		return -1;
	}
	return 0;
}

int
prober_tasks(struct prober *p, pid_t pid, const ino_t *listeners, size_t n,
	struct watch_tasks *ret)
{
	struct question q = {.op = OP_TASKS, .pid = pid,
		.nlisteners = MIN(n, (size_t)LISTENERS_MAX)};
	struct reply r = {0};

	memcpy(q.listeners, listeners, q.nlisteners * sizeof(*listeners));
	if (ask_child(p, &q, &r, NULL) < 0)
		return -1;
	*ret = r.tasks;
	return 0;
}

int
prober_sockets(struct prober *p, pid_t pid, struct watch_socket *ret,
	size_t max, size_t *ret_n)
{
	struct question q = {.op = OP_SOCKETS, .pid = pid};
	struct reply r = {0};
	union more more;

	if (ask_child(p, &q, &r, &more) < 0)
		return -1;
	if (r.len > max * sizeof(*ret)) {
		errno = E2BIG;
		return -1;
	}
	*ret_n = r.len / sizeof(*ret);
	memcpy(ret, more.sockets, *ret_n * sizeof(*ret));
	return 0;
}

enum watch_kind
prober_kind(struct prober *p, pid_t pid, const struct watch_socket *s)
{
	struct question q = {.op = OP_KIND, .pid = pid, .socket = *s};
	struct reply r = {0};

	return ask_child(p, &q, &r, NULL) < 0 ? WATCH_KIND_GONE : r.kind;
}

static char *
ask_text(struct prober *p, enum op op, pid_t pid)
{
	struct question q = {.op = op, .pid = pid};
	struct reply r = {0};
	union more more;

	return ask_child(p, &q, &r, &more) < 0 ? NULL :
					   mem_strndup(more.text, r.len);
}

char *
prober_brief(struct prober *p, pid_t pid)
{
	return ask_text(p, OP_BRIEF, pid);
}

char *
prober_report(struct prober *p, pid_t pid)
{
	return ask_text(p, OP_REPORT, pid);
}

uint64_t
prober_reads(struct prober *p, pid_t pid)
{
	struct question q = {.op = OP_READS, .pid = pid};
	struct reply r = {0};

	return ask_child(p, &q, &r, NULL) < 0 ? UINT64_MAX : r.number;
}

int
prober_is_static(struct prober *p, pid_t pid)
{
	struct question q = {.op = OP_STATIC, .pid = pid};
	struct reply r = {0};

	return ask_child(p, &q, &r, NULL) < 0 ? -1 : r.number == 1;
}
