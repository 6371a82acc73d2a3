/*
 * test_hostile_programs.c - programs that exit at once, fork without limit,
 * flood standard error or stop themselves
 */
#include <dirent.h>
#include <sys/wait.h>

#include "hostile.h"

#define AT_ONCE 64

Test(hostile_programs, programs_that_exit_at_once_are_served, .timeout = 900)
{
	struct target t = hostile_start("pm.max_children = 64\n");
	size_t total = hostile_size(2000, 100000), begun = 0, done = 0, i;
	struct pollfd p[AT_ONCE];
	int64_t begin = world_now_ms();

	for (; begun < AT_ONCE; begun++)
		p[begun] = (struct pollfd){.events = POLLIN,
			.fd = hostile_begin(&t, "www.sock", "")};
	while (done < total) {
		cr_assert_gt(poll(p, AT_ONCE, 20000), 0, "no answer");
		for (i = 0; i < AT_ONCE; i++) {
			struct answer a;

			if (p[i].fd < 0 || !p[i].revents)
				continue;
			a = client_read(p[i].fd);
			cr_assert(a.ended && strstr(a.out, "served\n"),
				"request %zu: %s", done, a.out);
			close(p[i].fd);
			p[i].fd = -1;
			done++;
			if (begun < total) {
				p[i].fd = hostile_begin(&t, "www.sock", "");
				begun++;
			}
		}
	}
	begin = world_now_ms() - begin;
	hostile_unharmed(&t, "programs that exit at once");
	hostile_figure("%zu programs that exit at once: %lld a second", total,
		(long long)total * 1000 / (begin + 1));
	hostile_end(&t, "programs that exit at once");
}

/* Counts the processes that run the test's program, without zombies. */
static size_t
count_programs(const struct target *t)
{
	const char *want = world_path(t->w, "hostile");
	DIR *dir = opendir("/proc");
	struct dirent *e;
	size_t n = 0;

	cr_assert_not_null(dir);
	while ((e = readdir(dir)) != NULL) {
		char path[300], line[600] = "";
		int fd;

		if (atoi(e->d_name) <= 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%s/cmdline", e->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (read(fd, line, sizeof(line) - 1) > 0 &&
			strcmp(line, want) == 0)
			n++;
		close(fd);
	}
	closedir(dir);
	return n;
}

/* Orphans of a fork bomb become our children and count for rlimit_nproc until
 * they are reaped. */
static void
reap_orphans(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		continue;
}

static bool
no_program_runs(void *arg)
{
	reap_orphans();
	return count_programs(arg) == 0;
}

/* As root, with a user of its own: 30 processes.  Otherwise: at least one. */
static bool
bomb_has_grown(void *arg)
{
	reap_orphans();
	return count_programs(arg) >= (geteuid() == 0 ? 30 : 1);
}

/*
 * rlimit_nproc counts all processes of a user.  Root uses a user without other
 * processes; another user shares the limit with its own processes.
 */
static struct target
start_bombs(void)
{
	int uid = 100000 + (int)getpid();
	char keys[200], us[100] = "";

	if (geteuid() == 0)
		snprintf(us, sizeof(us), "user = %d\ngroup = %d\n", uid, uid);
	snprintf(keys, sizeof(keys), "%srlimit_nproc = 64\n"
		"cgi.idle_timeout = 1s\n", us);
	return hostile_start(keys);
}

Test(hostile_programs, fork_bombs_end_with_their_request, .timeout = 120)
{
	struct target t = start_bombs();
	size_t rounds = hostile_size(1, 10), most = 0, n, i;
	int fd;

	for (i = 0; i < rounds; i++) {
		struct pollfd p = {.events = POLLIN};

		fd = p.fd = hostile_begin(&t, "www.sock", "bomb");
		while (poll(&p, 1, 50) == 0) {
			n = count_programs(&t);
			most = n > most ? n : most;
			hostile_serves(&t, "a fork bomb");
		}
		answer_expect(client_read(fd), "Status: 504");
		close(fd);
		/* It ignores TERM and gets KILL two seconds later. */
		world_until(no_program_runs, &t, "the bomb's children exit");
		hostile_unharmed(&t, "a fork bomb");
		/* A bomb whose client leaves. */
		fd = hostile_begin(&t, "www.sock", "bomb");
		world_until(bomb_has_grown, &t, "the bomb grows");
		close(fd);
		world_until(no_program_runs, &t, "the bomb's children exit");
		hostile_unharmed(&t, "a fork bomb without client");
	}
	hostile_figure("a fork bomb has at most %zu processes", most);
	cr_expect_leq(most, 64 + 1, "more than rlimit_nproc");
	if (geteuid() == 0)
		cr_expect_geq(most, 30, "not a fork bomb: %zu", most);
	hostile_end(&t, "fork bombs");
}

/* The client gets all of it; it is logged in pieces. */
Test(hostile_programs, stderr_without_a_line_end_uses_bounded_memory,
	.timeout = 900)
{
	struct target t = hostile_start("");
	size_t total = hostile_size(5000000, 100000000);
	long most = 0, master = strtol(world_proc_status(t.w->pid, "VmRSS"),
		NULL, 10);
	struct pollfd p = {.events = POLLIN};
	size_t got = 0;
	char query[64], *block = malloc(65536);
	int64_t begin = world_now_ms(), next = begin;
	ssize_t n;

	cr_assert_not_null(block);
	snprintf(query, sizeof(query), "shout=%zu", total);
	p.fd = hostile_begin(&t, "www.sock", query);
	for (;;) {
		cr_assert_gt(poll(&p, 1, 20000), 0, "after %zu bytes", got);
		n = recv(p.fd, block, 65536, 0);
		if (n <= 0)
			break;
		got += (size_t)n;
		if (world_now_ms() < next)
			continue;
		next = world_now_ms() + 100;
		hostile_serves(&t, "a shout");
		most = hostile_rss_kib(&t) > most ? hostile_rss_kib(&t) : most;
	}
	begin = world_now_ms() - begin;
	cr_expect_geq(got, total + 8, "only %zu bytes", got);
	cr_expect_lt(most - t.rss_kib, 2048, "the gateway has %ld KiB more",
		most - t.rss_kib);
	close(p.fd);
	free(block);
	hostile_unharmed(&t, "a shout");
#ifndef __SANITIZE_ADDRESS__ /* ASan delays freeing memory */
	master = strtol(world_proc_status(t.w->pid, "VmRSS"), NULL, 10) -
		master;
	cr_expect_lt(master, 8192, "the supervisor has %ld KiB more", master);
#endif
	hostile_figure("%zu MB of stderr in %lld ms, %s of it in the log, the "
		"gateway has %ld KiB more, the supervisor %ld",
		total / 1000000, (long long)begin,
		world_log_has(t.w, " lines dropped: ") ? "not all" : "all",
		most - t.rss_kib, master);
	hostile_end(&t, "a shout");
}

static void
until_state(pid_t pid, char state)
{
	int64_t until = world_now_ms() + 20000;

	while (*world_proc_status(pid, "State") != state) {
		cr_assert_lt(world_now_ms(), until, "waited for state %c",
			state);
		hostile_pause(2);
	}
}

/* When a program exits, its pipe holds up to 64 KiB of stderr, which a gateway
 * that did not get the CPU finds together with the exit. */
Test(hostile_programs, stderr_is_read_after_the_exit, .timeout = 60)
{
	struct target t = hostile_start("");
	int fd = hostile_begin(&t, "www.sock", "last=65536");
	struct answer a;
	pid_t program;

	while (world_children(t.gateway, &program, 1) == 0)
		hostile_pause(2);
	until_state(program, 'T');
	cr_assert_eq(kill(t.gateway, SIGSTOP), 0);
	until_state(t.gateway, 'T');
	cr_assert_eq(kill(program, SIGCONT), 0);
	until_state(program, 'Z');
	cr_assert_eq(kill(t.gateway, SIGCONT), 0);
	a = client_read(fd);
	answer_expect(a, "served\n");
	cr_expect_eq(a.err_len, 65536, "%zu bytes of stderr", a.err_len);
	close(fd);
	hostile_end(&t, "stderr at the exit");
}

/* The number of dropped lines is logged with the next line that is written. */
static bool
drops_are_logged(void *arg)
{
	struct target *t = arg;

	(void)hostile_call(t, "shout=100");
	return world_log_has(t->w, " lines dropped: ");
}

/* When the supervisor does not read the gateway's log, lines are dropped and no
 * request waits. */
Test(hostile_programs, stderr_that_cannot_be_logged_blocks_nothing,
	.timeout = 60)
{
	struct target t = hostile_start("");
	struct answer a;

	cr_assert_eq(kill(t.w->pid, SIGSTOP), 0);
	until_state(t.w->pid, 'T');
	a = hostile_call(&t, "shout=1000000");
	answer_expect(a, "served\n");
	cr_expect_eq(a.err_len, 1000000, "%zu bytes of stderr", a.err_len);
	hostile_serves(&t, "stderr that cannot be logged");
	cr_assert_eq(kill(t.w->pid, SIGCONT), 0);
	world_until(drops_are_logged, &t, "dropped lines are logged");
	/* Further lines are complete. */
	a = hostile_call(&t, "shout=50");
	world_expect_log(t.w, "hostile: 0000000000"
		"hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh\n");
	hostile_end(&t, "stderr that cannot be logged");
}

/*
 * The response of each until it is killed: a stopped process does not get the
 * TERM of the timeout, but KILL two seconds later.
 */
Test(hostile_programs, stopped_programs_are_killed_at_the_timeout,
	.timeout = 120)
{
	static char body[65536];
	static const struct {
		const char *query, *body, *want;
	} rows[] = {{"stop", "", "Status: 504"},
		/* It does not read its body. */
		{"stop", body, "Status: 504"},
		/* Between header and body, and inside the body: the response
		 * must not look complete. */
		{"stop=0", "", ""}, {"stop=5000", "", "0000000004hhh"}};
	struct target t = hostile_start("cgi.idle_timeout = 300ms\n");
	static uint8_t bytes[70000];
	int64_t begin;
	struct answer a;
	size_t rounds, i;
	int fds[4];

	memset(body, 'b', sizeof(body) - 1);
	for (rounds = hostile_size(1, 5); rounds > 0; rounds--) {
		for (i = 0; i < 4; i++) {
			fds[i] = client_connect(t.w, "www.sock");
			client_send(fds[i], bytes,
				hostile_request(bytes, sizeof(bytes),
					rows[i].query, 0, rows[i].body));
		}
		begin = hostile_calm_ms();
		for (i = 0; i < 4; i++) {
			a = client_read(fds[i]);
			cr_expect(strstr(a.out, rows[i].want),
				"row %zu: %.200s", i, a.out);
			cr_expect_eq(a.ended, i < 2, "row %zu", i);
			close(fds[i]);
		}
		while (world_children(t.gateway, NULL, 0) > 0) {
			cr_assert_lt(hostile_calm_ms() - begin, 4000,
				"stopped programs still exist");
			hostile_pause(5);
		}
		hostile_unharmed(&t, "stopped programs");
	}
	hostile_end(&t, "stopped programs");
}

/* It was stopped by another process and continued before the timeout. */
Test(hostile_programs, a_stopped_program_may_continue, .timeout = 60)
{
	struct target t = hostile_start("cgi.idle_timeout = 20s\n");
	int fd = hostile_begin(&t, "www.sock", "stop");
	struct pollfd p = {.fd = fd, .events = POLLIN};
	pid_t program;

	while (world_children(t.gateway, &program, 1) == 0)
		hostile_pause(2);
	until_state(program, 'T');
	cr_expect_eq(poll(&p, 1, 300), 0, "answered while it is stopped");
	hostile_serves(&t, "a stopped program");
	cr_assert_eq(kill(program, SIGCONT), 0);
	answer_expect(client_read(fd), "served\n");
	close(fd);
	hostile_end(&t, "a stopped program");
}
