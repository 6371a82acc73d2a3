/*
 * test_handlers.c - the sample handlers in both modes; SIGTERM during a request
 * does not cut it off
 */
#include "world.h"

/* A state of a worker to wait for: number of descriptors, or a line of its
 * status. */
struct wait {
	pid_t pid;
	size_t fds;		/* 0 = wait for key instead */
	const char *key;
	const char *value;	/* prefix of the value */
};

static bool
is_reached(void *arg)
{
	const struct wait *t = arg;

	if (t->fds)
		return world_fd_count(t->pid) == t->fds;
	return strncmp(world_proc_status(t->pid, t->key), t->value,
		       strlen(t->value)) == 0;
}

static void
until(pid_t pid, const char *key, const char *value)
{
	struct wait t = {.pid = pid, .key = key, .value = value};

	world_until(is_reached, &t, key);
}

/* Starts a pool; the pid of its only worker in *ret_pid. */
static struct world *
start_worker(const char *ini, pid_t *ret_pid)
{
	struct world *w = world_open();

	world_start(w, ini);
	cr_assert_eq(world_children(w->pid, ret_pid, 1), 1);
	return w;
}

static void
finish(struct world *w, int fd, const char *want, pid_t pid)
{
	struct answer a = client_read(fd);

	answer_expect(a, want);
	cr_expect(a.ended);
	close(fd);
	world_until_gone(pid);
	world_close(&w);
}

Test(handlers, term_during_a_body_completes_the_request, .timeout = 60)
{
	static const char *const params[] = {
		"QUERY_STRING=echo=0", "CONTENT_LENGTH=40000", NULL};
	char half[20000];
	pid_t pid;
	struct world *w = start_worker("[www]\n"
				       "listen = @DIR@/www.sock\n"
				       "handler = @BIN@/handlers/upload\n"
				       "pm.max_children = 1\n",
		&pid);
	struct wait taken = {.pid = pid, .fds = world_fd_count(pid) + 1};
	int fd = client_connect(w, "www.sock");

	memset(half, 'h', sizeof(half));
	client_begin(fd, 1, 0, params);
	client_record(fd, 5, 1, half, sizeof(half), 0);
	world_until(is_reached, &taken, "accepted");
	/* Now it blocks SIGTERM and waits for the second half. */
	until(pid, "SigBlk", "0000000000004000");
	until(pid, "State", "S");
	cr_assert_eq(kill(pid, SIGTERM), 0);
	client_record(fd, 5, 1, half, sizeof(half), 0);
	client_record(fd, 5, 1, NULL, 0, 0);
	finish(w, fd, "bytes: 40000 hash: ", pid);
}

Test(handlers, term_before_the_parameters_completes_the_request,
	.timeout = 60)
{
	static const char params[] = "\014\005QUERY_STRINGms=20";
	static const uint8_t begin[8] = {0, 1};
	pid_t pid;
	struct world *w = start_worker("[www]\n"
				       "listen = @DIR@/www.sock\n"
				       "handler = @BIN@/handlers/threads\n"
				       "pm.max_children = 1\n"
				       "threads = 2\n",
		&pid);
	struct wait taken = {.pid = pid, .fds = world_fd_count(pid) + 1};
	int fd = client_connect(w, "www.sock");

	client_record(fd, 1, 1, begin, sizeof(begin), 0);
	world_until(is_reached, &taken, "accepted");
	cr_assert_eq(kill(pid, SIGTERM), 0);
	/* The thread without a request exits; main() and one remain. */
	until(pid, "Threads", "2");
	client_record(fd, 4, 1, params, sizeof(params) - 1, 0);
	client_record(fd, 4, 1, NULL, 0, 0);
	client_record(fd, 5, 1, NULL, 0, 0);
	finish(w, fd, "slept: 20 ms", pid);
}

Test(handlers, each_handler_answers_in_both_modes, .timeout = 60)
{
	static const struct {
		const char *name, *says;
	} all[] = {
		{"hello", "Hello from fcgipm."},
		{"whoami", "uid: "},
		{"counter", "count: 1\n"},
		{"sleep", "slept: 1 ms"},
		{"cpu", "rounds: "},
		{"upload", "bytes: 0 hash: cbf29ce484222325"},
		{"threads", "slept: 1 ms"},
		{"authorizer", "Status: 401 Unauthorized"},
	};

	for (size_t i = 0; i < 2 * ARRAY_SIZE(all); i++) {
		const char *mode = i % 2 ? "cgi" : "prefork";
		struct world *w = world_open();
		struct answer a;

		world_start(w, own_text("[www]\n"
			"mode = %s\n"
			"listen = @DIR@/www.sock\n"
			"handler = @BIN@/handlers/%s\n",
			mode, all[i / 2].name));
		a = client_script(w, "www.sock", NULL, "ms=1");
		answer_expect(a, all[i / 2].says);
		cr_expect(a.ended, "%s as %s", all[i / 2].name, mode);
		world_close(&w);
	}
}
