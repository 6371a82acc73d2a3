/*
 * stage.c - one program as a worker, and its observer; see stage.h
 */
#include <grp.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "stage.h"

/* Copies it to the directory of the world, because the user nobody may not read
 * every checkout. */
char *
stage_copy_child(struct world *w, const char *name, int mode)
{
	const char *from = world_child(name), *to = world_path(w, name);
	char *bytes = NULL;
	size_t len = 0;
	FILE *f = fopen(from, "re");
	int fd;

	cr_assert_not_null(f, "%s: %s", from, strerror(errno));
	bytes = malloc(1 << 23);
	cr_assert_not_null(bytes);
	len = fread(bytes, 1, 1 << 23, f);
	fclose(f);
	fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, bytes, len), (ssize_t)len);
	cr_assert_eq(fchmod(fd, (mode_t)mode), 0);
	close(fd);
	free(bytes);
	return strdup(to);
}

/* address "name" in the directory, "@", or "127.0.0.1:" or "[::1]:", to which
 * a port is added */
void
stage_open(struct stage *s, const char *address)
{
	const char *why = "";
	char text[400];

	*s = (struct stage){.world = world_open(), .fd = -1};
	if (address[0] == '@')
		snprintf(s->address, sizeof(s->address), "@fcgipm-test-%d",
			(int)getpid());
	else if (strchr(address, ':'))
		snprintf(s->address, sizeof(s->address), "%s%d", address,
			s->world->port);
	else
		snprintf(s->address, sizeof(s->address), "%s", address);
	snprintf(text, sizeof(text), "%s",
		address[0] == '@' || strchr(address, ':') ?
			s->address : world_path(s->world, s->address));
	cr_assert_eq(addr_parse(text, &s->addr, &why), 0, "%s: %s", text, why);
	s->fd = socket(s->addr.sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_geq(s->fd, 0);
	cr_assert_eq(bind(s->fd, (struct sockaddr *)&s->addr.sa, s->addr.len),
		0, "%s: %s", text, strerror(errno));
	cr_assert_eq(listen(s->fd, 64), 0);
	cr_assert_eq(sockdiag_open(&s->diag), 0, "%s", strerror(errno));
	cr_assert_eq(kernel_init(&s->observe, &s->diag, &s->fd, 1,
			     geteuid() ? geteuid() : NOBODY,
			     geteuid() ? getegid() : NOBODY), 0);
}

void
stage_start(struct stage *s, char *const *argv)
{
	gid_t group = NOBODY;

	s->pid = fork();
	cr_assert_geq(s->pid, 0);
	if (s->pid == 0) {
		/* From here on the child prints nothing; it must only not
		 * fail. */
		if (setsid() < 0 || dup2(s->fd, 0) < 0)
			_exit(126);
		if (geteuid() == 0 && (setgroups(1, &group) < 0 ||
			    setresgid(group, group, group) < 0 ||
			    setresuid(NOBODY, NOBODY, NOBODY) < 0))
			_exit(126);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execv(argv[0], argv);
		_exit(127);
	}
	kernel_worker_init(&s->worker, s->pid);
}

void
stage_end_worker(struct stage *s)
{
	int status;

	kernel_worker_fini(&s->worker);
	kill(-s->pid, SIGKILL);
	kill(s->pid, SIGKILL);
	cr_assert_eq(waitpid(s->pid, &status, 0), s->pid);
}

void
stage_close(struct stage *s)
{
	stage_end_worker(s);
	kernel_fini(&s->observe);
	sockdiag_close(&s->diag);
	close(s->fd);
	if (addr_is_path(&s->addr))
		unlink(addr_path(&s->addr));
	world_close(&s->world);
}

const struct kernel_sample *
stage_look(struct stage *s)
{
	return kernel_inspect(&s->observe, &s->worker, world_now_ms());
}

/* Formats the observation, for a test that fails. */
const char *
stage_describe(const struct stage *s)
{
	static char text[400];
	const struct kernel_sample *n = &s->worker.sample;

	snprintf(text, sizeof(text),
		"state %d (%s, %s): connections %d, may hold %d, tasks %u, "
		"accepting %u, processes %u, prober %d",
		(int)n->state, n->reason, strerror(n->err), n->connections,
		n->may_hold, n->tasks, n->accepting, n->processes,
		n->by_prober);
	return text;
}

bool
stage_is_idle(void *arg)
{
	const struct stage *s = arg;
	const struct kernel_sample *n = stage_look(arg);

	return n->state == KERNEL_IDLE && !n->may_hold &&
		n->connections == 0 && (s->way == POLLS || n->accepting > 0);
}

bool
stage_is_busy(void *arg)
{
	const struct kernel_sample *n = stage_look(arg);

	return n->state == KERNEL_BUSY && n->may_hold && n->connections == 1;
}

bool
stage_is_unknown(void *arg)
{
	return stage_look(arg)->state == KERNEL_UNKNOWN;
}

void
stage_until(struct stage *s, bool (*check)(void *), const char *what)
{
	int64_t end = world_now_ms() + 20000;
	struct timespec ts = {0, 1000000};

	while (!check(s)) {
		cr_assert_lt(world_now_ms(), end, "timeout: %s; %s", what,
			stage_describe(s));
		cr_assert_neq(waitpid(s->pid, NULL, WNOHANG), s->pid,
			"the worker ended");
		nanosleep(&ts, NULL);
	}
}

/* Sends a request without the end of its body. */
int
stage_begin_request(struct stage *s, int flags)
{
	char script[400];
	const char *params[] = {"REQUEST_METHOD=POST", "CONTENT_LENGTH=5",
		"CONTENT_TYPE=text/plain", "SCRIPT_NAME=/count",
		"SERVER_PROTOCOL=HTTP/1.1", "REQUEST_URI=/count", script, NULL};
	int c = client_connect(s->world, s->address);

	snprintf(script, sizeof(script), "SCRIPT_FILENAME=%s/count.php",
		s->world->dir);
	client_begin(c, 1, flags, params);
	client_record(c, STDIN, 1, "123", 3, 0);
	return c;
}

void
stage_finish_request(int c)
{
	struct answer a;

	client_body(c, "45");
	a = client_read(c);
	answer_expect(a, "bytes: 5\n");
	answer_free(&a);
}

void
stage_need_file(const char *path, const char *package)
{
	char text[100];

	snprintf(text, sizeof(text), "no %s (Debian: %s)", path, package);
	if (access(path, R_OK) < 0)
		cr_skip_test("%s", text);
}

void
stage_start_child(struct stage *s, const char *name, const char *arg1,
	const char *arg2)
{
	char *argv[] = {stage_copy_child(s->world, name, 0755), (char *)arg1,
		(char *)arg2, NULL};

	free(stage_copy_child(s->world, "fcgi_records.py", 0644));
	stage_start(s, argv);
	free(argv[0]);
}
