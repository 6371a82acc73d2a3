/*
 * script.c - one CGI program while it runs; see script.h
 *
 * Called by gateway/request, which moves the bytes.  Here are the process,
 * its three pipes and its end.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/util.h"
#include "gateway/gateway.h"
#include "gateway/refuse.h"
#include "gateway/script.h"
#include "sys/spawn.h"

#define KILL_AFTER_MS 2000

static void
on_kill_timer(struct loop_timer *timer)
{
	script_signal(container_of(timer, struct script, kill_timer), SIGKILL);
}

void
script_init(struct script *s, struct loop *loop)
{
	s->loop = loop;
	s->infd = s->outfd = s->errfd = -1;
	s->in_io.fd = s->out_io.fd = s->err_io.fd = -1;
	s->kill_timer.on_timer = on_kill_timer;
}

void
script_reaped(struct script *s, int code, int status)
{
	loop_timer_stop(s->loop, &s->kill_timer);
	s->pid = 0;
	s->status = code == CLD_EXITED ? status : 128 + status;
	s->on_exit(s);
}

int
script_start(struct script *s, const struct gateway_opts *opts,
	const struct script_spec *spec, struct refusal *why)
{
	int fds[3] = {opts->nullfd, -1, -1};
	struct spawn_spec ss = {
		.path = spec->path,
		.argv = spec->argv,
		.envp = spec->envp,
		.execfd = spec->execfd,
		.cwdfd = spec->cwdfd,
		.cwd = spec->cwd,
		.fds = fds,
		.nfds = 3,
		.privs = opts->child,
	};
	struct spawn_error error;
	int infd = -1;

	if ((spec->has_body && fd_pipe(0, O_NONBLOCK, &infd, &s->infd) < 0) ||
		fd_pipe(O_NONBLOCK, 0, &s->outfd, &fds[1]) < 0 ||
		fd_pipe(O_NONBLOCK, 0, &s->errfd, &fds[2]) < 0) {
		refuse(why, 503, "pipe: %s; raise rlimit_files or lower "
			"pm.max_children", strerror(errno));
		goto fail;
	}
	if (infd >= 0)
		fds[0] = infd;
	s->pid = spawn_vfork(&ss, &error);
	if (s->pid < 0) {
		s->pid = 0;
		refuse_spawn(opts, spec, &error, why);
		goto fail;
	}
	fd_close(&infd);
	fd_close(&fds[1]);
	fd_close(&fds[2]);
	if (loop_add(s->loop, &s->out_io, s->outfd, LOOP_READ) < 0) {
		refuse(why, 503, "epoll_ctl: %s", strerror(errno));
		script_signal(s, SIGKILL);
		(void)waitid(P_PID, (id_t)s->pid, NULL, WEXITED);
		s->pid = 0;
		goto fail;
	}
	return 0;
fail:
	fd_close(&infd);
	fd_close(&fds[1]);
	fd_close(&fds[2]);
	script_fini(s);
	return -1;
}

void
script_try_reap(struct script *s)
{
	siginfo_t si = {0};

	if (s->pid == 0)
		return;
	if (waitid(P_PID, (id_t)s->pid, &si, WEXITED | WNOHANG) == 0 &&
		si.si_pid != 0)
		script_reaped(s, si.si_code, si.si_status);
}

void
script_signal(struct script *s, int signo)
{
	/* Not reaped, so the group's number is still its own. */
	if (s->pid > 0)
		(void)kill(-s->pid, signo);
}

void
script_stop(struct script *s)
{
	if (s->pid == 0 || s->kill_timer.place)
		return;
	script_signal(s, SIGTERM);
	loop_timer_set(s->loop, &s->kill_timer,
		loop_now(s->loop) + KILL_AFTER_MS);
}

void
script_close_input(struct script *s)
{
	loop_del(s->loop, &s->in_io);
	fd_close(&s->infd);
}

void
script_fini(struct script *s)
{
	if (s->pid)
		BUG("a program is forgotten before it was reaped");
	script_close_input(s);
	loop_del(s->loop, &s->out_io);
	loop_del(s->loop, &s->err_io);
	loop_timer_stop(s->loop, &s->kill_timer);
	fd_close(&s->outfd);
	fd_close(&s->errfd);
}
