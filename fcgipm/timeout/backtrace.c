/*
 * backtrace.c - takes the stack of a process with an external tool; see
 * backtrace.h
 *
 * Called by timeout/slowlog.  The tool runs as the pool's user, whose other
 * processes can tamper with it: its run time and its output are bounded, and
 * the output is only logged.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/util.h"
#include "sys/procfs.h"
#include "sys/procsignal.h"
#include "sys/spawn.h"
#include "timeout/backtrace.h"
#include "timeout/descendants.h"

/* The tool is killed after this time. */
#define TIME_MS 10000
/* Maximum length of its output, including a NUL; the rest is dropped. */
#define TEXT_BYTES 65536

static void
find_tool(struct backtrace *b)
{
	static const char *const paths[] = {"/usr/bin/eu-stack",
		"/usr/local/bin/eu-stack", "/usr/bin/gdb",
		"/usr/local/bin/gdb"};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(paths) && !b->tool; i++)
		if (access(paths[i], X_OK) == 0) {
			b->tool = paths[i];
			b->is_gdb = i >= 2;
		}
}

static void
close_all(struct backtrace *b)
{
	int fd = b->out.fd;

	loop_timer_stop(b->loop, &b->timer);
	loop_child_del(b->loop, &b->child);
	loop_del(b->loop, &b->out);
	fd_close(&fd);
	fd_close(&b->pidfd);
	fd_close(&b->errfd);
	fd_close(&b->targetfd);
	b->pid = 0;
}

/* Drops what exceeds TEXT_BYTES; false at the end of the output. */
static bool
read_output(struct backtrace *b)
{
	char chunk[4096], *nul;
	ssize_t n = read(b->out.fd, chunk, sizeof(chunk));

	if (n <= 0)
		return n < 0 && errno == EINTR;
	while ((nul = memchr(chunk, '\0', (size_t)n)) != NULL)
		*nul = '.';
	(void)buf_add(&b->text, chunk,
		MIN((size_t)n, b->text.cap - 1 - b->text.len));
	return true;
}

static void
on_out(struct loop_io *io, uint32_t events)
{
	struct backtrace *b = container_of(io, struct backtrace, out);

	if (!read_output(b) && events & (LOOP_HANGUP | LOOP_ERROR)) {
		int fd = io->fd;

		loop_del(b->loop, io);
		fd_close(&fd);
	}
}

/* Is it a frame, or the thread that the next frames belong to?  Both tools
 * write other lines as well. */
static bool
is_frame(const char *line)
{
	return line[0] == '#' || strncmp(line, "TID ", 4) == 0 ||
		strncmp(line, "Thread ", 7) == 0;
}

/* Removes all other lines, in place; false when there is no frame, *ret_last
 * then is the last line. */
static bool
pick_frames(char *text, char **ret_last)
{
	char *to = text, *line = text, *end;
	bool found = false;
	size_t len;

	for (; *line; line = end) {
		len = strcspn(line, "\n");
		end = line + len + (line[len] != '\0');
		if (line[0] == '#')
			found = true;
		if (!is_frame(line)) {
			if (!found && len > 0)
				*ret_last = line;
			continue;
		}
		memmove(to, line, (size_t)(end - line));
		to += end - line;
	}
	if (found)
		*to = '\0';
	else
		(*ret_last)[strcspn(*ret_last, "\n")] = '\0';
	return found;
}

/* The tool has exited: calls on_done() with the frames, or with why there are
 * none. */
static void
report_result(struct backtrace *b)
{
	struct spawn_error e = {0};
	char text[TEXT_BYTES] = "", why[300], *last = text;
	size_t len = b->text.len;

	if (len > 0)
		memcpy(text, buf_data(&b->text), len);
	text[len] = '\0';
	buf_fini(&b->text);
	if (read(b->errfd, &e, sizeof(e)) != (ssize_t)sizeof(e))
		e.step[0] = '\0';
	e.step[sizeof(e.step) - 1] = '\0';
	close_all(b);
	if (pick_frames(text, &last)) {
		b->on_done(b, text);
		return;
	}
	if (e.step[0])
		snprintf(why, sizeof(why), "%s: %s: %s", b->tool, e.step,
			strerror(e.err));
	else if (b->timed_out)
		snprintf(why, sizeof(why), "%s: no result after %d s", b->tool,
			TIME_MS / 1000);
	else
		snprintf(why, sizeof(why), "%s: %.200s", b->tool,
			*last ? last : "no output");
	b->on_done(b, why);
}

/* A tool that was killed may leave the process stopped. */
static void
resume_target(const struct backtrace *b)
{
	if (procfs_state(b->target) == 'T')
		(void)procsignal_process(b->targetfd, SIGCONT);
}

static void
on_exit_of_tool(struct loop_child *child, int code, int status)
{
	struct backtrace *b = container_of(child, struct backtrace, child);
	int i;
	(void)code;
	(void)status;

	for (i = 0; i < 64 && b->out.fd >= 0 && read_output(b); i++)
		;
	resume_target(b);
	report_result(b);
}

static void
on_time(struct loop_timer *timer)
{
	struct backtrace *b = container_of(timer, struct backtrace, timer);

	b->timed_out = true;
	procsignal_group(b->pid, b->pidfd, SIGKILL);
}

void
backtrace_init(struct backtrace *b, struct loop *loop, uid_t uid, gid_t gid,
	void (*on_done)(struct backtrace *b, const char *text))
{
	*b = (struct backtrace){
		.on_done = on_done,
		.loop = loop,
		.pidfd = -1,
		.errfd = -1,
		.targetfd = -1,
		.child = {.io = {.fd = -1}, .on_exit = on_exit_of_tool},
		.out = {.on_event = on_out, .fd = -1},
		.timer = {.on_timer = on_time},
		.privs = {
			.set_ids = geteuid() == 0 && uid != 0,
			.uid = uid,
			.gid = gid,
			.no_new_privs = true,
			.parent_death_signal = SIGKILL,
			.parent = getpid(),
			.limits = {{RLIMIT_CORE, 0, 0}},
			.nlimits = 1,
		},
	};
	find_tool(b);
}

void
backtrace_fini(struct backtrace *b)
{
	pid_t pid = b->pid;

	if (pid == 0)
		return;
	procsignal_group(pid, b->pidfd, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	resume_target(b);
	buf_fini(&b->text);
	close_all(b);
}

static int
spawn_tool(struct backtrace *b, int outfd)
{
	char number[16];
	const char *eu_stack[] = {"eu-stack", "-n", "64", "-p", number, NULL};
	const char *gdb[] = {"gdb", "-nx", "-batch", "-iex",
		"set auto-load off", "-iex", "set debuginfod enabled off",
		"-iex", "set print frame-arguments none",
		"-p", number, "-ex", "thread apply all backtrace 64", NULL};
	const char *env[] = {"PATH=/usr/bin:/bin", "HOME=/", "LC_ALL=C",
		"TERM=dumb", NULL};
	int nullfd = open("/dev/null", O_RDONLY | O_CLOEXEC), saved;
	const int fds[] = {nullfd, outfd, outfd};
	gid_t group = b->privs.gid;
	const struct spawn_spec spec = {
		.path = b->tool,
		.execfd = -1,
		.argv = (char *const *)(b->is_gdb ? gdb : eu_stack),
		.envp = (char *const *)env,
		.fds = fds,
		.nfds = 3,
		.cwd = "/",
		.cwdfd = -1,
		.new_session = true,
		.privs = &b->privs,
	};
	pid_t pid = -1;

	snprintf(number, sizeof(number), "%d", (int)b->target);
	b->privs.groups = &group;
	b->privs.ngroups = 1;
	if (nullfd >= 0)
		pid = spawn_start(&spec, &b->pidfd, &b->errfd);
	saved = errno;
	b->privs.groups = NULL;
	fd_close(&nullfd);
	errno = saved;
	if (pid < 0)
		return -1;
	b->pid = pid;
	return 0;
}

const char *
backtrace_start(struct backtrace *b, pid_t target, pid_t session)
{
	char state = procfs_state(target);
	const char *why = "cannot start the tool";
	int readfd = -1, writefd = -1, rc;

	if (!b->tool)
		return "neither eu-stack nor gdb is installed";
	if (state == 'T' || state == 't')
		return "the process is stopped";
	b->target = target;
	b->timed_out = false;
	b->targetfd = (int)syscall(SYS_pidfd_open, target, 0);
	/* Checked after the pidfd was opened, so that the result is valid for
	 * the process that the pidfd refers to. */
	if (b->targetfd >= 0 && !descendants_include(session, target)) {
		why = "the process is not in the worker's session";
		goto fail;
	}
	if (b->targetfd < 0 || fd_pipe(O_NONBLOCK, 0, &readfd, &writefd) < 0)
		goto fail;
	rc = spawn_tool(b, writefd);
	fd_close(&writefd);
	if (rc < 0)
		goto fail;
	buf_init(&b->text, TEXT_BYTES);
	if (loop_child_add(b->loop, &b->child, b->pidfd) < 0 ||
		loop_add(b->loop, &b->out, readfd, LOOP_READ) < 0) {
		backtrace_fini(b);
		why = "cannot watch the tool with epoll; see "
			"fs.epoll.max_user_watches";
		goto fail;
	}
	loop_timer_set(b->loop, &b->timer, loop_now(b->loop) + TIME_MS);
	return NULL;
fail:
	fd_close(&b->targetfd);
	fd_close(&readfd);
	return why;
}
