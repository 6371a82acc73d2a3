/*
 * script.c - starts one CGI process with three pipes, signals it and notes its
 * exit; see script.h
 *
 * Called by gateway/program (start), gateway/request (signals) and
 * gateway/reaper (exit).  gateway/body and gateway/answer use the pipes.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/util.h"
#include "gateway/gateway.h"
#include "gateway/script.h"
#include "sys/procsignal.h"
#include "sys/spawn.h"

#define KILL_AFTER_MS 2000
/* Starts in progress at once; each takes about 100 us. */
#define SPECS 9

/* Number of programs after script_stop() that are not reaped. */
static unsigned nstopping;

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

bool
script_any_stops(void)
{
	return nstopping > 0;
}

bool
script_is_reaped(const struct script *s)
{
	return s->spec && s->pid == 0;
}

void
script_kill_group(struct script *s)
{
	/* The group has got TERM.  Its ID may be reused after reaping. */
	if (s->stopping)
		script_signal(s, SIGKILL);
}

void
script_on_reaped(struct script *s, int code, int status)
{
	loop_timer_stop(s->loop, &s->kill_timer);
	nstopping -= s->stopping;
	s->stopping = false;
	s->pid = 0;
	s->status = code == CLD_EXITED ? status : 128 + status;
	s->on_exit(s);
}

struct script_spec *
script_get_spec(void)
{
	static struct script_spec specs[SPECS];
	struct script_spec *spec = specs;

	/* The last one is never in use: its start waits for the exec. */
	while (spec < specs + SPECS - 1 &&
		(spawn_is_shared(&spec->shared) || spec->shared.error.step[0]))
		spec++;
	spec->wait = spec == specs + SPECS - 1;
	vec_clear(&spec->env);
	return spec;
}

const struct spawn_error *
script_start_error(const struct script *s)
{
	if (!s->spec || s->spec->owner != s || !s->spec->shared.error.step[0])
		return NULL;
	return &s->spec->shared.error;
}

static int
open_pipes(struct script *s, const struct gateway_opts *opts,
	struct script_spec *spec)
{
	int *fds = spec->fds;

	fds[0] = fds[1] = fds[2] = -1;
	if (!spec->has_body)
		fds[0] = opts->nullfd;
	else if (fd_pipe(0, O_NONBLOCK, &fds[0], &s->infd) < 0)
		return -1;
	if (fd_pipe(O_NONBLOCK, 0, &s->outfd, &fds[1]) < 0)
		return -1;
	return fd_pipe(O_NONBLOCK, 0, &s->errfd, &fds[2]);
}

/* Closes our copies of the program's pipe ends. */
static void
close_ends(struct script_spec *spec)
{
	int fds[3] = {spec->has_body ? spec->fds[0] : -1, spec->fds[1],
		spec->fds[2]};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(fds); i++)
		fd_close(&fds[i]);
}

void
script_close_input(struct script *s)
{
	loop_del(s->loop, &s->in_io);
	fd_close(&s->infd);
}

static void
close_all(struct script *s)
{
	script_close_input(s);
	loop_del(s->loop, &s->out_io);
	loop_del(s->loop, &s->err_io);
	loop_timer_stop(s->loop, &s->kill_timer);
	fd_close(&s->outfd);
	fd_close(&s->errfd);
}

static void
set_error(struct spawn_error *e, const char *step, int err)
{
	*e = (struct spawn_error){.err = err};
	memcpy(e->step, step, strlen(step) + 1);
}

int
script_start(struct script *s, const struct gateway_opts *opts,
	struct script_spec *spec, struct spawn_error *ret_error)
{
	spec->shared.spec = (struct spawn_spec){
		.path = spec->path,
		.argv = spec->argv,
		.envp = vec_array(&spec->env),
		.execfd = spec->execfd,
		.cwdfd = spec->cwdfd,
		.cwd = spec->cwd,
		.fds = spec->fds,
		.nfds = 3,
		.privs = opts->child,
	};
	if (!spec->shared.spec.envp) {
		set_error(ret_error, "environment", ENOMEM);
		return -1;
	}
	if (open_pipes(s, opts, spec) < 0) {
		set_error(ret_error, "pipe", errno);
		goto fail;
	}
	s->pid = spawn_share(&spec->shared, spec->wait);
	if (s->pid < 0) {
		s->pid = 0;
		*ret_error = spec->shared.error;
		spec->shared.error.step[0] = '\0';
		goto fail;
	}
	s->spec = spec;
	spec->owner = s;
	close_ends(spec);
	return 0;
fail:
	close_ends(spec);
	close_all(s);
	return -1;
}

void
script_signal(struct script *s, int signo)
{
	if (s->pid > 0)
		procsignal_group(s->pid, -1, signo);
}

void
script_stop(struct script *s)
{
	if (s->pid == 0 || s->stopping)
		return;
	s->stopping = true;
	nstopping++;
	script_signal(s, SIGTERM);
	loop_timer_set(s->loop, &s->kill_timer,
		loop_now(s->loop) + KILL_AFTER_MS);
}

void
script_fini(struct script *s)
{
	if (s->pid)
		BUG("a program is dropped before it was reaped");
	if (script_start_error(s))
		s->spec->shared.error.step[0] = '\0';
	close_all(s);
	free(s->path);
	s->path = NULL;
}
