/*
 * refusal.c - a refuser and the clients of its pool; see refusal.h
 */
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/addr.h"
#include "base/fd.h"
#include "refusal.h"
#include "sys/sockdiag.h"

static void
exec_refuser(const struct refusal *s, const char *timeout, const char *preload,
	int channel)
{
	char path[400], key[64], variable[400];
	/* A sanitizer must otherwise be loaded first. */
	char asan[] = "ASAN_OPTIONS=verify_asan_link_order=0";
	char *const env[] = {asan, preload ? variable : NULL, NULL};

	snprintf(path, sizeof(path), "%s/fcgipm-cgi", getenv("FCGIPM_BIN"));
	snprintf(key, sizeof(key), "queue_timeout=%s", timeout);
	snprintf(variable, sizeof(variable), "LD_PRELOAD=%s",
		preload ? preload : "");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(s->listener, 0) < 0)
		_exit(126);
	if (channel == REFUSER_FD ?
			fcntl(channel, F_SETFD, 0) < 0 :
			dup2(channel, REFUSER_FD) < 0)
		_exit(126);
	execve(path, (char *const *)(const char *[]){"fcgipm-cgi", "-P", "www",
		"--refuse", "-o", key, NULL}, env);
	_exit(127);
}

struct refusal
refusal_open_with(bool tcp, const char *timeout, const char *preload)
{
	struct refusal s = {.w = world_open()};
	struct addr addr;
	const char *why;
	char text[400];
	int pair[2];

	s.address = tcp ? s.w->tcp : "www.sock";
	snprintf(text, sizeof(text), "%s",
		tcp ? s.address : world_path(s.w, s.address));
	cr_assert_eq(addr_parse(text, &addr, &why), 0);
	s.listener = socket(addr.sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(s.listener, (struct sockaddr *)&addr.sa, addr.len),
		0, "%s: %s", text, strerror(errno));
	cr_assert_eq(listen(s.listener, 64), 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
		pair), 0);
	s.channel = pair[0];
	s.pid = fork();
	cr_assert_geq(s.pid, 0);
	if (s.pid == 0)
		exec_refuser(&s, timeout, preload, pair[1]);
	close(pair[1]);
	return s;
}

struct refusal
refusal_open(bool tcp, const char *timeout)
{
	return refusal_open_with(tcp, timeout, NULL);
}

void
refusal_close(struct refusal *s)
{
	int status;

	if (s->channel >= 0)
		close(s->channel);
	cr_assert_eq(waitpid(s->pid, &status, 0), s->pid);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0,
		"status %x", (unsigned)status);
	close(s->listener);
	if (s->address[0] == 'w')
		cr_expect_eq(unlink(world_path(s->w, s->address)), 0);
	world_close(&s->w);
}

uint32_t
refusal_inode(int fd)
{
	struct stat st;

	cr_assert_eq(fstat(fd, &st), 0);
	return (uint32_t)st.st_ino;
}

int
refusal_ask(const struct refusal *s)
{
	static const char *const params[] = {"REQUEST_METHOD=GET", NULL};
	int fd = client_connect(s->w, s->address);

	client_ask(fd, 0, params);
	return fd;
}

void
refusal_expect_want(struct refusal *s, unsigned n)
{
	struct refuser_want want = {0};

	cr_assert_eq(recv(s->channel, &want, sizeof(want), 0),
		(ssize_t)sizeof(want));
	cr_expect_eq(want.n, n);
}

void
refusal_connect(struct refusal *s)
{
	int fd = client_connect(s->w, s->address);

	cr_assert_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	cr_assert_eq(fd_send(s->channel, "", 1, fd), 0);
	close(fd);
}

struct refuser_report
refusal_order_at(struct refusal *s, int listener, const uint32_t *inos,
	size_t n)
{
	struct refuser_order o = {.n = (uint32_t)n};
	struct refuser_report r = {0};

	memcpy(o.inos, inos, n * sizeof(*inos));
	cr_assert_eq(fd_send(s->channel, &o, sizeof(o), listener), 0);
	cr_assert_eq(recv(s->channel, &r, sizeof(r), 0), (ssize_t)sizeof(r),
		"no report");
	return r;
}

struct refuser_report
refusal_order(struct refusal *s, const uint32_t *inos, size_t n)
{
	return refusal_order_at(s, -1, inos, n);
}

void
refusal_until_old(const struct refusal *s, int64_t age_ms)
{
	struct sockdiag_listener l;
	struct sockdiag_waiting seen = {0};
	struct sockdiag diag;

	cr_assert_eq(sockdiag_open(&diag), 0);
	cr_assert_eq(sockdiag_listener_init(&l, s->listener), 0);
	while (seen.old == 0)
		cr_assert_eq(sockdiag_tcp_waiting(&diag, &l, age_ms, &seen),
			0);
	sockdiag_close(&diag);
}

void
refusal_expect_503(int fd)
{
	struct answer a = client_read(fd);

	answer_expect(a, "Status: 503 Service Unavailable\r\n");
	answer_expect(a, "Content-Type: text/plain\r\n");
	answer_expect(a, "Retry-After: ");
	cr_expect(a.ended);
	cr_expect_eq(a.protocol_status, 0, "nginx would answer 502");
	cr_expect_eq(client_drain(fd), 0, "not closed");
	close(fd);
}

void
refusal_serve(struct refusal *s, size_t len, const char *reply)
{
	struct pollfd p = {.fd = s->listener, .events = POLLIN};
	uint8_t bytes[256];
	int fd;

	cr_assert_gt(poll(&p, 1, 10000), 0, "no client was forwarded");
	fd = accept(s->listener, NULL, NULL);
	cr_assert_geq(fd, 0);
	cr_assert_leq(len, sizeof(bytes));
	client_read_bytes(fd, bytes, len);
	client_send(fd, reply, strlen(reply));
	close(fd);
}
