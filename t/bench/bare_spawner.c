/*
 * bare_spawner.c - the smallest CGI server: the limit for `make bench-gateway`
 *
 * bare_spawner SOCKET PROGRAM.  It has one loop like the gateway and runs as
 * many programs at once, but has no parameters, body, stderr, timeouts or
 * checks.  A request costs 15 to 18 system calls.  In the server: accept4,
 * read, pipe2, vfork, close, epoll_ctl, read, read, epoll_ctl, close, wait4,
 * sendto, close, without the second read if the program has exited by then.  In
 * the child: dup2 and execve.  Then up to three epoll_wait, fewer under load.
 */
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include "bare.h"

#define PROGRAMS 32

/* A running program. */
struct slot {
	struct slot *next_free;
	int client, out;
	pid_t pid;
	size_t len;			/* after the 8 free bytes of buf */
	uint8_t buf[BARE_BUFFER];
};

static struct slot slots[PROGRAMS], *first_free;
static int epfd, listener;

static void
watch(int op, int fd, uint32_t events, struct slot *s)
{
	struct epoll_event ev = {.events = events, .data.ptr = s};

	if (epoll_ctl(epfd, op, fd, &ev) < 0)
		exit(71);
}

static void
start(char *const *argv)
{
	static const char *const envp[] = {"GATEWAY_INTERFACE=CGI/1.1",
		"REQUEST_METHOD=GET", "SCRIPT_NAME=/hello",
		"SERVER_PROTOCOL=HTTP/1.1", NULL};
	struct slot *s = first_free;
	int out[2];
	pid_t pid;

	s->client = bare_accept(listener, s->buf);
	if (pipe2(out, O_CLOEXEC) < 0)
		exit(71);
	pid = vfork();
	if (pid == 0) {
		dup2(out[1], STDOUT_FILENO);
		execve(argv[0], argv, (char *const *)envp);
		_exit(127);
	}
	if (pid < 0)
		exit(71);
	close(out[1]);
	s->pid = pid;
	s->out = out[0];
	s->len = 0;
	watch(EPOLL_CTL_ADD, s->out, EPOLLIN, s);
	first_free = s->next_free;
	if (!first_free)
		watch(EPOLL_CTL_MOD, listener, 0, NULL);
}

static void
finish(struct slot *s)
{
	int status;

	/* A child before its exec still holds the pipe, so closing alone would
	 * leave it watched. */
	watch(EPOLL_CTL_DEL, s->out, 0, NULL);
	close(s->out);
	if (waitpid(s->pid, &status, 0) < 0)
		exit(71);
	bare_answer(s->client, s->buf, s->len, WEXITSTATUS(status));
	if (!first_free)
		watch(EPOLL_CTL_MOD, listener, EPOLLIN, NULL);
	s->next_free = first_free;
	first_free = s;
}

static void
output(struct slot *s, uint32_t events)
{
	size_t room = 65535 - s->len;
	ssize_t n = read(s->out, s->buf + 8 + s->len, room);

	if (n > 0)
		s->len += (size_t)n;
	if (n <= 0 || ((events & EPOLLHUP) && (size_t)n < room))
		finish(s);
}

int
main(int argc, char **argv)
{
	struct epoll_event events[PROGRAMS + 1];
	int i, n;

	if (argc != 3)
		return 64;
	for (i = 0; i < PROGRAMS; i++) {
		slots[i].next_free = first_free;
		first_free = &slots[i];
	}
	listener = bare_listen(argv[1]);
	epfd = epoll_create1(EPOLL_CLOEXEC);
	watch(EPOLL_CTL_ADD, listener, EPOLLIN, NULL);
	for (;;) {
		n = epoll_wait(epfd, events, PROGRAMS + 1, -1);
		for (i = 0; i < n; i++) {
			if (events[i].data.ptr)
				output(events[i].data.ptr, events[i].events);
			else if (first_free)
				start(argv + 2);
		}
	}
}
